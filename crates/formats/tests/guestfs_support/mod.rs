//! What the tests of guest file systems share: outside tools (skipped aloud where missing), volumes mounted by ntfs-3g,
//! and bytes with one of them changed.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hvm_formats::guestfs::Ntfs;
use hvm_formats::guestfs::ntfs::FileReference;
use hvm_formats::io::{LocalFile, MemoryFile, ReadAt, SharedFile};
use hvm_testkit::mount::unmount;

/// Runs a tool; `None` after saying so when it is not installed. A tool that fails, fails the test.
pub fn tool(name: &str, args: &[&str]) -> Option<Vec<u8>> {
    let output = match Command::new(name).args(args).env("LC_ALL", "C").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: {name}: {error}");
            return None;
        }
    };
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {args:?}: {message}");
    Some(output.stdout)
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn local(path: &Path) -> SharedFile {
    Arc::new(LocalFile::open(path, text(path)).unwrap())
}

pub fn memory(bytes: Vec<u8>) -> SharedFile {
    Arc::new(MemoryFile::new("memory", bytes))
}

pub fn whole(file: &dyn ReadAt) -> io::Result<Vec<u8>> {
    hvm_formats::io::read_whole(file, 1 << 28)
}

/// An empty file of `size` bytes.
pub fn image(folder: &Path, name: &str, size: u64) -> PathBuf {
    let path = folder.join(name);
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    path
}

/// A volume that ntfs-3g has mounted; unmounted when dropped.
pub struct Mounted {
    pub path: PathBuf,
}

impl Mounted {
    pub fn new(image: &Path, options: &str) -> Option<Mounted> {
        let path = image.with_extension("mnt");
        std::fs::create_dir_all(&path).unwrap();
        if !Path::new("/dev/fuse").exists() {
            eprintln!("SKIPPED: no /dev/fuse to mount NTFS with");
            return None;
        }
        match Command::new("ntfs-3g").args(["-o", options, text(image), text(&path)]).output() {
            Ok(output) if output.status.success() => Some(Mounted { path }),
            Ok(output) => {
                eprintln!("SKIPPED: ntfs-3g could not mount: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                eprintln!("SKIPPED: ntfs-3g: {error}");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = unmount(&self.path);
        assert!(done.is_ok() || std::thread::panicking(), "{} stays mounted: {done:?}", self.path.display());
        // The driver writes its last changes after the mount point is free.
        let image = self.path.with_extension("img");
        for _ in 0..3000 {
            let busy = Command::new("pgrep").args(["-f", &format!("ntfs-3g .*{}", text(&image))]).output();
            if busy.map_or(true, |output| output.stdout.is_empty()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(std::thread::panicking(), "ntfs-3g does not end with {}", image.display());
    }
}

/// Bytes of which one is another.
pub struct Patched {
    pub inner: SharedFile,
    pub offset: u64,
    pub byte: u8,
}

impl ReadAt for Patched {
    fn name(&self) -> &str {
        "patched"
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_exact_at(buf, offset)?;
        if let Some(place) = self.offset.checked_sub(offset)
            && let Some(byte) = usize::try_from(place).ok().and_then(|place| buf.get_mut(place))
        {
            *byte = self.byte;
        }
        Ok(())
    }
}

/// A file in an NTFS volume.
pub fn found(ntfs: &Ntfs, path: &str) -> FileReference {
    ntfs.find(path).unwrap().unwrap_or_else(|| panic!("{path} was not found")).reference
}

pub fn content(ntfs: &Ntfs, path: &str, stream: &str) -> Vec<u8> {
    whole(&*ntfs.open_file(found(ntfs, path), stream).unwrap()).unwrap()
}

/// Seeded bytes that do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
