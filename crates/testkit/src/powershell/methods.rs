//! Methods of texts, lists and tables, and of `$PSCmdlet`.

use super::computer::{Run, Stop, fault, thrown};
use super::security;
use super::shell::Shell;
use super::types::{CONSOLE, EXCEPTION, UTF8};
use super::value::{ListKind, Object, Value};

/// What a method without a result gives.
pub(super) fn void() -> Value {
    Value::Type("void".into())
}

impl Shell<'_> {
    /// Calls a method.
    pub(super) fn method(&mut self, target: &Value, name: &str, arguments: &[Value]) -> Run<Value> {
        let lower = name.to_ascii_lowercase();
        match target {
            Value::Text(text) => text_method(text, &lower, arguments),
            Value::List(list) if list.kind == ListKind::Growing => {
                let mut items = list.items.borrow_mut();
                match (lower.as_str(), arguments) {
                    ("add", [item]) => {
                        items.push(item.clone());
                        Ok(Value::number(items.len() as i64 - 1))
                    }
                    ("remove", [item]) => {
                        if let Some(place) = items.iter().position(|known| known == item) {
                            items.remove(place);
                        }
                        Ok(void())
                    }
                    _ => fault(format!("the method {name} of a list")),
                }
            }
            Value::List(list) if list.kind == ListKind::Acl => security::list_method(list, &lower, arguments),
            Value::Hash(hash) => match (lower.as_str(), arguments) {
                ("containskey", [key]) => {
                    hash.borrow().get(key).map(|found| Value::Bool(found.is_some())).map_err(Stop::Throw)
                }
                _ => fault(format!("the method {name} of a table")),
            },
            Value::Null => thrown("You cannot call a method on a null-valued expression."),
            Value::Object(object) if object.borrow().class == "PSCmdlet" => {
                let cmdlet = object.borrow().clone();
                self.cmdlet_method(&cmdlet, &lower, arguments)
            }
            Value::Object(object) if object.borrow().class == CONSOLE => match (lower.as_str(), arguments) {
                ("writeline", [Value::Text(text)]) => {
                    self.console.push(text.to_string());
                    Ok(void())
                }
                _ => fault(format!("the method {name} of the console")),
            },
            // Nothing wraps the exceptions of the interpreter.
            Value::Object(object) if object.borrow().class == EXCEPTION => match (lower.as_str(), arguments) {
                ("getbaseexception", []) => Ok(target.clone()),
                _ => fault(format!("the method {name} of an exception")),
            },
            Value::Object(object) if object.borrow().class == UTF8 => encoding_method(&lower, arguments),
            Value::Object(object) => match security::method(object, &lower, arguments) {
                Some(result) => result,
                None => self.computer.call_method(object, name, arguments),
            },
            Value::Int(_) | Value::Long(_) | Value::Bool(_) if lower == "tostring" && arguments.is_empty() => {
                target.text().map(Value::from).map_err(Stop::Fault)
            }
            other => fault(format!("the method {name} of {}", other.kind())),
        }
    }

    fn cmdlet_method(&mut self, cmdlet: &Object, name: &str, arguments: &[Value]) -> Run<Value> {
        match (name, arguments) {
            ("shouldprocess", [target, action]) => {
                if cmdlet.get("SupportsShouldProcess") != Some(&Value::Bool(true)) {
                    return fault("ShouldProcess in a function that does not support it");
                }
                let said = |value: &Value| value.text().map_err(Stop::Fault);
                let (target, action) = (said(target)?, said(action)?);
                if self.variable("WhatIfPreference").is_some_and(|value| value.truth()) {
                    self.what_if.push(format!("What if: Performing operation \"{action}\" on Target \"{target}\"."));
                    return Ok(Value::Bool(false));
                }
                let level = |word: &str| {
                    ["None", "High", "Medium", "Low"].iter().position(|known| known.eq_ignore_ascii_case(word))
                };
                let text = |value: Option<Value>| value.and_then(|value| value.text().ok()).unwrap_or_default();
                let asked = level(&text(self.variable("ConfirmPreference"))).unwrap_or(0);
                let impact = level(&text(cmdlet.get("ConfirmImpact").cloned())).unwrap_or(3);
                if asked > 0 && impact <= asked {
                    return thrown(format!("'{action}' asks whether it may go on, and nobody can answer."));
                }
                Ok(Value::Bool(true))
            }
            ("getunresolvedproviderpathfrompspath", [path]) => {
                let path = path.text().map_err(Stop::Fault)?;
                let rooted = path.contains(':') || path.starts_with('\\');
                Ok(Value::from(if rooted { path } else { format!("C:\\Windows\\system32\\{path}") }))
            }
            _ => fault(format!("the method {name} of $PSCmdlet")),
        }
    }
}

/// How texts are compared by a method.
fn ignores_case(arguments: &[Value]) -> Run<bool> {
    match arguments {
        [] => Ok(false),
        [Value::Word(word)] if word.name == "OrdinalIgnoreCase" => Ok(true),
        [Value::Word(word)] if word.name == "Ordinal" => Ok(false),
        _ => fault("this way of comparing texts"),
    }
}

fn folded(text: &str, ignore: bool) -> String {
    if ignore { text.to_uppercase() } else { text.to_owned() }
}

fn trim_set(arguments: &[Value]) -> Run<Vec<char>> {
    let mut all = Vec::new();
    for argument in arguments {
        match argument {
            Value::Text(text) if text.chars().count() == 1 => all.extend(text.chars()),
            other => return thrown(format!("{} cannot be converted to a character.", other.kind())),
        }
    }
    Ok(all)
}

fn encoding_method(name: &str, arguments: &[Value]) -> Run<Value> {
    match (name, arguments) {
        ("getbytes", [Value::Text(text)]) => Ok(Value::bytes(text.as_bytes())),
        ("getstring", [bytes]) => match bytes.as_bytes() {
            Some(bytes) => Ok(Value::from(String::from_utf8_lossy(&bytes).into_owned())),
            None => fault(format!("Encoding.GetString of {}", bytes.kind())),
        },
        _ => fault(format!("the method {name} of an encoding")),
    }
}

fn text_method(text: &str, name: &str, arguments: &[Value]) -> Run<Value> {
    match (name, arguments) {
        ("trim", []) => Ok(Value::from(text.trim())),
        ("trim", set) => {
            let set = trim_set(set)?;
            Ok(Value::from(text.trim_matches(set.as_slice())))
        }
        ("trimend", set) if !set.is_empty() => {
            let set = trim_set(set)?;
            Ok(Value::from(text.trim_end_matches(set.as_slice())))
        }
        ("trimstart", set) if !set.is_empty() => {
            let set = trim_set(set)?;
            Ok(Value::from(text.trim_start_matches(set.as_slice())))
        }
        ("startswith", [Value::Text(start), how @ ..]) => {
            let ignore = ignores_case(how)?;
            Ok(Value::Bool(folded(text, ignore).starts_with(&folded(start, ignore))))
        }
        ("endswith", [Value::Text(end), how @ ..]) => {
            let ignore = ignores_case(how)?;
            Ok(Value::Bool(folded(text, ignore).ends_with(&folded(end, ignore))))
        }
        ("contains", [Value::Text(part)]) => Ok(Value::Bool(text.contains(part.as_ref()))),
        ("replace", [Value::Text(part), Value::Text(with)]) if !part.is_empty() => {
            Ok(Value::from(text.replace(part.as_ref(), with)))
        }
        ("toupperinvariant", []) => Ok(Value::from(text.to_uppercase())),
        ("tolowerinvariant", []) => Ok(Value::from(text.to_lowercase())),
        ("tostring", []) => Ok(Value::from(text)),
        ("split", [Value::Text(separator)]) if separator.chars().count() == 1 => {
            Ok(Value::texts(text.split(separator.as_ref())))
        }
        ("substring", [start]) => substring(text, start, None),
        ("substring", [start, length]) => substring(text, start, Some(length)),
        _ => fault(format!("the method {name} of a text with these arguments")),
    }
}

fn substring(text: &str, start: &Value, length: Option<&Value>) -> Run<Value> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let number = |value: &Value| value.integer().ok().and_then(|number| usize::try_from(number).ok());
    let start = number(start);
    let end = match length {
        Some(length) => start.zip(number(length)).and_then(|(start, length)| start.checked_add(length)),
        None => Some(units.len()),
    };
    match start.zip(end).and_then(|(start, end)| units.get(start..end)) {
        Some(part) => Ok(Value::from(String::from_utf16_lossy(part))),
        None => thrown("The index and the length of Substring lie outside of the text."),
    }
}
