//! The n-th read, write, flush, cut, rename, opening or removal of a file fails, or moves too little, for every n of every
//! kind of small conversion: the error names the file and what to do, nothing half-done has a final name, the source stays
//! as it was, and the same command again gives what an undisturbed run gives. So it is for a run that goes on where another
//! was cut off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::fs;

use common::Scene;
use faults_support::Shim;
use faults_support::job::{Job, Tried};
use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};

/// MiB of a disk that two blocks of each format hold, and of one that more do, for a run that goes on behind some.
const SMALL: u64 = 2;
const LARGER: u64 = 3;

/// A scene with a disk and a chain of so many MiB, and a folder for what is made.
fn scene(mib: u64) -> Scene {
    let scene = Scene::in_memory();
    let source = scene.dir.join("source");
    fs::create_dir(&source).unwrap();
    let size = (mib << 20) + 65536;
    let (mut below, mut own) = (ContentModel::new(size), ContentModel::new(size));
    for run in 0..mib {
        below.fill(run * 2048 + 100, 900, run + 1);
        own.fill(run * 2048 + 700, 500, run + 50);
    }
    fs::write(source.join("disk.raw"), own.over(&below).to_vec()).unwrap();
    let blocks = || Blocks { size: 512 << 10, ..Blocks::default() };
    let base = VhdSpec::new(VhdKind::Dynamic(blocks()), [1; 16]);
    base.image(&below).write_to(&source.join("base.vhd")).unwrap();
    let locators = vec![Locator::new(b"W2ru", ".\\base.vhd")];
    let (unique_id, timestamp, name) = (base.unique_id, base.timestamp, "base.vhd".to_owned());
    let parent = Parent { unique_id, timestamp, name, locators, stale: None };
    let leaf = VhdSpec::new(VhdKind::Differencing(blocks(), parent), [2; 16]);
    leaf.image(&own).write_to(&source.join("leaf.vhd")).unwrap();
    scene
}

const FORMATS: [(&str, &str, &[&str]); 7] = [
    ("raw", "out/copy.raw", &[]),
    ("vhd", "out/copy.vhd", &[]),
    ("vhd-fixed", "out/copy.vhd", &[]),
    ("vhdx", "out/copy.vhdx", &[]),
    ("vhdx-fixed", "out/copy.vhdx", &[]),
    ("qcow2", "out/copy.qcow2", &[]),
    ("qcow2", "out/copy.qcow2", &["--compress"]),
];

/// A new file of each format of a list, and what to do with the job that makes it.
fn each_format(mib: u64, source: &str, (more, formats): (&[&str], &[usize]), check: impl Fn(Job<'_>)) {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene(mib);
    for (to, output, packing) in formats.iter().map(|format| FORMATS[*format]) {
        let args = ["disk", "convert", source, output, "--to", to, "--format", "json"];
        let args = [args.as_slice(), packing, more].concat();
        check(Job::new(&shim, &scene, &args, output.strip_prefix("out/").unwrap()));
    }
}

fn survives(source: &str, more: &[&str], formats: &[usize]) {
    each_format(SMALL, source, (more, formats), |job| {
        let tried = job.try_all();
        assert!(tried.went_on > 0, "{tried:?}");
    });
}

#[test]
fn a_conversion_to_raw_and_vhd_survives_each_fault() {
    survives("source/disk.raw", &[], &[0, 1, 2]);
}

#[test]
fn a_conversion_to_vhdx_survives_each_fault() {
    survives("source/disk.raw", &[], &[3, 4]);
}

#[test]
fn a_conversion_to_qcow2_survives_each_fault() {
    survives("source/disk.raw", &[], &[5, 6]);
}

const MANIFEST: [&str; 2] = ["--manifest", "out/manifest.json"];

#[test]
fn a_conversion_of_a_chain_to_raw_and_vhd_with_a_manifest_survives_each_fault() {
    survives("source/leaf.vhd", &MANIFEST, &[0, 1, 2]);
}

#[test]
fn a_conversion_of_a_chain_to_vhdx_with_a_manifest_survives_each_fault() {
    survives("source/leaf.vhd", &MANIFEST, &[3, 4]);
}

#[test]
fn a_conversion_of_a_chain_to_qcow2_with_a_manifest_survives_each_fault() {
    survives("source/leaf.vhd", &MANIFEST, &[5, 6]);
}

#[test]
fn a_flushed_conversion_to_raw_and_vhd_survives_each_fault() {
    survives("source/leaf.vhd", &["--sync"], &[0, 1, 2]);
}

#[test]
fn a_flushed_conversion_to_vhdx_survives_each_fault() {
    survives("source/leaf.vhd", &["--sync"], &[3, 4]);
}

#[test]
fn a_flushed_conversion_to_qcow2_survives_each_fault() {
    survives("source/leaf.vhd", &["--sync"], &[5, 6]);
}

#[test]
fn a_conversion_that_goes_on_survives_each_fault() {
    each_format(LARGER, "source/leaf.vhd", (&MANIFEST, &[0, 1, 3, 5]), |job| {
        let tried = job.after_a_cut("write", 3).try_all();
        // Whatever fails, what the first run wrote is not thrown away but where its list itself cannot be read.
        assert!(tried.went_on > tried.failed / 2, "{tried:?}");
    });
}

#[test]
fn a_chain_kept_as_vhd_survives_each_fault() {
    kept("vhd", "out/copy.vhd", |job| job.try_all());
}

#[test]
fn a_chain_kept_as_vhdx_survives_each_fault() {
    kept("vhdx", "out/copy.vhdx", |job| job.try_all());
}

#[test]
fn a_chain_kept_as_qcow2_survives_each_fault() {
    kept("qcow2", "out/copy.qcow2", |job| job.try_all());
}

#[test]
fn a_kept_chain_that_goes_on_survives_each_fault() {
    kept("vhdx", "out/copy.vhdx", |job| job.after_a_cut("write", 9).try_all());
    kept("vhd", "out/copy.vhd", |job| job.after_a_cut("rename", 0).try_all());
}

fn kept(to: &str, output: &str, check: impl Fn(Job<'_>) -> Tried) {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene(SMALL);
    let args = ["disk", "convert", "source/leaf.vhd", output, "--to", to, "--keep-chain", "--format", "json"];
    check(Job::new(&shim, &scene, &args, output.strip_prefix("out/").unwrap()));
}

#[test]
fn a_manifest_of_a_chain_survives_each_fault() {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene(SMALL);
    let args = ["disk", "manifest", "source/leaf.vhd", "--output", "out/manifest.json"];
    Job::new(&shim, &scene, &args, "manifest.json").try_all();
}
