//! The one list of sources: the scheme of a URI says which reach opens it.

use crate::error::SourceError;
use crate::layout::export::Export;
use crate::layout::host::HostSource;
use crate::layout::letters;
use crate::layout::role::Role;
use crate::reach::{ExportTree, FolderTree, ImageTree, ReadOnlyTree, drives, volumes};
use crate::source::Source;
use crate::uri;

type Open = fn(&str, &str) -> Result<Box<dyn Source>, SourceError>;

/// Scheme, example, and what opens it (given the URI and what follows the colon).
const SCHEMES: [(&str, &str, Open); 3] = [
    ("folder", "folder:/mnt?c=/mnt/c&d=/mnt/d", open_folder),
    ("image", "image:/dev/sdb,/srv/data.vhd", open_image),
    ("export", "export:/srv/exported", open_export),
];

/// Opens a source by its URI.
pub fn open(uri: &str) -> Result<Box<dyn Source>, SourceError> {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    match SCHEMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(scheme)) {
        Some((_, _, open)) => open(uri, rest),
        None => {
            let known: Vec<String> =
                SCHEMES.iter().map(|(known, example, _)| format!("'{known}:' (such as '{example}')")).collect();
            Err(SourceError::UnknownScheme { uri: uri.to_owned(), scheme: scheme.to_owned(), known: known.join(", ") })
        }
    }
}

fn open_folder(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let folder = uri::parse_folder(uri, rest)?;
    role(uri, "folder", Box::new(FolderTree::new(drives::find(uri, &folder)?)))
}

fn open_image(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let image = uri::parse_image(uri, rest)?;
    let mut tree = ImageTree::new(volumes::open(&image.paths)?);
    letters::assign(&mut tree, &image.drives)?;
    role(uri, "image", Box::new(tree))
}

fn open_export(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let tree = ExportTree::open(&uri::parse_path(uri, rest)?)?;
    let layout = Box::new(Export::new(tree.letter(), tree.roots().to_vec()));
    Ok(Box::new(HostSource { uri: uri.to_owned(), reach: "folder", tree: Box::new(tree), layout }))
}

/// A host whose volumes a tree shows.
fn role(uri: &str, reach: &'static str, tree: Box<dyn ReadOnlyTree>) -> Result<Box<dyn Source>, SourceError> {
    let layout = Box::new(Role::find(&*tree)?);
    Ok(Box::new(HostSource { uri: uri.to_owned(), reach, tree, layout }))
}
