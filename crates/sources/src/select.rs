//! The one list of sources: the scheme of a URI says which reach opens it.

use crate::error::SourceError;
use crate::layout::letters;
use crate::layout::role::RoleSource;
use crate::reach::{FolderTree, ImageTree, drives, volumes};
use crate::source::Source;
use crate::uri;

type Open = fn(&str, &str) -> Result<Box<dyn Source>, SourceError>;

/// Scheme, example, and what opens it (given the URI and what follows the colon).
const SCHEMES: [(&str, &str, Open); 2] =
    [("folder", "folder:/mnt?c=/mnt/c&d=/mnt/d", open_folder), ("image", "image:/dev/sdb,/srv/data.vhd", open_image)];

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
    let tree = FolderTree::new(drives::find(uri, &folder)?);
    Ok(Box::new(RoleSource::find(uri, "folder", Box::new(tree))?))
}

fn open_image(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let image = uri::parse_image(uri, rest)?;
    let mut tree = ImageTree::new(volumes::open(&image.paths)?);
    letters::assign(&mut tree, &image.drives)?;
    Ok(Box::new(RoleSource::find(uri, "image", Box::new(tree))?))
}
