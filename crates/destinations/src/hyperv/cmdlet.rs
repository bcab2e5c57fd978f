//! Calls of cmdlets as data, and their text. Every generated line of PowerShell comes from here.

use crate::error::DestinationError;
use crate::hyperv::quote::literal;

/// An argument of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    /// A text, quoted.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A whole number.
    Number(u64),
    /// `$true` or `$false`.
    Bool(bool),
    /// Words of an enumeration, never from outside.
    Words(Vec<String>),
    /// A switch: the parameter alone.
    Switch,
    /// A variable of the script.
    Variable(String),
    /// A file of the kit, relative with `/`; becomes an absolute path when the script runs.
    KitPath(String),
}

impl Arg {
    /// A text.
    pub fn text(text: impl Into<String>) -> Arg {
        Arg::Text(text.into())
    }

    /// One word of an enumeration.
    pub fn word(word: &str) -> Arg {
        Arg::Words(vec![word.to_owned()])
    }
}

/// How the nouns begin that modules made from CDXML bring (NetTCPIP, NetAdapter, NetSecurity, DnsClient, ScheduledTasks). Their
/// commands are functions, and a function of a module sees `$ErrorActionPreference` and `$ConfirmPreference` of the session and not
/// those of the script that calls it (issues 4568 and 24389 of PowerShell): without words of its own a call that fails is only told.
const FUNCTIONS: [&str; 3] = ["Net", "DnsClient", "ScheduledTask"];

/// Verbs that change nothing, whose functions have no `-Confirm`.
const READING: [&str; 2] = ["Get", "Test"];

/// The words: an error ends the step, and nobody is asked once more, since the step was asked for as a whole.
const PREFERENCES: [(&str, Option<&str>); 2] = [("ErrorAction", Some("Stop")), ("Confirm:$false", None)];

/// A call: a name and named parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The variable that takes the result.
    pub into: Option<String>,
    /// Name of the cmdlet.
    pub name: String,
    /// Parameters in order.
    pub parameters: Vec<(String, Arg)>,
}

impl Call {
    /// A call without parameters.
    pub fn new(name: &str) -> Call {
        Call { into: None, name: name.to_owned(), parameters: Vec::new() }
    }

    /// With a parameter.
    pub fn with(mut self, parameter: &str, arg: Arg) -> Call {
        self.parameters.push((parameter.to_owned(), arg));
        self
    }

    /// With a text.
    pub fn text(self, parameter: &str, text: &str) -> Call {
        self.with(parameter, Arg::text(text))
    }

    /// With a number.
    pub fn number(self, parameter: &str, number: impl Into<u64>) -> Call {
        self.with(parameter, Arg::Number(number.into()))
    }

    /// With a truth value.
    pub fn boolean(self, parameter: &str, value: bool) -> Call {
        self.with(parameter, Arg::Bool(value))
    }

    /// With a variable.
    pub fn variable(self, parameter: &str, name: &str) -> Call {
        self.with(parameter, Arg::Variable(name.to_owned()))
    }

    /// With one word of an enumeration.
    pub fn word(self, parameter: &str, word: &str) -> Call {
        self.with(parameter, Arg::word(word))
    }

    /// With a switch.
    pub fn switch(self, parameter: &str) -> Call {
        self.with(parameter, Arg::Switch)
    }

    /// Its result goes into a variable.
    pub fn into_variable(mut self, name: &str) -> Call {
        self.into = Some(name.to_owned());
        self
    }

    /// The argument of a parameter.
    pub fn arg(&self, parameter: &str) -> Option<&Arg> {
        self.parameters.iter().find(|(name, _)| name == parameter).map(|(_, arg)| arg)
    }

    /// What [`Call::render`] writes behind the parameters of a function of a module: each parameter as it stands, and its word.
    pub fn preferences(&self) -> &'static [(&'static str, Option<&'static str>)] {
        match self.name.split_once('-') {
            Some((verb, noun)) if FUNCTIONS.iter().any(|start| noun.starts_with(start)) => {
                if READING.contains(&verb) {
                    &PREFERENCES[..1]
                } else {
                    &PREFERENCES
                }
            }
            _ => &[],
        }
    }

    /// The line, without a line break at its end.
    pub fn render(&self) -> Result<String, DestinationError> {
        let mut line = self.into.as_ref().map(|name| format!("${name} = ")).unwrap_or_default();
        line.push_str(&self.name);
        for (parameter, arg) in &self.parameters {
            line.push_str(" -");
            line.push_str(parameter);
            if *arg != Arg::Switch {
                line.push(' ');
                line.push_str(&render_arg(arg)?);
            }
        }
        for (parameter, word) in self.preferences() {
            line.push_str(&format!(" -{parameter}"));
            word.iter().for_each(|word| line.push_str(&format!(" {word}")));
        }
        Ok(line)
    }
}

fn render_arg(arg: &Arg) -> Result<String, DestinationError> {
    Ok(match arg {
        Arg::Text(text) => literal(text)?,
        Arg::Texts(texts) => {
            let quoted: Result<Vec<String>, _> = texts.iter().map(|text| literal(text)).collect();
            quoted?.join(",")
        }
        Arg::Number(number) => number.to_string(),
        Arg::Bool(true) => "$true".to_owned(),
        Arg::Bool(false) => "$false".to_owned(),
        Arg::Words(words) => words.join(","),
        Arg::Switch => String::new(),
        Arg::Variable(name) => format!("${name}"),
        Arg::KitPath(path) => format!("(Get-KitPath -Relative {})", literal(&path.replace('/', "\\"))?),
    })
}

/// A step of the kit: how it is tested, performed and undone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StepScript {
    /// Calls that answer `$true` when the step is already done.
    pub test: Vec<Call>,
    /// A call that answers `$true` when there is nothing to do but what it does itself.
    pub unless: Option<Call>,
    /// Calls that do it.
    pub perform: Vec<Call>,
    /// Calls that take it back.
    pub undo: Vec<Call>,
}

const HEAD: &str = "#requires -Version 3.0
# A step of the kit. It is run by Import-HyperVRole.ps1, not by itself.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]
    [ValidateSet('Test', 'Perform', 'Undo')]
    [string]$Mode
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

switch ($Mode) {
";

impl StepScript {
    /// The script as it is written: UTF-8 with byte order mark, CRLF between lines. Line breaks inside literals stay as they are.
    pub fn render(&self) -> Result<Vec<u8>, DestinationError> {
        let mut text = String::from('\u{feff}');
        text.push_str(&HEAD.replace('\n', "\r\n"));
        for (mode, calls) in [("Test", &self.test), ("Perform", &self.perform), ("Undo", &self.undo)] {
            text.push_str(&format!("    '{mode}' {{\r\n"));
            if let Some(call) = self.unless.as_ref().filter(|_| mode == "Perform") {
                text.push_str(&format!("        if ({}) {{ return }}\r\n", call.render()?));
            }
            for call in calls {
                text.push_str(&format!("        {}\r\n", call.render()?));
            }
            text.push_str("    }\r\n");
        }
        text.push_str("}\r\n");
        Ok(text.into_bytes())
    }
}

/// A fixed script of the program as it is written: UTF-8 with byte order mark and CRLF, which PowerShell 3 needs.
pub(crate) fn fixed(text: &str) -> Vec<u8> {
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    bytes.extend_from_slice(text.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
    bytes
}
