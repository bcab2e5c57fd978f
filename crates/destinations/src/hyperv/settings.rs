//! The step that sets what Hyper-V keeps for the host as a whole.

use std::collections::{BTreeMap, BTreeSet};

use hvm_model::role::Role;
use hvm_model::setting::administrators;

use crate::hyperv::cmdlet::{Arg, Call, StepScript};
use crate::hyperv::release::Release;

/// The calls for the settings of the host.
pub(crate) fn script(release: &Release, role: &Role) -> StepScript {
    let settings = &role.settings;
    let mut values: Vec<(&str, Arg)> = Vec::new();
    if let Some(path) = &settings.virtual_hard_disk_path {
        values.push(("VirtualHardDiskPath", Arg::text(path.as_str())));
    }
    if let Some(path) = &settings.virtual_machine_path {
        values.push(("VirtualMachinePath", Arg::text(path.as_str())));
    }
    if let Some(spanning) = settings.numa_spanning {
        values.push(("NumaSpanningEnabled", Arg::Bool(spanning)));
    }
    let mut script = StepScript::default();
    script.perform.push(save(&settings.vmq_keywords));
    if let Some(range) = settings.mac_range {
        let (low, high) = (Arg::text(range.minimum.plain()), Arg::text(range.maximum.plain()));
        script.test.push(test("MacAddressMinimum", low.clone()));
        script.test.push(test("MacAddressMaximum", high.clone()));
        script.perform.push(Call::new("Set-VMHost").with("MacAddressMinimum", low).with("MacAddressMaximum", high));
    }
    for (name, value) in values {
        if let Arg::Text(path) = &value {
            script.perform.push(Call::new("New-KitFolder").text("Path", path));
        }
        script.test.push(test(name, value.clone()));
        script.perform.push(Call::new("Set-VMHost").with(name, value));
    }
    queue_calls(role, &mut script);
    if release.honours_authorization_store() {
        store_calls(role, &mut script);
    } else {
        administrator_calls(role, &mut script);
    }
    script.undo.push(Call::new("Restore-KitHostSettings"));
    script
}

/// Keeps what was set before, with the properties of network adapters that are set here.
fn save(keywords: &BTreeMap<String, BTreeMap<String, String>>) -> Call {
    let call = Call::new("Save-KitHostSettings");
    let names: BTreeSet<String> = keywords.values().flat_map(BTreeMap::keys).cloned().collect();
    if names.is_empty() {
        return call;
    }
    let call = call.with("Adapters", Arg::Texts(keywords.keys().cloned().collect()));
    call.with("Keywords", Arg::Texts(names.into_iter().collect()))
}

fn store_calls(role: &Role, script: &mut StepScript) {
    if let Some(store) = &role.settings.authorization_store {
        let path = Arg::KitPath(store.target.clone());
        script.test.push(Call::new("Test-KitAuthorizationStore"));
        script.perform.push(Call::new("Set-KitAuthorizationStore").with("Path", path));
    }
}

/// Who administers Hyper-V by the authorization store becomes a member of the local group that replaced it.
fn administrator_calls(role: &Role, script: &mut StepScript) {
    for sid in administrators(&role.settings) {
        let call = |cmdlet: &str| Call::new(cmdlet).text("Sid", sid);
        script.test.push(call("Test-KitHyperVAdministrator"));
        script.perform.push(call("Add-KitHyperVAdministrator"));
    }
}

fn test(property: &str, value: Arg) -> Call {
    Call::new("Test-KitHostSetting").text("Property", property).with("Value", value)
}

fn queue_calls(role: &Role, script: &mut StepScript) {
    let settings = &role.settings;
    let values =
        [("TenGigVmqEnabled", settings.vmq_ten_gigabit), ("BelowTenGigVmqEnabled", settings.vmq_below_ten_gigabit)];
    for (name, value) in values {
        if let Some(value) = value {
            let call = |cmdlet: &str| Call::new(cmdlet).text("Name", name).number("Value", value);
            script.test.push(call("Test-KitQueueValue"));
            script.perform.push(call("Set-KitQueueValue"));
        }
    }
    for (adapter, keywords) in &settings.vmq_keywords {
        for (keyword, value) in keywords {
            let call = Call::new("Set-KitAdapterProperty").text("Adapter", adapter);
            script.perform.push(call.text("Keyword", keyword).text("Value", value));
        }
    }
}
