//! Where an object is: `\\HOST\root\virtualization:Msvm_SwitchPort.Name="…",SystemName="…"` as WMI writes it (object paths of
//! the WMI SDK), or the same as elements of XML.

use std::fmt;
use std::str::FromStr;

/// Longest path that is read, bytes.
const MAX_PATH: usize = 64 << 10;
/// Most keys of an object.
const MAX_KEYS: usize = 64;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reference {
    /// Its namespace, such as `root\virtualization`; empty in a relative path.
    pub namespace: String,
    /// Name of its class.
    pub class: String,
    /// Names and values of its keys; none for the only object of a class (`=@`) and for a class itself. A key without a name
    /// (`Class="value"`) has an empty one.
    pub keys: Vec<(String, String)>,
}

/// A text is no path of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no path of a WMI object such as 'Msvm_SwitchPort.Name=\"…\"': {reason}")]
pub struct PathError {
    /// The text (shortened).
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// The value of a key, whose name is compared without regard to case.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&str> {
        self.keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl FromStr for Reference {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let wrong = |reason| PathError { text: text.chars().take(200).collect(), reason };
        if text.len() > MAX_PATH {
            return Err(wrong("it is too long"));
        }
        // A colon in a key stands behind the class.
        let head = text.find(['"', '=', '.']).map_or(text, |end| text.get(..end).unwrap_or_default());
        let (namespace, rest) = match head.rfind(':') {
            Some(colon) => (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default()),
            None => ("", text),
        };
        let namespace = match namespace.strip_prefix(r"\\") {
            Some(with_host) => with_host.split_once('\\').map_or("", |(_, namespace)| namespace),
            None => namespace,
        }
        .trim_start_matches('\\');
        let end = rest.find(['.', '=']).unwrap_or(rest.len());
        let (class, keys) = rest.split_at(end);
        if class.is_empty() || !class.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(wrong("it names no class"));
        }
        let keys = match keys.split_at_checked(1) {
            None | Some(("=", "@")) => Vec::new(),
            Some((".", keys)) => parse_keys(keys).map_err(wrong)?,
            _ => parse_keys(keys).map_err(wrong)?,
        };
        Ok(Reference { namespace: namespace.to_owned(), class: class.to_owned(), keys })
    }
}

/// The path as a query takes it: all values quoted.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}:", self.namespace)?;
        }
        f.write_str(&self.class)?;
        if self.keys.is_empty() {
            return f.write_str("=@");
        }
        for (number, (name, value)) in self.keys.iter().enumerate() {
            let before = match number {
                0 if name.is_empty() => "",
                0 => ".",
                _ => ",",
            };
            write!(f, "{before}{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
        }
        Ok(())
    }
}

/// `Name="text",Number=5`, or `="text"` for the only key of a class.
fn parse_keys(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut keys = Vec::new();
    let mut rest = text;
    loop {
        let (name, value) = rest.split_once('=').ok_or("a key has no value")?;
        let (value, behind) = parse_value(value)?;
        keys.push((name.trim().to_owned(), value));
        if keys.len() > MAX_KEYS {
            return Err("it has too many keys");
        }
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None if behind.is_empty() => return Ok(keys),
            None => return Err("something follows the value of a key"),
        }
    }
}

/// The value at the start of a text, and what follows it.
fn parse_value(text: &str) -> Result<(String, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return if value.is_empty() { Err("a key has no value") } else { Ok((value.to_owned(), behind)) };
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(chars.next().ok_or("a text in it does not end")?.1),
            c => value.push(c),
        }
    }
    Err("a text in it does not end")
}
