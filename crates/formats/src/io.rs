//! How bytes reach a format reader: positioned, read-only, shareable between threads.
//! A reach (folder, image, network share) implements [`ReadAt`]; no format ever sees a path or a writable handle.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::sync::Arc;

/// Read-only bytes with a length and a name for messages.
pub trait ReadAt: Send + Sync {
    /// The name for messages: the path as the operator knows it.
    fn name(&self) -> &str;
    /// Length in bytes at the time of opening.
    fn len(&self) -> u64;
    /// True when there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills `buf` from `offset`; an end before the buffer is full is `UnexpectedEof`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    /// The end of the run that starts at `offset` and is of one kind: `true` when the run may hold data, `false` when
    /// it is a hole that reads as zeros. The answer is a hint for speed; `(true, len)` is always right.
    fn run(&self, offset: u64) -> (bool, u64) {
        let _ = offset;
        (true, self.len())
    }
    /// The open file where the bytes are those of a file of this computer from its start to its end: for the kernel, which can
    /// let two files share their extents. It is open for reading only.
    #[cfg(unix)]
    fn handle(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// A shared, read-only file of the source.
pub type SharedFile = Arc<dyn ReadAt>;

/// A local file or block device, opened for reading only.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    name: String,
    len: u64,
    /// False for a device, which shares no extents.
    #[cfg(unix)]
    plain: bool,
    #[cfg(target_os = "linux")]
    runs: DataRuns,
}

/// Runs of data that were found lately. Each time that the system is asked where data end, it walks over all extents up to there.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct DataRuns(std::sync::Mutex<std::collections::VecDeque<(u64, u64)>>);

#[cfg(target_os = "linux")]
impl DataRuns {
    const MOST: usize = 32;

    fn end(&self, offset: u64) -> Option<u64> {
        let runs = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        runs.iter().find(|(start, end)| (*start..*end).contains(&offset)).map(|(_, end)| *end)
    }

    fn add(&self, start: u64, end: u64) {
        let mut runs = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        runs.retain(|known| known.1 != end);
        runs.push_front((start, end));
        runs.truncate(DataRuns::MOST);
    }
}

impl LocalFile {
    /// Opens `path` read-only; `name` is what messages call it.
    pub fn open(path: &std::path::Path, name: impl Into<String>) -> io::Result<Self> {
        let file = open_read_only(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder, a file was expected"));
        }
        // Of a device the metadata tell no length.
        let plain = metadata.is_file();
        let len = if plain { metadata.len() } else { (&file).seek(SeekFrom::End(0))? };
        Ok(LocalFile {
            len,
            file,
            name: name.into(),
            #[cfg(unix)]
            plain,
            #[cfg(target_os = "linux")]
            runs: DataRuns::default(),
        })
    }
}

/// Without touching the access time, where the system lets us: a dead host's disk is evidence, too.
#[cfg(target_os = "linux")]
fn open_read_only(path: &std::path::Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // The bits of open(2) fit into its flags argument. Only the owner and root may ask for it; everybody else reads as usual.
    let flags = rustix::fs::OFlags::NOATIME.bits() as i32;
    let quiet = File::options().read(true).custom_flags(flags).open(path);
    quiet.or_else(|error| if error.kind() == io::ErrorKind::PermissionDenied { File::open(path) } else { Err(error) })
}

#[cfg(not(target_os = "linux"))]
fn open_read_only(path: &std::path::Path) -> io::Result<File> {
    File::open(path)
}

impl ReadAt for LocalFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    #[cfg(unix)]
    fn handle(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.plain.then(|| std::os::fd::AsFd::as_fd(&self.file))
    }

    #[cfg(unix)]
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buf = &mut buf[n..];
            offset += n as u64;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn run(&self, offset: u64) -> (bool, u64) {
        use rustix::fs::{SeekFrom, seek};
        if let Some(end) = self.runs.end(offset) {
            return (true, end);
        }
        match seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => (false, data.min(self.len)),
            Ok(_) => {
                let hole = seek(&self.file, SeekFrom::Hole(offset)).ok().filter(|hole| *hole > offset);
                let end = hole.map_or(self.len, |hole| hole.min(self.len));
                self.runs.add(offset, end);
                (true, end)
            }
            // Nothing but a hole follows, unless the file was cut since it was opened: then reading has to fail.
            Err(rustix::io::Errno::NXIO) => {
                (self.plain && self.file.metadata().is_ok_and(|now| now.len() < self.len), self.len)
            }
            Err(_) => (true, self.len),
        }
    }
}

/// Bytes in memory under a name: small files that were read whole, and tests.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    name: String,
    bytes: Arc<[u8]>,
}

impl MemoryFile {
    /// Wraps `bytes` as a file called `name`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        MemoryFile { name: name.into(), bytes: bytes.into() }
    }
}

impl ReadAt for MemoryFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = self.bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// Reads a whole small file; refuses more than `limit` bytes so that a wrong file cannot take all memory.
pub fn read_whole(file: &dyn ReadAt, limit: u64) -> io::Result<Vec<u8>> {
    if file.len() > limit {
        let message = format!("the file has {} bytes, at most {limit} are read at once", file.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let mut bytes = vec![0; usize::try_from(file.len()).map_err(|_| io::ErrorKind::FileTooLarge)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
