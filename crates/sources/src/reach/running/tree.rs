//! The files of a host that runs. Folders are listed once; where links lead is followed here, as for every other source, and only
//! to drives of the host itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use hvm_formats::guestfs::ntfs::{Reparse, ReparseKind};
use hvm_formats::io::SharedFile;
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::WindowsPath;
use hvm_winrm::Error;
use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;

use super::Link;
use super::file::{LiveFile, refused, without_end};
use crate::error::ReachError;
use crate::reach::listing::{Item, Kind, Listing, Listings, MAX_ENTRIES};
use crate::reach::walk::{self, Volumes};
use crate::reach::{Entry, Metadata, ReadOnlyTree};

const LIST: &str = include_str!("scripts/List.ps1");
/// 1601-01-01 to 1970-01-01 in units of 100 ns.
const EPOCH: i128 = 116_444_736_000_000_000;
/// Begin of the target of a junction to a volume.
const VOLUME: &str = r"\??\Volume{";
/// Most bytes of a reparse point; Windows allows 16 KiB.
const MAX_REPARSE: usize = 1 << 16;

/// The drives of a host.
pub(crate) struct RunningTree {
    link: Arc<Link>,
    drives: BTreeSet<char>,
    /// Letters of volumes by their GUIDs, in small letters.
    volumes: HashMap<String, char>,
    problems: Vec<Problem>,
    listings: Listings<String, Id>,
    /// Why they are not read through its shares, where that was tried.
    reason: Option<String>,
}

/// A file or folder.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    path: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: i128,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone)]
pub(crate) struct Id {
    size: u64,
    modified: i128,
    /// Where a link leads, as Windows reads it.
    leads: Option<String>,
    /// Its own path when that is not below the folder: of what is mounted in it.
    path: Option<String>,
}

impl RunningTree {
    /// The tree of a host, whose volumes are asked for.
    pub(crate) fn open(link: Arc<Link>, drives: &Drives, reason: Option<String>) -> Result<RunningTree, Arc<Error>> {
        let found = link.query("root/cimv2", "SELECT * FROM Win32_Volume").unwrap_or_default();
        // Only a host that is lost is an error.
        link.lost().map_or(Ok(()), Err)?;
        let volume = |volume: &hvm_winrm::Instance| {
            let guid = volume.text("DeviceID")?.split_once('{')?.1.split_once('}')?.0.to_ascii_lowercase();
            Some((guid, letter(volume.text("DriveLetter"))?))
        };
        let volumes = found.iter().filter_map(volume).collect();
        let problems = drives.unknown.iter().map(|reason| unknown_drives(link.host(), reason)).collect();
        let drives = drives.fixed.keys().copied().collect();
        Ok(RunningTree { link, drives, volumes, problems, listings: Listings::default(), reason })
    }

    fn read(&self, folder: &str) -> io::Result<Listing<Id>> {
        let script = Script::new(LIST).with("Path", Value::Text(folder.to_owned()));
        let said = self.link.run(script).map_err(|error| io::Error::other(without_end(&error.to_string())))?;
        if let Some(failed) = &said.failed {
            return Err(io::Error::other(without_end(failed)));
        }
        if let Some(error) = said.output.first().and_then(|line| refused(line)) {
            return Err(error);
        }
        let mut items: Vec<Item<Id>> = Vec::new();
        let mut lines = said.output.iter().map(String::as_str).peekable();
        while let Some(line) = lines.next() {
            let mut more = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with('+')) {
                more.push(line.get(1..).unwrap_or_default());
            }
            let item = self.item(line, &more).ok_or_else(|| {
                let shown: String = line.chars().take(200).collect();
                io::Error::new(io::ErrorKind::InvalidData, format!("'{shown}' is no line of a listing"))
            })?;
            if items.len() >= MAX_ENTRIES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            items.push(item);
        }
        Ok(Listing::of(items, &[]))
    }

    fn item(&self, line: &str, more: &[&str]) -> Option<Item<Id>> {
        let time = |text: &str| Some((text.parse::<i128>().ok()? - EPOCH) * 100);
        let plain = |size, modified| Id { size, modified, leads: None, path: None };
        let parts: Vec<&str> = line.splitn(5, '|').collect();
        let (name, kind, id) = match parts[..] {
            ["d", name] => (name, Kind::Folder, plain(0, 0)),
            ["f", size, modified, name] => (name, Kind::File, plain(size.parse().ok()?, time(modified)?)),
            ["r", kind, size, modified, name] => {
                let id = plain(size.parse().ok()?, time(modified)?);
                let kind = if kind == "d" { Kind::Folder } else { Kind::File };
                let (kind, id) = self.reparse(kind, id, more);
                (name, kind, id)
            }
            _ => return None,
        };
        let is_name = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['\\', '/']);
        is_name.then(|| Item { id, name: name.to_owned(), kind })
    }

    /// What an entry with a reparse point is. One that is no link is read through: Windows puts its content together.
    fn reparse(&self, plain: Kind, id: Id, said: &[&str]) -> (Kind, Id) {
        let Some(point) = dumped(said).and_then(|data| Reparse::parse(&data)) else {
            // Whoever follows it is told that it cannot be known where it leads.
            return (Kind::Link, id);
        };
        let Some(target) = point.target.filter(|_| point.kind != ReparseKind::Other) else { return (plain, id) };
        if let Some(guid) = target.get(..VOLUME.len()).filter(|begin| begin.eq_ignore_ascii_case(VOLUME)) {
            let rest = target.get(guid.len()..).unwrap_or_default();
            let (guid, below) = rest.split_once('}').unwrap_or((rest, ""));
            let letter = self.volumes.get(&guid.to_ascii_lowercase());
            let path = letter.map(|letter| format!("{letter}:\\{}", below.trim_matches('\\')));
            // A volume without a letter is read where it is mounted.
            return (Kind::Folder, Id { path, ..id });
        }
        let leads = match point.kind {
            // A relative target without a `\` would look like one of this computer.
            ReparseKind::RelativeSymlink if !target.starts_with('\\') => format!(r".\{target}"),
            _ => target,
        };
        (Kind::Link, Id { leads: Some(leads), ..id })
    }
}

/// The fixed drives of a host.
#[derive(Debug, Default)]
pub(crate) struct Drives {
    /// Each with the serial number of its volume.
    pub(crate) fixed: BTreeMap<char, Option<u32>>,
    /// Those of which nothing can be read: the volume is locked (BitLocker) or has no file system that the host knows.
    blank: BTreeSet<char>,
    /// Why they are not known.
    pub(crate) unknown: Option<String>,
}

impl Drives {
    /// Asks the host for them.
    pub(crate) fn ask(link: &Link) -> Result<Drives, Arc<Error>> {
        let found = link.query("root/cimv2", "SELECT * FROM Win32_LogicalDisk WHERE DriveType=3");
        // Only a host that is lost is an error.
        link.lost().map_or(Ok(()), Err)?;
        let unknown = found.as_ref().err().cloned();
        let drive = |disk: &hvm_winrm::Instance| {
            let serial = disk.text("VolumeSerialNumber").map(|text| text.replace('-', ""));
            let serial = serial.and_then(|digits| u32::from_str_radix(&digits, 16).ok());
            Some((letter(disk.text("DeviceID"))?, serial))
        };
        let is_blank = |disk: &&hvm_winrm::Instance| {
            ["FileSystem", "VolumeSerialNumber"].iter().all(|name| disk.text(name).is_none_or(str::is_empty))
        };
        let blank = found.iter().flatten().filter(is_blank).filter_map(|disk| letter(disk.text("DeviceID"))).collect();
        Ok(Drives { fixed: found.iter().flatten().filter_map(drive).collect(), blank, unknown })
    }

    /// Those with files, each with the serial number of its volume.
    pub(crate) fn with_files(&self) -> BTreeMap<char, Option<u32>> {
        self.fixed
            .iter()
            .filter(|(letter, _)| !self.blank.contains(letter))
            .map(|(letter, id)| (*letter, *id))
            .collect()
    }
}

/// The letter that the name of a drive begins with.
fn letter(name: Option<&str>) -> Option<char> {
    name?.chars().next().map(|letter| letter.to_ascii_uppercase())
}

fn unknown_drives(host: &str, reason: &str) -> Problem {
    Problem {
        kind: "source.drives-unknown".to_owned(),
        subject: Subject::Host,
        message: format!("{host} does not say which drives it has, so none of its files is read: {reason}"),
        place: Place::new(r"WMI root\cimv2", "Win32_LogicalDisk"),
        hint: "Mend WMI on the host, or name a source that has its files.".to_owned(),
    }
}

/// The data of a reparse point out of what fsutil shows: the first number of eight hex digits is the tag, and each line of the
/// dump begins with an offset and a colon. Everything else is in the language of the host.
fn dumped(lines: &[&str]) -> Option<Vec<u8>> {
    let number = |word: &str| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok().filter(|_| word.len() == 10);
    let tag = lines.iter().flat_map(|line| line.split_whitespace()).find_map(number)?;
    let mut data = Vec::new();
    for line in lines {
        let Some((offset, bytes)) = line.split_once(": ") else { continue };
        let is_offset = offset.len() >= 4 && offset.chars().all(|c| c.is_ascii_hexdigit());
        if !is_offset || usize::from_str_radix(offset, 16).ok() != Some(data.len()) {
            continue;
        }
        let byte = |word: &&str| word.len() == 2 && word.chars().all(|c| c.is_ascii_hexdigit());
        // Sixteen of them, and behind those the same as characters.
        let words = bytes.split_whitespace().take_while(byte).take(16);
        data.extend(words.filter_map(|word| u8::from_str_radix(word, 16).ok()));
        if data.len() > MAX_REPARSE {
            return None;
        }
    }
    let len = u32::try_from(data.len()).ok()?;
    Some([&tag.to_le_bytes()[..], &len.to_le_bytes(), &data].concat())
}

impl Volumes for RunningTree {
    type Node = Node;
    type Id = Id;

    fn root(&self, letter: char) -> Option<Node> {
        let letter = letter.to_ascii_uppercase();
        let root = || Node { path: format!("{letter}:\\"), size: 0, modified: 0 };
        self.drives.contains(&letter).then(root)
    }

    fn how_to_map(&self, letter: char) -> String {
        format!("a copy of drive {letter}:, which is no fixed drive of {},", self.link.host())
    }

    fn listing(&self, folder: &Node) -> io::Result<Arc<Listing<Id>>> {
        self.listings.of(&folder.path, || self.read(&folder.path))
    }

    fn child(&self, folder: &Node, item: &Item<Id>) -> Node {
        let below = || format!("{}\\{}", folder.path.trim_end_matches('\\'), item.name);
        let path = item.id.path.clone().unwrap_or_else(below);
        Node { path, size: item.id.size, modified: item.id.modified }
    }

    fn link_text(&self, _: &Node, item: &Item<Id>) -> io::Result<String> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "the host does not say where this link leads");
        item.id.leads.clone().ok_or_else(unknown)
    }

    fn local(&self, _: &Node, _: &str) -> Option<(char, Vec<String>)> {
        None
    }
}

impl ReadOnlyTree for RunningTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        walk::read_dir(self, path)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        walk::metadata(self, path, |node| (node.size, node.modified))
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = walk::file(self, path)?;
        let file = LiveFile::open(Arc::clone(&self.link), &at.node().path, at.windows().as_str());
        match file {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                Err(ReachError::InUse { path: at.windows().to_string(), host: self.link.host().to_owned() })
            }
            Err(source) => Err(ReachError::Io { path: path.to_string(), source }),
        }
    }

    fn how_to_map(&self, letter: char) -> String {
        Volumes::how_to_map(self, letter)
    }

    fn drives(&self) -> Vec<(char, String)> {
        self.drives.iter().map(|letter| (*letter, format!("{letter}: of {}", self.link.host()))).collect()
    }

    fn way(&self) -> Option<String> {
        let slow = |reason| format!("through PowerShell, which is slow, for its shares cannot be taken: {reason}");
        let unasked = || "through PowerShell, which is slow; '&files=smb' reads its shares".to_owned();
        Some(self.reason.as_ref().map_or_else(unasked, slow))
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn refresh(&self) {
        self.listings.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_link_are_read_whatever_the_language_of_the_host() {
        // A relative link to "b.x", as fsutil of a German Windows shows it.
        let lines = [
            "Analysepunktkennung: 0xa000000c",
            "Kennungswert: Microsoft",
            "",
            "Analysepunktdatenlänge: 0x00000018",
            "Analysedaten:",
            "0000:  06 00 06 00 00 00 06 00  01 00 00 00 62 00 2e 00  ............b...",
            "0010:  78 00 62 00 2e 00 78 00                           x.b...x.",
        ];
        let point = Reparse::parse(&dumped(&lines).unwrap()).unwrap();
        assert_eq!((point.kind, point.target.as_deref()), (ReparseKind::RelativeSymlink, Some("b.x")));
        assert_eq!(dumped(&["Fehler 4390"]), None);
        assert_eq!(Reparse::parse(&dumped(&lines[..6]).unwrap()), None, "the names are cut off");
    }
}
