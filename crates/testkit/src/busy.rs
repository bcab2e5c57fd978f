//! How long a test was at work, whatever else the machine does meanwhile.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long this thread has had a processor until now; where the system does not tell, how long ago this was asked first.
pub fn busy() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = FIRST.get_or_init(Instant::now);
    // Nanoseconds on a processor, nanoseconds of waiting for one, and how often it was given.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    nanoseconds.map_or_else(|| first.elapsed(), Duration::from_nanos)
}
