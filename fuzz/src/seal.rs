//! Checksums written anew over what the fuzzer changed. The formats of the offsets are those of `crates/formats`.

#[path = "../../crates/formats/src/regf/marvin.rs"]
mod marvin;

/// One's complement of the sum of `bytes[range]`, big-endian at `field` of it.
fn sum(bytes: &mut [u8], start: usize, len: usize, field: usize) {
    let Some(part) = start.checked_add(len).and_then(|end| bytes.get_mut(start..end)) else { return };
    part[field..field + 4].fill(0);
    let sum = !part.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    part[field..field + 4].copy_from_slice(&sum.to_be_bytes());
}

/// Both footers of a VHD and its header, where the footer at the end says that it lies.
pub fn vhd(bytes: &mut [u8]) {
    let Some(end) = bytes.len().checked_sub(512) else { return };
    let header = bytes[end + 16..].first_chunk().map_or(0, |at| u64::from_be_bytes(*at));
    sum(bytes, end, 512, 64);
    if bytes.starts_with(b"conectix") {
        sum(bytes, 0, 512, 64);
    }
    sum(bytes, usize::try_from(header).unwrap_or(usize::MAX), 1024, 36);
}

/// The first sector of a hive or of its log.
pub fn hive(bytes: &mut [u8]) {
    let Some(head) = bytes.first_chunk_mut::<512>() else { return };
    let sum = head[..508].as_chunks::<4>().0.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    // As Windows does it: the two values that mean something else are stepped over.
    let sum = match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    };
    head[508..].copy_from_slice(&sum.to_le_bytes());
}

/// The hashes of the entries of a log in the new format.
pub fn hive_log(log: &mut [u8]) {
    let mut at = 512;
    while let Some(head) = log.get(at..at + 40).filter(|head| head.starts_with(b"HvLE")) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some(entry) = log.get_mut(at..at + size).filter(|entry| entry.len() >= 512) else { return };
        let body = marvin::marvin32(&entry[40..]);
        entry[24..32].copy_from_slice(&body.to_le_bytes());
        let head = marvin::marvin32(&entry[..32]);
        entry[32..40].copy_from_slice(&head.to_le_bytes());
        at += size;
    }
}

/// Both headers of a HyperVStorage file, its log, its first object table, and the key tables that this names.
pub fn hvs(bytes: &mut [u8]) {
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().expect("four"))) as usize;
    let log = word(bytes, 26);
    [(0, 46, 4), (4096, 46, 4), (log, 34, 4)].into_iter().for_each(|(at, len, field)| zip(bytes, at, len, field));
    for number in 0..word(bytes, 0x2004).min(300) {
        let entry = 0x2008 + number * 18;
        zip(bytes, entry, 18, 1);
        let (table, len) = (word(bytes, entry + 5), word(bytes, entry + 13));
        if bytes.get(entry) != Some(&2) || table.saturating_add(len) > bytes.len() {
            continue;
        }
        zip(bytes, table, 10, 6);
        let mut at = table + 10;
        while at + 25 < table + len {
            let head = at + 21 + usize::from(bytes[at + 20]);
            let value = match (bytes[at], bytes[at + 1] & 1) {
                (9, _) | (_, 1) => 12,
                (3..=5, _) => 8,
                (8, _) => 4,
                _ => 4 + word(bytes, head),
            };
            if bytes[at] != 1 {
                zip(bytes, at, (head - at).saturating_add(value), 12);
            }
            at += word(bytes, at + 2).max(21);
        }
    }
}

/// CRC-32 of zlib over `bytes[range]`, little-endian at `field` of it.
fn zip(bytes: &mut [u8], start: usize, len: usize, field: usize) {
    let Some(part) = start.checked_add(len).and_then(|end| bytes.get_mut(start..end)) else { return };
    part[field..field + 4].fill(0);
    let sum = hvm_testkit::hvs::crc32(part);
    part[field..field + 4].copy_from_slice(&sum.to_le_bytes());
}
