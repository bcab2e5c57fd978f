//! Requests after the handshake: one at a time, answered in order. A reply is streamed in pieces, so that a connection
//! takes about 1 MiB of memory whatever it asks for.

use std::io;

use hvm_formats::disk::{DiskError, Extent, ExtentKind, SharedDisk};

use super::channel::Channel;
use super::handshake::{Agreed, Allocation, MAX_REQUEST, Replies};
use super::meta::ALLOCATION_ID;
use super::wire::{
    CMD_DF, CMD_REQ_ONE, REPLY_DONE, REQUEST, SIMPLE_REPLY, STATE_HOLE_ZERO, STRUCTURED_REPLY, chunk, cmd, errno,
};

/// Bytes that are read and sent at a time.
const PIECE: usize = 1 << 20;
/// A shorter hole is sent as data, because a chunk of its own costs more.
const SMALLEST_HOLE: u64 = 4096;
/// Most descriptors in a reply to NBD_CMD_BLOCK_STATUS.
const MAX_DESCRIPTORS: usize = 8192;

/// One request.
#[derive(Debug, Clone, Copy)]
struct Request {
    flags: u16,
    command: u16,
    cookie: u64,
    offset: u64,
    len: u32,
}

impl Request {
    fn end(&self) -> u64 {
        // Checked by `inside` before it is used.
        self.offset.saturating_add(self.len.into())
    }
}

/// Why a request is refused.
struct Refusal {
    error: u32,
    text: String,
    at: Option<u64>,
}

impl Refusal {
    fn new(error: u32, text: &str) -> Self {
        Refusal { error, text: text.to_owned(), at: None }
    }
}

/// The connection in its second phase.
pub(super) struct Transmission<'a> {
    channel: &'a mut Channel,
    disk: &'a SharedDisk,
    agreed: Agreed,
    buffer: Vec<u8>,
    /// The last run: asking for the run of an empty disk may walk its whole table.
    last: Option<Extent>,
}

impl<'a> Transmission<'a> {
    pub(super) fn new(channel: &'a mut Channel, disk: &'a SharedDisk, agreed: Agreed) -> Self {
        Transmission { channel, disk, agreed, buffer: Vec::new(), last: None }
    }

    /// Answers until the client goes away.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            let header: [u8; 28] = self.channel.read_array()?;
            let Some(request) = parse(&header) else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no request magic"));
            };
            match request.command {
                cmd::DISC => return Ok(()),
                cmd::READ => self.read(&request)?,
                cmd::BLOCK_STATUS => self.block_status(&request)?,
                cmd::FLUSH => self.simple(&request, 0)?,
                cmd::WRITE if request.len > MAX_REQUEST => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "write too long"));
                }
                cmd::WRITE => {
                    self.channel.skip(request.len.into())?;
                    self.simple(&request, errno::EPERM)?;
                }
                cmd::TRIM | cmd::WRITE_ZEROES => self.simple(&request, errno::EPERM)?,
                _ => self.simple(&request, errno::EINVAL)?,
            }
            self.channel.flush()?;
        }
    }

    fn structured(&self) -> bool {
        self.agreed.replies == Replies::Structured
    }

    fn inside(&self, request: &Request) -> Result<(), Refusal> {
        match request.offset.checked_add(request.len.into()) {
            Some(end) if end <= self.disk.size() => Ok(()),
            _ => Err(Refusal::new(errno::EINVAL, "The range ends past the end of the disk.")),
        }
    }

    fn read(&mut self, request: &Request) -> io::Result<()> {
        let allowed = if self.structured() { CMD_DF } else { 0 };
        let refusal = if request.flags & !allowed != 0 {
            Err(Refusal::new(errno::EINVAL, "A flag of the request is not known."))
        } else if request.len > MAX_REQUEST {
            Err(Refusal::new(errno::EINVAL, "At most 32 MiB are read at once."))
        } else {
            self.inside(request)
        };
        match (refusal, self.structured()) {
            (Err(refusal), _) => self.refuse(request, &refusal),
            (Ok(()), true) if request.flags & CMD_DF == 0 => self.read_chunks(request),
            (Ok(()), _) => self.read_whole(request),
        }
    }

    /// A reply in one piece: nothing can be taken back once its head is sent. So what does not fit into the buffer is
    /// read once to see that it can be, and read again to be sent.
    fn read_whole(&mut self, request: &Request) -> io::Result<()> {
        if request.len as usize > PIECE {
            let mut at = request.offset;
            while at < request.end() {
                if let Err(refusal) = self.fill(at, request.end()) {
                    return self.refuse(request, &refusal);
                }
                at += self.buffer.len() as u64;
            }
        }
        let mut at = request.offset;
        if let Err(refusal) = self.fill(at, request.end()) {
            return self.refuse(request, &refusal);
        }
        if self.structured() {
            self.chunk_head(request, (REPLY_DONE, chunk::OFFSET_DATA), request.len.saturating_add(8))?;
            self.channel.write(&at.to_be_bytes())?;
        } else {
            self.simple(request, 0)?;
        }
        loop {
            self.channel.write(&self.buffer)?;
            at += self.buffer.len() as u64;
            if at >= request.end() {
                return Ok(());
            }
            self.fill(at, request.end()).map_err(|refusal| io::Error::other(refusal.text))?;
        }
    }

    /// A reply in chunks of data and holes, each read before it is announced.
    fn read_chunks(&mut self, request: &Request) -> io::Result<()> {
        if request.len == 0 {
            return self.chunk_head(request, (REPLY_DONE, chunk::NONE), 0);
        }
        let (mut at, end) = (request.offset, request.end());
        while at < end {
            let hole = match self.hole(at, end) {
                Ok(hole) => hole,
                Err(refusal) => return self.refuse(request, &refusal),
            };
            if hole >= SMALLEST_HOLE || at + hole == end {
                self.chunk_head(request, (done(at + hole == end), chunk::OFFSET_HOLE), 12)?;
                self.channel.write(&at.to_be_bytes())?;
                // Not more than the length of the request.
                self.channel.write(&(hole as u32).to_be_bytes())?;
                at += hole;
                continue;
            }
            let filled = self.data_end(at, end).and_then(|data_end| self.fill(at, data_end));
            if let Err(refusal) = filled {
                return self.refuse(request, &refusal);
            }
            let len = self.buffer.len() as u64;
            self.chunk_head(request, (done(at + len == end), chunk::OFFSET_DATA), len as u32 + 8)?;
            self.channel.write(&at.to_be_bytes())?;
            self.channel.write(&self.buffer)?;
            at += len;
        }
        Ok(())
    }

    /// Length of the hole at `at`, not beyond `end`; 0 where there is data.
    fn hole(&mut self, at: u64, end: u64) -> Result<u64, Refusal> {
        let run = self.run_at(at)?;
        let run_end = run.start.saturating_add(run.len).min(end);
        Ok(if run.kind == ExtentKind::Zero { run_end.saturating_sub(at) } else { 0 })
    }

    /// Where the data from `at` on end: at the next hole that is worth a chunk, at the size of a piece, or at `end`.
    fn data_end(&mut self, at: u64, end: u64) -> Result<u64, Refusal> {
        let limit = end.min(at.saturating_add(PIECE as u64));
        let mut next = at;
        while next < limit {
            let run = self.run_at(next)?;
            let run_end = run.start.saturating_add(run.len).min(end);
            if run.kind == ExtentKind::Zero && next > at && run_end - next >= SMALLEST_HOLE {
                return Ok(next);
            }
            next = run_end.max(next + 1);
        }
        Ok(limit)
    }

    fn run_at(&mut self, offset: u64) -> Result<Extent, Refusal> {
        if let Some(run) = self.last.filter(|run| offset >= run.start && offset - run.start < run.len) {
            return Ok(run);
        }
        let run = self.disk.extent(offset).map_err(|error| unreadable(offset, &error))?;
        self.last = Some(run);
        Ok(run)
    }

    /// Reads from `at` on, at most a piece.
    fn fill(&mut self, at: u64, end: u64) -> Result<(), Refusal> {
        let len = end.saturating_sub(at).min(PIECE as u64) as usize;
        self.buffer.resize(len, 0);
        self.disk.read_at(at, &mut self.buffer).map_err(|error| unreadable(at, &error))
    }

    fn block_status(&mut self, request: &Request) -> io::Result<()> {
        if self.agreed.allocation == Allocation::Off {
            return self.refuse(request, &Refusal::new(errno::EINVAL, "No metadata context was chosen."));
        }
        if request.flags & !CMD_REQ_ONE != 0 || request.len == 0 {
            return self.refuse(request, &Refusal::new(errno::EINVAL, "The request is not well formed."));
        }
        match self.inside(request).and_then(|()| self.descriptors(request)) {
            Err(refusal) => self.refuse(request, &refusal),
            Ok(descriptors) => {
                let len = 4 + descriptors.len() as u32 * 8;
                self.chunk_head(request, (REPLY_DONE, chunk::BLOCK_STATUS), len)?;
                self.channel.write(&ALLOCATION_ID.to_be_bytes())?;
                for (len, state) in descriptors {
                    self.channel.write(&len.to_be_bytes())?;
                    self.channel.write(&state.to_be_bytes())?;
                }
                Ok(())
            }
        }
    }

    /// Lengths and states from the start of the range on; neighbours of one state are joined.
    fn descriptors(&mut self, request: &Request) -> Result<Vec<(u32, u32)>, Refusal> {
        let limit = if request.flags & CMD_REQ_ONE != 0 { 1 } else { MAX_DESCRIPTORS };
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut at = request.offset;
        while at < request.end() {
            let run = self.run_at(at)?;
            let run_end = run.start.saturating_add(run.len).min(request.end());
            let state = if run.kind == ExtentKind::Zero { STATE_HOLE_ZERO } else { 0 };
            // The sum of all lengths is at most that of the request, which has 32 bits.
            let len = (run_end - at) as u32;
            let full = found.len() == limit;
            match found.last_mut() {
                Some((last, same)) if *same == state => *last += len,
                _ if full => break,
                _ => found.push((len, state)),
            }
            at = run_end;
        }
        Ok(found)
    }

    fn simple(&mut self, request: &Request, error: u32) -> io::Result<()> {
        self.channel.write(&SIMPLE_REPLY.to_be_bytes())?;
        self.channel.write(&error.to_be_bytes())?;
        self.channel.write(&request.cookie.to_be_bytes())
    }

    fn chunk_head(&mut self, request: &Request, (flags, kind): (u16, u16), len: u32) -> io::Result<()> {
        self.channel.write(&STRUCTURED_REPLY.to_be_bytes())?;
        self.channel.write(&flags.to_be_bytes())?;
        self.channel.write(&kind.to_be_bytes())?;
        self.channel.write(&request.cookie.to_be_bytes())?;
        self.channel.write(&len.to_be_bytes())
    }

    fn refuse(&mut self, request: &Request, refusal: &Refusal) -> io::Result<()> {
        if !self.structured() {
            return self.simple(request, refusal.error);
        }
        let end = refusal.text.floor_char_boundary(1024);
        let text = refusal.text.get(..end).unwrap_or_default().as_bytes();
        let kind = if refusal.at.is_some() { chunk::ERROR_OFFSET } else { chunk::ERROR };
        let extra = if refusal.at.is_some() { 8 } else { 0 };
        self.chunk_head(request, (REPLY_DONE, kind), 6 + text.len() as u32 + extra)?;
        self.channel.write(&refusal.error.to_be_bytes())?;
        self.channel.write(&(text.len() as u16).to_be_bytes())?;
        self.channel.write(text)?;
        match refusal.at {
            Some(at) => self.channel.write(&at.to_be_bytes()),
            None => Ok(()),
        }
    }
}

fn done(last: bool) -> u16 {
    if last { REPLY_DONE } else { 0 }
}

fn unreadable(at: u64, error: &DiskError) -> Refusal {
    Refusal { error: errno::EIO, text: error.to_string(), at: Some(at) }
}

/// Magic, flags, type, cookie, offset, length.
fn parse(header: &[u8; 28]) -> Option<Request> {
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (flags, rest) = rest.split_first_chunk::<2>()?;
    let (command, rest) = rest.split_first_chunk::<2>()?;
    let (cookie, rest) = rest.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let len = rest.first_chunk::<4>()?;
    (u32::from_be_bytes(*magic) == REQUEST).then_some(Request {
        flags: u16::from_be_bytes(*flags),
        command: u16::from_be_bytes(*command),
        cookie: u64::from_be_bytes(*cookie),
        offset: u64::from_be_bytes(*offset),
        len: u32::from_be_bytes(*len),
    })
}
