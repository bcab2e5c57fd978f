//! A collection that the script `collect.cmd` made on a host: the files that it took, and a list of all that it saw. Files that
//! were only listed have their names, sizes and times here, and say on being opened that their content is on the host.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::{WindowsPath, folded};

use super::listing::{Item, Kind, Listing, Listings};
use super::walk::{self, Volumes};
use super::{Entry, Metadata, ReadOnlyTree, checksums};
use crate::error::{ReachError, SourceError};

/// The list.
const LIST: &str = "files.txt";
const HEAD: &str = "hvmigrate-collection\t1";
/// Largest list that is read, bytes: some hundred bytes for each of 1,000,000 files.
const MAX_LIST: u64 = 512 << 20;
/// Most lines.
const MAX_LINES: usize = 1_000_000;

/// What a name of the host is.
#[derive(Debug)]
enum Node {
    /// Names in upper case to what they are, with their spelling.
    Folder(HashMap<String, (String, usize)>),
    File {
        size: u64,
        /// Nanoseconds since 1970, by the clock of the host.
        modified: i128,
        is_collected: bool,
    },
    Link(String),
}

/// The files of a collection.
#[derive(Debug)]
pub(crate) struct CollectedTree {
    base: PathBuf,
    nodes: Vec<Node>,
    drives: HashMap<char, usize>,
    listings: Listings<usize, usize>,
    /// Entries below a link, which were left out: how many, and the first.
    below_links: Option<(usize, String)>,
}

impl CollectedTree {
    /// The tree of a folder, when it is a collection.
    pub(crate) fn find(base: &Path) -> Result<Option<CollectedTree>, SourceError> {
        let path = base.join(LIST);
        let error = |source| SourceError::Folder { path: path.display().to_string(), source };
        let len = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => return Ok(None),
        };
        if len > MAX_LIST {
            return Err(error(io::ErrorKind::FileTooLarge.into()));
        }
        let text = decode(&fs::read(&path).map_err(error)?);
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some(HEAD) {
            return Ok(None);
        }
        let mut tree = CollectedTree {
            base: base.to_path_buf(),
            nodes: Vec::new(),
            drives: HashMap::new(),
            listings: Listings::default(),
            below_links: None,
        };
        let broken = |number: usize, reason: &str| SourceError::Collection {
            path: path.display().to_string(),
            line: number,
            reason: reason.to_owned(),
        };
        let mut count = 1;
        for (number, line) in (2..).zip(lines.take(MAX_LINES)) {
            count = number;
            match tree.line(line.trim_end_matches('\r')) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(tree)),
                Err(reason) => return Err(broken(number, reason)),
            }
        }
        Err(broken(count, "the line 'end' is missing, so the list was cut"))
    }

    /// Takes a line; false at the end.
    fn line(&mut self, line: &str) -> Result<bool, &'static str> {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts[..] {
            ["file", size, modified, how, path] => {
                let size = size.parse().map_err(|_| "the size is no number")?;
                let modified = moment(modified).ok_or("the time is not of the form YYYYMMDDhhmmss")?;
                self.put(path, Node::File { size, modified, is_collected: how == "collected" })?;
            }
            ["folder", path] => {
                self.put(path, Node::Folder(HashMap::new()))?;
            }
            ["link", path, target] => self.put(path, Node::Link(target.to_owned()))?,
            ["end", ..] => return Ok(false),
            _ => return Err("it is neither 'file', 'folder', 'link' nor 'end' with its fields"),
        }
        Ok(true)
    }

    fn put(&mut self, path: &str, node: Node) -> Result<(), &'static str> {
        let whole = path;
        let path = WindowsPath::new(path);
        let letter = path.drive().ok_or("the path does not start with a drive letter")?;
        let mut at = match self.drives.get(&letter) {
            Some(root) => *root,
            None => {
                let root = self.add(Node::Folder(HashMap::new()));
                self.drives.insert(letter, root);
                root
            }
        };
        let names: Vec<&str> = path.components().collect();
        let Some((last, folders)) = names.split_last() else { return Ok(()) };
        if names.iter().any(|name| matches!(*name, "." | "..")) {
            return Err("the path has a part '..'");
        }
        for name in folders {
            at = match self.child_of(at, name) {
                Some(child) => child,
                None => self.insert(at, name, Node::Folder(HashMap::new()))?,
            };
            // Where the link leads is listed by itself.
            if matches!(self.nodes.get(at), Some(Node::Link(_))) {
                self.below_links.get_or_insert_with(|| (0, whole.to_owned())).0 += 1;
                return Ok(());
            }
        }
        // A file that was listed first and copied later, or a folder that its files made known.
        match self.child_of(at, last) {
            None => drop(self.insert(at, last, node)?),
            Some(known) => {
                let is_file = |node: &Node| matches!(node, Node::File { .. });
                if let Some(slot) = self.nodes.get_mut(known).filter(|slot| is_file(slot) && is_file(&node)) {
                    *slot = node;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn child_of(&self, folder: usize, name: &str) -> Option<usize> {
        match self.nodes.get(folder)? {
            Node::Folder(children) => Some(children.get(&folded(name))?.1),
            _ => None,
        }
    }

    fn insert(&mut self, folder: usize, name: &str, node: Node) -> Result<usize, &'static str> {
        let child = self.add(node);
        match self.nodes.get_mut(folder) {
            Some(Node::Folder(children)) => {
                children.insert(folded(name), (name.to_owned(), child));
                Ok(child)
            }
            _ => Err("a part of the path is a file"),
        }
    }

    /// Where a file of the host lies in the collection, found without regard to case.
    fn local(&self, path: &WindowsPath) -> Option<PathBuf> {
        let mut at = self.base.clone();
        let letter = path.drive()?.to_string();
        for name in std::iter::once(letter.as_str()).chain(path.components()) {
            let exact = at.join(name);
            at = if fs::symlink_metadata(&exact).is_ok_and(|found| !found.is_symlink()) {
                exact
            } else {
                let entries = fs::read_dir(&at).ok()?.filter_map(Result::ok);
                let mut same = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
                same.find(|entry| folded(&entry.file_name().to_string_lossy()) == folded(name))?.path()
            };
        }
        Some(at)
    }
}

impl Volumes for CollectedTree {
    type Node = usize;
    type Id = usize;

    fn root(&self, letter: char) -> Option<usize> {
        self.drives.get(&letter.to_ascii_uppercase()).copied()
    }

    fn how_to_map(&self, letter: char) -> String {
        format!("what drive {letter}: holds by collecting the host again, or the drives themselves,")
    }

    fn listing(&self, folder: &usize) -> io::Result<Arc<Listing<usize>>> {
        self.listings.of(folder, || {
            let Some(Node::Folder(children)) = self.nodes.get(*folder) else {
                return Err(io::ErrorKind::NotADirectory.into());
            };
            let item = |(name, id): &(String, usize)| {
                let kind = match self.nodes.get(*id) {
                    Some(Node::Folder(_)) => Kind::Folder,
                    Some(Node::Link(_)) => Kind::Link,
                    _ => Kind::File,
                };
                Item { id: *id, name: name.clone(), kind }
            };
            Ok(Listing::of(children.values().map(item).collect(), &[]))
        })
    }

    fn child(&self, _: &usize, item: &Item<usize>) -> usize {
        item.id
    }

    fn link_text(&self, _: &usize, item: &Item<usize>) -> io::Result<String> {
        match self.nodes.get(item.id) {
            Some(Node::Link(target)) => Ok(target.clone()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn local(&self, _: &usize, _: &str) -> Option<(char, Vec<String>)> {
        None
    }
}

impl ReadOnlyTree for CollectedTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        walk::read_dir(self, path)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        walk::metadata(self, path, |node| match self.nodes.get(*node) {
            Some(Node::File { size, modified, .. }) => (*size, *modified),
            _ => (0, 0),
        })
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = walk::file(self, path)?;
        let real = at.windows();
        if let Some(Node::File { size, is_collected: false, .. }) = self.nodes.get(*at.node()) {
            return Err(ReachError::NotCollected { path: real.to_string(), size: *size });
        }
        let local = self.local(&real).ok_or_else(|| ReachError::Io {
            path: path.to_string(),
            source: io::Error::new(
                io::ErrorKind::NotFound,
                "it is in the list of the collection and not in its folders",
            ),
        })?;
        let file = LocalFile::open(&local, real.as_str())
            .map_err(|source| ReachError::Io { path: path.to_string(), source })?;
        Ok(Arc::new(file))
    }

    fn how_to_map(&self, letter: char) -> String {
        Volumes::how_to_map(self, letter)
    }

    fn drives(&self) -> Vec<(char, String)> {
        let mut drives: Vec<(char, String)> = self
            .drives
            .keys()
            .map(|letter| (*letter, self.base.join(letter.to_string()).display().to_string()))
            .collect();
        drives.sort();
        drives
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = checksums::check(&self.base);
        if let Some((count, first)) = &self.below_links {
            let list = self.base.join(LIST).display().to_string();
            problems.push(Problem {
                kind: "collection.below-link".to_owned(),
                subject: Subject::File { path: list.clone() },
                message: format!(
                    "The collection's list '{list}' has {count} entries below links, the first is '{first}'; they were left out."
                ),
                place: Place::new(list, ""),
                hint: "Collect the host again with the 'collect.cmd' of this version, which does not enter links.".to_owned(),
            });
        }
        problems
    }

    fn refresh(&self) {}
}

/// UTF-16 with its mark, as the script writes it; else UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => {
            let units: Vec<u16> = rest.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            String::from_utf16_lossy(&units)
        }
        bytes => String::from_utf8_lossy(bytes).trim_start_matches('\u{FEFF}').to_owned(),
    }
}

/// `YYYYMMDDhhmmss` as nanoseconds since 1970 (days by the civil calendar).
fn moment(text: &str) -> Option<i128> {
    if text.len() != 14 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i128>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March, so that the leap day is the last one.
    let year = year - i128::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tree(list: &str) -> (tempfile::TempDir, Result<Option<CollectedTree>, SourceError>) {
        let folder = tempfile::tempdir().unwrap();
        let units = std::iter::once(0xFEFF).chain(list.encode_utf16());
        fs::write(folder.path().join(LIST), units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        let found = CollectedTree::find(folder.path());
        (folder, found)
    }

    #[test]
    fn what_was_seen_is_there_and_what_was_taken_can_be_read() {
        let list = format!(
            "{HEAD}\r\nfolder\tC:\\Hyper-V\\Snapshots\r\nfile\t3\t20101124101200\tcollected\tD:\\Ü\\a.xml\r\n\
             link\tC:\\Hyper-V\\a.xml\tD:\\Ü\\A.XML\r\nfile\t99\t19700101000001\tlisted\tD:\\Ü\\b.vhd\r\nend\t4\r\n"
        );
        let (folder, tree) = tree(&list);
        let tree = tree.unwrap().unwrap();
        fs::create_dir_all(folder.path().join("d").join("Ü")).unwrap();
        fs::write(folder.path().join("d").join("Ü").join("A.xml"), "abc").unwrap();
        let path = WindowsPath::new;
        assert_eq!(tree.open(&path(r"c:\hyper-v\A.xml")).unwrap().len(), 3, "through the link");
        let metadata = tree.metadata(&path(r"D:\ü\B.VHD")).unwrap();
        assert_eq!((metadata.size, metadata.modified), (99, 1_000_000_000));
        assert_eq!(metadata.real_path.as_str(), r"D:\Ü\b.vhd");
        let error = tree.open(&path(r"D:\Ü\b.vhd")).err().unwrap();
        assert!(matches!(error, ReachError::NotCollected { size: 99, .. }), "{error}");
        assert!(tree.read_dir(&path(r"C:\Hyper-V\Snapshots")).unwrap().is_empty());
        let names: Vec<String> =
            tree.read_dir(&path(r"C:\Hyper-V")).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["Snapshots", "a.xml"]);
        assert!(tree.open(&path(r"D:\Ü\c.vhd")).err().unwrap().is_missing());
    }

    #[test]
    fn what_is_listed_below_a_link_is_left_out_and_told() {
        let (folder, tree) = tree(&format!(
            "{HEAD}\nlink\tC:\\v\\L\tD:\\x\nfolder\tC:\\v\\l\nfile\t1\t20101124101200\tlisted\tC:\\v\\l\\a.bin\n\
             folder\tC:\\v\\L\\b\\c\nfile\t2\t20101124101200\tlisted\tD:\\x\\a.bin\nend\t5\n"
        ));
        let tree = tree.unwrap().unwrap();
        let size = tree.metadata(&WindowsPath::new(r"C:\v\L\a.bin")).unwrap().size;
        assert_eq!(size, 2, "what is where the link leads");
        fs::write(folder.path().join("checksums.txt"), "end\n").unwrap();
        let [problem] = &tree.problems()[..] else { panic!("one problem") };
        assert_eq!(problem.kind, "collection.below-link");
        assert!(problem.message.contains(r"2 entries below links, the first is 'C:\v\l\a.bin'"), "{}", problem.message);
    }

    #[test]
    fn a_list_that_was_cut_or_spoilt_is_refused_with_its_line() {
        for (lines, number, reason) in [
            ("folder\tC:\\a\n", 2, "cut"),
            ("", 1, "cut"),
            ("file\tx\t20101124101200\tlisted\tC:\\a\nend", 2, "size"),
            ("file\t1\t2010\tlisted\tC:\\a\nend", 2, "time"),
            ("folder\t\\\\server\\x\nend", 2, "drive letter"),
            ("folder\tC:\\a\nfolder\tC:\\a\\..\\..\\b\nend", 3, "'..'"),
            ("file\t1\t20101124101200\tlisted\tC:\\a\nfolder\tC:\\a\\b\nend", 3, "is a file"),
            ("what\tC:\\a\nend", 2, "neither"),
        ] {
            let error = tree(&format!("{HEAD}\n{lines}")).1.err().unwrap().to_string();
            assert!(error.contains(&format!("line {number}")) && error.contains(reason), "{lines:?}: {error}");
        }
        assert!(tree("something else").1.unwrap().is_none());
    }

    #[test]
    fn moments_are_counted_from_1970() {
        assert_eq!(moment("19700101000000"), Some(0));
        assert_eq!(moment("20000301000000"), Some(951_868_800_000_000_000));
        assert_eq!(moment("20101124101259"), Some(1_290_593_579_000_000_000));
        assert_eq!(moment("20101324101259"), None);
    }
}
