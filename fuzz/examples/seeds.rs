//! Writes what the fuzz targets begin with into a folder for each: `seeds FOLDER`. All of it comes from the samples and the
//! corpus of the testkit, in the forms that `src/lib.rs` reads.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hvm_formats::disk::write::{DiskWriteError, TargetFormat, create};
use hvm_formats::io::SharedFile;
use hvm_formats::qcow2::{NewSnapshot, Packing, TreeWriter};
use hvm_fuzz::oracles::subjects::{self, Patches, Subject};
use hvm_fuzz::oracles::{inside, small};
use hvm_fuzz::{FILE, PIECES, QCOW2_UNIT, SEALED, VHDX_UNIT, patch, seal};
use hvm_testkit::corpus::{self, Case};
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, dirty_pair, hive_bytes};
use hvm_testkit::hvs::{HvsSpec, Key};
use hvm_testkit::ntfs::Volume;
use hvm_testkit::qcow2::{ClusterKind, Qcow2Spec};
use hvm_testkit::sample::{self, Variant};
use hvm_testkit::vhd::{BitmapFill, BlockOrder, Blocks, ContentModel, Stride, VhdKind, VhdSpec};
use hvm_testkit::vhdx::{Dice, SparseImage};
use hvm_testkit::vmxml::MachineXml;
use hvm_winrm::answers::Kind;

/// Longer seeds make the fuzzer slow and teach it nothing more.
const LONGEST: usize = 128 << 10;

type Failure = Box<dyn std::error::Error>;

/// The seeds of one target.
struct Seeds {
    folder: PathBuf,
    count: usize,
    left_out: usize,
}

impl Seeds {
    fn put(&mut self, name: &str, first: u8, rest: &[u8]) -> io::Result<()> {
        self.put_bytes(name, &[&[first], rest].concat())
    }

    fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > LONGEST {
            self.left_out += 1;
            return Ok(());
        }
        self.count += 1;
        fs::write(self.folder.join(name), bytes)
    }
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("Usage: seeds FOLDER")?;
    type Write = fn(&mut Seeds) -> Result<(), Failure>;
    let targets: [(&str, Write); 16] = [
        ("vhd", vhd),
        ("vhdx", vhdx),
        ("ntfs", ntfs),
        ("hive", hive),
        ("hvs", hvs),
        ("xml", xml),
        ("cim", cim),
        ("qcow2", qcow2),
        ("tables", |seeds| subject_seeds(seeds, &small::tables())),
        ("ext", |seeds| subject_seeds(seeds, &small::exts())),
        ("marks", |seeds| subject_seeds(seeds, &small::marked())),
        ("store", store),
        ("settings", settings),
        ("guest", guest),
        ("smb", smb),
        ("winrm", winrm),
    ];
    for (target, write) in targets {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        let mut seeds = Seeds { folder, count: 0, left_out: 0 };
        write(&mut seeds)?;
        println!("{target}: {} seeds, {} left out because they are too long", seeds.count, seeds.left_out);
    }
    Ok(())
}

/// What the sample host answers, and objects of every form.
fn cim(seeds: &mut Seeds) -> Result<(), Failure> {
    seeds.put_bytes("forms", hvm_fuzz::oracles::OBJECTS.as_bytes())?;
    let folder = tempfile::tempdir()?;
    sample::answers::write(folder.path(), Variant::Clean)?;
    for namespace in fs::read_dir(folder.path().join("wmi"))? {
        for file in fs::read_dir(namespace?.path())? {
            let path = file?.path();
            seeds.put_bytes(&path.file_name().unwrap_or_default().to_string_lossy(), &fs::read(&path)?)?;
        }
    }
    Ok(())
}

fn bytes(file: &SharedFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()).expect("samples are small")];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The samples, all small files of the corpus, and disks of one block whose structures are most of the file.
fn vhd(seeds: &mut Seeds) -> Result<(), Failure> {
    for subject in subjects::vhd() {
        seeds.put(subject.name, SEALED, &bytes(&subject.base)?)?;
    }
    for order in [BlockOrder::Ascending, BlockOrder::Shuffled(3)] {
        let blocks = Blocks { size: 4096, order, stride: Stride::Packed, bitmap: BitmapFill::AllSectors };
        let mut content = ContentModel::new(3 * 4096);
        content.fill(9, 9, 5);
        let image = VhdSpec::new(VhdKind::Dynamic(blocks), [7; 16]).image(&content).to_vec();
        seeds.put(&format!("small-{}", seeds.count), SEALED, &image)?;
    }
    for (name, image) in files(corpus::vhd()) {
        match usize::try_from(image.len) {
            Ok(len) if len < LONGEST => seeds.put(&name, 0, &image.get(0, len))?,
            _ => seeds.left_out += 1,
        }
    }
    Ok(())
}

/// Each file of each case.
fn files(cases: Vec<Case>) -> impl Iterator<Item = (String, SparseImage)> {
    let each = |case: Case| {
        let name = case.name;
        (0..).zip(case.files).map(move |(number, (_, image))| (format!("{name}-{number}"), image))
    };
    cases.into_iter().flat_map(each)
}

/// The pages of an image without their zeros, in the form for files whose length is a multiple of `unit`.
fn put_pieces(seeds: &mut Seeds, name: &str, image: &SparseImage, unit: u64) -> io::Result<()> {
    let units = u8::try_from(image.len / unit).unwrap_or(u8::MAX);
    if !image.len.is_multiple_of(unit) || units > 15 {
        seeds.left_out += 1;
        return Ok(());
    }
    let pages = image.pages();
    let pieces: Patches = pages.iter().flat_map(|at| patch::difference(*at, &[], &image.get(*at, 4096))).collect();
    seeds.put(name, units << 4 | PIECES, &patch::encode(&pieces))
}

fn vhdx(seeds: &mut Seeds) -> Result<(), Failure> {
    for (name, image) in files(corpus::vhdx()) {
        put_pieces(seeds, &name, &image, VHDX_UNIT)?;
    }
    for number in 0..100u64 {
        let mut dice = Dice::new(number);
        let len = 10 * (1 + dice.below(4)) as usize;
        seeds.put(&format!("fields-{number}"), SEALED, &dice.bytes(len))?;
    }
    mutated(seeds, &subjects::vhdx().remove(1))
}

/// Changes as the test of mutations makes them.
fn mutated(seeds: &mut Seeds, subject: &Subject) -> Result<(), Failure> {
    for number in 0..200 {
        let (patches, _) = subject.mutate(&mut Dice::new(number));
        seeds.put(&format!("change-{number}"), PIECES, &patch::encode(&patches))?;
    }
    Ok(())
}

/// The corpus as what it changes of the good volume.
fn ntfs(seeds: &mut Seeds) -> Result<(), Failure> {
    let good = Volume::new().bytes;
    for case in corpus::ntfs() {
        let pieces = patch::difference(0, &good, &case.volume.bytes);
        seeds.put(&case.name, PIECES, &patch::encode(&pieces))?;
    }
    mutated(seeds, &subjects::ntfs())
}

/// The sample's hives, a small one for each kind of list, and logs of both formats.
fn hive(seeds: &mut Seeds) -> Result<(), Failure> {
    let (subject, log) = subjects::hive();
    put_hive(seeds, "sample", &bytes(&subject.base)?, &log)?;
    for count in [0u32, 1, 3, 40] {
        let (old, new) = (keys(count, 0), keys(count, 1));
        let stamp = HiveStamp { sequence: 9, ..HiveStamp::default() };
        let pair = dirty_pair(&old, &new, &stamp);
        put_hive(seeds, &format!("clean-{count}"), &hive_bytes(&new, &stamp), &[])?;
        put_hive(seeds, &format!("old-log-{count}"), &pair.primary, &pair.log)?;
        put_hive(seeds, &format!("new-log-{count}"), &pair.primary, &new_log(&pair.primary, &pair.replayed))?;
    }
    let folder = tempfile::tempdir()?;
    sample::write(folder.path(), Variant::Cluster)?;
    for path in found(folder.path())? {
        if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"regf")) && path.extension().is_none() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let log = fs::read(path.with_extension("LOG1")).unwrap_or_default();
            put_hive(seeds, &name, &fs::read(&path)?, &log)?;
        }
    }
    Ok(())
}

/// A key with `count` subkeys and a value of each type.
fn keys(count: u32, extra: u32) -> HiveKey {
    let mut root = HiveKey::new("ROOT");
    for number in 0..count {
        let key = root.at(&format!("Software\\Key {number}\\Deep"));
        key.set("text", HiveValue::sz(format!("value {}", number + extra)));
        key.set("", HiveValue::Dword(number));
    }
    let kinds = root.at("Software");
    kinds.set("multi", HiveValue::multi(&["one", "two"]));
    kinds.set("expand", HiveValue::ExpandSz("%SystemRoot%".to_owned()));
    kinds.set("long", HiveValue::Qword(u64::from(extra)));
    kinds.set("raw", HiveValue::Raw(0x1000, vec![1; 5]));
    kinds.set("data", HiveValue::Binary(vec![extra as u8; 30]));
    root
}

/// A log of one entry that turns the bins of `old` into those of `new`.
fn new_log(old: &[u8], new: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let pages: Vec<usize> =
        (PAGE..new.len()).step_by(PAGE).filter(|at| old[*at..*at + PAGE] != new[*at..*at + PAGE]).collect();
    let word = |number: usize| u32::try_from(number).expect("samples are small").to_le_bytes();
    let mut log = new[..512].to_vec();
    log[28..32].copy_from_slice(&word(6));
    let size = (40 + pages.len() * (8 + PAGE)).next_multiple_of(512);
    log.extend([b"HvLE", &word(size), &word(0), &new[4..8], &word(new.len() - PAGE), &word(pages.len())].concat());
    log.resize(512 + 40, 0);
    pages.iter().for_each(|at| log.extend([word(at - PAGE), word(PAGE)].concat()));
    pages.iter().for_each(|at| log.extend(&new[*at..at + PAGE]));
    log.resize(512 + size, 0);
    seal::hive(&mut log);
    seal::hive_log(&mut log);
    log
}

fn put_hive(seeds: &mut Seeds, name: &str, primary: &[u8], log: &[u8]) -> io::Result<()> {
    match u16::try_from(log.len()) {
        Ok(len) => seeds.put(name, SEALED, &[&len.to_le_bytes(), log, primary].concat()),
        Err(_) => {
            seeds.left_out += 1;
            Ok(())
        }
    }
}

/// A machine as a configuration of later releases, laid out in several ways, and changes to a small one.
fn hvs(seeds: &mut Seeds) -> Result<(), Failure> {
    let key = Key::of_xml(&MachineXml::new("0F0E0D0C-0B0A-0908-0706-050403020100", "Größe").to_node());
    for (number, (objects, stale, slack)) in [(227, false, 12), (4, true, 0), (30, false, 3)].into_iter().enumerate() {
        let spec = HvsSpec { objects, stale, slack, log: 0x1000, ..HvsSpec::default() };
        seeds.put(&format!("machine-{number}"), FILE | SEALED, &spec.write(std::slice::from_ref(&key)))?;
    }
    for subject in subjects::hvs() {
        seeds.put(subject.name, FILE | SEALED, &bytes(&subject.base)?)?;
    }
    mutated(seeds, &subjects::hvs().remove(1))
}

/// Every configuration and the authorization store of the sample hosts, as they are and as UTF-8.
fn xml(seeds: &mut Seeds) -> Result<(), Failure> {
    for variant in [Variant::Default, Variant::Source2012, Variant::UnknownXmlNode, Variant::Clean] {
        let folder = tempfile::tempdir()?;
        sample::write(folder.path(), variant)?;
        for path in found(folder.path())?.iter().filter(|path| path.extension().is_some_and(|end| end == "xml")) {
            let Ok(bytes) = fs::read(path) else { continue };
            let name = format!("{variant:?}-{}", seeds.count);
            seeds.put_bytes(&name, &bytes)?;
            let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            if let Ok(text) = String::from_utf16(&units) {
                seeds.put_bytes(&format!("{name}-utf8"), text.trim_start_matches('\u{FEFF}').as_bytes())?;
            }
        }
    }
    let pieces = "<?xml version=\"1.0\"?>\n<a b='c'><!-- d --><e type=\"bytes\">AAE=</e>\t<f/><g><![CDATA[<h>]]>&#65;&amp;</g></a>\n";
    seeds.put_bytes("pieces", pieces.as_bytes())?;
    let names = "<n:a xmlns:n=\"u\" xmlns=\"v\">\r<b n:c=\"&#10;&quot;\" type=\"string\"/><d xmlns=\"\"/><n:e/></n:a>";
    seeds.put_bytes("names", names.as_bytes())?;
    Ok(())
}

/// Changes as the test of mutations makes them, to each of the subjects, and the smaller ones as they are.
fn subject_seeds(seeds: &mut Seeds, subjects: &[Subject]) -> Result<(), Failure> {
    for (number, subject) in (0u8..).zip(subjects) {
        seeds.put(&format!("whole-{number}"), FILE | SEALED, &bytes(&subject.base)?)?;
        for change in 0..40 {
            let (patches, _) = subject.mutate(&mut Dice::new(change));
            seeds.put(&format!("change-{number}-{change}"), number << 4 | PIECES, &patch::encode(&patches))?;
        }
        for change in 0..20u64 {
            let mut dice = Dice::new(change);
            let len = 10 * (1 + dice.below(4)) as usize;
            seeds.put(&format!("fields-{number}-{change}"), number << 4 | SEALED, &dice.bytes(len))?;
        }
    }
    Ok(())
}

/// The store of the sample host, and one with everything that one may have.
fn store(seeds: &mut Seeds) -> Result<(), Failure> {
    seeds.put_bytes("all", inside::STORE.as_bytes())?;
    let folder = tempfile::tempdir()?;
    sample::write(folder.path(), Variant::Default)?;
    for path in found(folder.path())?.iter().filter(|path| path.ends_with("InitialStore.xml")) {
        seeds.put_bytes("sample", &fs::read(path)?)?;
    }
    Ok(())
}

fn settings(seeds: &mut Seeds) -> Result<(), Failure> {
    for (number, (_, text)) in (0u8..).zip(inside::SETTINGS) {
        seeds.put(&format!("file-{number}"), number, text.as_bytes())?;
    }
    Ok(())
}

fn guest(seeds: &mut Seeds) -> Result<(), Failure> {
    let hive = small::guest_hive();
    seeds.put("whole", SEALED, &hive)?;
    Ok(seeds.put("cells", SEALED | 2, &hive)?)
}

fn smb(seeds: &mut Seeds) -> Result<(), Failure> {
    let mut stream = Vec::new();
    for (name, message) in hvm_smb::answers::samples(&hvm_testkit::bytes::utf16le) {
        seeds.put(name, 0, &message)?;
        stream.extend(u32::try_from(message.len())?.to_be_bytes());
        stream.extend(message);
    }
    Ok(seeds.put("stream", 1, &stream)?)
}

fn winrm(seeds: &mut Seeds) -> Result<(), Failure> {
    for (number, (kind, answer)) in hvm_winrm::answers::samples().into_iter().enumerate() {
        let first = Kind::ALL.iter().position(|known| *known == kind).unwrap_or_default();
        seeds.put(&format!("{kind:?}-{number}"), u8::try_from(first)?, &answer)?;
    }
    Ok(())
}

/// All files below a folder.
fn found(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => all.extend(found(&path)?),
            false => all.push(path),
        }
    }
    all.sort();
    Ok(all)
}

/// Files of small clusters laid out at random, and our own writer's, packed and with snapshots.
fn qcow2(seeds: &mut Seeds) -> Result<(), Failure> {
    for number in 0..40u64 {
        let mut dice = Dice::new(number);
        let mut content = vec![0; 512 * (1 + dice.below(20)) as usize];
        let at = dice.below(content.len() as u64) as usize;
        content[at..].iter_mut().take(1500).for_each(|byte| *byte = 0x77);
        let kinds = vec![ClusterKind::Plain, ClusterKind::Packed];
        let (version, cluster_bits) = (2 + (number % 2) as u32, [9, 9, 10, 12][dice.below(4) as usize]);
        let spec = Qcow2Spec { version, cluster_bits, kinds, seed: number };
        seeds.put(&format!("random-{number}"), 0, &spec.image(&content))?;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("disk.qcow2");
    for format in [TargetFormat::Qcow2, TargetFormat::Qcow2Zstd] {
        let mut writer = create(empty(&path)?, 5 * 65536 + 512, format, [0; 16])?;
        writer.write(65536, &cluster(3))?;
        writer.write(3 * 65536, &cluster(200))?;
        writer.finish()?;
        put_written(seeds, &format!("{format:?}"), &path)?;
    }
    for packing in [Packing::Plain, Packing::Zstd] {
        tree(&path, packing)?;
        put_written(seeds, &format!("tree-{packing:?}"), &path)?;
    }
    Ok(())
}

/// 64 KiB of which only `len` bytes are not zero.
fn cluster(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; 65536];
    bytes[100..100 + len].fill(0x42);
    bytes
}

/// Two snapshots and the state after them.
fn tree(path: &Path, packing: Packing) -> Result<(), Failure> {
    let mut writer = TreeWriter::new(empty(path)?, packing)?;
    let mut state = |id: &str, parent, at: u64| -> Result<_, DiskWriteError> {
        let snapshot = (id != "3").then(|| NewSnapshot { id: id.to_owned(), name: format!("S{id}"), date: (5, 6) });
        let state = writer.begin(parent, 4 * 65536, snapshot)?;
        writer.write(at * 65536, &cluster(9))?;
        Ok(state)
    };
    let first = state("1", None, 0)?;
    let second = state("2", Some(first), 1)?;
    state("3", Some(second), 2)?;
    Ok(writer.finish()?)
}

fn empty(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
}

fn put_written(seeds: &mut Seeds, name: &str, path: &Path) -> io::Result<()> {
    let mut image = SparseImage::from(&fs::read(path)?[..]);
    image.set_len(image.len.next_multiple_of(QCOW2_UNIT));
    put_pieces(seeds, name, &image, QCOW2_UNIT)
}
