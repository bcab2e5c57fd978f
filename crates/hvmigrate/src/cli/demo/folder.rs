//! The folder of a demo: made by a demo, and only then replaced by the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::messages::{Failure, shell_quote};

/// Shows that a demo made the folder.
const MARKER: &str = ".hvmigrate-demo";

/// A folder that is empty but for its marker. What an earlier demo left in it is removed; anything else is refused, so
/// that nobody loses a folder by a wrong argument.
pub fn prepare(folder: &Path) -> Result<PathBuf, Failure> {
    let failure = |error: io::Error| {
        Failure::failed(format!("The folder '{}' could not be prepared.", folder.display())).caused_by(error)
    };
    if folder.exists() && !is_demo(folder) && !is_empty(folder).map_err(failure)? {
        return Err(Failure::failed(format!(
            "'{}' is not empty and was not made by a demo, so it is left alone.",
            folder.display()
        ))
        .hint(format!("hvmigrate demo {}", shell_quote(&format!("{}-2", folder.display())))));
    }
    if is_demo(folder) {
        fs::remove_dir_all(folder).map_err(failure)?;
    }
    fs::create_dir_all(folder).map_err(failure)?;
    fs::write(folder.join(MARKER), "Made by 'hvmigrate demo', which replaces this folder when it runs again.\n")
        .map_err(failure)?;
    dunce::canonicalize(folder).map_err(failure)
}

fn is_demo(folder: &Path) -> bool {
    folder.join(MARKER).is_file()
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_folder_or_a_demo_is_taken() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("my demo");
        prepare(&folder).unwrap();
        fs::write(folder.join("old"), "x").unwrap();
        prepare(&folder).unwrap();
        assert!(!folder.join("old").exists());
        let other = parent.path().join("precious");
        fs::create_dir(&other).unwrap();
        prepare(&other).unwrap();
        fs::remove_file(other.join(MARKER)).unwrap();
        fs::write(other.join("thesis.txt"), "x").unwrap();
        assert!(prepare(&other).is_err());
        assert!(other.join("thesis.txt").exists());
        fs::write(parent.path().join("file"), "x").unwrap();
        assert!(prepare(&parent.path().join("file")).is_err());
    }
}
