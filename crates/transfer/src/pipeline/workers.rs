//! The workers: threads that take one job after the other until everything is done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::buffer::{Buffer, Buffers};
use super::item::{Cursor, Ready};
use super::state::{Job, Pen, Put, State};
use super::{BLOCK, Filler, Sink};
use crate::content::Content;
use crate::copy::Watch;
use crate::error::TransferError;
use crate::progress::Cancel;
use crate::throttle::Throttle;
use crate::tree::Tree;

/// How often the progress is told.
const TICK: Duration = Duration::from_millis(100);

/// What the workers share.
pub(super) struct Workers<'a> {
    content: &'a dyn Content,
    filler: Option<&'a Filler<'a>>,
    tree: Option<Tree>,
    cancel: &'a Cancel,
    cursor: Mutex<Cursor>,
    pub(super) state: Mutex<State<'a>>,
    /// Signalled when there is something to do for those who wait.
    bell: Condvar,
    /// Signalled when a worker ended.
    ended: Condvar,
    /// Bytes that were dealt with.
    passed: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Workers<'a> {
    pub(super) fn new(
        (content, filler, tree): (&'a dyn Content, Option<&'a Filler<'a>>, Option<Tree>),
        from: u64,
        watch: &Watch<'a>,
        (threads, sink, buffers): (usize, &'a mut dyn Sink, Buffers<'a>),
    ) -> Self {
        let start = (from * BLOCK).min(content.len());
        let pen = Pen { sink, throttle: Throttle::new(watch.rate) };
        Workers {
            content,
            filler,
            tree,
            cancel: watch.cancel,
            cursor: Mutex::new(Cursor::new(from, start)),
            state: Mutex::new(State::new(pen, threads, buffers)),
            bell: Condvar::new(),
            ended: Condvar::new(),
            passed: AtomicU64::new(start),
        }
    }

    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Waits a little; false when all have ended.
    pub(super) fn are_at_work(&self) -> bool {
        let state = lock(&self.state);
        if state.left == 0 {
            return false;
        }
        drop(self.ended.wait_timeout(state, TICK));
        true
    }

    /// One worker.
    pub(super) fn run(&self) {
        let leaving = Leaving(self);
        while let Some(job) = self.job() {
            match job {
                Job::Hand(pen) => self.hand_over(pen),
                Job::Put(put) => self.put(put),
                Job::Read(buffer) => self.read(buffer),
                Job::Wait | Job::End => {}
            }
        }
        drop(leaving);
    }

    fn job(&self) -> Option<Job<'a>> {
        let mut state = lock(&self.state);
        loop {
            match state.job() {
                Job::Wait => state = self.wait(state),
                Job::End => return None,
                job => return Some(job),
            }
        }
    }

    fn wait<'g>(&self, mut state: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        state.waiting += 1;
        let mut state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }

    /// Wakes whoever waits: a call into the system only when there is somebody.
    fn wake(&self, state: MutexGuard<'_, State<'a>>) {
        let any = state.waiting > 0;
        drop(state);
        if any {
            self.bell.notify_all();
        }
    }

    fn fail(&self, error: TransferError) {
        let mut state = lock(&self.state);
        state.error.get_or_insert(error);
        self.wake(state);
    }

    /// Reads the next block.
    fn read(&self, buffer: Buffer<'a>) {
        if self.cancel.is_cancelled() {
            return self.fail(TransferError::Cancelled);
        }
        let mut cursor = lock(&self.cursor);
        let next = cursor.next(self.content, self.tree);
        let end = cursor.end;
        drop(cursor);
        let read =
            next.map(|(ticket, item)| (ticket, item.and_then(|item| item.read(self.content, self.tree, buffer))));
        let mut state = lock(&self.state);
        if let Some((ticket, ready)) = read {
            let ready = ready.map(|(ready, free)| {
                // This worker takes it again: nobody needs to be woken.
                free.map(|buffer| state.buffers.give_back(buffer));
                ready
            });
            state.put_ready(ticket, ready);
        }
        if end.is_some() && state.total.is_none() {
            state.total = end;
            self.wake(state);
        }
    }

    /// Hands the sink all that is ready, until the next in the order is not.
    fn hand_over(&self, mut pen: Pen<'a>) {
        loop {
            let mut state = lock(&self.state);
            let Some(ready) = state.take_ready() else {
                state.pen = Some(pen);
                return self.wake(state);
            };
            drop(state);
            if let Err(error) = ready.and_then(|ready| self.hand(&mut pen, ready)) {
                self.fail(error);
            }
        }
    }

    fn hand(&self, pen: &mut Pen<'a>, ready: Ready<'a>) -> Result<(), TransferError> {
        if pen.sink.is_due() {
            if !self.all_is_put() {
                return Ok(());
            }
            pen.sink.settle()?;
        }
        let fills = pen.sink.take(&ready.piece())?;
        let early = pen.throttle.pass(ready.passing());
        if fills.is_empty() {
            self.is_done(ready, &mut lock(&self.state));
        } else {
            let mut state = lock(&self.state);
            state.puts.push_back(Put { ready, fills });
            state.filling += 1;
            self.wake(state);
        }
        self.pause(early);
        Ok(())
    }

    /// Everything that was handed over has been put away; false when somebody failed.
    fn all_is_put(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.has_failed() && state.filling > 0 {
            state = match state.puts.pop_front() {
                Some(put) => {
                    drop(state);
                    self.put(put);
                    lock(&self.state)
                }
                None => self.wait(state),
            };
        }
        !state.has_failed()
    }

    /// Puts away what the sink left to the workers.
    fn put(&self, put: Put<'a>) {
        let Put { ready, fills } = put;
        let done = self
            .filler
            .map_or(Ok(()), |filler| fills.iter().try_for_each(|fill| filler(ready.part(fill), fill.offset)));
        let mut state = lock(&self.state);
        state.filling -= 1;
        if let Err(error) = done {
            state.lost = true;
            state.error.get_or_insert(error);
        }
        self.is_done(ready, &mut state);
        if state.filling == 0 || state.has_failed() {
            self.wake(state);
        }
    }

    /// A piece has been dealt with: its buffer is free again.
    fn is_done(&self, ready: Ready<'a>, state: &mut State<'a>) {
        self.passed.fetch_add(ready.len(), Ordering::Relaxed);
        let enough = ready.into_buffer().is_some_and(|buffer| state.buffers.give_back(buffer));
        if (enough || state.has_room_again()) && state.waiting > 0 {
            self.bell.notify_all();
        }
    }

    /// Waits, but not longer than nobody asks to stop.
    fn pause(&self, mut rest: Duration) {
        while !rest.is_zero() && !self.cancel.is_cancelled() {
            let part = rest.min(TICK);
            std::thread::sleep(part);
            rest -= part;
        }
    }
}

/// Says that a worker ended, also when it panics, so that nobody waits for it.
struct Leaving<'w, 'a>(&'w Workers<'a>);

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.left -= 1;
        if std::thread::panicking() {
            (state.broken, state.lost) = (true, true);
        }
        drop(state);
        self.0.bell.notify_all();
        self.0.ended.notify_all();
    }
}
