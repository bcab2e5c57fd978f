//! What is asked for before it is wanted: while a file is read in its order, by one thread or by several that take turns, some
//! MiB of it are under way. Reads here and there get what they ask for and nothing more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::connection::{Pending, Reply, Urgency};
use crate::error::Result;
use crate::limits;

/// How far from the expected place a read may begin that still counts as in order: several threads take turns.
const NEAR: u64 = 4 << 20;
/// Reads in order after which something is asked for ahead.
const STREAK: u32 = 2;
/// Smallest piece that is asked for ahead, bytes.
const SMALL: u64 = 64 << 10;
/// Most pieces of one file that are under way or waiting to be taken.
const MOST: usize = 192;

/// A part of a file that was asked for.
#[derive(Clone)]
pub(crate) struct Piece {
    offset: u64,
    len: u32,
    state: Arc<Mutex<State>>,
}

enum State {
    UnderWay(Option<Pending>),
    Here {
        reply: Box<Reply>,
        data: std::ops::Range<usize>,
        taken: usize,
    },
    /// It could not be had; whoever wants it asks again.
    Lost,
}

impl Piece {
    pub(crate) fn new((offset, len): (u64, u32), pending: Pending) -> Piece {
        Piece { offset, len, state: Arc::new(Mutex::new(State::UnderWay(Some(pending)))) }
    }

    fn end(&self) -> u64 {
        self.offset + u64::from(self.len)
    }

    /// Whether it needs not be kept: all of it was taken, or it is lost.
    fn is_done(&self) -> bool {
        match self.state.try_lock().as_deref() {
            Ok(State::Here { data, taken, .. }) => *taken >= data.len(),
            Ok(State::Lost) => true,
            _ => false,
        }
    }

    /// Copies from a place of the file on what the piece has of it, once it is here; 0 when it has nothing of it.
    pub(crate) fn copy(
        &self,
        buf: &mut [u8],
        at: u64,
        read: impl FnOnce(&Reply) -> Result<std::ops::Range<usize>>,
    ) -> Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::UnderWay(pending) = &mut *state {
            let pending = pending.take();
            *state = State::Lost;
            let Some(pending) = pending else { return Ok(0) };
            let reply = pending.wait()?;
            let data = read(&reply)?;
            *state = State::Here { reply: Box::new(reply), data, taken: 0 };
        }
        let State::Here { reply, data, taken } = &mut *state else { return Ok(0) };
        let from = at.checked_sub(self.offset).and_then(|from| usize::try_from(from).ok());
        let bytes = reply.message().get(data.clone()).unwrap_or_default();
        let Some(bytes) = from.and_then(|from| bytes.get(from..)) else { return Ok(0) };
        let count = bytes.len().min(buf.len());
        if let (Some(to), Some(bytes)) = (buf.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(bytes);
        }
        *taken += count;
        Ok(count)
    }
}

/// What is under way of one file.
#[derive(Default)]
pub(crate) struct Ahead {
    pieces: BTreeMap<u64, Piece>,
    /// Where a read in order would begin.
    expected: u64,
    /// Reads that were in order, one after the other, and their bytes: so much was worth asking for.
    streak: u32,
    run: u64,
}

/// Asks for a part of the file.
type Ask<'a> = &'a mut dyn FnMut(u64, u32, Urgency) -> Result<Option<Piece>>;

impl Ahead {
    /// Forgets everything that was asked for.
    pub(crate) fn forget(&mut self) {
        self.pieces.clear();
    }

    /// The pieces that hold a part of a file of this length, in their order: those that are known, and others that are asked for
    /// now, each of the given size at most.
    pub(crate) fn pieces(
        &mut self,
        (offset, wanted): (u64, u64),
        (size, len): (u64, u64),
        ask: Ask<'_>,
    ) -> Result<Vec<Piece>> {
        let is_in_order = self.note(offset, wanted);
        self.pieces.retain(|_, piece| !piece.is_done());
        let end = offset + wanted;
        let mut found = Vec::new();
        let mut at = offset;
        while at < end && found.len() < MOST {
            if let Some(piece) = self.at(at) {
                at = piece.end();
                found.push(piece);
                continue;
            }
            // In order whole pieces are asked for, else what is wanted.
            let limit = if is_in_order { len } else { end };
            let size = if is_in_order { self.worth(size) } else { size };
            let Some(piece) = ask(at, self.room(at, size, limit), urgency(&found))? else { break };
            at = piece.end();
            if is_in_order {
                self.pieces.insert(piece.offset, piece.clone());
            }
            found.push(piece);
        }
        if is_in_order {
            let to = (end + limits::AHEAD.min(self.run.saturating_mul(2))).min(len);
            self.fill((at, to), (self.worth(size), len), ask)?;
        }
        Ok(found)
    }

    /// Asks for what comes next, as far as nobody has to wait for it.
    fn fill(&mut self, (from, to): (u64, u64), (size, len): (u64, u64), ask: Ask<'_>) -> Result<()> {
        let mut at = from;
        while at < to && self.pieces.len() < MOST {
            if let Some(piece) = self.at(at) {
                at = piece.end();
                continue;
            }
            let Some(piece) = ask(at, self.room(at, size, len), Urgency::WhenFree)? else { break };
            at = piece.end();
            self.pieces.insert(piece.offset, piece);
        }
        Ok(())
    }

    /// Bytes of a piece: small ones while little was read in order.
    fn worth(&self, size: u64) -> u64 {
        self.run.max(SMALL).min(size)
    }

    /// Bytes from a place on up to the next known piece, at most those of a piece.
    fn room(&self, at: u64, size: u64, limit: u64) -> u32 {
        let next = self.pieces.range(at..).next().map_or(limit, |(next, _)| *next);
        u32::try_from(next.min(limit).saturating_sub(at).min(size)).unwrap_or(u32::MAX).max(1)
    }

    fn at(&self, at: u64) -> Option<Piece> {
        let (_, piece) = self.pieces.range(..=at).next_back()?;
        (piece.end() > at).then(|| piece.clone())
    }

    /// Whether a read follows the last ones. One that does not lets go what was asked for elsewhere.
    fn note(&mut self, offset: u64, wanted: u64) -> bool {
        let end = offset + wanted;
        if offset.abs_diff(self.expected) <= NEAR {
            self.streak = self.streak.saturating_add(1);
            self.run = self.run.saturating_add(wanted);
            self.expected = self.expected.max(end);
        } else {
            (self.streak, self.expected, self.run) = (0, end, wanted);
        }
        let is_in_order = self.streak >= STREAK;
        if is_in_order {
            let expected = self.expected;
            self.pieces
                .retain(|_, piece| piece.end() + 2 * NEAR > expected && piece.offset < expected + 2 * limits::AHEAD);
        }
        is_in_order
    }
}

/// What is wanted has to be waited for, unless something of it is there already.
fn urgency(found: &[Piece]) -> Urgency {
    if found.is_empty() { Urgency::Needed } else { Urgency::WhenFree }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for by reads, one after the other, of a file of 64 MiB.
    fn asked(reads: &[(u64, u64)]) -> Vec<(u64, u32)> {
        let (mut ahead, mut asked) = (Ahead::default(), Vec::new());
        for read in reads {
            let mut ask = |offset: u64, len: u32, _| {
                asked.push((offset, len));
                Ok(Some(Piece { offset, len, state: Arc::new(Mutex::new(State::UnderWay(None))) }))
            };
            let found = ahead.pieces(*read, (1 << 20, 64 << 20), &mut ask).unwrap();
            assert!(found.first().is_some_and(|piece| piece.offset <= read.0 && piece.end() > read.0), "{read:?}");
            assert!(found.last().is_some_and(|piece| piece.end() >= read.0 + read.1), "{read:?}");
        }
        asked
    }

    #[test]
    fn here_and_there_only_what_is_wanted_is_asked_for() {
        let reads = [(50 << 20, 512), (10 << 20, 4096), (30 << 20, 512)];
        assert_eq!(asked(&reads).iter().map(|(_, len)| *len).sum::<u32>(), 5120);
    }

    #[test]
    fn little_is_asked_for_ahead_while_little_was_read() {
        let near: Vec<(u64, u64)> = (0..5).map(|number| ((20 << 20) + number * 1024, 1024)).collect();
        let bytes: u32 = asked(&near).iter().map(|(_, len)| *len).sum();
        assert!((64 << 10..=130 << 10).contains(&bytes), "{bytes}");
    }

    #[test]
    fn nothing_is_asked_for_twice_and_some_mib_ahead() {
        let asked = asked(&(0..10).map(|number| (number << 20, 1 << 20)).collect::<Vec<_>>());
        let mut at = 0;
        for (offset, len) in &asked {
            assert_eq!(*offset, at, "{asked:?}");
            at += u64::from(*len);
        }
        assert_eq!(at, (10 << 20) + limits::AHEAD);
    }
}
