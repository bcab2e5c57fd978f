//! Runs scripts on this computer, each in a Windows PowerShell of its own. What is run comes on its standard input and what it
//! says on its standard output, both as base64: no code page, no limit of a command line and no rule for quotes touches them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hvm_winrm::Flow;
use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;

use crate::error::DestinationError;
use crate::hyperv::quote::literal;
use crate::live::session::{Ended, Runner, Said};

/// What the process itself runs.
const HERE: &str = include_str!("scripts/Here.ps1");
/// Where Windows has its PowerShell, below its own folder. A program of that name elsewhere is none to trust.
const PROGRAM: [&str; 4] = ["System32", "WindowsPowerShell", "v1.0", "powershell.exe"];
/// The variable that holds the folder of Windows.
const WINDOWS: &str = "SystemRoot";
/// Characters of a line of base64.
const WIDTH: usize = 1024;
/// Most bytes of a line that a script can say: more than all that is taken of it.
const LONGEST: u64 = 128 << 20;
/// Most bytes of what is written to the standard error that are told.
const TOLD: u64 = 4096;

/// This computer.
#[derive(Debug)]
pub(crate) struct Here {
    program: PathBuf,
}

impl Here {
    /// What it is called in messages.
    pub const NAME: &str = "this computer";

    /// This computer, when it is Windows.
    pub fn find() -> Option<Here> {
        let folder = std::env::var_os(WINDOWS).filter(|folder| !folder.is_empty()).map(PathBuf::from)?;
        Some(Here { program: PROGRAM.iter().fold(folder, |path, part| path.join(part)) })
    }

    fn start(&self) -> Result<Child, DestinationError> {
        Command::new(&self.program)
            .args(["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", &encoded(HERE)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(DestinationError::io(&self.program, "start"))
    }
}

/// A command as `powershell.exe -EncodedCommand` takes it.
pub(crate) fn encoded(command: &str) -> String {
    let bytes: Vec<u8> = command.encode_utf16().flat_map(u16::to_le_bytes).collect();
    BASE64_STANDARD.encode(bytes)
}

/// The script with its arguments as one text. `#requires` is for files.
fn composed(script: &Script) -> Result<String, DestinationError> {
    let lines: Vec<&str> = script.text.lines().filter(|line| !line.starts_with("#requires")).collect();
    let mut text = format!("& {{\n{}\n}}", lines.join("\n"));
    for (name, value) in &script.arguments {
        if let Some(name) = name {
            text.push_str(&format!(" -{name}"));
        }
        let value = match value {
            Value::Bool(truth) => format!("${truth}"),
            Value::I32(number) => number.to_string(),
            Value::I64(number) => format!("([long]{})", literal(&number.to_string())?),
            Value::Bytes(bytes) => format!("([System.Convert]::FromBase64String('{}'))", BASE64_STANDARD.encode(bytes)),
            other => literal(&other.to_string())?,
        };
        text.push_str(&format!(" {value}"));
    }
    Ok(text)
}

/// The same in lines, as the process reads it.
fn in_lines(text: &str) -> String {
    let base64 = BASE64_STANDARD.encode(text);
    base64.as_bytes().chunks(WIDTH).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

impl Runner for &Here {
    fn run(&mut self, script: &Script, hear: &mut dyn FnMut(Said) -> Flow) -> Result<Ended, DestinationError> {
        let text = in_lines(&composed(script)?);
        let mut child = self.start()?;
        let (said, wrong) = (child.stdout.take(), child.stderr.take().map(told));
        let given = child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes()));
        let ended = match (given, said) {
            (Some(Ok(())), Some(said)) => listen(&self.program, said, hear),
            // One that does not take it has ended, and what it wrote says why.
            _ => Ok(None),
        };
        if !matches!(ended, Ok(Some(Ended::Completed | Ended::Failed(_)))) {
            // It may have ended itself.
            let _ = child.kill();
        }
        let code = child.wait().map_err(DestinationError::io(&self.program, "wait for"))?;
        let wrong = wrong.and_then(|thread| thread.join().ok()).unwrap_or_default();
        match ended? {
            Some(ended) => Ok(ended),
            None if matches!(hear(Said::Nothing), Flow::Stop) => Ok(Ended::Stopped),
            None => Ok(Ended::Failed(format!("PowerShell ended with {code} before the script did. {wrong}"))),
        }
    }
}

/// The beginning of what is written to the standard error; all of it is read, so that nobody waits for that.
fn told(stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut stderr = stderr;
        let mut bytes = Vec::new();
        let read = stderr.by_ref().take(TOLD).read_to_end(&mut bytes);
        let rest = std::io::copy(&mut stderr, &mut std::io::sink());
        match (read, rest) {
            (Ok(_), Ok(_)) => String::from_utf8_lossy(&bytes).trim().to_owned(),
            _ => String::new(),
        }
    })
}

/// Hears a script to its end; nothing when what it says ends before that.
fn listen(
    program: &Path,
    stdout: ChildStdout,
    hear: &mut dyn FnMut(Said) -> Flow,
) -> Result<Option<Ended>, DestinationError> {
    let mut lines = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(DestinationError::io(program, "read what comes of"))? == 0 {
            return Ok(None);
        }
        match part(&line) {
            Some(("output", text)) => {
                if matches!(hear(Said::Output(text)), Flow::Stop) {
                    return Ok(Some(Ended::Stopped));
                }
            }
            Some(("error", text)) => return Ok(Some(Ended::Failed(text))),
            Some(("end", _)) => return Ok(Some(Ended::Completed)),
            // What a cmdlet writes past the pipeline is nothing of the script.
            _ => {}
        }
    }
}

/// A word and the text behind it.
fn part(line: &[u8]) -> Option<(&'static str, String)> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (word, text) = line.split_once(' ').unwrap_or((line, ""));
    let word = ["output", "error", "end"].into_iter().find(|known| *known == word)?;
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    Some((word, String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stay_data() {
        let script = Script::new("param($Path)")
            .with("Path", Value::Text("it's; Remove-VM ‘x".to_owned()))
            .with("Taken", Value::Bool(true))
            .with("From", Value::I32(-3))
            .with("Length", Value::I64(1 << 40));
        let wanted =
            "& {\nparam($Path)\n} -Path 'it''s; Remove-VM ‘‘x' -Taken $true -From -3 -Length ([long]'1099511627776')";
        assert_eq!(composed(&script).unwrap(), wanted);
        let nul = Script::new("").with("Path", Value::Text("a\0b".to_owned()));
        assert!(composed(&nul).is_err());
    }

    #[test]
    fn lines_are_short_and_whole() {
        let text = "ä".repeat(3000);
        let lines = in_lines(&text);
        assert!(lines.lines().all(|line| line.len() <= WIDTH) && lines.lines().count() > 1);
        assert_eq!(BASE64_STANDARD.decode(lines.lines().collect::<String>()).unwrap(), text.as_bytes());
        assert_eq!(part(b"output w7w=\r\n"), Some(("output", "ü".to_owned())));
        assert_eq!(part(b"end \r\n"), Some(("end", String::new())));
        for other in ["", "output", "outputs AA==", "output ???", "WARNING: x"] {
            assert!(part(other.as_bytes()).is_none_or(|(word, text)| word == "output" && text.is_empty()), "{other}");
        }
    }
}
