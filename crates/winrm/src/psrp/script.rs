//! What is run: the text of a script with its arguments.

use super::host::{enumeration, none};
use crate::clixml::{Base, ListKind, Object, Value};

/// A script with the values of its parameters. Values are sent as values, never as part of the text, so that nothing in
/// them can become code.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The text of the script.
    pub text: String,
    /// Its arguments: by the name of the parameter, or in their order.
    pub arguments: Vec<(Option<String>, Value)>,
}

impl Script {
    /// A script without arguments.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), arguments: Vec::new() }
    }

    /// The same script with the value of one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.arguments.push((Some(name.to_owned()), value));
        self
    }

    /// The data of CREATE_PIPELINE (MS-PSRP 2.2.2.10).
    pub(super) fn message(&self) -> Value {
        Object::with(vec![
            ("NoInput", Value::Bool(true)),
            ("ApartmentState", enumeration("System.Threading.ApartmentState", "Unknown", 2)),
            ("RemoteStreamOptions", enumeration("System.Management.Automation.RemoteStreamOptions", "0", 0)),
            ("AddToHistory", Value::Bool(false)),
            ("HostInfo", none()),
            ("PowerShell", self.pipeline()),
            ("IsNested", Value::Bool(false)),
        ])
        .into()
    }

    /// A pipeline of one command (MS-PSRP 2.2.3.11).
    fn pipeline(&self) -> Value {
        Object::with(vec![
            ("IsNested", Value::Bool(false)),
            ("ExtraCmds", Value::Null),
            ("Cmds", list("System.Management.Automation.PSObject", vec![self.command()])),
            ("History", Value::Null),
            ("RedirectShellErrorOutputPipe", Value::Bool(true)),
        ])
        .into()
    }

    /// A command (MS-PSRP 2.2.3.12); all of its streams go where they belong.
    fn command(&self) -> Value {
        let nowhere = || enumeration("System.Management.Automation.Runspaces.PipelineResultTypes", "None", 0);
        let arguments = self.arguments.iter().map(|(name, value)| {
            let name = name.as_ref().map_or(Value::Null, |name| Value::Text(name.clone()));
            Object::with(vec![("N", name), ("V", value.clone())]).into()
        });
        Object::with(vec![
            ("Cmd", Value::Text(self.text.clone())),
            ("Args", list("System.Management.Automation.PSObject", arguments.collect())),
            ("IsScript", Value::Bool(true)),
            ("UseLocalScope", Value::Null),
            ("MergeMyResult", nowhere()),
            ("MergeToResult", nowhere()),
            ("MergePreviousResults", nowhere()),
            ("MergeError", nowhere()),
            ("MergeWarning", nowhere()),
            ("MergeVerbose", nowhere()),
            ("MergeDebug", nowhere()),
            ("MergeInformation", nowhere()),
        ])
        .into()
    }
}

/// A generic list of .NET.
fn list(of: &str, values: Vec<Value>) -> Value {
    let name = format!(
        "System.Collections.Generic.List`1[[{of}, System.Management.Automation, Version=1.0.0.0, Culture=neutral, \
         PublicKeyToken=31bf3856ad364e35]]"
    );
    let types = vec![name, "System.Object".to_owned()];
    Object { types, base: Base::List(ListKind::List, values), ..Object::default() }.into()
}
