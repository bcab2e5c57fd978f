//! Arguments and parameters: of functions and scripts, and of the commands of the computer.

use std::rc::Rc;

use super::ast::{Parameter, Parameters};
use super::computer::{Accepted, Call, Run, Signature, fault, thrown};
use super::shell::Shell;
use super::value::{Hash, Value};

/// What becomes of an error of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorAction {
    /// It is thrown.
    Throw,
    /// It is written, and the script goes on.
    Write,
    /// Nothing; the script goes on.
    Nothing,
}

impl ErrorAction {
    fn of(word: &str) -> Option<ErrorAction> {
        match word.to_ascii_lowercase().as_str() {
            "stop" => Some(ErrorAction::Throw),
            "continue" => Some(ErrorAction::Write),
            "silentlycontinue" | "ignore" => Some(ErrorAction::Nothing),
            _ => None,
        }
    }
}

/// Named arguments as they are given.
pub(super) type Given = Vec<(String, Value)>;

impl Shell<'_> {
    /// Binds the parameters of a function or a script in its new scope.
    pub(super) fn bind_parameters(&mut self, parameters: Option<&Parameters>, given: Given) -> Run<()> {
        let nothing = Parameters::default();
        let parameters = parameters.unwrap_or(&nothing);
        let mut bound = Hash::default();
        for (name, value) in given {
            if let Some(parameter) = parameters.list.iter().find(|known| known.name.eq_ignore_ascii_case(&name)) {
                let value = self.parameter_value(parameter, value)?;
                bound.set(&Value::from(parameter.name.as_str()), value.clone()).map_err(super::Stop::Fault)?;
                self.set(&parameter.name, value);
            } else {
                self.common_parameter(parameters, &name, &value)?;
            }
        }
        for parameter in &parameters.list {
            let is_bound = bound.get(&Value::from(parameter.name.as_str())).is_ok_and(|found| found.is_some());
            if is_bound {
                continue;
            }
            if parameter.mandatory {
                return thrown(format!(
                    "Cannot process command because the mandatory parameter {} is missing.",
                    parameter.name
                ));
            }
            let value = match (&parameter.default, parameter.kind.as_deref()) {
                (Some(default), kind) => {
                    let value = self.evaluate(default)?;
                    kind.map_or(Ok(value.clone()), |kind| self.cast(kind, value))?
                }
                (None, Some("string")) => Value::from(""),
                (None, Some("int" | "long")) => Value::Int(0),
                (None, Some("bool" | "switch")) => Value::Bool(false),
                (None, _) => Value::Null,
            };
            self.set(&parameter.name, value);
        }
        self.set("PSBoundParameters", Value::Hash(Rc::new(std::cell::RefCell::new(bound))));
        Ok(())
    }

    /// `-WhatIf` and `-Confirm` of a function that supports them.
    fn common_parameter(&mut self, parameters: &Parameters, name: &str, value: &Value) -> Run<()> {
        let should_process = parameters.binding.as_ref().is_some_and(|binding| binding.should_process);
        match (name.to_lowercase().as_str(), value) {
            ("whatif", Value::Bool(on)) if should_process => self.set("WhatIfPreference", Value::Bool(*on)),
            ("confirm", Value::Bool(on)) if should_process => {
                self.set("ConfirmPreference", Value::from(if *on { "Low" } else { "None" }));
            }
            _ => return thrown(format!("A parameter cannot be found that matches parameter name '{name}'.")),
        }
        Ok(())
    }

    fn parameter_value(&mut self, parameter: &Parameter, value: Value) -> Run<Value> {
        let name = &parameter.name;
        if parameter.mandatory && !parameter.allows_null && value == Value::Null {
            return thrown(format!("Cannot bind argument to parameter '{name}' because it is null."));
        }
        let value = match parameter.kind.as_deref() {
            // A parameter takes no number or text for a truth value, other than a cast.
            Some("bool" | "switch") if !matches!(value, Value::Bool(_)) => {
                return thrown(format!("Cannot convert {} to a truth value for the parameter '{name}'.", value.kind()));
            }
            Some(kind) => self.cast(kind, value)?,
            None => value,
        };
        let empty_text = matches!(&value, Value::Text(text) if text.is_empty());
        if parameter.mandatory && !parameter.allows_empty && empty_text && parameter.kind.is_some() {
            return thrown(format!("Cannot bind argument to parameter '{name}' because it is an empty string."));
        }
        let empty_list = matches!(&value, Value::List(list) if list.items.borrow().is_empty());
        if parameter.mandatory && empty_list && parameter.kind.as_deref().is_some_and(|kind| kind.ends_with("[]")) {
            return thrown(format!("Cannot bind argument to parameter '{name}' because it is an empty array."));
        }
        if !parameter.words.is_empty() {
            let text = value.text().map_err(super::Stop::Fault)?;
            if !parameter.words.iter().any(|word| word.eq_ignore_ascii_case(&text)) {
                return thrown(format!("'{text}' is not one of {} for '{name}'.", parameter.words.join(", ")));
            }
        }
        Ok(value)
    }

    /// Checks the arguments of a command of the computer and brings them into the wanted types. `None` when the command
    /// only says what it would do. With it comes what becomes of an error of the command.
    pub(super) fn bind_call(&mut self, signature: &Signature, given: Given) -> Run<Option<(Call, ErrorAction)>> {
        let preference = |name: &str| if signature.is_function { self.of_session(name) } else { self.variable(name) };
        let mut what_if = preference("WhatIfPreference").is_some_and(|value| value.truth());
        let mut confirm = preference("ConfirmPreference").and_then(|value| value.text().ok()).unwrap_or_default();
        // What else there is than functions has `Stop` in all scripts here, and is held to it.
        let mut action = preference("ErrorActionPreference")
            .filter(|_| signature.is_function)
            .and_then(|value| value.text().ok())
            .map_or(Some(ErrorAction::Throw), |word| ErrorAction::of(&word));
        let mut named: Given = Vec::new();
        for (name, value) in given {
            let lower = name.to_lowercase();
            match (lower.as_str(), &value) {
                ("whatif", Value::Bool(on)) if signature.should_process => what_if = *on,
                ("confirm", Value::Bool(on)) if signature.should_process => {
                    confirm = if *on { "Low" } else { "None" }.to_owned();
                }
                ("erroraction", word) => action = word.text().ok().and_then(|word| ErrorAction::of(&word)),
                _ => named.push((self.parameter_name(signature, &name)?, value)),
            }
        }
        for (index, (name, _)) in named.iter().enumerate() {
            if named.iter().take(index).any(|(before, _)| before == name) {
                return thrown(format!("{}: the parameter {name} is given twice.", signature.name));
            }
        }
        let Some(action) = action else { return thrown(format!("{} -ErrorAction: no such word.", signature.name)) };
        let set = fitting_set(signature, &named)?;
        let mut arguments = Vec::new();
        for (name, value) in named {
            if let Some(accepted) = set.iter().find(|accepted| accepted.name == name) {
                arguments.push((name, self.argument(signature, accepted, value)?));
            }
        }
        let call = Call { name: signature.name.clone(), arguments };
        if what_if && signature.should_process {
            self.what_if.push(format!("What if: {}", call.name));
            return Ok(None);
        }
        let asks = signature.is_function && signature.should_process || self.computer.asks(&call);
        if asks && !confirm.eq_ignore_ascii_case("None") {
            return thrown(format!("{} asks whether it may go on, and nobody can answer.", call.name));
        }
        Ok(Some((call, action)))
    }

    fn parameter_name(&self, signature: &Signature, name: &str) -> Run<String> {
        let known = signature.sets.iter().flatten().find(|known| known.name.eq_ignore_ascii_case(name));
        let alias = signature.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
        match (known, alias) {
            (Some(known), _) => Ok(known.name.clone()),
            (None, Some((_, name))) => Ok(name.clone()),
            (None, None) => thrown(format!("{}: there is no parameter '{name}' here.", signature.name)),
        }
    }

    fn argument(&mut self, signature: &Signature, accepted: &Accepted, value: Value) -> Run<Value> {
        let place = format!("{} -{}", signature.name, accepted.name);
        // A text that nobody has to give may be nothing.
        if value == Value::Null && accepted.kind == "String" && !accepted.mandatory {
            return Ok(Value::from(""));
        }
        let Some(kind) = accepted.kind.strip_suffix("[]") else { return self.one(&place, &accepted.kind, value) };
        let items = value.unrolled();
        if items.is_empty() {
            return thrown(format!("{place}: the list is empty."));
        }
        items.into_iter().map(|item| self.one(&place, kind, item)).collect::<Run<Vec<Value>>>().map(Value::array)
    }

    fn one(&mut self, place: &str, kind: &str, value: Value) -> Run<Value> {
        let wrong = |value: &Value| thrown(format!("{place}: {} cannot be converted to {kind}.", value.kind()));
        let range = match kind {
            "Byte" => Some((0, 255)),
            "Int16" => Some((-32_768, 32_767)),
            "UInt16" => Some((0, 65_535)),
            "Int32" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            "UInt32" => Some((0, i64::from(u32::MAX))),
            "Int64" | "UInt64" => Some((i64::MIN, i64::MAX)),
            _ => None,
        };
        if let Some((low, high)) = range {
            let number = match value {
                Value::Int(_) | Value::Long(_) | Value::Text(_) | Value::Double(_) => value.integer(),
                _ => return wrong(&value),
            };
            return match number {
                Ok(number) if (low..=high).contains(&number) => Ok(Value::number(number)),
                Ok(number) => thrown(format!("{place}: {number} is out of the range of {kind}.")),
                Err(message) => thrown(format!("{place}: {message}.")),
            };
        }
        match (kind, &value) {
            ("Object" | "Switch" | "Boolean", Value::Bool(_)) | ("Object" | "Hashtable", Value::Hash(_)) => Ok(value),
            ("Object", other) if *other != Value::Null => Ok(value),
            ("Guid", Value::Text(text)) if !is_guid(text) => wrong(&value),
            ("String" | "Guid", Value::Text(_) | Value::Int(_) | Value::Long(_) | Value::Word(_)) => {
                value.text().map(Value::from).or_else(|_| wrong(&value))
            }
            ("Guid", Value::Object(object)) if object.borrow().text.is_some() => {
                value.text().map(Value::from).or_else(|_| wrong(&value))
            }
            (_, Value::Object(object)) if self.computer.fits(kind, &object.borrow().class) => Ok(value.clone()),
            // The one enumeration whose words can be given together.
            ("Profile", Value::List(list)) => {
                let words: Vec<Value> = list.items.borrow().clone();
                let words: Vec<Value> =
                    words.into_iter().map(|word| self.one(place, kind, word)).collect::<Run<_>>()?;
                let names: Vec<String> = words.iter().filter_map(|word| word.text().ok()).collect();
                let number = words.iter().filter_map(|word| word.integer().ok()).fold(0, |all, bit| all | bit);
                Ok(Value::word(kind, &names.join(", "), number))
            }
            (_, Value::Word(_) | Value::Text(_)) => match self.computer.words(kind) {
                Some(words) => {
                    let text = value.text().unwrap_or_default();
                    match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)) {
                        Some((word, number)) => Ok(Value::word(kind, word, *number)),
                        None => thrown(format!("{place}: '{text}' is no word of {kind}.")),
                    }
                }
                None => wrong(&value),
            },
            _ => wrong(&value),
        }
    }
}

/// The first parameter set that has all given parameters and wants no other.
fn fitting_set<'s>(signature: &'s Signature, given: &[(String, Value)]) -> Run<&'s [Accepted]> {
    let mut reasons = Vec::new();
    for set in &signature.sets {
        let foreign = given.iter().find(|(name, _)| !set.iter().any(|accepted| accepted.name == *name));
        let missing =
            set.iter().find(|accepted| accepted.mandatory && !given.iter().any(|(name, _)| *name == accepted.name));
        match (foreign, missing) {
            (None, None) => return Ok(set),
            (Some((name, _)), _) => reasons.push(format!("one has no -{name}")),
            (None, Some(accepted)) => reasons.push(format!("one wants -{}", accepted.name)),
        }
    }
    if signature.sets.is_empty() {
        return fault(format!("{} has no parameter set", signature.name));
    }
    thrown(format!("{}: no parameter set fits: {}.", signature.name, reasons.join(", ")))
}

/// A GUID as .NET reads one of the usual form, with braces or without.
fn is_guid(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let groups: Vec<usize> = inner.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && inner.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
