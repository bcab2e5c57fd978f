//! qcow2 with compressed clusters and with internal snapshots: read back here and by QEMU, and QEMU's own files read here.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use disk_support::{Random, content, extents, memory, qemu_compare, qemu_img};
use hvm_formats::check::check;
use hvm_formats::disk::write::{DiskWriteError, TargetFormat, create};
use hvm_formats::disk::{DiskError, NoParents, VirtualDisk, open};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_formats::qcow2::{NewSnapshot, Packing, Qcow2Disk, Qcow2Error, StateId, TreeWriter, snapshots};

const PIECE: u64 = 65536;

fn file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap()
}

fn shared(path: &Path) -> SharedFile {
    Arc::new(LocalFile::open(path, path.display().to_string()).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fails unless QEMU and our own check find nothing.
fn is_clean(path: &Path) {
    if let Some((fine, text)) = qemu_img(&["check", "-f", "qcow2", text(path)]) {
        assert!(fine && text.contains("No errors"), "{text}");
    }
    let found = check(&shared(path), None).unwrap().findings;
    let faults: Vec<_> =
        found.list.iter().filter(|finding| finding.weight == hvm_formats::check::Weight::Fault).collect();
    assert!(faults.is_empty() && found.unreferenced == 0, "{faults:?} {}", found.unreferenced);
}

/// Text-like bytes that can be packed, and noise that cannot.
fn mixed(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for part in bytes.chunks_mut(PIECE as usize) {
        match random.below(4) {
            0 => {}
            1 => random.fill(part),
            _ => {
                let word = random.next().to_le_bytes();
                part.iter_mut().zip(word.into_iter().cycle()).for_each(|(byte, other)| *byte = other);
                random.fill(&mut part[..100]);
            }
        }
    }
    bytes
}

#[test]
fn compressed_clusters_of_qemu_are_read_with_both_methods() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("disk.raw");
    let bytes = mixed(&mut Random::new(3), (9 << 20) + 512 * 5);
    std::fs::write(&raw, &bytes).unwrap();
    for options in
        ["compression_type=zlib", "compression_type=zstd", "cluster_size=4096", "cluster_size=2M", "compat=0.10"]
    {
        let path = folder.path().join("disk.qcow2");
        let made = qemu_img(&["convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, text(&raw), text(&path)]);
        let Some((made, said)) = made else { return };
        assert!(made, "{options}: {said}");
        let disk = open(shared(&path), &NoParents).unwrap();
        let found = content(&*disk);
        assert!(found == bytes, "{options}");
        extents(&*disk, &found);
        is_clean(&path);
    }
}

#[test]
fn damaged_compressed_clusters_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    let mut writer = create(file(&path), 1 << 20, TargetFormat::Qcow2Zstd, [1; 16]).unwrap();
    let mut random = Random::new(9);
    let bytes: Vec<u8> = (0..1 << 20).map(|_| random.below(20) as u8 * 3).collect();
    writer.write(0, &bytes).unwrap();
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    // The frames lie from the second cluster on; a checksum covers each.
    let frames = 65536..65536 + (400 << 10);
    let mut refused = 0;
    for _ in 0..300 {
        let mut broken = whole.clone();
        broken[frames.start + random.below(frames.len() as u64) as usize] ^= 1 << random.below(8);
        let disk = open(memory("disk.qcow2", broken), &NoParents).unwrap();
        let mut buffer = vec![0; 1 << 20];
        match disk.read_at(0, &mut buffer) {
            Err(error) => {
                assert!(matches!(error, DiskError::Qcow2(Qcow2Error::Unpack { .. })), "{error}");
                refused += 1;
            }
            // A bit that means nothing.
            Ok(()) => assert!(buffer == bytes),
        }
    }
    assert!(refused > 290, "{refused}");
    // Anywhere else nothing may panic.
    for _ in 0..300 {
        let mut broken = whole.clone();
        let at = random.below(whole.len() as u64 - frames.end as u64) as usize + frames.end;
        broken[if random.below(4) == 0 { at % 120 } else { at }] ^= 1 << random.below(8);
        if let Ok(disk) = open(memory("disk.qcow2", broken), &NoParents) {
            let _ = disk.read_at(0, &mut vec![0; disk.size().min(1 << 20) as usize]);
        }
    }
    let mut broken = whole.clone();
    broken[104] = 2;
    let error = open(memory("disk.qcow2", broken), &NoParents).err().unwrap();
    assert!(matches!(error, DiskError::Qcow2(Qcow2Error::Compression { found: 2, .. })), "{error}");
    let mut broken = whole;
    broken[79] = 0;
    let error = open(memory("disk.qcow2", broken), &NoParents).err().unwrap();
    assert!(matches!(error, DiskError::Qcow2(Qcow2Error::Compression { found: 1, .. })), "{error}");
}

/// One state as the test knows it.
struct Model {
    id: StateId,
    name: String,
    bytes: Vec<u8>,
}

fn snapshot(number: usize) -> NewSnapshot {
    let name = format!("Größe {number}");
    NewSnapshot { id: (number + 1).to_string(), name, date: (1_280_000_000 + number as u32, 5) }
}

/// Changes a state at random: writes and zeros in ascending order.
fn change(writer: &mut TreeWriter, random: &mut Random, bytes: &mut [u8]) {
    let size = bytes.len() as u64;
    let mut at = random.below(20) * PIECE;
    while at < size {
        let end = (at + (1 + random.below(12)) * PIECE).min(size);
        let part = &mut bytes[at as usize..end as usize];
        if random.below(3) == 0 {
            part.fill(0);
            writer.zero(at, end - at).unwrap();
        } else {
            part.copy_from_slice(&mixed(random, part.len()));
            writer.write(at, part).unwrap();
        }
        at = end.next_multiple_of(PIECE) + random.below(60) * PIECE;
    }
}

fn random_tree(path: &Path, seed: u64, packing: Packing) -> Vec<Model> {
    let mut random = Random::new(seed);
    let mut writer = TreeWriter::new(file(path), packing).unwrap();
    let mut models: Vec<Model> = Vec::new();
    let count = 1 + random.below(6) as usize;
    for number in 0..=count {
        let parent = (!models.is_empty()).then(|| &models[random.below(models.len() as u64) as usize]);
        let mut bytes = parent.map_or_else(|| vec![0; (5 << 20) + 512 * 3], |parent| parent.bytes.clone());
        if random.below(4) == 0 {
            bytes.resize(bytes.len() + 512 * 400, 0);
        }
        let new = (number < count).then(|| snapshot(number));
        let name = new.as_ref().map_or_else(String::new, |new| new.name.clone());
        let id = writer.begin(parent.map(|parent| parent.id), bytes.len() as u64, new).unwrap();
        if random.below(5) > 0 {
            change(&mut writer, &mut random, &mut bytes);
        }
        models.push(Model { id, name, bytes });
    }
    writer.finish().unwrap();
    models
}

#[test]
fn each_state_of_a_checkpoint_tree_reads_as_its_model_here_and_in_qemu() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..24 {
        let packing = if seed % 3 == 0 { Packing::Zstd } else { Packing::Plain };
        let path = folder.path().join(format!("tree{seed}.qcow2"));
        let models = random_tree(&path, seed, packing);
        is_clean(&path);
        let listed = snapshots(&shared(&path)).unwrap();
        assert_eq!(listed.len(), models.len() - 1);
        let raw = folder.path().join("state.raw");
        for (number, model) in models.iter().enumerate() {
            let disk = match listed.get(number) {
                Some(found) => {
                    assert_eq!((&found.name, found.size, found.vm_state), (&model.name, model.bytes.len() as u64, 0));
                    assert_eq!(found.date, (1_280_000_000 + number as u32, 5));
                    Qcow2Disk::open_snapshot(shared(&path), &model.name).unwrap()
                }
                None => Qcow2Disk::open(shared(&path)).unwrap(),
            };
            let found = content(&disk);
            assert!(found == model.bytes, "seed {seed} state {number}");
            extents(&disk, &found);
            // QEMU has one process per state: a part of the trees is enough.
            if seed < 8 {
                std::fs::write(&raw, &model.bytes).unwrap();
                qemu_state(&path, (!model.name.is_empty()).then_some(&model.name), &raw);
            }
        }
        std::fs::remove_file(path).unwrap();
    }
}

/// Fails unless `qemu-img convert` of a state gives the bytes of `raw`.
fn qemu_state(path: &Path, name: Option<&String>, raw: &Path) {
    let Some(name) = name else { return qemu_compare("qcow2", path, raw) };
    let out = raw.with_extension("qemu");
    let option = format!("snapshot.name={name}");
    let Some((fine, said)) = qemu_img(&["convert", "-l", &option, "-f", "qcow2", "-O", "raw", text(path), text(&out)])
    else {
        return;
    };
    assert!(fine, "{said}");
    // qemu-img gives a snapshot the size of the active state.
    let (found, expected) = (std::fs::read(&out).unwrap(), std::fs::read(raw).unwrap());
    let common = found.len().min(expected.len());
    assert!(found[..common] == expected[..common], "{name}");
    assert!(found[common..].iter().all(|byte| *byte == 0), "{name}");
}

#[test]
fn qemu_lists_applies_and_deletes_the_snapshots_and_the_file_stays_clean() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.qcow2");
    let models = random_tree(&path, 6, Packing::Plain);
    let Some((fine, said)) = qemu_img(&["snapshot", "-l", text(&path)]) else { return };
    assert!(fine && said.contains("Größe 0") && said.contains("2010-07-24"), "{said}");
    let raw = folder.path().join("state.raw");
    let first = &models[0];
    for (arguments, clean) in [("-a", true), ("-d", true)] {
        let (fine, said) = qemu_img(&["snapshot", arguments, &first.name, text(&path)]).unwrap();
        assert!(fine && clean, "{said}");
        is_clean(&path);
    }
    std::fs::write(&raw, &first.bytes).unwrap();
    qemu_compare("qcow2", &path, &raw);
    assert_eq!(snapshots(&shared(&path)).unwrap().len(), models.len() - 2);
}

#[test]
fn what_does_not_differ_takes_no_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.qcow2");
    let mut writer = TreeWriter::new(file(&path), Packing::Plain).unwrap();
    let size = 3 << 30;
    let mut state = writer.begin(None, size, Some(snapshot(0))).unwrap();
    writer.write(0, &vec![1; 8 << 20]).unwrap();
    writer.write(2 << 30, &vec![2; 8 << 20]).unwrap();
    for number in 1..40 {
        state = writer.begin(Some(state), size, Some(snapshot(number))).unwrap();
        writer.write(number as u64 * PIECE, &[number as u8; PIECE as usize]).unwrap();
    }
    writer.finish().unwrap();
    is_clean(&path);
    // 16 MiB of the first state, then for each of 39 a cluster, a second- and a first-level table; the active state has only
    // a first-level table; two tables of the first state.
    let clusters = 1 + 256 + 2 + 1 + 39 * 3 + 1 + 1 + 2;
    assert_eq!(path.metadata().unwrap().len(), clusters * PIECE);
}

#[test]
fn states_in_a_senseless_order_are_refused_and_no_disk_is_there_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.qcow2");
    let mut writer = TreeWriter::new(file(&path), Packing::Plain).unwrap();
    assert!(matches!(writer.write(0, &[1; 512]), Err(DiskWriteError::StateOrder)));
    let first = writer.begin(None, 1 << 20, Some(snapshot(0))).unwrap();
    assert!(matches!(writer.begin(None, 1 << 60, None), Err(DiskWriteError::SizeTooLarge { .. })));
    assert!(matches!(writer.begin(Some(first), 65536, None), Err(DiskWriteError::ChildSmaller { .. })));
    writer.begin(Some(first), 1 << 20, None).unwrap();
    writer.write(0, &vec![7; 1 << 20]).unwrap();
    assert!(matches!(writer.begin(Some(first), 1 << 20, None), Err(DiskWriteError::StateOrder)));
    writer.sync().unwrap();
    assert!(open(shared(&path), &NoParents).is_err(), "not before the end");
    writer.finish().unwrap();
    let error = Qcow2Disk::open_snapshot(shared(&path), "none").err().unwrap();
    assert!(matches!(error, DiskError::Qcow2(Qcow2Error::NoSnapshot { found: 1, .. })), "{error}");
    let none = TreeWriter::new(file(&path), Packing::Plain).unwrap();
    assert!(none.finish().is_err());
}

#[test]
fn each_flipped_byte_of_the_snapshot_table_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tree.qcow2");
    random_tree(&path, 4, Packing::Plain);
    let whole = std::fs::read(&path).unwrap();
    let table = u64::from_be_bytes(whole[64..72].try_into().unwrap()) as usize;
    for at in (60..72).chain(table..table + 300) {
        for bit in [1, 0x10, 0x80] {
            let mut broken = whole.clone();
            broken[at] ^= bit;
            let file = memory("tree.qcow2", broken);
            for found in snapshots(&file).unwrap_or_default() {
                if let Ok(disk) = Qcow2Disk::open_snapshot(file.clone(), &found.id) {
                    let mut buffer = vec![0; disk.size().min(1 << 16) as usize];
                    let _ = disk.read_at(0, &mut buffer);
                }
            }
        }
    }
}
