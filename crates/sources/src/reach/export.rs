//! A folder with exported machines as a tree: its own files lie on a drive that no machine names, and the disks are found under
//! the paths that they had on the host, by their file names in the folder of their machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use hvm_formats::cim;
use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_formats::io::{SharedFile, read_whole};
use hvm_formats::vmxml::{Document, MAX_FILE};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::{WindowsPath, folded};

use super::link;
use super::{Entry, EntryKind, FolderTree, Metadata, ReadOnlyTree};
use crate::error::{MAY_NOT_READ, ReachError, SourceError};

const MACHINES: &str = "Virtual Machines";
const CHECKPOINTS: &str = "Snapshots";
const DISKS: &str = "Virtual Hard Disks";
/// Most machines of one folder.
const MAX_MACHINES: usize = 50_000;
/// Configurations of machines: XML, objects of WMI, tables.
const CONFIGURATIONS: [&str; 3] = [".xml", ".exp", ".vmcx"];

/// The exported machines of a folder.
#[derive(Debug)]
pub struct ExportTree {
    files: FolderTree,
    letter: char,
    /// Folders of the machines.
    roots: Vec<WindowsPath>,
    /// Paths on the host, and the files here.
    moved: HashMap<WindowsPath, WindowsPath>,
    problems: Vec<Problem>,
}

impl ExportTree {
    /// Opens the folder of one exported machine, or one that holds those of several.
    pub(crate) fn open(folder: &str) -> Result<ExportTree, SourceError> {
        let error = |source| SourceError::Folder { path: folder.to_owned(), source };
        let real = dunce::canonicalize(Path::new(folder)).map_err(error)?;
        if !real.is_dir() {
            return Err(error(io::ErrorKind::NotADirectory.into()));
        }
        let on = |letter: char| FolderTree::new(BTreeMap::from([(letter, real.clone())]));
        let first = Scan::of(&on('X'), 'X');
        // A path of the host must not be taken for one of this folder.
        let used: BTreeSet<char> = first.moved.iter().filter_map(|(path, _)| path.drive()).collect();
        let letter = ('A'..='Z').rev().find(|letter| !used.contains(letter)).unwrap_or('X');
        let files = on(letter);
        let scan = Scan::of(&files, letter);
        if scan.roots.is_empty() {
            let unreadable =
                scan.problems.iter().map(|problem| format!(" {} {}", problem.message, problem.hint)).collect();
            return Err(SourceError::NoExport { path: folder.to_owned(), unreadable });
        }
        let (moved, doubts) = certain(scan.moved);
        let problems = scan.problems.into_iter().chain(doubts).collect();
        Ok(ExportTree { files, letter, roots: scan.roots, moved, problems })
    }

    /// The drive that the folder is.
    pub(crate) fn letter(&self) -> char {
        self.letter
    }

    /// Folders of the machines.
    pub(crate) fn roots(&self) -> &[WindowsPath] {
        &self.roots
    }

    fn here<'p>(&'p self, path: &'p WindowsPath) -> &'p WindowsPath {
        self.moved.get(path).unwrap_or(path)
    }
}

/// What was found in the folder.
#[derive(Default)]
struct Scan {
    roots: Vec<WindowsPath>,
    moved: Vec<(WindowsPath, WindowsPath)>,
    problems: Vec<Problem>,
}

impl Scan {
    fn of(tree: &FolderTree, letter: char) -> Scan {
        let top = WindowsPath::new(&format!("{letter}:\\"));
        let mut scan = Scan::default();
        if scan.is_machine(tree, &top) {
            scan.roots.push(top);
        } else {
            scan.folders(tree, &top);
        }
        for root in scan.roots.clone() {
            scan.machine(tree, &root);
        }
        scan
    }

    /// The folders of machines in one; a folder that a link leads to once more is taken once.
    fn folders(&mut self, tree: &FolderTree, top: &WindowsPath) {
        let entries = tree.read_dir(top).unwrap_or_else(|error| {
            self.unreadable(top, error);
            Vec::new()
        });
        // Folders first, so that one is called by its own name and not by that of a link to it.
        let (own, others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.kind == EntryKind::Folder);
        let mut seen = BTreeSet::new();
        for entry in own.into_iter().chain(others) {
            let folder = top.join(&entry.name);
            let real = match (&entry.kind, tree.metadata(&folder)) {
                (EntryKind::Folder | EntryKind::Link { .. }, Ok(found)) if found.kind == EntryKind::Folder => {
                    found.real_path
                }
                (EntryKind::Link { .. }, Err(error)) => {
                    self.unreadable(&folder, error);
                    continue;
                }
                _ => continue,
            };
            if seen.insert(real.key()) && self.roots.len() < MAX_MACHINES && self.is_machine(tree, &folder) {
                self.roots.push(folder);
            }
        }
    }

    /// Whether the folder is that of a machine; what keeps one from being read as such is told.
    fn is_machine(&mut self, tree: &FolderTree, folder: &WindowsPath) -> bool {
        let machines = folder.join(MACHINES);
        let Err(error) = tree.metadata(&machines) else { return true };
        let is_here = |entry: &Entry| folded(&entry.name) == folded(MACHINES);
        if !error.is_missing() || tree.read_dir(folder).is_ok_and(|entries| entries.iter().any(is_here)) {
            self.unreadable(&machines, error);
        }
        false
    }

    fn unreadable(&mut self, path: &WindowsPath, error: ReachError) {
        let error = absent(error);
        let hint = match &error {
            error if error.is_denied() => MAY_NOT_READ,
            _ => "If a machine is missing, put its folder in the place of the link.",
        };
        self.problems.push(Problem {
            kind: "machine.folder-unreadable".to_owned(),
            subject: Subject::File { path: path.to_string() },
            message: error.to_string(),
            place: Place::new(path.as_str(), ""),
            hint: hint.to_owned(),
        });
    }

    /// The paths that a machine's files name, of which a file lies here.
    fn machine(&mut self, tree: &FolderTree, root: &WindowsPath) {
        let mut there: HashMap<String, WindowsPath> = HashMap::new();
        for folder in [root.join(DISKS), root.join(CHECKPOINTS), root.clone()] {
            for (name, file) in files(tree, &folder) {
                there.entry(folded(&name)).or_insert(file);
            }
        }
        for folder in [root.join(MACHINES), root.join(CHECKPOINTS)] {
            for (name, _) in files(tree, &folder) {
                let path = folder.join(&name);
                let lower = name.to_ascii_lowercase();
                if CONFIGURATIONS.iter().any(|end| lower.ends_with(end)) {
                    self.moved.extend(named(tree, &path).into_iter().filter_map(|named| {
                        let here = there.get(&folded(named.file_name()))?.clone();
                        Some((named, here))
                    }));
                }
            }
        }
    }
}

/// The paths that are one file each, and what is to be said of the others: machines of several hosts may name one path, and disks
/// of one file name overwrite each other in an export. A wrong disk must not be taken for the right one.
fn certain(named: Vec<(WindowsPath, WindowsPath)>) -> (HashMap<WindowsPath, WindowsPath>, Vec<Problem>) {
    let mut files: BTreeMap<WindowsPath, BTreeSet<WindowsPath>> = BTreeMap::new();
    let mut paths: BTreeMap<WindowsPath, BTreeSet<WindowsPath>> = BTreeMap::new();
    for (path, here) in named {
        files.entry(path.clone()).or_default().insert(here.clone());
        paths.entry(here).or_default().insert(path);
    }
    let mut problems = Vec::new();
    for (here, named) in paths.iter().filter(|(_, named)| named.len() > 1) {
        problems.push(Problem {
            kind: "disk.export-one-file".to_owned(),
            subject: Subject::File { path: here.to_string() },
            message: format!("{} are one file of the export: '{here}'. It is taken for none of them.", list(named)),
            place: Place::new(here.as_str(), ""),
            hint: "Rename one of the disks on the host and export the machine again.".to_owned(),
        });
    }
    for (path, here) in files.iter().filter(|(_, here)| here.len() > 1) {
        problems.push(Problem {
            kind: "disk.export-many-files".to_owned(),
            subject: Subject::File { path: path.to_string() },
            message: format!("Several exported machines have a disk '{path}': {}. None of them is taken.", list(here)),
            place: Place::new(path.as_str(), ""),
            hint: "Name the folder of one machine after 'export:', one run for each.".to_owned(),
        });
    }
    let alone = |here: &WindowsPath| paths.get(here).is_some_and(|named| named.len() == 1);
    let one = files.into_iter().filter(|(_, here)| here.len() == 1);
    let one = one.filter_map(|(path, here)| here.into_iter().next().filter(alone).map(|here| (path, here)));
    (one.collect(), problems)
}

fn list(paths: &BTreeSet<WindowsPath>) -> String {
    paths.iter().map(|path| format!("'{path}'")).collect::<Vec<_>>().join(" and ")
}

/// The names of files in a folder, and where each is: behind links the file itself, so that one of two names is not taken for two.
/// A link that leads nowhere is told where it is missed, when its own path is opened.
fn files(tree: &FolderTree, folder: &WindowsPath) -> Vec<(String, WindowsPath)> {
    let entries = tree.read_dir(folder).unwrap_or_default().into_iter();
    let file = |entry: Entry| {
        let path = folder.join(&entry.name);
        match entry.kind {
            EntryKind::File => Some((entry.name, path)),
            EntryKind::Link { .. } => match tree.metadata(&path) {
                Ok(found) => (found.kind == EntryKind::File).then_some((entry.name, found.real_path)),
                Err(_) => Some((entry.name, path)),
            },
            EntryKind::Folder | EntryKind::Other => None,
        }
    };
    entries.filter_map(file).collect()
}

/// Texts of a configuration that are whole paths, on a drive, a volume or another server; of one that cannot be read none, which is told when it is read as a
/// machine.
fn named(tree: &FolderTree, path: &WindowsPath) -> Vec<WindowsPath> {
    let texts = texts(tree, path).unwrap_or_default();
    let paths = texts.iter().map(|text| WindowsPath::new(text));
    let is_of_host =
        |path: &WindowsPath| path.drive().is_some() || link::on_volume(path).is_some() || link::server(path).is_some();
    paths.filter(is_of_host).collect()
}

fn texts(tree: &FolderTree, path: &WindowsPath) -> Option<Vec<String>> {
    let file = tree.open(path).ok()?;
    let name = path.file_name().to_ascii_lowercase();
    if name.ends_with(".exp") {
        let bytes = read_whole(&*file, MAX_FILE as u64).ok()?;
        let objects = cim::read(&bytes, path.as_str()).ok()?.objects;
        return Some(objects.iter().flat_map(|object| object.texts("Connection")).map(str::to_owned).collect());
    }
    let document = if name.ends_with(".vmcx") {
        HvsFile::open(&*file, Wanted::Everything).ok()?.into_document("configuration")?
    } else {
        Document::parse(&read_whole(&*file, MAX_FILE as u64).ok()?, path.as_str()).ok()?
    };
    Some(document.leaves().map(|(_, _, value)| value.as_str().to_owned()).collect())
}

/// A drive of the host is none that somebody could map: the file was not exported. Nor is what a link of this computer leads to.
fn absent(error: ReachError) -> ReachError {
    match error {
        ReachError::NotMapped { path, .. } => {
            let component = WindowsPath::new(&path).file_name().to_owned();
            ReachError::NotFound { path, component, folder: "the export".to_owned() }
        }
        ReachError::LinkOutside { path, link, target } => {
            let reason = format!(
                "the link '{link}' leads to '{target}', outside of the exported folder; put what it leads to in its place, or name a \
                 folder that holds both"
            );
            ReachError::Io { path, source: io::Error::other(reason) }
        }
        other => other,
    }
}

impl ReadOnlyTree for ExportTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        self.files.read_dir(self.here(path)).map_err(absent)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        self.files.metadata(self.here(path)).map_err(absent)
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        self.files.open(self.here(path)).map_err(absent)
    }

    fn drives(&self) -> Vec<(char, String)> {
        self.files.drives()
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn refresh(&self) {
        self.files.refresh();
    }
}
