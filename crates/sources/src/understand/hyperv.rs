//! Settings of the Hyper-V role as a whole: the Virtualization key, and VMQ of the switch driver.

use hvm_model::found::{Found, Place};
use hvm_model::host::{HyperVSettings, MacRange};
use hvm_model::names::{MacAddress, WindowsPath};

use super::registry::{Looked, RegKey};
use super::{Reading, authorization, live};

/// In SOFTWARE.
pub(super) const VIRTUALIZATION: &str = r"Microsoft\Windows NT\CurrentVersion\Virtualization";
/// In SYSTEM.
pub(super) const SWITCH_DRIVER: &str = r"Services\VMSMP\Parameters";

const DISK_PATH: &str = "DefaultVirtualHardDiskPath";
/// Where new machines are put.
pub(super) const MACHINE_PATH: &str = "DefaultExternalDataRoot";
const MINIMUM_MAC: &str = "MinimumMacAddress";
const MAXIMUM_MAC: &str = "MaximumMacAddress";
const UNTOUCHED: &str = "it is written only when somebody changed it.";

pub(super) fn read(reading: &Reading<'_>) -> HyperVSettings {
    let public = reading.variables.public();
    let data = reading.variables.program_data();
    let path = |value: &str, default: WindowsPath| {
        let text = reading.software.text(VIRTUALIZATION, value);
        text.map(|text| reading.variables.path(&text)).or_default(default, UNTOUCHED)
    };
    let key = reading.software.existing(VIRTUALIZATION);
    let known = [DISK_PATH, MACHINE_PATH, MINIMUM_MAC, MAXIMUM_MAC, "StoreLocation"];
    HyperVSettings {
        mac_range: mac_range(reading),
        virtual_hard_disk_path: path(DISK_PATH, public.join(r"Documents\Hyper-V\Virtual Hard Disks")),
        virtual_machine_path: path(MACHINE_PATH, data.join(r"Microsoft\Windows\Hyper-V")),
        numa_spanning: numa_spanning(reading, key.as_ref()),
        authorization: authorization::read(reading),
        vmq_ten_gigabit: vmq(reading, "TenGigVmqEnabled"),
        vmq_below_ten_gigabit: vmq(reading, "BelowTenGigVmqEnabled"),
        other: key.map(|key| key.others(&known)).unwrap_or_default(),
    }
}

fn mac_range(reading: &Reading<'_>) -> Found<Option<MacRange>> {
    let (minimum, maximum) = (mac(reading, MINIMUM_MAC), mac(reading, MAXIMUM_MAC));
    match (minimum, maximum) {
        (Looked::Here(minimum, place), Looked::Here(maximum, _)) => {
            Found::Read { value: Some(MacRange { minimum, maximum }), place }
        }
        (Looked::Absent(place), Looked::Absent(_)) => Looked::Absent(place).or_default(None, UNTOUCHED),
        (Looked::Unreadable(reason), _) | (_, Looked::Unreadable(reason)) => Found::Unknown { reason },
        (Looked::Absent(place), _) | (_, Looked::Absent(place)) => {
            Found::unknown(format!("Only one end of the range is written: there is no value '{}'.", place.at))
        }
    }
}

/// Six bytes; a text of twelve hex digits is taken too.
fn mac(reading: &Reading<'_>, value: &str) -> Looked<MacAddress> {
    let key = match reading.software.key(VIRTUALIZATION) {
        Looked::Here(key, _) => key,
        Looked::Absent(place) => return Looked::Absent(place),
        Looked::Unreadable(reason) => return Looked::Unreadable(reason),
    };
    let bytes = match key.read(value, |value| Ok(value.data().to_vec())) {
        Looked::Here(bytes, place) => (bytes, place),
        Looked::Absent(place) => return Looked::Absent(place),
        Looked::Unreadable(reason) => return Looked::Unreadable(reason),
    };
    match <[u8; 6]>::try_from(bytes.0.as_slice()) {
        Ok(mac) => Looked::Here(MacAddress(mac), bytes.1),
        Err(_) => match key.text(value) {
            Looked::Here(text, place) => match text.parse() {
                Ok(mac) => Looked::Here(mac, place),
                Err(_) => Looked::Unreadable(format!("{place} is '{text}', which is no MAC address.")),
            },
            _ => Looked::Unreadable(format!("{} has {} bytes, 6 were expected.", bytes.1, bytes.0.len())),
        },
    }
}

/// The host tells it; in the registry its name is not documented, so one whose name speaks of it is shown as a conclusion.
fn numa_spanning(reading: &Reading<'_>, key: Option<&RegKey<'_>>) -> Found<bool> {
    if let Some(told) = live::numa_spanning(reading) {
        return told;
    }
    let named = |name: &str| name.to_ascii_lowercase().contains("numaspanning");
    let value = key.and_then(|key| Some((key, key.values().into_iter().find(|value| named(value.name()))?)));
    if let Some((key, value)) = value {
        let place: Place = key.value_place(value.name());
        return match value.as_dword() {
            Ok(number) => Found::Inferred {
                value: number != 0,
                reason: format!("The value '{}' is {number}; its name is not documented.", value.name()),
                place,
            },
            Err(error) => Found::unknown(error.to_string()),
        };
    }
    if !reading.software.should_be_here() {
        return Found::unknown("An export of machines does not say whether machines of its host may span NUMA nodes.");
    }
    Found::unknown(format!(
        "Nobody documents under which name {} keeps NUMA spanning, and no value there speaks of it. On the host: \
         'NumaSpanningEnabled' of Msvm_VirtualSystemManagementServiceSettingData in root\\virtualization.",
        reading.software.file()
    ))
}

/// Some documents write the name with a star.
fn vmq(reading: &Reading<'_>, name: &str) -> Found<u32> {
    let plain = reading.system.dword(SWITCH_DRIVER, name);
    let looked = match plain {
        Looked::Absent(place) => match reading.system.dword(SWITCH_DRIVER, &format!("*{name}")) {
            Looked::Absent(_) => Looked::Absent(place),
            other => other,
        },
        other => other,
    };
    looked.or_default(0, "without it the system's default applies.")
}
