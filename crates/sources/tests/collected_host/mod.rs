//! A collection as `collect.cmd` makes it: hives, configurations, a list of files, answers, checksums, and no disks.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use hvm_model::inventory::Inventory;
use hvm_testkit::sample::answers::{self, DiskInfo, utf16};
use hvm_testkit::sample::{self, Variant};

/// The inventory of a folder.
pub fn read(folder: &Path) -> Inventory {
    hvm_sources::open(&format!("folder:{}", folder.display())).unwrap().inventory().unwrap()
}

/// What the script would take of a file; disks and images it only lists.
fn is_taken(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
    let is_hive = ["SYSTEM", "SOFTWARE"].iter().any(|hive| name.split('.').next() == Some(hive));
    name.ends_with(".XML") || is_hive && path.components().any(|part| part.as_os_str() == "config")
}

struct Collector {
    host: PathBuf,
    out: PathBuf,
    lines: Vec<String>,
    sums: Vec<String>,
}

impl Collector {
    fn windows(&self, path: &Path) -> String {
        let parts: Vec<_> = path.strip_prefix(&self.host).unwrap().iter().map(|part| part.to_string_lossy()).collect();
        format!("{}:\\{}", parts[0], parts[1..].join("\\"))
    }

    fn folder(&mut self, folder: &Path) {
        let windows = self.windows(folder);
        self.lines.push(format!("folder\t{windows}"));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let windows = self.windows(&path);
            if metadata.is_symlink() {
                // The sample's links hold paths of Windows, as real ones do.
                let target = fs::read_link(&path).unwrap().to_string_lossy().into_owned();
                self.lines.push(format!("link\t{windows}\t{target}"));
            } else if metadata.is_dir() {
                self.folder(&path);
            } else {
                let how = if is_taken(&path) { "collected" } else { "listed" };
                self.lines.push(format!("file\t{}\t20101124101200\t{how}\t{windows}", metadata.len()));
                if is_taken(&path) {
                    let own = path.strip_prefix(&self.host).unwrap().to_path_buf();
                    self.take(&own, &fs::read(&path).unwrap());
                }
            }
        }
    }

    fn take(&mut self, name: &Path, bytes: &[u8]) {
        let place = self.out.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        self.sum(name, bytes);
    }

    fn sum(&mut self, name: &Path, bytes: &[u8]) {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        self.sums.push(format!("SHA256\t{digits}\t{}", name.join("\\")));
    }

    /// Everything below the folder of the answers.
    fn sum_answers(&mut self) {
        let namespaces: Vec<_> =
            fs::read_dir(self.out.join("wmi")).unwrap().map(|entry| entry.unwrap().path()).collect();
        for file in namespaces.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
            let path = file.unwrap().path();
            let own = path.strip_prefix(&self.out).unwrap().to_path_buf();
            self.sum(&own, &fs::read(&path).unwrap());
        }
    }
}

/// The host as it is, its inventory with its own answers, and the collection.
pub fn collection() -> (tempfile::TempDir, Inventory, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().canonicalize().unwrap().join("host");
    let out = folder.path().join("collected");
    fs::create_dir_all(&out).unwrap();
    sample::write(&host, Variant::Default).unwrap();
    let mut collector = Collector { host: host.clone(), out: out.clone(), lines: Vec::new(), sums: Vec::new() };
    for drive in ["C", "D"] {
        collector.folder(&host.join(drive));
    }
    answers::write(&host, Variant::Default).unwrap();
    let whole = read(&host);
    answers::write(&out, Variant::Default).unwrap();
    answers::write_disks(&out, &told_disks(&whole)).unwrap();
    let list = format!("hvmigrate-collection\t1\r\n{}\r\nend\t0\r\n", collector.lines.join("\r\n"));
    collector.take(Path::new("files.txt"), &utf16(&list));
    collector.sum_answers();
    let sums = format!("{}\r\nend\r\n", collector.sums.join("\r\n"));
    fs::write(out.join("checksums.txt"), utf16(&sums)).unwrap();
    (folder, whole, out)
}

/// What the host itself says of the disks that were read from its files.
pub fn told_disks(inventory: &Inventory) -> Vec<DiskInfo> {
    let kind = |format: &str| match format {
        "vhd-fixed" => 2,
        "vhd-dynamic" => 3,
        _ => 4,
    };
    let disk = |disk: &hvm_model::disk::DiskFile| DiskInfo {
        path: disk.path.to_string(),
        kind: kind(&disk.format),
        file_size: disk.file_size.0,
        virtual_size: disk.virtual_size.0,
        parent: disk.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    inventory.disks.iter().map(disk).collect()
}
