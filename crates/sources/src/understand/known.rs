//! Which leaves of a configuration are known. Others are no fault: they are listed, kept in the copy of the file, and the
//! operator is told. Repeated and numbered names are one pattern: `controller#/drive#`.

use super::configuration::{NESTED, TEMPLATE};
use super::devices::{self, Device, FLOPPY, GUEST_STATE, IDE, SCSI, SERIAL, SYNTHETIC_NIC};
use super::vmfile::VmFile;

/// Most unknown leaves that are listed of one file.
const MAX_LISTED: usize = 1_000;

const BIOS: &str = "ac6b8dc1-3257-4a70-b1b2-a9c9215659ad";
const CLOCK: &str = "e51b7ef6-4a7f-4780-aaae-d4b291aacd2e";
const VIDEO: &str = "7d80d3db-61ee-4879-8879-5609f1100ad0";

/// Classes whose sections hold no more than `VDEVVersion` and `Enabled`.
const PLAIN: [&str; 28] = [
    "655bc5c5-a784-46b7-81bc-e26328f7eb0e",
    "de6cdc86-e1fb-4940-801b-c3c1a26c4da4",
    "f3cf6965-e8d3-44a9-9b7d-a04245ea7525",
    "58f75a6d-d949-4320-99e1-a2a2576d581c",
    "197f74e3-b84b-46de-8ae6-82f1cd181cdc",
    "84eaae65-2f2e-45f5-9bb5-0e857dc8eb47",
    "2a34b1c2-fd73-4043-8a5b-dd2159bc743f",
    "9f8233ac-be49-4c79-8ee3-e7e1985b2077",
    "2497f4de-e9fa-4204-80e4-4b75c46419c0",
    "5ced1297-4598-4915-a5fc-ad21bb4d02a4",
    "6c09bb55-d683-4da0-8931-c9bf705f6480",
    "bc12c717-8898-4688-8ee4-2cd14894f8ea",
    "6c5addb9-a11a-4e8e-84cb-e6208201db63",
    "e3c82929-edb4-475e-85a4-29aaa2a30c2d",
    // What every manifest of 2016 and later lists: bus, chipset, encoder, monitor.
    "35b0b12f-a0d7-482f-80a0-f52f1ab3da2e",
    "4d42d9f7-6531-4f6c-9e46-1f0477876104",
    "4d46d139-7821-4dc4-98a3-01e98a586a44",
    "72682fc4-040a-430a-be0b-224574b953fe",
    "84535fad-4d98-4a6a-bdcd-21d5720dc430",
    "87045ce9-5323-438f-93bb-1e83dcbce18e",
    "9cb98db1-4d09-4538-a192-2d3d8c0b6cdb",
    "9ed5fd4b-40c3-4de3-8597-98ecd17035da",
    "9edd1639-9bca-40dc-b3a2-07c828da60b5",
    "a28e4d02-3323-4148-9569-565930a5cb39",
    "ba8735ef-e3a9-4f1b-badd-dbf3a5909915",
    "d41a1872-3740-41ce-a1ee-4522ab82f991",
    "db8b9818-b4bb-4725-b99d-b4612716b6b4",
    "deaeeed3-4119-4b44-95cf-a73604b76971",
];

/// No GUID.
const NONE: &str = "00000000-0000-0000-0000-000000000000";

/// Leaves that 2016 and later write into every configuration, as a new machine of version 9.0 has them. They are not carried, so that
/// another value is told.
const LATER: [(&str, &str); 19] = [
    ("global_settings/critical_error/action", "1"),
    ("global_settings/critical_error/timeout", "1800"),
    ("global_settings/devices/cpu_architecture", "1"),
    ("global_settings/devices/host_resource_protection_enabled", "False"),
    ("global_settings/devices/lock_on_disconnect", "False"),
    ("global_settings/snapshots/enable_automatic", "False"),
    ("global_settings/snapshots/user_type", "3"),
    ("settings/guest_controlled_cache_types", "False"),
    ("settings/memory/bank/backing_type", "0"),
    ("settings/memory/sgx/enabled", "False"),
    ("settings/memory/sgx/size", "0"),
    ("settings/processors/cpu_group_guid", NONE),
    ("settings/processors/cpu_group_id", "0"),
    ("settings/processors/enable_perfmon_lbr", "False"),
    ("settings/processors/enable_perfmon_pebs", "False"),
    ("settings/processors/enable_perfmon_pmu", "False"),
    ("settings/processors/hide_hypervisor_present", "False"),
    ("settings/processors/hwthreads", "0"),
    ("settings/topology/high_mmio_gap_mb", "512"),
];

/// The same of the sections of devices.
const LATER_OF_DEVICES: [(&str, &str); 14] = [
    ("AllowPacketDirect", "False"),
    ("DeviceNamingEnabled", "False"),
    ("FileIsPlatformManaged", "True"),
    ("HorizontalResolution", "1920"),
    ("InterruptModerationDisabled", "False"),
    ("MediaType", "0"),
    ("NumaAwarePlacement", "False"),
    ("ResolutionType", "4"),
    ("UseTransient", "False"),
    ("VerticalResolution", "1200"),
    ("controller#/drive#/caching_mode", "0"),
    ("controller#/drive#/ignore_flushes", "False"),
    ("controller#/drive#/qos_policy_id", NONE),
    ("controller#/drive#/write_hardening_method", "0"),
];

/// Leaves outside of device sections; `*` at the end stands for anything.
const OUTSIDE: [&str; 55] = [
    "properties/creation_time",
    "properties/global_id",
    "properties/highly_available",
    "properties/last_powered_off_time",
    "properties/last_powered_on_time",
    "properties/last_state_change_time",
    "properties/name",
    "properties/notes",
    "properties/subtype",
    "properties/type_id",
    "properties/version",
    "settings/global/logical_id",
    "settings/memory/bank/dynamic_memory_enabled",
    "settings/memory/bank/limit",
    "settings/memory/bank/priority",
    "settings/memory/bank/reservation",
    "settings/memory/bank/size",
    "settings/memory/bank/target_memory_buffer",
    "settings/memory/vnuma/max_size_per_node",
    "settings/processors/count",
    "settings/processors/features/limit",
    "settings/processors/limit",
    "settings/processors/limit_cpuid",
    NESTED,
    "settings/processors/reservation",
    "settings/processors/vnuma/count_per_node/max",
    "settings/processors/vnuma/node_per_socket/max",
    "settings/processors/weight",
    "settings/stopped_at_host_shutdown",
    "settings/topology/low_mmio_gap_mb",
    "settings/vnuma/enabled",
    "global_settings/data_root",
    "global_settings/devices/allow_reduced_fc_redundancy",
    "global_settings/devices/generation_id",
    "global_settings/devices/storage_allow_full_scsi_command_set",
    "global_settings/disk_merge_pending",
    "global_settings/metrics/*",
    "global_settings/owner/sid",
    "global_settings/power/host_shutdown/action",
    "global_settings/power/host_startup/action",
    "global_settings/slp_data_root",
    "global_settings/snapshots/data_root",
    "global_settings/snapshots/list/size",
    "global_settings/unexpected_termination/action",
    "global_settings/vhd_path_acled",
    "manifest/size",
    "manifest/version",
    "manifest/vdev#/device",
    "manifest/vdev#/flags",
    "manifest/vdev#/instance",
    "manifest/vdev#/name",
    "savedstate/in_progress",
    "savedstate/memlocation",
    "savedstate/type",
    "savedstate/vsvlocation",
];

const DRIVES: [&str; 8] = [
    "ChannelInstanceGuid",
    "controller#/drive#/iops_limit",
    "controller#/drive#/iops_reservation",
    "controller#/drive#/pathname",
    "controller#/drive#/persistent_reservations_supported",
    "controller#/drive#/pool_id",
    "controller#/drive#/type",
    "controller#/drive#/weight",
];

const ADAPTER: [&str; 10] = [
    "ChannelInstanceGuid",
    "ClusterMonitored",
    "Connection/*",
    "FriendlyName",
    "IsConnected",
    "MacAddress",
    "MacAddressIsStatic",
    "PortName",
    "SwitchName",
    "VpciInstanceGuid",
];

const FIRMWARE: [&str; 12] = [
    "base_board/serial_number",
    "bios_guid",
    "bios_serial_number",
    "boot/device#",
    "chassis/asset_tag",
    "chassis/serial_number",
    "num_lock",
    "nvram/*",
    "pause_after_boot_failure",
    "pxe_preferred_protocol",
    "secure_boot_enabled",
    TEMPLATE,
];

/// The unknown leaves of a file, as paths without the root.
pub(super) fn unknown(file: &VmFile) -> Vec<String> {
    let manifest = devices::manifest(file);
    let mut listed = Vec::new();
    for (path, _, value) in file.document().leaves() {
        let Some(path) = path.strip_prefix("/configuration/") else { continue };
        if listed.len() >= MAX_LISTED {
            break;
        }
        if !is_known(file, &manifest, path) && !is_usual(path, value.as_str()) {
            listed.push(path.to_owned());
        }
    }
    listed
}

fn is_known(file: &VmFile, manifest: &[Device], path: &str) -> bool {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    let Some(guid) = devices::section_guid(head) else { return fits(&OUTSIDE, &pattern(path)) };
    let class = manifest.iter().find(|device| device.instance == guid).map_or(guid.as_str(), |device| &device.class);
    let known: &[&str] = match class {
        IDE | SCSI | FLOPPY => &DRIVES,
        SYNTHETIC_NIC => &ADAPTER,
        SERIAL => &["port#/connection"],
        BIOS => &FIRMWARE,
        CLOCK => &["RtcDevice/CmosUtcSkew"],
        GUEST_STATE => &["StateFilePath"],
        VIDEO => &["address"],
        plain if PLAIN.contains(&plain) => &["Enabled"],
        _ if devices::kind_of_keys(file, &guid).is_some() => &ADAPTER,
        _ if file.has(&format!("{head}/controller0")) => &DRIVES,
        _ => return false,
    };
    rest == "VDEVVersion" || fits(known, &pattern(rest))
}

/// What a new machine of a later release has.
fn is_usual(path: &str, text: &str) -> bool {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    let (list, path): (&[_], _) = match devices::section_guid(head) {
        Some(_) => (&LATER_OF_DEVICES, pattern(rest)),
        None => (&LATER, pattern(path)),
    };
    list.iter().any(|(known, usual)| *known == path && *usual == text)
}

fn fits(known: &[&str], path: &str) -> bool {
    known.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => *known == path,
    })
}

/// Numbers at the end of a name become `#`, and the index of a repeated name goes.
fn pattern(path: &str) -> String {
    let names = path.split('/').map(|name| {
        let name = name.split_once('[').map_or(name, |(name, _)| name);
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if plain.len() < name.len() { format!("{plain}#") } else { name.to_owned() }
    });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_indexes_become_patterns() {
        assert_eq!(pattern("controller0/drive63/type"), "controller#/drive#/type");
        assert_eq!(pattern("metrics/devicetype[2]/guid"), "metrics/devicetype/guid");
        assert!(fits(&OUTSIDE, &pattern("manifest/vdev013/name")));
        assert!(fits(&OUTSIDE, "global_settings/metrics/devicetype/guid"));
        assert!(is_usual("settings/memory/sgx/enabled", "False") && !is_usual("settings/memory/sgx/enabled", "True"));
        assert!(fits(&OUTSIDE, NESTED) && fits(&FIRMWARE, TEMPLATE), "they are read");
        assert!(is_usual("_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller1/drive0/caching_mode", "0"));
        assert!(!fits(&OUTSIDE, "settings/memory/crystalline") && !fits(&OUTSIDE, "properties/parent_id"));
    }
}
