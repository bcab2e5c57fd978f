//! Casts, and static members of the types that need no computer.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::computer::{Run, Stop, fault, thrown};
use super::methods::void;
use super::parse;
use super::security;
use super::shell::Shell;
use super::value::{List, ListKind, Object, Value};
use super::wildcard;

/// The encoding of texts that scripts use.
pub(super) const UTF8: &str = "System.Text.UTF8Encoding";
/// What writes to the console.
pub(super) const CONSOLE: &str = "System.IO.TextWriter";
/// An error as `catch` has it.
pub(super) const ERROR: &str = "System.Management.Automation.ErrorRecord";
/// What was thrown.
pub(super) const EXCEPTION: &str = "System.Exception";

impl Shell<'_> {
    /// A cast; the type is in small letters without `system.`.
    pub(super) fn cast(&mut self, kind: &str, value: Value) -> Run<Value> {
        if let Some(item) = kind.strip_suffix("[]") {
            return match value {
                Value::Null => Ok(Value::Null),
                // An array of bytes stays the one that it is.
                Value::List(list) if item == "byte" && list.kind == ListKind::Bytes => Ok(Value::List(list)),
                value => {
                    let items: Run<Vec<Value>> = value.unrolled().into_iter().map(|one| self.cast(item, one)).collect();
                    let kind = if item == "byte" { ListKind::Bytes } else { ListKind::Array };
                    items.map(|items| Value::list(kind, items))
                }
            };
        }
        match kind {
            "string" => value.text().map(Value::from).map_err(Stop::Fault),
            "int" | "int32" => {
                let number = value.integer().map_err(Stop::Throw)?;
                i32::try_from(number).map(Value::Int).or_else(|_| thrown(format!("{number} is too large for Int32.")))
            }
            "long" | "int64" => value.integer().map(Value::Long).map_err(Stop::Throw),
            "byte" => match value.integer().map_err(Stop::Throw)? {
                number @ 0..=255 => Ok(Value::number(number)),
                number => thrown(format!("{number} is too large for Byte.")),
            },
            "bool" | "boolean" => Ok(Value::Bool(value.truth())),
            "switch" => match value {
                Value::Bool(_) => Ok(value),
                other => fault(format!("{} for a switch", other.kind())),
            },
            "hashtable" => match value {
                Value::Hash(_) => Ok(value),
                other => thrown(format!("{} cannot be converted to a table.", other.kind())),
            },
            "void" => Ok(void()),
            "object" => Ok(value),
            "array" => Ok(match value {
                Value::List(list) if list.kind == ListKind::Array => Value::List(list),
                other => Value::array(other.unrolled()),
            }),
            _ if security::is_a(kind, &value) => Ok(value),
            _ => self.make(kind, &[value]),
        }
    }

    /// An object of a class, made from arguments.
    pub(super) fn make(&mut self, kind: &str, arguments: &[Value]) -> Run<Value> {
        security::construct(kind, arguments).unwrap_or_else(|| self.computer.construct(kind, arguments))
    }

    /// A static property.
    pub(super) fn static_member(&mut self, kind: &str, name: &str) -> Run<Value> {
        match (kind, name.to_ascii_lowercase().as_str()) {
            ("stringcomparison", "ordinalignorecase") => {
                Ok(Value::word("System.StringComparison", "OrdinalIgnoreCase", 5))
            }
            ("text.encoding", "utf8") => Ok(Object::new(UTF8, "").value()),
            ("console", "out") => Ok(Object::new(CONSOLE, "").value()),
            ("stringcomparison", "ordinal") => Ok(Value::word("System.StringComparison", "Ordinal", 4)),
            _ => security::static_member(kind, name).unwrap_or_else(|| self.computer.static_member(kind, name)),
        }
    }

    /// A static method.
    pub(super) fn static_method(&mut self, kind: &str, name: &str, arguments: &[Value]) -> Run<Value> {
        let lower = name.to_ascii_lowercase();
        match (kind, lower.as_str(), arguments) {
            ("io.path", "combine", [_, _, ..]) => {
                let mut path = String::new();
                for part in arguments {
                    let Value::Text(part) = part else { return thrown("Value cannot be null. Parameter name: path") };
                    path = combined(&path, part);
                }
                Ok(Value::from(path))
            }
            ("io.path", "getfilename", [Value::Text(path)]) => {
                Ok(Value::from(path.rsplit(['\\', '/', ':']).next().unwrap_or_default()))
            }
            ("io.path", "getpathroot", [Value::Text(path)]) => Ok(Value::from(root(path))),
            ("io.path", "getdirectoryname", [Value::Text(path)]) => Ok(match path.rsplit_once('\\') {
                // A root has nothing above it.
                Some((folder, "")) if folder.ends_with(':') => Value::Null,
                Some((folder, _)) if folder.ends_with(':') => Value::from(format!("{folder}\\")),
                Some((folder, _)) => Value::from(folder),
                None => Value::from(""),
            }),
            ("management.automation.wildcardpattern", "escape", [Value::Text(text)]) => {
                Ok(Value::from(wildcard::escape(text)))
            }
            ("math", "max", [one, two]) => {
                let (one, two) = (one.integer().map_err(Stop::Throw)?, two.integer().map_err(Stop::Throw)?);
                Ok(Value::number(one.max(two)))
            }
            ("math", "min", [one, two]) => {
                let (one, two) = (one.integer().map_err(Stop::Throw)?, two.integer().map_err(Stop::Throw)?);
                Ok(Value::number(one.min(two)))
            }
            ("bitconverter", "tostring", [bytes]) => match bytes.as_bytes() {
                Some(bytes) => {
                    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                    Ok(Value::from(pairs.join("-")))
                }
                None => fault(format!("BitConverter.ToString of {}", bytes.kind())),
            },
            ("convert", "frombase64string", [Value::Text(text)]) => match BASE64_STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Ok(Value::bytes(&bytes)),
                Err(error) => thrown(format!("The input is not a valid Base-64 string: {error}.")),
            },
            ("convert", "tobase64string", [bytes, Value::Int(0), Value::Int(count)]) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                match bytes.as_bytes() {
                    Some(bytes) if count <= bytes.len() => {
                        Ok(Value::from(BASE64_STANDARD.encode(bytes.get(..count).unwrap_or_default())))
                    }
                    _ => thrown("Offset and length must refer to a position in the string."),
                }
            }
            ("convert", "tobase64string", [bytes]) => match bytes.as_bytes() {
                Some(bytes) => Ok(Value::from(BASE64_STANDARD.encode(bytes))),
                None => fault(format!("Convert.ToBase64String of {}", bytes.kind())),
            },
            ("management.automation.scriptblock", "create", [Value::Text(text)]) => {
                parse::script(text).map(Value::Block).map_err(Stop::Fault)
            }
            ("array", "reverse", [Value::List(list)]) => {
                let List { items, .. } = list.as_ref();
                items.borrow_mut().reverse();
                Ok(void())
            }
            _ => self.computer.call_static(kind, name, arguments),
        }
    }
}

/// `System.IO.Path.Combine` of two paths.
fn combined(path: &str, part: &str) -> String {
    let rooted = part.starts_with(['\\', '/']) || part.chars().nth(1) == Some(':');
    if path.is_empty() || rooted {
        part.to_owned()
    } else if part.is_empty() || path.ends_with(['\\', '/', ':']) {
        format!("{path}{part}")
    } else {
        format!("{path}\\{part}")
    }
}

/// `System.IO.Path.GetPathRoot`: `C:\`, or `\\server\share`.
fn root(path: &str) -> String {
    if let Some(rest) = path.strip_prefix("\\\\") {
        let parts: Vec<&str> = rest.splitn(3, '\\').take(2).collect();
        return format!("\\\\{}", parts.join("\\"));
    }
    match (path.chars().nth(1), path.chars().nth(2)) {
        (Some(':'), Some('\\')) => path.chars().take(3).collect(),
        (Some(':'), _) => path.chars().take(2).collect(),
        _ => String::new(),
    }
}
