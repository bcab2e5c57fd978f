//! When a connection that was lost is made anew. Everything that is asked here may be asked twice.

use std::time::{Duration, Instant};

use crate::error::Error;

/// Waits before each new try, in seconds; the last one again and again.
const WAITS: [u64; 5] = [0, 1, 3, 7, 14];
const LAST_WAIT: u64 = 14;

/// How long a server may be away, and how often it was asked again.
#[derive(Debug, Clone)]
pub(crate) struct Mending {
    patience: Duration,
    tries: usize,
    since: Instant,
}

impl Mending {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, tries: 0, since: Instant::now() }
    }

    /// Something was done: the next loss is a new one.
    pub(crate) fn went_on(&mut self) {
        (self.tries, self.since) = (0, Instant::now());
    }

    /// Waits for the next try; the error when a new connection cannot help, or the server was away for too long.
    pub(crate) fn wait(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_lost() || self.since.elapsed() > self.patience {
            return Err(error);
        }
        let wait = WAITS.get(self.tries).copied().unwrap_or(LAST_WAIT);
        self.tries += 1;
        std::thread::sleep(Duration::from_secs(wait));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[test]
    fn what_a_new_connection_does_not_change_is_told_at_once() {
        let of = |status| Error::Status { action: "Opening", path: "x".to_owned(), status };
        let mut mending = Mending::new(Duration::from_secs(60));
        assert!(mending.wait(of(Status::ACCESS_DENIED)).is_err());
        assert!(mending.wait(of(Status::NETWORK_SESSION_EXPIRED)).is_ok());
        let mut mending = Mending::new(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert!(mending.wait(of(Status::NETWORK_SESSION_EXPIRED)).is_err(), "it was away for too long");
        mending.went_on();
    }
}
