//! VHD files that look unlike each other and are all right: sizes of blocks, orders, footers, geometries, makers.

use super::vhd_small::{blocks, both, header, model};
use super::{Answer, Case, Checked, Content};
use crate::vhd::{
    BitmapFill, BlockOrder, Blocks, ContentModel, Creator, FooterLength, Geometry, Stride, VhdKind, VhdSpec,
};
use crate::vhdx::SparseImage;

type Shape = (&'static str, &'static str, &'static str, fn() -> VhdSpec);
type Row = (&'static str, &'static str, &'static str, fn(&mut Vec<u8>));

const SPEC: &str = "VHD specification";

fn dynamic(blocks: Blocks) -> VhdSpec {
    VhdSpec::new(VhdKind::Dynamic(blocks), [0x31; 16])
}

fn fixed() -> VhdSpec {
    VhdSpec::new(VhdKind::Fixed, [0x32; 16])
}

fn made_by(app: [u8; 4]) -> VhdSpec {
    VhdSpec { creator: Creator { app, ..Creator::HYPER_V_2008_R2 }, ..dynamic(blocks()) }
}

fn geometry(cylinders: u16, heads: u8, sectors: u8) -> Option<Geometry> {
    Some(Geometry { cylinders, heads, sectors })
}

/// Files of the same content, laid out in one way each.
const SHAPES: [Shape; 18] = [
    ("plain", "a dynamic disk as Hyper-V of 2008 R2 makes it", "real files", || dynamic(blocks())),
    ("fixed", "a fixed disk", "real files", fixed),
    ("shuffled", "blocks in mixed order", "real files (dissect dynamic.vhd)", || {
        dynamic(Blocks { order: BlockOrder::Shuffled(3), ..blocks() })
    }),
    ("aligned", "data at multiples of 4 KiB", "real files of 2012 and later", || {
        dynamic(Blocks { stride: Stride::Aligned, ..blocks() })
    }),
    ("bitmap-written", "bitmaps of a dynamic disk with the bits of written sectors only", "Virtual PC", || {
        dynamic(Blocks { bitmap: BitmapFill::WrittenSectors, ..blocks() })
    }),
    ("footer-511", "a footer of 511 bytes", "Virtual PC before 2004", || VhdSpec {
        footer: FooterLength::Short,
        ..dynamic(blocks())
    }),
    ("expanded", "the original size is smaller than the current one", SPEC, || VhdSpec {
        original_size: Some(4096),
        ..dynamic(blocks())
    }),
    ("shrunk", "the original size is larger than the current one", SPEC, || VhdSpec {
        original_size: Some(1 << 30),
        ..dynamic(blocks())
    }),
    (
        "chs-smaller",
        "the geometry holds less than the current size",
        "real files (dissect dynamic.vhd); launchpad 1490611",
        || VhdSpec { geometry: geometry(1, 4, 17), ..dynamic(blocks()) },
    ),
    ("chs-larger", "the geometry holds more than the current size", "azure-docs#3913; open-simh/simh#287", || {
        VhdSpec { geometry: geometry(65535, 16, 255), ..dynamic(blocks()) }
    }),
    ("chs-zero", "the geometry is 0/0/0", "azure-linux-image-tools#364", || VhdSpec {
        geometry: geometry(0, 0, 0),
        ..dynamic(blocks())
    }),
    ("chs-vpc", "made by 'vpc ' with a smaller geometry: qemu-img takes the size from it", "odd VHD set", || VhdSpec {
        geometry: geometry(1, 4, 17),
        ..made_by(*b"vpc ")
    }),
    ("creator-vpc", "made by 'vpc '", "QEMU iotest 146", || made_by(*b"vpc ")),
    ("creator-vs", "made by 'vs  ' (Virtual Server)", SPEC, || made_by(*b"vs  ")),
    ("creator-d2v", "made by 'd2v ' (Disk2vhd)", "QEMU iotest 146", || made_by(*b"d2v ")),
    ("creator-qemu", "made by 'qemu'", "QEMU block/vpc.c", || made_by(*b"qemu")),
    ("creator-zero", "made by nobody: the field is zero", SPEC, || made_by([0; 4])),
    ("time-0", "made at second 0", SPEC, || VhdSpec { timestamp: 0, ..dynamic(blocks()) }),
];

/// Moves everything behind the dynamic header up by a sector and points to it.
fn shift_table(file: &mut Vec<u8>) {
    file.splice(1536..1536, [0; 512]);
    header(file, 16, &2048u64.to_be_bytes());
    for entry in 0..12 {
        let at = 2048 + entry * 4;
        let sector = u32::from_be_bytes(file[at..at + 4].try_into().expect("four bytes"));
        file[at..at + 4].copy_from_slice(&(sector + 1).to_be_bytes());
    }
}

/// Places the dynamic header behind the blocks.
fn header_last(file: &mut Vec<u8>) {
    let header: Vec<u8> = file[512..1536].to_vec();
    let end = file.len() - 512;
    file.splice(end..end, header);
    file[512..1536].fill(0);
    both(file, 16, &(end as u64).to_be_bytes());
}

/// Places the block table behind the blocks.
fn table_last(file: &mut Vec<u8>) {
    let table: Vec<u8> = file[1536..2048].to_vec();
    let end = file.len() - 512;
    file.splice(end..end, table);
    file[1536..2048].fill(0);
    header(file, 16, &(end as u64).to_be_bytes());
}

/// Changes that leave the disk right.
const MOVED: [Row; 4] = [
    ("table-later", "the table begins a sector later", SPEC, shift_table),
    ("header-last", "the dynamic header lies behind the blocks", SPEC, header_last),
    ("table-last", "the table lies behind the blocks", SPEC, table_last),
    ("cut-after-data", "rubbish between the last block and the footer, less than a block", SPEC, |file| {
        let end = file.len() - 512;
        file.splice(end..end, [0xA5; 1024]);
    }),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (name, what, from, spec) in SHAPES {
        let content = model();
        push(&mut cases, name, what, from, (spec().image(&content).to_vec(), Content::Whole(content.to_vec())));
    }
    for (name, what, from, change) in MOVED {
        let content = model();
        let mut file = dynamic(blocks()).image(&content).to_vec();
        change(&mut file);
        push(&mut cases, name, what, from, (file, Content::Whole(content.to_vec())));
    }
    for size in [8192u32, 65536, 512 << 10, 2 << 20, 16 << 20] {
        let mut content = ContentModel::new(u64::from(size) * 2 + 1536);
        content.fill(3, 20, 5);
        content.fill(content.sector_count() - 2, 2, 6);
        let spec = dynamic(Blocks { size, ..blocks() });
        let what = format!("blocks of {size} bytes, the last one cut by the end of the disk");
        let whole = Content::Whole(content.to_vec());
        push(&mut cases, &format!("block-{size}"), &what, SPEC, (spec.image(&content).to_vec(), whole));
    }
    for (name, sectors, from) in [("one-sector", 1u64, SPEC), ("odd-sectors", 13, SPEC), ("empty-disk", 4096, SPEC)] {
        let mut content = ContentModel::new(sectors * 512);
        if name != "empty-disk" {
            content.fill(0, sectors, 9);
        }
        let what = format!("a disk of {sectors} sectors");
        let whole = Content::Whole(content.to_vec());
        push(&mut cases, name, &what, from, (dynamic(blocks()).image(&content).to_vec(), whole));
    }
    cases.push(guest_marks());
    cases.extend([2040u64, 128].map(large));
    cases
}

fn push(cases: &mut Vec<Case>, name: &str, what: &str, from: &'static str, (file, content): (Vec<u8>, Content)) {
    let name = format!("vhd-{name}");
    let files = vec![(format!("{name}.vhd"), SparseImage::from(file.as_slice()))];
    let answer = Answer::Reads(content);
    cases.push(Case { name, what: what.to_owned(), from, files, answer, checked: Checked::Clean });
}

/// The guest of a fixed disk writes the mark of VHDX into its first sector; the name decides.
fn guest_marks() -> Case {
    let mut content = model();
    content.set_bytes(0, b"vhdxfile");
    let mut cases = Vec::new();
    let file = fixed().image(&content).to_vec();
    push(
        &mut cases,
        "guest-mark",
        "the guest of a fixed disk wrote the mark of VHDX into its first sector",
        "attack",
        (file, Content::Whole(content.to_vec())),
    );
    cases.remove(0)
}

/// A disk of `gib` GiB in blocks of 2 MiB, of which the first and the last hold something.
fn large(gib: u64) -> Case {
    let size = gib << 30;
    let mut content = ContentModel::new(size);
    content.fill(63, 2, 1);
    content.fill(size / 512 - 1, 1, 2);
    let image = dynamic(Blocks { order: BlockOrder::Shuffled(1), ..Blocks::default() }).image(&content);
    let mut file = SparseImage::default();
    for (at, part) in &image.parts {
        file.put(*at, part);
    }
    file.set_len(image.len);
    let pieces = content.written().map(|(sector, bytes)| (sector * 512, bytes.to_vec())).collect();
    let name = format!("vhd-{gib}-gib");
    let files = vec![(format!("{name}.vhd"), file)];
    let answer = Answer::Reads(Content::Sparse(size, pieces));
    let what = format!("a disk of {gib} GiB, beyond what CHS can address");
    Case { name, what, from: "qemu vpc.c: largest size 2040 GiB", files, answer, checked: Checked::Clean }
}
