//! Deterministic changes of good answers of a server (`HVM_MUTATIONS` sets their number): each is read or refused, whatever it is read as.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use hvm_smb::answers;
use hvm_testkit::bytes::utf16le;
use hvm_testkit::vhdx::Dice;

fn rounds() -> u64 {
    std::env::var("HVM_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000) / 4
}

/// A change of a few numbers: extreme ones, small ones, places of the message.
fn changed(dice: &mut Dice, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.below(4) {
        let width = [1, 2, 4, 8][dice.below(4) as usize];
        let at = dice.below((bytes.len() - width) as u64) as usize;
        let at = if dice.below(2) == 0 { at } else { at / width * width };
        let new = match dice.below(6) {
            0 => u64::MAX,
            1 => u64::MAX >> 1,
            2 => dice.below(bytes.len() as u64 + 9),
            3 => 1 << dice.below(64),
            4 => 0,
            _ => dice.roll(),
        };
        bytes[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
    }
    if dice.below(4) == 0 {
        bytes.truncate(dice.below(good.len() as u64) as usize);
    }
    bytes
}

#[test]
fn changed_answers_are_read_or_refused() {
    let good = answers::samples(&utf16le);
    for (name, message) in &good {
        assert!(answers::read(message) > 0, "{name}");
    }
    let mut taken = 0;
    for number in 0..rounds() {
        let (name, message) = &good[(number % good.len() as u64) as usize];
        let bytes = changed(&mut Dice::new(number ^ 0x534D), message);
        let read = std::panic::catch_unwind(|| answers::read(&bytes));
        taken += read.unwrap_or_else(|_| panic!("{name}: change {number} fails: {bytes:02x?}"));
    }
    assert!(taken as u64 > rounds() / 4, "{taken}");
}

#[test]
fn every_byte_and_every_length_of_good_answers() {
    for (_, message) in answers::samples(&utf16le) {
        for at in 0..message.len() {
            for mask in [1, 0x80, 0xFF] {
                let mut bytes = message.clone();
                bytes[at] ^= mask;
                answers::read(&bytes);
            }
            answers::read(&message[..at]);
        }
    }
}

#[test]
fn changed_frames_are_read_or_refused() {
    let frame = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    let stream: Vec<u8> = answers::samples(&utf16le).iter().flat_map(|(_, message)| frame(message)).collect();
    assert_eq!(answers::frames(&stream), answers::samples(&utf16le).len());
    for number in 0..rounds() / 20 {
        answers::frames(&changed(&mut Dice::new(number ^ 0xF4A3), &stream));
    }
}
