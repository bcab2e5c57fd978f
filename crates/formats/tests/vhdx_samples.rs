//! VHDX files of Hyper-V and QEMU.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use disk_support::{Random, content, extents, qemu_img};
use hvm_formats::disk::{LayerFormat, NoParents, SharedDisk, VirtualDisk, headers, open};
use hvm_formats::io::LocalFile;

/// Unpacks a sample into `folder`; says aloud when it is skipped. Holes stay holes: the samples are large.
fn unpack(name: &str, folder: &Path) -> Option<std::path::PathBuf> {
    let bytes = disk_support::sample(&format!("{name}.bz2"))?;
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    Some(path)
}

fn read(path: &Path) -> SharedDisk {
    let name = path.file_name().unwrap().to_str().unwrap();
    open(Arc::new(LocalFile::open(path, name).unwrap()), &NoParents).unwrap()
}

/// Compares the disk with the raw file `raw` piece by piece.
fn same_as_raw(disk: &dyn VirtualDisk, raw: &Path) {
    use std::os::unix::fs::FileExt;
    let raw = std::fs::File::open(raw).unwrap();
    assert_eq!(disk.size(), raw.metadata().unwrap().len());
    let mut at = 0;
    let (mut ours, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    while at < disk.size() {
        let extent = disk.extent(at).unwrap();
        assert!(extent.start == at && extent.len > 0);
        let end = at + extent.len;
        if extent.kind == hvm_formats::disk::ExtentKind::Zero {
            // A long run of zeros is looked at in its first and last MiB and at 100 places.
            for place in (0..102).map(|n| at + (extent.len.saturating_sub(1 << 20)) / 101 * n) {
                let len = (end - place).min(1 << 20) as usize;
                raw.read_exact_at(&mut theirs[..len], place).unwrap();
                assert!(theirs[..len].iter().all(|&byte| byte == 0), "data at {place}");
            }
        } else {
            while at < end {
                let len = (end - at).min(1 << 20) as usize;
                disk.read_at(at, &mut ours[..len]).unwrap();
                raw.read_exact_at(&mut theirs[..len], at).unwrap();
                assert!(ours[..len] == theirs[..len], "difference at {at}");
                at += len as u64;
            }
        }
        at = end;
    }
}

#[test]
fn the_disk_of_hyper_v_reads_as_qemu_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = unpack("iotest-dynamic-1G.vhdx", folder.path()) else { return };
    let disk = read(&path);
    let layer = &disk.layers()[0];
    assert_eq!((layer.format, layer.virtual_size), (LayerFormat::VhdxDynamic, 1 << 30));
    assert_eq!(layer.remarks, Vec::<String>::new());
    let raw = folder.path().join("raw");
    let (from, to) = (path.to_str().unwrap(), raw.to_str().unwrap());
    if let Some((fine, text)) = qemu_img(&["convert", "-f", "vhdx", "-O", "raw", from, to]) {
        assert!(fine, "{text}");
        same_as_raw(&*disk, &raw);
    }
}

#[test]
fn a_log_that_was_not_applied_is_read_as_if_it_were_and_the_file_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = unpack("iotest-dirtylog-10G-4M.vhdx", folder.path()) else { return };
    let before = checksum_of(&path);
    let disk = read(&path);
    let layer = &disk.layers()[0];
    assert_eq!((layer.virtual_size, layer.block_size), (10 << 30, 1 << 20));
    assert_eq!(layer.remarks.len(), 1, "{:?}", layer.remarks);
    assert!(layer.remarks[0].contains("The log was not applied"), "{:?}", layer.remarks);
    // QEMU's test writes 0xa5 there; readers that put the pages of the log together wrongly see zeros.
    let mut piece = vec![0; 1 << 20];
    disk.read_at(17_825_792, &mut piece).unwrap();
    assert!(piece.iter().all(|&byte| byte == 0xA5));

    let copy = folder.path().join("replayed.vhdx");
    std::fs::copy(&path, &copy).unwrap();
    let raw = folder.path().join("raw");
    let (from, to) = (copy.to_str().unwrap(), raw.to_str().unwrap());
    if let Some((fine, text)) = qemu_img(&["check", "-f", "vhdx", "-r", "all", from]) {
        assert!(fine, "{text}");
        let (fine, text) = qemu_img(&["convert", "-f", "vhdx", "-O", "raw", from, to]).unwrap();
        assert!(fine, "{text}");
        same_as_raw(&*disk, &raw);
        let replayed = read(&copy);
        assert_eq!(replayed.layers()[0].remarks, Vec::<String>::new());
        same_as_raw(&*replayed, &raw);
    }
    assert_eq!(checksum_of(&path), before, "the source was written to");
}

fn checksum_of(path: &Path) -> Vec<u8> {
    Command::new("cksum").arg(path).output().unwrap().stdout
}

#[test]
fn disks_that_qemu_wrote_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(5);
    let mut bytes = vec![0; (20 << 20) + 512 * 9];
    for _ in 0..40 {
        let at = random.below(bytes.len() as u64 - 70_000) as usize / 512 * 512;
        let len = 512 * (1 + random.below(128) as usize);
        random.fill(&mut bytes[at..at + len]);
    }
    let raw = folder.path().join("model");
    std::fs::write(&raw, &bytes).unwrap();
    let path = folder.path().join("qemu.vhdx");
    let sizes = [1u32, 2, 8, 64, 256];
    for (subformat, size) in sizes.iter().flat_map(|size| [("dynamic", size), ("fixed", size)]) {
        // QEMU marks empty blocks as zero; Windows wants them as not present.
        for zero in if subformat == "fixed" { &["on"][..] } else { &["on", "off"] } {
            let options = format!("subformat={subformat},block_size={size}M,block_state_zero={zero}");
            let (from, to) = (raw.to_str().unwrap(), path.to_str().unwrap());
            let Some((fine, text)) = qemu_img(&["convert", "-f", "raw", "-O", "vhdx", "-o", &options, from, to]) else {
                return;
            };
            assert!(fine, "{text}");
            let disk = read(&path);
            let layer = &disk.layers()[0];
            let kind = if subformat == "fixed" { LayerFormat::VhdxFixed } else { LayerFormat::VhdxDynamic };
            assert_eq!((layer.format, layer.block_size), (kind, size << 20), "{options}");
            assert_eq!(layer.remarks, Vec::<String>::new(), "{options}");
            let found = content(&*disk);
            assert!(found == bytes, "{options}");
            extents(&*disk, &found);
            assert_eq!(headers(&(Arc::new(LocalFile::open(&path, "q.vhdx").unwrap()) as _)).unwrap().format, kind);
        }
    }
}
