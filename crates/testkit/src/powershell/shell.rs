//! Scripts, scopes, functions and statements.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::ast::*;
use super::computer::{Computer, Run, Stop, fault, thrown};
use super::evaluate::error_record;
use super::parse;
use super::value::{Object, Value};

/// Deepest nesting of scripts and functions.
const DEEPEST: usize = 48;

/// Most statements that one run may take.
const MOST_STATEMENTS: u64 = 500_000;

/// Scripts that were read before, by their text.
pub type Cache = Rc<RefCell<HashMap<Rc<str>, Rc<Body>>>>;

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// With an error of the script.
    Error(String),
    /// The computer went off.
    Cut,
    /// It did something that the interpreter or the model does not know.
    Fault(String),
}

/// What a script showed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its output as text.
    pub output: Vec<String>,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// Errors that were written and did not end it.
    pub errors: Vec<String>,
    /// What `-WhatIf` said.
    pub what_if: Vec<String>,
    /// How it ended.
    pub end: End,
}

#[derive(Default)]
pub(super) struct Scope {
    pub variables: HashMap<String, Value>,
    pub functions: HashMap<String, Rc<Body>>,
}

/// A session of PowerShell on a computer.
pub struct Shell<'a> {
    pub(super) computer: &'a mut dyn Computer,
    pub(super) scopes: Vec<Scope>,
    pub(super) warnings: Vec<String>,
    /// Errors that were written, after which the script went on.
    pub(super) errors: Vec<String>,
    pub(super) what_if: Vec<String>,
    /// Lines that were written to the console itself.
    pub(super) console: Vec<String>,
    cache: Cache,
    statements: u64,
    depth: usize,
}

impl<'a> Shell<'a> {
    /// A session without a profile, as `powershell -NoProfile -NonInteractive` has it.
    pub fn new(computer: &'a mut dyn Computer, cache: &Cache) -> Shell<'a> {
        let mut global = Scope::default();
        let texts = [("erroractionpreference", "Continue"), ("confirmpreference", "High")];
        global.variables.extend(texts.map(|(name, text)| (name.to_owned(), Value::from(text))));
        global.variables.insert("whatifpreference".to_owned(), Value::Bool(false));
        Shell {
            computer,
            scopes: vec![global],
            warnings: Vec::new(),
            errors: Vec::new(),
            what_if: Vec::new(),
            console: Vec::new(),
            cache: cache.clone(),
            statements: 0,
            depth: 0,
        }
    }

    /// Runs a script file with parameters, as `& path -Name value`.
    pub fn run(mut self, path: &str, arguments: &[(&str, Value)]) -> Outcome {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut output = Vec::new();
        let result = self.script(path, arguments, &mut output);
        let end = match result {
            Ok(()) | Err(Stop::Return) => End::Code(0),
            Err(Stop::Exit(code)) => End::Code(code),
            Err(Stop::Throw(message)) => End::Error(message),
            Err(Stop::Cut) => End::Cut,
            Err(Stop::Fault(message)) => End::Fault(message),
            Err(Stop::Break | Stop::Continue) => End::Fault("break or continue outside of a loop".to_owned()),
        };
        let text = |value: &Value| value.text().unwrap_or_else(|_| value.kind());
        let output = output.iter().map(text).collect();
        Outcome { output, warnings: self.warnings, errors: self.errors, what_if: self.what_if, end }
    }

    /// Runs a script that is given as text with parameters, as PowerShell remoting does. Gives its output and its warnings. An
    /// error that was only written is what it gives too, as for the one who hears of it over remoting.
    pub fn run_script(mut self, text: &str, arguments: Vec<(String, Value)>) -> (Run<Vec<Value>>, Vec<String>) {
        let body = match parse::script(text) {
            Ok(body) => body,
            Err(message) => return (fault(message), Vec::new()),
        };
        let mut output = Vec::new();
        let result = self.body(&body, arguments, None, &mut output);
        (result.and_then(|()| self.unwritten(output)), self.warnings)
    }

    fn unwritten<T>(&mut self, result: T) -> Run<T> {
        if self.errors.is_empty() { Ok(result) } else { thrown(self.errors.swap_remove(0)) }
    }

    /// Runs a script that is given on the command line, as `powershell -EncodedCommand` does, with these lines on its standard
    /// input. Gives what it wrote to the console.
    pub fn run_command(mut self, text: &str, input: &[&str]) -> Run<Vec<String>> {
        let body = parse::script(text).map_err(Stop::Fault)?;
        self.set("input", Value::texts(input.iter().copied()));
        let mut output = Vec::new();
        self.block(&body.statements, &mut output)?;
        match output.as_slice() {
            [] if self.errors.is_empty() => Ok(self.console),
            _ => fault("a command that lets PowerShell itself write its output"),
        }
    }

    /// Runs a piece of a script that is given as text, in a scope of its own. An error that was only written counts as thrown at
    /// its end.
    pub fn run_text(mut self, text: &str) -> (Result<Vec<Value>, Stop>, Vec<String>) {
        let body = match parse::script(text) {
            Ok(body) => body,
            Err(message) => return (fault(message), Vec::new()),
        };
        let mut output = Vec::new();
        self.scopes.push(Scope::default());
        let result = self.block(&body.statements, &mut output);
        (result.and_then(|()| self.unwritten(output)), self.warnings)
    }

    fn load(&mut self, path: &str) -> Run<Rc<Body>> {
        let text = self.computer.script(path)?;
        if let Some(body) = self.cache.borrow().get(&text) {
            return Ok(body.clone());
        }
        let body = parse::script(&text).map_err(|message| Stop::Fault(format!("{path}: {message}")))?;
        self.cache.borrow_mut().insert(text, body.clone());
        Ok(body)
    }

    /// A script in a scope of its own; `exit` ends only the script, whatever its code, which nobody here asks for.
    pub(super) fn script(&mut self, path: &str, arguments: Vec<(String, Value)>, output: &mut Vec<Value>) -> Run<()> {
        let body = self.load(path)?;
        let outer = self.depth == 0;
        let result = self.body(&body, arguments, Some(path), output).map_err(|stop| at_file(stop, path));
        match result {
            Err(Stop::Exit(_)) if !outer => Ok(()),
            other => other,
        }
    }

    /// A script in the scope where it is named.
    pub(super) fn dot_source(&mut self, path: &str, output: &mut Vec<Value>) -> Run<()> {
        let body = self.load(path)?;
        if body.parameters.is_some() {
            return fault(format!("{path} has parameters and is loaded with a dot"));
        }
        let before = self.local("psscriptroot");
        self.set("PSScriptRoot", Value::from(folder_of(path)));
        let result = self.block(&body.statements, output).map_err(|stop| at_file(stop, path));
        if let Some(before) = before {
            self.set("PSScriptRoot", before);
        }
        result
    }

    fn local(&self, name: &str) -> Option<Value> {
        self.scopes.last().and_then(|scope| scope.variables.get(name)).cloned()
    }

    /// A script or a function with a new scope.
    pub(super) fn body(
        &mut self,
        body: &Body,
        arguments: Vec<(String, Value)>,
        path: Option<&str>,
        output: &mut Vec<Value>,
    ) -> Run<()> {
        if self.depth >= DEEPEST {
            return fault("functions and scripts call each other too deep");
        }
        self.depth += 1;
        self.scopes.push(Scope::default());
        if let Some(path) = path {
            self.set("PSScriptRoot", Value::from(folder_of(path)));
        }
        let result = self.bound_body(body, arguments, output);
        self.scopes.pop();
        self.depth -= 1;
        match result {
            Err(Stop::Return) => Ok(()),
            other => other,
        }
    }

    fn bound_body(&mut self, body: &Body, arguments: Vec<(String, Value)>, output: &mut Vec<Value>) -> Run<()> {
        self.bind_parameters(body.parameters.as_ref(), arguments)?;
        if let Some(binding) = body.parameters.as_ref().and_then(|all| all.binding.as_ref()) {
            let object = Object::new("PSCmdlet", "")
                .with("SupportsShouldProcess", binding.should_process)
                .with("ConfirmImpact", binding.impact.as_str());
            self.set("PSCmdlet", object.value());
        }
        self.block(&body.statements, output)
    }

    /// A variable of this scope or of one that called it.
    pub(super) fn variable(&self, name: &str) -> Option<Value> {
        let name = name.to_lowercase();
        self.scopes.iter().rev().find_map(|scope| scope.variables.get(&name)).cloned()
    }

    /// A variable of the session itself.
    pub(super) fn of_session(&self, name: &str) -> Option<Value> {
        self.scopes.first().and_then(|scope| scope.variables.get(&name.to_lowercase())).cloned()
    }

    /// Sets a variable of this scope.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.variables.insert(name.to_lowercase(), value);
        }
    }

    pub(super) fn function(&self, name: &str) -> Option<Rc<Body>> {
        let name = name.to_lowercase();
        self.scopes.iter().rev().find_map(|scope| scope.functions.get(&name)).cloned()
    }

    /// Statements in order.
    pub(super) fn block(&mut self, block: &[Statement], output: &mut Vec<Value>) -> Run<()> {
        for statement in block {
            self.count()?;
            self.statement(statement, output).map_err(|stop| at_line(stop, statement.line))?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement, output: &mut Vec<Value>) -> Run<()> {
        match &statement.kind {
            StatementKind::Pipeline(pipeline) => self.pipeline(pipeline, output),
            StatementKind::If { arms, otherwise } => self.if_statement(arms, otherwise.as_deref(), output),
            StatementKind::Switch { subject, clauses } => self.switch(subject, clauses, output),
            StatementKind::Foreach { variable, over, body } => {
                for value in self.over(over)? {
                    self.set(variable, value);
                    if self.round(body, output)? == Round::Last {
                        break;
                    }
                }
                Ok(())
            }
            StatementKind::For { start, condition, next, body } => {
                self.for_statement([start, condition, next].map(Option::as_ref), body, output)
            }
            StatementKind::While { condition, body } => self.for_statement([None, Some(condition), None], body, output),
            StatementKind::Function { name, body } => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.functions.insert(name.to_lowercase(), body.clone());
                }
                Ok(())
            }
            StatementKind::Try { body, catch, finally } => {
                self.try_statement(body, catch.as_deref(), finally.as_deref(), output)
            }
            StatementKind::Return(value) => {
                if let Some(pipeline) = value {
                    self.pipeline(pipeline, output)?;
                }
                Err(Stop::Return)
            }
            StatementKind::Throw(Some(value)) => {
                let message = self.value_of(value)?.text();
                thrown(message.map_err(Stop::Fault)?)
            }
            StatementKind::Throw(None) => fault("throw without a value"),
            StatementKind::Exit(value) => {
                let code = value.as_ref().map(|value| self.value_of(value)).transpose()?.unwrap_or(Value::Int(0));
                match code {
                    Value::Int(code) => Err(Stop::Exit(code)),
                    other => fault(format!("exit with {}", other.kind())),
                }
            }
            StatementKind::Break => Err(Stop::Break),
            StatementKind::Continue => Err(Stop::Continue),
        }
    }

    fn if_statement(
        &mut self,
        arms: &[(Pipeline, Block)],
        otherwise: Option<&[Statement]>,
        output: &mut Vec<Value>,
    ) -> Run<()> {
        for (condition, block) in arms {
            if self.value_of(condition)?.truth() {
                return self.block(block, output);
            }
        }
        otherwise.map_or(Ok(()), |block| self.block(block, output))
    }

    fn switch(
        &mut self,
        subject: &Pipeline,
        clauses: &[(Option<Expression>, Block)],
        output: &mut Vec<Value>,
    ) -> Run<()> {
        let Value::Text(subject) = self.value_of(subject)? else {
            return fault("switch over something that is no text");
        };
        let mut found = false;
        for (condition, block) in clauses {
            let matches = match condition {
                Some(condition) => self.evaluate(condition)?.text().is_ok_and(|text| same_text(&text, &subject)),
                None => !found,
            };
            if matches {
                found = true;
                match self.block(block, output) {
                    Err(Stop::Break) => return Ok(()),
                    Err(Stop::Continue) => return fault("continue in a clause of switch"),
                    other => other?,
                }
            }
        }
        Ok(())
    }

    fn over(&mut self, pipeline: &Pipeline) -> Run<Vec<Value>> {
        Ok(match self.value_of(pipeline)? {
            Value::Null => Vec::new(),
            value => value.unrolled(),
        })
    }

    fn for_statement(
        &mut self,
        [start, condition, next]: [Option<&Pipeline>; 3],
        body: &[Statement],
        output: &mut Vec<Value>,
    ) -> Run<()> {
        let mut nothing = Vec::new();
        start.map_or(Ok(()), |start| self.pipeline(start, &mut nothing))?;
        while condition.map_or(Ok(true), |condition| self.value_of(condition).map(|value| value.truth()))? {
            if self.round(body, output)? == Round::Last {
                break;
            }
            next.map_or(Ok(()), |next| self.pipeline(next, &mut nothing))?;
        }
        Ok(())
    }

    /// Statements and rounds of loops are counted, so that every script comes to an end.
    fn count(&mut self) -> Run<()> {
        self.statements += 1;
        if self.statements > MOST_STATEMENTS {
            return fault("the script does not come to an end");
        }
        Ok(())
    }

    fn round(&mut self, body: &[Statement], output: &mut Vec<Value>) -> Run<Round> {
        self.count()?;
        match self.block(body, output) {
            Ok(()) | Err(Stop::Continue) => Ok(Round::Next),
            Err(Stop::Break) => Ok(Round::Last),
            Err(other) => Err(other),
        }
    }

    fn try_statement(
        &mut self,
        body: &[Statement],
        catch: Option<&[Statement]>,
        finally: Option<&[Statement]>,
        output: &mut Vec<Value>,
    ) -> Run<()> {
        let mut result = self.block(body, output);
        if let (Err(Stop::Throw(message)), Some(catch)) = (&result, catch) {
            let record = error_record(message.clone());
            let before = self.variable("_");
            self.set("_", record);
            result = self.block(catch, output);
            self.restore("_", before);
        }
        if matches!(result, Err(Stop::Cut | Stop::Fault(_))) {
            return result;
        }
        finally.map_or(Ok(()), |finally| self.block(finally, output))?;
        result
    }

    pub(super) fn restore(&mut self, name: &str, value: Option<Value>) {
        match (value, self.scopes.last_mut()) {
            (Some(value), _) => self.set(name, value),
            (None, Some(scope)) => {
                scope.variables.remove(name);
            }
            (None, None) => {}
        }
    }
}

#[derive(PartialEq, Eq)]
enum Round {
    Next,
    Last,
}

/// Texts are the same for `-eq` when they differ in the size of letters only.
pub(super) fn same_text(one: &str, two: &str) -> bool {
    one.to_lowercase() == two.to_lowercase()
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('\\').map_or("", |(folder, _)| folder)
}

/// A fault gets the line of the innermost statement.
fn at_line(stop: Stop, line: usize) -> Stop {
    match stop {
        Stop::Fault(message) if !message.starts_with("line ") && !message.contains(".ps1: ") => {
            Stop::Fault(format!("line {line}: {message}"))
        }
        other => other,
    }
}

fn at_file(stop: Stop, path: &str) -> Stop {
    match stop {
        Stop::Fault(message) if !message.contains(".ps1: ") => Stop::Fault(format!("{path}: {message}")),
        other => other,
    }
}
