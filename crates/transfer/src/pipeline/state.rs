//! What the workers share behind one lock, and what the next of them does.

use std::collections::{BTreeMap, VecDeque};

use super::buffer::{Buffer, Buffers};
use super::item::Ready;
use super::{FARTHEST, Fill, Sink};
use crate::error::TransferError;
use crate::throttle::Throttle;

/// Whoever has it hands pieces to the sink.
pub(super) struct Pen<'a> {
    pub(super) sink: &'a mut dyn Sink,
    pub(super) throttle: Throttle,
}

/// Bytes that are to be put away.
pub(super) struct Put<'m> {
    pub(super) ready: Ready<'m>,
    pub(super) fills: Vec<Fill>,
}

/// What a worker does next.
pub(super) enum Job<'a> {
    /// Hands over what is ready.
    Hand(Pen<'a>),
    /// Puts something away.
    Put(Put<'a>),
    /// Reads the next block.
    Read(Buffer<'a>),
    /// Waits until there is something to do.
    Wait,
    /// Everything is done, or somebody failed.
    End,
}

pub(super) struct State<'a> {
    /// `None` while somebody has it.
    pub(super) pen: Option<Pen<'a>>,
    pub(super) buffers: Buffers<'a>,
    /// What was read, by its number in the order.
    ready: BTreeMap<u64, Result<Ready<'a>, TransferError>>,
    /// The number that is handed over next.
    turn: u64,
    /// How many there are, as soon as that is known.
    pub(super) total: Option<u64>,
    pub(super) puts: VecDeque<Put<'a>>,
    /// How many are to be put away or being put away.
    pub(super) filling: usize,
    /// Something that was handed over could not be put away.
    pub(super) lost: bool,
    pub(super) error: Option<TransferError>,
    /// A worker ended without a result.
    pub(super) broken: bool,
    /// Workers that wait.
    pub(super) waiting: usize,
    /// Workers that have not ended.
    pub(super) left: usize,
}

impl<'a> State<'a> {
    pub(super) fn new(pen: Pen<'a>, threads: usize, buffers: Buffers<'a>) -> Self {
        State {
            pen: Some(pen),
            buffers,
            ready: BTreeMap::new(),
            turn: 0,
            total: None,
            puts: VecDeque::new(),
            filling: 0,
            lost: false,
            error: None,
            broken: false,
            waiting: 0,
            left: threads,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some() || self.broken
    }

    pub(super) fn job(&mut self) -> Job<'a> {
        if self.has_failed() {
            // What was handed over counts as written, so it is put away all the same.
            let put = if self.lost { None } else { self.puts.pop_front() };
            return put.map_or(Job::End, Job::Put);
        }
        if self.ready.contains_key(&self.turn)
            && let Some(pen) = self.pen.take()
        {
            return Job::Hand(pen);
        }
        if let Some(put) = self.puts.pop_front() {
            return Job::Put(put);
        }
        match self.total {
            None if self.ready.len() >= FARTHEST => Job::Wait,
            None => self.buffers.take().map_or(Job::Wait, Job::Read),
            Some(total) if self.turn == total && self.filling == 0 && self.pen.is_some() => Job::End,
            Some(_) => Job::Wait,
        }
    }

    /// True when just now half as many wait for the pen as may.
    pub(super) fn has_room_again(&self) -> bool {
        self.ready.len() == FARTHEST / 2
    }

    pub(super) fn put_ready(&mut self, ticket: u64, ready: Result<Ready<'a>, TransferError>) {
        self.ready.insert(ticket, ready);
    }

    /// The next in the order, when it is there; nothing any more when somebody failed.
    pub(super) fn take_ready(&mut self) -> Option<Result<Ready<'a>, TransferError>> {
        if self.has_failed() {
            return None;
        }
        let ready = self.ready.remove(&self.turn)?;
        self.turn += 1;
        Some(ready)
    }
}
