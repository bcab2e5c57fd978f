//! Keeps a copy below a rate, so that others can use the disk or the line too.

use std::time::{Duration, Instant};

/// Sleeps so that not more than `rate` bytes a second pass.
pub(crate) struct Throttle {
    rate: Option<u64>,
    started: Instant,
    passed: u64,
}

impl Throttle {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Throttle { rate: rate.filter(|rate| *rate > 0), started: Instant::now(), passed: 0 }
    }

    pub(crate) fn pass(&mut self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        self.passed = self.passed.saturating_add(bytes);
        let due = Duration::from_secs_f64(self.passed as f64 / rate as f64);
        if let Some(early) = due.checked_sub(self.started.elapsed()) {
            std::thread::sleep(early);
        }
    }
}
