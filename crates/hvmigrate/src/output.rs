//! Standard output and standard error: data goes to the first, everything else to the second. A reader that went away
//! (`hvmigrate assess | head`) is no error: what is left is dropped and the work goes on.

use std::io::{self, IsTerminal, Write};

use crate::messages::Failure;

/// Writes data to standard output.
pub fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed("Standard output could not be written.").caused_by(error))
        }
        _ => Ok(()),
    }
}

/// Writes a line for people to standard error; a closed standard error is nobody's loss.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes JSON to standard output, indented, with a line end.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    data(&(pretty(value)? + "\n"))
}

/// A document as indented JSON.
pub fn pretty<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed("The document could not be written as JSON.").caused_by(error))
}

/// True when a person looks at standard error, so that a moving bar makes sense.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}
