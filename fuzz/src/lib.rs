//! What the fuzz targets do with an input: the oracles of the tests, the good files that inputs change, and the parents that
//! children may find. The first byte of most inputs says how the rest is meant; what is odd there has its checksums written
//! anew, because an input with a wrong one gets no further than its first structure.
#![forbid(unsafe_code)]

pub mod answers;
pub mod inside;
#[path = "../../crates/formats/tests/oracles/mod.rs"]
pub mod oracles;
pub mod patch;
pub mod seal;

use std::panic::{catch_unwind, set_hook, take_hook};

use hvm_formats::disk::{Format, NoParents};
use hvm_formats::io::SharedFile;
use hvm_formats::qcow2::{Qcow2Disk, snapshots};
use hvm_testkit::vhdx::SparseImage;
use hvm_testkit::vhdx::edit::{HEADERS, REGIONS};
use hvm_testkit::vhdx::reference;

use oracles::subjects::{self, Patches, Seal, Subject};
use oracles::{Files, Watched, any_disk, image_file, memory, walk_disk};

/// Reads of one input.
const BOUND: u64 = 200_000;
/// Inputs of this length and more are files as they are.
pub const WHOLE_FILE: usize = 1 << 20;
/// Bit of the first byte: the checksums are written anew.
pub const SEALED: u8 = 1;
/// Bit of the first byte: the rest are pieces of any length at any place, see [`patch`].
pub const PIECES: u8 = 2;
/// Bit of the first byte: the rest is a whole file.
pub const FILE: u8 = 4;
/// Files that are given in pieces have a multiple of this length.
pub const VHDX_UNIT: u64 = 1 << 20;
/// The same.
pub const QCOW2_UNIT: u64 = 128 << 10;

/// The input as a file that allows no read outside and not too many.
fn watched(name: &str, data: &[u8]) -> SharedFile {
    Watched::new(name, memory(name, data), Vec::new(), BOUND)
}

/// A VHD behind its first byte. A child finds the parent of the sample.
pub fn vhd(data: &[u8]) {
    thread_local!(static GATE: Files = subjects::vhd().remove(2).gate);
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if first & SEALED != 0 {
        seal::vhd(&mut bytes);
    }
    GATE.with(|gate| any_disk(&watched("input.avhd", &bytes), gate, Format::Vhd));
}

/// A qcow2 behind its first byte, or its pieces; its internal snapshots are opened, too.
pub fn qcow2(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let file = match first & PIECES {
        0 => watched("input.qcow2", rest),
        _ => {
            let (image, pieces) = sparse(*first, rest, QCOW2_UNIT);
            Watched::new("input.qcow2", image_file("input.qcow2", image), pieces, BOUND)
        }
    };
    any_disk(&file, &NoParents, Format::Qcow2);
    for snapshot in snapshots(&file).unwrap_or_default().iter().take(4) {
        if let Ok(disk) = Qcow2Disk::open_snapshot(file.clone(), &snapshot.id) {
            walk_disk(&disk);
        }
    }
}

/// An empty file, whose length the upper half of the first byte says, and the pieces of it.
fn sparse(first: u8, rest: &[u8], unit: u64) -> (SparseImage, Patches) {
    let mut image = SparseImage::default();
    image.set_len(u64::from(first >> 4) * unit);
    let pieces = patch::decode(rest, image.len);
    (image, pieces)
}

/// A VHDX: changes to a small child with a log that was not applied, or a file of at most 15 MiB of which only the pieces
/// that are not zero are given, or a whole file.
pub fn vhdx(data: &[u8]) {
    thread_local!(static CHILD: Subject = subjects::vhdx().remove(1));
    if data.len() >= WHOLE_FILE {
        agrees_with_reference(&SparseImage::from(data));
        return;
    }
    let Some((first, rest)) = data.split_first() else { return };
    if first & PIECES == 0 {
        CHILD.with(|child| {
            let file: SharedFile = Watched::new(child.name, child.base.clone(), changes(child, data), BOUND);
            any_disk(&file, &child.gate, child.format);
        });
        return;
    }
    let (mut image, mut pieces) = sparse(*first, rest, VHDX_UNIT);
    if first & SEALED != 0 {
        vhdx_subject(&image, &pieces).seal(&mut pieces);
    }
    pieces.iter().for_each(|(at, bytes)| image.put(*at, bytes));
    agrees_with_reference(&image);
}

/// What of an image of pieces carries a checksum.
fn vhdx_subject(empty: &SparseImage, pieces: &Patches) -> Subject {
    let mut seals: Vec<Seal> = HEADERS.map(|start| Seal::Crc { start, len: 4096 }).to_vec();
    seals.extend(REGIONS.map(|start| Seal::Crc { start, len: 65536 }));
    seals.retain(|seal| seal.range().1 <= empty.len);
    for (at, bytes) in pieces.iter().filter(|(_, bytes)| bytes.starts_with(b"loge")) {
        let Some(len) = bytes.get(8..12).and_then(|len| Some(u32::from_le_bytes(len.try_into().ok()?))) else {
            continue;
        };
        if (64..=1 << 20).contains(&len) && at + u64::from(len) <= empty.len {
            seals.push(Seal::Crc { start: *at, len: len as usize });
        }
    }
    let base = image_file("input.vhdx", empty.clone());
    Subject {
        name: "input.vhdx",
        base,
        gate: Files::default(),
        format: Format::Vhdx,
        fields: Vec::new(),
        idle: Vec::new(),
        seals,
        structures: Vec::new(),
        expected: Vec::new(),
        bound: BOUND,
    }
}

/// A VHDX as the naive reader of the testkit reads it, which believes more: it is asked only about what ours has read.
fn agrees_with_reference(image: &SparseImage) {
    let base = image_file("input.vhdx", image.clone());
    let file: SharedFile = Watched::new("input.vhdx", base, Vec::new(), BOUND);
    let Some(found) = any_disk(&file, &NoParents, Format::Vhdx) else { return };
    if found.len() > 8 << 20 {
        return;
    }
    // It has no bounds of its own, so that only its answers count, not its panics, which the fuzzer would take for ours.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let theirs = catch_unwind(|| reference::read_chain(&[image]));
    set_hook(hook);
    if let Ok(Ok(theirs)) = theirs {
        assert!(theirs == found, "the reference reads other content");
    }
}

/// The volume of the testkit with changes, or a whole one.
pub fn ntfs(data: &[u8]) {
    thread_local!(static VOLUME: Subject = subjects::ntfs());
    if data.len() >= WHOLE_FILE {
        oracles::ntfs(&(Watched::lenient("input.img", memory("input.img", data), Vec::new(), BOUND) as SharedFile));
        return;
    }
    VOLUME.with(|volume| {
        let file: SharedFile = Watched::lenient(volume.name, volume.base.clone(), changes(volume, data), BOUND);
        oracles::ntfs(&file);
    });
}

/// A hive and its log: the first byte, the length of the log in two bytes, the log, the hive.
pub fn hive(data: &[u8]) {
    let Some(([first, low, high], rest)) = data.split_first_chunk::<3>() else { return };
    let at = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (log, primary) = rest.split_at(at);
    let (mut log, mut primary) = (log.to_vec(), primary.to_vec());
    if first & SEALED != 0 {
        seal::hive(&mut primary);
        seal::hive(&mut log);
        seal::hive_log(&mut log);
    }
    let logs: &[(&str, &[u8])] = if log.is_empty() { &[] } else { &[("HIVE.LOG1", &log)] };
    oracles::hive(primary, logs);
}

/// A HyperVStorage file: whole behind its first byte, or changes to one whose log was not applied.
pub fn hvs(data: &[u8]) {
    thread_local!(static DIRTY: Subject = subjects::hvs().remove(1));
    let Some((first, rest)) = data.split_first() else { return };
    if first & FILE == 0 {
        DIRTY.with(|dirty| {
            let file: SharedFile = Watched::new(dirty.name, dirty.base.clone(), changes(dirty, data), BOUND);
            oracles::hvs(&file);
        });
        return;
    }
    let mut bytes = rest.to_vec();
    if first & SEALED != 0 {
        seal::hvs(&mut bytes);
    }
    oracles::hvs(&watched("input.vmcx", &bytes));
}

/// Changes to a good file: pieces, or 10 bytes each, the number of a field and eight new bytes for it.
fn changes(subject: &Subject, data: &[u8]) -> Patches {
    let Some((first, rest)) = data.split_first() else { return Patches::new() };
    let mut patches = Patches::new();
    if first & PIECES != 0 {
        patches = patch::decode(rest, subject.base.len());
    } else {
        for change in rest.as_chunks::<10>().0.iter().take(8) {
            let field = usize::from(u16::from_le_bytes([change[0], change[1]]));
            let (at, len) = subject.fields[field % subject.fields.len()];
            patches.push((at, change[2..2 + len.min(8)].to_vec()));
        }
    }
    if first & SEALED != 0 {
        subject.seal(&mut patches);
    }
    patches
}
