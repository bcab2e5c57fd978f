//! What a running script says.

use std::fmt;

use super::message::{Kind, Message};
use crate::clixml::{Base, Value};

/// One thing that a script says, in the order in which the server sent it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// An object of its output.
    Output(Value),
    /// An error that did not end it.
    Error(ErrorRecord),
    /// A warning.
    Warning(String),
    /// A verbose message.
    Verbose(String),
    /// A debug message.
    Debug(String),
    /// Information (`Write-Information`, and `Write-Host` from PowerShell 5).
    Information(Value),
    /// Progress.
    Progress(ProgressRecord),
    /// It called a method of its host, of which there is none; the number is that of MS-PSRP 2.2.3.17.
    HostCall(i64),
    /// Nothing came within the operation's time; it is still running.
    StillRunning,
}

/// An error as PowerShell keeps it (MS-PSRP 2.2.3.15).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorRecord {
    /// The message.
    pub message: String,
    /// `FullyQualifiedErrorId`, such as `InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM`.
    pub id: String,
    /// `CategoryInfo` in words.
    pub category: String,
    /// Where in the script it was, if the server says so.
    pub trace: String,
    /// All of it.
    pub value: Option<Value>,
}

impl fmt::Display for ErrorRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.id.is_empty() { Ok(()) } else { write!(f, " ({})", self.id) }
    }
}

impl ErrorRecord {
    pub(super) fn of(value: Value) -> Self {
        let text = |name: &str| value.get(name).map(ToString::to_string).unwrap_or_default();
        let exception = value.get("Exception");
        let message = [
            text("ErrorDetails_Message"),
            exception.and_then(|exception| exception.get("Message")).map(ToString::to_string).unwrap_or_default(),
            value.to_string(),
        ];
        Self {
            message: message.into_iter().find(|message| !message.is_empty()).unwrap_or_default(),
            id: text("FullyQualifiedErrorId"),
            category: text("ErrorCategory_Message"),
            trace: text("ErrorDetails_ScriptStackTrace"),
            value: Some(value),
        }
    }
}

/// Progress of an activity (MS-PSRP 2.2.2.25).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgressRecord {
    /// What goes on.
    pub activity: String,
    /// The number of the activity.
    pub id: i64,
    /// How far it is, in words.
    pub status: String,
    /// What is done just now.
    pub operation: String,
    /// 0 to 100, if it is known.
    pub percent: Option<u8>,
    /// Whether the activity has ended.
    pub is_done: bool,
}

impl ProgressRecord {
    fn of(value: &Value) -> Self {
        let text = |name: &str| value.get(name).map(ToString::to_string).unwrap_or_default();
        let number = |name: &str| value.get(name).and_then(Value::as_integer);
        Self {
            activity: text("Activity"),
            id: number("ActivityId").unwrap_or_default(),
            status: text("StatusDescription"),
            operation: text("CurrentOperation"),
            percent: number("PercentComplete").and_then(|percent| u8::try_from(percent).ok()).filter(|p| *p <= 100),
            is_done: number("Type") == Some(1),
        }
    }
}

/// The record of a message, if it is one that a caller sees.
pub(super) fn of(message: Message) -> Option<Record> {
    let data = message.data;
    Some(match message.kind {
        Kind::Output => Record::Output(data),
        Kind::Error => Record::Error(ErrorRecord::of(data)),
        Kind::Warning => Record::Warning(informational(&data)),
        Kind::Verbose => Record::Verbose(informational(&data)),
        Kind::Debug => Record::Debug(informational(&data)),
        Kind::Information => Record::Information(data),
        Kind::Progress => Record::Progress(ProgressRecord::of(&data)),
        _ => return None,
    })
}

/// The text of a warning, a verbose or a debug message (MS-PSRP 2.2.2.22 to 2.2.2.24).
fn informational(value: &Value) -> String {
    let named = value.get("InformationalRecord_Message").or_else(|| value.get("Message"));
    if let Some(named) = named {
        return named.to_string();
    }
    match value {
        Value::Object(object) => match &object.base {
            Base::Value(text) => text.to_string(),
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}
