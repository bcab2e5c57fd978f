//! The check of VHDX files: clean ones of the testkit, of QEMU and of Hyper-V, and one planted fault each.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod vhdx_support;

use std::sync::Arc;

use disk_support::qemu_img;
use hvm_formats::check::{Findings, Report, Weight, check};
use hvm_formats::io::LocalFile;
use hvm_testkit::vhdx::edit::{HEADERS, REGIONS, item};
use hvm_testkit::vhdx::{BlockState, Dice, Dirt, Kind, LayerContent, ParentSpec, SparseImage, VhdxSpec, leave_dirty};
use vhdx_support::file;

const MIB: u64 = 1 << 20;

fn checked(image: &SparseImage) -> Report {
    check(&file("disk.vhdx", image.clone()), None).unwrap()
}

fn told(findings: &Findings, weight: Weight) -> Vec<(u64, String)> {
    let told = findings.list.iter().filter(|finding| finding.weight == weight);
    told.map(|finding| (finding.offset, finding.text.clone())).collect()
}

/// All states that a disk without parent can have, and that of one with a parent.
fn content(dice: &mut Dice, kind: &Kind, block: u64, sector: u64) -> LayerContent {
    let mut content = LayerContent::new(5 * block + block / 2, block, sector);
    let states = match kind {
        Kind::Fixed => &[BlockState::Full][..],
        Kind::Dynamic => &[BlockState::NotPresent, BlockState::Zero, BlockState::Unmapped, BlockState::Full],
        Kind::Differencing(_) => &[BlockState::NotPresent, BlockState::Zero, BlockState::Partial, BlockState::Full],
    };
    content.scatter(dice, states);
    content
}

fn differencing() -> Kind {
    Kind::Differencing(ParentSpec::new(&[9; 16], ".\\base.vhdx"))
}

#[test]
fn good_disks_of_every_shape_are_clean() {
    let mut clean = 0;
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let kind = [Kind::Fixed, Kind::Dynamic, differencing()][seed as usize % 3].clone();
        let (block, sector) = ([1, 2, 4][dice.below(3) as usize] << 20, [512, 4096][dice.below(2) as usize]);
        let content = content(&mut dice, &kind, block, sector);
        let spec = VhdxSpec { logical: sector as u32, seed, ..VhdxSpec::new(kind, 1) };
        let mut image = spec.image(&content);
        let log_at = image.places().log;
        let dirty = dice.below(2) == 0;
        if dirty {
            leave_dirty(&mut image, Dirt::Plain, &mut dice);
        }
        let report = checked(&image);
        assert!(report.findings.is_clean() && report.unreadable.is_none(), "seed {seed}: {report:#?}");
        let notes = told(&report.findings, Weight::Note);
        let log = notes.iter().filter(|(at, text)| text.contains("log was not applied") && *at == log_at);
        assert_eq!(log.count(), usize::from(dirty), "{notes:?}");
        let known = ["log was not applied", "Nothing refers to", "no sector is in use"];
        assert!(notes.iter().all(|(_, text)| known.iter().any(|known| text.contains(known))), "seed {seed}: {notes:?}");
        clean += 1;
    }
    assert_eq!(clean, 60);
}

/// A dynamic disk of six blocks of 1 MiB, all of them stored, and a differencing one, all partly present.
fn whole(kind: Kind) -> SparseImage {
    let state = if matches!(kind, Kind::Dynamic) { BlockState::Full } else { BlockState::Partial };
    let mut content = LayerContent::new(6 * MIB, MIB, 512);
    for block in 0..6 {
        content.states.insert(block, state);
        content.sectors.insert(block * 2048 + 5, vec![7; 512]);
    }
    VhdxSpec { seed: 4, ..VhdxSpec::new(kind, 1) }.image(&content)
}

/// Changes a file; the offset at which the fault must be found.
type Change = fn(&mut SparseImage) -> u64;
/// What is damaged, how, and what the only fault must say.
type Damage = (&'static str, Change, &'static str);

fn set(image: &mut SparseImage, at: u64, value: &[u8]) -> u64 {
    image.put(at, value);
    at
}

fn flip(image: &mut SparseImage, at: u64, place: u64) -> u64 {
    image.flip(at, 0x10);
    place
}

/// Sets a field of the headers; the offset of the field `told` in the one that counts.
fn header(image: &mut SparseImage, skip: u64, value: &[u8], told: u64) -> u64 {
    let at = image.places().header + told;
    image.put_headers(skip, value);
    at
}

fn of_item(image: &mut SparseImage, id: &str, skip: u64, value: &[u8]) -> u64 {
    let at = image.item_entry(id);
    image.put(at + skip, value);
    at
}

/// Offset of the entry of the region at `start` in the first table.
fn region_of(image: &SparseImage, start: u64) -> u64 {
    [REGIONS[0] + 16, REGIONS[0] + 48].into_iter().find(|at| image.number(at + 16, 8) == start).unwrap()
}

/// Of a dynamic disk with six blocks.
const DISK: [Damage; 35] = [
    ("identifier", |i| flip(i, 3, 0), "no VHDX mark"),
    ("first header", |i| flip(i, HEADERS[0] + 20, HEADERS[0]), "header at offset 65536 is damaged"),
    ("second header", |i| flip(i, HEADERS[1] + 4095, HEADERS[1]), "header at offset 131072 is damaged"),
    ("both headers", |i| flip(i, HEADERS[0], HEADERS[0]).max(flip(i, HEADERS[1], 0)), "neither header"),
    ("log version", |i| header(i, 64, &[1, 0], 64), "log has version 1"),
    ("version", |i| header(i, 66, &[2, 0], 66), "version 2"),
    ("log outside", |i| header(i, 72, &(1u64 << 40).to_le_bytes(), 68), "places the log"),
    ("log not aligned", |i| header(i, 72, &(MIB + 4096).to_le_bytes(), 68), "places the log"),
    (
        "log over the table",
        |i| {
            let table = i.places().table;
            i.put_headers(72, &table.to_le_bytes());
            region_of(i, table)
        },
        "overlaps 'log'",
    ),
    (
        "log GUID without log",
        |i| {
            let log = i.places().log;
            i.put_headers(48, &[1; 16]);
            log
        },
        "no complete sequence",
    ),
    ("same number", |i| header(i, 8, &[8], 0).min(HEADERS[0]), "same sequence number"),
    ("first region table", |i| flip(i, REGIONS[0] + 24, REGIONS[0]), "region table at offset 196608 is damaged"),
    ("second region table", |i| flip(i, REGIONS[1] + 65535, REGIONS[1]), "region table at offset 262144 is damaged"),
    ("both region tables", |i| flip(i, REGIONS[0], REGIONS[0]).max(flip(i, REGIONS[1], 0)), "neither region table"),
    (
        "region tables differ",
        |i| {
            i.put(REGIONS[1] + 12, &[1]);
            i.seal(REGIONS[1], 65536);
            REGIONS[1] + 4
        },
        "differs from the first",
    ),
    (
        "region outside",
        |i| {
            i.put_regions(16 + 16, &(1u64 << 40).to_le_bytes());
            REGIONS[0] + 16
        },
        "before the end of the file",
    ),
    (
        "region twice",
        |i| {
            let first = i.get(REGIONS[0] + 16, 16);
            i.put_regions(48, &first);
            REGIONS[0] + 48
        },
        "a second time",
    ),
    (
        "region unknown",
        |i| {
            i.put_regions(8, &[3]);
            i.put_regions(80, &[0xAB; 16]);
            i.put_regions(80 + 28, &[1]);
            REGIONS[0] + 80
        },
        "marked as required",
    ),
    ("no metadata table", |i| flip(i, i.places().metadata, i.places().metadata), "no metadata table"),
    ("too many items", |i| set(i, i.places().metadata + 10, &[0xFF, 0xFF]), "65535 entries"),
    ("item lost", |i| set(i, i.places().metadata + 10, &[4, 0]) - 10, "does not list"),
    ("item outside", |i| of_item(i, item::SIZE, 16, &[0, 0, 0x10, 0]), "must lie between"),
    ("item too short", |i| of_item(i, item::SIZE, 20, &[4, 0, 0, 0]), "expected at least 8"),
    (
        "item over another",
        |i| {
            // The physical sector size is put into the bytes of the virtual disk id.
            let (id, metadata) = (i.item(item::DISK_ID), i.places().metadata);
            i.put(id + 4, &4096u32.to_le_bytes());
            of_item(i, item::PHYSICAL, 16, &((id + 4 - metadata) as u32).to_le_bytes())
        },
        "lies over the one before it",
    ),
    ("block size", |i| set(i, i.item(item::PARAMETERS), &[0, 0, 8, 0]), "block size 524288"),
    ("size 0", |i| set(i, i.item(item::SIZE), &[0; 8]), "is 0 bytes"),
    ("size not sectors", |i| set(i, i.item(item::SIZE), &[1]), "not a multiple"),
    ("sector size", |i| set(i, i.item(item::LOGICAL), &[8, 2]), "sector size 520"),
    (
        "size beyond the table",
        |i| {
            set(i, i.item(item::SIZE), &(1u64 << 42).to_le_bytes());
            i.places().table
        },
        "has room for",
    ),
    ("state 5", |i| set(i, i.places().table + 16, &(i.entry(2) & !7 | 5).to_le_bytes()), "has the state 5"),
    ("partial", |i| set(i, i.places().table + 16, &(i.entry(2) | 7).to_le_bytes()), "has the state 7"),
    ("outside", |i| set(i, i.places().table + 16, &((1u64 << 40) | 6).to_le_bytes()), "but the file ends at"),
    ("in the headers", |i| set(i, i.places().table + 16, &6u64.to_le_bytes()), "but there are headers"),
    ("in the table", |i| set(i, i.places().table + 16, &(i.places().table | 6).to_le_bytes()), "but there are headers"),
    (
        "cut",
        |i| {
            let last = (0..6).max_by_key(|block| i.entry(*block)).unwrap();
            i.set_len(i.len - 1);
            i.places().table + last * 8
        },
        "but the file ends at",
    ),
];

/// Of a differencing disk with six partly present blocks; 4096 blocks of 1 MiB share a bitmap.
const CHILD: [Damage; 4] = [
    ("bitmap missing", |i| set(i, i.places().table + 4096 * 8, &[0; 8]), "expected 6"),
    (
        "bitmap outside",
        |i| set(i, i.places().table + 4096 * 8, &((1u64 << 40) | 6).to_le_bytes()),
        "the sector bitmap 0 should lie",
    ),
    (
        "bitmap state",
        |i| set(i, i.places().table + 4096 * 8, &(i.entry(4096) & !7 | 3).to_le_bytes()),
        "the sector bitmap 0 has the state 3",
    ),
    (
        "locator without parent",
        |i| {
            set(i, i.item(item::PARAMETERS) + 4, &[0]);
            (0..6).for_each(|block| i.put_entry(block, i.entry(block) & !7 | 6));
            i.item_entry(item::LOCATOR)
        },
        "has no parent, but",
    ),
];

#[test]
fn each_planted_fault_is_the_only_finding_at_its_place() {
    let (disk, child) = (whole(Kind::Dynamic), whole(differencing()));
    assert!(checked(&disk).findings.is_clean() && checked(&child).findings.is_clean());
    let (disks, children) = (DISK.iter().map(|damage| (&disk, damage)), CHILD.iter().map(|damage| (&child, damage)));
    for (base, (name, change, text)) in disks.chain(children) {
        let mut image = base.clone();
        let offset = change(&mut image);
        let report = checked_any(&image);
        let found = told(&report.findings, Weight::Fault);
        let right = found.len() == 1 && found[0].0 == offset && found[0].1.contains(text);
        assert!(right, "{name}: expected '{text}' at {offset}: {found:#?}");
    }
}

/// Also of a file whose mark is damaged.
fn checked_any(image: &SparseImage) -> Report {
    check(&file("disk.vhdx", image.clone()), Some(hvm_formats::disk::Format::Vhdx)).unwrap()
}

#[test]
fn two_blocks_at_one_place_are_both_named_and_a_lost_entry_is_free_room() {
    let disk = whole(Kind::Dynamic);
    let table = disk.places().table;
    let mut twice = disk.clone();
    twice.put_entry(2, disk.entry(4));
    let report = checked(&twice);
    let found = told(&report.findings, Weight::Fault);
    assert!(found.iter().map(|(at, _)| *at).eq([table + 16, table + 32]), "{found:?}");
    assert!(found.iter().all(|(_, text)| text.contains("another block lies there")));
    let before = checked(&disk).findings.unreferenced;
    assert_eq!(report.findings.unreferenced, before + MIB);
    let mut lost = disk.clone();
    lost.put_entry(2, 0);
    let report = checked(&lost);
    assert!(report.findings.is_clean());
    assert_eq!(report.findings.unreferenced, before + MIB);
    assert!(told(&report.findings, Weight::Note).iter().any(|(_, text)| text.contains("Nothing refers to")));
}

#[test]
fn logs_with_entries_that_are_not_whole_are_found() {
    let disk = whole(Kind::Dynamic);
    let log = disk.places().log;
    for seed in 0..20 {
        let mut dirty = disk.clone();
        leave_dirty(&mut dirty, Dirt::Plain, &mut Dice::new(seed));
        assert!(checked(&dirty).findings.is_clean());
        let entries: Vec<u64> = (0..256).map(|n| log + n * 4096).filter(|at| dirty.get(*at, 4) == b"loge").collect();
        for entry in entries {
            let mut broken = dirty.clone();
            broken.flip(entry + 60, 1);
            let found = told(&checked(&broken).findings, Weight::Fault);
            assert!(!found.is_empty(), "seed {seed}, entry at {entry}");
            let torn = found[0].0 == entry && found[0].1.contains("is not whole");
            let empty = found[0].0 == log && found[0].1.contains("no complete sequence");
            assert!(torn || empty, "{found:?}");
        }
    }
}

#[test]
fn odd_things_that_lose_nothing_are_notes() {
    let disk = whole(Kind::Dynamic);
    type Odd = (&'static str, fn(&mut SparseImage));
    let cases: [Odd; 4] = [
        ("reserved bits", |i| {
            let e = i.entry(1);
            i.put_entry(1, e | 8)
        }),
        ("not all zero", |i| i.put_headers(100, &[1])),
        ("is not required", |i| {
            i.put_regions(8, &[3]);
            i.put_regions(16 + 64, &[0xAB; 16]);
            let end = i.len.next_multiple_of(MIB);
            i.put_regions(16 + 64 + 16, &end.to_le_bytes());
            i.put_regions(16 + 64 + 26, &[0x10]);
            i.set_len(end + MIB)
        }),
        ("Both headers have", |i| {
            let header = i.get(i.places().header, 4096);
            i.put(HEADERS[0], &header);
            i.put(HEADERS[1], &header)
        }),
    ];
    let changed = cases.map(|(text, change)| {
        let mut image = disk.clone();
        change(&mut image);
        (text, image)
    });
    let mut beyond = whole(differencing());
    beyond.put_entry(7, (1 << 40) | 6);
    // The first chunk of a large disk is followed by the entry of a bitmap that it does not have.
    let mut large = VhdxSpec::new(Kind::Dynamic, 1).image(&LayerContent::new(4097 * MIB, MIB, 512));
    large.put_entry(4096, 5);
    let more = [("behind the end of the disk", beyond), ("although the disk has no parent", large)];
    for (text, image) in changed.into_iter().chain(more) {
        let report = checked(&image);
        assert!(report.findings.is_clean() && report.unreadable.is_none(), "{text}: {report:#?}");
        assert!(
            told(&report.findings, Weight::Note).iter().any(|(_, said)| said.contains(text)),
            "{text}: {report:#?}"
        );
    }
}

#[test]
fn any_byte_of_the_structures_may_be_wrong_without_a_panic() {
    let mut child = whole(differencing());
    let places = child.places();
    leave_dirty(&mut child, Dirt::Crowded, &mut Dice::new(1));
    let (mut checks, mut found) = (0, 0);
    for start in [0, HEADERS[0], HEADERS[1], REGIONS[0], REGIONS[1], places.metadata, places.table] {
        for at in start..start + 96 {
            for mask in [1, 0x80] {
                let mut broken = child.clone();
                broken.flip(at, mask);
                checks += 1;
                found += u32::from(checked_any(&broken).findings.list.len() > 2);
            }
        }
    }
    assert!(checks > 1300 && found > 300, "{checks} {found}");
}

#[test]
fn disks_of_qemu_img_and_of_hyper_v_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let is_clean = |name: &str| {
        let file: hvm_formats::io::SharedFile = Arc::new(LocalFile::open(&path(name), name).unwrap());
        let report = check(&file, None).unwrap();
        assert!(report.findings.is_clean() && report.unreadable.is_none(), "{name}: {report:#?}");
        report
    };
    for name in ["iotest-dynamic-1G.vhdx", "iotest-dirtylog-10G-4M.vhdx"] {
        if let Some(bytes) = disk_support::sample(&format!("{name}.bz2")) {
            std::fs::write(path(name), bytes).unwrap();
            let report = is_clean(name);
            let dirty =
                told(&report.findings, Weight::Note).iter().any(|(_, text)| text.contains("log was not applied"));
            assert_eq!(dirty, name.contains("dirty"), "{report:#?}");
        }
    }
    let mut raw = vec![0; 40 << 20];
    disk_support::Random::new(1).fill(&mut raw[3 << 20..17 << 20]);
    std::fs::write(path("raw"), &raw).unwrap();
    for (number, options) in
        ["block_size=1M", "block_size=16M", "subformat=fixed", "block_state_zero=off"].iter().enumerate()
    {
        let name = format!("q{number}.vhdx");
        let (from, to) = (path("raw"), path(&name));
        let args = ["convert", "-f", "raw", "-O", "vhdx", "-o", options, from.to_str().unwrap(), to.to_str().unwrap()];
        let Some((made, said)) = qemu_img(&args) else { return };
        assert!(made, "{said}");
        is_clean(&name);
    }
}
