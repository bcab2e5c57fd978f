//! Room that a file is given before it is written by several at once. Direct writes that make a file longer wait for each other,
//! and on ext4 also those into a hole (`ext4_dio_write_checks` of Linux: any that is no overwrite), so there the room itself is
//! asked for, and what was not needed of it is given back: of 3.2 GB in 2400 pieces, eight writers, that took 0.8 of the time.

use std::fs::File;
use std::io;

/// By how much a file is made longer at once: seldom, because the system waits then for all writes that are under way.
const AHEAD: u64 = 4 << 30;

/// Less room than this is not asked for ahead, but where less is to come.
#[cfg(target_os = "linux")]
const LEAST: u64 = 64 << 20;

/// What was given ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The length that the file was given; 0 when nobody asked for any.
    end: u64,
    /// Everything behind what is written has its room up to this offset, and reads as zeros.
    room: u64,
    /// Parts with room that are to be holes.
    gaps: Vec<(u64, u64)>,
    /// The system gave no length: some file systems know no holes, and all have a longest file.
    refused: bool,
}

impl Ahead {
    /// Sees to it that the file goes on for `len` bytes behind `position`, where that can be; at most `rest` bytes are still to
    /// come.
    pub(super) fn reach(
        &mut self,
        file: &File,
        (position, len): (u64, u64),
        rest: u64,
    ) -> Result<(), (u64, io::Error)> {
        if position.saturating_add(len) <= self.end || self.refused {
            return Ok(());
        }
        // Else a file with large holes would take the room of its whole length until it is finished.
        self.release(file)?;
        let usual = AHEAD.min(rest.saturating_add(rest / 16).saturating_add(1 << 20));
        let most = usual.max(len);
        if let Some(end) = allocate(file, position, (len, most)).map_err(|error| (position, error))? {
            (self.end, self.room) = (end, end);
            return Ok(());
        }
        // A part of it may have been given. All that is written lies before the position.
        self.room = self.room.min(position);
        let end = position.saturating_add(most);
        match file.set_len(position).and_then(|()| file.set_len(end)) {
            Ok(()) => self.end = end,
            Err(error) if is_refusal(&error) => self.refused = true,
            Err(error) => return Err((position, error)),
        }
        Ok(())
    }

    /// True when everything between what is written and `position` has its room.
    pub(super) fn has_room(&self, position: u64) -> bool {
        position <= self.room
    }

    /// Nothing is written from `start` to `end`.
    pub(super) fn skipped(&mut self, start: u64, end: u64) {
        if start < end.min(self.room) {
            self.gaps.push((start, end.min(self.room)));
        }
    }

    /// Gives back the room of what was skipped.
    pub(super) fn release(&mut self, file: &File) -> Result<(), (u64, io::Error)> {
        for (start, end) in self.gaps.drain(..) {
            punch(file, start, end - start).map_err(|error| (start, error))?;
        }
        Ok(())
    }

    /// True when the file has more than `position` bytes.
    pub(super) fn is_behind(&self, position: u64) -> bool {
        self.end > position
    }
}

/// True when the system does not give so much, or nothing ahead at all: the writes themselves may still go well.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, Interrupted, InvalidInput, PermissionDenied};
    use io::ErrorKind::{QuotaExceeded, StorageFull, Unsupported};
    matches!(
        error.kind(),
        FileTooLarge | Interrupted | InvalidInput | PermissionDenied | QuotaExceeded | StorageFull | Unsupported
    )
}

/// Where room is given ahead.
#[cfg(target_os = "linux")]
const EXT4: rustix::fs::FsWord = 0xEF53;

/// Gives back the room that a run which was killed left between what it wrote.
#[derive(Debug)]
pub(crate) struct Leftovers<'a>(Option<&'a File>);

impl<'a> Leftovers<'a> {
    /// In `file`.
    pub(crate) fn of(file: &'a File) -> Self {
        #[cfg(target_os = "linux")]
        let is_given = rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == EXT4);
        #[cfg(not(target_os = "linux"))]
        let is_given = false;
        Leftovers(is_given.then_some(file))
    }

    /// From `start` to `end`, where nothing was written.
    pub(crate) fn give_back(&self, start: u64, end: u64) -> io::Result<()> {
        match self.0 {
            Some(file) if start < end => punch(file, start, end - start),
            _ => Ok(()),
        }
    }
}

/// Gives the file room from `start` on for at least `len` bytes, up to `most`, only where that makes writing faster and others
/// keep enough; the offset up to which it has room now.
#[cfg(target_os = "linux")]
fn allocate(file: &File, start: u64, (len, most): (u64, u64)) -> io::Result<Option<u64>> {
    use rustix::fs::{FallocateFlags, fallocate, fstatfs};
    let system = fstatfs(file)?;
    let free = system.f_bavail.saturating_mul(u64::try_from(system.f_bsize).unwrap_or(0));
    let given = most.min(free / 4);
    if system.f_type != EXT4 || given < len.max(most.min(LEAST)) || start.checked_add(given).is_none() {
        return Ok(None);
    }
    match fallocate(file, FallocateFlags::empty(), start, given).map_err(io::Error::from) {
        Err(error) if !is_refusal(&error) => Err(error),
        done => Ok(done.is_ok().then(|| start + given)),
    }
}

#[cfg(target_os = "linux")]
fn punch(file: &File, start: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, start, len)?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64, _: (u64, u64)) -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn punch(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::super::write::Appender;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn file() -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        (folder, file)
    }

    #[test]
    fn what_was_given_and_not_needed_is_given_back() {
        let (_folder, file) = file();
        let mut out = Appender::resume(file.try_clone().unwrap(), 0, 0).unwrap();
        out.leave(MIB, 100 * MIB).unwrap();
        out.skip_to(5 * MIB);
        out.leave(MIB, 95 * MIB).unwrap();
        assert!(file.metadata().unwrap().len() > 6 * MIB, "the file has its length before it is written");
        for offset in [0, 5 * MIB] {
            file.write_all_at(&[7; MIB as usize], offset).unwrap();
        }
        out.sync_all().unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 6 * MIB);
        assert!(metadata.blocks() * 512 < 3 * MIB, "{} blocks", metadata.blocks());
        let mut bytes = vec![1; 6 * MIB as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let is = |range: std::ops::Range<u64>, value| {
            bytes[range.start as usize..range.end as usize].iter().all(|byte| *byte == value)
        };
        assert!(is(0..MIB, 7) && is(MIB..5 * MIB, 0) && is(5 * MIB..6 * MIB, 7));
    }

    #[test]
    fn gaps_are_given_back_before_more_is_asked_for() {
        let (_folder, file) = file();
        let mut out = Appender::resume(file.try_clone().unwrap(), 0, 0).unwrap();
        for _ in 0..3 {
            out.leave(MIB, 20 * MIB).unwrap();
            out.skip_to(out.position() + 200 * MIB);
            assert!(file.metadata().unwrap().blocks() * 512 < 50 * MIB, "only what was asked for last is still there");
        }
    }

    #[test]
    fn a_gap_that_must_not_be_a_hole_stays_and_is_zero() {
        let (_folder, file) = file();
        let mut out = Appender::resume(file.try_clone().unwrap(), 0, 0).unwrap();
        out.leave(MIB, 100 * MIB).unwrap();
        file.write_all_at(&[7; MIB as usize], 0).unwrap();
        out.fill_to(5 * MIB).unwrap();
        out.sync_all().unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 5 * MIB);
        assert!(metadata.blocks() * 512 >= 5 * MIB, "{} blocks", metadata.blocks());
        let mut bytes = vec![1; 4 * MIB as usize];
        file.read_exact_at(&mut bytes, MIB).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_file_that_cannot_be_so_long_is_written_all_the_same() {
        let (_folder, file) = file();
        let mut ahead = Ahead::default();
        ahead.reach(&file, (1, 1), u64::MAX).unwrap();
        assert!(ahead.is_behind(1), "holes are known here");
        let mut ahead = Ahead::default();
        ahead.reach(&file, (u64::MAX - 10, 1), 1).unwrap();
        assert!(ahead.refused && !ahead.is_behind(0) && !ahead.has_room(1));
        let fault = io::Error::from_raw_os_error(5);
        assert!(!is_refusal(&fault), "a fault of the medium is told");
    }
}
