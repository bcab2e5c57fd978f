//! The disks that are measured, made once: NTFS volumes that were filled and half emptied again, in the files of Hyper-V.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use hvm_testkit::bulk::{self, RawDisk, Room};
use hvm_testkit::guid::plain_bytes;
use hvm_testkit::sample::{self, Variant};
use hvm_testkit::vhd::{BlockOrder, Blocks, Locator, Parent, VhdKind, VhdSpec};
use hvm_testkit::vhdx::{Kind, VhdxSpec};
use serde_json::{Value, json};

use super::{at, ntfs};
use crate::run::run;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The parts of the set in the order in which they are made, each with a number that is raised when it is made in another
/// way.
const PARTS: [(&str, u64, Make); 6] = [
    ("main", 1, Disks::main),
    ("chain", 2, Disks::chain),
    ("fixed", 2, Disks::fixed),
    ("clones", 1, Disks::clones),
    ("huge", 1, Disks::huge),
    ("images", 2, Disks::images),
];
/// Makes one part.
type Make = fn(&mut Disks, &Sizes) -> Result<(), String>;

/// Where the partition begins.
pub const PARTITION: u64 = MIB;
/// Number of clones.
pub const CLONES: u64 = 5;

/// How big the disks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As the figures need it.
    Full,
    /// Just to see that all goes.
    Small,
}

/// Virtual size, bytes of files.
type Size = (u64, u64);

struct Sizes {
    main: Size,
    fixed: Size,
    clone: Size,
    /// Bytes of new files before each checkpoint.
    changes: [u64; 2],
    huge: u64,
}

impl Scale {
    fn sizes(self) -> Sizes {
        match self {
            Scale::Full => Sizes {
                main: (20 * GIB, 3_000_000_000),
                fixed: (4 * GIB, 1_050_000_000),
                clone: (3 * GIB, 500_000_000),
                changes: [250_000_000, 140_000_000],
                huge: 64 << 40,
            },
            Scale::Small => Sizes {
                main: (GIB, 60_000_000),
                fixed: (160 * MIB, 30_000_000),
                clone: (128 * MIB, 15_000_000),
                changes: [3_000_000, 2_000_000],
                huge: 64 << 40,
            },
        }
    }
}

/// The folder with the disks, and what is known of them.
pub struct Disks {
    folder: PathBuf,
    /// Facts by name, as disks.json has them.
    pub facts: Value,
}

impl Disks {
    /// The disks of `folder`; makes them when they are not there.
    pub fn open(folder: &Path, scale: Scale) -> Result<Self, String> {
        fs::create_dir_all(folder.join("chain")).map_err(at(folder))?;
        let stamp = folder.join("disks.json");
        let facts = match fs::read_to_string(&stamp) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| format!("'{}': {error}", stamp.display()))?,
            Err(_) => json!({}),
        };
        let mut disks = Disks { folder: folder.to_owned(), facts };
        for (name, version, make) in PARTS {
            let version = json!({"version": version, "small": scale == Scale::Small});
            if disks.facts["made"][name] != version {
                println!("making the disks '{name}' in '{}', once", folder.display());
                make(&mut disks, &scale.sizes())?;
                disks.facts["made"][name] = version;
                fs::write(&stamp, format!("{:#}\n", disks.facts)).map_err(at(&stamp))?;
            }
        }
        Ok(disks)
    }

    /// The path of a file of the set.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An empty disk of 64 TB.
    fn huge(&mut self, sizes: &Sizes) -> Result<(), String> {
        let (huge, empty) = (self.path("huge.vhdx"), RawDisk::empty(sizes.huge));
        let spec = VhdxSpec::new(Kind::Dynamic, 9);
        bulk::write_vhdx(&spec, &empty, 32 * MIB, (&huge, Room::Sparse)).map_err(at(&huge)).map(|_| ())
    }

    /// A volume in `name`.part, aged: filled with files, more than half of them deleted again.
    fn aged(&mut self, name: &str, seed: u64, (size, bytes): Size) -> Result<RawDisk, String> {
        println!("  {name}: NTFS with {} MB of files", bytes / 1_000_000);
        let part = self.path(&format!("{name}.part"));
        ntfs::make(&part, size - PARTITION)?;
        let (copied, deleted) =
            ntfs::edit(&part, |volume| Ok((ntfs::fill(volume, seed, bytes)?, ntfs::thin(volume, seed, 51)?)))?;
        let used = ntfs::bitmap(&part, size - PARTITION, &self.path(&format!("{name}.bitmap")))?;
        let disk = raw(&part, size)?;
        self.facts[name] = json!({
            "virtual_bytes": size, "files_copied": copied.0, "bytes_copied": copied.1, "files_deleted": deleted.0,
            "bytes_deleted": deleted.1, "used_bytes": used * ntfs::CLUSTER,
        });
        Ok(disk)
    }

    fn main(&mut self, sizes: &Sizes) -> Result<(), String> {
        let disk = self.aged("main", 1, sizes.main)?;
        let (ordered, aged) = (self.path("ordered.vhd"), self.path("aged.vhd"));
        let vhdx = self.path("main.vhdx");
        bulk::write_vhd(&dynamic(1, BlockOrder::Ascending), &disk, &ordered, Room::Sparse).map_err(at(&ordered))?;
        let blocks =
            bulk::write_vhd(&dynamic(2, BlockOrder::Shuffled(2)), &disk, &aged, Room::Dense).map_err(at(&aged))?;
        let spec = VhdxSpec::new(Kind::Dynamic, 3);
        let big = bulk::write_vhdx(&spec, &disk, 32 * MIB, (&vhdx, Room::Sparse)).map_err(at(&vhdx))?;
        self.facts["main"]["vhd_blocks"] = blocks.into();
        self.facts["main"]["vhdx_blocks"] = big.into();
        Ok(())
    }

    /// Two checkpoints over aged.vhd, and the state after them in one file.
    fn chain(&mut self, sizes: &Sizes) -> Result<(), String> {
        let base = self.path("chain/base.vhd");
        replace_by_link(&self.path("aged.vhd"), &base)?;
        let size = sizes.main.0;
        let mut below = (self.path("main.part"), dynamic(2, BlockOrder::Ascending), "base.vhd".to_owned());
        for (level, change) in (1u8..).zip(sizes.changes) {
            println!("  checkpoint {level}");
            let part = self.path(&format!("snap{level}.part"));
            copy(&below.0, &part)?;
            let seed = 10 + u64::from(level);
            ntfs::edit(&part, |volume| {
                ntfs::thin(volume, seed, 1)?;
                ntfs::fill(volume, seed, change)?;
                ntfs::rewrite(volume, seed, change / 20)
            })?;
            let name = format!("snap{level}.avhd");
            let path = self.path("chain").join(&name);
            let spec = child(4 + level, &below.1, &below.2);
            let counts =
                bulk::write_vhd_child(&spec, &raw(&below.0, size)?, &raw(&part, size)?, &path).map_err(at(&path))?;
            self.facts[format!("snap{level}")] = json!({"blocks": counts.0, "changed_bytes": counts.1 * 512});
            if level == 2 {
                fs::remove_file(&below.0).map_err(at(&below.0))?;
            }
            below = (part, spec, name);
        }
        let flat = self.path("flat.vhd");
        let spec = dynamic(7, BlockOrder::Shuffled(7));
        bulk::write_vhd(&spec, &raw(&below.0, size)?, &flat, Room::Dense).map_err(at(&flat))?;
        fs::remove_file(&below.0).map_err(at(&below.0))
    }

    fn fixed(&mut self, sizes: &Sizes) -> Result<(), String> {
        let disk = self.aged("fixed", 20, sizes.fixed)?;
        let (path, vhdx) = (self.path("fixed.vhd"), self.path("dense.vhdx"));
        bulk::write_vhd_fixed(&VhdSpec::new(VhdKind::Fixed, id(20)), &disk, &path).map_err(at(&path))?;
        let dynamic_path = self.path("fixed-dynamic.vhd");
        let spec = dynamic(22, BlockOrder::Shuffled(22));
        bulk::write_vhd(&spec, &disk, &dynamic_path, Room::Dense).map_err(at(&dynamic_path))?;
        let spec = VhdxSpec::new(Kind::Dynamic, 21);
        bulk::write_vhdx(&spec, &disk, 32 * MIB, (&vhdx, Room::Dense)).map_err(at(&vhdx))?;
        drop(disk);
        let part = self.path("fixed.part");
        fs::remove_file(&part).map_err(at(&part))
    }

    /// Two disks of a dead server, each one volume over all of it: `host.part` holds the fixed disk as a fixed and as a dynamic VHD,
    /// `system.part` is the main volume with the configurations of the sample host and its hives, as large as a server's.
    fn images(&mut self, _: &Sizes) -> Result<(), String> {
        let files = ["fixed.vhd", "fixed-dynamic.vhd"].map(|name| self.path(name));
        let lens = files.iter().map(|path| fs::metadata(path).map(|metadata| metadata.len()).map_err(at(path)));
        let bytes = lens.sum::<Result<u64, String>>()?;
        self.facts["fixed"]["blake3"] = blake3_of_fixed(&files[0])?.into();
        let host = self.path("host.part");
        ntfs::make(&host, (bytes / MIB + bytes / MIB / 16 + 64) * MIB)?;
        ntfs::edit(&host, |volume| {
            fs::create_dir_all(volume.join("Windows/System32/config")).map_err(at(volume))?;
            let copy = |path: &PathBuf| {
                let to = volume.join(path.file_name().expect("a file of the set"));
                fs::copy(path, &to).map_err(at(&to))
            };
            files.iter().try_for_each(|path| copy(path).map(|_| ()))
        })?;
        let (drives, system) = (self.path("sample"), self.path("system.part"));
        if drives.exists() {
            fs::remove_dir_all(&drives).map_err(at(&drives))?;
        }
        sample::write(&drives, Variant::Clean).map_err(at(&drives))?;
        sample::write_large_hives(&drives, Variant::Clean).map_err(at(&drives))?;
        copy(&self.path("main.part"), &system)?;
        ntfs::edit(&system, |volume| ntfs::take_over(&drives.join("C"), volume))?;
        fs::remove_dir_all(&drives).map_err(at(&drives))
    }

    /// Clones of one golden image: some new files each, some pieces of old ones rewritten, an order of blocks of its own.
    fn clones(&mut self, sizes: &Sizes) -> Result<(), String> {
        let (size, bytes) = sizes.clone;
        self.aged("golden", 30, (size, bytes))?;
        let (golden, part) = (self.path("golden.part"), self.path("clone.part"));
        for number in 1..=CLONES {
            println!("  clone {number}");
            copy(&golden, &part)?;
            ntfs::edit(&part, |volume| {
                ntfs::fill(volume, 30 + number, bytes * 3 / 100)?;
                ntfs::rewrite(volume, 30 + number, bytes * 2 / 100)
            })?;
            let path = self.path(&format!("clone{number}.vhd"));
            let byte = u8::try_from(30 + number).expect("few clones");
            let spec = dynamic(byte, BlockOrder::Shuffled(30 + number));
            bulk::write_vhd(&spec, &raw(&part, size)?, &path, Room::Dense).map_err(at(&path))?;
        }
        fs::remove_file(&part).map_err(at(&part))?;
        fs::remove_file(&golden).map_err(at(&golden))
    }
}

fn raw(part: &Path, size: u64) -> Result<RawDisk, String> {
    let file = File::open(part).map_err(at(part))?;
    Ok(RawDisk::with_partition(size, PARTITION, file, &ntfs::ranges(part)?))
}

/// The hash of the content of a fixed VHD: all but the footer.
fn blake3_of_fixed(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(at(path))?;
    let len = file.metadata().map_err(at(path))?.len();
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(len.saturating_sub(512))).map_err(at(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// A copy with the same holes.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    run("cp", &["--sparse=always", &from.display().to_string(), &to.display().to_string()])
}

fn replace_by_link(file: &Path, link: &Path) -> Result<(), String> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(link)(error)),
        _ => {}
    }
    fs::hard_link(file, link).map_err(at(link))
}

fn id(number: u8) -> [u8; 16] {
    let mut id = plain_bytes("B0B0B0B0-0000-4000-8000-000000000000");
    id[15] = number;
    id
}

/// A dynamic VHD as 2008 R2 makes it.
fn dynamic(number: u8, order: BlockOrder) -> VhdSpec {
    VhdSpec::new(VhdKind::Dynamic(Blocks { order, ..Blocks::default() }), id(number))
}

fn child(number: u8, below: &VhdSpec, name: &str) -> VhdSpec {
    let parent = Parent {
        unique_id: below.unique_id,
        timestamp: below.timestamp,
        name: name.to_owned(),
        locators: vec![Locator::new(b"W2ru", &format!(".\\{name}"))],
        stale: None,
    };
    let blocks = Blocks { order: BlockOrder::Shuffled(u64::from(number)), ..Blocks::default() };
    VhdSpec::new(VhdKind::Differencing(blocks, parent), id(number))
}
