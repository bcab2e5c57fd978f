use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::progress::{Cancel, Silent};

/// Blocks whose bytes are all their number plus one; `zeros` of them are known to be zeros, `bad` ones cannot be read.
struct Sample {
    len: u64,
    zeros: BTreeSet<u64>,
    bad: u64,
    reads: AtomicU64,
}

impl Sample {
    fn new(len: u64) -> Self {
        Sample { len, zeros: BTreeSet::new(), bad: u64::MAX, reads: AtomicU64::new(0) }
    }
}

impl Content for Sample {
    fn len(&self) -> u64 {
        self.len
    }

    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError> {
        let zero = self.zeros.contains(&(offset / BLOCK));
        let same =
            (offset / BLOCK..).take_while(|block| self.zeros.contains(block) == zero && block * BLOCK < self.len);
        Ok((zero, (offset / BLOCK + same.count() as u64) * BLOCK))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        let block = offset / BLOCK;
        // The later ones are often ready first.
        if block.is_multiple_of(3) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if block >= self.bad {
            let (file, len, source) = ("sample".to_owned(), buffer.len() as u64, std::io::ErrorKind::Other.into());
            return Err(TransferError::Read { file, offset, len, source });
        }
        self.reads.fetch_add(1, SeqCst);
        buffer.fill(block as u8 + 1);
        Ok(())
    }
}

/// Leaves everything to the workers, and looks whether it is there when it has to be.
struct Left<'a> {
    taken: Vec<u64>,
    put: &'a Mutex<BTreeSet<u64>>,
    settled: usize,
    lost: usize,
    panics_at: u64,
}

impl<'a> Left<'a> {
    fn new(put: &'a Mutex<BTreeSet<u64>>) -> Self {
        Left { taken: Vec::new(), put, settled: 0, lost: 0, panics_at: u64::MAX }
    }
}

impl Sink for Left<'_> {
    fn take(&mut self, piece: &Piece<'_>) -> Result<Vec<Fill>, TransferError> {
        let Piece::Block(block) = piece else { return Ok(Vec::new()) };
        assert!(block.index != self.panics_at, "as the test wants it");
        assert!(block.bytes.iter().all(|byte| *byte == block.index as u8 + 1));
        self.taken.push(block.index);
        Ok(vec![Fill { start: 0, len: block.bytes.len(), offset: block.index * BLOCK }])
    }

    fn is_due(&self) -> bool {
        self.taken.len() > self.settled + 4
    }

    fn settle(&mut self) -> Result<(), TransferError> {
        assert_eq!(self.put.lock().unwrap().iter().copied().collect::<Vec<_>>(), self.taken);
        self.settled = self.taken.len();
        Ok(())
    }

    fn lost(&mut self) {
        self.lost += 1;
    }
}

fn watched(cancel: &Cancel) -> Watch<'_> {
    Watch { progress: &Silent, cancel, rate: None }
}

/// Goes over the sample, with a filler that is slow and fails from some block on.
fn fill(sample: &Sample, sink: &mut Left<'_>, full: u64) -> Result<(), TransferError> {
    let (put, cancel) = (sink.put, Cancel::new());
    let filler = |bytes: &[u8], offset: u64| {
        std::thread::sleep(Duration::from_millis(1));
        assert!(bytes.iter().all(|byte| u64::from(*byte) == offset / BLOCK + 1));
        if offset / BLOCK >= full {
            return Err(TransferError::io("written", std::path::Path::new("sample"))(
                std::io::ErrorKind::StorageFull.into(),
            ));
        }
        put.lock().unwrap().insert(offset / BLOCK);
        Ok(())
    };
    run_filling((sample, Some(&filler)), (None, Stage::Copying), 0, &watched(&cancel), sink)
}

#[test]
fn pieces_come_in_order_and_zeros_are_not_read() {
    for (len, zeros) in [
        (0, vec![]),
        (1, vec![]),
        (BLOCK, vec![0]),
        (40 * BLOCK + 5, vec![0, 1, 7, 8, 9, 39]),
        (9 * BLOCK - 1, vec![8]),
    ] {
        for from in [0, 1, 8] {
            let sample = Sample { zeros: zeros.iter().copied().collect(), ..Sample::new(len) };
            let (mut next, cancel) = (from, Cancel::new());
            let mut take = |piece: &Piece<'_>| {
                match piece {
                    Piece::Zeros(count) => {
                        assert!((next..next + count).all(|block| zeros.contains(&block)));
                        next += count;
                    }
                    Piece::Block(block) => {
                        let byte = if zeros.contains(&block.index) { 0 } else { block.index as u8 + 1 };
                        assert!(block.index == next && block.bytes.iter().all(|found| *found == byte));
                        assert_eq!(block.bytes.len(), block_len(len, next));
                        next += 1;
                    }
                }
                Ok(())
            };
            run(&sample, (None, Stage::Copying), from, &watched(&cancel), &mut take).unwrap();
            assert_eq!(next, block_count(len).max(from), "{len} bytes from block {from}");
            let data = (from..block_count(len)).filter(|block| !zeros.contains(block)).count() as u64;
            assert_eq!(sample.reads.into_inner(), data);
        }
    }
}

#[test]
fn what_was_taken_is_put_away_before_it_is_settled_and_when_a_later_block_cannot_be_read() {
    for bad in [0, 1, 5, 23, 60, u64::MAX] {
        let (put, sample) = (Mutex::default(), Sample { bad, ..Sample::new(60 * BLOCK) });
        let mut sink = Left::new(&put);
        let result = fill(&sample, &mut sink, u64::MAX);
        assert_eq!(result.is_err(), bad < 60);
        assert_eq!(sink.taken, (0..bad.min(60)).collect::<Vec<_>>());
        assert_eq!(sink.lost, 0);
        sink.settle().unwrap();
    }
}

#[test]
fn what_could_not_be_put_away_is_told_and_nothing_is_settled_after_it() {
    for full in [0, 3, 17] {
        let (put, sample) = (Mutex::default(), Sample::new(60 * BLOCK));
        let mut sink = Left::new(&put);
        fill(&sample, &mut sink, full).unwrap_err();
        assert_eq!(sink.lost, 1);
        assert!(sink.settled as u64 <= full && sink.taken.len() < 60);
    }
}

#[test]
fn a_worker_that_panics_ends_all() {
    let put = Mutex::default();
    let mut sink = Left { panics_at: 20, ..Left::new(&put) };
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fill(&Sample::new(60 * BLOCK), &mut sink, u64::MAX)));
    assert!(caught.is_err() && sink.taken.len() == 20);
}

#[test]
fn it_can_be_stopped_in_a_pause() {
    let cancel = Arc::new(Cancel::new());
    let other = cancel.clone();
    let stop = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        other.cancel();
    });
    let (mut blocks, sample) = (0, Sample::new(60 * BLOCK));
    let watch = Watch { rate: Some(1000), ..watched(&cancel) };
    let mut take = |_: &Piece<'_>| {
        blocks += 1;
        Ok(())
    };
    let stopped = run(&sample, (None, Stage::Copying), 0, &watch, &mut take);
    assert!(matches!(stopped, Err(TransferError::Cancelled)), "{stopped:?}");
    assert!(blocks < 20, "{blocks}");
    stop.join().unwrap();
}

/// Nothing but zeros of which nobody knew.
struct Empty(AtomicU64);

impl Content for Empty {
    fn len(&self) -> u64 {
        4 * FARTHEST as u64 * BLOCK
    }

    fn run(&self, _: u64) -> Result<(bool, u64), TransferError> {
        Ok((false, self.len()))
    }

    fn read(&self, _: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        self.0.fetch_add(1, SeqCst);
        buffer.fill(0);
        Ok(())
    }
}

#[test]
fn blocks_that_turn_out_to_be_zeros_wait_without_memory_but_not_too_many_of_them() {
    let (content, cancel) = (Empty(AtomicU64::new(0)), Cancel::new());
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get()).min(MOST_WORKERS);
    if workers == 1 {
        eprintln!("SKIPPED: one processor alone reads and hands over in turns");
        return;
    }
    let mut seen = 0;
    let mut take = |piece: &Piece<'_>| {
        let Piece::Block(block) = piece else { panic!("it is not known to be zeros") };
        assert_eq!((block.bytes.len() as u64, block.read), (BLOCK, BLOCK));
        seen += 1;
        if seen == 1 {
            let start = std::time::Instant::now();
            while content.0.load(SeqCst) < FARTHEST as u64 && start.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let ahead = content.0.load(SeqCst) - seen;
        assert!(seen != 1 || ahead + 1 >= FARTHEST as u64, "{ahead} blocks ahead");
        assert!(ahead <= (FARTHEST + workers) as u64, "{ahead} blocks ahead");
        Ok(())
    };
    run(&content, (None, Stage::Copying), 0, &watched(&cancel), &mut take).unwrap();
    assert_eq!(seen, 4 * FARTHEST as u64);
}
