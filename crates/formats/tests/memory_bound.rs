//! At most 64 MiB of memory whatever a file claims: the corpus, changed files, and files made to be as greedy as the
//! formats allow. One test in its own program, because the allocator counts for all threads.
#![allow(clippy::unwrap_used, missing_docs)]

mod oracles;

use std::io;
use std::sync::Arc;

use hvm_formats::check::check;
use hvm_formats::disk::{Format, NoParents};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_testkit::corpus;
use hvm_testkit::vhdx::Dice;
use oracles::subjects;
use oracles::{Files, Watched, any_disk, image_file, memory, options};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const LIMIT: usize = 64 << 20;

/// Fails when `act` takes more than the limit on top of what is there; gives the peak.
fn bounded(name: &str, act: impl FnOnce()) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    act();
    let peak = HEAP.peak_usage().saturating_sub(before);
    assert!(peak <= LIMIT, "{name}: {} MiB", peak >> 20);
    peak
}

/// Opens a disk, walks its extents, reads some of it, checks it.
fn look(file: &SharedFile, gate: &Files, format: Option<Format>) {
    if let Ok(disk) = hvm_formats::disk::open_with(file.clone(), gate, &options(format)) {
        let mut at = 0;
        let mut piece = vec![0; 1 << 20];
        for _ in 0..2000 {
            let Ok(extent) = disk.extent(at) else { break };
            let len = extent.len.min(1 << 20) as usize;
            let _ = disk.read_at(at, &mut piece[..len]);
            at += extent.len;
        }
    }
    let _ = check(file, format);
}

/// A file whose bytes are made when they are read: a beginning and an end, and between them what a function says.
struct Made {
    name: &'static str,
    len: u64,
    parts: Vec<(u64, Vec<u8>)>,
    /// Where the table lies, and its entries.
    table: (u64, u64),
    width: u64,
    entry: fn(u64) -> u64,
}

impl ReadAt for Made {
    fn name(&self) -> &str {
        self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        buf.fill(0);
        let (start, count) = self.table;
        let (first, last) = (offset.max(start), end.min(start + count * self.width));
        let mut at = first;
        while at < last {
            let (index, within) = ((at - start) / self.width, ((at - start) % self.width) as usize);
            let entry = (self.entry)(index);
            // Big-endian for VHD (the lower 4 bytes) and qcow2, little-endian for VHDX.
            let bytes = if self.name.ends_with("vhdx") { entry.to_le_bytes() } else { entry.to_be_bytes() };
            let bytes = &bytes[8 - self.width as usize + within..];
            let len = bytes.len().min((last - at) as usize);
            buf[(at - offset) as usize..][..len].copy_from_slice(&bytes[..len]);
            at += len as u64;
        }
        for (at, bytes) in &self.parts {
            let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(end));
            if from < to {
                let part = &bytes[(from - at) as usize..(to - at) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
            }
        }
        Ok(())
    }
}

fn sum(bytes: &mut [u8], field: usize) {
    bytes[field..field + 4].fill(0);
    let sum = !bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    bytes[field..field + 4].copy_from_slice(&sum.to_be_bytes());
}

/// A VHD of 2040 GiB in 4 Mi blocks of 512 KiB, with these table entries.
fn vhd(name: &'static str, len: u64, entry: fn(u64) -> u64) -> SharedFile {
    let (size, block) = (2040u64 << 30, 512u32 << 10);
    let entries = size / u64::from(block);
    let mut footer = vec![0; 512];
    footer[..8].copy_from_slice(b"conectix");
    (footer[11], footer[13], footer[63]) = (2, 1, 3);
    footer[16..24].copy_from_slice(&512u64.to_be_bytes());
    footer[48..56].copy_from_slice(&size.to_be_bytes());
    sum(&mut footer, 64);
    let mut header = vec![0; 1024];
    header[..8].copy_from_slice(b"cxsparse");
    header[8..16].fill(0xFF);
    header[16..24].copy_from_slice(&1536u64.to_be_bytes());
    header[25] = 1;
    header[28..32].copy_from_slice(&(entries as u32).to_be_bytes());
    header[32..36].copy_from_slice(&block.to_be_bytes());
    sum(&mut header, 36);
    let parts = vec![(0, footer.clone()), (512, header), (len - 512, footer)];
    Arc::new(Made { name, len, parts, table: (1536, entries), width: 4, entry })
}

/// A VHDX of 64 TiB in blocks of 4 MiB: 16 Mi blocks.
fn vhdx(name: &'static str, entry: fn(u64) -> u64) -> SharedFile {
    use hvm_testkit::vhdx::{Kind, LayerContent, VhdxSpec};
    let image =
        VhdxSpec { seed: 4, ..VhdxSpec::new(Kind::Dynamic, 1) }.image(&LayerContent::new(64 << 40, 4 << 20, 512));
    let (table, mut parts) = (image.places().table, Vec::new());
    for page in image.pages() {
        parts.push((page, image.get(page, 4096)));
    }
    parts.retain(|(at, _)| *at < table || *at >= table + image.places().table_len);
    let count = image.places().table_len / 8;
    Arc::new(Made { name, len: 70 << 40, parts, table: (table, count), width: 8, entry })
}

/// A qcow2 file with a first-level table of 32 MiB.
fn qcow2() -> SharedFile {
    let mut header = vec![0; 112];
    header[..4].copy_from_slice(b"QFI\xfb");
    (header[7], header[23], header[99], header[103]) = (3, 16, 4, 104);
    // 4 Mi entries of 512 MiB each.
    header[24..32].copy_from_slice(&(1u64 << 51).to_be_bytes());
    header[36..40].copy_from_slice(&(4u32 << 20).to_be_bytes());
    header[40..48].copy_from_slice(&65536u64.to_be_bytes());
    header[48..56].copy_from_slice(&(128u64 << 20).to_be_bytes());
    header[56..60].copy_from_slice(&1u32.to_be_bytes());
    let table = (65536, 4 << 20);
    Arc::new(Made {
        name: "greedy.qcow2",
        len: 1 << 30,
        parts: vec![(0, header)],
        table,
        width: 8,
        entry: |n| if n < 8 { 1 << 63 | (n + 600) << 16 } else { 0 },
    })
}

#[test]
fn nothing_takes_more_than_64_mib() {
    let mut worst: Vec<(usize, String)> = Vec::new();
    let mut cases = corpus::vhd();
    cases.extend(corpus::vhdx());
    for case in cases {
        let files: Vec<(String, SharedFile)> =
            case.files.iter().map(|(name, image)| (name.clone(), image_file(name, image.clone()))).collect();
        let (leaf, gate) = (files[0].1.clone(), Files(files.into_iter().collect()));
        worst.push((bounded(&case.name, || look(&leaf, &gate, None)), case.name.clone()));
    }
    for subject in subjects::vhd().iter().chain(&subjects::vhdx()).chain(&subjects::qcow2()) {
        for number in 0..600 {
            let (patches, _) = subject.mutate(&mut Dice::new(number));
            let file: SharedFile = Watched::new(subject.name, subject.base.clone(), patches, 1 << 20);
            let peak = bounded(subject.name, || look(&file, &subject.gate, Some(subject.format)));
            worst.push((peak, format!("{} {number}", subject.name)));
        }
    }
    let volume = subjects::ntfs();
    for number in 0..600 {
        let (patches, _) = volume.mutate(&mut Dice::new(number));
        let file: SharedFile = Watched::lenient(volume.name, volume.base.clone(), patches, 1 << 20);
        worst.push((
            bounded("NTFS", || {
                let _ = oracles::ntfs(&file);
            }),
            format!("NTFS {number}"),
        ));
    }
    for (name, file) in greedy() {
        let begun = std::time::Instant::now();
        let peak = bounded(name, || look(&file, &Files::default(), None));
        println!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
        worst.push((peak, name.to_owned()));
    }
    let small = memory("raw.img", &[1; 4096]);
    bounded("raw", || drop(any_disk(&small, &NoParents, Format::Raw)));
    worst.sort_unstable_by(|one, other| other.cmp(one));
    for (peak, name) in worst.iter().take(12) {
        println!("{:.1} MiB {name}", *peak as f64 / f64::from(1 << 20));
    }
    println!("{} files", worst.len());
}

/// Files as greedy as the formats allow.
fn greedy() -> Vec<(&'static str, SharedFile)> {
    vec![
        ("4 Mi blocks side by side", vhd("full.vhd", 2060 << 30, |n| 40_000 + n * 1025)),
        ("4 Mi blocks at one place", vhd("one.vhd", 2060 << 30, |_| 40_000)),
        ("4 Mi blocks with gaps of 32 sectors", vhd("gaps.vhd", 2140 << 30, |n| 40_000 + n * 1060 % (1 << 32))),
        ("4 Mi blocks outside", vhd("outside.vhd", 1 << 30, |n| 0xF000_0000 + n)),
        ("4 Mi blocks that each overlap the next", vhd("overlap.vhd", 2060 << 30, |n| 40_000 + n * 1000)),
        ("16 Mi blocks side by side", vhdx("full.vhdx", |n| (n * 4 + 1024) << 20 | 6)),
        ("16 Mi blocks at one place", vhdx("one.vhdx", |_| 2048 << 20 | 6)),
        ("16 Mi blocks in an impossible state", vhdx("state.vhdx", |_| 5)),
        ("a first-level table of 32 MiB", qcow2()),
    ]
}
