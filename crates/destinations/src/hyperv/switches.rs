//! The step that makes a virtual network.
//!
//! A switch is found again by its notes, which hold the id of the source: names need not be unique. An external network
//! without a mapped adapter becomes internal, as in the guide, and is reconnected by a person.

use hvm_model::network::SwitchKind;
use hvm_model::role::{Role, RoleSwitch};
use hvm_model::vm::Connection;

use crate::hyperv::cmdlet::{Arg, Call, StepScript};
use crate::hyperv::machines::switch_id;

/// The text in the notes by which a switch is found again.
pub(crate) fn mark(switch: &RoleSwitch) -> String {
    format!("hvmigrate:{}", switch.id)
}

/// True when the management operating system shares the network through an adapter of its own that the role describes.
pub(crate) fn has_management_adapter(role: &Role, switch: &RoleSwitch) -> bool {
    role.management_adapters.iter().any(|adapter| adapter.switch == switch.id)
}

/// The calls for one switch.
pub(crate) fn script(role: &Role, switch: &RoleSwitch) -> StepScript {
    let own = has_management_adapter(role, switch);
    // What an earlier run left unfinished goes first: Hyper-V would make a second network of the same name.
    let remove = || Call::new("Remove-KitSwitch").text("Id", switch.id.as_str());
    let mut perform = vec![remove(), create(role, switch, own)];
    // Windows gives every internal network an adapter of the management operating system. It goes when the role brings its
    // own one, or when the source shared none.
    let shared_on_source = switch.source_kind == SwitchKind::Internal || switch.management_os;
    if switch.kind == SwitchKind::Internal && (own || !shared_on_source) {
        perform.push(Call::new("Remove-KitAutomaticAdapter").text("SwitchId", switch.id.as_str()));
    }
    if switch.reconnect {
        let reconnect = Call::new("Write-KitReconnect")
            .text("SwitchName", &switch.name)
            .boolean("AllowManagementOS", switch.management_os || own);
        perform.push(reconnect);
    }
    StepScript {
        test: vec![Call::new("Test-KitSwitch").text("Id", switch.id.as_str())],
        perform,
        undo: vec![remove()],
        ..StepScript::default()
    }
}

/// Bandwidth in bits per second can be kept for an adapter only on a network that was made for it.
fn keeps_bandwidth(role: &Role, switch: &RoleSwitch) -> bool {
    let states = role.machines.iter().flat_map(|machine| {
        machine.checkpoints.iter().map(|checkpoint| &checkpoint.configuration).chain([&machine.configuration])
    });
    let mut adapters = states.flat_map(|state| &state.adapters);
    adapters.any(|adapter| {
        let Connection::Switch { switch: id, name, .. } = &adapter.connection else { return false };
        let keeps = adapter.port_settings.value().is_some_and(|port| port.minimum_bandwidth.is_some());
        keeps && switch_id(role, id, name.as_deref()).is_some_and(|id| id == switch.id.as_str())
    })
}

fn create(role: &Role, switch: &RoleSwitch, own: bool) -> Call {
    let call = Call::new("New-VMSwitch").text("Name", &switch.name);
    let call = if keeps_bandwidth(role, switch) { call.word("MinimumBandwidthMode", "Absolute") } else { call };
    let call = match (switch.kind, &switch.adapter) {
        (SwitchKind::External, Some(adapter)) => {
            call.text("NetAdapterName", adapter).boolean("AllowManagementOS", switch.management_os && !own)
        }
        (SwitchKind::Private, _) => call.word("SwitchType", "Private"),
        (SwitchKind::Internal | SwitchKind::External, _) => call.word("SwitchType", "Internal"),
    };
    call.with("Notes", Arg::text(mark(switch)))
}
