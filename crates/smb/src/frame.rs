//! Frames: a length of four bytes in front of each message (MS-SMB2 2.1). The memory of large ones is used again.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits;
use crate::wire::header::HEADER;

/// Memory that is kept for later; more is given back.
const KEPT: usize = 16;
/// Smallest memory that is worth keeping, bytes.
const WORTH: usize = 128 << 10;

/// Memory for frames.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    /// Memory with so many bytes, whatever they are.
    fn take(self: &Arc<Self>, len: usize) -> Frame {
        let kept = (len >= WORTH).then(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()).flatten();
        let mut bytes = kept.unwrap_or_default();
        bytes.resize(len, 0);
        Frame { bytes, pool: Arc::clone(self) }
    }
}

/// A frame that came, without its length.
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pool: Arc<Pool>,
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.bytes.capacity() < WORTH {
            return;
        }
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// A message with its length in front, as it is sent.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("requests are short");
    [&len.to_be_bytes()[..], message].concat()
}

/// The next frame; `None` when nothing comes for as long as the stream waits. One that begins and does not end in time, is
/// too long or too short is an error, whose reason is a part of a sentence.
pub(crate) fn read(stream: &mut impl Read, pool: &Arc<Pool>, time: Duration) -> Result<Option<Frame>, String> {
    let mut head = [0; 4];
    if !fill(stream, &mut head, time, true)? {
        return Ok(None);
    }
    let len = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if !(HEADER..=limits::FRAME).contains(&len) {
        return Err(format!("it announces a message of {len} bytes, at most {} are read", limits::FRAME));
    }
    let mut frame = pool.take(len);
    fill(stream, &mut frame.bytes, time, false)?;
    Ok(Some(frame))
}

fn fill(stream: &mut impl Read, buf: &mut [u8], time: Duration, may_be_idle: bool) -> Result<bool, String> {
    let (mut done, mut heard) = (0, Instant::now());
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => return Err("the server closed it".to_owned()),
            Ok(count) => {
                done += count;
                heard = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if may_be_idle && done == 0 {
                    return Ok(false);
                }
                if heard.elapsed() > time {
                    return Err("a message does not end".to_owned());
                }
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_bounded() {
        let pool = Arc::new(Pool::default());
        let read = |bytes: &[u8]| read(&mut &*bytes, &pool, Duration::from_secs(1));
        let message = vec![7; 100];
        assert_eq!(read(&framed(&message)).unwrap().unwrap().bytes, message);
        for bytes in [&[0, 0, 0, 63][..], &[0xFF, 0xFF, 0xFF, 0xFF], &[0, 0, 0, 64, 1, 2], &[]] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn memory_of_large_frames_is_used_again() {
        let pool = Arc::new(Pool::default());
        drop(pool.take(WORTH));
        drop(pool.take(10));
        let kept = || pool.0.lock().unwrap().len();
        assert_eq!(kept(), 1);
        let frame = pool.take(WORTH + 1);
        assert_eq!((frame.bytes.len(), kept()), (WORTH + 1, 0));
        drop(frame);
        assert_eq!(kept(), 1);
    }
}
