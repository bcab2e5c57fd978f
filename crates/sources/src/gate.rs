//! Finds the parents of differencing disks inside a source: by their recorded paths, then beside the child, then in the
//! folders in which Hyper-V keeps disks and checkpoints. Nothing outside the mapped folders is ever opened; whether a
//! candidate is the right parent, the chain checks by its identity.

use std::collections::HashSet;

use hvm_formats::disk::{GateError, ParentGate, ParentLocator, ParentRequest};
use hvm_formats::io::SharedFile;
use hvm_model::names::WindowsPath;

use crate::error::ReachError;
use crate::reach::ReadOnlyTree;

/// Folders in which Hyper-V keeps disks, beside the child's folder or one of the folders above it.
const NEIGHBOURS: [&str; 2] = ["Virtual Hard Disks", "Snapshots"];
/// Begin of a path on a volume that is named by its GUID, as VHDX files record it.
const VOLUME: &str = r"\\?\Volume{";
/// How many folders above the child's are looked at.
const LEVELS: usize = 3;

/// The gate of a source.
pub(crate) struct TreeGate<'a> {
    tree: &'a dyn ReadOnlyTree,
}

impl<'a> TreeGate<'a> {
    pub(crate) fn new(tree: &'a dyn ReadOnlyTree) -> TreeGate<'a> {
        TreeGate { tree }
    }
}

/// True for a locator that counts from the child's folder, of a VHD or a VHDX.
pub(crate) fn is_relative(locator: &ParentLocator) -> bool {
    matches!(locator.platform.as_str(), "W2ru" | "Wi2r" | "relative_path")
}

/// The file names that the parent may have, without repeats.
pub(crate) fn file_names(request: &ParentRequest) -> Vec<String> {
    let paths = request.locators.iter().map(|locator| locator.path.as_str()).chain([request.name.as_str()]);
    let mut names: Vec<String> = Vec::new();
    for path in paths {
        let name = WindowsPath::new(path).file_name().to_owned();
        let usable = !name.is_empty() && !matches!(name.as_str(), "." | "..");
        if usable && !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names
}

fn is_volume(begin: &str) -> bool {
    begin.eq_ignore_ascii_case(VOLUME)
}

fn paths(request: &ParentRequest) -> Vec<WindowsPath> {
    let child = WindowsPath::new(&request.child);
    let folder = child.parent().unwrap_or_else(|| child.clone());
    let mut paths: Vec<WindowsPath> = Vec::new();
    for locator in request.locators.iter().filter(|locator| !locator.path.is_empty()) {
        let path = WindowsPath::new(&locator.path);
        if is_relative(locator) {
            paths.push(folder.join(&locator.path));
        } else if path.drive().is_some() || locator.path.get(..VOLUME.len()).is_some_and(is_volume) {
            paths.push(path);
        }
    }
    let mut folders = vec![folder.clone()];
    let mut above = Some(folder);
    for _ in 0..=LEVELS {
        let Some(here) = above else { break };
        folders.extend(NEIGHBOURS.iter().map(|name| here.join(name)));
        above = here.parent().filter(|parent| *parent != here);
    }
    let names = file_names(request);
    paths.extend(folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))));
    paths
}

impl ParentGate for TreeGate<'_> {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut reason = None;
        for path in paths(request) {
            let metadata = match self.tree.metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    if matches!(error, ReachError::NotMapped { .. } | ReachError::LinkOutside { .. }) {
                        reason = reason.or(Some(error));
                    }
                    continue;
                }
            };
            if !seen.insert(metadata.real_path.key()) {
                continue;
            }
            match self.tree.open(&path) {
                Ok(file) => found.push(file),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        settled(request, found, reason)
    }
}

/// What a search found; when that is nothing, why something that is there could not be opened: it is not missing.
pub(crate) fn settled<E: std::error::Error + Send + Sync + 'static>(
    request: &ParentRequest,
    found: Vec<SharedFile>,
    reason: Option<E>,
) -> Result<Vec<SharedFile>, GateError> {
    match reason {
        Some(error) if found.is_empty() => {
            Err(GateError { child: request.child.clone(), wanted: request.name.clone(), reason: Box::new(error) })
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_on_a_volume_that_is_named_by_its_guid_is_looked_for_there() {
        let path = r"\\?\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\base\a.vhdx".to_owned();
        let locator = ParentLocator { platform: "volume_path".to_owned(), path: path.clone() };
        let request = ParentRequest {
            child: r"D:\VMs\b.avhdx".to_owned(),
            depth: 1,
            locators: vec![locator],
            name: "a.vhdx".to_owned(),
            unique_id: String::new(),
            other_id: String::new(),
            timestamp: 0,
        };
        assert_eq!(paths(&request).first(), Some(&WindowsPath::new(&path)));
    }
}
