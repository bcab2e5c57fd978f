//! A host that runs, over Windows Remote Management: [`registry`] by `StdRegProv`, [`answers`] by WQL, and where its shares are
//! not read, [`tree`] and [`file`] by two scripts of PowerShell that only read. Names of the host are sent as values and are
//! never part of a script or of a query's grammar. [`Link`] holds the two connections, and mends them: whatever is asked here may
//! be asked twice.

pub(crate) mod answers;
mod convert;
mod file;
pub(crate) mod registry;
mod shell;
pub(crate) mod tree;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use hvm_winrm::psrp::Script;
use hvm_winrm::{Client, Endpoint, Error, FaultKind, Flow, Instance, Login, Mending, Options, Query};

use self::shell::Shell;

/// How long the host may be away before that is an error.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long one WMI query may take until its first answer: providers of Hyper-V are slow when there are many machines. The host gives
/// it its own `MaxTimeoutms` at most, 60 seconds by default, and is asked again then.
const OPERATION: Duration = Duration::from_secs(120);
/// How often one question is put again that the host had no time for.
const SLOW: u32 = 5;
/// Version of the service from which on it takes a larger envelope by default: that of Windows Server 2012.
const NEWER_STACK: u32 = 3;
/// Bytes of an envelope then (`MaxEnvelopeSizekb`).
const LARGE_ENVELOPE: u32 = 512_000;
/// Most objects of one answer.
const MAX_OBJECTS: usize = 500_000;

/// The two connections to a host.
pub(crate) struct Link {
    host: String,
    client: Mutex<Client>,
    shell: Shell,
    /// Why the host cannot be asked any more; nothing is asked then until somebody tries again.
    lost: Mutex<Option<Arc<Error>>>,
}

/// What a script said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its output, as texts.
    pub(super) output: Vec<String>,
    /// The error that ended it.
    pub(super) failed: Option<String>,
}

impl Link {
    /// Says a word to the host: a wrong name, a wrong password or a wrong certificate is known then.
    pub(crate) fn connect(endpoint: &Endpoint, login: &Login) -> Result<Link, Arc<Error>> {
        let client = |options| Client::new(endpoint.clone(), login.clone(), options);
        let version = client(Options::default()).identify().map_err(Arc::new)?.version;
        let envelope = if stack(&version) >= NEWER_STACK { LARGE_ENVELOPE } else { Options::default().envelope };
        let options = Options { envelope, ..Options::default() };
        Ok(Link {
            host: endpoint.host().to_owned(),
            client: Mutex::new(client(Options { operation: OPERATION, ..options.clone() })),
            shell: Shell::start(client(options), PATIENCE),
            lost: Mutex::default(),
        })
    }

    /// Name of the host, as the URI has it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Why the host cannot be asked any more.
    pub(crate) fn lost(&self) -> Option<Arc<Error>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the host be asked again after it was lost.
    pub(crate) fn try_again(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Asks something that may be asked twice.
    pub(super) fn ask<T>(&self, mut ask: impl FnMut(&mut Client) -> Result<T, Error>) -> Result<T, Arc<Error>> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mending = Mending::new(PATIENCE);
        let mut slow = 0;
        loop {
            let error = match ask(&mut client) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if slow < SLOW && error.fault().is_some_and(|fault| fault.kind() == FaultKind::TimedOut) {
                slow += 1;
                continue;
            }
            let Some(wait) = mending.next(&error) else { return Err(self.failed(error.into())) };
            client.hang_up();
            sleep(wait);
        }
    }

    /// All objects that a query finds.
    pub(crate) fn query(&self, namespace: &str, wql: &str) -> Result<Vec<Instance>, String> {
        let query = Query::new(namespace, wql);
        let found = self.ask(|client| {
            let mut found = Vec::new();
            client.query(&query, &mut |object| {
                found.push(object);
                if found.len() > MAX_OBJECTS { Flow::Stop } else { Flow::GoOn }
            })?;
            Ok(found)
        });
        match found {
            Ok(found) if found.len() > MAX_OBJECTS => {
                Err(format!("{} gave more than {MAX_OBJECTS} objects for '{wql}'.", self.host))
            }
            Ok(found) => Ok(found),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Runs a script that may be run twice.
    pub(super) fn run(&self, script: Script) -> Result<Said, Arc<Error>> {
        match self.lost() {
            Some(lost) => Err(lost),
            None => self.shell.run(script).map_err(|error| self.failed(error)),
        }
    }

    /// Remembers an error after which nothing else can be asked either.
    fn failed(&self, error: Arc<Error>) -> Arc<Error> {
        let is_of_one_question = matches!(
            &*error,
            Error::Fault(_)
                | Error::Answer { .. }
                | Error::TooLarge { .. }
                | Error::Unwritable { .. }
                | Error::Oversized { .. }
                | Error::Input { .. }
                | Error::Remoting { .. }
        );
        if !is_of_one_question {
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&error));
        }
        error
    }
}

/// The version of the service out of what it says of itself, such as `OS: 6.1.7601 SP: 1.0 Stack: 2.0`.
fn stack(version: &str) -> u32 {
    let number = version.split_once("Stack:").map(|(_, rest)| rest.trim_start());
    number.and_then(|rest| rest.split(['.', ' ']).next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_of_a_service() {
        assert_eq!(super::stack("OS: 6.1.7601 SP: 1.0 Stack: 2.0"), 2);
        assert_eq!(super::stack("OS: 10.0.20348 SP: 0.0 Stack: 3.0"), 3);
        assert_eq!((super::stack(""), super::stack("OS: 0.0.0 SP: 0.0 Stack: x")), (0, 0));
    }
}
