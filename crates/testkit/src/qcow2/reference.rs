//! A reader of qcow2 files that is as simple as QEMU's `docs/interop/qcow2.txt`: the whole file in memory, one byte after the
//! other, no parent. It shares no code with the builder beside it, so that a mistake in one shows in a comparison. Of
//! DEFLATE it knows stored blocks only.

use std::io;

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn number(file: &[u8], offset: u64, len: u64) -> io::Result<u64> {
    let bytes = range(file, offset, len)?;
    Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn range(file: &[u8], offset: u64, len: u64) -> io::Result<&[u8]> {
    let start = usize::try_from(offset).map_err(|_| bad("an offset is too large"))?;
    let end = offset.checked_add(len).and_then(|end| usize::try_from(end).ok());
    end.and_then(|end| file.get(start..end)).ok_or_else(|| bad("something lies past the end of the file"))
}

/// The virtual content.
pub fn read(file: &[u8]) -> io::Result<Vec<u8>> {
    if range(file, 0, 4)? != b"QFI\xfb" {
        return Err(bad("no magic"));
    }
    if number(file, 8, 8)? != 0 {
        return Err(bad("there is a backing file"));
    }
    let (cluster_bits, size) = (number(file, 20, 4)?, number(file, 24, 8)?);
    let mut content = Vec::new();
    for cluster in 0..size.div_ceil(1 << cluster_bits) {
        content.extend(read_cluster(file, cluster, cluster_bits)?);
    }
    content.truncate(usize::try_from(size).map_err(|_| bad("the disk is too large"))?);
    Ok(content)
}

fn read_cluster(file: &[u8], cluster: u64, cluster_bits: u64) -> io::Result<Vec<u8>> {
    const PLACE: u64 = 0x00ff_ffff_ffff_fe00;
    let (version, tables, len) = (number(file, 4, 4)?, number(file, 40, 8)?, 1u64 << cluster_bits);
    let zeros = || Ok(vec![0; usize::try_from(len).map_err(|_| bad("a cluster is too large"))?]);
    // A table has a cluster, an entry 8 bytes.
    let table = number(file, tables + (cluster >> (cluster_bits - 3)) * 8, 8)? & PLACE;
    if table == 0 {
        return zeros();
    }
    let entry = number(file, table + cluster % (len / 8) * 8, 8)?;
    if entry & 1 << 62 != 0 {
        // x = 62 - (cluster_bits - 8): below it the place, from it to 61 the further sectors of 512 bytes.
        let x = 62 - (cluster_bits - 8);
        let place = entry & ((1 << x) - 1);
        let further = (entry & ((1 << 62) - 1)) >> x;
        let end = (place / 512 + 1 + further) * 512;
        return stored(range(file, place, end.min(file.len() as u64) - place)?, len);
    }
    if version == 3 && entry & 1 != 0 || entry & PLACE == 0 {
        return zeros();
    }
    Ok(range(file, entry & PLACE, len)?.to_vec())
}

/// Stored blocks of DEFLATE (RFC 1951, 3.2.4) up to `len` bytes.
fn stored(packed: &[u8], len: u64) -> io::Result<Vec<u8>> {
    let (mut out, mut at) = (Vec::new(), 0);
    while (out.len() as u64) < len {
        let head = range(packed, at, 5)?;
        if head[0] > 1 {
            return Err(bad("a block of DEFLATE is not stored"));
        }
        let count = u64::from(u16::from_le_bytes([head[1], head[2]]));
        out.extend_from_slice(range(packed, at + 5, count)?);
        at += 5 + count;
        if head[0] == 1 {
            break;
        }
    }
    if out.len() as u64 == len { Ok(out) } else { Err(bad("a packed cluster has another length")) }
}
