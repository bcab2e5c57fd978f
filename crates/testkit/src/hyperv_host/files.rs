//! Files and folders of the host with their security, in memory. Small and large letters are the same in paths. Whoever makes
//! something is an administrator.

use std::collections::{BTreeMap, BTreeSet};

use crate::powershell::{Child, Descriptor};

/// The security of the root of a volume as Windows formats it: everybody may read, and make folders.
const ROOT: &str = "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)(A;CI;0x4;;;BU)\
                    (A;CIIO;0x2;;;BU)";

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path as it was written.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Who can do what with it.
    pub security: Descriptor,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: String,
    security: Descriptor,
    /// Whether it is a junction. What it leads to is not modelled: it looks like an empty folder.
    is_link: bool,
}

/// Files and folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    files: BTreeMap<String, File>,
    folders: BTreeMap<String, Folder>,
    /// Files that another program has open for itself.
    held: BTreeSet<String>,
}

fn key(path: &str) -> String {
    path.replace('/', "\\").trim_end_matches('\\').to_lowercase()
}

impl Files {
    /// Makes a folder and those above it.
    pub fn create_folder(&mut self, path: &str) {
        self.create(path, None);
    }

    /// Makes a folder and those above it, each that was not there with this security.
    pub fn create_folder_with(&mut self, path: &str, security: &Descriptor) {
        self.create(path, Some(security));
    }

    fn create(&mut self, path: &str, security: Option<&Descriptor>) {
        let path = path.trim_end_matches('\\');
        if path.is_empty() || self.has_folder(path) {
            return;
        }
        if let Some((above, _)) = path.rsplit_once('\\') {
            self.create(above, security);
        }
        let security = security.cloned().unwrap_or_else(|| self.inherited(path, Child::Folder));
        self.folders.insert(key(path), Folder { path: path.to_owned(), security, is_link: false });
    }

    /// What something new takes over from the folder in which it is made.
    fn inherited(&self, path: &str, child: Child) -> Descriptor {
        let above = path.rsplit_once('\\').and_then(|(above, _)| self.folders.get(&key(above)));
        above.map_or_else(
            || Descriptor::of_sddl(ROOT).expect("the text above is a descriptor"),
            |folder| folder.security.inherited(child),
        )
    }

    /// The security of a folder.
    pub fn security(&self, folder: &str) -> Option<&Descriptor> {
        self.folders.get(&key(folder)).map(|folder| &folder.security)
    }

    /// Gives a folder that is there another security; what is in it keeps its own.
    pub fn secure(&mut self, folder: &str, security: Descriptor) {
        if let Some(folder) = self.folders.get_mut(&key(folder)) {
            folder.security = security;
        }
    }

    /// Makes a junction out of a folder that is there.
    pub fn make_link(&mut self, folder: &str) {
        if let Some(folder) = self.folders.get_mut(&key(folder)) {
            folder.is_link = true;
        }
    }

    /// True for a junction.
    pub fn is_link(&self, path: &str) -> bool {
        self.folders.get(&key(path)).is_some_and(|folder| folder.is_link)
    }

    /// True for a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        self.folders.contains_key(&key(path))
    }

    /// Another program opens a file and lets nobody else open it, or closes it again.
    pub fn hold(&mut self, path: &str, holds: bool) {
        if holds {
            self.held.insert(key(path))
        } else {
            self.held.remove(&key(path))
        };
    }

    /// Whether another program has a file open for itself.
    pub fn is_held(&self, path: &str) -> bool {
        self.held.contains(&key(path))
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
        match self.files.get_mut(&key(path)) {
            Some(file) => file.bytes = bytes,
            None => {
                let security = self.inherited(path, Child::File);
                self.files.insert(key(path), File { path: path.to_owned(), bytes, security });
            }
        }
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
