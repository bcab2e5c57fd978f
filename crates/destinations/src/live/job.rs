//! Runs a script of the kit on the host as a scheduled task, which nobody has to stay connected for, and follows it.
//!
//! A process of a remote shell ends with its shell. A scheduled task does not: it is no child of the shell, runs as the system
//! without a password, and the cmdlets for it are the same in each release since Windows Server 2012. The task runs
//! `Invoke-KitJob.ps1`, which leaves a log and a result in the folder `live` of the kit.

use std::time::Duration;

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;
use serde::Deserialize;

use crate::destination::HostWatch;
use crate::error::DestinationError;
use crate::hyperv::quote::literal;
use crate::live::claim;
use crate::live::here::encoded;
use crate::live::pace::nap;
use crate::live::place::Place;
use crate::live::session::{Session, Talk, text};

/// The script that the task runs, with its name in the kit.
pub(crate) const RUNNER: (&str, &str) = ("Invoke-KitJob.ps1", include_str!("scripts/Invoke-KitJob.ps1"));

const START: &str = include_str!("scripts/Start.ps1");
const POLL: &str = include_str!("scripts/Poll.ps1");
const FORGET: &str = include_str!("scripts/Forget.ps1");

/// Time between two looks at a job.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks at a task that does not run, until its result counts as missing: one that was just started may not run yet.
const LOOKS_AFTER_END: u32 = 10;
/// How often a job is started that ends without a result, as when the host is started anew.
const MOST_STARTS: u32 = 3;
/// What a line of the log begins with that was a warning.
const WARNING: &str = "Warning: ";

/// Most warnings that are kept: a host that never stops to warn does not fill the memory.
const MOST_WARNINGS: usize = 1000;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Import,
    Test,
    Undo,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Import => "Import",
            Kind::Test => "Test",
            Kind::Undo => "Undo",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Kind::Import => "Import-HyperVRole.ps1",
            Kind::Test => "Test-HyperVRole.ps1",
            Kind::Undo => "Undo-HyperVRole.ps1",
        }
    }
}

/// A job in the folder of the kit.
#[derive(Debug)]
pub(crate) struct Task<'p> {
    /// Where the kit lies.
    pub place: &'p Place,
    /// What the folder is marked with.
    pub owner: &'p str,
    /// What is run.
    pub kind: Kind,
    /// Names this run: one that succeeded under the name already is not run again.
    pub run: String,
}

/// `live\JOB.json`.
#[derive(Debug, Deserialize)]
struct JobResult {
    run: String,
    succeeded: bool,
    message: String,
}

/// What is known of a job.
#[derive(Default)]
struct Seen {
    state: String,
    lines: Vec<String>,
    result: Option<JobResult>,
}

impl Seen {
    fn is_running(&self) -> bool {
        ["Running", "Queued"].contains(&self.state.as_str())
    }
}

/// What has been followed of a job so far; it outlives a connection.
#[derive(Default)]
struct Followed {
    /// How many lines of its log were read.
    lines: usize,
    /// The last of them.
    last: String,
    /// What it warned of.
    warned: Vec<String>,
    starts: u32,
    idle: u32,
    is_started: bool,
}

impl Followed {
    fn hear(&mut self, line: String) {
        self.lines += 1;
        if let (Some(warning), true) = (line.strip_prefix(WARNING), self.warned.len() < MOST_WARNINGS) {
            self.warned.push(warning.to_owned());
        }
        self.last = line;
    }
}

impl Task<'_> {
    /// Runs it to its end and gives what it warned of.
    pub fn run(&self, session: &Session, watch: &dyn HostWatch) -> Result<Vec<String>, DestinationError> {
        let mut followed = Followed::default();
        let result = session.work(watch, &mut |talk| self.follow(talk, &mut followed))?;
        if result.succeeded {
            return Ok(followed.warned);
        }
        let (host, script) = (self.place.host.clone(), self.kind.script());
        Err(DestinationError::Job { host, script, message: result.message, said: followed.warned })
    }

    fn follow(&self, talk: &mut Talk<'_>, followed: &mut Followed) -> Result<JobResult, DestinationError> {
        loop {
            talk.stop_if_asked()?;
            if !followed.is_started {
                self.start(talk, followed)?;
            }
            let seen = self.poll(talk, followed.lines)?;
            let is_running = seen.is_running();
            for line in seen.lines {
                talk.watch().note(&format!("{}: {line}", talk.host()));
                followed.hear(line);
            }
            followed.idle = if is_running { 0 } else { followed.idle + 1 };
            match seen.result {
                // The task that has left its result may still be ending: it is taken away when it has.
                Some(result) if result.run == self.run && !is_running => {
                    self.forget(talk)?;
                    return Ok(result);
                }
                _ if followed.idle >= LOOKS_AFTER_END => *followed = self.again(talk, followed)?,
                _ => nap(PAUSE, talk.watch()),
            }
        }
    }

    fn start(&self, talk: &mut Talk<'_>, followed: &mut Followed) -> Result<(), DestinationError> {
        // What is started here is run as the system.
        claim::ours(talk, self.place, self.owner)?;
        let doing = "start a job of the kit";
        let script = Script::new(START)
            .with("Folder", text(&self.place.folder))
            .with("Name", text(&self.name()))
            .with("Runner", text(&self.place.path(RUNNER.0)))
            .with("Argument", text(&self.argument()?))
            .with("Job", text(self.kind.word()))
            .with("Run", text(&self.run));
        let answer = talk.ask(doing, &script)?;
        match answer.as_str() {
            "started" => followed.starts += 1,
            "running" => talk.watch().note(&format!("A job is running on {} already and is waited for.", talk.host())),
            "ended" => {}
            "gone" => return Err(claim::gone(talk, self.place)),
            _ => return Err(talk.not_understood(doing, &answer)),
        }
        followed.is_started = true;
        Ok(())
    }

    /// The job left no result of this run: another one was running, or this one was cut off.
    fn again(&self, talk: &Talk<'_>, followed: &Followed) -> Result<Followed, DestinationError> {
        if followed.starts < MOST_STARTS {
            return Ok(Followed { starts: followed.starts, ..Followed::default() });
        }
        let last = followed.last.clone();
        let (host, script) = (talk.host(), self.kind.script());
        Err(DestinationError::NoResult { host, script, starts: followed.starts, last })
    }

    fn poll(&self, talk: &mut Talk<'_>, from: usize) -> Result<Seen, DestinationError> {
        let doing = "look at a job of the kit";
        let script = Script::new(POLL)
            .with("Folder", text(&self.place.folder))
            .with("Name", text(&self.name()))
            .with("Job", text(self.kind.word()))
            .with("From", Value::I32(i32::try_from(from).unwrap_or(i32::MAX)));
        let mut seen = Seen::default();
        for part in talk.run(doing, &script)? {
            match part.split_once(':') {
                Some(("state", state)) => seen.state = state.to_owned(),
                Some(("line", line)) => seen.lines.push(line.to_owned()),
                Some(("result", json)) => {
                    let result = serde_json::from_str(json.trim_start_matches('\u{feff}'));
                    seen.result = Some(result.map_err(|_| talk.not_understood(doing, json))?);
                }
                _ => return Err(talk.not_understood(doing, &part)),
            }
        }
        Ok(seen)
    }

    fn forget(&self, talk: &mut Talk<'_>) -> Result<(), DestinationError> {
        talk.run("take the task of a job away", &Script::new(FORGET).with("Name", text(&self.name()))).map(|_| ())
    }

    /// The name of the task: one for each folder of a kit, which nobody else on the host can tell before.
    fn name(&self) -> String {
        let text = format!("{}\n{}", self.owner, self.place.folder.to_lowercase());
        let hash = blake3::hash(text.as_bytes()).to_hex();
        format!("hvmigrate {}", hash.get(..16).unwrap_or_default())
    }

    /// The arguments of `powershell.exe`. The command is encoded, so that neither its own rules for quotes nor the variables
    /// that the task scheduler expands touch the folder's name.
    fn argument(&self) -> Result<String, DestinationError> {
        let runner = literal(&self.place.path(RUNNER.0))?;
        let command = format!("& {runner} -Job {} -Run {}", literal(self.kind.word())?, literal(&self.run)?);
        Ok(format!("-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {}", encoded(&command)))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn the_folder_of_the_kit_cannot_become_code() {
        let folder = r"D:\it's; Remove-VM %TEMP% ‘x".to_owned();
        let place = Place { host: "hv2".to_owned(), port: None, folder };
        let task = Task { place: &place, owner: "me", kind: Kind::Import, run: "abc".to_owned() };
        let argument = task.argument().unwrap();
        let bytes = BASE64_STANDARD.decode(argument.rsplit(' ').next().unwrap()).unwrap();
        let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let wanted = r"& 'D:\it''s; Remove-VM %TEMP% ‘‘x\Invoke-KitJob.ps1' -Job 'Import' -Run 'abc'";
        assert_eq!(String::from_utf16(&units).unwrap(), wanted);
        assert!(!argument.contains(['%', '\'', '"']));
        assert_eq!(task.name().len(), "hvmigrate ".len() + 16);
    }
}
