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

impl DestinationError {
    /// Wraps an error of the operating system.
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| DestinationError::Io { path, action, source }
    }
}
