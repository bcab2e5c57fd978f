//! A configuration file as its readers want it: a leaf that is of another type than expected is noted and counts as not
//! there, so that the rest of the machine is still read.

use std::cell::RefCell;

use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_formats::io::{ReadAt, read_whole};
use hvm_formats::vmxml::{Document, MAX_FILE, Node, VmXmlError};
use hvm_model::found::Place;
use hvm_model::names::WindowsPath;

use super::registered::is_binary;
use crate::reach::ReadOnlyTree;

/// What a symbolic link of Interix begins with, which ntfs-3g writes for one of Linux: a file to Windows. Its target follows in UTF-16.
const INTERIX: &[u8; 8] = b"IntxLNK\x01";
/// Most bytes of its target that are told.
const MAX_TARGET: u64 = 2048;
/// What its problem says, by which its hint is found.
pub(super) const INTERIX_LINK: &str = "is a symbolic link of Interix";

/// The root of every path.
const ROOT: &str = "/configuration";

/// A configuration that is well-formed.
pub(super) struct VmFile {
    /// The file after links.
    pub(super) path: WindowsPath,
    document: Document,
    trouble: RefCell<Vec<Trouble>>,
}

/// What a trouble is about: its problem has a kind of its own, and a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Concern {
    /// A setting, for which its default is taken.
    Setting,
    /// Whether there is a saved state.
    SavedState,
    /// A disk that other machines use, too.
    SharedDisk(WindowsPath),
}

impl Concern {
    /// The kind of its problem.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Concern::Setting => "machine.setting-unreadable",
            Concern::SavedState => "machine.saved-state-unreadable",
            Concern::SharedDisk(_) => "disk.shared",
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Concern::Setting => "Look the setting up on the source host; the inventory has its default.",
            Concern::SavedState => {
                "Look in Hyper-V Manager on the source host whether it is saved; start the machine and shut it down if it is."
            }
            Concern::SharedDisk(_) => {
                "Move the other machines that use the disk, too, and share it again on the destination \
                 (Add-VMHardDiskDrive -SupportPersistentReservations)."
            }
        }
    }
}

/// A leaf that could not be read, or that stands for something that cannot.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// What it is about.
    pub(super) concern: Concern,
    /// A whole sentence.
    pub(super) message: String,
    pub(super) place: Place,
}

impl VmFile {
    /// Opens and parses; an error is a whole sentence with the place in the file.
    pub(super) fn open(tree: &dyn ReadOnlyTree, path: &WindowsPath) -> Result<VmFile, (String, String)> {
        let plain = |message: String| (message, String::new());
        let file = tree.open(path).map_err(|error| plain(error.to_string()))?;
        let real = WindowsPath::new(file.name());
        let document = if is_binary(path) { binary(&*file, &real) } else { xml(&*file, &real) };
        let document = document.map_err(|error| match interix(&*file) {
            None => error,
            Some(target) => plain(format!(
                "'{real}' {INTERIX_LINK} to '{target}', as ntfs-3g makes them: Windows does not know such links and finds a file in its \
                 place."
            )),
        })?;
        if document.root().name() != "configuration" {
            let found = document.root().name();
            return Err(plain(format!(
                "'{real}' is no configuration of a virtual machine: its outermost element should be 'configuration', it \
                 is '{found}'."
            )));
        }
        Ok(VmFile { path: real, document, trouble: RefCell::new(Vec::new()) })
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// The place of a path below the root.
    pub(super) fn place(&self, path: &str) -> Place {
        Place::new(self.path.as_str(), self.document.place(&full(path)))
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.take(path, self.document.str(&full(path))).map(str::to_owned)
    }

    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.take(path, self.document.i64(&full(path)))
    }

    /// A number that fits `T`; another one is noted.
    pub(super) fn sized<T: TryFrom<i64>>(&self, path: &str) -> Option<T> {
        let number = self.number(path)?;
        let sized = T::try_from(number).ok();
        if sized.is_none() {
            let place = self.place(path);
            self.note(format!("{place}: the number {number} is out of the range that it can have."), place);
        }
        sized
    }

    pub(super) fn flag(&self, path: &str) -> Option<bool> {
        self.take(path, self.document.bool(&full(path)))
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.take(path, self.document.bytes(&full(path)))
    }

    pub(super) fn children(&self, path: &str) -> &[Node] {
        self.document.children(&full(path))
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.document.get(&full(path)).is_some()
    }

    pub(super) fn note(&self, message: String, place: Place) {
        self.note_as(Concern::Setting, message, place);
    }

    /// The same about something else than a setting.
    pub(super) fn note_as(&self, concern: Concern, message: String, place: Place) {
        self.trouble.borrow_mut().push(Trouble { concern, message, place });
    }

    /// What could not be read so far.
    pub(super) fn take_trouble(&self) -> Vec<Trouble> {
        self.trouble.take()
    }

    fn take<T>(&self, path: &str, result: Result<Option<T>, VmXmlError>) -> Option<T> {
        match result {
            Ok(value) => value,
            Err(error) => {
                self.note(error.to_string(), self.place(path));
                None
            }
        }
    }
}

/// Where a symbolic link of Interix leads; none for another file, or one that cannot be read.
fn interix(file: &dyn ReadAt) -> Option<String> {
    let mut begin = [0; INTERIX.len()];
    file.read_exact_at(&mut begin, 0).ok().filter(|()| begin == *INTERIX)?;
    let len = file.len().saturating_sub(INTERIX.len() as u64).min(MAX_TARGET);
    let mut target = vec![0; usize::try_from(len).ok()?];
    file.read_exact_at(&mut target, INTERIX.len() as u64).ok()?;
    let units: Vec<u16> = target.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    Some(String::from_utf16_lossy(&units))
}

fn xml(file: &dyn ReadAt, real: &WindowsPath) -> Result<Document, (String, String)> {
    let bytes = read_whole(file, MAX_FILE as u64)
        .map_err(|error| (format!("'{real}' could not be read: {error}."), String::new()))?;
    Document::parse(&bytes, real.as_str()).map_err(|error| (error.to_string(), place_of(&error)))
}

fn binary(file: &dyn ReadAt, real: &WindowsPath) -> Result<Document, (String, String)> {
    let read = HvsFile::open(file, Wanted::Everything)
        .map_err(|error| (error.to_string(), format!("byte offset {}", error.offset())))?;
    let name = ROOT.trim_start_matches('/');
    read.into_document(name).ok_or_else(|| {
        (format!("'{real}' is no configuration of a virtual machine: it has no key '{name}'."), String::new())
    })
}

fn full(path: &str) -> String {
    format!("{ROOT}/{path}")
}

/// Line or offset of an error, for its place.
fn place_of(error: &VmXmlError) -> String {
    match error {
        VmXmlError::NotText { offset, .. } => format!("byte offset {offset}"),
        VmXmlError::Markup { line, column, .. } => format!("line {line}, column {column}"),
        VmXmlError::TooDeep { line, .. }
        | VmXmlError::NameTooLong { line, .. }
        | VmXmlError::TooManyAttributes { line, .. }
        | VmXmlError::TooManyNamespaces { line, .. } => format!("line {line}"),
        VmXmlError::Value { place, .. } => place.clone(),
        _ => String::new(),
    }
}
