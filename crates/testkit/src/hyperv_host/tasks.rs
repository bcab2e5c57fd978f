//! The task scheduler: tasks that are registered, started and taken away. What a task runs is run by whoever has the host,
//! as Windows does it beside the session that started the task.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Host;
use super::computer::SYSTEM;
use super::state::ScheduledTask;
use crate::powershell::{Call, Object, Run, Shell, Value, fault, thrown};

const ACTION: &str = "MSFT_TaskExecAction";
const PRINCIPAL: &str = "MSFT_TaskPrincipal2";
const SETTINGS: &str = "MSFT_TaskSettings3";

/// States of a task (`TASK_STATE`).
const STATES: [(&str, i64); 3] = [("Queued", 2), ("Ready", 3), ("Running", 4)];

fn property(call: &Call, parameter: &str, class: &str, name: &str) -> Run<String> {
    let first = call.get(parameter).cloned().map(Value::unrolled).and_then(|values| values.into_iter().next());
    match first {
        Some(Value::Object(object)) if object.borrow().class == class => {
            Ok(object.borrow().get(name).and_then(|value| value.text().ok()).unwrap_or_default())
        }
        _ => thrown(format!("{}: -{parameter} is no {class}.", call.name)),
    }
}

impl Host {
    pub(super) fn new_task_action(&mut self, call: &Call) -> Run<Vec<Value>> {
        let text = |name: &str| call.text(name).unwrap_or_default();
        let action = Object::new(ACTION, "").with("Execute", text("Execute")).with("Arguments", text("Argument"));
        Ok(vec![action.value()])
    }

    pub(super) fn new_task_principal(&mut self, call: &Call) -> Run<Vec<Value>> {
        let text = |name: &str| call.text(name).unwrap_or_default();
        if text("LogonType") != "ServiceAccount" || text("RunLevel") != "Highest" {
            return fault("a principal of a task that is no service account with all of its rights");
        }
        Ok(vec![Object::new(PRINCIPAL, "").with("UserId", text("UserId")).value()])
    }

    pub(super) fn new_task_settings(&mut self, _: &Call) -> Run<Vec<Value>> {
        Ok(vec![Object::new(SETTINGS, "").value()])
    }

    pub(super) fn register_task(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("TaskName").unwrap_or_default();
        if self.state.tasks.iter().any(|task| task.name == name) && !call.has("Force") {
            return thrown(format!("Register-ScheduledTask: there is a task '{name}' already."));
        }
        let task = ScheduledTask {
            name: name.clone(),
            execute: property(call, "Action", ACTION, "Execute")?,
            argument: property(call, "Action", ACTION, "Arguments")?,
            user: property(call, "Principal", PRINCIPAL, "UserId")?,
            state: "Ready".to_owned(),
        };
        self.change()?;
        self.state.tasks.retain(|known| known.name != name);
        self.state.tasks.push(task);
        self.get_task(call)
    }

    pub(super) fn start_task(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("TaskName").unwrap_or_default();
        self.change()?;
        match self.state.tasks.iter_mut().find(|task| task.name == name) {
            Some(task) => task.state = "Queued".to_owned(),
            None => return thrown(format!("Start-ScheduledTask: there is no task '{name}'.")),
        }
        self.state.task_starts += 1;
        Ok(Vec::new())
    }

    pub(super) fn get_task(&mut self, call: &Call) -> Run<Vec<Value>> {
        let names = call.texts("TaskName");
        let wanted = |task: &&ScheduledTask| names.as_ref().is_none_or(|names| names.contains(&task.name));
        let object = |task: &ScheduledTask| {
            let number = STATES.iter().find(|(word, _)| *word == task.state).map_or(0, |(_, number)| *number);
            let state = Value::word("StateEnum", &task.state, number);
            Object::new("MSFT_ScheduledTask", &task.name).with("TaskName", &task.name).with("State", state).value()
        };
        Ok(self.state.tasks.iter().filter(wanted).map(object).collect())
    }

    pub(super) fn unregister_task(&mut self, call: &Call) -> Run<Vec<Value>> {
        let names = call.texts("TaskName").unwrap_or_default();
        self.change()?;
        self.state.tasks.retain(|task| !names.contains(&task.name));
        Ok(Vec::new())
    }

    /// Runs the next task that was started, to its end. Gives what went wrong with it beside what its script caught, and
    /// `None` when there is no task to run.
    pub fn run_task(&mut self) -> Option<Result<(), String>> {
        let task = self.state.tasks.iter_mut().find(|task| task.state == "Queued")?;
        task.state = "Running".to_owned();
        let task = task.clone();
        let result = self.run_command(&task);
        if let Some(task) = self.state.tasks.iter_mut().find(|known| known.name == task.name) {
            task.state = "Ready".to_owned();
        }
        Some(result)
    }

    fn run_command(&mut self, task: &ScheduledTask) -> Result<(), String> {
        let (folder, program) = task.execute.rsplit_once('\\').unwrap_or_default();
        let is_windows = folder == format!(r"{SYSTEM}\WindowsPowerShell\v1.0") && program == "powershell.exe";
        if !is_windows || task.user != "S-1-5-18" {
            return Err(format!("{} as {} is not run", task.execute, task.user));
        }
        let start = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand ";
        let encoded = task.argument.strip_prefix(start).ok_or("other arguments of powershell.exe")?;
        let text = decoded(encoded)?;
        let cache = self.cache.clone();
        let (result, _) = Shell::new(self, &cache).run_script(&text, Vec::new());
        result.map(|_| ()).map_err(|stop| format!("{stop:?}"))
    }

    /// What `powershell.exe -EncodedCommand` writes to its console with a text on its standard input.
    pub fn run_powershell(&mut self, encoded: &str, input: &str) -> Result<Vec<String>, String> {
        let text = decoded(encoded)?;
        let lines: Vec<&str> = input.lines().collect();
        let cache = self.cache.clone();
        Shell::new(self, &cache).run_command(&text, &lines).map_err(|stop| format!("{stop:?}"))
    }
}

/// The text of an encoded command.
fn decoded(encoded: &str) -> Result<String, String> {
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).map_err(|error| error.to_string())
}
