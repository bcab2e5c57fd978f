//! One disk file of this computer with its parents, without a host around it. Parents are looked for beside the file, by
//! their recorded paths, and below folders that the operator names.

use std::collections::HashSet;
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

/// Opens a disk file and its parents. A recorded relative path counts from the folder of the child; of an absolute one the
/// file name is tried beside the child and its last components below each of the options' folders.
pub fn open_disk_file(path: &Path, options: &ChainOptions) -> Result<SharedDisk, SourceError> {
    let file = open_plain(path)?;
    let gate = LocalGate { parent_dirs: &options.parent_dirs };
    let how = OpenOptions { format: None, checksums: options.checksums, parent_time: options.parent_time };
    Ok(disk::open_with(file, &gate, &how)?)
}

fn open_plain(path: &Path) -> Result<SharedFile, ReachError> {
    let name = path.display().to_string();
    let error = |source| ReachError::Io { path: name.clone(), source };
    // A pipe would block the program for ever.
    if !fs::metadata(path).map_err(error)?.is_file() {
        let found = if path.is_dir() { "a folder" } else { "a device, pipe or socket" };
        return Err(ReachError::WrongKind { path: name, expected: "a file", found });
    }
    Ok(Arc::new(LocalFile::open(path, name.clone()).map_err(error)?))
}

struct LocalGate<'a> {
    parent_dirs: &'a [PathBuf],
}

impl LocalGate<'_> {
    fn paths(&self, request: &ParentRequest) -> Vec<PathBuf> {
        let folder = Path::new(&request.child).parent().map(Path::to_path_buf).unwrap_or_default();
        let mut paths = Vec::new();
        for locator in request.locators.iter().filter(|locator| is_relative(locator)) {
            paths.extend(find(&folder, &WindowsPath::new(&locator.path).components().collect::<Vec<_>>()));
        }
        for name in file_names(request) {
            paths.extend(find(&folder, &[&name]));
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

/// Follows Windows components below a folder: the exact name first, then one that differs only by case.
fn find(folder: &Path, parts: &[&str]) -> Option<PathBuf> {
    let mut path = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() };
    for part in parts {
        if *part == ".." {
            path = path.join("..");
            continue;
        }
        let exact = path.join(part);
        path = if exact.symlink_metadata().is_ok() { exact } else { in_any_case(&path, part)? };
    }
    (!parts.is_empty()).then_some(path)
}

fn in_any_case(folder: &Path, name: &str) -> Option<PathBuf> {
    let wanted = name.to_uppercase();
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    entries.find(|entry| entry.file_name().to_string_lossy().to_uppercase() == wanted).map(|entry| entry.path())
}

impl ParentGate for LocalGate<'_> {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let mut seen = HashSet::new();
        let paths = self.paths(request).into_iter();
        let fresh = paths.filter(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
        let (mut found, mut reason) = (Vec::new(), None);
        for path in fresh {
            match open_plain(&path) {
                Ok(file) => found.push(file),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        settled(request, found, reason)
    }
}
