//! What a kit will do, as settings, read back from the calls in its step scripts and compared with the data beside them.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_model::names::{MacAddress, WindowsPath};
use hvm_model::setting::Setting;

use crate::error::DestinationError;
use crate::files;
use crate::hyperv::cmdlet::{Arg, Call};
use crate::hyperv::{Definition, observe_machine, read};

/// All settings of the kit below `root`, sorted.
pub(crate) fn settings(root: &Path) -> Result<Vec<Setting>, DestinationError> {
    let mut definitions = definitions(root)?;
    let mut all = Vec::new();
    for path in files::list(&root.join("steps"), "ps1")? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == "firewall.ps1" {
            continue;
        }
        let unreadable =
            |message: String| DestinationError::Unreadable { path: path.clone(), message: format!("{message}.") };
        let calls = read::step_script(&files::read_text(&path)?).map_err(unreadable)?.perform;
        let definition = definitions.remove(&format!("steps/{name}"));
        let mut found = of_calls(&calls).map_err(unreadable)?;
        found.sort();
        all.extend(compared(found, definition));
    }
    all.sort();
    Ok(all)
}

/// The data files of the kit by the script that they belong to.
fn definitions(root: &Path) -> Result<BTreeMap<String, Definition>, DestinationError> {
    let mut paths = Vec::new();
    for folder in ["switches", "management-adapters"] {
        paths.extend(files::list(&root.join(folder), "json")?);
    }
    paths.extend(Some(root.join("settings.json")).filter(|path| path.exists()));
    let machines = root.join("machines");
    if machines.is_dir() {
        let entries = std::fs::read_dir(&machines).map_err(DestinationError::io(&machines, "list the folder"))?;
        for entry in entries {
            let folder = entry.map_err(DestinationError::io(&machines, "list the folder"))?.path();
            paths.extend(Some(folder.join("machine.json")).filter(|path| path.exists()));
            paths.extend(files::list(&folder.join("checkpoints"), "json")?);
        }
    }
    let mut all = BTreeMap::new();
    for path in paths {
        let text = files::read_text(&path)?;
        let definition: Definition = serde_json::from_str(&text)
            .map_err(|error| DestinationError::Unreadable { path: path.clone(), message: format!("{error}.") })?;
        all.insert(definition.step.clone(), definition);
    }
    Ok(all)
}

/// The settings of the script; where the data beside it says something else, both are shown, so that the difference is seen.
fn compared(mut found: Vec<Setting>, definition: Option<Definition>) -> Vec<Setting> {
    let (mut written, lost) = match definition {
        Some(definition) => (definition.settings, definition.not_carried),
        None => Default::default(),
    };
    let is_lost = |found: &Setting| {
        lost.iter().any(|lost| lost.setting.subject == found.subject && lost.setting.item == found.item)
    };
    found.retain(|setting| !is_lost(setting));
    written.sort();
    if written == found {
        return found;
    }
    let map = |settings: Vec<Setting>| -> BTreeMap<(String, String), String> {
        settings.into_iter().map(|setting| ((setting.subject, setting.item), setting.value)).collect()
    };
    let (mut found, mut written) = (map(found), map(written));
    let keys: Vec<(String, String)> = found.keys().chain(written.keys()).cloned().collect();
    let mut all = Vec::new();
    for key in keys {
        let value = match (found.remove(&key), written.remove(&key)) {
            (Some(script), Some(data)) if script == data => script,
            (Some(script), Some(data)) => format!("{script} (but the data file says: {data})"),
            (Some(script), None) => format!("{script} (but the data file does not say so)"),
            (None, Some(data)) => format!("not set by the script (but the data file says: {data})"),
            (None, None) => continue,
        };
        all.push(Setting::new(key.0, key.1, value));
    }
    all
}

pub(super) type Found = Result<Vec<Setting>, String>;

fn of_calls(calls: &[Call]) -> Found {
    let first = |name: &str| calls.iter().find(|call| call.name == name);
    if let Some(call) = first("New-VMSwitch") {
        return switch(call);
    }
    if let Some(call) = first("Save-KitCheckpoint") {
        return observe_machine::checkpoint(call, calls);
    }
    if ["New-VM", "Open-KitMachine", "Compare-KitMachine"].into_iter().any(|name| first(name).is_some()) {
        return observe_machine::settings(calls);
    }
    if let Some(call) = first("Add-KitManagementAdapter") {
        return management_adapter(calls, &format!("management adapter {}", text(call, "Name")?));
    }
    host(calls)
}

pub(super) fn text<'a>(call: &'a Call, parameter: &str) -> Result<&'a str, String> {
    match call.arg(parameter) {
        Some(Arg::Text(text)) => Ok(text),
        other => Err(format!("-{parameter} of {} is {other:?} instead of a text", call.name)),
    }
}

pub(super) fn texts(call: &Call, parameter: &str) -> Vec<String> {
    match call.arg(parameter) {
        Some(Arg::Text(text)) => vec![text.clone()],
        Some(Arg::Texts(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

pub(super) fn number(call: &Call, parameter: &str) -> Result<u64, String> {
    match call.arg(parameter) {
        Some(Arg::Number(number)) => Ok(*number),
        other => Err(format!("-{parameter} of {} is {other:?} instead of a number", call.name)),
    }
}

pub(super) fn boolean(call: &Call, parameter: &str) -> Result<bool, String> {
    match call.arg(parameter) {
        Some(Arg::Bool(value)) => Ok(*value),
        other => Err(format!("-{parameter} of {} is {other:?} instead of a truth value", call.name)),
    }
}

pub(super) fn words(call: &Call, parameter: &str) -> Result<Vec<String>, String> {
    match call.arg(parameter) {
        Some(Arg::Words(words)) => Ok(words.clone()),
        other => Err(format!("-{parameter} of {} is {other:?} instead of a word", call.name)),
    }
}

pub(super) fn kit_path<'a>(call: &'a Call, parameter: &str) -> Result<&'a str, String> {
    match call.arg(parameter) {
        Some(Arg::KitPath(path)) => Ok(path),
        other => Err(format!("-{parameter} of {} is {other:?} instead of a file of the kit", call.name)),
    }
}

pub(super) fn mac(text: &str) -> Result<String, String> {
    text.parse::<MacAddress>().map(|mac| mac.to_string()).map_err(|error| error.to_string())
}

fn switch(call: &Call) -> Found {
    let subject = format!("switch {}", text(call, "Name")?);
    if call.arg("NetAdapterName").is_some() {
        let adapter = text(call, "NetAdapterName")?;
        return Ok(vec![Setting::new(&subject, "kind", "external"), Setting::new(&subject, "adapter", adapter)]);
    }
    let kind = words(call, "SwitchType")?.join(",").to_lowercase();
    Ok(vec![Setting::new(&subject, "kind", kind)])
}

pub(super) fn vlan(call: &Call) -> Result<String, String> {
    if call.arg("Access").is_some() {
        return Ok(format!("access {}", number(call, "VlanId")?));
    }
    if call.arg("Trunk").is_some() {
        let allowed = text(call, "AllowedVlanIdList")?;
        return Ok(format!("trunk native {} allowed {allowed}", number(call, "NativeVlanId")?));
    }
    Ok("untagged".to_owned())
}

fn management_adapter(calls: &[Call], subject: &str) -> Found {
    let mut all = Vec::new();
    let mut ip: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for item in ["ip.addresses", "ip.gateways", "ip.dns"] {
        ip.insert(item, Vec::new());
    }
    let mut add = |item: &'static str, value: String| ip.entry(item).or_default().push(value);
    for call in calls {
        match call.name.as_str() {
            "Add-KitManagementAdapter" => {
                all.push(Setting::new(subject, "switch", text(call, "SwitchName")?));
                if call.arg("StaticMacAddress").is_some() {
                    all.push(Setting::new(subject, "mac", mac(text(call, "StaticMacAddress")?)?));
                }
            }
            "Set-VMNetworkAdapterVlan" => all.push(Setting::new(subject, "vlan", vlan(call)?)),
            "Set-NetIPInterface" => {
                let enabled = words(call, "Dhcp")? == ["Enabled"];
                all.push(Setting::new(subject, "ip.dhcp", enabled));
            }
            "New-NetIPAddress" => {
                add("ip.addresses", format!("{}/{}", text(call, "IPAddress")?, number(call, "PrefixLength")?));
                texts(call, "DefaultGateway").into_iter().for_each(|gateway| add("ip.gateways", gateway));
            }
            "New-NetRoute" => add("ip.gateways", text(call, "NextHop")?.to_owned()),
            "Set-DnsClientServerAddress" => {
                texts(call, "ServerAddresses").into_iter().for_each(|server| add("ip.dns", server));
            }
            _ => {}
        }
    }
    all.extend(ip.into_iter().map(|(item, values)| Setting::new(subject, item, values.join(" "))));
    Ok(all)
}

fn host(calls: &[Call]) -> Found {
    let mut all = Vec::new();
    let mut add = |item: &str, value: String| all.push(Setting::new("host", item, value));
    for call in calls {
        match call.name.as_str() {
            "Set-VMHost" => {
                for (parameter, _) in &call.parameters {
                    match parameter.as_str() {
                        "MacAddressMinimum" => add("mac-range.minimum", mac(text(call, parameter)?)?),
                        "MacAddressMaximum" => add("mac-range.maximum", mac(text(call, parameter)?)?),
                        "VirtualHardDiskPath" => {
                            add("virtual-hard-disk-path", WindowsPath::new(text(call, parameter)?).to_string());
                        }
                        "VirtualMachinePath" => {
                            add("virtual-machine-path", WindowsPath::new(text(call, parameter)?).to_string());
                        }
                        "NumaSpanningEnabled" => add("numa-spanning", boolean(call, parameter)?.to_string()),
                        other => return Err(format!("Set-VMHost has the parameter -{other}")),
                    }
                }
            }
            "Set-KitQueueValue" => {
                let ten = text(call, "Name")? == "TenGigVmqEnabled";
                let item = if ten { "vmq.ten-gigabit" } else { "vmq.below-ten-gigabit" };
                add(item, number(call, "Value")?.to_string());
            }
            "Add-KitHyperVAdministrator" => {
                add(&format!("hyper-v-administrator.{}", text(call, "Sid")?), "member".to_owned())
            }
            "Set-KitAuthorizationStore" => add("authorization-store", kit_path(call, "Path")?.to_owned()),
            _ => {}
        }
    }
    Ok(all)
}
