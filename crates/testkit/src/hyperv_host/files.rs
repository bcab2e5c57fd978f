//! Files and folders of the host, in memory. Small and large letters are the same in paths.

use std::collections::BTreeMap;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path as it was written.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Files and folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    files: BTreeMap<String, File>,
    folders: BTreeMap<String, String>,
}

fn key(path: &str) -> String {
    path.replace('/', "\\").trim_end_matches('\\').to_lowercase()
}

impl Files {
    /// Makes a folder and those above it.
    pub fn create_folder(&mut self, path: &str) {
        let mut path = path.trim_end_matches('\\');
        while !path.is_empty() {
            self.folders.insert(key(path), path.to_owned());
            path = path.rsplit_once('\\').map_or("", |(above, _)| above);
        }
    }

    /// True for a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        self.folders.contains_key(&key(path))
    }

    /// Writes a file; its folder must be there.
    pub fn write(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
        let folder = path.rsplit_once('\\').map_or("", |(folder, _)| folder);
        if !self.has_folder(folder) {
            return Err(format!("Could not find a part of the path '{path}'."));
        }
        if self.has_folder(path) {
            return Err(format!("Access to the path '{path}' is denied."));
        }
        self.files.insert(key(path), File { path: path.to_owned(), bytes });
        Ok(())
    }

    /// Writes bytes into a file that is there, from an offset on; what is missing before them is zeros.
    pub fn write_at(&mut self, path: &str, offset: usize, bytes: &[u8]) -> Result<(), String> {
        let Some(file) = self.files.get_mut(&key(path)) else { return Err(format!("Could not find file '{path}'.")) };
        let end = offset + bytes.len();
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    /// Cuts or lengthens a file that is there.
    pub fn set_length(&mut self, path: &str, length: usize) -> Result<(), String> {
        let Some(file) = self.files.get_mut(&key(path)) else { return Err(format!("Could not find file '{path}'.")) };
        file.bytes.resize(length, 0);
        Ok(())
    }

    /// Files and folders that lie in a folder itself.
    pub fn entries(&self, folder: &str) -> Vec<String> {
        let start = key(folder) + "\\";
        let inside = |path: &&String| path.strip_prefix(&start).is_some_and(|rest| !rest.contains('\\'));
        self.files.keys().chain(self.folders.keys()).filter(inside).cloned().collect()
    }

    /// Removes a folder with all that is in it.
    pub fn remove_folder(&mut self, path: &str) {
        let (own, start) = (key(path), key(path) + "\\");
        self.files.retain(|known, _| !known.starts_with(&start));
        self.folders.retain(|known, _| *known != own && !known.starts_with(&start));
    }

    /// The bytes of a file.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        self.files.get(&key(path)).map(|file| file.bytes.as_slice())
    }

    /// Removes a file; false when there was none.
    pub fn remove(&mut self, path: &str) -> bool {
        self.files.remove(&key(path)).is_some()
    }

    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }
}
