//! Pieces of a file as an input gives them: each has its offset in four bytes and its length in two, little-endian, and its
//! bytes. Any bytes are pieces, so that the fuzzer may cut them as it likes.

use crate::oracles::subjects::Patches;

/// Most pieces of an input: each read looks at all of them.
const MOST: usize = 256;
/// Runs of this many equal bytes, or more, end a piece.
const GAP: usize = 12;

/// The pieces of `data` that fit into a file of `len` bytes.
pub fn decode(mut data: &[u8], len: u64) -> Patches {
    let mut pieces = Patches::new();
    while let Some((head, rest)) = data.split_first_chunk::<6>() {
        let at = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
        let wanted = usize::from(u16::from_le_bytes([head[4], head[5]])).min(rest.len());
        let (bytes, rest) = rest.split_at(wanted);
        if pieces.len() < MOST && !bytes.is_empty() && at + bytes.len() as u64 <= len {
            pieces.push((at, bytes.to_vec()));
        }
        data = rest;
    }
    pieces
}

/// The input that gives these pieces; longer ones are cut.
pub fn encode(pieces: &Patches) -> Vec<u8> {
    let mut data = Vec::new();
    for (at, bytes) in pieces {
        for (number, part) in bytes.chunks(0xFFFF).enumerate() {
            let place = u32::try_from(at + number as u64 * 0xFFFF).expect("samples are small");
            data.extend(place.to_le_bytes());
            data.extend(u16::try_from(part.len()).expect("at most 65535").to_le_bytes());
            data.extend(part);
        }
    }
    data
}

/// Where `new` differs from `old`, or from zeros behind its end, as pieces that begin at `start`.
pub fn difference(start: u64, old: &[u8], new: &[u8]) -> Patches {
    let same = |at: usize| new[at] == old.get(at).copied().unwrap_or(0);
    let (mut pieces, mut at) = (Patches::new(), 0);
    while at < new.len() {
        if same(at) {
            at += 1;
            continue;
        }
        let (from, mut end) = (at, at + 1);
        while at < new.len() && at < end + GAP {
            if !same(at) {
                end = at + 1;
            }
            at += 1;
        }
        pieces.push((start + from as u64, new[from..end].to_vec()));
        at = end;
    }
    pieces
}
