//! Deterministic changes of good answers of a server (`HVM_MUTATIONS` sets their number): each is read or refused, whatever it is read as.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use hvm_testkit::vhdx::Dice;
use hvm_winrm::answers::{read, samples};

fn rounds() -> u64 {
    std::env::var("HVM_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000) / 16
}

const PIECES: [&[u8]; 16] = [
    b"<",
    b">",
    b"/>",
    b"&#0;",
    b"&lt;",
    b"]]>",
    b"<!--",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"_xD800_",
    b"\r\n\r\n",
    b"\xFF",
    b"\0",
    b"99999999999999999999",
    b"-1",
    b" xmlns=''",
    b"<Obj RefId='0'>",
];

/// Bytes flipped, numbers replaced, pieces taken out, doubled or put in, and what is behind a place cut off.
fn changed(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len() as u64 + 1) as usize;
        let end = (at + 1 + dice.below(24) as usize).min(bytes.len());
        match dice.below(6) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            1 => bytes.iter_mut().skip(at).take(1 + at % 8).for_each(|byte| *byte = 0xFF),
            2 => drop(bytes.splice(at..at, PIECES[dice.below(16) as usize].repeat([1, 1, 40][dice.below(3) as usize]))),
            3 => drop(bytes.drain(at..end.max(at))),
            4 => {
                let part = bytes[at..end.max(at)].to_vec();
                drop(bytes.splice(at..at, part));
            }
            _ => bytes.truncate(if dice.below(4) == 0 { at } else { bytes.len() }),
        }
    }
    bytes
}

#[test]
fn changed_answers_are_read_or_refused() {
    let good = samples();
    for (kind, answer) in &good {
        assert!(read(*kind, answer), "{kind:?}: {}", String::from_utf8_lossy(answer));
    }
    let (mut taken, rounds) = (0, rounds());
    for number in 0..rounds {
        let (kind, answer) = &good[(number % good.len() as u64) as usize];
        let bytes = changed(&mut Dice::new(number ^ 0x0050_4150), answer);
        let is_read = std::panic::catch_unwind(|| read(*kind, &bytes));
        taken += u64::from(is_read.unwrap_or_else(|_| panic!("{kind:?}: change {number} fails: {bytes:02x?}")));
    }
    assert!(taken > rounds / 20 && taken < rounds, "{taken} of {rounds}");
}

#[test]
fn every_byte_and_every_length_of_good_answers() {
    for (kind, answer) in samples() {
        for at in 0..answer.len() {
            for mask in [1, 0x80, 0xFF] {
                let mut bytes = answer.clone();
                bytes[at] ^= mask;
                read(kind, &bytes);
            }
            read(kind, &answer[..at]);
        }
    }
}
