//! The bodies of answers (MS-SMB2 2.2.2, 2.2.6 to 2.2.38), read from whole messages, since their places count from the header.

use super::ask::FileId;
use super::field::{Fields, Malformed};
use crate::limits;
use crate::share::{Attributes, Stream, Volume};
use crate::snapshot::Snapshot;

/// An answer to SESSION_SETUP (2.2.6).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) is_guest: bool,
    pub(crate) is_anonymous: bool,
    pub(crate) encrypts: bool,
    pub(crate) token: Vec<u8>,
}

pub(crate) fn session_setup(message: &[u8]) -> Result<Setup, Malformed> {
    let fields = Fields(message);
    fields.structure(64, 9)?;
    let flags = fields.u16(66)?;
    let (at, len) = (usize::from(fields.u16(68)?), usize::from(fields.u16(70)?));
    if len > limits::TOKEN {
        return Err(format!("its token has {len} bytes, at most {} are read", limits::TOKEN));
    }
    let token = if len == 0 { Vec::new() } else { fields.bytes(at, len)?.to_vec() };
    Ok(Setup { is_guest: flags & 1 != 0, is_anonymous: flags & 2 != 0, encrypts: flags & 4 != 0, token })
}

/// An answer to TREE_CONNECT (2.2.10).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) is_disk: bool,
    pub(crate) encrypts: bool,
}

pub(crate) fn tree_connect(message: &[u8]) -> Result<Tree, Malformed> {
    let fields = Fields(message);
    fields.structure(64, 16)?;
    // SMB2_SHARE_TYPE_DISK, SMB2_SHAREFLAG_ENCRYPT_DATA.
    Ok(Tree { is_disk: fields.u8(66)? == 1, encrypts: fields.u32(68)? & 0x8000 != 0 })
}

/// An answer to CREATE (2.2.14).
pub(crate) fn create(message: &[u8]) -> Result<(FileId, Attributes), Malformed> {
    let fields = Fields(message);
    fields.structure(64, 89)?;
    let attributes = Attributes {
        created: fields.u64(72)?,
        modified: fields.u64(88)?,
        size: fields.u64(112)?,
        flags: fields.u32(120)?,
        tag: 0,
    };
    Ok((fields.id(128)?, attributes))
}

/// Where the data of an answer to READ lie in it (2.2.20).
pub(crate) fn read(message: &[u8]) -> Result<std::ops::Range<usize>, Malformed> {
    let fields = Fields(message);
    fields.structure(64, 17)?;
    let (at, len) = (usize::from(fields.u8(66)?), fields.size(68)?);
    fields.bytes(at, len)?;
    Ok(at..at + len)
}

/// The data of an answer to QUERY_DIRECTORY or QUERY_INFO (2.2.34, 2.2.38).
pub(crate) fn output(message: &[u8]) -> Result<&[u8], Malformed> {
    let fields = Fields(message);
    fields.structure(64, 9)?;
    fields.bytes(usize::from(fields.u16(66)?), fields.size(68)?)
}

/// The data of an answer to IOCTL (2.2.32).
pub(crate) fn ioctl(message: &[u8]) -> Result<&[u8], Malformed> {
    let fields = Fields(message);
    fields.structure(64, 49)?;
    fields.bytes(fields.size(96)?, fields.size(100)?)
}

/// Where a link leads that lies on the way to a file: what an error STATUS_STOPPED_ON_SYMLINK says of it (2.2.2.2.1), in the
/// form of SMB 3.1.1 or in the older one.
pub(crate) fn symlink(message: &[u8]) -> Result<String, Malformed> {
    const SYML: u32 = 0x4C4D_5953;
    let fields = Fields(message);
    fields.structure(64, 9)?;
    let begin = if fields.u8(66)? == 0 { 72 } else { 80 };
    if fields.u32(begin + 4)? != SYML {
        return Err("it does not say where the link leads".to_owned());
    }
    let (at, len) = (usize::from(fields.u16(begin + 16)?), usize::from(fields.u16(begin + 18)?));
    fields.text(begin + 28 + at, len)
}

/// Names of streams (MS-FSCC 2.4.49).
pub(crate) fn streams(data: &[u8]) -> Result<Vec<Stream>, Malformed> {
    let (fields, mut at, mut found) = (Fields(data), 0, Vec::new());
    if data.is_empty() {
        return Ok(found);
    }
    loop {
        let (next, len, size) = (fields.size(at)?, fields.size(at + 4)?, fields.u64(at + 8)?);
        found.push(Stream { name: fields.text(at + 24, len)?, size });
        if next == 0 {
            return Ok(found);
        }
        if next < 24 || found.len() >= limits::STREAMS {
            return Err(format!("its list of streams goes on {next} bytes behind number {}", found.len()));
        }
        at = at.checked_add(next).ok_or("its list of streams goes on beyond all memory")?;
    }
}

/// Names of shadow copies (2.2.32.2); those that are none are left out.
pub(crate) fn snapshots(data: &[u8]) -> Result<Vec<Snapshot>, Malformed> {
    let fields = Fields(data);
    let (count, len) = (fields.size(4)?, fields.size(8)?);
    if count > limits::SNAPSHOTS {
        return Err(format!("it names {count} shadow copies, at most {} are read", limits::SNAPSHOTS));
    }
    // Of none at all the length may be that of the end of the list, or more than there is.
    let text = fields.text(12, len.min(data.len().saturating_sub(12)))?;
    Ok(text.split('\0').take(count).filter_map(Snapshot::parse).collect())
}

/// A volume (MS-FSCC 2.5.9).
pub(crate) fn volume(data: &[u8]) -> Result<Volume, Malformed> {
    let fields = Fields(data);
    Ok(Volume { serial: fields.u32(8)?, label: fields.text(18, fields.size(12)?)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::utf16;

    /// A message with this body.
    fn message(body: &[u8]) -> Vec<u8> {
        [&[0; 64][..], body].concat()
    }

    #[test]
    fn a_link_on_the_way_says_where_it_leads() {
        let target = utf16(r"\??\D:\VMs");
        let len = u16::try_from(target.len()).unwrap();
        let mut error = vec![0; 4];
        error.extend(b"SYML");
        error.extend(0xA000_000C_u32.to_le_bytes());
        error.extend([0; 4]);
        error.extend([0u16, len, 0, 0].into_iter().flat_map(u16::to_le_bytes));
        error.extend([0; 4]);
        error.extend(&target);
        let old = message(&[&[9, 0, 0, 0, 0, 0, 0, 0][..], &error].concat());
        let new = message(&[&[9, 0, 1, 0, 0, 0, 0, 0][..], &[0; 8], &error].concat());
        for bytes in [old, new] {
            assert_eq!(symlink(&bytes).unwrap(), r"\??\D:\VMs");
            assert!(symlink(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn places_outside_of_a_message_are_refused() {
        let mut body = vec![17, 0, 80, 0];
        body.extend(5u32.to_le_bytes());
        body.extend([0; 8]);
        body.extend(b"12345");
        assert_eq!(read(&message(&body)).unwrap(), 80..85);
        body[4] = 6;
        assert!(read(&message(&body)).unwrap_err().contains("6 bytes at 80"));
        body[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&message(&body)).is_err());
    }

    #[test]
    fn shadow_copies_are_listed() {
        let names = utf16("@GMT-2026.11.30-09.00.00\0@GMT-2026.11.29-09.00.00\0nothing\0\0");
        let head = |count: u32| [count, count, u32::try_from(names.len()).unwrap()].map(u32::to_le_bytes).concat();
        let found = snapshots(&[head(3), names.clone()].concat()).unwrap();
        assert_eq!(
            found.iter().map(Snapshot::to_string).collect::<Vec<_>>().join(" "),
            "@GMT-2026.11.30-09.00.00 @GMT-2026.11.29-09.00.00"
        );
        assert!(snapshots(&head(u32::MAX)).is_err() && snapshots(&[]).is_err());
        assert_eq!(snapshots(&head(0)), Ok(Vec::new()));
    }

    #[test]
    fn streams_and_volumes() {
        let mut data = Vec::new();
        for (next, name) in [(48u32, "::$DATA"), (0, ":a:$DATA")] {
            let name = utf16(name);
            let begin = data.len();
            data.extend(next.to_le_bytes());
            data.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
            data.extend(7u64.to_le_bytes());
            data.extend([0; 8]);
            data.extend(name);
            data.resize(begin + 48, 0);
        }
        let found = streams(&data).unwrap();
        assert_eq!((found.len(), found[1].name.as_str(), found[1].size), (2, ":a:$DATA", 7));
        data[0] = 1;
        assert!(streams(&data).is_err());
        let mut data = vec![0; 18];
        data[8..12].copy_from_slice(&0x1234_5678_u32.to_le_bytes());
        data[12] = 4;
        data.extend(utf16("Ü1"));
        assert_eq!(volume(&data).unwrap(), Volume { serial: 0x1234_5678, label: "Ü1".to_owned() });
    }
}
