//! What is dealt with next, and what became of it.

use super::buffer::Buffer;
use super::{BLOCK, Block, Fill, Piece, ZEROS, block_len};
use crate::content::Content;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::mask::{Mask, PAGE, UNIT};
use crate::tree::Tree;

/// Goes over the content once.
pub(super) struct Cursor {
    index: u64,
    ticket: u64,
    /// Whether the run around the next block is known to be zeros, and its end.
    run: (bool, u64),
    /// Its number when there is nothing behind it, because the content ends there or cannot be read any further.
    pub(super) end: Option<u64>,
}

/// What one worker does next.
pub(super) struct Item {
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A block that must be read, and up to which offset of the content it is known to be data.
    Data(u64),
    /// A block that is known to be zeros, but has a value of its own.
    Hole,
    /// So many whole blocks that are known to be zeros.
    Zeros(u64),
}

impl Cursor {
    pub(super) fn new(from: u64, start: u64) -> Self {
        Cursor { index: from, ticket: 0, run: (false, start), end: None }
    }

    /// The next item and its number in the order; `None` at the end. An error has a number in the order too, and ends it.
    pub(super) fn next(
        &mut self,
        content: &dyn Content,
        tree: Option<Tree>,
    ) -> Option<(u64, Result<Item, TransferError>)> {
        let offset = self.index.saturating_mul(BLOCK);
        if offset >= content.len() {
            self.end.get_or_insert(self.ticket);
        }
        if self.end.is_some() {
            return None;
        }
        let item = self.item(offset, content, tree);
        let ticket = self.ticket;
        self.ticket += 1;
        if item.is_err() {
            self.end = Some(self.ticket);
        }
        Some((ticket, item))
    }

    fn item(&mut self, offset: u64, content: &dyn Content, tree: Option<Tree>) -> Result<Item, TransferError> {
        if offset >= self.run.1 {
            self.run = content.run(offset)?;
        }
        let (total, (zero, end)) = (content.len(), self.run);
        let whole = (end.min(total) / BLOCK).saturating_sub(self.index);
        let kind = match (zero, whole) {
            (true, 1..) if tree == Some(Tree::Plain) => Kind::Hole,
            (true, 1..) => Kind::Zeros(whole),
            (true, 0) if end >= total => Kind::Hole,
            _ => Kind::Data(if zero { offset } else { end }),
        };
        let item = Item { index: self.index, kind };
        self.index += if let Kind::Zeros(count) = kind { count } else { 1 };
        Ok(item)
    }
}

/// An item that waits for the pen.
pub(super) struct Ready<'m> {
    kind: Kind,
    index: u64,
    len: usize,
    mask: Mask,
    value: Option<Digest>,
    read: u64,
    /// Only for a block that is no zeros.
    buffer: Option<Buffer<'m>>,
}

impl Item {
    /// Reads and hashes what has to be. The buffer comes back when it is not needed any more.
    pub(super) fn read<'m>(
        self,
        content: &dyn Content,
        tree: Option<Tree>,
        mut buffer: Buffer<'m>,
    ) -> Result<(Ready<'m>, Option<Buffer<'m>>), TransferError> {
        let (Item { index, kind, .. }, total) = (self, content.len());
        let len = block_len(total, index);
        let offset = index * BLOCK;
        let (mask, read) = match kind {
            Kind::Data(data) => content.block((offset, data), buffer.bytes_mut(len))?,
            Kind::Hole | Kind::Zeros(_) => (Mask::default(), 0),
        };
        let (kind, buffer, free) = match kind {
            Kind::Data(_) if !mask.is_empty() => (kind, Some(buffer), None),
            Kind::Data(_) => (Kind::Hole, None, Some(buffer)),
            _ => (kind, None, Some(buffer)),
        };
        let mut ready = Ready { kind, index, len, mask, value: None, read, buffer };
        if let (Some(tree), Piece::Block(block)) = (tree, ready.piece()) {
            ready.value = Some(tree.block(total, offset, block.bytes, mask));
        }
        Ok((ready, free))
    }
}

impl<'m> Ready<'m> {
    pub(super) fn piece(&self) -> Piece<'_> {
        let bytes = match self.kind {
            Kind::Zeros(count) => return Piece::Zeros(count),
            Kind::Hole => ZEROS.get(..self.len).unwrap_or_default(),
            Kind::Data(_) => self.bytes(),
        };
        let Ready { index, mask, value, read, .. } = *self;
        Piece::Block(Block { index, bytes, mask, value, read })
    }

    /// Bytes that pass for it, on the way from the source or on that to the destination, whichever are more: some formats write
    /// whole units of which not all was read. What is shared with the source was not read and passes on neither.
    pub(super) fn passing(&self) -> u64 {
        let units = u64::from(self.mask.units().count_ones()).min(self.read.div_ceil(PAGE as u64));
        self.read.max((units * UNIT as u64).min(self.len as u64))
    }

    /// Bytes of the content that it stands for.
    pub(super) fn len(&self) -> u64 {
        if let Kind::Zeros(count) = self.kind { count * BLOCK } else { self.len as u64 }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| buffer.bytes(self.len))
    }

    pub(super) fn part(&self, fill: &Fill) -> &[u8] {
        self.bytes().get(fill.start..fill.start + fill.len).unwrap_or_default()
    }

    pub(super) fn into_buffer(self) -> Option<Buffer<'m>> {
        self.buffer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_what_is_read_or_the_units_that_are_written() {
        let mut ready = Ready {
            kind: Kind::Hole,
            index: 0,
            len: 3 * UNIT,
            mask: Mask::default(),
            value: None,
            read: 0,
            buffer: None,
        };
        assert_eq!(ready.passing(), 0);
        ready.read = 5 * PAGE as u64;
        assert_eq!(ready.passing(), 5 * PAGE as u64, "zeros that were read");
        ready.mask.fill(UNIT - PAGE, 2 * PAGE);
        ready.read = 0;
        assert_eq!(ready.passing(), 0, "shared");
        ready.read = 2 * PAGE as u64;
        assert_eq!(ready.passing(), 2 * UNIT as u64, "two pages in two units");
        ready.read = 3 * UNIT as u64;
        assert_eq!(ready.passing(), 3 * UNIT as u64);
        (ready.len, ready.read) = (UNIT + 512, PAGE as u64 + 512);
        assert_eq!(ready.passing(), UNIT as u64 + 512, "the end of a disk");
    }
}
