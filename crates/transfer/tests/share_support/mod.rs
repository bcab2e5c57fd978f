//! File systems in images, mounted for one test, and what tells from outside whether files share extents.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system that is mounted until it is dropped.
pub struct Volume {
    folder: tempfile::TempDir,
}

fn ran(program: &str, args: &[&str]) -> Result<String, String> {
    match Command::new(program).args(args).env("LC_ALL", "C").output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

impl Volume {
    /// Makes and mounts one; `None` after saying why where that is not possible: it takes root, the program and the kernel's driver.
    pub fn new(mkfs: &str, args: &[&str]) -> Option<Volume> {
        // In memory where the system has a folder for that: it is flushed often.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(1 << 30).unwrap();
        std::fs::create_dir(&mount).unwrap();
        let (image, mount) = (image.to_str().unwrap(), mount.to_str().unwrap());
        let made = ran(mkfs, &[args, &[image]].concat()).and_then(|_| ran("mount", &["-o", "loop", image, mount]));
        match made {
            Ok(_) => Some(Volume { folder }),
            Err(reason) => {
                eprintln!("SKIPPED: no file system to share extents on: {reason}");
                None
            }
        }
    }

    pub fn xfs() -> Option<Volume> {
        Volume::new("mkfs.xfs", &["-q", "-m", "reflink=1"])
    }

    pub fn btrfs() -> Option<Volume> {
        Volume::new("mkfs.btrfs", &["-q"])
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Bytes that are free once everything is written.
    pub fn free(&self) -> u64 {
        ran("sync", &["-f", self.path().to_str().unwrap()]).unwrap();
        let text = ran("stat", &["-f", "-c", "%f %S", self.path().to_str().unwrap()]).unwrap();
        text.split_whitespace().map(|number| number.parse::<u64>().unwrap()).product()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let mount = self.path();
        let mount = mount.to_str().unwrap();
        // The loop device goes with the mount. Lazily when somebody still looks at it: nothing may be left behind.
        let gone = ran("umount", &[mount]).or_else(|_| ran("umount", &["-l", mount]));
        assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
    }
}

/// Bytes in extents of a file that another file has, too, as filefrag tells; `None` after saying so where it is missing.
pub fn shared_bytes(path: &Path) -> Option<u64> {
    let text = match ran("filefrag", &["-s", "-v", path.to_str().unwrap()]) {
        Ok(text) => text,
        Err(reason) => {
            eprintln!("SKIPPED: {reason}");
            return None;
        }
    };
    // Number, first and last block of the file, first and last block of the device, number of blocks, flags.
    let extents = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').map(str::trim).collect();
        fields.first()?.parse::<u64>().ok()?;
        let blocks: u64 = fields.get(3)?.parse().ok()?;
        Some((blocks, fields.last()?.contains("shared")))
    });
    let extents: Vec<(u64, bool)> = extents.collect();
    assert!(!extents.is_empty(), "{text}");
    Some(extents.iter().filter(|(_, shared)| *shared).map(|(blocks, _)| blocks * 4096).sum())
}

/// Fails unless qemu-img finds the same content in both files.
pub fn qemu_compare((one, one_is): (&Path, &str), (other, other_is): (&Path, &str)) {
    let args = ["compare", "-f", one_is, "-F", other_is, one.to_str().unwrap(), other.to_str().unwrap()];
    match Command::new("qemu-img").args(args).output() {
        Ok(output) => assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("SKIPPED: qemu-img: {error}"),
    }
}

/// Runs a program of the system; its error when it cannot.
pub fn tool(program: &str, args: &[&str]) -> Result<String, String> {
    ran(program, args)
}
