//! A share: its folders are listed and its files are asked about and opened.

use std::sync::Arc;

use crate::client::Server;
use crate::error::{Error, Result};
use crate::file::File;
use crate::limits;
use crate::live::{Live, Tree};
use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::wire::ask::{self, About, FileId, Purpose};
use crate::wire::header::Command;
use crate::wire::{folder, replies};

/// `FILE_ATTRIBUTE_DIRECTORY` (MS-FSCC 2.6).
const DIRECTORY: u32 = 0x10;
/// `FILE_ATTRIBUTE_REPARSE_POINT`.
pub(crate) const REPARSE_POINT: u32 = 0x400;
/// 1601-01-01 to 1970-01-01 in units of 100 ns.
const EPOCH: i128 = 116_444_736_000_000_000;

/// What a server says of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// When it was made, in units of 100 ns since 1601-01-01 UTC.
    pub created: u64,
    /// When its content was changed last, in the same units.
    pub modified: u64,
    /// Length in bytes.
    pub size: u64,
    /// The attributes of MS-FSCC 2.6.
    pub flags: u32,
    /// The tag of its reparse point, where a listing has it; 0 else.
    pub tag: u32,
}

impl Attributes {
    /// Whether it is a folder.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        self.flags & DIRECTORY != 0
    }

    /// Whether it is a link, or something else that the file system puts together when it is read.
    #[must_use]
    pub const fn has_reparse_point(&self) -> bool {
        self.flags & REPARSE_POINT != 0
    }

    /// When it was changed last, in nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn modified_unix(&self) -> i128 {
        (i128::from(self.modified) - EPOCH) * 100
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its name of eight and three characters, or nothing.
    pub short_name: String,
    /// What the server says of it. Of a link they are its own.
    pub attributes: Attributes,
}

/// A stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name with its type, such as `:Zone.Identifier:$DATA`; the content itself is `::$DATA`.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
}

/// The volume of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its serial number.
    pub serial: u32,
    /// Its label; may be empty.
    pub label: String,
}

/// A share of a server.
#[derive(Clone)]
pub struct Share {
    pub(crate) server: Arc<Server>,
    name: Arc<str>,
    /// The shadow copy that is read in its place.
    snapshot: Option<Arc<Snapshot>>,
}

impl Share {
    pub(crate) fn open(server: Arc<Server>, name: &str) -> Result<Share> {
        if name.is_empty() || name.encode_utf16().count() > 80 || name.contains(['\\', '/', ':', '\0']) {
            return Err(Error::Input {
                what: "share",
                found: name.to_owned(),
                expected: r"the name of a share, such as C$, without '\' and without its server",
            });
        }
        let share = Share { server, name: name.into(), snapshot: None };
        share.server.again(|live| live.tree(&share.name))?;
        Ok(share)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `\\HOST\SHARE\PATH`, for people.
    #[must_use]
    pub fn whole(&self, path: &str) -> String {
        let snapshot = self.snapshot.as_ref().map(|snapshot| format!(r"{snapshot}\")).unwrap_or_default();
        let whole = format!(r"\\{}\{}\{snapshot}{path}", self.server.endpoint.host(), self.name);
        whole.trim_end_matches('\\').to_owned()
    }

    /// The shadow copies of its volume that the server offers, the newest first; none of a server that has no such thing.
    ///
    /// # Errors
    /// When the server is away, or the share may not be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        self.with("", Purpose::List, |at, file| {
            let reply = at.live.ask(Some(at.tree), Command::Ioctl, &ask::ioctl(ask::SNAPSHOTS, file, &[]))?;
            match reply.response.status {
                Status::SUCCESS => {
                    let wrong = |reason| at.live.wrong(Command::Ioctl, reason);
                    let data = replies::ioctl(reply.message()).map_err(wrong)?;
                    let mut found = replies::snapshots(data).map_err(wrong)?;
                    found.sort_by(|one, other| other.cmp(one));
                    Ok(found)
                }
                Status::NOT_SUPPORTED | Status::INVALID_DEVICE_REQUEST => Ok(Vec::new()),
                status => Err(self.refused("Asking for the shadow copies of", "", status)),
            }
        })
    }

    /// The share as it was in a shadow copy.
    #[must_use]
    pub fn at(&self, snapshot: Snapshot) -> Share {
        Share { snapshot: Some(Arc::new(snapshot)), ..self.clone() }
    }

    /// How its messages are protected on their way, for people: a cipher, or a kind of signature.
    ///
    /// # Errors
    /// When the server is away.
    pub fn protection(&self) -> Result<String> {
        self.server.again(|live| Ok(live.protection(live.tree(&self.name)?)))
    }

    /// The entries of a folder, whose path counts from the share; the share itself is the empty path.
    ///
    /// # Errors
    /// When it is no folder, may not be read, or has too many entries.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.with(path, Purpose::List, |at, file| {
            let mut found = Vec::new();
            loop {
                let reply = at.live.ask(Some(at.tree), Command::QueryDirectory, &ask::query_directory(file))?;
                match reply.response.status {
                    Status::NO_MORE_FILES | Status::NO_SUCH_FILE => return Ok(found),
                    Status::SUCCESS | Status::BUFFER_OVERFLOW => {}
                    status => return Err(self.refused("Listing", path, status)),
                }
                let wrong = |reason| at.live.wrong(Command::QueryDirectory, reason);
                let before = found.len();
                let data = replies::output(reply.message()).map_err(wrong)?;
                folder::entries(data, &mut found).map_err(wrong)?;
                if data.is_empty() && found.len() == before {
                    return Err(wrong("a part of the list has no entries".to_owned()));
                }
            }
        })
    }

    /// What the server says of a file or folder; links are not followed at the end of the path.
    ///
    /// # Errors
    /// When it is not there or may not be asked about.
    pub fn attributes(&self, path: &str) -> Result<Attributes> {
        self.server.again(|live| {
            let tree = live.tree(&self.name)?;
            let (file, attributes) = self.create(live, tree, (path, Purpose::AskLink))?;
            live.say(tree, Command::Close, &ask::close(file));
            Ok(attributes)
        })
    }

    /// Opens a file for reading. Others may go on reading and writing it.
    ///
    /// # Errors
    /// When it is not there, is a folder, may not be read, or another program has it open for itself.
    pub fn open_file(&self, path: &str) -> Result<File> {
        File::open(self.clone(), path)
    }

    /// The data of a reparse point (MS-FSCC 2.1.2): what a link says of where it leads.
    ///
    /// # Errors
    /// When it is no link, or the server does not say.
    pub fn reparse_point(&self, path: &str) -> Result<Vec<u8>> {
        self.with(path, Purpose::AskLink, |at, file| {
            let body = ask::ioctl(ask::GET_REPARSE_POINT, file, &[]);
            let reply = at.live.ask(Some(at.tree), Command::Ioctl, &body)?;
            match reply.response.status {
                Status::SUCCESS => {
                    let data = replies::ioctl(reply.message());
                    data.map(<[u8]>::to_vec).map_err(|reason| at.live.wrong(Command::Ioctl, reason))
                }
                status => Err(self.refused("Asking where the link leads", path, status)),
            }
        })
    }

    /// The streams of a file.
    ///
    /// # Errors
    /// When it is not there or the server does not say.
    pub fn streams(&self, path: &str) -> Result<Vec<Stream>> {
        self.ask_about(path, About::Streams, replies::streams)
    }

    /// The volume that the share is on.
    ///
    /// # Errors
    /// When the server does not say.
    pub fn volume(&self) -> Result<Volume> {
        self.ask_about("", About::Volume, replies::volume)
    }

    fn ask_about<T>(&self, path: &str, about: About, read: fn(&[u8]) -> std::result::Result<T, String>) -> Result<T> {
        self.with(path, Purpose::Ask, |at, file| {
            let reply = at.live.ask(Some(at.tree), Command::QueryInfo, &ask::query_info(file, about))?;
            if reply.response.status != Status::SUCCESS {
                return Err(self.refused("Asking about", path, reply.response.status));
            }
            let wrong = |reason| at.live.wrong(Command::QueryInfo, reason);
            read(replies::output(reply.message()).map_err(wrong)?).map_err(wrong)
        })
    }

    /// Opens, asks and closes.
    fn with<T>(&self, path: &str, purpose: Purpose, mut ask: impl FnMut(&At<'_>, FileId) -> Result<T>) -> Result<T> {
        self.server.again(|live| {
            let at = At { live, tree: live.tree(&self.name)? };
            let (file, _) = self.create(live, at.tree, (path, purpose))?;
            let answer = ask(&at, file);
            live.say(at.tree, Command::Close, &ask::close(file));
            answer
        })
    }

    /// Opens what is at a path.
    pub(crate) fn create(
        &self,
        live: &Live,
        tree: Tree,
        (path, purpose): (&str, Purpose),
    ) -> Result<(FileId, Attributes)> {
        if path.encode_utf16().count() > limits::PATH {
            let found = path.chars().take(100).collect();
            return Err(Error::Input { what: "path", found, expected: "shorter than 32,000 characters" });
        }
        let time = self.snapshot.as_ref().map(|snapshot| snapshot.time());
        let reply = live.ask(Some(tree), Command::Create, &ask::create(path, purpose, time))?;
        match reply.response.status {
            Status::SUCCESS => replies::create(reply.message()).map_err(|reason| live.wrong(Command::Create, reason)),
            Status::STOPPED_ON_SYMLINK => {
                let target = replies::symlink(reply.message()).unwrap_or_else(|_| "an unknown place".to_owned());
                Err(Error::Link { path: self.whole(path), target })
            }
            status => Err(self.refused("Opening", path, status)),
        }
    }

    /// The tree of this share on a session.
    pub(crate) fn tree(&self, live: &Live) -> Result<Tree> {
        live.tree(&self.name)
    }

    pub(crate) fn refused(&self, action: &'static str, path: &str, status: Status) -> Error {
        Error::Status { action, path: self.whole(path), status }
    }
}

/// Where something is asked.
struct At<'a> {
    live: &'a Live,
    tree: Tree,
}
