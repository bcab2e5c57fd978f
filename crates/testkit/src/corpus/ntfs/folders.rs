//! Folders, index blocks and the bitmap of clusters.

use super::NtfsAnswer::{Misses, NoBitmap, NoNames};
use super::{DATA, GUESTS, Row, SPEC, data, put};
use crate::ntfs::{CLUSTER, file};

/// Folders, links and the bitmap.
pub(super) const FOLDERS: [Row; 13] = [
    (
        "index-torn",
        "an index block is torn",
        "power failure",
        |v| {
            let at = v.places.sub * CLUSTER + 1022;
            put(v, at, &[1, 1])
        },
        Misses("sub\\", "was not written whole"),
    ),
    (
        "index-mark",
        "an index block with another mark",
        SPEC,
        |v| {
            let at = v.places.sub * CLUSTER;
            put(v, at, b"INDY")
        },
        Misses("sub\\", "should start with 'INDX'"),
    ),
    (
        "index-number",
        "an index block with the number of another",
        SPEC,
        |v| {
            let at = v.places.sub;
            v.edit_block(at, |b| b[16] = 5)
        },
        Misses("sub\\", "index block 0 was expected"),
    ),
    (
        "index-circle",
        "an index block leads to itself",
        "CVE-2021-39260 family (ntfs-3g)",
        |v| {
            let at = v.places.sub;
            v.edit_block(at, circle)
        },
        NoNames("sub", "is reached twice or deeper"),
    ),
    (
        "index-entry-0",
        "an entry of an index has the length 0: an endless loop",
        "CVE-2021-39253 family (ntfs-3g)",
        |v| {
            let at = v.places.sub;
            v.edit_block(at, |b| b[64 + 8] = 0)
        },
        Misses("sub\\", "an entry of the index"),
    ),
    (
        "index-entry-max",
        "an entry of an index has 65528 bytes",
        "CVE-2021-39253 family (ntfs-3g)",
        |v| {
            let at = v.places.sub;
            v.edit_block(at, |b| b[64 + 8..64 + 10].copy_from_slice(&[0xF8, 0xFF]))
        },
        Misses("sub\\", "an entry of the index"),
    ),
    (
        "index-name-max",
        "a name of 255 units that is not there",
        "CVE-2022-30784 family (names_full_collate, ntfs-3g)",
        |v| {
            let at = v.places.sub;
            v.edit_block(at, |b| b[64 + 16 + 64] = 255)
        },
        Misses("sub\\", "a file name does not lie"),
    ),
    (
        "index-end",
        "the list of names ends behind its block",
        SPEC,
        |v| {
            let at = v.places.sub;
            v.edit_block(at, |b| b[28..32].fill(0xFF))
        },
        Misses("sub\\", "the list of names"),
    ),
    (
        "index-root-size",
        "index blocks of 3 bytes",
        GUESTS,
        |v| {
            v.edit_attribute(file::SUB, 0x90, |a| {
                let at = usize::from(a[20]) + 8;
                a[at..at + 4].copy_from_slice(&[3, 0, 0, 0])
            })
        },
        Misses("sub\\", "size of an index block"),
    ),
    (
        "index-no-blocks",
        "a folder without the blocks that its root leads to",
        SPEC,
        |v| v.edit_attribute(file::SUB, 0xA0, |a| a[0] = 0xA8),
        Misses("sub\\", "there is no index block"),
    ),
    (
        "index-child-max",
        "the root of a folder leads to the index block 2^64 - 1",
        GUESTS,
        |v| {
            v.edit_attribute(file::SUB, 0x90, |a| {
                let at = usize::from(a[20]) + 48;
                a[at..at + 8].fill(0xFF)
            })
        },
        Misses("sub\\", "could not be read"),
    ),
    (
        "bitmap-short",
        "the bitmap has fewer bits than the volume clusters",
        SPEC,
        |v| {
            data(v, 6, 48, &[10]);
            data(v, 6, 56, &[10])
        },
        NoBitmap("hold 10 bytes"),
    ),
    (
        "bitmap-runs",
        "the runs of the bitmap lead out of the volume",
        GUESTS,
        |v| v.edit_runs(6, DATA, &[0x21, 1, 0xFF, 0x7F, 0]),
        NoBitmap("within the 160 clusters"),
    ),
];

/// The first entry gets a child: the block itself.
fn circle(block: &mut [u8]) {
    let len = usize::from(u16::from_le_bytes([block[72], block[73]]));
    let end = usize::from(u16::from_le_bytes([block[28], block[29]])) + 24;
    block.copy_within(64 + len..end, 64 + len + 8);
    block[64 + len..64 + len + 8].fill(0);
    block[72..74].copy_from_slice(&(len as u16 + 8).to_le_bytes());
    block[76] = 1;
    block[28..30].copy_from_slice(&(end as u16 - 24 + 8).to_le_bytes());
}
