//! The commands of PowerShell itself, which do not touch the computer.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::{Body, Command, ExpressionKind};
use super::bind::Given;
use super::computer::{Run, Stop, fault};
use super::expression::short_type;
use super::json;
use super::shell::Shell;
use super::value::{List, ListKind, Object, Value};

impl Shell<'_> {
    /// `Where-Object`, `ForEach-Object`, `Select-Object` and `Out-Null`, which take what comes through a pipeline. False for
    /// every other command.
    pub(super) fn pipeline_command(
        &mut self,
        name: &str,
        command: &Command,
        input: Option<&Vec<Value>>,
        output: &mut Vec<Value>,
    ) -> Run<bool> {
        let lower = name.to_ascii_lowercase();
        if !["where-object", "foreach-object", "select-object", "out-null"].contains(&lower.as_str()) {
            return Ok(false);
        }
        let Some(input) = input else { return fault(format!("{name} without a pipeline before it")) };
        match lower.as_str() {
            "where-object" => {
                let body = script_block(name, command)?;
                for item in input {
                    let mut answers = Vec::new();
                    self.with_item(&body, item, &mut answers)?;
                    if Value::gathered(answers).truth() {
                        output.push(item.clone());
                    }
                }
            }
            "foreach-object" => {
                let body = script_block(name, command)?;
                for item in input {
                    self.with_item(&body, item, output)?;
                }
            }
            "select-object" => match self.given(command)?.as_slice() {
                [(first, Value::Int(count))] if first.eq_ignore_ascii_case("First") && *count >= 0 => {
                    output.extend(input.iter().take(*count as usize).cloned());
                }
                _ => return fault(format!("{name} with other parameters than -First")),
            },
            _ => {}
        }
        Ok(true)
    }

    /// A script block for one item: in the scope of its caller, with the item as `$_`.
    fn with_item(&mut self, body: &Rc<Body>, item: &Value, output: &mut Vec<Value>) -> Run<()> {
        let before = self.variable("_");
        self.set("_", item.clone());
        let result = self.block(&body.statements, output);
        self.restore("_", before);
        match result {
            Err(Stop::Return | Stop::Break | Stop::Continue) => fault("a jump out of a script block of a pipeline"),
            other => other,
        }
    }

    /// Other commands of PowerShell itself. False when there is none of the name.
    pub(super) fn builtin(&mut self, name: &str, given: &Given, output: &mut Vec<Value>) -> Run<bool> {
        let argument = |parameter: &str| {
            given.iter().find(|(known, _)| known.eq_ignore_ascii_case(parameter)).map(|(_, value)| value.clone())
        };
        let only = |parameters: &[&str]| {
            let known = |name: &String| parameters.iter().any(|known| known.eq_ignore_ascii_case(name));
            match given.iter().find(|(name, _)| !known(name)) {
                Some((unknown, _)) => fault(format!("{name} -{unknown}")),
                None => Ok(()),
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "write-output" => {
                only(&["InputObject"])?;
                output.extend(argument("InputObject").unwrap_or(Value::Null).unrolled());
            }
            "write-warning" => {
                only(&["Message"])?;
                let text = argument("Message").unwrap_or(Value::Null).text().map_err(Stop::Fault)?;
                self.warnings.push(text);
            }
            "write-verbose" => only(&["Message"])?,
            "set-strictmode" => match argument("Version") {
                Some(Value::Int(2)) => only(&["Version"])?,
                _ => return fault("Set-StrictMode with another version than 2"),
            },
            "convertfrom-json" => {
                only(&["InputObject"])?;
                let text = argument("InputObject").unwrap_or(Value::Null).text().map_err(Stop::Fault)?;
                output.push(json::read(&text).map_err(Stop::Throw)?);
            }
            "convertto-json" => {
                only(&["InputObject", "Compress", "Depth"])?;
                let value = argument("InputObject").unwrap_or(Value::Null);
                let depth = argument("Depth").map(|depth| depth.integer()).transpose().map_err(Stop::Throw)?;
                let depth = depth.and_then(|depth| usize::try_from(depth).ok());
                output.push(Value::from(json::write(&value, depth).map_err(Stop::Fault)?));
            }
            "new-object" => {
                only(&["TypeName", "ArgumentList", "Property"])?;
                let kind = argument("TypeName").unwrap_or(Value::Null).text().map_err(Stop::Fault)?;
                output.push(self.new_object(&kind, argument("ArgumentList"), argument("Property"))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn new_object(&mut self, kind: &str, arguments: Option<Value>, properties: Option<Value>) -> Run<Value> {
        match (short_type(kind).as_str(), arguments, properties) {
            ("management.automation.psobject", None, Some(Value::Hash(hash))) => {
                let mut object = Object::new("PSCustomObject", "");
                for (key, value) in hash.borrow().iter() {
                    object.properties.push((key.text().map_err(Stop::Fault)?, value.clone()));
                }
                Ok(object.value())
            }
            ("collections.arraylist", None, None) => {
                let list = List { kind: ListKind::Growing, items: RefCell::new(Vec::new()) };
                // One thing, not its items: New-Object does not unroll.
                Ok(Value::List(Rc::new(list)))
            }
            ("byte[]", Some(Value::Int(length @ 0..=1_048_576)), None) => Ok(Value::bytes(&vec![0; length as usize])),
            (kind, arguments, None) => {
                let arguments = arguments.map(Value::unrolled).unwrap_or_default();
                self.make(kind, &arguments)
            }
            _ => fault(format!("New-Object of {kind} with these parameters")),
        }
    }
}

fn script_block(name: &str, command: &Command) -> Run<Rc<Body>> {
    match command.arguments.as_slice() {
        [(None, Some(argument))] => match &argument.kind {
            ExpressionKind::Block(body) if body.parameters.is_none() => Ok(body.clone()),
            _ => fault(format!("{name} without a script block")),
        },
        _ => fault(format!("{name} with other arguments than a script block")),
    }
}
