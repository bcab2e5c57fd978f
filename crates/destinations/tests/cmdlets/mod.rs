//! What PowerShell knows on a release of Windows Server: the cmdlet tables of the documentation, a short list of core cmdlets, and
//! the functions of the kit itself.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hvm_testkit::hyperv_host::FUNCTION_MODULES;
use serde_json::Value;
use tree_sitter::{Node, Parser, Tree};

pub const CORE: [(&str, &str); 25] = [
    ("Write-Output", "InputObject"),
    ("Write-Warning", "Message"),
    ("ConvertFrom-Json", "InputObject"),
    ("ConvertTo-Json", "InputObject Compress Depth"),
    ("New-Object", "TypeName ArgumentList Property"),
    ("Where-Object", "*"),
    ("ForEach-Object", "*"),
    ("Select-Object", "First"),
    ("Test-Path", "LiteralPath"),
    ("Get-Item", "LiteralPath"),
    ("New-Item", "Path Force"),
    ("New-ItemProperty", "LiteralPath Name PropertyType Value Force"),
    ("Remove-ItemProperty", "LiteralPath Name"),
    ("Restart-Service", "Name Force"),
    ("Get-Service", "Name"),
    ("Get-WmiObject", "Class Namespace Query Filter"),
    ("Start-Sleep", "Seconds Milliseconds"),
    ("Start-Transcript", "Path Append"),
    ("Stop-Transcript", ""),
    ("Import-Module", "Name"),
    ("Get-Module", "ListAvailable Name"),
    ("Set-StrictMode", "Version"),
    ("Write-Verbose", "Message"),
    ("Get-Process", "Name"),
    ("Out-Null", ""),
];

/// Words of the enumerations that the scripts use, by type.
const WORDS: [(&str, &[&str]); 18] = [
    ("LogonTypeEnum", &["ServiceAccount"]),
    ("RunLevelEnum", &["Highest"]),
    ("StartAction", &["Nothing", "StartIfRunning", "Start"]),
    ("StopAction", &["TurnOff", "Save", "ShutDown"]),
    ("BootDevice", &["Floppy", "CD", "IDE", "LegacyNetworkAdapter"]),
    ("ControllerType", &["IDE", "SCSI"]),
    ("VMSwitchType", &["Internal", "Private", "External"]),
    ("VMSwitchBandwidthMode", &["Default", "Weight", "Absolute", "None"]),
    ("OnOffState", &["On", "Off"]),
    ("AddressFamily", &["IPv4", "IPv6"]),
    ("Dhcp", &["Enabled", "Disabled"]),
    ("Direction", &["Inbound", "Outbound"]),
    ("Action", &["NotConfigured", "Allow", "Block"]),
    ("Enabled", &["True", "False"]),
    ("Profile", &["Any", "Domain", "Private", "Public", "NotApplicable"]),
    ("InterfaceType", &["Any", "Wired", "Wireless", "RemoteAccess"]),
    ("EdgeTraversal", &["Block", "Allow", "DeferToUser", "DeferToApp"]),
    ("DynamicTransport", &["Any"]),
];

/// A parameter of one set.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub mandatory: bool,
    pub kind: String,
    /// The words that the documentation accepts, where it lists them.
    pub accepted: Vec<String>,
}

/// A parameter with the words that it accepts.
fn accepting(parameter: Parameter, words: &Value) -> Parameter {
    let words = words.as_array().into_iter().flatten();
    Parameter { accepted: words.map(|word| word.as_str().unwrap().to_owned()).collect(), ..parameter }
}

type Set = BTreeMap<String, Parameter>;

/// Everything that can be called.
pub struct Known {
    cmdlets: BTreeMap<String, Vec<Set>>,
    /// Those that are functions of modules, which see no preference of a script.
    functions: BTreeSet<String>,
    core: BTreeMap<String, Vec<String>>,
}

/// The table of a release; it lies beside the repository or where the variable says.
pub fn table(release: &str) -> Option<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let samples = std::env::var_os("HVM_SAMPLES").map_or(beside, PathBuf::from);
    let path = samples.join(format!("cmdlets/{release}.compact.json"));
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            eprintln!("SKIPPED: the cmdlets cannot be checked, {}: {error}", path.display());
            None
        }
    }
}

pub fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap()
}

pub fn nodes<'t>(node: Node<'t>, kind: &str, found: &mut Vec<Node<'t>>) {
    if node.kind() == kind {
        found.push(node);
    }
    for child in children(node) {
        nodes(child, kind, found);
    }
}

fn children(node: Node) -> Vec<Node> {
    (0..node.child_count()).map(|index| node.child(index as u32).unwrap()).collect()
}

fn entry(text: &str) -> (String, Parameter) {
    let (mandatory, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let (name, kind) = text.split_once(':').unwrap_or((text, "Switch"));
    let name = name.split('@').next().unwrap();
    (name.to_owned(), Parameter { mandatory, kind: kind.to_owned(), accepted: Vec::new() })
}

impl Known {
    /// The table of the samples, and the functions that `scripts` define.
    pub fn new(table: &Value, scripts: &[&str]) -> Known {
        let (mut cmdlets, mut functions) = (BTreeMap::new(), BTreeSet::new());
        for (name, cmdlet) in table.as_object().unwrap() {
            let sets = cmdlet["s"].as_object().unwrap().values();
            let set = |set: &Value| {
                let entries = set.as_array().unwrap().iter().map(|text| entry(text.as_str().unwrap()));
                entries.map(|(name, parameter)| (name.clone(), accepting(parameter, &cmdlet["v"][&name]))).collect()
            };
            cmdlets.insert(name.clone(), sets.map(set).collect());
            if cmdlet["m"].as_str().is_some_and(|module| FUNCTION_MODULES.contains(&module)) {
                functions.insert(name.clone());
            }
        }
        for script in scripts {
            let tree = parse(script);
            let mut functions = Vec::new();
            nodes(tree.root_node(), "function_statement", &mut functions);
            for function in functions {
                let (name, set) = function_set(function, script);
                cmdlets.insert(name, vec![set]);
            }
        }
        let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Known { cmdlets, functions, core: CORE.iter().map(|(name, text)| (name.to_string(), words(text))).collect() }
    }

    /// What is wrong with the calls of a script.
    pub fn faults(&self, script: &str) -> Vec<String> {
        let tree = parse(script);
        let mut faults = Vec::new();
        if tree.root_node().has_error() {
            faults.push(format!("does not parse: {}", first_error(tree.root_node(), script)));
        }
        let mut commands = Vec::new();
        nodes(tree.root_node(), "command", &mut commands);
        for command in commands {
            if let Err(fault) = self.check(command, script) {
                faults.push(format!("line {}: {fault}", command.start_position().row + 1));
            }
        }
        faults
    }

    fn check(&self, command: Node, script: &str) -> Result<(), String> {
        let Some(name) = children(command).into_iter().find(|node| node.kind() == "command_name") else {
            return Ok(());
        };
        let name = &script[name.byte_range()];
        if !name.contains('-') {
            return if name == "exit" { Ok(()) } else { Err(format!("{name} is not a cmdlet")) };
        }
        let (given, positional) = arguments(command, script);
        if let Some(core) = self.core.get(name) {
            let unknown = given
                .iter()
                .find(|(parameter, _)| !core.contains(parameter) && core.first().is_none_or(|any| any != "*"));
            return unknown.map_or(Ok(()), |(parameter, _)| Err(format!("{name} -{parameter} is not on the list")));
        }
        let sets = self.cmdlets.get(name).ok_or_else(|| format!("{name} is not known on this release"))?;
        if positional > 0 {
            return Err(format!("{name} has an argument without a parameter"));
        }
        let given = self.without_preferences(name, sets, given)?;
        let mut reasons = Vec::new();
        for set in sets {
            match fits(set, &given) {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(format!("{name} fits no parameter set: {}", reasons.join("; ")))
    }
}

type Given<'a> = Vec<(String, Option<&'a str>)>;

impl Known {
    /// What is given beside `-ErrorAction` and `-Confirm`. Functions of modules see neither `$ErrorActionPreference` nor
    /// `$ConfirmPreference` of a script, so each call of one has to say what an error does, and that nobody is asked.
    fn without_preferences<'a>(&self, name: &str, sets: &[Set], given: Given<'a>) -> Result<Given<'a>, String> {
        let confirms = sets.iter().any(|set| set.contains_key("Confirm"));
        let value =
            |wanted: &str| given.iter().find(|(known, _)| known == wanted).map(|(_, value)| value.unwrap_or(""));
        let (action, confirm) = (value("ErrorAction"), value("Confirm"));
        if action.is_some_and(|action| !["Stop", "SilentlyContinue"].contains(&action)) {
            return Err(format!("{name} -ErrorAction {action:?}"));
        }
        if confirm.is_some_and(|confirm| confirm != "$false" || !confirms) {
            return Err(format!("{name} -Confirm {confirm:?}"));
        }
        let is_function = self.functions.contains(name);
        if is_function && action.is_none() {
            return Err(format!("{name} is a function of a module and does not say what an error does"));
        }
        if is_function && confirms && confirm.is_none() {
            return Err(format!("{name} is a function of a module and may ask"));
        }
        let own = |(name, _): &(String, Option<&str>)| !["ErrorAction", "Confirm"].contains(&name.as_str());
        Ok(given.into_iter().filter(own).collect())
    }
}

fn function_set(function: Node, script: &str) -> (String, Set) {
    let name = children(function).into_iter().find(|node| node.kind() == "function_name").unwrap();
    let mut parameters = Vec::new();
    nodes(function, "script_parameter", &mut parameters);
    let set = parameters.into_iter().map(|parameter| {
        let text = &script[parameter.byte_range()];
        let variable = children(parameter).into_iter().find(|node| node.kind() == "variable").unwrap();
        let variable = script[variable.byte_range()].trim_start_matches('$').to_owned();
        let kind = [
            ("[switch]", "Switch"),
            ("[string[]]", "String[]"),
            ("[string]", "String"),
            ("[int]", "Int32"),
            ("[bool]", "Boolean"),
        ];
        let kind = kind.iter().find(|(literal, _)| text.contains(literal)).map_or("Object", |(_, kind)| kind);
        (
            variable,
            Parameter { mandatory: text.contains("Mandatory = $true"), kind: kind.to_owned(), accepted: Vec::new() },
        )
    });
    (script[name.byte_range()].to_owned(), set.collect())
}

fn first_error(node: Node, script: &str) -> String {
    if node.is_error() || node.is_missing() {
        let text: String = script[node.byte_range()].chars().take(80).collect();
        return format!("line {}: {} {text:?}", node.start_position().row + 1, node.kind());
    }
    children(node)
        .into_iter()
        .filter(|child| child.has_error())
        .map(|child| first_error(child, script))
        .next()
        .unwrap_or_default()
}

/// Parameters with their argument, and the number of arguments without one.
fn arguments<'a>(command: Node, script: &'a str) -> (Given<'a>, usize) {
    let mut given: Given<'a> = Vec::new();
    let mut positional = 0;
    let mut end = 0;
    let elements = children(command).into_iter().filter(|node| node.kind() == "command_elements").flat_map(children);
    for node in elements.filter(|node| node.kind() != "command_argument_sep") {
        let text = &script[node.byte_range()];
        // The parts of a list of words are nodes of their own.
        let listed = text == "," || script[end..node.start_byte()].contains(',') || script[..end].ends_with(',');
        let length = text.len();
        let start = std::mem::replace(&mut end, node.end_byte())
            - given.last().and_then(|(_, value)| *value).map_or(0, str::len);
        match (node.kind(), given.last_mut()) {
            (_, Some((_, Some(value)))) if listed => *value = &script[start..node.start_byte() + length],
            ("command_parameter", _) => given.push((text.trim_start_matches('-').to_owned(), None)),
            (_, Some((_, value @ None))) => *value = Some(text.trim()),
            _ => positional += 1,
        }
    }
    (given, positional)
}

fn fits(set: &Set, given: &[(String, Option<&str>)]) -> Result<(), String> {
    for (name, value) in given {
        let parameter = set.get(name).ok_or_else(|| format!("no -{name}"))?;
        fits_type(parameter, *value).map_err(|reason| format!("-{name} {reason}"))?;
    }
    let missing =
        set.iter().find(|(name, parameter)| parameter.mandatory && !given.iter().any(|(given, _)| given == *name));
    missing.map_or(Ok(()), |(name, _)| Err(format!("-{name} is missing")))
}

fn fits_type(parameter: &Parameter, value: Option<&str>) -> Result<(), String> {
    let kind = parameter.kind.trim_end_matches("[]");
    let Some(value) = value else {
        return if kind == "Switch" { Ok(()) } else { Err(format!("has no value of type {kind}")) };
    };
    let expression = value.starts_with(['$', '(']);
    let accepts = |word: &str| parameter.accepted.iter().any(|found| found.eq_ignore_ascii_case(word));
    if !expression && !parameter.accepted.is_empty() && !value.split(',').all(accepts) {
        return Err(format!("takes {}, not {value}", parameter.accepted.join(", ")));
    }
    let number = value.bytes().all(|byte| byte.is_ascii_digit());
    let quoted = value.starts_with('\'');
    let listed = value.starts_with('\'') && value.contains("','");
    let fits = match kind {
        "Switch" => false,
        "Boolean" => matches!(value, "$true" | "$false") || expression,
        "String" if listed => parameter.kind.ends_with("[]"),
        "String" => quoted || expression || value.starts_with('"'),
        "Int16" | "Int32" | "Int64" | "UInt32" | "UInt64" | "UInt16" | "Byte" => number || expression,
        other => match WORDS.iter().find(|(found, _)| *found == other) {
            Some((_, words)) if !expression => value.split(',').all(|word| words.contains(&word)),
            Some(_) => true,
            None => expression || quoted || number,
        },
    };
    if fits { Ok(()) } else { Err(format!("takes {}, not {value}", parameter.kind)) }
}
