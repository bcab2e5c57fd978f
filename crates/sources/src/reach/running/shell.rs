//! Scripts of PowerShell one after the other, in one pool that a thread of its own keeps: starting PowerShell takes a host longer
//! than most scripts take.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use hvm_winrm::psrp::{Outcome, Pool, Record, Script};
use hvm_winrm::{Client, Error, Flow, Mending, Progress};

use super::Said;

/// Most bytes that a script may give out: a folder of 1,000,000 entries, or a piece of a file.
const MOST_OUTPUT: usize = 256 << 20;

/// What is to be run, and who wants to hear of it.
struct Job {
    script: Script,
    answer: SyncSender<Result<Said, Arc<Error>>>,
}

/// The way to the thread.
pub(super) struct Shell {
    host: String,
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Shell {
    /// Starts the thread; the host is asked when there is something to run.
    pub(super) fn start(client: Client, patience: Duration) -> Shell {
        let host = client.endpoint().to_string();
        let (jobs, waiting) = channel();
        let thread = spawn(move || serve(client, &waiting, patience));
        Shell { host, jobs: Mutex::new(Some(jobs)), thread: Some(thread) }
    }

    /// Runs a script to its end.
    pub(super) fn run(&self, script: Script) -> Result<Said, Arc<Error>> {
        let (answer, waiting) = sync_channel(1);
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_sent = jobs.as_ref().is_some_and(|jobs| jobs.send(Job { script, answer }).is_ok());
        drop(jobs);
        let ended = || {
            let reason = "what runs scripts there has ended".to_owned();
            Arc::new(Error::Remoting { endpoint: self.host.clone(), reason, known: Progress::Unknown })
        };
        if !is_sent {
            return Err(ended());
        }
        waiting.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// The pool is closed before the program goes on: Windows keeps one that is left for hours, and gives a user only some.
impl Drop for Shell {
    fn drop(&mut self) {
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to do with who drops this.
            let _ = thread.join();
        }
    }
}

fn serve(mut client: Client, jobs: &Receiver<Job>, patience: Duration) {
    let mut mending = Mending::new(patience);
    let mut next = jobs.recv().ok();
    while let Some(job) = next.take() {
        let lost = match client.open_pool() {
            Ok(mut pool) => {
                let lost = work(&mut pool, job, (jobs, &mut mending));
                // Over a new connection if the old one is lost.
                let _ = pool.close();
                lost
            }
            Err(error) => settle(job, error, &mut mending),
        };
        next = match lost {
            Some((job, wait)) => {
                client.hang_up();
                sleep(wait);
                Some(job)
            }
            None => jobs.recv().ok(),
        };
    }
}

/// Runs jobs until there are no more, or until one is to be run again in a new pool after a wait.
fn work(pool: &mut Pool<'_>, first: Job, (jobs, mending): (&Receiver<Job>, &mut Mending)) -> Option<(Job, Duration)> {
    let mut next = Some(first);
    while let Some(job) = next {
        match run(pool, &job.script) {
            Ok(said) => {
                mending.went_on();
                // Whoever asked may have gone.
                let _ = job.answer.send(Ok(said));
            }
            Err(error) => return settle(job, error, mending),
        }
        next = jobs.recv().ok();
    }
    None
}

/// Says how long to wait before a job is tried again, or tells whoever asked that it cannot be done.
fn settle(job: Job, error: Error, mending: &mut Mending) -> Option<(Job, Duration)> {
    match mending.next(&error) {
        Some(wait) => Some((job, wait)),
        None => {
            mending.went_on();
            // Whoever asked may have gone.
            let _ = job.answer.send(Err(Arc::new(error)));
            None
        }
    }
}

fn run(pool: &mut Pool<'_>, script: &Script) -> Result<Said, Error> {
    let (mut said, mut length) = (Said::default(), 0usize);
    let outcome = pool.run(script, &mut |record| {
        match record {
            Record::Output(value) => {
                let text = value.to_string();
                length = length.saturating_add(text.len() + size_of::<String>());
                if length <= MOST_OUTPUT {
                    said.output.push(text);
                }
            }
            Record::Error(error) => said.failed = Some(error.to_string()),
            _ => {}
        }
        if length > MOST_OUTPUT { Flow::Stop } else { Flow::GoOn }
    })?;
    match outcome {
        Outcome::Failed(error) => said.failed = Some(error.to_string()),
        _ if length > MOST_OUTPUT => said.failed = Some(format!("It said more than {MOST_OUTPUT} bytes.")),
        Outcome::Stopped => said.failed = Some("It was stopped on the host.".to_owned()),
        Outcome::Completed => {}
    }
    Ok(said)
}
