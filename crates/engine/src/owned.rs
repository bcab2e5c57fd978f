//! Paths of the journal and paths of this computer. Files are named below the destination's root with `/`; folders end in
//! `/`; the root itself is `./`, the folder above it `../`, and so on.

use std::path::{Path, PathBuf};

/// The path on this computer of a name of the journal; `None` for names that lead elsewhere.
pub(crate) fn locate(root: &Path, name: &str) -> Option<PathBuf> {
    if name == "./" {
        return Some(root.to_owned());
    }
    if name.starts_with("../") {
        let up = name.strip_suffix('/')?.split('/').try_fold(0, |up, part| (part == "..").then_some(up + 1))?;
        return root.ancestors().nth(up).map(Path::to_owned);
    }
    let mut path = root.to_owned();
    for part in name.trim_end_matches('/').split('/') {
        if part.is_empty() || part == "." || part == ".." || part.contains('\\') {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

/// The folders that lead to a file and do not exist yet, the outermost first, as names of the journal.
pub(crate) fn missing_folders(root: &Path, file: &str) -> Vec<String> {
    let mut names = Vec::new();
    for up in (0..root.ancestors().count()).rev() {
        let ancestor = root.ancestors().nth(up).filter(|path| !path.as_os_str().is_empty());
        if ancestor.is_some_and(|path| path.symlink_metadata().is_err()) {
            names.push(if up == 0 { "./".to_owned() } else { "../".repeat(up) });
        }
    }
    let parts: Vec<&str> = file.split('/').collect();
    for count in 1..parts.len() {
        let folder = parts.get(..count).unwrap_or_default().join("/") + "/";
        if locate(root, &folder).is_some_and(|path| path.symlink_metadata().is_err()) {
            names.push(folder);
        }
    }
    names
}

/// True when something is there under the name, whatever it is.
pub(crate) fn is_there(root: &Path, name: &str) -> bool {
    locate(root, name).is_some_and(|path| path.symlink_metadata().is_ok())
}

/// True for steps that copy data; what they make is kept by a rollback unless it is told to discard.
pub(crate) fn is_data(step: &str) -> bool {
    step.starts_with("copy-disk.") || step.starts_with("copy-file.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_below_the_root_or_to_its_own_ancestors() {
        let root = Path::new("/a/b/c");
        assert_eq!(locate(root, "./").unwrap(), root);
        assert_eq!(locate(root, "../").unwrap(), Path::new("/a/b"));
        assert_eq!(locate(root, "../../").unwrap(), Path::new("/a"));
        assert_eq!(locate(root, "disks/x.vhd").unwrap(), Path::new("/a/b/c/disks/x.vhd"));
        for bad in ["../x", "disks/../../x", "/etc/passwd", "a//b", "", r"a\..\b"] {
            assert_eq!(locate(root, bad), None, "{bad}");
        }
    }

    #[test]
    fn folders_that_are_missing_are_named_from_the_outside_in() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/kit");
        assert_eq!(missing_folders(&root, "disks/Web/x.vhd"), ["../", "./", "disks/", "disks/Web/"]);
        std::fs::create_dir_all(root.join("disks")).unwrap();
        assert_eq!(missing_folders(&root, "disks/Web/x.vhd"), ["disks/Web/"]);
    }
}
