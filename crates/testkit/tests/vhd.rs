//! VHDs made here hold what their model says, for the reference reader and for qemu-img.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::guid::plain_bytes;
use hvm_testkit::vhd::reference::read_chain;
use hvm_testkit::vhd::{
    BitmapFill, BlockOrder, Blocks, ContentModel, Creator, FooterLength, Geometry, Locator, Parent, SpaceUnit, Stride,
    VhdKind, VhdSpec,
};
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: u64 = 1 << 20;
const ID: &str = "11111111-2222-3333-4444-555555555555";

fn content(size: u64) -> ContentModel {
    let mut content = ContentModel::new(size);
    content.fill(0, 7, 1);
    content.fill(4099, 13, 2);
    content.fill(size / 512 - 3, 3, 3);
    content
}

fn write(folder: &Path, name: &str, spec: &VhdSpec, content: &ContentModel) -> PathBuf {
    let path = folder.join(name);
    let image = spec.image(content);
    image.write_to(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), image.to_vec());
    path
}

/// Whether qemu-img finds the file identical to the content; `None` (said aloud) when it is not installed.
fn qemu_agrees(folder: &Path, path: &Path, content: &ContentModel) -> Option<bool> {
    let raw = folder.join("content.raw");
    std::fs::write(&raw, content.to_vec()).unwrap();
    let arguments = ["compare", "-f", "vpc", "-F", "raw"];
    match Command::new("qemu-img").args(arguments).arg(path).arg(&raw).output() {
        Ok(output) => Some(output.status.success() && output.stdout == b"Images are identical.\n"),
        Err(error) => {
            eprintln!("SKIPPED: qemu-img cannot be run here: {error}");
            None
        }
    }
}

fn all_kinds() -> Vec<(&'static str, VhdSpec)> {
    let spec = |kind| VhdSpec::new(kind, plain_bytes(ID));
    let dynamic = |blocks| spec(VhdKind::Dynamic(blocks));
    let mut short = spec(VhdKind::Fixed);
    short.footer = FooterLength::Short;
    let mut short_dynamic = dynamic(Blocks::default());
    short_dynamic.footer = FooterLength::Short;
    let mut grown = dynamic(Blocks { bitmap: BitmapFill::WrittenSectors, ..Blocks::default() });
    grown.geometry = Some(Geometry { cylinders: 100, heads: 4, sectors: 17 });
    grown.original_size = Some(MIB);
    vec![
        ("fixed", spec(VhdKind::Fixed)),
        ("fixed-511", short),
        ("dynamic", dynamic(Blocks::default())),
        ("dynamic-511", short_dynamic),
        ("dynamic-grown", grown),
        (
            "dynamic-4104",
            dynamic(Blocks { stride: Stride::Aligned, order: BlockOrder::Shuffled(5), ..Blocks::default() }),
        ),
        ("dynamic-512k", dynamic(Blocks { size: 512 << 10, order: BlockOrder::Shuffled(9), ..Blocks::default() })),
        ("dynamic-8k", dynamic(Blocks { size: 8 << 10, ..Blocks::default() })),
    ]
}

#[test]
fn every_kind_reads_back_as_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let content = content(7 * MIB + 512);
    for (name, spec) in all_kinds() {
        let path = write(folder.path(), name, &spec, &content);
        let read = read_chain(&[&path]).unwrap();
        assert!(read == content.to_vec(), "{name} differs");
        assert_eq!(content.blake3(), blake3::hash(&read).to_hex().to_string());
        if name != "dynamic-511" && name != "fixed-511" {
            assert_ne!(qemu_agrees(folder.path(), &path, &content), Some(false), "qemu-img reads {name} differently");
        }
    }
}

#[test]
fn blocks_lie_where_the_release_puts_them() {
    let mut content = ContentModel::new(8 * MIB);
    content.fill(0, 3 * 4096, 8);
    let entry = |stride, number: usize| {
        let blocks = Blocks { stride, ..Blocks::default() };
        let bytes = VhdSpec::new(VhdKind::Dynamic(blocks), [7; 16]).image(&content).to_vec();
        u32::from_be_bytes(bytes[1536 + number * 4..][..4].try_into().unwrap())
    };
    assert_eq!(entry(Stride::Packed, 1) - entry(Stride::Packed, 0), 4097);
    assert_eq!(entry(Stride::Aligned, 2) - entry(Stride::Aligned, 1), 4104);
    assert_eq!((entry(Stride::Aligned, 0) + 1) % 8, 0);
    assert_eq!(entry(Stride::Packed, 3), u32::MAX);
}

#[test]
fn a_chain_reads_as_its_layers_say() {
    let folder = tempfile::tempdir().unwrap();
    let base = content(6 * MIB);
    let base_spec = VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [1; 16]);
    let base_path = write(folder.path(), "base.vhd", &base_spec, &base);
    let parent = |id: u8, name: &str| Parent {
        unique_id: [id; 16],
        timestamp: base_spec.timestamp,
        name: name.to_owned(),
        locators: vec![
            Locator::new(b"W2ru", &format!(".\\{name}")),
            Locator { space: SpaceUnit::Bytes, ..Locator::new(b"W2ku", &format!("D:\\Über\\{name}")) },
            Locator::new(b"Wi2r", &format!(".\\{name}")),
        ],
        stale: Some(77),
    };
    let mut middle = ContentModel::new(6 * MIB);
    middle.fill(2, 3, 20);
    middle.set(5, [0; 512]);
    let kind = VhdKind::Differencing(Blocks::default(), parent(1, "base.vhd"));
    let middle_path = write(folder.path(), "middle.avhd", &VhdSpec::new(kind, [2; 16]), &middle);
    let mut leaf = ContentModel::new(9 * MIB);
    leaf.fill(3, 1, 30);
    leaf.fill(13_000, 11, 31);
    let kind = VhdKind::Differencing(Blocks { size: 64 << 10, ..Blocks::default() }, parent(2, "middle.avhd"));
    let leaf_path = write(folder.path(), "leaf.avhd", &VhdSpec::new(kind, [3; 16]), &leaf);

    let expected = leaf.over(&middle.over(&base));
    assert!(read_chain(&[&leaf_path, &middle_path, &base_path]).unwrap() == expected.to_vec());
    assert_eq!(expected.sector(5), [0; 512], "a zero that a layer wrote hides the parent");
    assert_eq!(expected.sector(4), middle.sector(4));
    assert!(read_chain(&[&leaf_path, &middle_path]).is_err(), "a chain without its base is no disk");
    let bytes = std::fs::read(&middle_path).unwrap();
    assert_eq!(&bytes[576 + 512..][..4], b"W2ru");
    assert_eq!(bytes[512 + 64..][..4], [0, b'b', 0, b'a']);
}

#[test]
fn a_flipped_byte_in_a_footer_or_header_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spec = VhdSpec { creator: Creator::VIRTUAL_PC, ..VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [9; 16]) };
    let path = write(folder.path(), "disk.vhd", &spec, &content(4 * MIB));
    let good = std::fs::read(&path).unwrap();
    for at in [512 + 40, good.len() - 512 + 50, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        assert!(read_chain(&[&path]).is_err(), "byte {at}");
    }
}

#[test]
fn the_geometry_is_that_of_the_specification() {
    let of = |size: u64| {
        let geometry = Geometry::of(size);
        (geometry.cylinders, geometry.heads, geometry.sectors)
    };
    assert_eq!(of(64 * MIB), (963, 8, 17));
    assert_eq!(of(1024 * MIB), (2080, 16, 63));
    assert_eq!(of(2040 * 1024 * MIB), (65535, 16, 255));
}
