//! Recognises a disk file by its content and opens it. The name only decides whether a file without any known mark may
//! be taken for plain sectors: a `.vhd` that lost its footer must not silently become a raw disk.

use std::sync::Arc;

use super::{DiskError, Layer, ParentGate, SharedDisk};
use crate::io::{ReadAt, SharedFile};
use crate::{qcow2, raw, vhd, vhdx};

/// A container format that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain sectors.
    Raw,
    /// VHD of any kind.
    Vhd,
    /// VHDX of any kind.
    Vhdx,
    /// QCOW2 version 2 or 3.
    Qcow2,
}

/// What to do when a parent's time stamp is not the one that its child recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParentTime {
    /// Refuse the chain: the parent may have been written to after the child was made.
    #[default]
    Strict,
    /// Take the parent if its unique id fits, and say so in a remark.
    Accept,
}

/// What to do when the checksum of a VHD's footer or dynamic header is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Refuse the file, unless an intact copy of the footer stands in.
    #[default]
    Strict,
    /// Read it when all else agrees (both footers are the same, the table has exactly the entries that the disk needs),
    /// and say so in a remark: some programs patch footers without a new checksum.
    Accept,
}

/// How a disk is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// The format, when it shall not be recognised by content.
    pub format: Option<Format>,
    /// How strictly parents are checked.
    pub parent_time: ParentTime,
    /// How strictly checksums of VHDs are checked; those of VHDX always count.
    pub checksums: Checksums,
}

/// Opens a disk and its parents; the format is recognised by content.
pub fn open(file: SharedFile, gate: &dyn ParentGate) -> Result<SharedDisk, DiskError> {
    open_with(file, gate, &OpenOptions::default())
}

/// Opens a disk and its parents as `format`, whatever the content looks like.
pub fn open_as(file: SharedFile, gate: &dyn ParentGate, format: Format) -> Result<SharedDisk, DiskError> {
    open_with(file, gate, &OpenOptions { format: Some(format), ..OpenOptions::default() })
}

/// Opens a disk and its parents with `options`.
pub fn open_with(file: SharedFile, gate: &dyn ParentGate, options: &OpenOptions) -> Result<SharedDisk, DiskError> {
    let format = match options.format {
        Some(format) => format,
        None => detect(&*file)?,
    };
    Ok(match format {
        Format::Raw => Arc::new(raw::RawDisk::open(file)?),
        Format::Vhd => vhd::open(file, gate, options)?,
        Format::Vhdx => vhdx::open(file, gate, options)?,
        Format::Qcow2 => Arc::new(qcow2::Qcow2Disk::open(file)?),
    })
}

/// Reads the headers of one file without looking for parents.
pub fn headers(file: &SharedFile) -> Result<Layer, DiskError> {
    headers_with(file, &OpenOptions::default())
}

/// Reads the headers of one file with `options`, without looking for parents.
pub fn headers_with(file: &SharedFile, options: &OpenOptions) -> Result<Layer, DiskError> {
    let format = match options.format {
        Some(format) => format,
        None => detect(&**file)?,
    };
    match format {
        Format::Raw => Ok(raw::layer(&**file)),
        Format::Vhd => vhd::layer(file, options),
        Format::Vhdx => vhdx::layer(file, options),
        Format::Qcow2 => qcow2::layer(file),
    }
}

/// The extensions that promise a format.
const EXTENSIONS: [(&str, Format); 5] = [
    (".vhd", Format::Vhd),
    (".avhd", Format::Vhd),
    (".vhdx", Format::Vhdx),
    (".avhdx", Format::Vhdx),
    (".qcow2", Format::Qcow2),
];

/// The extension of a VHD set (Windows Server 2016 and later): it names the files that hold the disk, and how is documented nowhere,
/// so that nothing of it may be taken for the disk.
const SET: &str = ".vhds";

/// The extension that says that there are only plain sectors, whatever they begin with.
const PLAIN: &str = ".raw";

/// Files that hold a disk in a way that is not read: offset and bytes of the mark, and what it is. Sources: the headers in QEMU's
/// `block/vmdk.c`, `vdi.c`, `qed.h` and `parallels.h`; libewf's description of EWF; RFC 1952, 8478; the .xz and 7z formats.
const FOREIGN: [(usize, &[u8], &str); 13] = [
    (0, b"KDMV", "a VMDK of VMware"),
    (0, b"COWD", "a VMDK of VMware ESX"),
    (0, b"# Disk DescriptorFile", "the description of a VMDK of VMware"),
    (64, b"\x7f\x10\xda\xbe", "a VDI of VirtualBox"),
    (0, b"QED\0", "a QED of QEMU"),
    (0, b"WithoutFreeSpace", "a disk of Parallels"),
    (0, b"WithouFreSpacExt", "a disk of Parallels"),
    (0, b"EVF\x09\x0d\x0a\xff\0", "an EWF image (E01)"),
    (0, b"\x1f\x8b\x08", "compressed (gzip)"),
    (0, b"\xfd7zXZ\0", "compressed (xz)"),
    (0, b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (0, b"PK\x03\x04", "an archive (zip)"),
];

/// What the file is where it is none of [`Format`] and not plain sectors.
fn foreign(file: &dyn ReadAt) -> Result<Option<&'static str>, DiskError> {
    let mut start = [0; 68];
    let have = file.len().min(68) as usize;
    read(file, 0, &mut start[..have])?;
    let found = FOREIGN.iter().find(|(at, mark, _)| start.get(*at..).is_some_and(|start| start.starts_with(mark)));
    Ok(found.map(|(_, _, what)| *what))
}

/// Recognises the format by content.
///
/// The start of a fixed VHD and the end of a VHDX or qcow2 file belong to the guest, which could put the mark of another
/// format there and in this way choose what is read as its disk. So two marks in one file are told apart by the name
/// alone, and refused where the name says nothing.
pub fn detect(file: &dyn ReadAt) -> Result<Format, DiskError> {
    if file.name().to_ascii_lowercase().ends_with(SET) {
        return Err(DiskError::VhdSet { file: file.name().to_owned() });
    }
    let mut start = [0; 8];
    let have = file.len().min(8) as usize;
    read(file, 0, &mut start[..have])?;
    let leading = match &start {
        _ if start.starts_with(&qcow2::MAGIC) => Some(Format::Qcow2),
        _ if start == vhdx::MAGIC => Some(Format::Vhdx),
        _ => None,
    };
    let len = file.len();
    let trailing = vhd::has_mark(file)?.then_some(Format::Vhd);
    let name = file.name().to_ascii_lowercase();
    let promised = EXTENSIONS.into_iter().find(|(extension, _)| name.ends_with(extension));
    if leading.is_none()
        && trailing.is_none()
        && !name.ends_with(PLAIN)
        && let Some(format) = foreign(file)?
    {
        return Err(DiskError::Foreign { file: file.name().to_owned(), format });
    }
    let file = || file.name().to_owned();
    match (leading, trailing, promised) {
        (Some(one), Some(_), Some((_, format))) if format == one || format == Format::Vhd => Ok(format),
        (Some(leading), Some(_), _) => Err(DiskError::Ambiguous { file: file(), leading: format!("{leading:?}") }),
        (Some(format), None, _) | (None, Some(format), _) => Ok(format),
        (None, None, None) => Ok(Format::Raw),
        (None, None, Some((extension, _))) => Err(DiskError::NotRecognised { file: file(), extension, len }),
    }
}

/// Reads and turns an error of the system into one that names file and place.
pub(crate) fn read(file: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
    file.read_exact_at(buffer, offset).map_err(|source| DiskError::Read {
        file: file.name().to_owned(),
        offset,
        len: buffer.len() as u64,
        source,
    })
}

/// Refuses a range that does not lie inside the disk.
pub(crate) fn check_range(file: &str, offset: u64, len: u64, size: u64) -> Result<(), DiskError> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(DiskError::OutOfRange { file: file.to_owned(), offset, len, size }),
    }
}
