//! Shares extents of the source's files with the new file instead of copying what is in them, where both lie on one file
//! system that can. The files stay independent: what is written to one of them later is not seen in the other.

mod kernel;
mod plan;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hvm_formats::disk::SharedDisk;
use hvm_formats::disk::Stored;
use hvm_formats::disk::write::{DiskWriter, TargetFormat};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_model::names::ByteSize;

use crate::content::{Content, DiskContent};
use crate::copy::CopyJob;
use crate::error::TransferError;
use crate::file::write_at;
use crate::mask::Mask;
use crate::target;
use kernel::FileSystem;
use plan::{LEAST, Part, Planner, Tally};

/// Neighbours that are shared with one call have at most so many bytes.
const MOST: u64 = 256 << 20;
/// Bytes that are copied at once where the kernel did not share.
const COPIED_AT_ONCE: u64 = 1 << 20;

/// Whether a new file may share extents with the files of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reflink {
    /// Where it is possible; the rest is copied.
    #[default]
    Auto,
    /// As `Auto`, but it is an error when nothing can be shared.
    Always,
    /// Everything is copied.
    Never,
}

/// How the content came into a new file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Bytes of content that this run shared with the source.
    pub shared: u64,
    /// The file system that shares them.
    pub file_system: Option<&'static str>,
    /// Why nothing was shared, or a part of the chain was not; none when nothing speaks of it.
    pub reason: Option<String>,
}

impl Way {
    /// A sentence for people; none when copying was all that was asked for. `copied` are the bytes that were written.
    pub fn told(&self, copied: u64) -> Option<String> {
        let (shared, copied) = (ByteSize(self.shared), ByteSize(copied));
        let why = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        match self.file_system {
            Some(by) => Some(format!("Shared {shared} with the source ({by}), copied {copied}{why}.")),
            None if why.is_empty() => None,
            None => Some(format!("Copied {copied}{why}.")),
        }
    }
}

/// Shares for one job.
pub(crate) struct Sharing {
    /// None when everything is copied.
    on: Option<On>,
    reason: Option<String>,
}

/// How a job wants it.
#[derive(Clone, Copy)]
struct How {
    wish: Reflink,
    /// Everything is read, whether it is shared or not.
    read_all: bool,
    /// The new file may have holes.
    holes: bool,
}

struct On {
    planner: Planner,
    file_system: FileSystem,
    target: File,
    how: How,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The parts of blocks that were read and not written yet, by offset.
    plans: HashMap<u64, Vec<Part>>,
    tally: Tally,
    pending: Option<Pending>,
    shared: u64,
    /// Bytes of parts that were to be shared and had to be copied after all.
    copied: u64,
    refused: Option<String>,
}

/// A run that is to be shared; its neighbour may still come.
struct Pending {
    from: Stored,
    to: u64,
    len: u64,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sharing {
    /// Finds out whether anything can be shared with a new file for `job`.
    pub(crate) fn find(job: &CopyJob<'_>, read_all: bool) -> Result<Candidate, TransferError> {
        let format = target::new_disk(&job.disk, job.format, job.id).format;
        let holes = matches!(format, TargetFormat::Raw | TargetFormat::Qcow2);
        let how = How { wish: job.reflink, read_all, holes };
        if job.reflink == Reflink::Never {
            return Ok(Candidate { found: Err(None), how });
        }
        let found = candidate(&job.disk, format, job.target);
        let found = match found {
            Ok(found) if job.reflink == Reflink::Always => match found.0.nothing_fits()? {
                Some(tally) => Err(nothing_fits(tally, found.0.block)),
                None => Ok(found),
            },
            found => found,
        };
        match found {
            Err(reason) if job.reflink == Reflink::Always => {
                Err(TransferError::NotShared { path: job.target.to_owned(), reason })
            }
            found => Ok(Candidate { found: found.map_err(Some), how }),
        }
    }

    /// Whether anything may be shared.
    pub(crate) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// The disk, of which only that is read which has to be.
    pub(crate) fn content(&self, disk: &SharedDisk) -> SharedContent<'_> {
        SharedContent { disk: DiskContent(disk.clone()), sharing: self }
    }

    /// Puts `bytes` from `start` of the block at `block` into the new file; how many bytes of it were written rather than shared.
    pub(crate) fn write(
        &self,
        writer: &mut dyn DiskWriter,
        (block, start): (u64, u64),
        bytes: &[u8],
        path: &Path,
    ) -> Result<u64, TransferError> {
        let offset = block + start;
        let end = offset + bytes.len() as u64;
        let parts = self.on.as_ref().map(|on| on.parts(block, (offset, end))).unwrap_or_default();
        let (Some(on), true) = (&self.on, parts.iter().any(|part| part.from.is_some())) else {
            writer.write(offset, bytes).map_err(target::failed(path))?;
            return Ok(bytes.len() as u64);
        };
        let (mut at, mut written) = (offset, 0);
        for room in writer.reserve(offset, bytes.len() as u64).map_err(target::failed(path))? {
            for part in parts.iter().filter_map(|part| part.within(at, at + room.len)) {
                let to = room.offset + (part.start - at);
                if let Some(from) = part.from {
                    on.add(from, to, part.len, path)?;
                    continue;
                }
                let skip = (part.start - offset) as usize;
                let copied = bytes.get(skip..skip + part.len as usize).unwrap_or_default();
                write_at(&on.target, copied, to).map_err(TransferError::io("written", path))?;
                written += part.len;
            }
            at += room.len;
        }
        Ok(written)
    }

    /// The block at `block` is written: its plan is not needed any more.
    pub(crate) fn done(&self, block: u64) {
        if let Some(on) = &self.on {
            lock(&on.state).plans.remove(&block);
        }
    }

    /// Shares what still waits for a neighbour. Nothing counts as written before.
    pub(crate) fn settle(&self, path: &Path) -> Result<(), TransferError> {
        match &self.on {
            Some(on) => on.settle(&mut lock(&on.state), path),
            None => Ok(()),
        }
    }

    /// What came of it, and how many bytes were written although they were to be shared.
    pub(crate) fn outcome(self) -> (Way, u64) {
        let Some(on) = self.on else { return (Way { reason: self.reason, ..Way::default() }, 0) };
        let state = on.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let block = on.planner.block;
        let own = (state.shared == 0 && state.copied == 0).then(|| nothing_fits(state.tally, block));
        let way = Way {
            shared: state.shared,
            file_system: (state.shared > 0).then_some(on.file_system.name),
            reason: state.refused.or(self.reason).or(own),
        };
        (way, state.copied)
    }
}

/// What can be shared, before the new file is there.
pub(crate) struct Candidate {
    found: Result<(Planner, FileSystem, Option<String>), Option<String>>,
    how: How,
}

impl Candidate {
    /// Takes the unfinished file at `path`.
    pub(crate) fn with(self, path: &Path) -> Result<Sharing, TransferError> {
        match self.found {
            Err(reason) => Ok(Sharing { on: None, reason }),
            Ok((planner, file_system, reason)) => {
                let target = File::options().read(true).write(true).open(path);
                let target = target.map_err(TransferError::io("opened for writing", path))?;
                let state = Mutex::default();
                let on = On { planner, file_system, target, how: self.how, state };
                Ok(Sharing { on: Some(on), reason })
            }
        }
    }
}

/// The files that can share with one at `path`, and why others cannot; the reason when none can.
fn candidate(
    disk: &SharedDisk,
    format: TargetFormat,
    path: &Path,
) -> Result<(Planner, FileSystem, Option<String>), String> {
    let file_system = kernel::file_system(path)?;
    let alignment = format.alignment().ok_or("the new file packs what it stores")?;
    let FileSystem { name, block } = file_system;
    if !alignment.is_multiple_of(block) {
        return Err(format!(
            "the new format puts data at multiples of {alignment} bytes, and {name} shares only whole blocks of {block} bytes here"
        ));
    }
    let (mut files, mut reason) = (Vec::new(), None);
    for (number, layer) in disk.layers().iter().enumerate() {
        let file = disk.file(number).ok_or_else(|| "it is not known where its bytes lie".to_owned());
        let file = file.and_then(|file| kernel::try_sharing(&*file, path, name).map(|()| file));
        if let Err(why) = &file {
            reason.get_or_insert_with(|| format!("of '{}' nothing can be shared: {why}", layer.name));
        }
        files.push(file.ok());
    }
    match reason {
        Some(reason) if files.iter().all(Option::is_none) => Err(reason),
        reason => Ok((Planner { disk: disk.clone(), files, block }, file_system, reason)),
    }
}

fn nothing_fits(tally: Tally, block: u64) -> String {
    if tally.askew > 0 {
        let askew = "its data do not begin at multiples of";
        return format!("{askew} {block} bytes of the file, as in a VHD that was made before Windows Server 2012");
    }
    format!("no {} KiB of its data lie in one piece", LEAST >> 10)
}

impl On {
    /// Plans a block and keeps the plan for [`Sharing::write`]; none when nothing of it can be shared.
    fn plan(&self, offset: u64, len: u64) -> Result<Option<Vec<Part>>, TransferError> {
        let mut tally = Tally::default();
        let parts = self.planner.plan(offset, len, &mut tally)?;
        let mut state = lock(&self.state);
        state.tally.shared += tally.shared;
        state.tally.askew += tally.askew;
        if tally.shared == 0 {
            return Ok(None);
        }
        state.plans.insert(offset, parts.clone());
        Ok(Some(parts))
    }

    /// The parts of the planned block that lie in a range of it; where everything was read, parts that became too short or
    /// do not begin and end at a block any more are written.
    fn parts(&self, block: u64, (start, end): (u64, u64)) -> Vec<Part> {
        let state = lock(&self.state);
        let parts = state.plans.get(&block).into_iter().flatten().filter_map(|part| part.within(start, end));
        let whole =
            |part: &Part| part.start.is_multiple_of(self.planner.block) && part.len.is_multiple_of(self.planner.block);
        parts
            .map(|part| match part {
                part if self.how.read_all && !(whole(&part) && part.len >= LEAST) => Part { from: None, ..part },
                part => part,
            })
            .collect()
    }

    fn add(&self, from: Stored, to: u64, len: u64, path: &Path) -> Result<(), TransferError> {
        let mut state = lock(&self.state);
        if let Some(last) = &mut state.pending
            && (last.from.layer, last.from.at + last.len, last.to + last.len) == (from.layer, from.at, to)
            && last.len < MOST
        {
            last.len += len;
            return Ok(());
        }
        self.settle(&mut state, path)?;
        state.pending = Some(Pending { from, to, len });
        Ok(())
    }

    fn settle(&self, state: &mut State, path: &Path) -> Result<(), TransferError> {
        let Some(Pending { from, to, len }) = state.pending.take() else { return Ok(()) };
        let file = self.planner.files.get(from.layer).and_then(Option::as_ref);
        let file: &SharedFile = file.expect("only places in files that can share are planned");
        let mut done = 0;
        while done < len && state.refused.is_none() {
            match kernel::share((&**file, from.at + done), (&self.target, to + done), len - done) {
                Ok(count) => done += count,
                Err(error) if kernel::is_refusal(&error) => {
                    let reason =
                        format!("{} refused to share a part of '{}' ({error})", self.file_system.name, file.name());
                    if self.how.wish == Reflink::Always {
                        return Err(TransferError::NotShared { path: path.to_owned(), reason });
                    }
                    state.refused = Some(reason);
                }
                Err(error) => return Err(TransferError::io("shared with the source", path)(error)),
            }
        }
        state.shared += done - self.look_for_holes((to, to + done), path)?;
        state.copied += len - done;
        self.copy(&**file, (from.at + done, to + done), len - done, path)
    }

    /// Bytes of holes in a range of the new file that was just shared. A part of the source that was given room but never written
    /// may pass for data, as long as the system has its zeros in memory; it gives a hole.
    fn look_for_holes(&self, (start, end): (u64, u64), path: &Path) -> Result<u64, TransferError> {
        let (mut at, mut bytes) = (start, 0);
        while let Some((from, until)) = kernel::hole(&self.target, at, end) {
            if !self.how.holes {
                kernel::give_room(&self.target, from, until).map_err(TransferError::io("written", path))?;
            }
            bytes += until - from;
            at = until;
        }
        Ok(bytes)
    }

    /// Copies what the kernel did not share.
    fn copy(&self, file: &dyn ReadAt, (from, to): (u64, u64), len: u64, path: &Path) -> Result<(), TransferError> {
        let mut buffer = vec![0; len.min(COPIED_AT_ONCE) as usize];
        for done in (0..len).step_by(COPIED_AT_ONCE as usize) {
            let part = buffer.get_mut(..(len - done).min(COPIED_AT_ONCE) as usize).unwrap_or_default();
            let (offset, len) = (from + done, part.len() as u64);
            file.read_exact_at(part, offset).map_err(|source| TransferError::Read {
                file: file.name().to_owned(),
                offset,
                len,
                source,
            })?;
            write_at(&self.target, part, to + done).map_err(TransferError::io("written", path))?;
        }
        Ok(())
    }
}

/// A disk, of which parts that are shared are not read.
pub(crate) struct SharedContent<'a> {
    disk: DiskContent,
    sharing: &'a Sharing,
}

impl Content for SharedContent<'_> {
    fn len(&self) -> u64 {
        self.disk.len()
    }

    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError> {
        self.disk.run(offset)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        self.disk.read(offset, buffer)
    }

    fn block(&self, (offset, data): (u64, u64), buffer: &mut [u8]) -> Result<(Mask, u64), TransferError> {
        let on = self.sharing.on.as_ref();
        let parts = on.map(|on| on.plan(offset, buffer.len() as u64)).transpose()?.flatten();
        let parts = parts.filter(|_| on.is_some_and(|on| !on.how.read_all));
        let Some(parts) = parts else { return self.disk.block((offset, data), buffer) };
        let (mut mask, mut read) = (Mask::default(), 0);
        for part in parts {
            let start = (part.start - offset) as usize;
            if part.from.is_some() {
                mask.fill(start, part.len as usize);
                continue;
            }
            let place = buffer.get_mut(start..start + part.len as usize).unwrap_or_default();
            self.disk.read(part.start, place)?;
            mask.look(start, place);
            read += part.len;
        }
        Ok((mask, read))
    }
}
