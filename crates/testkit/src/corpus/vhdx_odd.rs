//! VHDX files that look unlike each other and are all right, or odd in ways that do not touch the content.

use super::{Answer, Case, Checked, Content, Expect};
use crate::bytes::utf16le;
use crate::vhdx::edit::{HEADERS, REGIONS, item};
use crate::vhdx::{BlockState, Kind, LayerContent, ParentSpec, SparseImage, VhdxSpec};

pub(super) const MIB: u64 = 1 << 20;
pub(super) const SPEC: &str = "[MS-VHDX]";

/// A layer of `blocks` blocks of 1 MiB, each in this state and with two sectors of its own where it holds some.
pub(super) fn layer(blocks: u64, state: BlockState, tag: u8) -> LayerContent {
    let mut layer = LayerContent::new(blocks * MIB, MIB, 512);
    for block in 0..blocks {
        layer.states.insert(block, state);
        if matches!(state, BlockState::Full | BlockState::Partial) {
            layer.sectors.insert(block * 2048 + 3, vec![tag; 512]);
            layer.sectors.insert(block * 2048 + 5 + u64::from(tag % 7), vec![tag + 1; 512]);
        }
    }
    layer
}

/// The virtual content of the layers, the leaf last; only for layers without blocks of zeros over data.
pub(super) fn content(layers: &[&LayerContent]) -> Content {
    let leaf = layers.last().expect("at least one layer");
    let mut pieces = std::collections::BTreeMap::new();
    for layer in layers {
        for (block, _) in
            layer.states.iter().filter(|(_, state)| !matches!(state, BlockState::NotPresent | BlockState::Partial))
        {
            pieces.retain(|at: &u64, _| at / layer.block != *block);
        }
        pieces.extend(layer.sectors.iter().map(|(sector, bytes)| (sector * layer.sector, bytes.clone())));
    }
    Content::Sparse(leaf.size, pieces.into_iter().filter(|(at, _)| *at < leaf.size).collect())
}

/// A dynamic disk of three blocks with log, metadata and table in this order.
pub(super) fn dynamic() -> (SparseImage, Content) {
    let layer = layer(3, BlockState::Full, 0x51);
    let image = VhdxSpec { seed: 4, ..VhdxSpec::new(Kind::Dynamic, 1) }.image(&layer);
    (image, content(&[&layer]))
}

pub(super) fn differencing(path: &str) -> Kind {
    Kind::Differencing(ParentSpec::new(&[1; 16], path))
}

type Row = (&'static str, &'static str, &'static str, fn(&mut SparseImage), Expect);

use Expect::{Found, Said, Same};

/// Changes to a good dynamic disk that its content survives.
const CHANGED: [Row; 30] = [
    (
        "header-first-damaged",
        "the older header is damaged",
        SPEC,
        |i| i.flip(HEADERS[0] + 40, 1),
        Said("the other one was used", "header at offset 65536 is damaged"),
    ),
    (
        "header-first-zero",
        "the older header is zeros",
        "host crash",
        |i| i.put(HEADERS[0], &[0; 4096]),
        Said("the other one was used", "header at offset 65536 is damaged"),
    ),
    (
        "header-same",
        "both headers are the same, sequence number included",
        "real files (Disk2vhd)",
        |i| {
            let h = i.get(HEADERS[1], 4096);
            i.put(HEADERS[0], &h)
        },
        Said("they are the same", ""),
    ),
    (
        "header-sequence-max",
        "the newer header has the sequence number 2^64 - 1",
        SPEC,
        |i| {
            i.put(HEADERS[1] + 8, &[0xFF; 8]);
            i.seal(HEADERS[1], 4096)
        },
        Same,
    ),
    ("header-reserved", "reserved bytes of the headers are not zero", SPEC, |i| i.put_headers(2000, &[1, 2, 3]), Same),
    (
        "header-old-version",
        "the older header is of another version",
        SPEC,
        |i| {
            i.put(HEADERS[0] + 66, &[9]);
            i.seal(HEADERS[0], 4096)
        },
        Same,
    ),
    (
        "header-no-log",
        "the headers name no log",
        SPEC,
        |i| {
            i.put_headers(68, &[0; 4]);
            i.put_headers(72, &[0; 8])
        },
        Same,
    ),
    ("file-write-guid", "the file write GUID is zero", SPEC, |i| i.put_headers(16, &[0; 16]), Same),
    (
        "region-first-damaged",
        "the first region table is damaged",
        SPEC,
        |i| i.flip(REGIONS[0] + 30, 1),
        Said("the other one was used", "region table at offset 196608 is damaged"),
    ),
    (
        "region-second-damaged",
        "the second region table is damaged",
        SPEC,
        |i| i.flip(REGIONS[1] + 30, 1),
        Said("is damaged", "region table at offset 262144 is damaged"),
    ),
    (
        "region-second-zero",
        "the second region table is zeros",
        "host crash",
        |i| i.put(REGIONS[1], &[0; 65536]),
        Said("is damaged", "region table at offset 262144 is damaged"),
    ),
    (
        "region-differ",
        "both region tables are intact and differ",
        "Microsoft's open reader",
        |i| {
            i.put(REGIONS[1] + 16 + 16, &(9 * MIB).to_le_bytes());
            i.seal(REGIONS[1], 65536)
        },
        Said("the first was used", "differs from the first one"),
    ),
    (
        "region-optional",
        "an unknown region that is not required",
        SPEC,
        optional_region,
        Said("it is not required", ""),
    ),
    (
        "region-flags",
        "reserved flags of the region entries are set",
        SPEC,
        |i| {
            let f = i.number(REGIONS[0] + 44, 4) as u8 | 6;
            i.put_regions(44, &[f])
        },
        Same,
    ),
    (
        "item-optional",
        "an unknown metadata item that is not required",
        SPEC,
        |i| add_item(i, &[0xAB; 16], 0),
        Said("it is not required", ""),
    ),
    (
        "item-user",
        "a metadata item of a user with a GUID of the system",
        SPEC,
        |i| {
            let id = i.get(i.item_entry(item::SIZE), 16);
            add_item(i, &id, 1)
        },
        Said("it is not required", ""),
    ),
    (
        "item-longer",
        "a metadata item is longer than it must be",
        SPEC,
        |i| {
            let at = i.item_entry(item::PHYSICAL);
            i.put(at + 16, &0x4_0000u32.to_le_bytes());
            i.put(at + 20, &[64]);
            let m = i.places().metadata;
            i.put(m + 0x4_0000, &4096u32.to_le_bytes())
        },
        Same,
    ),
    (
        "parameters-flags",
        "unknown flags in the file parameters",
        SPEC,
        |i| {
            let at = i.item(item::PARAMETERS) + 4;
            i.put(at, &[0xF0])
        },
        Said("unknown flags", ""),
    ),
    (
        "physical-512",
        "physical sectors of 512 bytes",
        SPEC,
        |i| {
            let at = i.item(item::PHYSICAL);
            i.put(at, &512u32.to_le_bytes())
        },
        Same,
    ),
    ("creator-none", "no creator", SPEC, |i| i.put(8, &[0; 512]), Same),
    ("creator-endless", "a creator without end mark", SPEC, |i| i.put(8, &[0x41; 512]), Same),
    ("creator-broken", "a creator that is no UTF-16", SPEC, |i| i.put(8, &[0, 0xD8, 0x41, 0]), Same),
    (
        "identifier-tail",
        "rubbish behind the identifier, in the first 64 KiB",
        SPEC,
        |i| i.put(4096, &[0x5A; 100]),
        Same,
    ),
    (
        "bitmap-garbage",
        "entries of sector bitmaps hold garbage although there is no parent",
        "QEMU before 8.0",
        |i| i.put_entry(4096, u64::MAX),
        Same,
    ),
    (
        "entry-reserved",
        "reserved bits of table entries are set",
        SPEC,
        |i| {
            let e = i.entry(1);
            i.put_entry(1, e | 0xF_FFF8)
        },
        Same,
    ),
    (
        "entries-behind",
        "entries behind the end of the disk hold garbage",
        SPEC,
        |i| (3..40).for_each(|n| i.put_entry(n, u64::MAX)),
        Same,
    ),
    (
        "tail-free",
        "three MiB behind the last block",
        "real files: files grow in steps",
        |i| i.set_len(i.len + 3 * MIB),
        Same,
    ),
    ("tail-odd", "17 bytes behind the last block", "interrupted copy", |i| i.put(i.len, &[1; 17]), Same),
    (
        "entry-lost",
        "a block that nothing refers to any more reads as zeros",
        SPEC,
        |i| {
            i.set_len(i.len + MIB);
            let n = i.len - 4096;
            i.put(n, &[0x77; 512])
        },
        Same,
    ),
    (
        "log-version-clean",
        "a clean log of another version",
        SPEC,
        |i| i.put_headers(64, &[3, 0]),
        Found("log has version 3"),
    ),
];

fn optional_region(image: &mut SparseImage) {
    let end = image.len.next_multiple_of(MIB);
    image.set_len(end + MIB);
    image.put_regions(8, &[3]);
    image.put_regions(80, &[0xAB; 16]);
    image.put_regions(80 + 16, &end.to_le_bytes());
    image.put_regions(80 + 24, &(1u32 << 20).to_le_bytes());
}

/// Adds an entry for an item of no length.
pub(super) fn add_item(image: &mut SparseImage, id: &[u8], flags: u8) {
    let metadata = image.places().metadata;
    let count = image.number(metadata + 10, 2);
    let entry = metadata + 32 + count * 32;
    image.put(metadata + 10, &(count as u16 + 1).to_le_bytes());
    image.put(entry, id);
    image.put(entry + 24, &[flags]);
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = shapes();
    for (name, what, from, change, expect) in CHANGED {
        let (mut image, content) = dynamic();
        change(&mut image);
        cases.push(changed(name, what, from, (image, content), expect));
    }
    cases.extend(chains());
    cases.extend([large(64 << 40, 1 << 20), large(64 << 40, 256 << 20), large(5 << 40, 32 << 20)]);
    cases.push(guest_mark());
    cases
}

/// A file that was changed, with what must come of it.
pub(super) fn changed(
    name: &str,
    what: &str,
    from: &'static str,
    (image, content): (SparseImage, Content),
    expect: Expect,
) -> Case {
    let (answer, checked) = expect.answer(Vec::new());
    let answer = match answer {
        Answer::Reads(_) => Answer::Reads(content),
        Answer::Says(_, word) => Answer::Says(content, word),
        Answer::Misses(_, reason) => Answer::Misses(content, reason),
        other => other,
    };
    let name = format!("vhdx-{name}");
    Case { files: vec![(format!("{name}.vhdx"), image)], name, what: what.to_owned(), from, answer, checked }
}

/// Kinds of disks, sizes of blocks and sectors, states of blocks.
fn shapes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (block, sector) in [(1u64, 512u64), (1, 4096), (2, 512), (8, 4096), (32, 512), (128, 4096), (256, 512)] {
        let block = block << 20;
        for (kind, name) in [(Kind::Dynamic, "dynamic"), (Kind::Fixed, "fixed")] {
            let mut layer = LayerContent::new(block + 3 * sector, block, sector);
            for number in 0..2 {
                layer.states.insert(number, BlockState::Full);
                layer.sectors.insert(number * block / sector + 1, vec![number as u8 + 1; sector as usize]);
            }
            let spec = VhdxSpec { logical: sector as u32, seed: block, ..VhdxSpec::new(kind, 3) };
            let what = format!(
                "a {name} disk with blocks of {} MiB, sectors of {sector} bytes, the last block cut by its end",
                block >> 20
            );
            let name = format!("{name}-{}m-{sector}", block >> 20);
            cases.push(changed(&name, &what, SPEC, (spec.image(&layer), content(&[&layer])), Same));
        }
    }
    let states = [BlockState::NotPresent, BlockState::Undefined, BlockState::Zero, BlockState::Unmapped];
    for state in states {
        let layer = layer(3, state, 1);
        let image = VhdxSpec::new(Kind::Dynamic, 1).image(&layer);
        let (name, what) =
            (format!("state-{}", state.number()), format!("all blocks are in the state {}", state.number()));
        cases.push(changed(&name, &what, SPEC, (image, content(&[&layer])), Same));
    }
    for seed in 0..4 {
        let layer = layer(5, BlockState::Full, 9);
        let image = VhdxSpec { seed, sequences: [9 - seed, seed], ..VhdxSpec::new(Kind::Dynamic, 1) }.image(&layer);
        let what = "regions, items and blocks in another order, the first header counts";
        cases.push(changed(&format!("order-{seed}"), what, SPEC, (image, content(&[&layer])), Same));
    }
    cases
}

type Child = (&'static str, &'static str, &'static str, BlockState, fn(&mut VhdxSpec));

const CHILDREN: [Child; 11] = [
    ("partial", "a child with partly present blocks", SPEC, BlockState::Partial, |_| {}),
    (
        "not-present",
        "an untouched child: its blocks are not present, which must not be read as offset 0",
        "libyal/libvhdi#17",
        BlockState::NotPresent,
        |_| {},
    ),
    ("zero", "a child whose blocks are zero over data", SPEC, BlockState::Zero, |_| {}),
    ("unmapped", "a child whose blocks were trimmed", SPEC, BlockState::Unmapped, |_| {}),
    ("full", "a child whose blocks are all its own", SPEC, BlockState::Full, |_| {}),
    ("second-linkage", "the second linkage is the right one", SPEC, BlockState::Partial, |s| {
        pairs(s, |p| {
            p[0].1 = "{00000000-1111-2222-3333-444444444444}".to_owned();
            p.push(("parent_linkage2".to_owned(), "{01010101-0101-0101-0101-010101010101}".to_owned()))
        })
    }),
    ("absolute", "only an absolute path", SPEC, BlockState::Partial, |s| {
        pairs(s, |p| p[1] = ("absolute_win32_path".to_owned(), "D:\\Größe & 日本\\base.vhdx".to_owned()))
    }),
    ("volume", "only a path by volume", SPEC, BlockState::Partial, |s| {
        pairs(s, |p| {
            p[1] =
                ("volume_path".to_owned(), "\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\base.vhdx".to_owned())
        })
    }),
    ("upper-case", "the linkage in upper case", SPEC, BlockState::Partial, |s| {
        pairs(s, |p| p[0].1 = "{01010101-0101-0101-0101-010101010101}".to_uppercase())
    }),
    ("no-braces", "the linkage without braces", SPEC, BlockState::Partial, |s| {
        pairs(s, |p| p[0].1 = "01010101-0101-0101-0101-010101010101".to_owned())
    }),
    ("shuffled", "blocks and bitmaps in mixed order", SPEC, BlockState::Partial, |s| s.seed = 99),
];

pub(super) fn pairs(spec: &mut VhdxSpec, change: impl FnOnce(&mut Vec<(String, String)>)) {
    if let Kind::Differencing(parent) = &mut spec.kind {
        change(&mut parent.pairs);
    }
}

fn chains() -> Vec<Case> {
    let base = layer(3, BlockState::Full, 0x21);
    let below = || ("base.vhdx".to_owned(), VhdxSpec::new(Kind::Dynamic, 1).image(&base));
    let mut cases = Vec::new();
    for (name, what, from, state, change) in CHILDREN {
        let own = layer(3, state, 0x61);
        let mut spec = VhdxSpec::new(differencing(".\\base.vhdx"), 2);
        change(&mut spec);
        let mut case = changed(&format!("child-{name}"), what, from, (spec.image(&own), content(&[&base, &own])), Same);
        case.files.push(below());
        cases.push(case);
    }
    for (name, blocks) in [("larger", 5), ("smaller", 2)] {
        let own = layer(blocks, BlockState::Partial, 0x61);
        let image = VhdxSpec::new(differencing(".\\base.vhdx"), 2).image(&own);
        let what = format!("a child that is {name} than its parent");
        let mut case =
            changed(&format!("child-{name}"), &what, SPEC, (image, content(&[&base, &own])), Said("its child", ""));
        case.files.push(below());
        cases.push(case);
    }
    cases.extend([3u8, 8].map(deep));
    cases
}

fn deep(depth: u8) -> Case {
    let mut files = Vec::new();
    let layers: Vec<LayerContent> =
        (0..depth).map(|n| layer(2, if n == 0 { BlockState::Full } else { BlockState::Partial }, n * 3 + 1)).collect();
    for (number, own) in (0..depth).zip(&layers) {
        let parent = ParentSpec::new(&[number; 16], &format!(".\\d{}.vhdx", number.saturating_sub(1)));
        let kind = if number == 0 { Kind::Dynamic } else { Kind::Differencing(parent) };
        files.insert(0, (format!("d{number}.vhdx"), VhdxSpec::new(kind, number + 1).image(own)));
    }
    let name = format!("chain-{depth}-deep");
    let what = format!("a chain of {depth} files");
    let layers: Vec<&LayerContent> = layers.iter().collect();
    let image = files.remove(0);
    let mut case = changed(&name, &what, SPEC, (image.1, content(&layers)), Same);
    case.files.extend(files);
    case
}

/// A large disk of which the first and the last block hold something.
fn large(size: u64, block: u64) -> Case {
    let mut layer = LayerContent::new(size, block, 512);
    for (number, sector) in [(0, 7), (size / block - 1, size / 512 - 1)] {
        layer.states.insert(number, BlockState::Full);
        layer.sectors.insert(sector, vec![0x31; 512]);
    }
    let image = VhdxSpec::new(Kind::Dynamic, 6).image(&layer);
    let what = format!("a disk of {} TiB in blocks of {} MiB", size >> 40, block >> 20);
    let name = format!("{}-tib-{}m", size >> 40, block >> 20);
    changed(&name, &what, SPEC, (image, content(&[&layer])), Same)
}

/// The last block holds what looks like the footer of a VHD; the name decides.
fn guest_mark() -> Case {
    let mut layer = layer(1, BlockState::Full, 3);
    let mut footer = utf16le("");
    footer.extend(b"conectix");
    footer.resize(512, 0);
    layer.sectors.insert(2047, footer);
    let image = VhdxSpec { seed: 4, ..VhdxSpec::new(Kind::Dynamic, 1) }.image(&layer);
    let what = "the guest wrote the mark of a VHD footer into its last sector, which is the last of the file";
    let case = changed("guest-mark", what, "attack", (image, content(&[&layer])), Same);
    Case { checked: Checked::Clean, ..case }
}
