//! Marks of other owners of a volume. Some file systems and RAIDs leave the first sectors as they are, so that the boot sector of
//! what was there before them still stands; and a file system may leave marks of its predecessor further back. Which of the two
//! is in use only the guest knows.
//!
//! Sources of the marks: `sys/ufs/ffs/fs.h` of FreeBSD; "ZFS On-Disk Specification", 2006, chapter 1; the kernel's documentation of
//! bcache; the superblocks of JFS and ReiserFS in Linux.

use crate::guestfs::FsKind;
use crate::guestfs::bytes::read_some;
use crate::guestfs::recognise;
use crate::io::ReadAt;

/// Names of what is recognised by nothing else, with offset and bytes.
const MARKS: [(&str, u64, &[u8]); 8] = [
    ("UFS", 8192 + 1372, b"\x54\x19\x01\x00"),
    ("UFS", 8192 + 1372, b"\x00\x01\x19\x54"),
    ("UFS2", 65_536 + 1372, b"\x19\x01\x54\x19"),
    ("UFS2", 65_536 + 1372, b"\x19\x54\x01\x19"),
    ("bcache", 4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    ("JFS", 32_768, b"JFS1"),
    ("ReiserFS", 65_536 + 52, b"ReIsEr"),
    ("ReiserFS", 8192 + 52, b"ReIsEr"),
];

/// ZFS has a ring of 128 uberblocks behind the first 128 KiB, each with its mark in the byte order of its writer.
const UBERBLOCKS: (u64, usize) = (128 << 10, 128);
const ZFS: [&[u8]; 2] = [b"\x0c\xb1\xba\0\0\0\0\0", b"\0\0\0\0\0\xba\xb1\x0c"];

/// What else than `kind` the volume has marks of.
pub(super) fn others(volume: &dyn ReadAt, kind: FsKind) -> Vec<&'static str> {
    let all = recognise::all(volume).into_iter().map(|found| found.kind);
    let mut found: Vec<&str> = all.filter(|other| *other != kind).map(FsKind::name).collect();
    let is_there =
        |(_, at, mark): &&(&str, u64, &[u8])| read_some(volume, *at, mark.len()).is_ok_and(|has| has == *mark);
    found.extend(MARKS.iter().filter(is_there).map(|(name, _, _)| *name));
    let (at, blocks) = UBERBLOCKS;
    let ring = read_some(volume, at, blocks << 10).unwrap_or_default();
    if ring.chunks(1 << 10).any(|block| ZFS.iter().any(|mark| block.starts_with(mark))) {
        found.push("ZFS");
    }
    found
}
