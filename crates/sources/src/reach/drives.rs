//! Which folders stand for which drive letters: those of the URI, and folders named after a drive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::SourceError;
use crate::uri::FolderUri;

/// Letter in upper case to folder.
pub(crate) type DriveMap = BTreeMap<char, PathBuf>;

/// Finds the drives of a `folder:` URI. Named drives win over found ones; a relative folder of a named drive counts from
/// the folder of the URI.
pub(crate) fn find(uri: &str, folder: &FolderUri) -> Result<DriveMap, SourceError> {
    let base = Path::new(&folder.path);
    let mut drives = DriveMap::new();
    if !folder.path.is_empty() {
        drives = discover(uri, base, folder)?;
    }
    for (letter, path) in &folder.drives {
        drives.insert(*letter, base.join(path));
    }
    if drives.is_empty() {
        return Err(SourceError::NoDrives { path: folder.path.clone() });
    }
    for path in drives.values_mut() {
        let error = |source| SourceError::Folder { path: path.display().to_string(), source };
        let real = dunce::canonicalize(&*path).map_err(error)?;
        if !real.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        *path = real;
    }
    Ok(drives)
}

fn discover(uri: &str, base: &Path, folder: &FolderUri) -> Result<DriveMap, SourceError> {
    let error = |source| SourceError::Folder { path: base.display().to_string(), source };
    let mut drives = DriveMap::new();
    let mut has_windows = false;
    for entry in std::fs::read_dir(base).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() {
            continue;
        }
        has_windows |= name.eq_ignore_ascii_case("windows");
        let Some(letter) = drive_letter(&name) else { continue };
        let before = drives.insert(letter, entry.path());
        if let Some(before) = before.filter(|_| !folder.drives.contains_key(&letter)) {
            let (first, second) = (before.display().to_string(), entry.path().display().to_string());
            let (first, second) = if first < second { (first, second) } else { (second, first) };
            let small = letter.to_ascii_lowercase();
            let reason =
                format!("'{first}' and '{second}' may both be drive {letter}:; say which with '{small}=/path'");
            return Err(SourceError::BadUri { uri: uri.to_owned(), reason });
        }
    }
    if drives.is_empty() && has_windows {
        drives.insert('C', base.to_path_buf());
    }
    Ok(drives)
}

/// `C`, `c:`, `C_drive`, `C-drive`, `drive_c`.
fn drive_letter(name: &str) -> Option<char> {
    let lower = name.to_ascii_lowercase();
    let core = ["_drive", "-drive", " drive", ":"].iter().find_map(|end| lower.strip_suffix(end));
    let core = core.or_else(|| ["drive_", "drive-"].iter().find_map(|start| lower.strip_prefix(start)));
    let mut chars = core.unwrap_or(&lower).chars();
    match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_named_after_drives_are_recognised() {
        for name in ["C", "c", "C:", "c_drive", "C-Drive", "drive_c"] {
            assert_eq!(drive_letter(name), Some('C'), "{name}");
        }
        for name in ["", "CC", "1", "_drive", "Windows", "ä"] {
            assert_eq!(drive_letter(name), None, "{name}");
        }
    }
}
