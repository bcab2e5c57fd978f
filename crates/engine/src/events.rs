//! What the engine tells while it works, and what it asks. Every method has a default that does nothing.

use hvm_model::plan::Step;
use hvm_transfer::{Cancel, Progress, Stage, Watch};
use hvm_winrm::{PasswordError, PasswordWanted, Secret};

/// Hears what happens, may ask to stop, and is asked for what only a person knows.
pub trait Observer {
    /// Work on a list of steps begins.
    fn steps(&self, verb: &str, total: usize) {
        let _ = (verb, total);
    }
    /// A step begins; `number` counts from 1.
    fn step_started(&self, number: usize, step: &Step) {
        let _ = (number, step);
    }
    /// A step is done.
    fn step_done(&self, number: usize, step: &Step, seconds: f64) {
        let _ = (number, step, seconds);
    }
    /// Bytes of this subject are about to be moved, read or compared.
    fn bytes_started(&self, subject: &str, stage: Stage, total: u64) {
        let _ = (subject, stage, total);
    }
    /// So many bytes more.
    fn bytes_advanced(&self, bytes: u64) {
        let _ = bytes;
    }
    /// All bytes of the subject are dealt with.
    fn bytes_finished(&self) {}
    /// Something worth knowing, a whole sentence.
    fn note(&self, text: &str) {
        let _ = text;
    }
    /// True when the work shall stop as soon as it safely can. Asked often.
    fn is_cancelled(&self) -> bool {
        false
    }
    /// The password of a user on a host; `None` when nobody can be asked. It is asked for once in a run, and kept nowhere.
    fn password(&self, wanted: &PasswordWanted) -> Result<Option<Secret>, PasswordError> {
        let _ = wanted;
        Ok(None)
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observer for Quiet {}

/// Passes what a transfer tells on to an observer.
pub(crate) struct Relay<'a> {
    observer: &'a dyn Observer,
    subject: String,
    cancel: Cancel,
}

impl<'a> Relay<'a> {
    pub(crate) fn new(observer: &'a dyn Observer, subject: impl Into<String>) -> Self {
        Relay { observer, subject: subject.into(), cancel: Cancel::new() }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        self.observer
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch { progress: self, cancel: &self.cancel, rate: None }
    }
}

impl Progress for Relay<'_> {
    fn started(&self, stage: Stage, total: u64) {
        self.observer.bytes_started(&self.subject, stage, total);
    }

    fn advanced(&self, bytes: u64) {
        self.observer.bytes_advanced(bytes);
        if self.observer.is_cancelled() {
            self.cancel.cancel();
        }
    }

    fn finished(&self) {
        self.observer.bytes_finished();
    }
}
