//! Files of Windows and QEMU.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use disk_support::{Files, content, extents, qemu_img, sample, seal};
use hvm_formats::disk::{
    Checksums, DiskError, LayerFormat, NoParents, OpenOptions, headers, headers_with, open, open_with,
};
use hvm_formats::vhd::VhdError;

#[test]
fn the_fixed_disk_of_windows_reads_as_its_bytes() {
    let Some(bytes) = sample("fixed.vhd.gz") else { return };
    let disk = open(disk_support::memory("fixed.vhd", bytes.clone()), &NoParents).unwrap();
    assert_eq!(disk.size(), 10_485_760);
    assert!(content(&*disk) == bytes[..10_485_760]);
    let layer = &disk.layers()[0];
    assert_eq!(layer.format, LayerFormat::VhdFixed);
    assert_eq!((layer.creator.as_str(), layer.timestamp), ("win", 638_382_933));
    assert_eq!(layer.unique_id, "b895e418-3894-e744-9a88-9a420be4e5ca");
    // 301 cylinders, 4 heads, 17 sectors: smaller than the disk.
    assert_eq!(layer.geometry_size, Some(10_479_616));
    assert_eq!(layer.remarks, Vec::<String>::new());
}

#[test]
fn the_dynamic_disk_of_windows_has_the_content_of_the_fixed_one_as_qemu_reads_it() {
    let Some(bytes) = sample("dynamic.vhd.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (image, raw) = (folder.path().join("dynamic.vhd"), folder.path().join("dynamic.raw"));
    std::fs::write(&image, &bytes).unwrap();
    let disk = open(disk_support::memory("dynamic.vhd", bytes), &NoParents).unwrap();
    let layer = &disk.layers()[0];
    assert_eq!((layer.format, layer.block_size, layer.allocated), (LayerFormat::VhdDynamic, 2 << 20, 6 << 20));
    assert_eq!(layer.remarks, Vec::<String>::new());
    let ours = content(&*disk);
    // The table is 15, 8223, unused, 4119, unused.
    let found: Vec<(u64, u64)> = extents(&*disk, &ours).iter().map(|extent| (extent.start, extent.len)).collect();
    assert_eq!(found, [(0, 4 << 20), (4 << 20, 2 << 20), (6 << 20, 2 << 20), (8 << 20, 2 << 20)]);
    let paths = (image.to_str().unwrap(), raw.to_str().unwrap());
    if let Some((fine, text)) = qemu_img(&["convert", "-f", "vpc", "-O", "raw", paths.0, paths.1]) {
        assert!(fine, "{text}");
        assert!(ours == std::fs::read(&raw).unwrap());
    }
}

#[test]
fn the_differencing_pair_has_stale_checksums_and_reads_once_they_are_right() {
    let (Some(mut child), Some(mut parent)) = (sample("image-differential.vhd.xz"), sample("image.vhd.xz")) else {
        return;
    };
    let mut files = Files::default();
    // Made by patching other disks: the footers and the child's dynamic header keep the checksums of the unpatched files.
    let accept = OpenOptions { checksums: Checksums::Accept, ..OpenOptions::default() };
    let expected = by_hand(&child, &parent);
    files.add("image.vhd", parent.clone());
    let file = disk_support::memory("image-differential.vhd", child.clone());
    let error = open(file.clone(), &files).err().unwrap();
    assert!(error.to_string().contains("--accept-checksums"), "{error}");
    let disk = open_with(file.clone(), &files, &accept).unwrap();
    assert!(content(&*disk) == expected);
    let remarks: Vec<usize> = disk.layers().iter().map(|layer| layer.remarks.len()).collect();
    // Footer and dynamic header of the child; footer of the parent, and that the child records no time stamp of it.
    assert_eq!(remarks, [2, 2], "{:?}", disk.layers());
    assert_eq!(headers_with(&file, &accept).unwrap().format, LayerFormat::VhdDifferencing);

    seal(&mut parent[2_099_712..], 64);
    files.add("image.vhd", parent.clone());
    let len = child.len();
    let error = open(disk_support::memory("image-differential.vhd", child.clone()), &files).err().unwrap();
    let at = len as u64 - 512;
    assert!(matches!(error, DiskError::Vhd(VhdError::FooterChecksum { offset, .. }) if offset == at), "{error}");
    seal(&mut child[len - 512..], 64);
    let error = open(disk_support::memory("image-differential.vhd", child.clone()), &files).err().unwrap();
    assert!(matches!(error, DiskError::Vhd(VhdError::HeaderChecksum { offset: 512, .. })), "{error}");
    seal(&mut child[512..1536], 36);

    let file = disk_support::memory("image-differential.vhd", child.clone());
    let layer = headers(&file).unwrap();
    assert_eq!(layer.format, LayerFormat::VhdDifferencing);
    let request = layer.parent.unwrap();
    assert_eq!((request.name.as_str(), request.timestamp), ("image.vhd", 0));
    assert!(matches!(open(file.clone(), &NoParents), Err(DiskError::MissingParent { .. })));
    let disk = open(file, &files).unwrap();
    assert_eq!(disk.layers().len(), 2);
    let found = content(&*disk);
    assert!(found == expected);
    extents(&*disk, &found);
}

/// Sector by sector after the specification; both files hold their one block at sector 4.
fn by_hand(child: &[u8], parent: &[u8]) -> Vec<u8> {
    let bit = |file: &[u8], sector: usize| file[4 * 512 + sector / 8] & (0x80 >> (sector % 8)) != 0;
    let mut disk = vec![0; 104_448];
    for sector in 0..104_448 / 512 {
        for file in [child, parent] {
            if bit(file, sector) {
                disk[sector * 512..][..512].copy_from_slice(&file[(5 + sector) * 512..][..512]);
                break;
            }
        }
    }
    disk
}
