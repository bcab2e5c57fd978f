//! Everything that can be seen of a folder: names, kinds, sizes, times and bytes, to show that it did not change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Each path below a folder with what can be seen of it.
pub type Tree = BTreeMap<String, String>;

/// Looks at all files, folders and links below `folder`; links are not followed.
pub fn look(folder: &Path) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let meta = fs::symlink_metadata(&path)?;
            let seen = if meta.is_symlink() {
                format!("link to {}", fs::read_link(&path)?.display())
            } else if meta.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else {
                format!("{} bytes, {}", meta.len(), hash(&path)?)
            };
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            tree.insert(name, format!("{seen}, changed {:?}", meta.modified()?));
        }
    }
    Ok(tree)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
