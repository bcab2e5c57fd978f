//! What can go wrong while a new host is written.

use std::path::PathBuf;

/// A destination could not be opened, written or read back.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The URI names no destination that there is.
    #[error("'{uri}' names no destination. There are: {known}.")]
    UnknownScheme {
        /// As given.
        uri: String,
        /// The forms that there are.
        known: String,
    },
    /// A parameter that the destination does not have.
    #[error("The destination '{uri}' has no parameter '{parameter}'. Its parameters are: {known}.")]
    UnknownParameter {
        /// As given.
        uri: String,
        /// The parameter.
        parameter: String,
        /// All that there are.
        known: String,
    },
    /// A parameter whose value cannot be used.
    #[error("The parameter '{parameter}' of the destination has the value '{value}': {expected}.")]
    BadParameter {
        /// The parameter.
        parameter: String,
        /// Its value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// A file or folder could not be read or written.
    #[error("Could not {action} '{}'.", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not what hvmigrate writes.
    #[error("'{}' cannot be read back: {message}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What is wrong, with its place.
        message: String,
    },
    /// A file that an earlier step makes is missing.
    #[error("'{}' is missing: an earlier step of the plan puts it there. Run the steps in the order of the plan.", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The step names something that the plan does not hold.
    #[error("The step '{step}' names {what}, which the plan does not hold. Make the plan again.")]
    NotInPlan {
        /// Id of the step.
        step: String,
        /// What is missing.
        what: String,
    },
    /// The step is not performed by a destination.
    #[error("The step '{step}' is not performed by the destination itself.")]
    NotMine {
        /// Id of the step.
        step: String,
    },
    /// The destination cannot hold this.
    #[error("{what} cannot be put on {destination}: {reason}.")]
    Impossible {
        /// What.
        what: String,
        /// Where.
        destination: String,
        /// Why.
        reason: String,
    },
    /// A password cannot be had.
    #[error(transparent)]
    Password(#[from] hvm_winrm::PasswordError),
    /// Nobody gave the password.
    #[error("The password of {user} on {host} is wanted, and nobody gave it.")]
    NoPassword {
        /// The user.
        user: String,
        /// The host.
        host: String,
    },
    /// This computer is to be the destination, and is no Windows.
    #[error(
        "'local:' stands for the Windows server on which hvmigrate itself runs, and this is none: no folder of Windows is named \
         in SystemRoot."
    )]
    NotWindows,
    /// The host cannot be reached, does not let in, or does not answer as it should.
    #[error(transparent)]
    Winrm(Box<hvm_winrm::Error>),
    /// Something that is not of this migration lies where the kit shall lie.
    #[error("'{path}' on {host} is not empty and is not of this migration; nothing was touched there.")]
    InTheWay {
        /// The host.
        host: String,
        /// The folder there.
        path: String,
    },
    /// What was carried to a host is not there any more.
    #[error("The kit that was carried to '{path}' on {host} is not there any more.")]
    KitGone {
        /// The host.
        host: String,
        /// The folder there.
        path: String,
    },
    /// Others than administrators can change what would be run on the host as the system.
    #[error("'{path}' on {host} is no safe place for scripts that the system runs, and none was started: {faults}")]
    Unsafe {
        /// The host.
        host: String,
        /// The folder there.
        path: String,
        /// Whole sentences that say what lets them.
        faults: String,
        /// What to do about it.
        mend: String,
    },
    /// A script ended with an error on the host.
    #[error("On {host} it was not possible to {doing}: {message}")]
    Script {
        /// The host.
        host: String,
        /// What was tried.
        doing: &'static str,
        /// The error there.
        message: String,
    },
    /// A script said something else than it should.
    #[error("{host} was to {doing}, and the answer '{answer}' cannot be understood.")]
    Answer {
        /// The host.
        host: String,
        /// What was tried.
        doing: &'static str,
        /// What it said.
        answer: String,
    },
    /// A file is not there as it was sent.
    #[error("'{path}' on {host} is not what was sent, although each piece of it arrived: its SHA-256 differs.")]
    NotEqual {
        /// The host.
        host: String,
        /// The file there.
        path: String,
    },
    /// A job of the kit failed on the host.
    #[error("{script} failed on {host}: {message}{}", before(said))]
    Job {
        /// The host.
        host: String,
        /// The script.
        script: &'static str,
        /// The error there.
        message: String,
        /// The warnings before it.
        said: Vec<String>,
    },
    /// A job of the kit ended on the host and left no result.
    #[error("{script} ended on {host} without a result, {starts} times; the last line of its log is '{last}'.")]
    NoResult {
        /// The host.
        host: String,
        /// The script.
        script: &'static str,
        /// How often it was started.
        starts: u32,
        /// The last line.
        last: String,
    },
    /// Nobody asked the host yet what it is.
    #[error("It is not known yet what {host} is. Make a plan first, or name its release with 'os='.")]
    NotAsked {
        /// The host.
        host: String,
    },
    /// It was asked to stop.
    #[error("The run was stopped on request; what runs on the host goes on there.")]
    Cancelled,
    /// A text holds a character that the target language cannot write.
    #[error(
        "The text '{text}' cannot be written in {language}: it holds the character U+{character:04X} at position {position}."
    )]
    Unquotable {
        /// The text, with the character shown as escape.
        text: String,
        /// The language.
        language: &'static str,
        /// The character.
        character: u32,
        /// Its position in characters, from 0.
        position: usize,
    },
}

/// What was said before an error.
fn before(said: &[String]) -> String {
    if said.is_empty() { String::new() } else { format!(" Before that it warned: {}", said.join(" ")) }
}

impl DestinationError {
    /// Wraps an error of the operating system.
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| DestinationError::Io { path, action, source }
    }
}
