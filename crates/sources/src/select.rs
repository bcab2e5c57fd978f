//! The one list of sources: the scheme of a URI says which reach opens it.

use std::path::Path;

use crate::error::SourceError;
use crate::layout::export::Export;
use crate::layout::host::HostSource;
use crate::layout::letters;
use crate::layout::role::Role;
use crate::reach::answers::{Answers, Recorded};
use crate::reach::collected::CollectedTree;
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
    let base = Some(Path::new(&folder.path)).filter(|_| !folder.path.is_empty());
    let collected = base.filter(|_| folder.drives.is_empty()).map(CollectedTree::find).transpose()?.flatten();
    let tree: Box<dyn ReadOnlyTree> = match collected {
        Some(tree) => Box::new(tree),
        None => Box::new(FolderTree::new(drives::find(uri, &folder)?)),
    };
    let answers = base.and_then(Recorded::find);
    role(uri, "folder", tree, answers.map(|answers| Box::new(answers) as Box<dyn Answers>))
}

fn open_image(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let image = uri::parse_image(uri, rest)?;
    let mut tree = ImageTree::new(volumes::open(&image.paths)?);
    letters::assign(&mut tree, &image.drives)?;
    role(uri, "image", Box::new(tree), None)
}

fn open_export(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let tree = ExportTree::open(&uri::parse_path(uri, rest)?)?;
    let layout = Box::new(Export::new(tree.letter(), tree.roots().to_vec()));
    Ok(Box::new(HostSource { uri: uri.to_owned(), reach: "folder", tree: Box::new(tree), layout, answers: None }))
}

/// A host whose volumes a tree shows.
fn role(
    uri: &str,
    reach: &'static str,
    tree: Box<dyn ReadOnlyTree>,
    answers: Option<Box<dyn Answers>>,
) -> Result<Box<dyn Source>, SourceError> {
    let layout = Box::new(Role::find(&*tree)?);
    Ok(Box::new(HostSource { uri: uri.to_owned(), reach, tree, layout, answers }))
}
