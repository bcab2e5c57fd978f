//! A file that is read at any place, by several threads, over connections that may be lost: it is opened again then, and has to
//! be the one that it was.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ahead::{Ahead, Piece};
use crate::connection::Urgency;
use crate::error::{Error, Result};
use crate::live::{Live, Tree};
use crate::mending::Mending;
use crate::share::{Attributes, Share};
use crate::status::Status;
use crate::wire::ask::{self, FileId, Purpose};
use crate::wire::header::Command;
use crate::wire::replies;

/// A file of a share, open for reading.
pub struct File {
    share: Share,
    path: String,
    /// As it was when it was opened at first.
    attributes: Attributes,
    opened: Mutex<Option<Opened>>,
    ahead: Mutex<Ahead>,
}

/// A file on a session.
#[derive(Clone)]
struct Opened {
    live: Arc<Live>,
    tree: Tree,
    id: FileId,
}

impl File {
    pub(crate) fn open(share: Share, path: &str) -> Result<File> {
        let (opened, attributes) = share.server.again(|live| open(&share, live, path))?;
        let (opened, ahead) = (Mutex::new(Some(opened)), Mutex::default());
        Ok(File { share, path: path.to_owned(), attributes, opened, ahead })
    }

    /// Length in bytes at the time of opening.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.attributes.size
    }

    /// Whether it had no bytes then.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.attributes.size == 0
    }

    /// What the server said of it then.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Fills `buf` from `offset` on. While a file is read in its order, what comes next is asked for before it is wanted.
    ///
    /// # Errors
    /// When the file is shorter, was changed meanwhile, or the server is away for too long.
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len()) {
            let (path, len, count) = (self.share.whole(&self.path), self.len(), buf.len());
            return Err(Error::End { path, len, offset, count });
        }
        let mut mending = Mending::new(self.share.server.options.patience);
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            match self.some(rest, at) {
                Ok(count) => {
                    rest = rest.get_mut(count..).unwrap_or_default();
                    at += count as u64;
                    mending.went_on();
                }
                Err(error) => {
                    if error.is_lost() {
                        self.forget();
                    }
                    mending.wait(error)?;
                }
            }
        }
        Ok(())
    }

    /// Reads at least one byte.
    fn some(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let opened = self.opened()?;
        let size = opened.live.piece();
        let wanted = buf.len() as u64;
        let pieces = {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            ahead.pieces((offset, wanted), (u64::from(size), self.len()), &mut |at, len, urgency| {
                self.ask(&opened, (at, len), urgency)
            })?
        };
        let mut done = 0;
        for piece in pieces {
            let at = offset + done as u64;
            let went = piece.copy(buf.get_mut(done..).unwrap_or_default(), at, |reply| self.data(reply));
            match went {
                Ok(0) => break,
                Ok(count) => done += count,
                // What came before it is not lost.
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if done > 0 { Ok(done) } else { Err(self.shorter(offset)) }
    }

    /// Asks for a part of the file.
    fn ask(&self, opened: &Opened, part: (u64, u32), urgency: Urgency) -> Result<Option<Piece>> {
        let sent = opened.live.read(opened.tree, opened.id, part, urgency)?;
        Ok(sent.map(|(len, pending)| Piece::new((part.0, len), pending)))
    }

    /// Where the data lie in an answer.
    fn data(&self, reply: &crate::connection::Reply) -> Result<std::ops::Range<usize>> {
        match reply.response.status {
            Status::SUCCESS | Status::BUFFER_OVERFLOW => {
                let range = replies::read(reply.message());
                range.map_err(|reason| Error::Answer {
                    endpoint: self.share.server.endpoint.to_string(),
                    action: Command::Read.word().to_owned(),
                    reason,
                })
            }
            Status::END_OF_FILE => Ok(0..0),
            status => Err(self.share.refused("Reading", &self.path, status)),
        }
    }

    fn shorter(&self, offset: u64) -> Error {
        let what = format!("it had {} bytes and ends at {offset} at the latest now", self.len());
        Error::Changed { path: self.share.whole(&self.path), what }
    }

    /// The file on a session that goes on.
    fn opened(&self) -> Result<Opened> {
        let mut known = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = known.as_ref().filter(|opened| !opened.live.is_ended()) {
            return Ok(opened.clone());
        }
        *known = None;
        let live = self.share.server.live()?;
        let (opened, now) = open(&self.share, &live, &self.path)?;
        let (before, after) = (&self.attributes, &now);
        if is_another(before, after) {
            live.say(opened.tree, Command::Close, &ask::close(opened.id));
            let what = format!(
                "it had {} bytes, written at {}, and has {} bytes, written at {}, after the connection was lost (times in units \
                 of 100 ns since 1601)",
                before.size, before.modified, after.size, after.modified
            );
            return Err(Error::Changed { path: self.share.whole(&self.path), what });
        }
        *known = Some(opened.clone());
        Ok(opened)
    }

    /// Forgets the session, and what was asked on it.
    fn forget(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(opened) = opened {
            self.share.server.forget(&opened.live);
        }
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).forget();
    }
}

/// Whether what is found under a name is not the file that was there. Of a file whose making Samba has not written down it tells the
/// oldest of its times instead, which reading it may change: such a time counts only where it is later than the content's, as that of a
/// copy is.
fn is_another(before: &Attributes, after: &Attributes) -> bool {
    let is_remade = before.created != after.created && before.created.max(after.created) > before.modified;
    (before.size, before.modified) != (after.size, after.modified) || is_remade
}

fn open(share: &Share, live: &Arc<Live>, path: &str) -> Result<(Opened, Attributes)> {
    let tree = share.tree(live)?;
    let (id, attributes) = share.create(live, tree, (path, Purpose::Read))?;
    Ok((Opened { live: Arc::clone(live), tree, id }, attributes))
}

impl Drop for File {
    fn drop(&mut self) {
        let opened = self.opened.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(opened) = opened.filter(|opened| !opened.live.is_ended()) {
            opened.live.say(opened.tree, Command::Close, &ask::close(opened.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_another_by_its_length_and_times() {
        let before = Attributes { created: 100, modified: 200, size: 5, flags: 0, tag: 0 };
        let all = [
            (before, false),
            // The last access of a file that was read, then the time of its content: Samba.
            (Attributes { created: 200, ..before }, false),
            (Attributes { created: 50, ..before }, false),
            // A copy with the time of the content of the first.
            (Attributes { created: 201, ..before }, true),
            (Attributes { size: 6, ..before }, true),
            (Attributes { modified: 201, ..before }, true),
        ];
        for (after, expected) in all {
            assert_eq!(is_another(&before, &after), expected, "{after:?}");
        }
    }
}
