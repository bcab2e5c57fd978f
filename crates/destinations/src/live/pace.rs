//! Keeps what is sent below a rate.

use std::time::{Duration, Instant};

use crate::destination::HostWatch;

/// Longest time without asking whether to stop.
const NAP: Duration = Duration::from_millis(100);

/// A rate, reckoned from when it was first used.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: Option<u64>,
    started: Instant,
    sent: u64,
}

impl Pace {
    /// At most `limit` bytes a second; as fast as it goes without one.
    pub fn new(limit: Option<u64>) -> Pace {
        Pace { limit: limit.filter(|limit| *limit > 0), started: Instant::now(), sent: 0 }
    }

    /// So many bytes were sent: waits until that is not too fast, or until it shall stop.
    pub fn sent(&mut self, bytes: u64, stops: &dyn Fn() -> bool) {
        let Some(limit) = self.limit else { return };
        self.sent = self.sent.saturating_add(bytes);
        let due = Duration::from_secs_f64(self.sent as f64 / limit as f64);
        wait(due.saturating_sub(self.started.elapsed()), stops);
    }
}

/// Waits, unless it shall stop.
pub(crate) fn nap(time: Duration, watch: &dyn HostWatch) {
    wait(time, &|| watch.is_cancelled());
}

fn wait(time: Duration, stops: &dyn Fn() -> bool) {
    let until = Instant::now() + time;
    while !stops() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(NAP));
    }
}
