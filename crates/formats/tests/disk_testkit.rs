//! The readers and writers of disks against the testkit's builder and reference reader, which share no code with them.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::fs::OpenOptions;

use disk_support::{Files, Random, content, extents, memory};
use hvm_formats::disk::write::{TargetFormat, create};
use hvm_formats::disk::{headers, open};
use hvm_testkit::vhd::{
    BitmapFill, BlockOrder, Blocks, ContentModel, Creator, FooterLength, Geometry, Locator, Parent, SpaceUnit, Stride,
    VhdKind, VhdSpec, reference,
};

fn one_of<T: Clone>(random: &mut Random, values: &[T]) -> T {
    values[random.below(values.len() as u64) as usize].clone()
}

fn blocks(random: &mut Random) -> Blocks {
    let seed = random.next();
    Blocks {
        size: one_of(random, &[4096, 65536, 512 << 10, 2 << 20]),
        order: one_of(random, &[BlockOrder::Ascending, BlockOrder::Shuffled(seed)]),
        stride: one_of(random, &[Stride::Packed, Stride::Aligned]),
        bitmap: one_of(random, &[BitmapFill::AllSectors, BitmapFill::WrittenSectors]),
    }
}

fn scattered(random: &mut Random, size: u64) -> ContentModel {
    let mut model = ContentModel::new(size);
    for _ in 0..1 + random.below(25) {
        let first = random.below(size / 512);
        let count = (1 + random.below(50)).min(size / 512 - first);
        model.fill(first, count, random.next());
    }
    model
}

fn base(random: &mut Random, size: u64) -> (VhdSpec, ContentModel) {
    let kind = if random.below(3) == 0 { VhdKind::Fixed } else { VhdKind::Dynamic(blocks(random)) };
    let mut spec = VhdSpec::new(kind, [1; 16]);
    spec.creator = one_of(random, &[Creator::HYPER_V_2008_R2, Creator::VIRTUAL_PC]);
    spec.footer = one_of(random, &[FooterLength::Full, FooterLength::Short]);
    (spec, scattered(random, size))
}

fn child(random: &mut Random, parent: &VhdSpec, name: &str, depth: u8) -> VhdSpec {
    let mut locators = vec![
        Locator::new(b"W2ku", &format!("D:\\Größe & 日本\\{name}")),
        Locator::new(b"W2ru", &format!(".\\{name}")),
        Locator::new(b"Wi2r", &format!(".\\{name}")),
    ];
    for locator in &mut locators {
        locator.space = one_of(random, &[SpaceUnit::Sectors, SpaceUnit::Bytes]);
    }
    let stale = Some(random.next());
    let parent =
        Parent { unique_id: parent.unique_id, timestamp: parent.timestamp, name: name.to_owned(), locators, stale };
    let mut spec = VhdSpec::new(VhdKind::Differencing(blocks(random), parent), [depth + 1; 16]);
    spec.timestamp += u32::from(depth);
    spec
}

#[test]
fn chains_of_every_layout_read_as_their_models() {
    for seed in 0..60 {
        let mut random = Random::new(seed + 1000);
        let size = 512 * (9 + random.below(9000));
        let (mut spec, mut model) = base(&mut random, size);
        let mut files = Files::default();
        let mut leaf = files.add("d0.vhd", spec.image(&model).to_vec());
        for depth in 1..=random.below(4) as u8 {
            spec = child(&mut random, &spec, &format!("d{}.vhd", depth - 1), depth);
            let own = scattered(&mut random, size);
            leaf = files.add(&format!("d{depth}.vhd"), spec.image(&own).to_vec());
            model = own.over(&model);
        }
        let disk = open(leaf, &files).unwrap();
        let found = content(&*disk);
        assert!(found == model.to_vec(), "seed {seed}");
        extents(&*disk, &found);
        for layer in disk.layers() {
            assert_eq!(layer.remarks, Vec::<String>::new(), "seed {seed}");
        }
    }
}

#[test]
fn the_reference_reader_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(77);
    for format in [TargetFormat::VhdFixed, TargetFormat::VhdDynamic] {
        let path = folder.path().join(format!("{format:?}.vhd"));
        let size = (5 << 20) + 512 * 3;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
        let mut writer = create(file, size, format, [3; 16]).unwrap();
        let mut model = vec![0; size as usize];
        for at in [1usize, 2, 40, 79, 80] {
            let end = ((at + 1) * 65536).min(model.len());
            random.fill(&mut model[at * 65536..end]);
            writer.write(at as u64 * 65536, &model[at * 65536..end]).unwrap();
        }
        writer.finish().unwrap();
        assert!(reference::read_chain(&[path]).unwrap() == model, "{format:?}");
    }
}

#[test]
fn the_geometry_is_the_one_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(5);
    let mut sizes = vec![512, 512 * 17, 1 << 20, 504 << 20, 8 << 30, 127 << 30, 136_899_993_600, 2040 << 30];
    sizes.extend((0..60).map(|n| 512 * (1 + random.below(1 << (n % 31)))));
    for size in sizes {
        let path = folder.path().join("disk.vhd");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        create(file, size, TargetFormat::VhdDynamic, [1; 16]).unwrap().finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let expected = Geometry::of(size);
        let cylinders = u16::from_be_bytes([bytes[56], bytes[57]]);
        let found = (u64::from(cylinders), u64::from(bytes[58]), u64::from(bytes[59]));
        let expected = (u64::from(expected.cylinders), u64::from(expected.heads), u64::from(expected.sectors));
        assert_eq!(found, expected, "{size}");
        let bytes_of_geometry = found.0 * found.1 * found.2 * 512;
        let layer = headers(&memory("disk.vhd", bytes)).unwrap();
        assert_eq!(layer.geometry_size, (bytes_of_geometry != size).then_some(bytes_of_geometry));
    }
}
