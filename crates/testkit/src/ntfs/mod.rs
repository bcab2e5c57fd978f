//! A small NTFS volume made by code from the published descriptions of the format, with one file for each way in which
//! content can be stored, and changes to its records with their update sequences put right.
//!
//! Sources: the NTFS documentation of the Linux-NTFS project; [MS-FSCC] for reparse points; [MS-XCA] for LZNT1.

mod edit;
mod record;
mod volume;

use std::collections::BTreeMap;

pub use record::{Mapped, runs};

/// Bytes of a cluster.
pub const CLUSTER: usize = 4096;
/// Bytes of a file record.
pub const RECORD: usize = 1024;
/// Clusters of the volume.
pub const CLUSTERS: usize = 160;

/// Tag of a symbolic link.
pub const SYMLINK: u32 = 0xA000_000C;
/// Tag of a junction.
pub const JUNCTION: u32 = 0xA000_0003;

/// The data of a reparse point ([MS-FSCC] 2.1.2): where it leads for Windows, and as it is shown to people. A symbolic link whose
/// target does not begin with `\` is a relative one.
pub fn reparse_data(tag: u32, target: &str, shown: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (units, shown) = (utf16(target), utf16(shown));
    let mut body = Vec::new();
    for number in [0, units.len(), units.len() + 2, shown.len()] {
        body.extend((number as u16).to_le_bytes());
    }
    if tag == SYMLINK {
        body.extend(u32::from(!target.starts_with('\\')).to_le_bytes());
    }
    body.extend([&units[..], &[0, 0], &shown, &[0, 0]].concat());
    let mut data = tag.to_le_bytes().to_vec();
    data.extend((body.len() as u16).to_le_bytes());
    data.extend([0, 0]);
    data.extend(body);
    data
}

/// Numbers of the file records of the files.
pub mod file {
    /// `small.txt`: its content stands in the record.
    pub const SMALL: usize = 24;
    /// `large.bin`: three runs, the second one before the first.
    pub const LARGE: usize = 25;
    /// `sparse.bin`: data, a hole, data.
    pub const SPARSE: usize = 26;
    /// `packed.bin`: compressed, with units that are stored, compressed and empty.
    pub const PACKED: usize = 27;
    /// `streams.txt` with the stream `note`.
    pub const STREAMS: usize = 28;
    /// `listed.bin`: an attribute list leads to its runs in two records.
    pub const LISTED: usize = 29;
    /// The first of the two.
    pub const LISTED_FIRST: usize = 30;
    /// The second.
    pub const LISTED_SECOND: usize = 31;
    /// The folder `sub` with `sub\f1` to `sub\f6`.
    pub const SUB: usize = 32;
    /// `sub\f1`; the others follow.
    pub const FIRST_IN_SUB: usize = 33;
    /// `link`: a symbolic link to `small.txt`.
    pub const LINK: usize = 39;
    /// `tail.bin`: only the first half was ever written.
    pub const TAIL: usize = 40;
    /// `empty.txt`: no bytes.
    pub const EMPTY: usize = 41;
    /// Records of the file table.
    pub const COUNT: usize = 48;
}

/// A volume and what its files hold.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Bytes of the volume, the copy of the boot sector included.
    pub bytes: Vec<u8>,
    /// Content by path; a stream by path, colon and name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// First cluster of the file table, of its mirror, of the index blocks of the root folder and of `sub`, and of the bitmap.
    pub places: Places,
}

/// First clusters of the structures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places {
    /// File table.
    pub table: usize,
    /// Mirror of its first records.
    pub mirror: usize,
    /// Index block of the root folder.
    pub root: usize,
    /// Index block of `sub`.
    pub sub: usize,
    /// Bitmap of clusters.
    pub bitmap: usize,
    /// Log.
    pub log: usize,
    /// Compressed data of `packed.bin`.
    pub packed: usize,
}
