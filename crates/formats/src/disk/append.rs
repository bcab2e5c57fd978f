//! A file that is written from its start to its end.

use std::fs::File;
use std::io;

use super::ahead::Ahead;
use super::write::DiskWriteError;

/// A file that grows by appending: what lies before the position is written, nothing lies behind it.
pub(crate) struct Appender {
    file: File,
    position: u64,
    ahead: Ahead,
}

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// Shorter runs of zeros are written: asking the file system for room costs more.
const ALLOCATE: u64 = 64 << 10;

impl Appender {
    /// Takes up `file` at `position`: cuts off what lies behind it. `head` bytes at the start belong to the header and
    /// are cleared, as a run that was killed while it finished may have left a valid header there.
    pub(crate) fn resume(file: File, position: u64, head: u64) -> Result<Self, DiskWriteError> {
        Appender::resume_behind_hole(file, position, head, 0)
    }

    /// Like [`Appender::resume`], where up to `hole` bytes before `position` may never have been written.
    pub(crate) fn resume_behind_hole(file: File, position: u64, head: u64, hole: u64) -> Result<Self, DiskWriteError> {
        let failed = |source| DiskWriteError::Io { offset: position, source };
        let found = file.metadata().map_err(failed)?.len();
        if found < position.saturating_sub(hole) && position > head {
            return Err(DiskWriteError::ResumeTooShort { expected: position, found });
        }
        file.set_len(if position > head { position } else { 0 }).map_err(failed)?;
        let mut appender = Appender { file, position: 0, ahead: Ahead::default() };
        // Allocating would leave an old header as it is.
        appender.write_zeros_to(head)?;
        appender.position = position.max(head);
        Ok(appender)
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Fills the file with zeros up to `position`; never with a hole. Longer runs are only allocated: the file system
    /// remembers that they are zero.
    pub(crate) fn fill_to(&mut self, position: u64) -> Result<(), DiskWriteError> {
        let missing = position.saturating_sub(self.position);
        if missing > 0 && (self.ahead.has_room(position) || missing >= ALLOCATE && self.allocate_to(position)?) {
            self.position = position;
        }
        self.write_zeros_to(position)
    }

    fn write_zeros_to(&mut self, position: u64) -> Result<(), DiskWriteError> {
        while self.position < position {
            let len = (position - self.position).min(ZEROS.len() as u64);
            self.append(&ZEROS[..len as usize])?;
        }
        Ok(())
    }

    /// True when the system gave the room up to `position`; false when this file system cannot.
    #[cfg(target_os = "linux")]
    fn allocate_to(&self, position: u64) -> Result<bool, DiskWriteError> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        let offset = self.position;
        match fallocate(&self.file, FallocateFlags::empty(), offset, position - offset) {
            Ok(()) => Ok(true),
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) => {
                Err(DiskWriteError::Io { offset, source: error.into() })
            }
            Err(_) => Ok(false),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate_to(&self, _position: u64) -> Result<bool, DiskWriteError> {
        Ok(false)
    }

    /// Goes on at `position`, leaving a hole.
    pub(crate) fn skip_to(&mut self, position: u64) {
        self.ahead.skipped(self.position, position);
        self.position = self.position.max(position);
    }

    /// Leaves the next `len` bytes to others, who write them in any order; at most `rest` bytes are still to come, with them.
    pub(crate) fn leave(&mut self, len: u64, rest: u64) -> Result<(), DiskWriteError> {
        let reached = self.ahead.reach(&self.file, (self.position, len), rest);
        reached.map_err(|(offset, source)| DiskWriteError::Io { offset, source })?;
        self.position += len;
        Ok(())
    }

    /// Writes at the end.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<(), DiskWriteError> {
        self.put_at(self.position, data)?;
        self.position += data.len() as u64;
        Ok(())
    }

    /// Writes into the part that is written already: headers.
    pub(crate) fn put_at(&self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        write_all_at(&self.file, data, offset).map_err(|source| DiskWriteError::Io { offset, source })
    }

    /// Gives the file its final length, with a hole at the end where nothing was written.
    pub(crate) fn set_len(&self, len: u64) -> Result<(), DiskWriteError> {
        self.file.set_len(len).map_err(|source| DiskWriteError::Io { offset: len, source })
    }

    /// Makes the data durable.
    pub(crate) fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.ahead.release(&self.file).map_err(|(offset, source)| DiskWriteError::Io { offset, source })?;
        self.file.sync_data().map_err(|source| DiskWriteError::Io { offset: self.position, source })
    }

    /// Ends the file at the position and makes data and length durable.
    pub(crate) fn sync_all(&mut self) -> Result<(), DiskWriteError> {
        self.ahead.release(&self.file).map_err(|(offset, source)| DiskWriteError::Io { offset, source })?;
        if self.ahead.is_behind(self.position) {
            self.set_len(self.position)?;
        }
        self.file.sync_all().map_err(|source| DiskWriteError::Io { offset: self.position, source })
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, data, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        data = &data[n..];
        offset += n as u64;
    }
    Ok(())
}
