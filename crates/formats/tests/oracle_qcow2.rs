//! qcow2 against files that the testkit lays out at random from a known content and reads by its own simple reader, and against
//! QEMU on the first of them.
//! `HVM_ORACLE_FILES` sets how many files are made (300 by default).
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod oracle_support;

use disk_support::{content, data_bytes, extents, memory, placed, qemu_compare};
use hvm_formats::disk::{NoParents, open};
use hvm_testkit::qcow2::{ClusterKind, Qcow2Spec, reference};
use hvm_testkit::vhdx::Dice;
use oracle_support::{Counts, run};

#[test]
fn random_qcow2_files_read_as_their_models_and_as_the_reference_reads_them() {
    run("qcow2", 300, one_file);
}

fn one_file(seed: u64, counts: &mut Counts) -> (u64, Option<String>) {
    let mut dice = Dice::new(seed);
    let cluster_bits = [9, 9, 12, 12, 16, 16, 16, 18, 21][dice.below(9) as usize];
    let size = 512 * (1 + dice.below(if cluster_bits > 16 { 9000 } else { 3000 }));
    let mut bytes = vec![0; size as usize];
    for _ in 0..dice.below(20) {
        let start = dice.below(size) as usize;
        let len = (1 + dice.below(30_000) as usize).min(bytes.len() - start);
        let part = dice.bytes(len);
        bytes[start..start + len].copy_from_slice(&part);
    }
    let kinds = match dice.below(3) {
        0 => vec![ClusterKind::Plain],
        1 => vec![ClusterKind::Plain, ClusterKind::Packed],
        _ => vec![ClusterKind::Packed],
    };
    let spec = Qcow2Spec { version: 2 + dice.below(2) as u32, cluster_bits, kinds, seed: dice.roll() };
    counts.add(&format!("version {}", spec.version));
    counts.add(&format!("clusters of {} bytes", 1u64 << cluster_bits));
    if spec.kinds.contains(&ClusterKind::Packed) {
        counts.add("packed clusters");
    }
    let image = spec.image(&bytes);
    if seed < 25 {
        by_qemu(&image, &bytes);
    }
    match reference::read(&image) {
        Ok(theirs) if theirs == bytes => {}
        Ok(_) => return (1, Some("the reference reads other bytes than the model".to_owned())),
        Err(error) => return (1, Some(format!("the reference refuses it: {error}"))),
    }
    let disk = match open(memory("disk.qcow2", image), &NoParents) {
        Ok(disk) => disk,
        Err(error) => return (1, Some(error.to_string())),
    };
    let found = content(&*disk);
    let (data, placed) = (data_bytes(&extents(&*disk, &found)), placed(&*disk, &found));
    let packed = spec.kinds.contains(&ClusterKind::Packed);
    assert!(placed == data || (packed && placed < data), "{placed} of {data}");
    assert!(placed == 0 || spec.kinds.contains(&ClusterKind::Plain), "packed clusters have no place");
    (1, (found != bytes).then(|| "not the model".to_owned()))
}

/// That the testkit lays files out as QEMU understands the format.
fn by_qemu(image: &[u8], bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let (path, raw) = (folder.path().join("disk.qcow2"), folder.path().join("disk.raw"));
    std::fs::write(&path, image).unwrap();
    std::fs::write(&raw, bytes).unwrap();
    qemu_compare("qcow2", &path, &raw);
}
