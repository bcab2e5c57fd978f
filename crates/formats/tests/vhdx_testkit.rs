//! VHDX against the testkit's builder and reference reader, which share no code with this crate: random chains in every
//! layout, state of the log and sector size. `HVM_ORACLE_FILES` sets how many chains are made (200 by default).
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod oracle_support;
mod vhdx_support;

use disk_support::{content, data_bytes, extents, placed};
use hvm_formats::disk::{DiskError, LayerFormat, NoParents, VirtualDisk, headers, open};
use hvm_formats::vhdx::VhdxError;
use hvm_testkit::vhdx::{
    BlockState, Dice, Dirt, Kind, LayerContent, ParentSpec, SparseImage, VhdxSpec, leave_dirty, reference,
};
use oracle_support::{Counts, run};
use vhdx_support::{Gate, file};

const BASE: [BlockState; 6] = [
    BlockState::NotPresent,
    BlockState::Undefined,
    BlockState::Zero,
    BlockState::Unmapped,
    BlockState::Full,
    BlockState::Full,
];
const CHILD: [BlockState; 8] = [
    BlockState::NotPresent,
    BlockState::NotPresent,
    BlockState::Zero,
    BlockState::Unmapped,
    BlockState::Full,
    BlockState::Partial,
    BlockState::Partial,
    BlockState::Partial,
];

#[test]
fn random_chains_read_as_their_models_and_as_the_reference_reads_them() {
    run("vhdx", 200, one_chain);
}

/// Makes a chain and reads it: the number of files, and what was wrong.
fn one_chain(seed: u64, counts: &mut Counts) -> (u64, Option<String>) {
    let mut dice = Dice::new(seed);
    let sector = [512u64, 4096][dice.below(2) as usize];
    let block = [1u64, 1, 2, 4][dice.below(4) as usize] << 20;
    let size = ((1 + dice.below(6)) << 20) + dice.below(3) * dice.below(200) * sector;
    let depth = if dice.below(3) == 0 { dice.below(8) } else { dice.below(2) };
    let (mut gate, mut images, mut expected) = (Gate::default(), Vec::new(), Vec::new());
    let mut parent: Option<VhdxSpec> = None;
    for number in 0..=depth {
        let own = if number > 0 && dice.below(8) == 0 { size + (sector << 4) } else { size };
        let mut layer = LayerContent::new(own, block, sector);
        let kind = match &parent {
            Some(parent) => {
                Kind::Differencing(ParentSpec::new(&parent.data_write, &format!(".\\d{}.vhdx", number - 1)))
            }
            None if dice.below(4) == 0 => Kind::Fixed,
            None => Kind::Dynamic,
        };
        let (states, name) = match kind {
            Kind::Fixed => (&[BlockState::Full][..], "fixed"),
            Kind::Dynamic => (&BASE[..], "dynamic"),
            Kind::Differencing(_) => (&CHILD[..], "differencing"),
        };
        counts.add(name);
        counts.add(&format!("sectors of {sector} bytes"));
        counts.add(&format!("blocks of {} MiB", block >> 20));
        layer.scatter(&mut dice, states);
        let mut spec = VhdxSpec::new(kind, number as u8 + 1);
        (spec.logical, spec.seed) = (sector as u32, dice.roll());
        spec.sequences = [[7, 8], [8, 7], [0, 1]][dice.below(3) as usize];
        let mut image = spec.image(&layer);
        counts.add(make_dirty(&mut dice, &mut image));
        expected = layer.over(expected);
        gate.add(&format!("d{number}.vhdx"), image.clone());
        images.insert(0, image);
        parent = Some(spec);
    }
    counts.add(&format!("chains of {} files", depth + 1));
    let disk = match open(gate.file(&format!("d{depth}.vhdx")), &gate) {
        Ok(disk) => disk,
        Err(error) => return (depth + 1, Some(error.to_string())),
    };
    let found = content(&*disk);
    let (data, placed) = (data_bytes(&extents(&*disk, &found)), placed(&*disk, &found));
    assert!(placed <= data, "{placed} of {data}");
    counts.add(if placed == data { "all data have a place" } else { "some data only in the log" });
    check_layers(&*disk, sector, seed);
    let wrong = if found != expected {
        Some("not the model")
    } else if found != reference::read_chain(&images.iter().collect::<Vec<_>>()).unwrap() {
        Some("not the reference")
    } else {
        None
    };
    (depth + 1, wrong.map(str::to_owned))
}

/// Leaves every other file with a log that was not applied; what was done.
fn make_dirty(dice: &mut Dice, image: &mut SparseImage) -> &'static str {
    if dice.below(2) == 1 {
        return "log empty";
    }
    let kinds = [
        (Dirt::Plain, "log not applied"),
        (Dirt::Crowded, "log not applied, among old and torn entries"),
        (Dirt::Shortened, "log not applied, file cut"),
    ];
    let (dirt, name) = kinds[dice.below(3) as usize];
    leave_dirty(image, dirt, dice);
    name
}

fn check_layers(disk: &dyn VirtualDisk, sector: u64, seed: u64) {
    assert_eq!(u64::from(disk.sector_size()), sector);
    for layer in disk.layers() {
        assert_eq!((u64::from(layer.sector_size), layer.physical_sector_size), (sector, 4096));
        assert_eq!((layer.creator.as_str(), layer.timestamp), ("testkit", 0));
        let strange: Vec<&String> = layer
            .remarks
            .iter()
            .filter(|remark| {
                !["The log was not applied", "The log entry", "The disk has"]
                    .iter()
                    .any(|known| remark.starts_with(known))
            })
            .collect();
        assert!(strange.is_empty(), "seed {seed}: {strange:?}");
    }
}

#[test]
fn chunks_behind_the_first_have_their_own_bitmaps() {
    // Sectors of 512 bytes and blocks of 256 MiB: a chunk has 4 GiB.
    let size = (9u64 << 30) + 512 * 7;
    for block in [64u64 << 20, 256 << 20] {
        let mut base = LayerContent::new(size, block, 512);
        let mut child = base.clone();
        let places = [0u64, 1, (4 << 30) - 512, 4 << 30, (8 << 30) - 512, 8 << 30, size - 512];
        for (number, place) in (0u8..).zip(places) {
            base.states.insert(place / block, BlockState::Full);
            base.sectors.insert(place / 512, vec![number + 1; 512]);
            child.states.insert(place / block, BlockState::Partial);
            if number % 2 == 0 {
                child.sectors.insert(place / 512, vec![number + 101; 512]);
            }
        }
        let below = VhdxSpec::new(Kind::Dynamic, 1);
        let above = VhdxSpec::new(Kind::Differencing(ParentSpec::new(&below.data_write, "base.vhdx")), 2);
        let mut gate = Gate::default();
        gate.add("base.vhdx", below.image(&base));
        gate.add("child.vhdx", above.image(&child));
        let disk = open(gate.file("child.vhdx"), &gate).unwrap();
        assert_eq!(disk.layers()[0].format, LayerFormat::VhdxDifferencing);
        for place in places {
            let sector = place / 512;
            let mut found = [0xEE; 512];
            disk.read_at(sector * 512, &mut found).unwrap();
            let expected = child.sectors.get(&sector).or_else(|| base.sectors.get(&sector)).unwrap();
            assert!(found[..] == expected[..], "{place}");
        }
        let mut at = 0;
        while at < size {
            let extent = disk.extent(at).unwrap();
            at += extent.len;
        }
    }
}

fn pair() -> (VhdxSpec, LayerContent, VhdxSpec, LayerContent) {
    let mut dice = Dice::new(5);
    let mut base = LayerContent::new(3 << 20, 1 << 20, 512);
    base.scatter(&mut dice, &[BlockState::Full]);
    let mut child = LayerContent::new(3 << 20, 1 << 20, 512);
    child.scatter(&mut dice, &[BlockState::Partial]);
    let below = VhdxSpec::new(Kind::Dynamic, 1);
    let above = VhdxSpec::new(Kind::Differencing(ParentSpec::new(&below.data_write, ".\\base.vhdx")), 2);
    (below, base, above, child)
}

#[test]
fn a_parent_must_have_the_recorded_data_write_guid() {
    let (below, base, mut above, child) = pair();
    let mut gate = Gate::default();
    let leaf = file("child.avhdx", above.image(&child));
    let error = open(leaf.clone(), &NoParents).err().unwrap();
    assert!(matches!(&error, DiskError::MissingParent { wanted, .. } if wanted.contains("base.vhdx")), "{error}");
    // Written to after the child was made: the data write GUID is another one, the virtual disk id the same.
    let changed = VhdxSpec { data_write: [9; 16], ..below.clone() };
    gate.add("base.vhdx", changed.image(&base));
    let error = open(leaf.clone(), &gate).err().unwrap();
    assert!(matches!(error, DiskError::WrongParent { .. }), "{error}");
    gate.add("base.vhdx", below.image(&base));
    open(leaf, &gate).unwrap();
    // The second linkage counts as well.
    let Kind::Differencing(parent) = &mut above.kind else { unreachable!() };
    parent.pairs[0].1 = "{00000000-1111-2222-3333-444444444444}".to_owned();
    parent.pairs.push(("parent_linkage2".to_owned(), "{01010101-0101-0101-0101-010101010101}".to_owned()));
    parent.pairs.push(("absolute_win32_path".to_owned(), "D:\\Größe & 日本\\base.vhdx".to_owned()));
    let leaf = file("child.avhdx", above.image(&child));
    let request = headers(&leaf).unwrap().parent.unwrap();
    assert_eq!(
        (request.name.as_str(), request.other_id.as_str()),
        ("base.vhdx", "01010101-0101-0101-0101-010101010101")
    );
    assert_eq!(request.locators.len(), 2);
    assert_eq!(request.locators[1].path, "D:\\Größe & 日本\\base.vhdx");
    open(leaf, &gate).unwrap();
}

#[test]
fn circles_and_endless_chains_are_refused() {
    let (_, _, above, child) = pair();
    let mut own = above.clone();
    own.data_write = [1; 16];
    let mut gate = Gate::default();
    gate.add("base.vhdx", own.image(&child));
    let error = open(gate.file("base.vhdx"), &gate).err().unwrap();
    assert!(matches!(error, DiskError::Cycle { .. }), "{error}");
    for number in 1..=65u8 {
        let parent = ParentSpec::new(&[number + 1; 16], &format!("d{}.vhdx", number + 1));
        let spec = VhdxSpec::new(Kind::Differencing(parent), number);
        gate.add(&format!("d{number}.vhdx"), spec.image(&child));
    }
    let error = open(gate.file("d1.vhdx"), &gate).err().unwrap();
    assert!(matches!(error, DiskError::TooDeep { limit: 64, .. }), "{error}");
}

#[test]
fn a_vhdx_has_no_vhd_for_a_parent() {
    let (_, _, above, child) = pair();
    let mut gate = Gate::default();
    let vhd = disk_support::Vhd::new(3, 3 << 20, 1).bytes();
    gate.add_bytes("base.vhdx", &vhd);
    let error = open(file("child.avhdx", above.image(&child)), &gate).err().unwrap();
    assert!(matches!(error, DiskError::Vhdx(VhdxError::Identifier { .. })), "{error}");
}
