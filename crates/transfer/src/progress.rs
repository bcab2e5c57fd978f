//! What a long copy tells its caller, and how the caller stops it; nothing here knows a terminal.

use std::sync::atomic::{AtomicBool, Ordering};

/// What is being done with the bytes that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the source and writing the copy.
    Copying,
    /// Reading the written file back.
    ReadingBack,
    /// Hashing only.
    Hashing,
    /// Comparing with a manifest.
    Checking,
}

/// Hears how far a job is. Called from the thread that runs the job.
pub trait Progress {
    /// A stage begins that will go over `total` bytes.
    fn started(&self, stage: Stage, total: u64);
    /// So many bytes more are dealt with.
    fn advanced(&self, bytes: u64);
    /// The stage is over.
    fn finished(&self);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _stage: Stage, _total: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
}

/// A switch that stops a job at the next block; what was flushed stays for the next run.
#[derive(Debug, Default)]
pub struct Cancel(AtomicBool);

impl Cancel {
    /// Not cancelled.
    pub const fn new() -> Self {
        Cancel(AtomicBool::new(false))
    }

    /// Asks the job to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True when it was asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
