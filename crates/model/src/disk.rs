//! Virtual hard disk files of the source, as their headers describe them, and what tells physical disks from each other.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::Place;
use crate::names::{ByteSize, NameError, WindowsPath, normal_guid};

/// By what a physical disk is told from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// The signature in its master boot record: eight hex digits.
    Signature,
    /// The id in its GUID partition table.
    GptId,
    /// The serial number of the device.
    SerialNumber,
}

impl IdentityKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            IdentityKind::Signature => "signature",
            IdentityKind::GptId => "gpt-id",
            IdentityKind::SerialNumber => "serial-number",
        }
    }
}

/// What tells a physical disk from all others, on whatever host and under whatever number it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiskIdentity {
    /// What it is told by.
    pub by: IdentityKind,
    /// Signature as eight hex digits, GPT id as a GUID without braces, both in capitals; or the serial number.
    pub value: String,
}

impl FromStr for DiskIdentity {
    type Err = NameError;

    /// Reads `KIND:VALUE`, with one of the words for kinds, or a value whose form tells what it is: eight hex digits are a
    /// signature, a GUID is a GPT id, everything else is a serial number.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let kinds = [IdentityKind::Signature, IdentityKind::GptId, IdentityKind::SerialNumber];
        let named =
            kinds.iter().find_map(|kind| Some((*kind, text.strip_prefix(kind.word())?.strip_prefix(':')?.trim())));
        let is_signature = |text: &str| text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let (by, value) = match named {
            Some(named) => named,
            None if is_signature(text) => (IdentityKind::Signature, text),
            None if normal_guid(text).is_ok() => (IdentityKind::GptId, text),
            None => (IdentityKind::SerialNumber, text),
        };
        let value = match by {
            IdentityKind::Signature => is_signature(value).then(|| value.to_ascii_uppercase()),
            IdentityKind::GptId => normal_guid(value).ok(),
            IdentityKind::SerialNumber => {
                (!value.is_empty() && !value.contains(char::is_control)).then(|| value.to_owned())
            }
        };
        let expected =
            "a signature of eight hex digits, a GPT id such as D351C151-DAC7-4042-B434-B72D522C1E4A or a serial number";
        value.map(|value| DiskIdentity { by, value }).ok_or_else(|| NameError { text: text.to_owned(), expected })
    }
}

impl fmt::Display for DiskIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by.word(), self.value)
    }
}

/// One file that some machine or checkpoint uses, directly or as a parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiskFile {
    /// Path on the source.
    pub path: WindowsPath,
    /// Container format and type: `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `vhdx`, `raw`.
    pub format: String,
    /// Virtual size, bytes.
    pub virtual_size: ByteSize,
    /// Length of the file, bytes.
    pub file_size: ByteSize,
    /// Bytes of the file that hold guest data.
    pub allocated: ByteSize,
    /// Unique id.
    pub unique_id: String,
    /// The parent of a differencing disk, as the chain resolved it.
    pub parent: Option<WindowsPath>,
    /// Size by the footer's geometry where it differs from the current size.
    pub geometry_size: Option<ByteSize>,
    /// Oddities that do not endanger the content.
    pub remarks: Vec<String>,
    /// Where it was read.
    pub place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse::<DiskIdentity>().ok().map(|identity| identity.to_string())
    }

    #[test]
    fn the_form_of_an_identity_tells_what_it_is() {
        for (text, shown) in [
            ("1a2b3c4d", "signature 1A2B3C4D"),
            ("{d351c151-dac7-4042-b434-b72d522c1e4a}", "gpt-id D351C151-DAC7-4042-B434-B72D522C1E4A"),
            ("WD-WCC4N1", "serial-number WD-WCC4N1"),
            ("serial-number: 1a2b3c4d", "serial-number 1a2b3c4d"),
            ("signature:0000000f", "signature 0000000F"),
        ] {
            assert_eq!(read(text).as_deref(), Some(shown));
        }
        for wrong in ["", "signature:1a2b3c4", "gpt-id:1a2b3c4d", "serial-number:", "a\u{7}b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
