//! A session with a host: scripts one after the other, on another computer in one pool of PowerShell over connections that are
//! made anew when one is lost, on this one as [`Here`] runs them. Whatever is run here may be run twice: what became of a script
//! whose answer did not come is not known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::{Outcome, Pool, Record, Script};
use hvm_winrm::{Client, Endpoint, Error, Flow, Login, Mending, Options};

use crate::destination::HostWatch;
use crate::error::DestinationError;
use crate::live::here::Here;
use crate::live::pace::nap;

/// Bytes of an envelope: what Windows Server 2012 and later take by default (`MaxEnvelopeSizekb`).
const ENVELOPE: u32 = 512_000;
/// How long a host may be away before that is an error. The import of an external virtual network cuts its own connection
/// for some seconds, and a host that starts again needs minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Time after a connection was lost, before anything is said to the host again.
const BREATH: Duration = Duration::from_secs(1);

/// Most bytes that a script may give out: the longest are what a host saw, and the log of a job.
const MOST_OUTPUT: usize = 64 << 20;

/// What a job does with a host; it goes on where it was when it is called again.
pub(crate) type Job<'j, T> = &'j mut dyn FnMut(&mut Talk<'_>) -> Result<T, DestinationError>;

/// What a script says.
pub(crate) enum Said {
    Output(String),
    /// An error that did not end it.
    Error(String),
    /// It still runs.
    Nothing,
}

/// How a script ended.
pub(crate) enum Ended {
    Completed,
    /// With this error.
    Failed(String),
    /// Because whoever listens wanted it.
    Stopped,
}

/// What runs scripts one after the other.
pub(crate) trait Runner {
    /// Runs a script to its end, or until who hears it has enough.
    fn run(&mut self, script: &Script, hear: &mut dyn FnMut(Said) -> Flow) -> Result<Ended, DestinationError>;
}

/// How a host is reached.
#[derive(Debug)]
pub(crate) enum Session {
    /// Over Windows Remote Management.
    There(Remote),
    /// It is this computer.
    Here(Here),
}

impl Session {
    /// Does a job with the host, as often as the connection breaks.
    pub fn work<T>(&self, watch: &dyn HostWatch, job: Job<'_, T>) -> Result<T, DestinationError> {
        match self {
            Session::There(remote) => remote.work(watch, job),
            Session::Here(here) => {
                let mut runner = here;
                job(&mut Talk { runner: &mut runner, host: Here::NAME, watch, done: 0 })
            }
        }
    }
}

/// A host that is reached over Windows Remote Management.
#[derive(Debug)]
pub(crate) struct Remote {
    endpoint: Endpoint,
    login: Login,
    options: Options,
    /// Whether the host ever answered: a wrong name or port is told at once.
    is_known: AtomicBool,
}

/// Runs scripts on a host.
pub(crate) struct Talk<'t> {
    runner: &'t mut dyn Runner,
    host: &'t str,
    watch: &'t dyn HostWatch,
    done: u64,
}

impl Remote {
    /// A host to which nothing was said yet.
    pub fn new(endpoint: Endpoint, login: Login) -> Remote {
        let options = Options { envelope: ENVELOPE, ..Options::default() };
        Remote { endpoint, login, options, is_known: AtomicBool::new(false) }
    }

    fn work<T>(&self, watch: &dyn HostWatch, job: Job<'_, T>) -> Result<T, DestinationError> {
        let mut client = Client::new(self.endpoint.clone(), self.login.clone(), self.options.clone());
        let mut mending = Mending::new(PATIENCE);
        loop {
            let mut done = 0;
            let error = match self.once(&mut client, watch, (&mut *job, &mut done)) {
                Err(DestinationError::Winrm(error)) => error,
                other => return other,
            };
            if done > 0 {
                mending.went_on();
            }
            let is_known = self.is_known.load(Ordering::Relaxed);
            let Some(wait) = mending.next(&error).filter(|_| is_known) else {
                return Err(DestinationError::Winrm(error));
            };
            if mending.is_first() {
                watch.note(&format!("The connection to {} was lost and is made anew.", self.endpoint.host()));
            }
            client.hang_up();
            nap(wait, watch);
            if watch.is_cancelled() {
                return Err(DestinationError::Cancelled);
            }
        }
    }

    fn once<T>(
        &self,
        client: &mut Client,
        watch: &dyn HostWatch,
        (job, done): (Job<'_, T>, &mut u64),
    ) -> Result<T, DestinationError> {
        let mut pool = client.open_pool().map_err(winrm)?;
        self.is_known.store(true, Ordering::Relaxed);
        let mut talk = Talk { runner: &mut pool, host: self.endpoint.host(), watch, done: 0 };
        let result = job(&mut talk);
        *done = talk.done;
        if matches!(&result, Err(DestinationError::Winrm(error)) if error.is_lost()) {
            nap(BREATH, watch);
        }
        // Over a new connection if the old one is lost: Windows gives a user 30 pools, and one that cannot be closed now
        // expires only after two hours.
        let _ = pool.close();
        result
    }
}

fn winrm(error: Error) -> DestinationError {
    DestinationError::Winrm(Box::new(error))
}

impl Runner for Pool<'_> {
    fn run(&mut self, script: &Script, hear: &mut dyn FnMut(Said) -> Flow) -> Result<Ended, DestinationError> {
        let mut heard = |record: Record| match record {
            Record::Output(value) => hear(Said::Output(value.to_string())),
            Record::Error(error) => hear(Said::Error(error.to_string())),
            _ => hear(Said::Nothing),
        };
        match Pool::run(self, script, &mut heard).map_err(winrm)? {
            Outcome::Completed => Ok(Ended::Completed),
            Outcome::Failed(error) => Ok(Ended::Failed(error.to_string())),
            Outcome::Stopped => Ok(Ended::Stopped),
        }
    }
}

impl Talk<'_> {
    /// The host's name.
    pub fn host(&self) -> String {
        self.host.to_owned()
    }

    /// Runs a script to its end and gives its output as texts. `doing` completes "it was not possible to".
    pub fn run(&mut self, doing: &'static str, script: &Script) -> Result<Vec<String>, DestinationError> {
        let mut output: Vec<String> = Vec::new();
        self.hear(doing, script, &mut |text| output.push(text))?;
        Ok(output)
    }

    /// Runs a script to its end; each text of its output is heard when it comes.
    pub fn hear(
        &mut self,
        doing: &'static str,
        script: &Script,
        each: &mut dyn FnMut(String),
    ) -> Result<(), DestinationError> {
        let (mut length, mut failed) = (0usize, None);
        let watch = self.watch;
        let ended = self.runner.run(script, &mut |said| {
            match said {
                Said::Output(text) => {
                    length = length.saturating_add(text.len() + size_of::<String>());
                    if length <= MOST_OUTPUT {
                        each(text);
                    }
                }
                Said::Error(error) => failed = Some(error),
                Said::Nothing => {}
            }
            if watch.is_cancelled() || length > MOST_OUTPUT { Flow::Stop } else { Flow::GoOn }
        });
        let failed = match ended? {
            _ if length > MOST_OUTPUT => {
                let message = format!("it said more than {MOST_OUTPUT} bytes.");
                return Err(DestinationError::Script { host: self.host(), doing, message });
            }
            Ended::Stopped => return Err(DestinationError::Cancelled),
            Ended::Failed(error) => Some(error),
            Ended::Completed => failed,
        };
        self.done += 1;
        match failed {
            Some(message) => Err(DestinationError::Script { host: self.host(), doing, message }),
            None => Ok(()),
        }
    }

    /// Runs a script that answers with one text.
    pub fn ask(&mut self, doing: &'static str, script: &Script) -> Result<String, DestinationError> {
        let output = self.run(doing, script)?;
        match <[String; 1]>::try_from(output) {
            Ok([answer]) => Ok(answer),
            Err(output) => Err(self.not_understood(doing, &output.join(" "))),
        }
    }

    /// The error for an answer that says nothing.
    pub fn not_understood(&self, doing: &'static str, answer: &str) -> DestinationError {
        let answer = answer.chars().take(200).collect();
        DestinationError::Answer { host: self.host(), doing, answer }
    }

    /// Stops when that was asked for.
    pub fn stop_if_asked(&self) -> Result<(), DestinationError> {
        if self.watch.is_cancelled() { Err(DestinationError::Cancelled) } else { Ok(()) }
    }

    /// Who listens.
    pub fn watch(&self) -> &dyn HostWatch {
        self.watch
    }
}

/// A text as the value of a parameter.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
