//! Chains converted layer by layer: each layer read as a leaf has the content that it had in the source, by this reader, by
//! the testkit's independent ones and by QEMU; nothing is overwritten; a run that was killed at any point goes on.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hvm_formats::disk::{self, GateError, LayerFormat, ParentGate, ParentRequest, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_formats::qcow2::{Qcow2Disk, snapshots};
use hvm_model::capabilities::DiskFormat;
use hvm_testkit::vhd::{BitmapFill, BlockOrder, Blocks, ContentModel, Locator, Parent, Stride, VhdKind, VhdSpec};
use hvm_testkit::vhdx::{BlockState, Dice, Kind, LayerContent, ParentSpec, SparseImage, VhdxSpec};
use hvm_transfer::{
    Cancel, ChainJob, Check, ChildJob, CopyJob, CopyOutcome, KeptChain, Reflink, Silent, TransferError, Watch,
    copy_child, keep_chain, verify,
};

/// Finds parents beside each other.
struct Beside(PathBuf);

impl ParentGate for Beside {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let mut names: Vec<&str> = vec![&request.name];
        names.extend(request.locators.iter().filter_map(|locator| locator.path.rsplit(['\\', '/']).next()));
        Ok(names.iter().map(|name| self.0.join(name)).filter(|path| path.exists()).map(|path| file(&path)).collect())
    }
}

fn file(path: &Path) -> SharedFile {
    Arc::new(LocalFile::open(path, path.display().to_string()).unwrap())
}

fn open(path: &Path) -> SharedDisk {
    disk::open(file(path), &Beside(path.parent().unwrap().to_owned())).unwrap()
}

fn content(disk: &SharedDisk) -> Vec<u8> {
    let mut bytes = vec![0xAA; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A chain of the testkit: paths and contents as a leaf, the base first.
struct Sample {
    paths: Vec<PathBuf>,
    contents: Vec<Vec<u8>>,
}

impl Sample {
    fn leaf(&self) -> &Path {
        self.paths.last().unwrap()
    }

    fn vhd(folder: &Path, seed: u64, depth: usize) -> Sample {
        let mut dice = Dice::new(seed);
        let size = 512 * (4000 + dice.below(9000));
        let mut sample = Sample { paths: Vec::new(), contents: Vec::new() };
        let mut below: Option<(VhdSpec, ContentModel)> = None;
        for number in 0..depth {
            let path = folder.join(format!("Größe {number}.{}", if number == 0 { "vhd" } else { "avhd" }));
            let blocks = Blocks {
                size: [4096, 65536, 512 << 10, 2 << 20][dice.below(4) as usize],
                order: [BlockOrder::Ascending, BlockOrder::Shuffled(dice.roll())][dice.below(2) as usize],
                stride: Stride::Packed,
                bitmap: BitmapFill::AllSectors,
            };
            let kind = match &below {
                None if dice.below(3) == 0 => VhdKind::Fixed,
                None => VhdKind::Dynamic(blocks),
                Some((spec, _)) => {
                    let name = sample.paths[number - 1].file_name().unwrap().to_str().unwrap().to_owned();
                    let locators = vec![
                        Locator::new(b"W2ku", &format!("D:\\alt\\{name}")),
                        Locator::new(b"W2ru", &format!(".\\{name}")),
                    ];
                    let (unique_id, timestamp, stale) = (spec.unique_id, spec.timestamp, Some(dice.roll()));
                    VhdKind::Differencing(blocks, Parent { unique_id, timestamp, name, locators, stale })
                }
            };
            let mut spec = VhdSpec::new(kind, [number as u8 + 1; 16]);
            spec.timestamp += number as u32;
            let mut own = ContentModel::new(size);
            for _ in 0..1 + dice.below(20) {
                let first = dice.below(size / 512);
                own.fill(first, (1 + dice.below(60)).min(size / 512 - first), dice.roll());
            }
            // Sectors that are stored and zero hide those of the parents.
            let first = dice.below(size / 512 - 20);
            own.set_bytes(first, &[0; 512 * 9]);
            spec.image(&own).write_to(&path).unwrap();
            let whole = below.as_ref().map_or_else(|| own.clone(), |(_, below)| own.over(below));
            sample.contents.push(whole.to_vec());
            sample.paths.push(path);
            below = Some((spec, whole));
        }
        sample
    }

    fn vhdx(folder: &Path, seed: u64, depth: usize, sector: u64) -> Sample {
        const BASE: [BlockState; 4] = [BlockState::NotPresent, BlockState::Zero, BlockState::Full, BlockState::Full];
        const CHILD: [BlockState; 6] = [
            BlockState::NotPresent,
            BlockState::NotPresent,
            BlockState::Zero,
            BlockState::Unmapped,
            BlockState::Full,
            BlockState::Partial,
        ];
        let mut dice = Dice::new(seed);
        let size = (6 << 20) + dice.below(500) * 4096;
        let mut sample = Sample { paths: Vec::new(), contents: Vec::new() };
        let mut below: Option<VhdxSpec> = None;
        let mut expected = Vec::new();
        for number in 0..depth {
            let path = folder.join(format!("disk{number}.{}", if number == 0 { "vhdx" } else { "avhdx" }));
            let kind = match &below {
                None if dice.below(4) == 0 => Kind::Fixed,
                None => Kind::Dynamic,
                Some(parent) => {
                    let name = sample.paths[number - 1].file_name().unwrap().to_str().unwrap();
                    Kind::Differencing(ParentSpec::new(&parent.data_write, &format!(".\\{name}")))
                }
            };
            let states = match kind {
                Kind::Fixed => &[BlockState::Full][..],
                Kind::Dynamic => &BASE,
                Kind::Differencing(_) => &CHILD,
            };
            let mut layer = LayerContent::new(size, [1 << 20, 2 << 20][dice.below(2) as usize], sector);
            layer.scatter(&mut dice, states);
            let mut spec = VhdxSpec::new(kind, number as u8 + 1);
            (spec.logical, spec.seed) = (sector as u32, dice.roll());
            spec.image(&layer).write_to(&path).unwrap();
            expected = layer.over(expected);
            sample.contents.push(expected.clone());
            sample.paths.push(path);
            below = Some(spec);
        }
        sample
    }
}

fn keep_with(leaf: &Path, target: &Path, format: DiskFormat, cancel: &Cancel) -> Result<KeptChain, TransferError> {
    let disk = open(leaf);
    let times: Vec<u64> = (0..disk.layers().len() as u64).map(|number| 1_300_000_000 + number).collect();
    let job = ChainJob { disk, source: "sample", target, format, times: &times };
    keep_chain(&job, &Watch { progress: &Silent, cancel, rate: None })
}

fn keep(leaf: &Path, target: &Path, format: DiskFormat) -> Result<KeptChain, TransferError> {
    keep_with(leaf, target, format, &Cancel::new())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The testkit's own reader on a chain of files, the leaf first.
fn reference(paths: &[PathBuf]) -> Vec<u8> {
    if paths[0].extension().unwrap().to_str().unwrap().ends_with("vhd") {
        return hvm_testkit::vhd::reference::read_chain(paths).unwrap();
    }
    let images: Vec<SparseImage> = paths
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path).unwrap();
            let mut image = SparseImage::default();
            for (at, page) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
                if page.iter().any(|byte| *byte != 0) {
                    image.put(at, page);
                }
            }
            image.set_len(bytes.len() as u64);
            image
        })
        .collect();
    hvm_testkit::vhdx::reference::read_chain(&images.iter().collect::<Vec<_>>()).unwrap()
}

/// Fails unless each layer of the result read as a leaf has the content of the same layer of the source.
fn check_files(kept: &KeptChain, sample: &Sample, what: &str) {
    let paths: Vec<PathBuf> = kept.layers.iter().map(|layer| layer.path.clone()).collect();
    assert_eq!(paths.len(), sample.paths.len());
    assert_eq!(names(paths[0].parent().unwrap()).len(), paths.len(), "nothing else is left behind");
    for (number, expected) in sample.contents.iter().rev().enumerate() {
        let disk = open(&paths[number]);
        assert!(content(&disk) == *expected, "{what}: layer {number}");
        assert!(reference(&paths[number..]) == *expected, "{what}: layer {number} by the reference");
        is_not_sparse(&paths[number]);
        for layer in disk.layers() {
            assert_eq!(layer.remarks, Vec::<String>::new(), "{what}");
        }
        let found = hvm_formats::check::check(&file(&paths[number]), None).unwrap().findings;
        // Blocks of a VHD are brought to 4 KiB.
        assert!(found.list.is_empty() && found.unreferenced < 1 << 20, "{what}: {found:?}");
    }
    assert_eq!(kept.content.to_string(), hvm_testkit::tree::tree_hash(sample.contents.last().unwrap()));
}

/// Hyper-V refuses sparse files.
fn is_not_sparse(path: &Path) {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).unwrap();
    assert!(found.blocks() * 512 >= found.len(), "{} is sparse", path.display());
}

#[test]
fn random_vhd_chains_keep_every_layer_as_vhd_and_vhdx() {
    for seed in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        let sample = Sample::vhd(folder.path(), seed, 1 + seed as usize % 8);
        for format in [DiskFormat::Vhd, DiskFormat::Vhdx] {
            let out = folder.path().join(format.to_string());
            std::fs::create_dir(&out).unwrap();
            let kept = keep(sample.leaf(), &out.join(format!("new.{}", format.extension())), format).unwrap();
            check_files(&kept, &sample, &format!("seed {seed} {format}"));
            check_kinds(&kept, &sample);
        }
    }
}

#[test]
fn random_vhdx_chains_keep_every_layer_as_vhdx_and_vhd() {
    for seed in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let sector = if seed % 3 == 2 { 4096 } else { 512 };
        let sample = Sample::vhdx(folder.path(), seed, 1 + seed as usize % 8, sector);
        for format in [DiskFormat::Vhdx, DiskFormat::Vhd] {
            let out = folder.path().join(format.to_string());
            std::fs::create_dir(&out).unwrap();
            let kept = keep(sample.leaf(), &out.join(format!("new.{}", format.extension())), format);
            if format == DiskFormat::Vhd && sector == 4096 {
                assert!(matches!(kept, Err(TransferError::Target { .. })), "a VHD has no sectors of 4096 bytes");
                continue;
            }
            let kept = kept.unwrap();
            check_files(&kept, &sample, &format!("seed {seed} {format}"));
            check_kinds(&kept, &sample);
        }
    }
}

/// The base stays what it was; every other layer is a differencing disk; no two have the same id.
fn check_kinds(kept: &KeptChain, sample: &Sample) {
    let (before, after) = (open(sample.leaf()), open(&kept.layers[0].path));
    let fixed = |disk: &SharedDisk| {
        let base = disk.layers().last().unwrap().format;
        matches!(base, LayerFormat::VhdFixed | LayerFormat::VhdxFixed)
    };
    assert_eq!(fixed(&before), fixed(&after));
    let mut ids: HashMap<String, usize> = HashMap::new();
    for layer in after.layers() {
        *ids.entry(layer.unique_id.clone()).or_default() += 1;
        assert_eq!(layer.sector_size, before.sector_size());
    }
    assert_eq!(ids.len(), after.layers().len());
    for layer in &after.layers()[..after.layers().len() - 1] {
        assert!(matches!(layer.format, LayerFormat::VhdDifferencing | LayerFormat::VhdxDifferencing));
        let platforms: Vec<&str> =
            layer.parent.as_ref().unwrap().locators.iter().map(|l| l.platform.as_str()).collect();
        assert!(platforms.contains(&"W2ru") || platforms.contains(&"relative_path"), "{platforms:?}");
    }
}

#[test]
fn a_chain_becomes_the_states_of_one_qcow2_file() {
    for seed in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let depth = 1 + seed as usize % 6;
        let sample = if seed % 2 == 0 {
            Sample::vhd(folder.path(), seed, depth)
        } else {
            Sample::vhdx(folder.path(), seed, depth, 512)
        };
        let format = if seed % 3 == 0 { DiskFormat::Qcow2Zstd } else { DiskFormat::Qcow2 };
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let target = out.join("new.qcow2");
        let kept = keep(sample.leaf(), &target, format).unwrap();
        assert_eq!(names(&out), ["new.qcow2"]);
        assert_eq!(snapshots(&file(&target)).unwrap().len(), depth - 1);
        for (number, expected) in sample.contents.iter().rev().enumerate() {
            let disk: SharedDisk = match &kept.layers[number].snapshot {
                Some(name) => Arc::new(Qcow2Disk::open_snapshot(file(&target), name).unwrap()),
                None => open(&target),
            };
            assert!(content(&disk) == *expected, "seed {seed} layer {number}");
            qemu_reads(&target, kept.layers[number].snapshot.as_deref(), expected);
        }
        let found = hvm_formats::check::check(&file(&target), None).unwrap().findings;
        assert!(found.list.iter().all(|finding| finding.text.contains("snapshots")), "{found:?}");
    }
}

fn qemu_reads(path: &Path, snapshot: Option<&str>, expected: &[u8]) {
    let out = path.with_extension("raw");
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", "qcow2", "-O", "raw"]);
    if let Some(name) = snapshot {
        command.arg("-l").arg(format!("snapshot.name={name}"));
    }
    match command.arg(path).arg(&out).output() {
        Err(_) => eprintln!("SKIPPED: qemu-img is not installed"),
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(std::fs::read(&out).unwrap() == expected, "{snapshot:?}");
            let check = Command::new("qemu-img").args(["check", "-f", "qcow2"]).arg(path).output().unwrap();
            assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
            std::fs::remove_file(out).unwrap();
        }
    }
}

#[test]
fn raw_and_names_that_are_taken_are_refused_and_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::vhd(folder.path(), 5, 3);
    let before = names(folder.path());
    let error = keep(sample.leaf(), &folder.path().join("new.raw"), DiskFormat::Raw).unwrap_err();
    assert!(error.to_string().contains("flatten"), "{error}");
    // In the source's folder the base would get the name that it has.
    let error = keep(sample.leaf(), &folder.path().join("new.avhd"), DiskFormat::Vhd).unwrap_err();
    assert!(matches!(error, TransferError::Exists { .. }), "{error}");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let error = keep(sample.leaf(), &other.join("GRÖSSE 0.VHD"), DiskFormat::Vhd).err();
    assert!(error.is_none(), "another name: {error:?}");
    let error = keep(sample.leaf(), &other.join("größe 0.vhd"), DiskFormat::Vhd).unwrap_err();
    assert!(matches!(error, TransferError::Chain { .. }), "{error}");
    assert_eq!(names(folder.path()).len(), before.len() + 1);
}

#[test]
fn a_run_that_was_stopped_or_killed_goes_on_and_never_leaves_a_leaf_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::vhd(folder.path(), 7, 4);
    let whole = folder.path().join("whole");
    std::fs::create_dir(&whole).unwrap();
    let done = keep(sample.leaf(), &whole.join("new.vhd"), DiskFormat::Vhd).unwrap();
    let finals: Vec<String> =
        done.layers.iter().map(|l| l.path.file_name().unwrap().to_str().unwrap().into()).collect();
    let hidden = |name: &str| format!(".{name}.partial");
    // Stopped at once: nothing has a final name.
    let out = folder.path().join("stopped");
    std::fs::create_dir(&out).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = keep_with(sample.leaf(), &out.join("new.vhd"), DiskFormat::Vhd, &cancel);
    assert!(matches!(stopped, Err(TransferError::Cancelled)));
    assert!(names(&out).iter().all(|name| name.starts_with('.')));
    keep(sample.leaf(), &out.join("new.vhd"), DiskFormat::Vhd).unwrap();
    // Killed behind each rename: the files that were renamed so far, the parents first.
    for renamed in 0..finals.len() {
        let out = folder.path().join(format!("killed{renamed}"));
        std::fs::create_dir(&out).unwrap();
        kill_behind(sample.leaf(), &out, renamed);
        let there: Vec<String> = names(&out).into_iter().filter(|name| !name.starts_with('.')).collect();
        assert_eq!(there.len(), renamed);
        assert!(!there.contains(&finals[0]), "the leaf comes last");
        if renamed == 1 {
            // A complete layer that was lost is written again.
            std::fs::remove_file(out.join(hidden(&finals[1]))).unwrap();
        }
        let kept = keep(sample.leaf(), &out.join("new.vhd"), DiskFormat::Vhd).unwrap();
        check_files(&kept, &sample, &format!("killed behind rename {renamed}"));
        for name in &finals {
            assert!(std::fs::read(whole.join(name)).unwrap() == std::fs::read(out.join(name)).unwrap(), "{name}");
        }
    }
    assert!(matches!(keep(sample.leaf(), &whole.join("new.vhd"), DiskFormat::Vhd), Err(TransferError::Exists { .. })));
    // A file that somebody else put there is never taken for one's own.
    let out = folder.path().join("taken");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join(&finals[2]), b"mine").unwrap();
    assert!(matches!(keep(sample.leaf(), &out.join("new.vhd"), DiskFormat::Vhd), Err(TransferError::Exists { .. })));
    assert_eq!(std::fs::read(out.join(&finals[2])).unwrap(), b"mine");
}

/// What a run leaves that is killed behind `renamed` renames: made by a run that finds the next name taken.
fn kill_behind(leaf: &Path, out: &Path, renamed: usize) {
    struct Stop<'a>(&'a Path);
    impl hvm_transfer::Progress for Stop<'_> {
        fn started(&self, stage: hvm_transfer::Stage, _total: u64) {
            // The hash of the leaf is the last thing before the renames: a folder takes the place of the file that shall
            // not be renamed any more.
            if stage == hvm_transfer::Stage::Hashing {
                std::fs::create_dir(self.0).unwrap();
            }
        }
        fn advanced(&self, _bytes: u64) {}
        fn finished(&self) {}
    }
    let disk = open(leaf);
    let count = disk.layers().len();
    let target = out.join("new.vhd");
    let mut order: Vec<PathBuf> = vec![target.clone()];
    for layer in &disk.layers()[1..] {
        let stem = Path::new(&layer.name).file_stem().unwrap().to_str().unwrap();
        order.push(out.join(format!("{stem}.{}", if order.len() + 1 == count { "vhd" } else { "avhd" })));
    }
    order.reverse();
    let times = vec![1_300_000_000; count];
    let job = ChainJob { disk, source: "sample", target: &target, format: DiskFormat::Vhd, times: &times };
    let stop = Stop(&order[renamed]);
    let error = keep_chain(&job, &Watch { progress: &stop, cancel: &Cancel::new(), rate: None }).unwrap_err();
    assert!(matches!(error, TransferError::Exists { .. }), "{error}");
    std::fs::remove_dir(&order[renamed]).unwrap();
}

/// A disk of a sample as it lies: its copy, whose parent is the copy of the layer `below`.
fn copy_of(
    sample: &Sample,
    (layer, below): (usize, Option<usize>),
    (out, format): (&Path, DiskFormat),
) -> (CopyOutcome, PathBuf) {
    let target = |layer: usize| {
        let ending = if layer == 0 { format.extension().to_owned() } else { format!("a{}", format.extension()) };
        out.join(format!("copy {layer}.{ending}"))
    };
    let (path, manifest) = (target(layer), out.join(format!("{layer}.manifest")));
    let copy = CopyJob {
        disk: open(&sample.paths[layer]),
        source: "sample",
        target: &path,
        format,
        id: [layer as u8 + 1; 16],
        manifest: Some(&manifest),
        reflink: Reflink::Auto,
    };
    let cancel = Cancel::new();
    let watch = Watch { progress: &Silent, cancel: &cancel, rate: None };
    let outcome = match below {
        None => hvm_transfer::copy(&copy, &watch),
        Some(below) => {
            let (parent, parent_id) = (target(below), [below as u8 + 1; 16]);
            copy_child(&ChildJob { copy, above: layer - below, parent: &parent, parent_id }, &watch)
        }
    };
    (outcome.unwrap(), path)
}

/// What `verify` finds wrong.
fn wrong(outcome: &CopyOutcome, path: &Path) -> Vec<String> {
    let cancel = Cancel::new();
    let watch = Watch { progress: &Silent, cancel: &cancel, rate: None };
    let check = Check { manifest: &outcome.manifest, file: path, source: None };
    verify(&check, &watch).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_layers_of_a_tree_are_copied_once_each() {
    for seed in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let (sample, formats) = match seed % 2 {
            0 => (Sample::vhd(folder.path(), seed, 5), [DiskFormat::Vhd, DiskFormat::Vhdx]),
            _ => (Sample::vhdx(folder.path(), seed, 5, 512), [DiskFormat::Vhdx, DiskFormat::Vhd]),
        };
        for format in formats {
            let out = folder.path().join(format!("out {format}"));
            std::fs::create_dir(&out).unwrap();
            // The second layer is wanted by nobody and becomes one with the third; two disks have the third as their parent.
            for (layer, below) in [(0, None), (2, Some(0)), (3, Some(2)), (4, Some(2))] {
                let (outcome, path) = copy_of(&sample, (layer, below), (&out, format));
                let copy = open(&path);
                assert!(content(&copy) == sample.contents[layer], "seed {seed}, layer {layer}");
                assert_eq!(copy.layers().len(), [1, 0, 2, 3, 3][layer]);
                assert_eq!(outcome.manifest.content.to_string(), hvm_testkit::tree::tree_hash(&sample.contents[layer]));
                assert_eq!(wrong(&outcome, &path), Vec::<String>::new());
                is_not_sparse(&path);
                // A copy that is there is taken after every byte of it was checked.
                assert_eq!(copy_of(&sample, (layer, below), (&out, format)).0.bytes_written, 0);
            }
            assert_eq!(names(&out).len(), 8, "four disks and four manifests");
            parents_are_checked(&sample, (&out, format));
        }
    }
}

/// A byte of a parent that is not as it was is a wrong content of its children, and a parent that is gone is told.
fn parents_are_checked(sample: &Sample, (out, format): (&Path, DiskFormat)) {
    let (outcome, path) = copy_of(sample, (4, Some(2)), (out, format));
    let parent = out.join(format!("copy 2.a{}", format.extension()));
    std::fs::rename(&parent, out.join("away")).unwrap();
    assert!(wrong(&outcome, &path).iter().any(|line| line.contains("cannot be opened")));
    // Another disk under the name of the parent.
    let other = out.join(format!("copy 3.a{}", format.extension()));
    std::fs::copy(other, &parent).unwrap();
    assert!(wrong(&outcome, &path).iter().any(|line| line.contains("cannot be opened")));
    std::fs::rename(out.join("away"), &parent).unwrap();
    assert_eq!(wrong(&outcome, &path), Vec::<String>::new());
}
