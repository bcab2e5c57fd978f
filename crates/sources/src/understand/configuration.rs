//! What a machine or a checkpoint consists of, apart from its devices: memory, processors, firmware, actions.

use hvm_model::vm::{
    AutomaticActions, BootDevice, Firmware, MachineConfiguration, Memory, Numa, Processors, SettingByHand, StartAction,
    StopAction,
};

use super::devices;
use super::switches::Networks;
use super::vmfile::VmFile;
use crate::reach::variables::Variables;

/// Section of the virtual BIOS.
const BIOS: &str = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_";
/// Whether the guest sees the virtualization extensions (2016 and later).
pub(super) const NESTED: &str = "settings/processors/nested_virtualization/enabled";
/// In the section of the BIOS, the template of Secure Boot (2016 and later).
pub(super) const TEMPLATE: &str = "secure_boot_template_id";
/// Machines of generation 1 have no template; those of generation 2 have that of Windows (`Get-VMHost`: SecureBootTemplates).
const NO_TEMPLATE: &str = "00000000-0000-0000-0000-000000000000";
const WINDOWS_TEMPLATE: &str = "1734c6e8-3154-4dda-ba5f-a874cc483422";
/// Defaults of values that Hyper-V does not always write.
const MAXIMUM_MIB: u64 = 1_048_576;
const BUFFER_PERCENT: u32 = 20;
const MEMORY_WEIGHT: u32 = 5000;
const PROCESSOR_LIMIT: u32 = 100_000;
const PROCESSOR_WEIGHT: u32 = 100;

pub(super) fn read(file: &VmFile, variables: &Variables, networks: &Networks) -> MachineConfiguration {
    let devices = devices::read(file, variables, networks);
    MachineConfiguration {
        memory: memory(file),
        processors: processors(file),
        numa: numa(file),
        firmware: firmware(file),
        drives: devices.drives,
        scsi_controllers: devices.scsi_controllers,
        adapters: devices.adapters,
        com_ports: devices.com_ports,
        disabled_integration_services: devices.disabled_services,
        guest_services: devices.guest_services,
        actions: actions(file),
    }
}

fn memory(file: &VmFile) -> Memory {
    let at = |name: &str| format!("settings/memory/bank/{name}");
    let size = file.sized(&at("size"));
    if size.is_none() {
        let place = file.place(&at("size"));
        file.note(format!("{place}: the amount of memory could not be read."), place);
    }
    let startup_mib = size.unwrap_or(0);
    Memory {
        startup_mib,
        dynamic: file.flag(&at("dynamic_memory_enabled")).unwrap_or(false),
        minimum_mib: file.sized(&at("reservation")).unwrap_or(startup_mib),
        maximum_mib: file.sized(&at("limit")).unwrap_or(MAXIMUM_MIB),
        buffer_percent: file.sized(&at("target_memory_buffer")).unwrap_or(BUFFER_PERCENT),
        weight: file.sized(&at("priority")).unwrap_or(MEMORY_WEIGHT),
    }
}

fn processors(file: &VmFile) -> Processors {
    let at = |name: &str| format!("settings/processors/{name}");
    let count = file.sized(&at("count"));
    if count.is_none() {
        let place = file.place(&at("count"));
        file.note(format!("{place}: the number of processors could not be read; 1 is taken."), place);
    }
    Processors {
        count: count.unwrap_or(1),
        limit: file.sized(&at("limit")).unwrap_or(PROCESSOR_LIMIT),
        reserve: file.sized(&at("reservation")).unwrap_or(0),
        weight: file.sized(&at("weight")).unwrap_or(PROCESSOR_WEIGHT),
        compatibility_for_migration: file.flag(&at("features/limit")).unwrap_or(false),
        compatibility_for_older_systems: file.flag(&at("limit_cpuid")).unwrap_or(false),
    }
}

fn numa(file: &VmFile) -> Numa {
    Numa {
        processors_per_node: file.sized("settings/processors/vnuma/count_per_node/max"),
        nodes_per_socket: file.sized("settings/processors/vnuma/node_per_socket/max"),
        mib_per_node: file.sized("settings/memory/vnuma/max_size_per_node"),
    }
}

fn firmware(file: &VmFile) -> Firmware {
    let text = |name: &str| file.text(&format!("{BIOS}/{name}")).filter(|text| !text.is_empty());
    let mut boot_order = Vec::new();
    // Generation 2 has the same leaves and does not use them: what it boots from are variables of its firmware.
    let uses_them = file.number("properties/subtype") != Some(1);
    for number in (0..16).filter(|_| uses_them) {
        let Some(word) = text(&format!("boot/device{number}")) else { continue };
        boot_order.push(match word.as_str() {
            "Floppy" => BootDevice::Floppy,
            "Optical" => BootDevice::Optical,
            "HardDrive" => BootDevice::HardDrive,
            "Network" => BootDevice::Network,
            _ => BootDevice::Other(word),
        });
    }
    Firmware {
        bios_guid: text("bios_guid").map(|guid| guid.trim_matches(['{', '}']).to_ascii_uppercase()),
        bios_serial_number: text("bios_serial_number"),
        base_board_serial_number: text("base_board/serial_number"),
        chassis_serial_number: text("chassis/serial_number"),
        chassis_asset_tag: text("chassis/asset_tag"),
        boot_order,
        num_lock: file.flag(&format!("{BIOS}/num_lock")),
        secure_boot: file.flag(&format!("{BIOS}/secure_boot_enabled")),
        tpm: devices::has_tpm(file).then_some(true),
    }
}

/// Settings of 2016 and later that no step sets, where they are not as a new machine has them.
pub(super) fn by_hand(file: &VmFile) -> Vec<SettingByHand> {
    let mut settings = Vec::new();
    if file.flag(NESTED) == Some(true) {
        settings.push(SettingByHand::NestedVirtualization { place: file.place(NESTED) });
    }
    let path = format!("{BIOS}/{TEMPLATE}");
    let id = file.text(&path).map(|id| id.trim_matches(['{', '}']).to_ascii_lowercase());
    if let Some(id) = id.filter(|id| !id.is_empty() && ![NO_TEMPLATE, WINDOWS_TEMPLATE].contains(&id.as_str())) {
        settings.push(SettingByHand::SecureBootTemplate { id, place: file.place(&path) });
    }
    settings
}

/// The defaults of a new machine: start when it was running, save.
fn actions(file: &VmFile) -> AutomaticActions {
    let at = |name: &str| format!("global_settings/{name}/action");
    let (start_at, stop_at) = (at("power/host_startup"), at("power/host_shutdown"));
    let odd = |path: &str, number: i64| {
        let place = file.place(path);
        file.note(format!("{place}: the action {number} is not known; 0, 1 or 2 was expected."), place);
    };
    let start = match file.number(&start_at) {
        Some(0) => StartAction::Nothing,
        Some(1) | None => StartAction::StartIfRunning,
        Some(2) => StartAction::Start,
        Some(other) => {
            odd(&start_at, other);
            StartAction::StartIfRunning
        }
    };
    let stop = match file.number(&stop_at) {
        Some(0) => StopAction::TurnOff,
        Some(1) | None => StopAction::Save,
        Some(2) => StopAction::ShutDown,
        Some(other) => {
            odd(&stop_at, other);
            StopAction::Save
        }
    };
    let recovery = file.sized(&at("unexpected_termination")).unwrap_or(1);
    // The delay's key is documented nowhere; where a release writes it, it is listed among the unknown nodes.
    AutomaticActions { start, start_delay_seconds: None, stop, recovery }
}
