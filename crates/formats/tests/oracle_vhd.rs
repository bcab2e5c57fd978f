//! VHD against the testkit's builder and reference reader, which share no code with this crate: random chains of every kind,
//! layout, footer and style of locator. `HVM_ORACLE_FILES` sets how many files are made (300 by default), `HVM_ORACLE_SEED`
//! with which seed the first chain is made.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod oracle_support;

use disk_support::{Files, content, data_bytes, extents, placed};
use hvm_formats::disk::open;
use hvm_formats::io::SharedFile;
use hvm_testkit::vhd::{
    BitmapFill, BlockOrder, Blocks, ContentModel, Creator, FooterLength, Geometry, Locator, Parent, SpaceUnit, Stride,
    VhdKind, VhdSpec, reference,
};
use hvm_testkit::vhdx::Dice;
use oracle_support::{Counts, run};

#[test]
fn random_vhd_chains_read_as_their_models_and_as_the_reference_reads_them() {
    run("vhd", 300, one_chain);
}

fn of<T: Clone>(dice: &mut Dice, values: &[T]) -> T {
    values[dice.below(values.len() as u64) as usize].clone()
}

fn blocks(dice: &mut Dice, counts: &mut Counts) -> Blocks {
    let seed = dice.roll();
    let blocks = Blocks {
        size: of(dice, &[4096, 4096, 65536, 65536, 512 << 10, 2 << 20]),
        order: of(dice, &[BlockOrder::Ascending, BlockOrder::Shuffled(seed)]),
        stride: of(dice, &[Stride::Packed, Stride::Aligned]),
        bitmap: of(dice, &[BitmapFill::AllSectors, BitmapFill::WrittenSectors]),
    };
    counts.add(if blocks.order == BlockOrder::Ascending { "blocks in order" } else { "blocks out of order" });
    counts.add(&format!("blocks of {} KiB", blocks.size >> 10));
    blocks
}

fn scattered(dice: &mut Dice, size: u64) -> ContentModel {
    let mut model = ContentModel::new(size);
    for _ in 0..dice.below(25) {
        let first = dice.below(size / 512);
        let count = (1 + dice.below(50)).min(size / 512 - first);
        match dice.below(6) {
            // Stored zeros hide what a parent holds.
            0 => model.set_bytes(first, &vec![0; count as usize * 512]),
            _ => model.fill(first, count, dice.roll()),
        }
    }
    model
}

/// The styles in which a child names its parent; the header's own name is always there.
fn locators(dice: &mut Dice, name: &str, counts: &mut Counts) -> Vec<Locator> {
    let (relative, absolute) = (format!(".\\{name}"), format!("D:\\Größe & 日本\\{name}"));
    let all = [(b"W2ku", &absolute), (b"W2ru", &relative), (b"Wi2r", &relative), (b"Wi2k", &relative)];
    let chosen = dice.below(16);
    let mut found = Vec::new();
    for (bit, (code, path)) in all.into_iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1) {
        let mut locator = Locator::new(code, path);
        locator.space = of(dice, &[SpaceUnit::Sectors, SpaceUnit::Bytes]);
        counts.add(["locator W2ku", "locator W2ru", "locator Wi2r", "locator Wi2k"][bit]);
        found.push(locator);
    }
    if found.is_empty() {
        counts.add("no locator, only the name in the header");
    }
    found
}

fn spec(dice: &mut Dice, parent: Option<(&VhdSpec, u8)>, counts: &mut Counts) -> VhdSpec {
    let kind = match parent {
        None if dice.below(3) == 0 => VhdKind::Fixed,
        None => VhdKind::Dynamic(blocks(dice, counts)),
        Some((parent, depth)) => {
            let name = format!("d{}.vhd", depth - 1);
            let (locators, stale) = (locators(dice, &name, counts), Some(dice.roll()));
            let (unique_id, timestamp) = (parent.unique_id, parent.timestamp);
            VhdKind::Differencing(blocks(dice, counts), Parent { unique_id, timestamp, name, locators, stale })
        }
    };
    counts.add(match kind {
        VhdKind::Fixed => "fixed",
        VhdKind::Dynamic(_) => "dynamic",
        VhdKind::Differencing(..) => "differencing",
    });
    let depth = parent.map_or(0, |(_, depth)| depth);
    let mut spec = VhdSpec::new(kind, [depth + 1; 16]);
    spec.timestamp += u32::from(depth);
    spec.creator = of(dice, &[Creator::HYPER_V_2008_R2, Creator::VIRTUAL_PC]);
    spec.footer = of(dice, &[FooterLength::Full, FooterLength::Full, FooterLength::Short]);
    if spec.footer == FooterLength::Short {
        counts.add("footer of 511 bytes");
    }
    if dice.below(3) == 0 {
        counts.add("geometry that is not the size");
        spec.geometry =
            Some(Geometry { cylinders: dice.below(65535) as u16, heads: 1 + dice.below(16) as u8, sectors: 17 });
    }
    if dice.below(4) == 0 {
        spec.original_size = Some(512 * (1 + dice.below(100_000)));
    }
    spec
}

/// Makes a chain and reads it: the number of files, and what was wrong.
fn one_chain(seed: u64, counts: &mut Counts) -> (u64, Option<String>) {
    let mut dice = Dice::new(seed);
    let size = 512 * (9 + if dice.below(4) == 0 { dice.below(9000) } else { dice.below(1500) });
    let depth = if dice.below(3) == 0 { dice.below(8) } else { dice.below(2) };
    let mut own = spec(&mut dice, None, counts);
    let (mut model, mut files, mut images) = (ContentModel::new(size), Files::default(), Vec::new());
    let mut leaf: Option<SharedFile> = None;
    for number in 0..=depth as u8 {
        if number > 0 {
            own = spec(&mut dice, Some((&own, number)), counts);
        }
        // A disk may have been made larger above a smaller parent.
        let grown = if number > 0 && dice.below(10) == 0 { model.size() + 512 * dice.below(300) } else { model.size() };
        let layer = scattered(&mut dice, grown);
        let bytes = own.image(&layer).to_vec();
        model = layer.over(&model);
        leaf = Some(files.add(&format!("d{number}.vhd"), bytes.clone()));
        images.insert(0, bytes);
    }
    counts.add(&format!("chains of {} files", depth + 1));
    let disk = match open(leaf.unwrap(), &files) {
        Ok(disk) => disk,
        Err(error) => return (depth + 1, Some(error.to_string())),
    };
    let found = content(&*disk);
    assert_eq!(placed(&*disk, &found), data_bytes(&extents(&*disk, &found)), "all data have a place");
    let wrong = if found != model.to_vec() {
        Some("not the model")
    } else if found != reference::read_files(images).unwrap() {
        Some("not the reference")
    } else {
        None
    };
    (depth + 1, wrong.map(str::to_owned))
}
