//! The drives of a host over its shares: the administrative ones, or others that stand for drives. Folders are listed once; where
//! links lead is followed here, as for every other source, and only to drives of the source.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hvm_formats::guestfs::ntfs::{Reparse, ReparseKind};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem, Unknown};
use hvm_model::names::WindowsPath;
use hvm_smb::{Attributes, Client, Error, File, Share};

use super::listing::{Item, Kind, Listing, Listings, MAX_ENTRIES};
use super::walk::{self, Volumes};
use super::{Entry, Metadata, ReadOnlyTree};
use crate::error::{ReachError, SourceError};
use crate::uri::Shadow;

/// Most shadow copies that a message lists.
const MOST_TOLD: usize = 10;
/// Where a URI names the shares of drives, when the shares are all that is asked.
const ALONE: &str = "smb://HOST/";
/// Begin of the target of a junction to a volume.
const VOLUME: &str = r"\??\Volume{";
/// Tags of symbolic links and of junctions (MS-FSCC 2.1.2.1). What has another one is read through: the server puts its content
/// together.
const LINKS: [u32; 2] = [0xA000_000C, 0xA000_0003];

/// The drives of a host.
pub(crate) struct SmbTree {
    way: Arc<Way>,
    drives: BTreeMap<char, Drive>,
    problems: Vec<Problem>,
    listings: Listings<(char, String), Id>,
    /// Where a URI names the shares of drives: what is before them in it.
    map: &'static str,
}

/// The way to a host.
struct Way {
    client: Client,
    /// Why the host cannot be asked any more; nothing is asked then until somebody tries again.
    lost: Mutex<Option<Arc<Error>>>,
}

/// A share that stands for a drive.
struct Drive {
    share: Share,
    /// The folder of the share that is the root of the drive; empty for the share itself.
    folder: String,
}

/// A file or folder.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    letter: char,
    /// Its path below the share.
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
    /// Where a link leads, as Windows reads it; or why that is not known.
    leads: Result<String, String>,
}

impl Way {
    fn lost(&self) -> Option<Arc<Error>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, unless the host is lost, and remembers when it is.
    fn ask<T>(&self, ask: impl FnOnce() -> Result<T, Error>) -> Result<T, Arc<Error>> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        ask().map_err(|error| {
            let error = Arc::new(error);
            let is_of_one_question = matches!(
                &*error,
                Error::Status { .. }
                    | Error::Answer { .. }
                    | Error::Input { .. }
                    | Error::Link { .. }
                    | Error::Changed { .. }
                    | Error::End { .. }
            );
            if !is_of_one_question || error.is_lost() {
                *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&error));
            }
            error
        })
    }

    fn host(&self) -> &str {
        self.client.endpoint().host()
    }
}

/// An error as the system would say it.
fn plain(error: &Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string().trim_end_matches('.').to_owned())
}

impl SmbTree {
    /// The shares that are named; when none is, the administrative ones that there are. Each as it is, or as it was in a shadow
    /// copy.
    pub(crate) fn open(
        client: Client,
        named: &BTreeMap<char, (String, String)>,
        shadow: Option<Shadow>,
    ) -> Result<SmbTree, SourceError> {
        let way = Arc::new(Way { client, lost: Mutex::default() });
        let mut tree =
            SmbTree { way, drives: BTreeMap::new(), problems: Vec::new(), listings: Listings::default(), map: ALONE };
        for (letter, (share, folder)) in named {
            let share = shadowed(tree.way.client.share(share).map_err(Arc::new)?, shadow.as_ref())?;
            tree.drives.insert(*letter, Drive { share, folder: folder.clone() });
        }
        if named.is_empty() {
            tree.find(shadow.as_ref())?;
        }
        Ok(tree)
    }

    /// The administrative shares of these drives, and each has to be on the volume with the serial number of its drive: another
    /// computer may have the shares of that name, such as behind a port that is forwarded.
    pub(crate) fn open_own(client: Client, drives: &BTreeMap<char, Option<u32>>) -> Result<SmbTree, SourceError> {
        let named = drives.keys().map(|letter| (*letter, (format!("{letter}$"), String::new()))).collect();
        let tree = SmbTree::open(client, &named, None)?;
        for (letter, drive) in &tree.drives {
            let wanted = drives.get(letter).copied().flatten().ok_or(SourceError::NoSerial { letter: *letter })?;
            let found = drive.share.volume().map_err(Arc::new)?.serial;
            if found != wanted {
                let share = drive.share.whole("");
                return Err(SourceError::OtherVolume { share, letter: *letter, found, wanted });
            }
        }
        let told = "It does not say which fixed drives it has.".to_owned();
        let none = || SourceError::NoShares { host: tree.way.host().to_owned(), told };
        if tree.drives.is_empty() { Err(none()) } else { Ok(tree) }
    }

    /// The same, where a URI names shares of drives behind this.
    pub(crate) fn mapped_in(self, map: &'static str) -> SmbTree {
        SmbTree { map, ..self }
    }

    /// Tries the share of each letter that a fixed drive can have.
    fn find(&mut self, shadow: Option<&Shadow>) -> Result<(), SourceError> {
        let (mut without, mut closed_ones) = (None, 0);
        for letter in 'C'..='Z' {
            let opened = self.way.client.share(&format!("{letter}$"));
            let share = match opened {
                Ok(share) => shadowed(share, shadow),
                Err(Error::Status { status, .. }) if status.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(Arc::new(error).into()),
            };
            match share {
                Ok(share) => drop(self.drives.insert(letter, Drive { share, folder: String::new() })),
                Err(error @ SourceError::NoShadow { .. }) => {
                    self.problems.push(closed(letter, &error));
                    without.get_or_insert(error);
                }
                Err(SourceError::Smb(error)) if matches!(*error, Error::Status { .. } | Error::Input { .. }) => {
                    self.problems.push(closed(letter, &*error));
                    closed_ones += 1;
                }
                Err(error) => return Err(error),
            }
        }
        if self.drives.is_empty() {
            // The shares are open: it is the shadow copy that is missing.
            if let Some(error) = without.filter(|_| closed_ones == 0) {
                return Err(error);
            }
            let told: Vec<&str> = self.problems.iter().map(|problem| problem.message.as_str()).collect();
            return Err(SourceError::NoShares { host: self.way.host().to_owned(), told: told.join(" ") });
        }
        Ok(())
    }

    fn share(&self, letter: char) -> io::Result<&Share> {
        self.drives.get(&letter).map(|drive| &drive.share).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read(&self, folder: &Node) -> io::Result<Listing<Id>> {
        let share = self.share(folder.letter)?;
        let entries = self.way.ask(|| share.list(&folder.path)).map_err(|error| plain(&error))?;
        if entries.len() > MAX_ENTRIES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (mut items, mut short) = (Vec::new(), Vec::new());
        for entry in entries {
            if !entry.short_name.is_empty() && entry.short_name != entry.name {
                short.push((entry.short_name, items.len()));
            }
            let (kind, leads) = self.kind(share, &below(&folder.path, &entry.name), &entry.attributes);
            let (size, modified) = (entry.attributes.size, entry.attributes.modified_unix());
            items.push(Item { id: Id { size, modified, leads }, name: entry.name, kind });
        }
        Ok(Listing::of(items, &short))
    }

    /// What an entry is, and where it leads when it is a link.
    fn kind(&self, share: &Share, path: &str, attributes: &Attributes) -> (Kind, Result<String, String>) {
        let plain = if attributes.is_folder() { Kind::Folder } else { Kind::File };
        let no_link = || (plain, Err("it is no link".to_owned()));
        if !attributes.has_reparse_point() || !LINKS.contains(&attributes.tag) {
            return no_link();
        }
        let data = match self.way.ask(|| share.reparse_point(path)) {
            Ok(data) => data,
            Err(error) => return (Kind::Link, Err(error.to_string().trim_end_matches('.').to_owned())),
        };
        link(&data, plain)
    }
}

/// What the data of a reparse point make of an entry that would be a file or a folder without it.
fn link(data: &[u8], plain: Kind) -> (Kind, Result<String, String>) {
    let Some(Reparse { kind, target: Some(target), .. }) = Reparse::parse(data) else {
        return (Kind::Link, Err("the server does not say where this link leads".to_owned()));
    };
    if kind == ReparseKind::Junction
        && target.get(..VOLUME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(VOLUME))
    {
        // What is mounted in a folder the server reads there.
        return (plain, Err("it is no link".to_owned()));
    }
    match kind {
        // A relative target without a `\` would look like one of this computer.
        ReparseKind::RelativeSymlink if !target.starts_with('\\') => (Kind::Link, Ok(format!(r".\{target}"))),
        _ => (Kind::Link, Ok(target)),
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}\\{name}") }
}

/// A share as it was in the shadow copy that is wanted.
fn shadowed(share: Share, shadow: Option<&Shadow>) -> Result<Share, SourceError> {
    let Some(shadow) = shadow else { return Ok(share) };
    let found = share.snapshots().map_err(Arc::new)?;
    let wanted = found.iter().find(|snapshot| match shadow {
        Shadow::Latest => true,
        Shadow::Named(name) => *snapshot == name,
    });
    if let Some(snapshot) = wanted {
        return Ok(share.at(snapshot.clone()));
    }
    let names: Vec<String> = found.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(SourceError::NoShadow { share: share.whole(""), found })
}

fn closed(letter: char, error: &dyn std::error::Error) -> Problem {
    Problem {
        kind: "source.share-closed".to_owned(),
        subject: Subject::Host,
        message: format!("Drive {letter}: is not read. {error}"),
        place: Place::new(format!("{letter}$"), ""),
        hint: "Give the user the right to it, or name another share of the drive, such as 'smb://HOST/C=C$,D=SHARE' \
               or, of a host that runs, '&files=smb/C=C$,D=SHARE'."
            .to_owned(),
    }
}

impl Volumes for SmbTree {
    type Node = Node;
    type Id = Id;

    fn root(&self, letter: char) -> Option<Node> {
        let drive = self.drives.get(&letter)?;
        Some(Node { letter, path: drive.folder.clone(), size: 0, modified: 0 })
    }

    fn how_to_map(&self, letter: char) -> String {
        format!("its share, such as '{}{letter}=SHARE',", self.map)
    }

    fn listing(&self, folder: &Node) -> io::Result<Arc<Listing<Id>>> {
        self.listings.of(&(folder.letter, folder.path.clone()), || self.read(folder))
    }

    fn child(&self, folder: &Node, item: &Item<Id>) -> Node {
        let path = below(&folder.path, &item.name);
        Node { letter: folder.letter, path, size: item.id.size, modified: item.id.modified }
    }

    fn link_text(&self, _: &Node, item: &Item<Id>) -> io::Result<String> {
        item.id.leads.clone().map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    fn local(&self, _: &Node, _: &str) -> Option<(char, Vec<String>)> {
        None
    }
}

impl ReadOnlyTree for SmbTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        walk::read_dir(self, path)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        walk::metadata(self, path, |node| (node.size, node.modified))
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = walk::file(self, path)?;
        let failed = |source| ReachError::Io { path: path.to_string(), source };
        let share = self.share(at.node().letter).map_err(failed)?;
        match self.way.ask(|| share.open_file(&at.node().path)) {
            Ok(file) => {
                let name = at.windows().as_str().to_owned();
                Ok(Arc::new(SmbFile { way: Arc::clone(&self.way), file, name }))
            }
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                Err(ReachError::InUse { path: at.windows().to_string(), host: self.way.host().to_owned() })
            }
            Err(error) => Err(failed(plain(&error))),
        }
    }

    fn how_to_map(&self, letter: char) -> String {
        Volumes::how_to_map(self, letter)
    }

    fn drives(&self) -> Vec<(char, String)> {
        let place = |drive: &Drive| drive.share.whole(&drive.folder);
        self.drives.iter().map(|(letter, drive)| (*letter, place(drive))).collect()
    }

    fn way(&self) -> Option<String> {
        let shares: Vec<String> = self.drives().into_iter().map(|(_, share)| share).collect();
        Some(format!("over its shares {}", shares.join(", ")))
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    /// A server shows nothing in the place of a link that it hides, and does not say whether it hides any. A host that is asked over
    /// WinRM, too, is a Windows, which hides none.
    fn unknowns(&self) -> Vec<Unknown> {
        let reason = "A server such as Samba shows no link of Windows, so that nothing tells that one is there. Up to Windows Server \
                      2012 R2 a link registers each machine that lies outside of the usual folder: such machines and checkpoints may be \
                      missing.";
        let how_to_learn = "Compare the machines with Hyper-V Manager, or on the host with: dir /al \
                            \"%ProgramData%\\Microsoft\\Windows\\Hyper-V\\Virtual Machines\". Where the shares are no Windows, read the \
                            drives where they lie, as 'folder:' or 'image:'.";
        let hidden = || Unknown {
            item: "Symbolic links that the server hides".to_owned(),
            reason: reason.to_owned(),
            how_to_learn: how_to_learn.to_owned(),
        };
        (self.map == ALONE).then(hidden).into_iter().collect()
    }

    fn lost(&self) -> Option<SourceError> {
        self.way.lost().map(SourceError::Smb)
    }

    fn refresh(&self) {
        self.listings.forget();
        *self.way.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A file of a share.
struct SmbFile {
    way: Arc<Way>,
    file: File,
    name: String,
}

impl ReadAt for SmbFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.way.ask(|| self.file.read_exact_at(buf, offset)).map_err(|error| plain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hvm_testkit::ntfs::{JUNCTION, SYMLINK, reparse_data};

    #[test]
    fn links_lead_where_their_data_say() {
        let leads = |tag, target: &str| link(&reparse_data(tag, target, ""), Kind::Folder);
        let to = |target: &str| (Kind::Link, Ok(target.to_owned()));
        assert_eq!(leads(SYMLINK, r"\??\D:\VMs\a.xml"), to(r"\??\D:\VMs\a.xml"));
        assert_eq!(leads(JUNCTION, r"\??\D:\VMs"), to(r"\??\D:\VMs"));
        assert_eq!(leads(SYMLINK, r"..\b.xml"), to(r".\..\b.xml"));
        let (kind, _) = leads(JUNCTION, r"\??\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\");
        assert_eq!(kind, Kind::Folder, "what is mounted there is read there");
        let below = r"\??\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\VMs\a.xml";
        assert_eq!(leads(SYMLINK, below), to(below), "the server does not follow a symbolic link");
        let (kind, target) = link(&[1, 2, 3], Kind::File);
        assert!(kind == Kind::Link && target.is_err(), "whoever follows it is told");
    }
}
