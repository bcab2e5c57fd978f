//! Keeps a copy below a rate, so that others can use the disk or the line too.

use std::time::{Duration, Instant};

/// Says how long to wait so that not more than `rate` bytes a second pass.
pub(crate) struct Throttle {
    rate: Option<u64>,
    started: Instant,
    passed: u64,
}

impl Throttle {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Throttle { rate: rate.filter(|rate| *rate > 0), started: Instant::now(), passed: 0 }
    }

    /// Takes note of `bytes` that passed; how much too early that was.
    pub(crate) fn pass(&mut self, bytes: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        self.passed = self.passed.saturating_add(bytes);
        early(self.passed, rate, self.started.elapsed())
    }
}

/// How much earlier than the rate allows `passed` bytes went in the time `elapsed`.
fn early(passed: u64, rate: u64, elapsed: Duration) -> Duration {
    let due = Duration::try_from_secs_f64(passed as f64 / rate as f64).unwrap_or(Duration::MAX);
    due.saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_the_rate_asks_for() {
        let second = Duration::from_secs(1);
        assert_eq!(early(5000, 1000, 2 * second), 3 * second);
        assert_eq!(early(5000, 1000, 5 * second), Duration::ZERO);
        assert_eq!(early(5000, 1000, 9 * second), Duration::ZERO);
        assert_eq!(early(500, 1000, Duration::ZERO), second / 2);
        assert!(early(u64::MAX, 1, second) > 1_000_000 * second);
        assert_eq!(Throttle::new(None).pass(u64::MAX), Duration::ZERO);
        assert_eq!(Throttle::new(Some(0)).pass(u64::MAX), Duration::ZERO);
    }
}
