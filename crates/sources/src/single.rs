//! One disk file of this computer with its parents, without a host around it. Parents are looked for beside the file, by
//! their recorded paths, and below folders that the operator names.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::disk::{self, Checksums, GateError, OpenOptions, ParentGate, ParentRequest, ParentTime, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::names::WindowsPath;

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
}

/// Opens a disk file, or a block device that holds one, and its parents. A recorded relative path counts from the folder of
/// the child; of an absolute one the file name is tried beside the child and its last components below each of the options'
/// folders. Of a child that is reached by a link, the folder of the file itself counts too.
pub fn open_disk_file(path: &Path, options: &ChainOptions) -> Result<SharedDisk, SourceError> {
    for dir in &options.parent_dirs {
        folder(dir)?;
    }
    let file = open_plain(path, Devices::Blocks)?;
    let gate = LocalGate { parent_dirs: &options.parent_dirs, opened: RefCell::default() };
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
    parent_dirs: &'a [PathBuf],
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
        for dir in self.parent_dirs {
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
        paths
    }
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
    let wanted = name.to_uppercase();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let alike = entries.filter(|entry| entry.file_name().to_string_lossy().to_uppercase() == wanted);
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
