//! The simplest program that does what a conversion has to: reads a file, looks for zeros, writes the rest to the same place of
//! another file. It knows no format, keeps nothing in order and tells nobody how far it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;

use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, OFlags, SeekFrom, fallocate, seek};

use super::least::{Bare, Way};

/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;
/// The same for one thread alone: what was read is still in the cache of its processor when it is written.
const SMALL: u64 = 128 << 10;
static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];
/// Writes past the page cache that are under way at once.
const WRITERS: usize = 16;
/// Bytes of a large page of memory.
const LARGE: usize = 2 << 20;

/// Does what `bare` says with the file `from`; the result is `to`.
pub fn run(bare: &Bare, from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (File::open(from)?, create(bare, to)?);
    let len = from.metadata()?.len();
    let len = if bare.way == Way::All { len.min(bare.room) } else { len };
    match (bare.past_cache, bare.room) {
        // Writes that make a file longer, and on ext4 writes into its holes, wait for each other. Some file systems cannot give
        // room ahead.
        (true, room) => {
            let room = room.max(len);
            fallocate(&to, FallocateFlags::empty(), 0, room).or_else(|_| to.set_len(room))?;
        }
        (false, 0) => {}
        (false, room) => fallocate(&to, FallocateFlags::empty(), 0, room)?,
    }
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (threads, piece) = match (bare.alone, bare.past_cache) {
        (true, true) => (1, PIECE),
        (true, false) => (1, SMALL),
        (false, true) => (WRITERS, PIECE),
        (false, false) => (cores, PIECE),
    };
    let work = Work { bare, piece, from: &from, to: &to, next: Mutex::new((0, 0)), pen: Mutex::new(()), len };
    at_once(threads, || work.work())?;
    to.set_len(len.max(bare.room))?;
    if bare.past_cache { to.sync_all() } else { Ok(()) }
}

/// A new file.
fn create(bare: &Bare, to: &Path) -> io::Result<File> {
    let open = |flags: OFlags| {
        File::options().write(true).create(true).truncate(true).custom_flags(flags.bits() as i32).open(to)
    };
    match bare.past_cache {
        // Some file systems have no direct I/O.
        true => open(OFlags::DIRECT).or_else(|_| open(OFlags::empty())),
        false => open(OFlags::empty()),
    }
}

fn at_once(threads: usize, work: impl Fn() -> io::Result<()> + Sync) -> io::Result<()> {
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        let ended = started.into_iter().map(|thread| thread.join().expect("it does not panic"));
        ended.collect::<io::Result<Vec<()>>>().map(drop)
    })
}

/// What the threads share.
struct Work<'a> {
    bare: &'a Bare,
    piece: u64,
    from: &'a File,
    to: &'a File,
    /// Where the next piece begins, and the end of the data there.
    next: Mutex<(u64, u64)>,
    /// Writes to a file wait for each other in the system, which costs more than waiting here.
    pen: Mutex<()>,
    /// Bytes that are looked at.
    len: u64,
}

impl Work<'_> {
    fn work(&self) -> io::Result<()> {
        let mut memory = MmapMut::map_anon(2 * LARGE)?;
        // A device takes a piece at once then; small pages do as well.
        let _ = memory.advise(memmap2::Advice::HugePage);
        let start = memory.as_ptr().align_offset(LARGE).min(LARGE);
        let buffer = &mut memory[start..start + self.piece as usize];
        while let Some((offset, len)) = self.piece()? {
            self.from.read_exact_at(&mut buffer[..len], offset)?;
            self.put(buffer, len, offset)?;
        }
        Ok(())
    }

    /// The next piece of data: place and length.
    fn piece(&self) -> io::Result<Option<(u64, usize)>> {
        let mut next = self.next.lock().expect("nobody panics");
        let (offset, end) = *next;
        let (offset, end) = if offset < end {
            (offset, end)
        } else {
            let Some(start) = self.seek(SeekFrom::Data(offset))? else { return Ok(None) };
            (start, self.seek(SeekFrom::Hole(start))?.unwrap_or(self.len).min(self.len))
        };
        if offset >= self.len {
            return Ok(None);
        }
        // Pieces begin at multiples of a piece, as the blocks of a disk do.
        let stop = end.min((offset / self.piece + 1) * self.piece);
        *next = (stop, end);
        Ok(Some((offset, (stop - offset) as usize)))
    }

    /// None behind the last byte.
    fn seek(&self, to: SeekFrom) -> io::Result<Option<u64>> {
        match seek(self.from, to) {
            Ok(offset) => Ok(Some(offset)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts away the first `len` bytes of `buffer`.
    fn put(&self, buffer: &[u8], len: usize, offset: u64) -> io::Result<()> {
        let (bytes, granule) = (&buffer[..len], self.bare.granule as usize);
        let runs = if self.bare.way == Way::All { vec![(0, len)] } else { runs(bytes, granule) };
        if runs.is_empty() {
            return Ok(());
        }
        if self.bare.way == Way::Hashed {
            std::hint::black_box(blake3::hash(bytes));
        }
        if self.bare.past_cache {
            // Whole pages; what is too much at the end of the file is cut off.
            let whole = |(start, end): (usize, usize)| &buffer[start..end.next_multiple_of(granule)];
            return runs.into_iter().try_for_each(|run| self.to.write_all_at(whole(run), offset + run.0 as u64));
        }
        let pen = self.pen.lock();
        for (start, end) in runs {
            self.to.write_all_at(&bytes[start..end], offset + start as u64)?;
        }
        drop(pen);
        Ok(())
    }
}

/// The runs of granules that hold something.
fn runs(bytes: &[u8], granule: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (number, unit) in bytes.chunks(granule).enumerate() {
        let (start, end) = (number * granule, number * granule + unit.len());
        match runs.last_mut() {
            _ if *unit == ZEROS[..unit.len()] => {}
            Some((_, last)) if *last == start => *last = end,
            _ => runs.push((start, end)),
        }
    }
    runs
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_result_has_what_the_source_has() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut bytes = vec![0; 3 * PIECE as usize + 1000];
        for place in [0, 5000, 70_000, PIECE as usize - 1, 2 * PIECE as usize + 9, bytes.len() - 1] {
            bytes[place] = 1;
        }
        std::fs::write(&from, &bytes).expect("written");
        let again = |bare: Bare| {
            let (again, ..) =
                Bare::parse(format!("{} from to", bare.words()).split(' ').map(str::to_owned)).expect("its own words");
            assert_eq!(again, bare);
            again
        };
        let bare = Bare { granule: 4096, room: 0, way: Way::Plain, past_cache: false, alone: false };
        for (granule, way, alone) in [(4096, Way::Plain, true), (65536, Way::Hashed, false)] {
            for past_cache in [false, true] {
                run(&again(Bare { granule, way, past_cache, alone, ..bare }), &from, &to).expect("copied");
                assert_eq!(std::fs::read(&to).expect("read"), bytes);
            }
        }
        run(&again(Bare { room: 1 << 23, ..bare }), &from, &to).expect("copied");
        assert_eq!(std::fs::metadata(&to).expect("there").len(), 1 << 23);
        run(&again(Bare { room: 2 * PIECE, way: Way::All, past_cache: true, ..bare }), &from, &to).expect("copied");
        assert_eq!(std::fs::read(&to).expect("read"), bytes[..2 * PIECE as usize]);
    }

    #[test]
    fn zeros_are_left_out() {
        let mut bytes = vec![0; 20_000];
        assert_eq!(runs(&bytes, 4096), []);
        (bytes[4096], bytes[8192], bytes[19_999]) = (1, 1, 1);
        assert_eq!(runs(&bytes, 4096), [(4096, 12288), (16384, 20_000)]);
    }
}
