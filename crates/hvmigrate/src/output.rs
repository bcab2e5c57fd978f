//! Standard output and standard error: data goes to the first, everything else to the second. A reader that went away
//! (`hvmigrate assess | head`) is no error: what is left is dropped and the work goes on. Names, labels and paths come from
//! disks that strangers wrote, so nothing that could command a terminal leaves the program.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use crate::messages::Failure;

/// Writes data to standard output.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(visible(text).as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed("Standard output could not be written.").caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Writes a line for people to standard error; a closed standard error is nobody's loss.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(line));
}

/// Writes JSON to standard output, indented, with a line end.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    data(&(pretty(value)? + "\n"))
}

/// A document as indented JSON.
pub fn pretty<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| json_visible(&text))
        .map_err(|error| Failure::failed("The document could not be written as JSON.").caused_by(error))
}

/// JSON with the characters that [`commands`] means, which can only stand inside its strings, escaped as JSON does it.
pub fn json_visible(text: &str) -> String {
    escaped(text, |c| commands(c) && !c.is_ascii_control() || c == '\u{7f}', |c| format!("\\u{:04x}", u32::from(c)))
        .into_owned()
}

/// A value that stands on one line of its own: a name that holds a line end must not look like a line of the program.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| commands(c) || c.is_control(), |c| c.escape_default().to_string())
}

/// The text with what could command a terminal shown as `\u{1b}`.
fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, commands, |c| c.escape_unicode().to_string())
}

fn escaped(text: &str, wanted: impl Fn(char) -> bool, shown: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&wanted) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if wanted(c) { shown(c) } else { c.to_string() }).collect())
}

/// Control characters but line ends and tabs, which text is made of, and what turns the direction of writing around, so that
/// a name looks like another one.
fn commands(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

/// True when a person looks at standard error, so that a moving bar makes sense.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown() {
        assert_eq!(visible("\u{1b}[31mred\u{7}\n\tnext"), "\\u{1b}[31mred\\u{7}\n\tnext");
        assert_eq!(visible("gpj.\u{202e}exe\u{9b}2J"), "gpj.\\u{202e}exe\\u{9b}2J");
        assert!(matches!(visible("Büro 日本 \u{1f600}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_value_keeps_to_its_line() {
        assert_eq!(one_line("L0.vhd\n  remark       all is well\u{1b}"), "L0.vhd\\n  remark       all is well\\u{1b}");
        assert_eq!(one_line("Büro"), "Büro");
    }

    #[test]
    fn json_stays_json() {
        let name = "a\u{1b}\u{7f}\u{9b}\u{202e}\"\\\n";
        let text = pretty(&[name]).unwrap();
        assert!(!text.contains(|c: char| commands(c)), "{text}");
        assert_eq!(visible(&text), text);
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [name]);
    }
}
