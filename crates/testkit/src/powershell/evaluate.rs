//! Pipelines, commands and expressions.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::*;
use super::bind::{ErrorAction, Given};
use super::computer::{Run, Stop, fault, thrown};
use super::operators;
use super::security;
use super::shell::Shell;
use super::types::{ERROR, EXCEPTION};
use super::value::{Hash, ListKind, Object, Value};

impl Shell<'_> {
    /// Runs a pipeline as a statement: what comes out flows on.
    pub(super) fn pipeline(&mut self, pipeline: &Pipeline, output: &mut Vec<Value>) -> Run<()> {
        match pipeline {
            Pipeline::Assign { target, operator, value, .. } => self.assign(target, operator, value),
            Pipeline::Flow { first, rest } => {
                let mut items = Vec::new();
                let first = match first.as_ref() {
                    // A step as a statement gives nothing.
                    Stage::Expression(expression) if matches!(expression.kind, ExpressionKind::Step(..)) => {
                        self.evaluate(expression).map(|_| ())
                    }
                    Stage::Expression(expression) => self.flow(expression, &mut items),
                    Stage::Command(command) => self.command(command, None, &mut items),
                };
                // What came before an error has gone through the pipeline when the error is thrown.
                if !matches!(first, Ok(()) | Err(Stop::Throw(_))) {
                    return first;
                }
                for command in rest {
                    let input = std::mem::take(&mut items);
                    self.command(command, Some(input), &mut items)?;
                }
                output.append(&mut items);
                first
            }
        }
    }

    /// What an expression puts into a pipeline.
    fn flow(&mut self, expression: &Expression, items: &mut Vec<Value>) -> Run<()> {
        match &expression.kind {
            ExpressionKind::Paren(inner) => match inner.as_ref() {
                Pipeline::Assign { .. } => fault(format!("line {}: an assignment as a value", expression.line)),
                flow => self.pipeline(flow, items),
            },
            ExpressionKind::Cast(kind, inner) if kind.as_ref() == "void" => self.evaluate(inner).map(|_| ()),
            ExpressionKind::Call(..) | ExpressionKind::StaticCall(..) => {
                let value = self.evaluate(expression)?;
                // A method without a result gives nothing.
                if !matches!(&value, Value::Type(name) if name.as_ref() == "void") {
                    items.extend(value.unrolled());
                }
                Ok(())
            }
            _ => {
                items.extend(self.evaluate(expression)?.unrolled());
                Ok(())
            }
        }
    }

    /// The value of a pipeline in a place that wants one.
    pub(super) fn value_of(&mut self, pipeline: &Pipeline) -> Run<Value> {
        if let Pipeline::Flow { first, rest } = pipeline
            && let (Stage::Expression(expression), []) = (first.as_ref(), rest.as_slice())
        {
            return self.evaluate(expression);
        }
        let mut items = Vec::new();
        self.pipeline(pipeline, &mut items)?;
        Ok(Value::gathered(items))
    }

    fn assign(&mut self, target: &Expression, operator: &str, value: &Pipeline) -> Run<()> {
        let mut value = self.value_of(value)?;
        if matches!(&value, Value::Type(name) if name.as_ref() == "void") {
            return fault(format!("line {}: the result of a method without one is kept", target.line));
        }
        if operator != "=" {
            let sign = operator.trim_end_matches('=');
            let before = self.evaluate(target)?;
            value = operators::arithmetic(sign, &before, &value)?;
        }
        self.store(target, value)
    }

    fn store(&mut self, target: &Expression, value: Value) -> Run<()> {
        match &target.kind {
            ExpressionKind::Variable(name) if name.eq_ignore_ascii_case("null") => Ok(()),
            ExpressionKind::Variable(name) if name.contains(':') => {
                fault(format!("line {}: an assignment to ${name}", target.line))
            }
            ExpressionKind::Variable(name) => {
                self.set(name, value);
                Ok(())
            }
            ExpressionKind::Index(table, index) => {
                let (table, index) = (self.evaluate(table)?, self.evaluate(index)?);
                match table {
                    Value::Hash(hash) => hash.borrow_mut().set(&index, value).map_err(Stop::Throw),
                    other => fault(format!("line {}: an element of {} is set", target.line, other.kind())),
                }
            }
            ExpressionKind::Member(object, name) => {
                let (object, name) = (self.evaluate(object)?, self.evaluate(name)?);
                let name = name.text().map_err(Stop::Fault)?;
                match &object {
                    Value::Object(object) => {
                        let value = security::settable(&object.borrow(), &name, value)?;
                        match object.borrow_mut().get_mut(&name) {
                            Some(place) => {
                                *place = value;
                                Ok(())
                            }
                            None => thrown(format!("The property '{name}' cannot be found on this object.")),
                        }
                    }
                    other => fault(format!("line {}: a property of {} is set", target.line, other.kind())),
                }
            }
            _ => fault(format!("line {}: this cannot be assigned to", target.line)),
        }
    }

    fn command(&mut self, command: &Command, input: Option<Vec<Value>>, output: &mut Vec<Value>) -> Run<()> {
        let name = match &command.called {
            Called::Name(name) => name.as_str(),
            Called::Run(path) | Called::DotSource(path) => {
                if input.is_some() {
                    return fault(format!("line {}: a pipeline into a script", command.line));
                }
                let path = match self.evaluate(path)? {
                    Value::Text(path) => path,
                    Value::Block(body) if matches!(command.called, Called::Run(_)) => {
                        let given = self.given(command)?;
                        return self
                            .merging(command.merges, output, |shell, output| shell.body(&body, given, None, output));
                    }
                    other => return fault(format!("line {}: a call of {}", command.line, other.kind())),
                };
                let given = self.given(command)?;
                return match command.called {
                    Called::Run(_) => {
                        self.merging(command.merges, output, |shell, output| shell.script(&path, given, output))
                    }
                    _ if given.is_empty() => self.dot_source(&path, output),
                    _ => fault(format!("line {}: arguments for a script that is loaded with a dot", command.line)),
                };
            }
        };
        if command.merges.any() {
            return fault(format!("line {}: a redirection of {name}", command.line));
        }
        if self.pipeline_command(name, command, input.as_ref(), output)? {
            return Ok(());
        }
        if input.is_some() {
            return fault(format!("line {}: a pipeline into {name}", command.line));
        }
        if name.to_ascii_lowercase().ends_with(".exe") {
            output.extend(self.program(name, command)?);
            return Ok(());
        }
        let given = self.given(command)?;
        if let Some(body) = self.function(name) {
            return self.body(&body, given, None, output);
        }
        if self.builtin(name, &given, output)? {
            return Ok(());
        }
        let Some(signature) = self.computer.signature(name) else {
            return fault(format!("line {}: there is no command '{name}' here", command.line));
        };
        let Some((call, action)) = self.bind_call(&signature, given)? else { return Ok(()) };
        match (self.computer.run(&call), action) {
            (Err(Stop::Throw(message)), ErrorAction::Write) => self.errors.push(message),
            (Err(Stop::Throw(_)), ErrorAction::Nothing) => {}
            (result, _) => output.extend(result?),
        }
        Ok(())
    }

    /// What is run with its warnings or errors flowing on with its output: behind it and not between it, since which came first
    /// is not kept here.
    fn merging(
        &mut self,
        merges: Merges,
        output: &mut Vec<Value>,
        run: impl FnOnce(&mut Self, &mut Vec<Value>) -> Run<()>,
    ) -> Run<()> {
        let (warnings, errors) = (self.warnings.len(), self.errors.len());
        let result = run(self, output);
        if merges.warnings {
            output.extend(self.warnings.split_off(warnings).into_iter().map(warning_record));
        }
        if merges.errors {
            output.extend(self.errors.split_off(errors).into_iter().map(error_record));
        }
        result
    }

    /// Runs a program, whose arguments have no names and are texts.
    fn program(&mut self, name: &str, command: &Command) -> Run<Vec<Value>> {
        let mut arguments = Vec::new();
        for argument in &command.arguments {
            let (None, Some(value)) = argument else {
                return fault(format!("line {}: an argument of {name} that looks like a parameter", command.line));
            };
            arguments.push(self.evaluate(value)?.text().map_err(Stop::Fault)?);
        }
        let missing = || fault(format!("line {}: there is no program '{name}' here", command.line));
        self.computer.program(name, &arguments).unwrap_or_else(missing)
    }

    /// The named arguments of a command with their values; an argument without a name is a fault.
    pub(super) fn given(&mut self, command: &Command) -> Run<Given> {
        let mut given = Vec::new();
        for (name, value) in &command.arguments {
            let Some(name) = name else {
                return fault(format!("line {}: an argument without the name of its parameter", command.line));
            };
            let value = value.as_ref().map_or(Ok(Value::Bool(true)), |value| self.evaluate(value))?;
            given.push((name.clone(), value));
        }
        Ok(given)
    }

    /// The value of an expression.
    pub(super) fn evaluate(&mut self, expression: &Expression) -> Run<Value> {
        self.evaluate_kind(expression).map_err(|stop| match stop {
            Stop::Fault(message) if !message.starts_with("line ") && !message.contains(".ps1: ") => {
                Stop::Fault(format!("line {}: {message}", expression.line))
            }
            other => other,
        })
    }

    fn evaluate_kind(&mut self, expression: &Expression) -> Run<Value> {
        match &expression.kind {
            ExpressionKind::Text(text) => Ok(Value::Text(text.clone())),
            ExpressionKind::Int(number) => Ok(Value::Int(*number)),
            ExpressionKind::Long(number) => Ok(Value::Long(*number)),
            ExpressionKind::Expandable(pieces) => self.expanded(pieces),
            ExpressionKind::Variable(name) => self.read_variable(name),
            ExpressionKind::List(items) => self.values(items).map(Value::array),
            ExpressionKind::Array(block) => {
                let mut items = Vec::new();
                self.block(block, &mut items)?;
                Ok(Value::array(items))
            }
            ExpressionKind::Sub(block) => {
                let mut items = Vec::new();
                self.block(block, &mut items)?;
                Ok(Value::gathered(items))
            }
            ExpressionKind::Paren(pipeline) => self.value_of(pipeline),
            ExpressionKind::Hash(entries) => self.table(entries),
            ExpressionKind::Block(body) => Ok(Value::Block(body.clone())),
            ExpressionKind::Type(name) => Ok(Value::Type(name.clone())),
            ExpressionKind::Cast(kind, value) => {
                let value = self.evaluate(value)?;
                self.cast(kind, value)
            }
            ExpressionKind::Unary(operator, value) => {
                let value = self.evaluate(value)?;
                match operator.as_str() {
                    "-not" | "!" => Ok(Value::Bool(!value.truth())),
                    "," => Ok(Value::array(vec![value])),
                    _ => operators::arithmetic("-", &Value::Int(0), &value),
                }
            }
            ExpressionKind::Binary(operator, left, right) => self.binary(operator, left, right),
            ExpressionKind::Member(target, name) => {
                let (target, name) = (self.evaluate(target)?, self.evaluate(name)?);
                self.member(&target, &name.text().map_err(Stop::Fault)?)
            }
            ExpressionKind::StaticMember(kind, name) => self.static_member(kind, name),
            ExpressionKind::Index(target, index) => {
                let (target, index) = (self.evaluate(target)?, self.evaluate(index)?);
                element(&target, &index)
            }
            ExpressionKind::Call(target, name, arguments) => {
                let target = self.evaluate(target)?;
                let arguments = self.values(arguments)?;
                self.method(&target, name, &arguments)
            }
            ExpressionKind::StaticCall(kind, name, arguments) => {
                let arguments = self.values(arguments)?;
                self.static_method(kind, name, &arguments)
            }
            ExpressionKind::Step(target, step) => {
                let before = self.evaluate(target)?;
                let after = operators::arithmetic("+", &before, &Value::Int(*step))?;
                self.store(target, after)?;
                Ok(before)
            }
        }
    }

    fn values(&mut self, expressions: &[Expression]) -> Run<Vec<Value>> {
        expressions.iter().map(|expression| self.evaluate(expression)).collect()
    }

    fn expanded(&mut self, pieces: &[Piece]) -> Run<Value> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Value(value) => text.push_str(&self.evaluate(value)?.text().map_err(Stop::Fault)?),
            }
        }
        Ok(Value::from(text))
    }

    fn table(&mut self, entries: &[(Expression, Pipeline)]) -> Run<Value> {
        let mut hash = Hash::default();
        for (key, value) in entries {
            let (key, value) = (self.evaluate(key)?, self.value_of(value)?);
            if hash.get(&key).map_err(Stop::Throw)?.is_some() {
                return thrown("A table has the same key twice.");
            }
            hash.set(&key, value).map_err(Stop::Throw)?;
        }
        Ok(Value::Hash(Rc::new(RefCell::new(hash))))
    }

    fn read_variable(&self, name: &str) -> Run<Value> {
        let lower = name.to_lowercase();
        match lower.as_str() {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            _ => {}
        }
        if let Some(variable) = lower.strip_prefix("env:") {
            return Ok(self.computer.environment(variable).map_or(Value::Null, Value::from));
        }
        if lower.contains(':') {
            return fault(format!("the variable ${name}"));
        }
        match self.variable(&lower) {
            Some(value) => Ok(value),
            None => thrown(format!("The variable '${name}' cannot be retrieved because it has not been set.")),
        }
    }

    fn binary(&mut self, operator: &str, left: &Expression, right: &Expression) -> Run<Value> {
        let left = self.evaluate(left)?;
        match operator {
            "-and" if !left.truth() => return Ok(Value::Bool(false)),
            "-or" if left.truth() => return Ok(Value::Bool(true)),
            _ => {}
        }
        let right = self.evaluate(right)?;
        match operator {
            "-and" | "-or" => Ok(Value::Bool(right.truth())),
            _ => operators::binary(operator, &left, &right),
        }
    }

    /// A property. Under strict mode one that is not there is an error.
    pub(super) fn member(&mut self, target: &Value, name: &str) -> Run<Value> {
        let lower = name.to_ascii_lowercase();
        let missing = || thrown(format!("The property '{name}' cannot be found on {}.", target.kind()));
        match target {
            // The object of .NET without what PowerShell adds to it.
            Value::Object(_) if lower == "psbase" => Ok(target.clone()),
            // An error and its exception have the same text.
            Value::Object(object) if lower == "exception" && object.borrow().class == ERROR => {
                let text = object.borrow().text.clone().unwrap_or_default();
                Ok(Object { text: Some(text.clone()), ..Object::new(EXCEPTION, "") }.with("Message", text).value())
            }
            Value::Object(object) if lower == "categoryinfo" && object.borrow().class == ERROR => {
                Ok(Object::new("ErrorCategoryInfo", "").with("Category", category(&object.borrow())).value())
            }
            Value::Object(object) => {
                let object = object.borrow();
                match object.get(name) {
                    Some(value) => Ok(value.clone()),
                    None => security::computed(&object, &lower).unwrap_or_else(missing),
                }
            }
            Value::List(list) => match (lower.as_str(), list.kind) {
                ("count", _) | ("length", ListKind::Array | ListKind::Bytes) => {
                    Ok(Value::number(list.items.borrow().len() as i64))
                }
                (_, ListKind::Acl) => fault(format!("the property {name} of an access list")),
                _ => missing(),
            },
            Value::Text(text) if lower == "length" => Ok(Value::number(text.encode_utf16().count() as i64)),
            Value::Hash(hash) => {
                let hash = hash.borrow();
                match (hash.get(&Value::from(name)).map_err(Stop::Throw)?, lower.as_str()) {
                    (Some(value), _) => Ok(value),
                    (None, "count") => Ok(Value::number(hash.len() as i64)),
                    (None, "keys") => Ok(Value::array(hash.iter().map(|(key, _)| key.clone()).collect())),
                    (None, "values") => Ok(Value::array(hash.iter().map(|(_, value)| value.clone()).collect())),
                    _ => missing(),
                }
            }
            _ => missing(),
        }
    }
}

/// An error as an object, as `catch` has it and as it flows on after `2>&1`.
pub(super) fn error_record(message: String) -> Value {
    Object { text: Some(message), ..Object::new(ERROR, "") }.value()
}

/// What kind of error it is: that nothing was found, told by what the functions of CDXML modules say then, or any other.
fn category(error: &Object) -> Value {
    let text = error.text.as_deref().unwrap_or_default();
    let is_missing = ["No MSFT_", "No matching MSFT_"].iter().any(|start| text.starts_with(start));
    let (word, number) = if is_missing { ("ObjectNotFound", 13) } else { ("NotSpecified", 0) };
    Value::word("ErrorCategory", word, number)
}

/// A warning as an object, as it flows on after `3>&1`.
fn warning_record(message: String) -> Value {
    Object { text: Some(message), ..Object::new("System.Management.Automation.WarningRecord", "") }.value()
}

fn element(target: &Value, index: &Value) -> Run<Value> {
    match target {
        Value::Hash(hash) => Ok(hash.borrow().get(index).map_err(Stop::Throw)?.unwrap_or(Value::Null)),
        Value::List(list) => {
            let items = list.items.borrow();
            let number = index.integer().map_err(Stop::Throw)?;
            let place = if number < 0 { number + items.len() as i64 } else { number };
            let found = usize::try_from(place).ok().and_then(|place| items.get(place)).cloned();
            // PowerShell 3 gives $null here; a script that counts on that is wrong.
            found.map_or_else(|| thrown(format!("The index {number} is outside of the list.")), Ok)
        }
        Value::Null => thrown("Cannot index into a null array."),
        other => fault(format!("an element of {}", other.kind())),
    }
}
