//! Files below the root of a destination: written whole or not at all, read with a bound.

use std::fs;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::error::DestinationError;

/// Most bytes of a file that is read back; larger ones were not written here.
const MOST_BYTES: u64 = 64 << 20;

/// The path of `relative` (with `/`) below `root`; anything that would leave the root is refused.
pub(crate) fn below(root: &Path, relative: &str) -> Result<PathBuf, DestinationError> {
    let path = Path::new(relative);
    let inside = !relative.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside {
        Ok(root.join(path))
    } else {
        Err(DestinationError::Impossible {
            what: format!("the file '{relative}'"),
            destination: format!("'{}'", root.display()),
            reason: "its path leaves the folder".to_owned(),
        })
    }
}

/// Writes a file so that it is there whole or not at all: under a temporary name in the same folder, synced, then renamed.
pub(crate) fn write(root: &Path, relative: &str, bytes: &[u8]) -> Result<(), DestinationError> {
    let path = below(root, relative)?;
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).map_err(DestinationError::io(folder, "create the folder"))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = folder.join(format!(".{name}.partial"));
    let written = fs::File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(DestinationError::io(&partial, "write"))?;
    fs::rename(&partial, &path).map_err(DestinationError::io(&path, "put into place"))?;
    // A folder that cannot be synced is no reason to fail: the file itself is on the disk.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Reads a text file; a byte order mark is removed.
pub(crate) fn read_text(path: &Path) -> Result<String, DestinationError> {
    let file = fs::File::open(path).map_err(DestinationError::io(path, "open"))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(DestinationError::io(path, "read"))?;
    let unreadable = |message: String| DestinationError::Unreadable { path: path.to_owned(), message };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(unreadable(format!("it is longer than {MOST_BYTES} bytes.")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(format!("it is not UTF-8 at byte offset {at}."))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The files of a folder with this extension, sorted; none when the folder does not exist.
pub(crate) fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, DestinationError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DestinationError::io(folder, "list the folder")(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(DestinationError::io(folder, "list the folder"))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The length of a file below the root.
pub(crate) fn length(root: &Path, relative: &str) -> Result<u64, DestinationError> {
    let path = below(root, relative)?;
    match fs::metadata(&path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DestinationError::Missing { path }),
        Err(error) => Err(DestinationError::io(path, "look at")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_the_root() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "../x", "a/../../x", "/etc/x", "a/./../b/../../x"] {
            assert!(write(folder.path(), bad, b"x").is_err(), "{bad}");
        }
        write(folder.path(), "a/ü 'b'.txt", b"\xef\xbb\xbfx").unwrap();
        assert_eq!(read_text(&folder.path().join("a/ü 'b'.txt")).unwrap(), "x");
        assert_eq!(list(&folder.path().join("a"), "txt").unwrap().len(), 1);
        assert!(matches!(length(folder.path(), "none"), Err(DestinationError::Missing { .. })));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_offset() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x", b"abc\xff").unwrap();
        let error = read_text(&folder.path().join("x")).unwrap_err();
        assert!(error.to_string().contains("byte offset 3"), "{error}");
    }
}
