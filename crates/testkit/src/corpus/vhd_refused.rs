//! VHD files whose content is unsure: what a reader must refuse, and what it must say of odd ones that it may read.

use super::vhd_small::{HEADER, TABLE, both, dynamic, entry, fixed, flip, footer, header, seal, sector};
use super::{Case, Expect};
use crate::vhdx::SparseImage;

type Change = fn(&mut Vec<u8>);
type Row = (&'static str, &'static str, &'static str, Change, Expect);

const SPEC: &str = "VHD specification";
const MEASURED: &str = "odd VHD set";

use Expect::{Found, Missed, Refused, Said, Same};

/// Changes to a dynamic disk of 16 blocks.
const DYNAMIC: [Row; 66] = [
    (
        "footer-lost",
        "the footer at the end is gone",
        "host crash; libvhdi refuses",
        |b| b.truncate(b.len() - 512),
        Said("is missing", "no footer"),
    ),
    (
        "footer-zero",
        "the footer at the end is zeros",
        "host crash; libvhdi refuses",
        |b| {
            let n = b.len() - 512;
            b[n..].fill(0)
        },
        Said("is missing", "no footer"),
    ),
    (
        "footer-torn",
        "only the first half of the footer was written",
        "host crash; libvhdi refuses",
        |b| b.truncate(b.len() - 256),
        Said("is missing", "no footer"),
    ),
    (
        "footer-damaged",
        "a byte of the footer is wrong",
        SPEC,
        |b| {
            let n = b.len() - 400;
            flip(b, n)
        },
        Said("is damaged", "footer has the checksum"),
    ),
    (
        "copy-lost",
        "the copy of the footer is zeros",
        SPEC,
        |b| b[..512].fill(0),
        Said("missing or damaged", "no copy of the footer"),
    ),
    (
        "copy-damaged",
        "a byte of the copy is wrong",
        SPEC,
        |b| flip(b, 100),
        Said("missing or damaged", "copy of the footer has the checksum"),
    ),
    (
        "both-footers-lost",
        "footer and copy are zeros",
        SPEC,
        |b| {
            let n = b.len() - 512;
            b[n..].fill(0);
            b[..512].fill(0)
        },
        Refused("no mark of a disk format"),
    ),
    (
        "both-footers-damaged",
        "a byte of both footers is wrong",
        SPEC,
        |b| {
            let n = b.len() - 412;
            flip(b, n);
            flip(b, 100)
        },
        Refused("no intact copy"),
    ),
    (
        "padded",
        "zeros follow the footer up to the next MiB",
        MEASURED,
        |b| b.resize(1 << 20, 0),
        Said("is missing", "no footer"),
    ),
    (
        "appended-sector",
        "one sector of zeros follows the footer",
        MEASURED,
        |b| b.extend([0; 512]),
        Said("is missing", "no footer"),
    ),
    (
        "footers-differ-size",
        "two intact footers with different sizes",
        "odd VHD set; qemu-img takes the first",
        |b| footer(b, 53, &[2]),
        Refused("differ in the current size"),
    ),
    (
        "footers-differ-id",
        "two intact footers with different unique ids",
        SPEC,
        |b| footer(b, 68, &[1]),
        Refused("differ in the unique id"),
    ),
    (
        "footers-differ-type",
        "two intact footers, dynamic and differencing",
        SPEC,
        |b| footer(b, 63, &[4]),
        Refused("differ in the disk type"),
    ),
    (
        "footers-differ-header",
        "two intact footers that place the header differently",
        SPEC,
        |b| footer(b, 22, &[4]),
        Refused("differ in the offset of the dynamic header"),
    ),
    (
        "footers-differ-time",
        "two intact footers of different times",
        SPEC,
        |b| footer(b, 27, &[9]),
        Said("do not touch the content", "differs from the footer"),
    ),
    ("saved-state", "the saved-state flag is set", MEASURED, |b| both(b, 84, &[1]), Said("saved state", "")),
    ("feature-temporary", "the feature bit 'temporary' is set", SPEC, |b| both(b, 11, &[3]), Said("Feature bits", "")),
    (
        "feature-none",
        "the reserved feature bit is not set",
        SPEC,
        |b| both(b, 11, &[0]),
        Said("reserved feature bit", ""),
    ),
    ("feature-unknown", "unknown feature bits are set", SPEC, |b| both(b, 8, &[0x80]), Said("Feature bits", "")),
    ("reserved-bytes", "reserved bytes of the footer are not zero", SPEC, |b| both(b, 300, &[1, 2, 3]), Same),
    ("version-0", "file format version 0.0", SPEC, |b| both(b, 12, &[0, 0]), Refused("file format version")),
    (
        "version-2",
        "file format version 2.0",
        "odd VHD set; qemu-img accepts",
        |b| both(b, 13, &[2]),
        Refused("file format version"),
    ),
    ("version-1-5", "file format version 1.5", SPEC, |b| both(b, 15, &[5]), Same),
    (
        "type-0",
        "disk type 0 (none)",
        "odd VHD set; qemu-img reads it as dynamic",
        |b| both(b, 63, &[0]),
        Refused("disk type 0"),
    ),
    ("type-1", "disk type 1 (deprecated)", SPEC, |b| both(b, 63, &[1]), Refused("disk type 1")),
    (
        "type-5",
        "disk type 5 (deprecated)",
        "odd VHD set; qemu-img reads it as dynamic",
        |b| both(b, 63, &[5]),
        Refused("disk type 5"),
    ),
    ("type-huge", "disk type 0xFFFFFFFF", SPEC, |b| both(b, 60, &[0xFF; 4]), Refused("disk type 4294967295")),
    ("type-fixed-in-dynamic", "a dynamic disk whose footers say fixed", SPEC, |b| both(b, 63, &[2]), Refused("only")),
    ("size-0", "current size 0", "odd VHD set; dissect gives size 0", |b| both(b, 48, &[0; 8]), Refused("is 0 bytes")),
    ("size-odd", "current size is no multiple of 512", SPEC, |b| both(b, 55, &[1]), Refused("not a multiple of 512")),
    (
        "size-3TB",
        "current size 3 TiB, above the limit of 2040 GiB",
        "odd VHD set; libvhdi claims 3 TB; qemu vpc.c",
        |b| both(b, 48, &(3u64 << 40).to_be_bytes()),
        Refused("more than"),
    ),
    (
        "size-max",
        "current size 2^64 - 512",
        "CVE-2014-0144 family",
        |b| both(b, 48, &(u64::MAX - 511).to_be_bytes()),
        Refused("more than"),
    ),
    (
        "size-beyond-table",
        "current size larger than the table covers",
        "CVE-2014-0144 family",
        |b| both(b, 53, &[2]),
        Refused("the disk needs 32"),
    ),
    (
        "header-offset-0",
        "the dynamic header is said to lie at 0",
        SPEC,
        |b| both(b, 16, &[0; 8]),
        Refused("places the dynamic header"),
    ),
    (
        "header-offset-max",
        "the dynamic header is said to lie at 2^64 - 1",
        SPEC,
        |b| both(b, 16, &[0xFF; 8]),
        Refused("places the dynamic header"),
    ),
    (
        "header-offset-end",
        "the dynamic header is said to lie in the footer",
        SPEC,
        |b| {
            let n = b.len() as u64 - 512;
            both(b, 16, &n.to_be_bytes())
        },
        Refused("places the dynamic header"),
    ),
    (
        "header-offset-wrong",
        "the dynamic header is said to lie where the table is",
        SPEC,
        |b| both(b, 16, &(TABLE as u64).to_be_bytes()),
        Refused("no dynamic header"),
    ),
    (
        "header-cookie",
        "the dynamic header has another mark",
        SPEC,
        |b| header(b, 0, b"cxspars!"),
        Refused("no dynamic header"),
    ),
    (
        "header-zero",
        "the dynamic header is zeros",
        "host crash",
        |b| b[HEADER..TABLE].fill(0),
        Refused("no dynamic header"),
    ),
    (
        "header-checksum",
        "a byte of the dynamic header is wrong",
        "odd VHD set; qemu-img accepts",
        |b| flip(b, HEADER + 200),
        Refused("the dynamic header at offset 512 has the checksum"),
    ),
    (
        "header-version-2",
        "dynamic header version 2.0",
        "odd VHD set; qemu-img accepts",
        |b| header(b, 25, &[2]),
        Refused("dynamic header version"),
    ),
    ("header-next", "the header's data offset, meant for later versions, is 0", SPEC, |b| header(b, 8, &[0; 8]), Same),
    (
        "block-0",
        "block size 0",
        "CVE-2014-0148 family; dissect divides by zero",
        |b| header(b, 32, &[0; 4]),
        Refused("block size 0"),
    ),
    ("block-1", "block size 1", "CVE-2014-0148 family", |b| header(b, 32, &[0, 0, 0, 1]), Refused("block size 1")),
    (
        "block-odd",
        "block size 6144, no power of two",
        SPEC,
        |b| header(b, 32, &[0, 0, 0x18, 0]),
        Refused("block size 6144"),
    ),
    (
        "block-huge",
        "block size 2 GiB",
        "CVE-2014-0144 family",
        |b| header(b, 32, &[0x80, 0, 0, 0]),
        Refused("block size 2147483648"),
    ),
    (
        "block-max",
        "block size 2^32 - 1",
        "CVE-2014-0144 family",
        |b| header(b, 32, &[0xFF; 4]),
        Refused("block size 4294967295"),
    ),
    ("entries-0", "Max Table Entries 0", SPEC, |b| header(b, 28, &[0; 4]), Refused("has 0 entries")),
    (
        "entries-few",
        "Max Table Entries one too few",
        "microsoft/azure-vhd-utils#39",
        |b| header(b, 31, &[15]),
        Refused("the disk needs 16"),
    ),
    (
        "entries-more",
        "Max Table Entries more than the disk needs",
        "microsoft/azure-vhd-utils#39",
        |b| header(b, 31, &[64]),
        Same,
    ),
    (
        "entries-0x40000000",
        "Max Table Entries 0x40000000",
        "QEMU iotest 135; CVE-2014-0143",
        |b| header(b, 28, &[0x40, 0, 0, 0]),
        Refused("does not end before the end"),
    ),
    (
        "entries-max",
        "Max Table Entries 2^32 - 1",
        "CVE-2014-0144 family",
        |b| header(b, 28, &[0xFF; 4]),
        Refused("does not end before the end"),
    ),
    (
        "table-0",
        "the table is said to lie over the footer's copy",
        SPEC,
        |b| header(b, 16, &[0; 8]),
        Refused("overlaps the footer copy or the dynamic header"),
    ),
    (
        "table-in-header",
        "the table is said to lie in the dynamic header",
        SPEC,
        |b| header(b, 16, &1024u64.to_be_bytes()),
        Refused("overlaps the footer copy or the dynamic header"),
    ),
    (
        "table-max",
        "the table is said to lie at 2^64 - 1",
        "CVE-2014-0144 family",
        |b| header(b, 16, &[0xFF; 8]),
        Refused("does not end before the end"),
    ),
    (
        "entry-0",
        "a block is said to lie at sector 0",
        "odd VHD set; qemu-img accepts",
        |b| entry(b, 3, 0),
        Missed("there are headers"),
    ),
    (
        "entry-header",
        "a block is said to lie in the dynamic header",
        "odd VHD set; qemu-img accepts",
        |b| entry(b, 3, 2),
        Missed("there are headers"),
    ),
    (
        "entry-table",
        "a block is said to lie in the table",
        "odd VHD set; qemu-img accepts",
        |b| entry(b, 3, 3),
        Missed("there are headers"),
    ),
    (
        "entry-outside",
        "a block is said to lie behind the end",
        SPEC,
        |b| entry(b, 3, 0x0010_0000),
        Missed("the data of the file ends"),
    ),
    (
        "entry-almost-unused",
        "an entry is 0xFFFFFFFE",
        SPEC,
        |b| entry(b, 3, 0xFFFF_FFFE),
        Missed("the data of the file ends"),
    ),
    (
        "entry-footer",
        "a block reaches into the footer",
        SPEC,
        |b| {
            let last = sector(b, 11) + 1;
            entry(b, 11, last)
        },
        Missed("the data of the file ends"),
    ),
    (
        "entry-twice",
        "two entries name one place",
        "odd VHD set; qemu-img accepts",
        |b| {
            let other = sector(b, 5);
            entry(b, 3, other)
        },
        Missed("lies"),
    ),
    (
        "entry-overlap",
        "a block begins inside another one: the stride forgot the bitmaps",
        "joncampbell123/dosbox-x#4218",
        |b| {
            let other = sector(b, 4);
            entry(b, 5, other + 8)
        },
        Missed("lies"),
    ),
    (
        "entry-lost",
        "an entry was lost: its block is an orphan",
        SPEC,
        |b| {
            entry(b, 12, 0xFFFF_FFFF);
            let n = b.len() - 512;
            b.splice(n..n, vec![0x5A; 4608]);
        },
        Found("orphaned"),
    ),
    (
        "gap-before-footer",
        "100 KiB of rubbish lie before the footer",
        "microsoft/azure-vhd-utils#39 (an extra block)",
        |b| {
            let n = b.len() - 512;
            b.splice(n..n, vec![0x5A; 100 << 10]);
        },
        Found("orphaned"),
    ),
    (
        "locator-in-dynamic",
        "a dynamic disk has a parent locator",
        SPEC,
        |b| header(b, 576, b"W2ru"),
        Found("has no parent"),
    ),
];

/// Changes to a fixed disk.
const FIXED: [Row; 14] = [
    (
        "fixed-footer-lost",
        "a fixed disk without its footer",
        "odd VHD set; qemu-img takes it for raw",
        |b| b.truncate(65536),
        Refused("no mark of a disk format"),
    ),
    (
        "fixed-footer-damaged",
        "a byte of a fixed disk's footer is wrong",
        SPEC,
        |b| flip(b, 65536 + 100),
        Refused("no intact copy"),
    ),
    (
        "fixed-short",
        "a fixed disk that lost its first sector",
        SPEC,
        |b| {
            b.drain(..512);
        },
        Refused("only 65024 bytes lie before the footer"),
    ),
    (
        "fixed-long",
        "a fixed disk with a sector between its end and the footer",
        SPEC,
        |b| {
            b.splice(65536..65536, [7; 512]);
        },
        Said("between the end of the disk and the footer", "between the end"),
    ),
    ("fixed-data-offset", "a fixed disk whose data offset is not all ones", SPEC, |b| footer(b, 16, &[0; 8]), Same),
    ("fixed-size-0", "a fixed disk of size 0", SPEC, |b| footer(b, 48, &[0; 8]), Refused("is 0 bytes")),
    (
        "fixed-size-odd",
        "a fixed disk with half a sector",
        SPEC,
        |b| footer(b, 54, &[1]),
        Refused("not a multiple of 512"),
    ),
    (
        "fixed-size-huge",
        "a fixed disk that claims 3 TiB",
        SPEC,
        |b| footer(b, 48, &(3u64 << 40).to_be_bytes()),
        Refused("more than"),
    ),
    (
        "fixed-only-footer",
        "nothing but a footer",
        SPEC,
        |b| {
            b.drain(..65536);
        },
        Refused("only 0 bytes lie before the footer"),
    ),
    (
        "fixed-type-dynamic",
        "a fixed disk that says it is dynamic",
        SPEC,
        |b| {
            footer(b, 63, &[3]);
            footer(b, 16, &512u64.to_be_bytes())
        },
        Refused("no dynamic header"),
    ),
    ("empty", "an empty file called .vhd", SPEC, |b| b.clear(), Refused("no mark of a disk format")),
    ("tiny", "a file of 100 bytes called .vhd", SPEC, |b| b.truncate(100), Refused("no mark of a disk format")),
    ("zeros", "a file of zeros called .vhd", SPEC, |b| b.fill(0), Refused("no mark of a disk format")),
    (
        "fixed-footer-511",
        "an old footer of 511 bytes",
        "Virtual PC before 2004",
        |b| {
            b.pop();
        },
        Same,
    ),
];

pub(super) fn cases() -> Vec<Case> {
    let make = |row: &Row, (mut file, content): (Vec<u8>, Vec<u8>)| {
        let (name, what, from, change, expect) = row;
        change(&mut file);
        let (answer, checked) = expect.answer(content);
        let name = format!("vhd-{name}");
        let files = vec![(format!("{name}.vhd"), SparseImage::from(file.as_slice()))];
        Case { name, what: (*what).to_owned(), from, files, answer, checked }
    };
    let mut cases: Vec<Case> = DYNAMIC.iter().map(|row| make(row, dynamic())).collect();
    cases.extend(FIXED.iter().map(|row| make(row, fixed())));
    cases.push(forged_copy());
    cases
}

/// The first sector of a fixed disk belongs to the guest; with a damaged footer it must not become the disk's own.
fn forged_copy() -> Case {
    let (mut file, _) = fixed();
    let (dynamic, _) = dynamic();
    file[..512].copy_from_slice(&dynamic[..512]);
    file[60] = 0;
    seal(&mut file[..512], 64);
    flip(&mut file, 65536 + 100);
    let (answer, checked) = Refused("no intact copy").answer(Vec::new());
    Case {
        name: "vhd-fixed-forged-copy".to_owned(),
        what: "the footer of a fixed disk is damaged, and its guest wrote a footer of a dynamic disk into the first sector".to_owned(),
        from: "attack",
        files: vec![("forged.vhd".to_owned(), SparseImage::from(file.as_slice()))],
        answer,
        checked,
    }
}
