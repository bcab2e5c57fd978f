//! One disk file of this computer with its parents, without a host around it. Parents are looked for beside the file, by
//! their recorded paths, and below folders that the operator names.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::disk::{
    self, Checksums, GateError, OpenOptions, ParentGate, ParentLocator, ParentRequest, ParentTime, SharedDisk,
};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::names::{WindowsPath, folded};

use crate::error::{ReachError, SourceError};
use crate::gate::{file_names, is_relative, settled};

/// Most trailing components of a recorded path that are tried below a parent folder.
const MAX_TAIL: usize = 32;
/// Most files that are tried of those whose names differ only by case.
const MAX_TWINS: usize = 16;

/// How a single disk is opened.
#[derive(Debug, Clone, Default)]
pub struct ChainOptions {
    /// Folders in which parents are looked for besides the places that the chain records.
    pub parent_dirs: Vec<PathBuf>,
    /// Whether wrong checksums of a VHD's headers are accepted.
    pub checksums: Checksums,
    /// Whether a parent is accepted whose time stamp is not the one that its child recorded.
    pub parent_time: ParentTime,
    /// Whether a parent is looked for, last of all, at the absolute path of Unix that a VHD recorded for it.
    pub recorded_paths: bool,
}

/// Opens a disk file, or a block device that holds one, and its parents. A recorded relative path counts from the folder of
/// the child; of an absolute one the file name is tried beside the child and its last components below each of the options'
/// folders; one of Unix is followed itself where the options say so. Of a child that is reached by a link, the folder of the file
/// itself counts too.
pub fn open_disk_file(path: &Path, options: &ChainOptions) -> Result<SharedDisk, SourceError> {
    for dir in &options.parent_dirs {
        folder(dir)?;
    }
    let file = open_plain(path, Devices::Blocks)?;
    let gate = LocalGate { options, opened: RefCell::default() };
    gate.remember(&file, path);
    let how = OpenOptions { format: None, checksums: options.checksums, parent_time: options.parent_time };
    Ok(disk::open_with(file, &gate, &how)?)
}

/// A misspelt folder would look like one in which the parent is not.
fn folder(path: &Path) -> Result<(), ReachError> {
    let name = path.display().to_string();
    let metadata = fs::metadata(path).map_err(|source| ReachError::Io { path: name.clone(), source })?;
    match metadata.is_dir() {
        true => Ok(()),
        false => {
            Err(ReachError::WrongKind { path: name, expected: "a folder to look for parents in", found: "a file" })
        }
    }
}

/// Whether a device may stand for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Devices {
    /// A block device may: the operator named it.
    Blocks,
    /// None may: a disk names its parents, and must not have the devices of this computer opened.
    Refused,
}

fn open_plain(path: &Path, devices: Devices) -> Result<SharedFile, ReachError> {
    let name = path.display().to_string();
    let error = |source| ReachError::Io { path: name.clone(), source };
    let kind = fs::metadata(path).map_err(error)?.file_type();
    // A pipe would block the program for ever.
    let device = devices == Devices::Blocks && is_block_device(kind);
    if !kind.is_file() && !device {
        let found = if kind.is_dir() { "a folder" } else { "a device, pipe or socket" };
        return Err(ReachError::WrongKind { path: name, expected: "a file", found });
    }
    Ok(Arc::new(LocalFile::open(path, name.clone()).map_err(error)?))
}

#[cfg(unix)]
fn is_block_device(kind: fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&kind)
}

#[cfg(not(unix))]
fn is_block_device(_: fs::FileType) -> bool {
    false
}

struct LocalGate<'a> {
    options: &'a ChainOptions,
    /// Paths of the files that were opened, by the names that messages give them: a name may not be the path.
    opened: RefCell<HashMap<String, PathBuf>>,
}

impl LocalGate<'_> {
    fn remember(&self, file: &SharedFile, path: &Path) {
        self.opened.borrow_mut().insert(file.name().to_owned(), path.to_owned());
    }

    /// The folder of a child; of a link also that of the file that it leads to.
    fn folders(&self, child: &str) -> Vec<PathBuf> {
        let path = self.opened.borrow().get(child).cloned().unwrap_or_else(|| PathBuf::from(child));
        let own = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut folders = vec![own(&path)];
        if path.is_symlink() {
            folders.extend(path.canonicalize().ok().map(|real| own(&real)));
        }
        folders
    }

    fn paths(&self, request: &ParentRequest) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for folder in self.folders(&request.child) {
            for locator in request.locators.iter().filter(|locator| is_relative(locator)) {
                paths.extend(find(&folder, &WindowsPath::new(&locator.path).components().collect::<Vec<_>>()));
            }
            for name in file_names(request) {
                paths.extend(find(&folder, &[&name]));
            }
        }
        for dir in &self.options.parent_dirs {
            for locator in &request.locators {
                let path = WindowsPath::new(&locator.path);
                let parts: Vec<&str> = path.components().filter(|part| *part != "..").collect();
                for start in parts.len().saturating_sub(MAX_TAIL)..parts.len() {
                    paths.extend(find(dir, parts.get(start..).unwrap_or_default()));
                }
            }
            for name in file_names(request) {
                paths.extend(find(dir, &[&name]));
            }
        }
        if self.options.recorded_paths {
            let recorded = request.locators.iter().filter_map(recorded);
            // What is no file that holds something is not even opened.
            paths.extend(recorded.filter(|path| path.metadata().is_ok_and(|found| found.is_file() && found.len() > 0)));
        }
        paths
    }
}

/// The absolute path of this computer that a VHD recorded: that of qemu and others in the place of one of Windows, or the URL of a
/// file. `None` for what is none.
fn recorded(locator: &ParentLocator) -> Option<PathBuf> {
    let path = match locator.platform.as_str() {
        "W2ku" => locator.path.clone(),
        "MacX" => {
            let path = locator.path.strip_prefix("file://")?;
            decoded(path.strip_prefix("localhost").unwrap_or(path))?
        }
        _ => return None,
    };
    // Two slashes begin a path of Windows to another host.
    let is_of_unix = path.starts_with('/') && !path.starts_with("//");
    Some(PathBuf::from(path)).filter(|path| is_of_unix && path.is_absolute())
}

/// The text of a URL without its escapes; `None` when they are none, or not those of text.
fn decoded(url: &str) -> Option<String> {
    let mut parts = url.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Follows Windows components below a folder: the exact name, else those that differ only by case.
fn find(folder: &Path, parts: &[&str]) -> Vec<PathBuf> {
    if parts.is_empty() {
        return Vec::new();
    }
    let mut paths = vec![if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() }];
    for part in parts {
        paths = paths.iter().flat_map(|path| step(path, part)).take(MAX_TWINS).collect();
    }
    paths
}

fn step(folder: &Path, name: &str) -> Vec<PathBuf> {
    let exact = folder.join(name);
    if name == ".." || exact.symlink_metadata().is_ok() {
        return vec![exact];
    }
    let wanted = folded(name);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let alike = entries.filter(|entry| folded(&entry.file_name().to_string_lossy()) == wanted);
    let mut paths: Vec<PathBuf> = alike.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

impl ParentGate for LocalGate<'_> {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let mut seen = HashSet::new();
        let paths = self.paths(request).into_iter();
        let fresh = paths.filter(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
        let (mut found, mut reason) = (Vec::new(), None);
        for path in fresh {
            match open_plain(&path, Devices::Refused) {
                Ok(file) => {
                    self.remember(&file, &path);
                    found.push(file);
                }
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        settled(request, found, reason)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_of_unix_are_recorded_ones() {
        let all = [
            ("W2ku", "/disks/p.vhd", Some("/disks/p.vhd")),
            ("W2ku", "/disks/50%41.vhd", Some("/disks/50%41.vhd")),
            ("W2ku", r"D:\disks\p.vhd", None),
            ("W2ku", "//host/share/p.vhd", None),
            ("W2ku", "disks/p.vhd", None),
            ("W2ru", "/disks/p.vhd", None),
            ("MacX", "file:///disks/p.vhd", Some("/disks/p.vhd")),
            ("MacX", "file://localhost/disks/p%20%C3%BC.vhd", Some("/disks/p ü.vhd")),
            ("MacX", "file://host/disks/p.vhd", None),
            ("MacX", "file:///p%2", None),
            ("MacX", "file:///p%zz.vhd", None),
            ("MacX", "file:///p%FF.vhd", None),
            ("MacX", "file:///p%00.vhd", None),
            ("MacX", "/disks/p.vhd", None),
        ];
        for (platform, path, expected) in all {
            let locator = ParentLocator { platform: platform.to_owned(), path: path.to_owned() };
            assert_eq!(recorded(&locator).as_deref(), expected.map(Path::new), "{platform} {path}");
        }
    }
}
