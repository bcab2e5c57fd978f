//! A folder of this computer that is a folder of the host too: what a program here writes, a script there reads. What scripts
//! write stays on the host.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Files;

/// Length and time of a file.
type Stamp = (u64, SystemTime);

/// The two folders.
#[derive(Debug)]
pub struct Mirror {
    here: PathBuf,
    there: String,
    known: BTreeMap<String, Stamp>,
}

impl Mirror {
    /// A folder here that is `there` on the host; it need not exist yet.
    pub fn new(here: &Path, there: &str) -> Mirror {
        Mirror { here: here.to_owned(), there: there.to_owned(), known: BTreeMap::new() }
    }

    /// Brings what is new or changed here to the host, and takes away there what is gone here.
    pub(super) fn bring(&mut self, files: &mut Files) -> io::Result<()> {
        let mut found = BTreeMap::new();
        if self.here.is_dir() {
            list(&self.here, &self.there, &mut found)?;
        }
        for (path, (real, stamp)) in &found {
            if self.known.get(path) == Some(stamp) {
                continue;
            }
            if let Some((folder, _)) = path.rsplit_once('\\') {
                files.create_folder(folder);
            }
            files.write(path, fs::read(real)?).map_err(io::Error::other)?;
        }
        for path in self.known.keys().filter(|path| !found.contains_key(*path)) {
            files.remove(path);
            self.take_away(path, files);
        }
        self.known = found.into_iter().map(|(path, (_, stamp))| (path, stamp)).collect();
        Ok(())
    }

    /// Takes away the folders above a file that are gone here, when nothing is in them there.
    fn take_away(&self, path: &str, files: &mut Files) {
        let mut rest = path;
        while let Some((folder, _)) = rest.rsplit_once('\\').filter(|(folder, _)| folder.len() > self.there.len()) {
            let below = folder.strip_prefix(&self.there).unwrap_or_default().replace('\\', "/");
            if self.here.join(below.trim_start_matches('/')).exists() || !files.entries(folder).is_empty() {
                return;
            }
            files.remove_folder(folder);
            rest = folder;
        }
    }
}

fn list(here: &Path, there: &str, found: &mut BTreeMap<String, (PathBuf, Stamp)>) -> io::Result<()> {
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        let path = format!("{there}\\{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            list(&entry.path(), &path, found)?;
        } else {
            found.insert(path, (entry.path(), (metadata.len(), metadata.modified()?)));
        }
    }
    Ok(())
}
