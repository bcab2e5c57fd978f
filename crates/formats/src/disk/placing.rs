//! Writers that store bytes as they are: each range has a place in the file, and either its bytes go there or the place is
//! handed out and the caller fills it.

use super::write::{Appender, DiskWriteError, GRANULE, Order, TargetFormat};

/// A place in the file of a disk that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}

impl TargetFormat {
    /// The offset in the file of every 64 KiB of the disk is a multiple of this; `None` when the format packs what it stores, so
    /// that no room can be reserved in it.
    pub fn alignment(self) -> Option<u64> {
        match self {
            TargetFormat::VhdDynamic => Some(4096),
            TargetFormat::Qcow2Zstd => None,
            TargetFormat::Raw
            | TargetFormat::VhdFixed
            | TargetFormat::VhdxFixed
            | TargetFormat::Vhdx
            | TargetFormat::Qcow2 => Some(GRANULE),
        }
    }
}

/// A writer whose file grows in the order of the ranges.
pub(crate) trait Placing {
    fn parts(&mut self) -> (&mut Order, &mut Appender);
    /// Brings the end of the file to the place of `offset`; how many of the `len` bytes from there on lie in one piece.
    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError>;
}

/// [`super::write::DiskWriter::write`].
pub(crate) fn write(writer: &mut impl Placing, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
    let mut rest = data;
    place(writer, offset, data.len() as u64, &mut |out, len| {
        // A piece is never longer than what is left of the range.
        let (part, after) = rest.split_at(len as usize);
        rest = after;
        out.append(part)
    })
}

/// [`super::write::DiskWriter::reserve`].
pub(crate) fn reserve(writer: &mut impl Placing, offset: u64, len: u64) -> Result<Vec<Room>, DiskWriteError> {
    let mut rooms = Vec::new();
    let rest = writer.parts().0.size().saturating_sub(offset);
    place(writer, offset, len, &mut |out, len| {
        rooms.push(Room { offset: out.position(), len });
        out.leave(len, rest)
    })?;
    Ok(rooms)
}

fn place(
    writer: &mut impl Placing,
    offset: u64,
    len: u64,
    put: &mut dyn FnMut(&mut Appender, u64) -> Result<(), DiskWriteError>,
) -> Result<(), DiskWriteError> {
    if len == 0 {
        return Ok(());
    }
    writer.parts().0.take(offset, len)?;
    let (mut at, end) = (offset, offset + len);
    while at < end {
        let piece = writer.go_to(at, end - at)?.clamp(1, end - at);
        put(writer.parts().1, piece)?;
        at += piece;
    }
    Ok(())
}
