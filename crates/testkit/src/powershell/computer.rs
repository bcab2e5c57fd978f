//! What the interpreter asks of the computer that a script runs on: its commands, its classes, its files.

use std::cell::RefCell;
use std::rc::Rc;

use super::value::{Object, Value};

/// Why a script does not go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// An error as PowerShell knows it; `catch` takes it.
    Throw(String),
    /// `return`.
    Return,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `exit`.
    Exit(i32),
    /// Something that the interpreter or the model does not know; nothing catches it.
    Fault(String),
    /// The computer went off; nothing catches it, and `finally` is not run.
    Cut,
}

/// A result of the interpreter.
pub type Run<T> = Result<T, Stop>;

/// An error of the script.
pub fn thrown<T>(message: impl Into<String>) -> Run<T> {
    Err(Stop::Throw(message.into()))
}

/// Something that is not known.
pub fn fault<T>(message: impl Into<String>) -> Run<T> {
    Err(Stop::Fault(message.into()))
}

/// A parameter of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub name: String,
    /// Its type; `Switch` takes no value.
    pub kind: String,
    /// Whether it must be given.
    pub mandatory: bool,
}

/// What a command takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// Its parameter sets.
    pub sets: Vec<Vec<Accepted>>,
    /// Other names of its parameters.
    pub aliases: Vec<(String, String)>,
    /// Whether it knows `-WhatIf` and `-Confirm`.
    pub should_process: bool,
    /// Whether it is a function of a module, as the commands of modules that are made from CDXML are. Of its caller's preferences
    /// such a function sees only those of the session (issue 4568 of PowerShell): `$ErrorActionPreference` and its like in
    /// a script do not reach it. It counts as asking before each change.
    pub is_function: bool,
}

/// A call whose arguments are checked and of the wanted types.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Name of the command.
    pub name: String,
    /// Arguments by the names of their parameters.
    pub arguments: Vec<(String, Value)>,
}

impl Call {
    /// The argument of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// True when the parameter is given, and true when it is a switch.
    pub fn has(&self, name: &str) -> bool {
        !matches!(self.get(name), None | Some(Value::Bool(false)))
    }

    /// A text or a word.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| value.text().ok())
    }

    /// Texts or words.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.get(name)?.clone().unrolled();
        items.iter().map(|item| item.text().ok()).collect()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|value| value.integer().ok())
    }

    /// Numbers.
    pub fn numbers(&self, name: &str) -> Option<Vec<i64>> {
        self.get(name)?.clone().unrolled().iter().map(|item| item.integer().ok()).collect()
    }

    /// A truth value.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// Classes and ids of the objects of a parameter.
    pub fn objects(&self, name: &str) -> Option<Vec<(String, String)>> {
        let one = |value: &Value| match value {
            Value::Object(object) => Some((object.borrow().class.clone(), object.borrow().id.clone())),
            _ => None,
        };
        self.get(name)?.clone().unrolled().iter().map(one).collect()
    }
}

/// A computer.
pub trait Computer {
    /// What a command of the computer takes; `None` when there is no such command.
    fn signature(&self, name: &str) -> Option<Rc<Signature>>;

    /// The words of an enumeration with their numbers; `None` when the type is none.
    fn words(&self, kind: &str) -> Option<&'static [(&'static str, i64)]>;

    /// True when an object of the class can be given to a parameter of the type.
    fn fits(&self, kind: &str, class: &str) -> bool;

    /// True when the call asks somebody before it does anything.
    fn asks(&self, call: &Call) -> bool;

    /// Runs a command.
    fn run(&mut self, call: &Call) -> Run<Vec<Value>>;

    /// Runs a program such as `fsutil.exe` with its arguments; `None` when there is no such program.
    fn program(&mut self, name: &str, arguments: &[String]) -> Option<Run<Vec<Value>>> {
        let _ = (name, arguments);
        None
    }

    /// Calls a static method; the type is in small letters without `system.`.
    fn call_static(&mut self, kind: &str, method: &str, arguments: &[Value]) -> Run<Value>;

    /// A static property.
    fn static_member(&mut self, kind: &str, member: &str) -> Run<Value>;

    /// Calls a method of an object of the computer.
    fn call_method(&mut self, target: &Rc<RefCell<Object>>, method: &str, arguments: &[Value]) -> Run<Value>;

    /// Makes an object, as `New-Object` and casts do.
    fn construct(&mut self, kind: &str, arguments: &[Value]) -> Run<Value>;

    /// A variable of the environment.
    fn environment(&self, name: &str) -> Option<String>;

    /// The text of a script file.
    fn script(&mut self, path: &str) -> Run<Rc<str>>;
}
