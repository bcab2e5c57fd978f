//! When a connection that was lost is made anew, for jobs that may be done again from where they were.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::soap::fault::FaultKind;

/// Waits before each new try, in seconds; the last one again and again.
const WAITS: [u64; 5] = [0, 1, 3, 7, 14];
const LAST_WAIT: u64 = 14;

/// How long a host may be away, and how often it was asked again.
#[derive(Debug, Clone)]
pub struct Mending {
    patience: Duration,
    tries: usize,
    since: Instant,
}

impl Mending {
    /// With a host that may be away for so long.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, tries: 0, since: Instant::now() }
    }

    /// Something was done: the next loss is a new one.
    pub fn went_on(&mut self) {
        (self.tries, self.since) = (0, Instant::now());
    }

    /// How long to wait before the next try; `None` when a new connection cannot help, or the host was away for too long.
    pub fn next(&mut self, error: &Error) -> Option<Duration> {
        let gone = error.fault().is_some_and(|fault| fault.kind() == FaultKind::NoShell);
        let may_help = error.is_lost() || gone || matches!(error, Error::Remoting { .. });
        if !may_help || self.since.elapsed() > self.patience {
            return None;
        }
        let wait = WAITS.get(self.tries).copied().unwrap_or(LAST_WAIT);
        self.tries += 1;
        Some(Duration::from_secs(wait))
    }

    /// Whether the last try was the first one since something was done.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.tries == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Progress;

    fn lost() -> Error {
        let (endpoint, action) = ("hv1".to_owned(), "Pull".to_owned());
        Error::Silent { endpoint, action, seconds: 1, known: Progress::Unknown }
    }

    #[test]
    fn waits_grow_until_something_is_done() {
        let mut mending = Mending::new(Duration::from_secs(600));
        let waits: Vec<u64> = (0..7).map(|_| mending.next(&lost()).unwrap().as_secs()).collect();
        assert_eq!(waits, [0, 1, 3, 7, 14, 14, 14]);
        mending.went_on();
        assert_eq!(mending.next(&lost()), Some(Duration::ZERO));
        assert!(mending.is_first());
    }

    #[test]
    fn what_a_new_connection_does_not_change_is_told_at_once() {
        let (endpoint, user, mechanism) = ("hv1".to_owned(), "a".to_owned(), "NTLM".to_owned());
        let refused = Error::Refused { endpoint, user, mechanism };
        assert_eq!(Mending::new(Duration::from_secs(600)).next(&refused), None);
        let mut mending = Mending::new(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(mending.next(&lost()), None, "it was away for too long");
    }
}
