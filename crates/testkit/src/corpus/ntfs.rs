//! Odd and broken NTFS volumes: one structure of a good volume changed each.

mod folders;

use crate::ntfs::{CLUSTER, CLUSTERS, RECORD, Volume, file};

/// What a reader must do with a volume.
#[derive(Debug, Clone, Copy)]
pub enum NtfsAnswer {
    /// Give all files.
    Reads,
    /// Give all files, and say this of the volume.
    Says(&'static str),
    /// Refuse the volume with this reason.
    Refuses(&'static str),
    /// Give all files but those whose path begins so; these with an error that has this reason.
    Misses(&'static str, &'static str),
    /// Give all files, but not all names of this folder, with this reason.
    NoNames(&'static str, &'static str),
    /// Give all files, but not the bitmap of clusters, with this reason.
    NoBitmap(&'static str),
    /// Give all files, and doubt that the volume was left in order, with this reason.
    Doubts(&'static str),
}

/// One volume of the corpus.
#[derive(Debug, Clone)]
pub struct NtfsCase {
    /// Its name, unique.
    pub name: String,
    /// What is odd or wrong, for people.
    pub what: &'static str,
    /// Where it comes from.
    pub from: &'static str,
    /// The volume and what its files hold.
    pub volume: Volume,
    /// What reading must give.
    pub answer: NtfsAnswer,
}

use NtfsAnswer::{Doubts, Misses, NoBitmap, Reads, Refuses, Says};

type Row = (&'static str, &'static str, &'static str, fn(&mut Volume), NtfsAnswer);

const SPEC: &str = "Linux-NTFS documentation";
const GUESTS: &str = "CVE-2021-33286, CVE-2021-35267 family (ntfs-3g)";
const DATA: u32 = 0x80;
const LAST: usize = CLUSTERS * CLUSTER;

fn put(volume: &mut Volume, at: usize, bytes: &[u8]) {
    volume.bytes[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Changes both boot sectors.
fn boot(volume: &mut Volume, at: usize, bytes: &[u8]) {
    put(volume, at, bytes);
    put(volume, LAST + at, bytes);
}

/// Changes a field of the content attribute of a file.
fn data(volume: &mut Volume, number: usize, at: usize, bytes: &[u8]) {
    volume.edit_attribute(number, DATA, |attribute| attribute[at..at + bytes.len()].copy_from_slice(bytes));
}

/// Changes a field of a file record.
fn field(volume: &mut Volume, number: usize, at: usize, bytes: &[u8]) {
    volume.edit_record(number, |record| record[at..at + bytes.len()].copy_from_slice(bytes));
}

/// Offset of a record in the volume, with what is added.
fn raw(volume: &mut Volume, number: usize, at: usize, bytes: &[u8]) {
    let at = volume.record_at(number) + at;
    put(volume, at, bytes);
}

/// Boot sector and file table.
const VOLUME: [Row; 27] = [
    ("plain", "one file for each way in which content is stored", SPEC, |_| {}, Reads),
    (
        "boot-lost",
        "the boot sector is zeros; its copy in the last sector is intact",
        "chkdsk",
        |v| put(v, 0, &[0; 512]),
        Says("The copy of the boot sector"),
    ),
    (
        "boot-both-lost",
        "both boot sectors are zeros",
        SPEC,
        |v| {
            put(v, 0, &[0; 512]);
            put(v, LAST, &[0; 512])
        },
        Refuses("was expected, found"),
    ),
    ("boot-copy-lost", "the copy of the boot sector is zeros", SPEC, |v| put(v, LAST, &[0; 512]), Reads),
    ("sector-0", "0 bytes a sector", GUESTS, |v| boot(v, 11, &[0, 0]), Refuses("bytes per sector")),
    ("sector-odd", "513 bytes a sector", SPEC, |v| boot(v, 11, &[1, 2]), Refuses("bytes per sector")),
    (
        "cluster-0",
        "0 sectors a cluster: a division by zero",
        GUESTS,
        |v| boot(v, 13, &[0]),
        Refuses("sectors per cluster"),
    ),
    ("cluster-3", "3 sectors a cluster", SPEC, |v| boot(v, 13, &[3]), Refuses("sectors per cluster")),
    ("cluster-huge", "2^63 sectors a cluster", GUESTS, |v| boot(v, 13, &[0xC1]), Refuses("sectors per cluster")),
    ("sectors-0", "a volume of 0 sectors", SPEC, |v| boot(v, 40, &[0; 8]), Refuses("sectors of the volume")),
    (
        "sectors-max",
        "a volume of 2^64 - 1 sectors",
        GUESTS,
        |v| boot(v, 40, &[0xFF; 8]),
        Refuses("sectors of the volume"),
    ),
    (
        "sectors-more",
        "the boot sector says more sectors than are there",
        "cut copy",
        |v| boot(v, 41, &[0x10]),
        NoBitmap("hold 20 bytes"),
    ),
    (
        "table-0",
        "the file table is said to lie in cluster 0",
        SPEC,
        |v| boot(v, 48, &[0; 8]),
        Refuses("first cluster of the file table"),
    ),
    (
        "table-outside",
        "the file table is said to lie behind the end",
        GUESTS,
        |v| boot(v, 48, &[0xFF; 7]),
        Refuses("first cluster of the file table"),
    ),
    (
        "table-wrong",
        "the file table is said to lie in the log; the mirror's first record leads to it",
        SPEC,
        |v| {
            let log = v.places.log as u8;
            boot(v, 48, &[log])
        },
        Says("The copy of the file table's first record"),
    ),
    ("record-0", "file records of 0 bytes", GUESTS, |v| boot(v, 64, &[0]), Refuses("size of a file record")),
    (
        "record-2-100",
        "file records of 2^100 bytes: a shift too far",
        GUESTS,
        |v| boot(v, 64, &[156]),
        Refuses("size of a file record"),
    ),
    (
        "record-huge",
        "file records of 127 clusters",
        "CVE-2021-33287 family (ntfs-3g)",
        |v| boot(v, 64, &[127]),
        Refuses("size of a file record"),
    ),
    (
        "first-torn",
        "the first record is torn; the mirror has it",
        "power failure",
        |v| raw(v, 0, 510, &[0xEE, 0xEE]),
        Says("The copy of the file table's first record"),
    ),
    (
        "first-and-mirror-torn",
        "the first record and its mirror are torn",
        "power failure",
        |v| {
            raw(v, 0, 510, &[0xEE, 0xEE]);
            let at = v.places.mirror * CLUSTER + 510;
            put(v, at, &[0xEE, 0xEE])
        },
        Refuses("was not written whole"),
    ),
    (
        "table-runs-outside",
        "the runs of the file table lead out of the volume; mirror too",
        GUESTS,
        |v| {
            v.edit_runs(0, DATA, &[0x21, 12, 0xFF, 0x7F, 0]);
            mirror(v)
        },
        Refuses("within the 160 clusters"),
    ),
    (
        "table-runs-empty",
        "the file table has no runs; mirror too",
        GUESTS,
        |v| {
            v.edit_runs(0, DATA, &[0]);
            mirror(v)
        },
        Refuses("the data runs"),
    ),
    (
        "table-size-more",
        "the file table is larger than its runs; mirror too",
        SPEC,
        |v| {
            data(v, 0, 48, &(1u64 << 20).to_le_bytes());
            mirror(v)
        },
        Refuses("the data runs cover"),
    ),
    (
        "dirty",
        "the volume is marked as dirty",
        "power failure",
        |v| {
            v.edit_attribute(3, 0x70, |a| {
                let at = usize::from(a[20]) + 10;
                a[at] = 1
            })
        },
        Doubts("marked as dirty"),
    ),
    (
        "log-rubbish",
        "the log has no restart area",
        "CVE-2024-42299 (ntfs3)",
        |v| {
            let at = v.places.log * CLUSTER;
            put(v, at, &[0xA5; 8192])
        },
        Doubts("no restart area"),
    ),
    (
        "log-page-huge",
        "the log's restart page claims pages of 4 GiB",
        "CVE-2024-42299 (ntfs3)",
        |v| {
            let at = v.places.log * CLUSTER;
            put(v, at, b"RSTR");
            put(v, at + 16, &[0xFF; 4])
        },
        Doubts("no restart area"),
    ),
    (
        "cut",
        "the last 100 clusters are gone",
        "interrupted copy",
        |v| v.bytes.truncate(v.places.log * CLUSTER + 4096),
        Says("are there"),
    ),
];

/// Copies the first record to the mirror.
fn mirror(volume: &mut Volume) {
    let at = volume.record_at(0);
    let record = volume.bytes[at..at + RECORD].to_vec();
    put(volume, volume.places.mirror * CLUSTER, &record);
}

/// Records and attributes of files.
const FILES: [Row; 42] = [
    (
        "torn-first",
        "a record whose first sector is of another time",
        "power failure",
        |v| raw(v, file::SMALL, 510, &[1, 2]),
        Misses("small.txt", "was not written whole"),
    ),
    (
        "torn-second",
        "a record whose second sector is of another time",
        "power failure",
        |v| raw(v, file::SMALL, 1022, &[1, 2]),
        Misses("small.txt", "was not written whole"),
    ),
    (
        "fixup-outside",
        "the update sequence array lies behind the record",
        GUESTS,
        |v| raw(v, file::SMALL, 4, &[0xFE, 0xFF]),
        Misses("small.txt", "update sequence array"),
    ),
    (
        "fixup-over-tail",
        "the update sequence array lies over the last bytes of a sector",
        "CVE-2021-33289 family (ntfs-3g)",
        |v| raw(v, file::SMALL, 4, &[0xFC, 1]),
        Misses("small.txt", "update sequence array"),
    ),
    (
        "fixup-many",
        "the update sequence array has 65535 entries",
        GUESTS,
        |v| raw(v, file::SMALL, 6, &[0xFF, 0xFF]),
        Misses("small.txt", "update sequence array"),
    ),
    (
        "fixup-none",
        "the update sequence array has no entries",
        GUESTS,
        |v| raw(v, file::SMALL, 6, &[0, 0]),
        Misses("small.txt", "update sequence array"),
    ),
    (
        "mark-baad",
        "chkdsk marked a record as bad",
        "chkdsk",
        |v| raw(v, file::SMALL, 0, b"BAAD"),
        Misses("small.txt", "should start with 'FILE'"),
    ),
    (
        "free",
        "a name leads to a record that is not in use",
        SPEC,
        |v| field(v, file::SMALL, 22, &[0, 0]),
        Misses("small.txt", "a free one"),
    ),
    (
        "sequence",
        "a name leads to a record that was used again",
        SPEC,
        |v| field(v, file::SMALL, 16, &[9, 0]),
        Misses("small.txt", "sequence 9"),
    ),
    (
        "continuation",
        "a name leads to a record that continues another file",
        SPEC,
        |v| field(v, file::SMALL, 32, &[29, 0]),
        Misses("small.txt", "a continuation of record 29"),
    ),
    (
        "used-more",
        "a record claims more bytes in use than it has",
        "CVE-2021-35268 family (ntfs-3g)",
        |v| field(v, file::SMALL, 24, &[0xFF; 4]),
        Misses("small.txt", "the range of attributes"),
    ),
    (
        "first-attribute",
        "the first attribute is said to lie behind the record",
        "CVE-2021-35268 family (ntfs-3g)",
        |v| field(v, file::SMALL, 20, &[0xFF, 0xFF]),
        Misses("small.txt", "the range of attributes"),
    ),
    (
        "attribute-0",
        "an attribute of length 0: an endless loop",
        GUESTS,
        |v| data(v, file::SMALL, 4, &[0; 4]),
        Misses("small.txt", "an attribute does not lie"),
    ),
    (
        "attribute-max",
        "an attribute of 4 GiB",
        GUESTS,
        |v| data(v, file::SMALL, 4, &[0xF8, 0xFF, 0xFF, 0xFF]),
        Misses("small.txt", "an attribute does not lie"),
    ),
    (
        "attribute-odd",
        "an attribute whose length is no multiple of 8",
        SPEC,
        |v| data(v, file::SMALL, 4, &[0x3C]),
        Misses("small.txt", "an attribute does not lie"),
    ),
    (
        "value-outside",
        "a value that lies behind its attribute",
        "CVE-2021-39251 family (ntfs-3g)",
        |v| data(v, file::SMALL, 20, &[0xFF, 0xFF]),
        Misses("small.txt", "the value of an attribute"),
    ),
    (
        "value-max",
        "a value of 4 GiB",
        "CVE-2021-39251 family (ntfs-3g)",
        |v| data(v, file::SMALL, 16, &[0xFF; 4]),
        Misses("small.txt", "the value of an attribute"),
    ),
    (
        "name-outside",
        "the name of a stream lies behind its attribute",
        "CVE-2022-30784 family (ntfs-3g)",
        |v| data(v, file::SMALL, 9, &[0xFF]),
        Misses("small.txt", "the name of an attribute"),
    ),
    (
        "runs-outside",
        "data runs that lead out of the volume",
        GUESTS,
        |v| v.edit_runs(file::LARGE, DATA, &[0x21, 5, 0xF0, 0x7F, 0]),
        Misses("large.bin", "within the 160 clusters"),
    ),
    (
        "runs-before",
        "data runs that lead before the volume",
        GUESTS,
        |v| v.edit_runs(file::LARGE, DATA, &[0x11, 5, 0x80, 0]),
        Misses("large.bin", "within the 160 clusters"),
    ),
    (
        "runs-0",
        "a run of 0 clusters",
        GUESTS,
        |v| v.edit_runs(file::LARGE, DATA, &[0x11, 0, 40, 0]),
        Misses("large.bin", "a run of 0 clusters"),
    ),
    (
        "runs-negative",
        "a run of -128 clusters",
        GUESTS,
        |v| v.edit_runs(file::LARGE, DATA, &[0x11, 0x80, 40, 0]),
        Misses("large.bin", "a run of -128 clusters"),
    ),
    (
        "runs-long",
        "a run whose length has 15 bytes",
        GUESTS,
        |v| v.edit_runs(file::LARGE, DATA, &[0x1F, 1, 1, 1, 1, 1, 1]),
        Misses("large.bin", "are cut"),
    ),
    (
        "runs-short",
        "data runs for fewer clusters than the attribute says",
        SPEC,
        |v| v.edit_runs(file::LARGE, DATA, &[0x11, 2, 40, 0]),
        Misses("large.bin", "end before cluster 2"),
    ),
    (
        "runs-offset",
        "the data runs are said to lie behind the attribute",
        GUESTS,
        |v| data(v, file::LARGE, 32, &[0xFF, 0xFF]),
        Misses("large.bin", "the data runs of an attribute"),
    ),
    (
        "size-more",
        "a file larger than its runs",
        SPEC,
        |v| data(v, file::LARGE, 48, &(1u64 << 40).to_le_bytes()),
        Misses("large.bin", "the data runs cover"),
    ),
    (
        "size-max",
        "a file of 2^64 - 1 bytes",
        GUESTS,
        |v| data(v, file::LARGE, 48, &[0xFF; 8]),
        Misses("large.bin", "the data runs cover"),
    ),
    (
        "initialized-more",
        "more bytes written than the file has",
        SPEC,
        |v| data(v, file::LARGE, 56, &(1u64 << 30).to_le_bytes()),
        Misses("large.bin", "the data runs cover"),
    ),
    (
        "lowest",
        "the first piece of the runs begins at cluster 7",
        SPEC,
        |v| data(v, file::LARGE, 16, &[7]),
        Misses("large.bin", "go on at cluster 7"),
    ),
    (
        "encrypted",
        "a file encrypted by EFS",
        SPEC,
        |v| data(v, file::LARGE, 12, &[0, 0x40]),
        Misses("large.bin", "encrypted (EFS)"),
    ),
    (
        "compressed-method",
        "another method of compression",
        SPEC,
        |v| data(v, file::PACKED, 12, &[2]),
        Misses("packed.bin", "compressed by method 2"),
    ),
    (
        "compressed-unit-0",
        "a compression unit of 2^0 clusters",
        SPEC,
        |v| data(v, file::PACKED, 34, &[0]),
        Misses("packed.bin", "compressed in units of 2^0"),
    ),
    (
        "compressed-unit-max",
        "a compression unit of 2^255 clusters",
        GUESTS,
        |v| data(v, file::PACKED, 34, &[255]),
        Misses("packed.bin", "compressed in units of 2^255"),
    ),
    (
        "compressed-chunk",
        "a compressed chunk that is longer than its unit",
        GUESTS,
        |v| {
            let at = v.places.packed * CLUSTER;
            put(v, at, &[0xFF, 0xBF])
        },
        Misses("packed.bin", "is damaged"),
    ),
    (
        "compressed-distance",
        "compressed data that copy from before their beginning",
        GUESTS,
        |v| {
            let at = v.places.packed * CLUSTER + 6;
            put(v, at, &[0xFF, 0xFF])
        },
        Misses("packed.bin", "is damaged"),
    ),
    (
        "list-record",
        "an attribute list leads to a record of another file",
        SPEC,
        |v| field(v, file::LISTED_SECOND, 32, &[24]),
        Misses("listed.bin", "a continuation of record 29"),
    ),
    (
        "list-circle",
        "an attribute list leads back to its own record",
        "CVE-2021-39263 family (ntfs-3g)",
        |v| v.edit_attribute(file::LISTED, 0x20, |a| a[24 + 64 + 16] = file::LISTED as u8),
        Misses("listed.bin", "there is no attribute"),
    ),
    (
        "list-entry-0",
        "an entry of an attribute list has the length 0: an endless loop",
        GUESTS,
        |v| v.edit_attribute(file::LISTED, 0x20, |a| a[24 + 4] = 0),
        Misses("listed.bin", "an entry of the attribute list"),
    ),
    (
        "list-id",
        "an attribute list names an id that is not there",
        SPEC,
        |v| v.edit_attribute(file::LISTED, 0x20, |a| a[24 + 64 + 24] = 77),
        Misses("listed.bin", "there is no attribute"),
    ),
    (
        "list-gap",
        "the second piece of the runs does not follow the first",
        SPEC,
        |v| {
            v.edit_attribute(file::LISTED, 0x20, |a| a[24 + 96 + 8] = 2);
            data(v, file::LISTED_SECOND, 16, &[2])
        },
        Misses("listed.bin", "go on at cluster 2"),
    ),
    (
        "list-extension-free",
        "the record of the second piece is not in use",
        SPEC,
        |v| field(v, file::LISTED_SECOND, 22, &[0]),
        Misses("listed.bin", "a free one"),
    ),
    (
        "stream-lost",
        "a named stream is cut from its record",
        SPEC,
        |v| {
            v.edit_attribute(file::STREAMS, DATA, |a| {
                let len = a[4] as usize;
                a[len..len + 4].fill(0xFF)
            })
        },
        Misses("streams.txt:note", "there is no stream"),
    ),
];

/// The NTFS part of the corpus.
#[must_use]
pub fn ntfs() -> Vec<NtfsCase> {
    let make = |(name, what, from, change, answer): &Row| {
        let mut volume = Volume::new();
        change(&mut volume);
        NtfsCase { name: format!("ntfs-{name}"), what, from, volume, answer: *answer }
    };
    VOLUME.iter().chain(&FILES).chain(&folders::FOLDERS).map(make).collect()
}
