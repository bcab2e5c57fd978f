//! VHDX files whose content is unsure: what a reader must refuse.

use super::vhdx_odd::{MIB, SPEC, add_item, changed, content, differencing, dynamic, layer, pairs};
use super::{Case, Checked, Content, Expect};
use crate::vhdx::edit::{HEADERS, REGIONS, item};
use crate::vhdx::{BlockState, Kind, SparseImage, VhdxSpec};

type Row = (&'static str, &'static str, &'static str, fn(&mut SparseImage), Expect);

use Expect::{Missed, Refused};

fn put_item(image: &mut SparseImage, id: &str, skip: u64, value: &[u8]) {
    image.put(image.item(id) + skip, value);
}

fn put_item_entry(image: &mut SparseImage, id: &str, skip: u64, value: &[u8]) {
    image.put(image.item_entry(id) + skip, value);
}

/// Sets a field of the entry of the block table in both region tables.
fn put_table_region(image: &mut SparseImage, skip: u64, value: &[u8]) {
    let table = image.places().table;
    let entry = [16, 48].into_iter().find(|at| image.number(REGIONS[0] + at + 16, 8) == table).expect("it is listed");
    image.put_regions(entry + skip, value);
}

/// Changes to a dynamic disk of three blocks.
const ROWS: [Row; 54] = [
    ("identifier", "another mark at offset 0", SPEC, |i| i.put(0, b"vhdxfilf"), Refused("no mark of a disk format")),
    (
        "identifier-zero",
        "an unfinished file: the mark is not there yet",
        "interrupted writer",
        |i| i.put(0, &[0; 8]),
        Refused("no mark of a disk format"),
    ),
    ("short", "the file ends within its headers", SPEC, |i| i.set_len(100_000), Refused("the headers of a VHDX need")),
    ("empty", "an empty file called .vhdx", SPEC, |i| i.set_len(0), Refused("no mark of a disk format")),
    (
        "headers-damaged",
        "both headers are damaged",
        SPEC,
        |i| {
            i.flip(HEADERS[0] + 9, 1);
            i.flip(HEADERS[1] + 9, 1)
        },
        Refused("neither header is intact"),
    ),
    (
        "headers-disagree",
        "two intact headers of the same number that differ",
        SPEC,
        |i| i.put_headers(8, &[8]),
        Refused("which of them is right cannot be known"),
    ),
    ("version-0", "version 0", SPEC, |i| i.put_headers(66, &[0, 0]), Refused("VHDX version 0")),
    ("version-2", "version 2", SPEC, |i| i.put_headers(66, &[2, 0]), Refused("VHDX version 2")),
    (
        "log-outside",
        "the log lies behind the end of the file",
        SPEC,
        |i| i.put_headers(72, &(1u64 << 40).to_le_bytes()),
        Refused("places the log"),
    ),
    (
        "log-overflow",
        "place and length of the log overflow",
        "CVE-2014-0148 family",
        |i| i.put_headers(72, &(u64::MAX - MIB + 1).to_le_bytes()),
        Refused("places the log"),
    ),
    (
        "log-odd",
        "the log lies at no multiple of 1 MiB",
        SPEC,
        |i| i.put_headers(72, &(MIB + 512).to_le_bytes()),
        Refused("places the log"),
    ),
    (
        "log-odd-length",
        "the length of the log is no multiple of 1 MiB",
        SPEC,
        |i| i.put_headers(68, &4096u32.to_le_bytes()),
        Refused("places the log"),
    ),
    (
        "log-in-headers",
        "the log lies over the headers",
        SPEC,
        |i| i.put_headers(72, &[0; 8]),
        Refused("places the log"),
    ),
    (
        "log-on-metadata",
        "the log lies over the metadata",
        SPEC,
        |i| {
            let m = i.places().metadata;
            i.put_headers(72, &m.to_le_bytes())
        },
        Refused("overlaps"),
    ),
    (
        "regions-damaged",
        "both region tables are damaged",
        SPEC,
        |i| {
            i.flip(REGIONS[0] + 9, 1);
            i.flip(REGIONS[1] + 9, 1)
        },
        Refused("neither region table is intact"),
    ),
    (
        "regions-many",
        "2048 regions, one more than fit",
        "CVE-2014-0144 family",
        |i| i.put_regions(8, &2048u32.to_le_bytes()),
        Refused("at most 2047"),
    ),
    (
        "regions-max",
        "2^32 - 1 regions",
        "CVE-2014-0144 family",
        |i| i.put_regions(8, &[0xFF; 4]),
        Refused("at most 2047"),
    ),
    ("regions-none", "no region at all", SPEC, |i| i.put_regions(8, &[0; 4]), Refused("does not list the region")),
    (
        "region-twice",
        "a region is listed twice",
        SPEC,
        |i| {
            let id = i.get(REGIONS[0] + 16, 16);
            i.put_regions(48, &id)
        },
        Refused("a second time"),
    ),
    (
        "region-unknown",
        "an unknown region is required",
        SPEC,
        |i| {
            i.put_regions(8, &[3]);
            i.put_regions(80, &[0xAB; 16]);
            i.put_regions(108, &[1])
        },
        Refused("marked as required"),
    ),
    (
        "region-outside",
        "the block table lies behind the end of the file",
        SPEC,
        |i| put_table_region(i, 16, &(1u64 << 40).to_le_bytes()),
        Refused("before the end of the file"),
    ),
    (
        "region-overflow",
        "place and length of the block table overflow",
        "CVE-2014-0148 family",
        |i| put_table_region(i, 16, &(u64::MAX - MIB + 1).to_le_bytes()),
        Refused("before the end of the file"),
    ),
    (
        "region-odd",
        "the block table begins at no multiple of 1 MiB",
        SPEC,
        |i| put_table_region(i, 16, &(3 * MIB + 1).to_le_bytes()),
        Refused("multiples of 1 MiB"),
    ),
    (
        "region-in-headers",
        "the block table lies over the headers",
        SPEC,
        |i| put_table_region(i, 16, &[0; 8]),
        Refused("behind the first MiB"),
    ),
    (
        "regions-overlap",
        "block table and metadata lie at one place",
        SPEC,
        |i| {
            let m = i.places().metadata;
            put_table_region(i, 16, &m.to_le_bytes())
        },
        Refused("overlaps"),
    ),
    (
        "metadata-mark",
        "the metadata table has another mark",
        SPEC,
        |i| i.flip(i.places().metadata, 1),
        Refused("no metadata table"),
    ),
    (
        "metadata-many",
        "2048 metadata items, one more than fit",
        "CVE-2014-0144 family",
        |i| i.put(i.places().metadata + 10, &2048u16.to_le_bytes()),
        Refused("at most 2047"),
    ),
    (
        "metadata-none",
        "no metadata item at all",
        SPEC,
        |i| i.put(i.places().metadata + 10, &[0, 0]),
        Refused("does not list the item"),
    ),
    (
        "item-unknown",
        "an unknown metadata item is required",
        "QEMU up to 5.2 wrote another GUID for the disk size (claim of vhdx-core)",
        |i| {
            let at = i.item_entry(item::SIZE);
            i.put(at, &[0xAB; 16])
        },
        Refused("marked as required"),
    ),
    (
        "item-twice",
        "a metadata item is listed twice",
        SPEC,
        |i| {
            let id = i.get(i.item_entry(item::SIZE), 16);
            let at = i.item_entry(item::LOGICAL);
            i.put(at, &id);
            i.put(at + 20, &[8])
        },
        Refused("a second time"),
    ),
    (
        "item-missing",
        "the logical sector size is not listed",
        SPEC,
        |i| {
            let at = i.item_entry(item::LOGICAL);
            i.put(at, &[0xAB; 16]);
            i.put(at + 24, &[0])
        },
        Refused("does not list the item 'logical sector size'"),
    ),
    (
        "item-in-table",
        "a metadata item lies in the metadata table",
        SPEC,
        |i| put_item_entry(i, item::SIZE, 16, &64u32.to_le_bytes()),
        Refused("must lie between"),
    ),
    (
        "item-outside",
        "a metadata item lies behind its region",
        "CVE-2014-0148 family",
        |i| put_item_entry(i, item::SIZE, 16, &[0xFC, 0xFF, 0x0F, 0]),
        Refused("must lie between"),
    ),
    (
        "item-overflow",
        "place and length of a metadata item overflow 32 bits",
        "CVE-2014-0148 family",
        |i| put_item_entry(i, item::SIZE, 16, &[0xFC, 0xFF, 0xFF, 0xFF]),
        Refused("must lie between"),
    ),
    (
        "item-short",
        "a metadata item is too short",
        SPEC,
        |i| put_item_entry(i, item::SIZE, 20, &[4]),
        Refused("expected at least 8"),
    ),
    (
        "item-huge",
        "a metadata item of 4 GiB",
        "CVE-2014-0144 family",
        |i| put_item_entry(i, item::SIZE, 20, &[0xFF; 4]),
        Refused("must lie between"),
    ),
    (
        "incomplete",
        "the program that made the file did not finish",
        "Microsoft's open reader",
        |i| {
            let id = crate::vhdx::guid("71cc85f0-1b69-4e28-9558-c3bf83ae75d3");
            add_item(i, &id, 4)
        },
        Refused("never completed"),
    ),
    (
        "block-0",
        "block size 0: a division or an endless loop",
        "CVE-2014-0148",
        |i| put_item(i, item::PARAMETERS, 0, &[0; 4]),
        Refused("block size 0"),
    ),
    (
        "block-512k",
        "block size 512 KiB",
        SPEC,
        |i| put_item(i, item::PARAMETERS, 0, &(512u32 << 10).to_le_bytes()),
        Refused("block size 524288"),
    ),
    (
        "block-3m",
        "block size 3 MiB",
        SPEC,
        |i| put_item(i, item::PARAMETERS, 0, &(3u32 << 20).to_le_bytes()),
        Refused("block size 3145728"),
    ),
    (
        "block-512m",
        "block size 512 MiB",
        SPEC,
        |i| put_item(i, item::PARAMETERS, 0, &(512u32 << 20).to_le_bytes()),
        Refused("block size 536870912"),
    ),
    (
        "block-max",
        "block size 2^32 - 1",
        "CVE-2014-0148",
        |i| put_item(i, item::PARAMETERS, 0, &[0xFF; 4]),
        Refused("block size 4294967295"),
    ),
    (
        "sector-0",
        "logical sector size 0: a division or an endless loop",
        "CVE-2014-0148",
        |i| put_item(i, item::LOGICAL, 0, &[0; 4]),
        Refused("logical sector size 0"),
    ),
    (
        "sector-520",
        "logical sector size 520",
        SPEC,
        |i| put_item(i, item::LOGICAL, 0, &520u32.to_le_bytes()),
        Refused("logical sector size 520"),
    ),
    (
        "sector-physical",
        "physical sector size 1",
        SPEC,
        |i| put_item(i, item::PHYSICAL, 0, &1u32.to_le_bytes()),
        Refused("physical sector size 1"),
    ),
    ("size-0", "disk size 0", "cloud-hypervisor#6905", |i| put_item(i, item::SIZE, 0, &[0; 8]), Refused("is 0 bytes")),
    (
        "size-odd",
        "disk size is no multiple of the sector",
        SPEC,
        |i| put_item(i, item::SIZE, 0, &[1]),
        Refused("not a multiple of the sector size"),
    ),
    (
        "size-65t",
        "disk size 65 TiB",
        SPEC,
        |i| put_item(i, item::SIZE, 0, &(65u64 << 40).to_le_bytes()),
        Refused("(64 TiB) that VHDX allows"),
    ),
    (
        "size-max",
        "disk size 2^64 - 512",
        "qemu-project work_items 4033, 4390",
        |i| put_item(i, item::SIZE, 0, &(u64::MAX - 511).to_le_bytes()),
        Refused("(64 TiB) that VHDX allows"),
    ),
    (
        "size-2-52",
        "disk size 2^52: the number of table entries loses its upper bits",
        "qemu-project work_items 4470, 4487",
        |i| put_item(i, item::SIZE, 0, &((1u64 << 52) + 512).to_le_bytes()),
        Refused("(64 TiB) that VHDX allows"),
    ),
    (
        "size-beyond-table",
        "disk size larger than the table covers",
        "qemu-project work_item 4033",
        |i| put_item(i, item::SIZE, 0, &(1u64 << 40).to_le_bytes()),
        Refused("has room for"),
    ),
    (
        "parent-flag",
        "a disk that says it has a parent, without a locator",
        "blktap#436 for VHD",
        |i| put_item(i, item::PARAMETERS, 4, &[2]),
        Refused("does not list the item 'parent locator'"),
    ),
    (
        "cut-blocks",
        "the file ends before its blocks",
        "interrupted copy",
        |i| {
            let t = i.places();
            i.set_len(t.table.max(t.metadata).max(t.log) + MIB)
        },
        Missed("but the file ends at"),
    ),
    (
        "cut-sector",
        "the file lost its last sector",
        "interrupted copy",
        |i| i.set_len(i.len - 512),
        Missed("but the file ends at"),
    ),
];

/// The entry of the middle block.
const ENTRIES: [Row; 12] = [
    (
        "entry-state-4",
        "a block in the state 4, which is not defined",
        SPEC,
        |i| {
            let e = i.entry(1);
            i.put_entry(1, e & !7 | 4)
        },
        Missed("has the state 4"),
    ),
    (
        "entry-state-5",
        "a block in the state 5, which is not defined",
        SPEC,
        |i| {
            let e = i.entry(1);
            i.put_entry(1, e & !7 | 5)
        },
        Missed("has the state 5"),
    ),
    (
        "entry-partial",
        "a partly present block without a parent",
        SPEC,
        |i| {
            let e = i.entry(1);
            i.put_entry(1, e | 7)
        },
        Missed("has the state 7"),
    ),
    (
        "entry-0",
        "a block is said to lie at offset 0",
        "libyal/libvhdi#17",
        |i| i.put_entry(1, 6),
        Missed("but there are headers"),
    ),
    (
        "entry-log",
        "a block is said to lie in the log",
        SPEC,
        |i| {
            let l = i.places().log;
            i.put_entry(1, l | 6)
        },
        Missed("but there are headers"),
    ),
    (
        "entry-metadata",
        "a block is said to lie in the metadata",
        SPEC,
        |i| {
            let m = i.places().metadata;
            i.put_entry(1, m | 6)
        },
        Missed("but there are headers"),
    ),
    (
        "entry-table",
        "a block is said to lie in the table",
        SPEC,
        |i| {
            let t = i.places().table;
            i.put_entry(1, t | 6)
        },
        Missed("but there are headers"),
    ),
    (
        "entry-outside",
        "a block is said to lie behind the end",
        "qemu-project work_item 4033",
        |i| i.put_entry(1, (1 << 40) | 6),
        Missed("but the file ends at"),
    ),
    (
        "entry-max",
        "all bits of the offset are set",
        "qemu-project work_item 4033",
        |i| i.put_entry(1, !7 | 6),
        Missed("but the file ends at"),
    ),
    (
        "entry-last-mib",
        "a block is said to lie in the last MiB of 2^64",
        "CVE-2014-0148 family",
        |i| i.put_entry(1, (u64::MAX - MIB + 1) | 6),
        Missed("but the file ends at"),
    ),
    (
        "entry-twice",
        "two blocks at one place",
        SPEC,
        |i| {
            let e = i.entry(2);
            i.put_entry(1, e)
        },
        Missed("another block lies there"),
    ),
    (
        "entry-all",
        "all entries are the same",
        SPEC,
        |i| {
            let e = i.entry(2);
            (0..3).for_each(|n| i.put_entry(n, e))
        },
        Missed("another block lies there"),
    ),
];

type Child = (&'static str, &'static str, fn(&mut VhdxSpec), fn(&mut SparseImage), Expect);

const CHILDREN: [Child; 13] = [
    (
        "locator-type",
        "the locator is of another type",
        |_| {},
        |i| put_item(i, item::LOCATOR, 0, &[9]),
        Refused("is of the type"),
    ),
    (
        "locator-many",
        "a locator of 65535 pairs",
        |_| {},
        |i| put_item(i, item::LOCATOR, 18, &[0xFF, 0xFF]),
        Refused("at most 256"),
    ),
    (
        "locator-none",
        "a locator without pairs",
        |_| {},
        |i| put_item(i, item::LOCATOR, 18, &[0, 0]),
        Refused("has no GUID of the parent"),
    ),
    (
        "locator-outside",
        "a key lies behind the locator",
        |_| {},
        |i| put_item(i, item::LOCATOR, 20, &[0xFF; 4]),
        Refused("of the parent locator"),
    ),
    (
        "locator-twice",
        "a key is there twice",
        |s| {
            pairs(s, |p| {
                let first = p[0].clone();
                p.push(first)
            })
        },
        |_| {},
        Refused("twice"),
    ),
    (
        "locator-no-linkage",
        "no linkage",
        |s| {
            pairs(s, |p| {
                p.remove(0);
            })
        },
        |_| {},
        Refused("has no GUID of the parent"),
    ),
    (
        "locator-bad-linkage",
        "a linkage that is no GUID",
        |s| pairs(s, |p| p[0].1 = "{zz}".to_owned()),
        |_| {},
        Refused("has no GUID of the parent"),
    ),
    (
        "parent-other",
        "the parent was written to after the child was made: its data write GUID is another one",
        |s| pairs(s, |p| p[0].1 = "{00000000-1111-2222-3333-444444444444}".to_owned()),
        |_| {},
        Refused("is not its parent"),
    ),
    (
        "parent-missing",
        "the parent is not there",
        |s| pairs(s, |p| p[1].1 = ".\\gone.vhdx".to_owned()),
        |_| {},
        Refused("was not found"),
    ),
    (
        "parent-self",
        "the child is its own parent",
        |s| {
            s.data_write = [1; 16];
            pairs(s, |p| p[1].1 = ".\\vhdx-child-parent-self.vhdx".to_owned())
        },
        |_| {},
        Refused("is a circle"),
    ),
    (
        "bitmap-missing",
        "partly present blocks without their sector bitmap",
        |_| {},
        |i| i.put_entry(4096, 0),
        Missed("expected 6"),
    ),
    (
        "bitmap-outside",
        "the sector bitmap lies behind the end",
        |_| {},
        |i| i.put_entry(4096, (1 << 40) | 6),
        Missed("the sector bitmap 0 should lie"),
    ),
    (
        "bitmap-state",
        "the sector bitmap has the state 7",
        |_| {},
        |i| {
            let e = i.entry(4096);
            i.put_entry(4096, e | 7)
        },
        Missed("the sector bitmap 0 has the state 7"),
    ),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, from, change, expect) in ROWS.into_iter().chain(ENTRIES) {
        let (mut image, content) = dynamic();
        change(&mut image);
        cases.push(changed(name, what, from, (image, content), expect));
    }
    let base = layer(3, BlockState::Full, 0x21);
    for (name, what, spec_change, change, expect) in CHILDREN {
        let own = layer(3, BlockState::Partial, 0x61);
        let mut spec = VhdxSpec::new(differencing(".\\base.vhdx"), 2);
        spec_change(&mut spec);
        let mut image = spec.image(&own);
        change(&mut image);
        let mut case = changed(&format!("child-{name}"), what, SPEC, (image, content(&[&base, &own])), expect);
        case.files.push(("base.vhdx".to_owned(), VhdxSpec::new(Kind::Dynamic, 1).image(&base)));
        // Another parent than the one that is wanted is no fault of the child's file.
        if name.starts_with("parent-") {
            case.checked = Checked::Clean;
        }
        cases.push(case);
    }
    cases.push(vhd_parent());
    cases
}

/// The parent of a VHDX is a VHD.
fn vhd_parent() -> Case {
    let own = layer(3, BlockState::Partial, 0x61);
    let image = VhdxSpec::new(differencing(".\\base.vhd"), 2).image(&own);
    let (file, _) = super::vhd_small::dynamic();
    let content = Content::Sparse(own.size, Vec::new());
    let what = "the parent is a VHD";
    let mut case = changed("child-of-vhd", what, SPEC, (image, content), Refused("no VHDX mark"));
    let mut parent = SparseImage::from(file.as_slice());
    parent.set_len(2 * MIB);
    case.files.push(("base.vhd".to_owned(), parent));
    case.checked = Checked::Clean;
    case
}
