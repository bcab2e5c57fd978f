//! A file whose writer stopped in the middle of a commit: what belongs into it is in the replay log.

use super::write::LOG_HEAD;
use super::{Places, crc32, sum_without};
use crate::bytes::{put32, put64};

/// Spoils `spoilt` (offset and length) of a file and puts what was there into the replay log. What lies at the end of the file is cut
/// off instead, as when a commit was to append it. Gives the entries' places, as offset and length.
pub fn leave_dirty(file: &mut Vec<u8>, places: &Places, spoilt: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let (log, mut data) = (places.log, LOG_HEAD);
    let mut entries = Vec::new();
    for (number, (at, len)) in spoilt.iter().enumerate() {
        let good = file[*at..at + len].to_vec();
        let entry_at = log + 34 + 28 * number;
        let mut entry = vec![0; 28];
        put64(&mut entry, 0, *at as u64);
        put32(&mut entry, 8, u32::try_from(*len).expect("small"));
        put64(&mut entry, 12, data as u64);
        let own = crc32(&entry);
        put32(&mut entry, 20, own);
        put32(&mut entry, 24, crc32(&good));
        file[entry_at..entry_at + 28].copy_from_slice(&entry);
        file[log + data..log + data + len].copy_from_slice(&good);
        entries.push((entry_at, 28));
        data += len;
        if at + len == file.len() {
            file.truncate(*at);
        } else {
            file[*at..at + len].fill(0x5A);
        }
    }
    put32(file, log + 8, u32::try_from(spoilt.len()).expect("few"));
    let sum = sum_without(&file[log..log + 34], 4);
    put32(file, log + 4, sum);
    entries
}
