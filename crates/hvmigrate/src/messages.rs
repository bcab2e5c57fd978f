//! Turns errors into messages, hints that can be pasted, and exit codes.

use std::error::Error;
use std::process::ExitCode;

use hvm_engine::EngineError;

use crate::output;

/// How a command ended; the numbers are part of the command line's contract. 2, wrong usage, is given by clap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done,
    /// The tool could not do it.
    Failed,
    /// Findings, or steps that wait for a person, stand in the way.
    Blocked,
    /// A verification found differences.
    Differs,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Blocked => 3,
            Exit::Differs => 4,
        })
    }
}

/// An error as it is shown.
#[derive(Debug)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    exit: Exit,
}

impl Failure {
    /// Something could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Failure { message: message.into(), causes: Vec::new(), hints: Vec::new(), exit: Exit::Failed }
    }

    /// Adds what caused it, with its own causes.
    pub fn caused_by(mut self, error: impl Error) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(causes_of(&error));
        self
    }

    /// Adds what can be done next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Shows it on standard error and says how the program ends.
    pub fn show(&self) -> Exit {
        output::note(&self.to_text());
        self.exit
    }

    fn to_text(&self) -> String {
        let mut text = format!("Error: {}", output::one_line(&self.message));
        for cause in &self.causes {
            text.push_str(&format!("\nCaused by: {}", output::one_line(cause)));
        }
        for hint in &self.hints {
            text.push_str(&format!("\nHint: {hint}"));
        }
        text
    }
}

/// The causes of an error, outermost first; a cause that the message before it says already is left out.
fn causes_of(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut last = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !last.contains(&text) {
            causes.push(text.clone());
            last = text;
        }
        next = cause.source();
    }
    causes
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let mut failure = Failure::failed(error.to_string());
        if let EngineError::Blocked { .. } = error {
            failure.exit = Exit::Blocked;
        }
        failure.causes = causes_of(&error);
        failure.hints.extend(error.hint());
        failure
    }
}

/// Quotes a text for the shell of this system, so that hints can be pasted whatever names hold: PowerShell on Windows, else a
/// POSIX shell.
pub fn shell_quote(text: &str) -> String {
    if cfg!(windows) { powershell_quote(text) } else { posix_quote(text) }
}

fn posix_quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// PowerShell takes the typographic apostrophes for apostrophes, makes an array of a comma, and a variable of an at sign.
fn powershell_quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=%+\\".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let doubled = |c: char| std::iter::repeat_n(c, if matches!(c, '\'' | '\u{2018}'..='\u{201b}') { 2 } else { 1 });
    format!("'{}'", text.chars().flat_map(doubled).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_shows_its_causes_and_hints() {
        let failure = Failure::failed("It broke.").caused_by(Outer(std::io::Error::other("disk gone"))).hint("buy one");
        assert_eq!(failure.to_text(), "Error: It broke.\nCaused by: outer\nCaused by: disk gone\nHint: buy one");
        assert_eq!(failure.exit, Exit::Failed);
    }

    #[test]
    fn quoting_for_powershell_doubles_what_ends_a_literal() {
        for (text, quoted) in [
            ("plain", "plain"),
            (r"C:\Kit", r"C:\Kit"),
            ("", "''"),
            ("it's", "'it''s'"),
            ("a\u{2019}; calc", "'a\u{2019}\u{2019}; calc'"),
            ("@all", "'@all'"),
            ("a,b", "'a,b'"),
            ("$(calc)", "'$(calc)'"),
        ] {
            assert_eq!(powershell_quote(text), quoted);
        }
    }

    #[test]
    fn quoting_survives_a_real_shell() {
        for text in ["plain", "", "a b", "it's", "\"x\" & $(rm -rf /)", "`id`", "Büro 'α' 日本", "a\nb", "*", "~"] {
            let command = format!("printf %s {}", posix_quote(text));
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
