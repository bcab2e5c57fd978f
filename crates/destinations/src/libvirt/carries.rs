//! Which settings libvirt can hold, and why not.

use hvm_model::setting::{Carry, Setting};

use crate::libvirt::xml::is_xml;

/// The answer for one setting.
pub(crate) fn carries(setting: &Setting) -> Carry {
    let reason = match setting.subject.split(' ').next().unwrap_or_default() {
        _ if !setting.value.chars().chain(setting.subject.chars()).all(is_xml) => {
            Some("it holds a character that XML cannot write")
        }
        "host" => Some(host(&setting.item)),
        "management" => Some(
            "addresses, VLANs and adapters of a Linux host belong to its own network configuration; give the bridge of the \
             network these values there",
        ),
        "machine" => machine(setting),
        "WMI" => Some("Linux has no WMI; who may manage machines is given by libvirt's access driver polkit"),
        "DCOM" => Some("Linux has no DCOM; who may manage machines is given by libvirt's access driver polkit"),
        _ => None,
    };
    match reason {
        Some(reason) => Carry::NotCarried { reason: reason.to_owned() },
        None => Carry::Carried,
    }
}

fn host(item: &str) -> &'static str {
    match item {
        "mac-range.minimum" | "mac-range.maximum" => {
            "libvirt has no range of dynamic MAC addresses; each adapter has its address written down"
        }
        "authorization-store" => {
            "libvirt does not read Authorization Manager stores; use its access driver polkit instead"
        }
        item if item.starts_with("hyper-v-administrator.") => {
            "who may manage machines is given by libvirt's access driver polkit"
        }
        "numa-spanning" => "KVM places memory by the rules of the Linux kernel",
        "virtual-hard-disk-path" | "virtual-machine-path" => {
            "libvirt keeps disks in pools; the files lie in the folder of this migration"
        }
        _ => "it is a setting of Windows' network drivers",
    }
}

fn machine(setting: &Setting) -> Option<&'static str> {
    let value = setting.value.as_str();
    match setting.item.as_str() {
        "name" if value.chars().any(char::is_control) => Some("a title is one line of visible characters"),
        "name" if value.is_empty() => Some("a machine without a name is called after its folder"),
        "memory.dynamic" if value == "true" => {
            Some("the guest would need a balloon driver that it does not have; the machine gets its startup memory")
        }
        item if item.starts_with("numa.") => Some("KVM places processors and memory by the rules of the Linux kernel"),
        "memory.minimum-mib" | "memory.maximum-mib" | "memory.buffer-percent" => Some("it belongs to dynamic memory"),
        "memory.weight" => Some("KVM does not weigh machines against each other for memory"),
        "processors.limit" if !value.parse::<u32>().is_ok_and(|limit| (1000..=100_000).contains(&limit)) => {
            Some("the kernel takes limits between 1 and 100 percent of a processor")
        }
        "processors.weight" if !value.parse::<u32>().is_ok_and(|weight| (2..=10_000).contains(&weight)) => {
            Some("the kernel takes shares between 2 and 10000")
        }
        "processors.reserve" if value != "0" => Some("KVM does not reserve processor time for one machine"),
        "processors.compatibility-for-migration" | "processors.compatibility-for-older-systems" if value == "true" => {
            Some("choose a processor model in the element cpu of the domain instead")
        }
        "firmware.bios-guid" if value.parse::<hvm_model::names::VmId>().is_err() => Some("it is not a GUID"),
        "firmware.tpm" if value == "true" => Some(
            "what it holds is not carried; with swtpm on the host add <tpm><backend type='emulator' version='2.0'/></tpm>",
        ),
        "firmware.tpm" => Some("the domain has none unless somebody adds it"),
        "firmware.secure-boot-template" => Some("the keys are those of the firmware that the domain is given"),
        "processors.nested-virtualization" => Some(
            "load kvm_intel or kvm_amd with nested=1 and give the domain a processor with these extensions, such as \
             <cpu mode='host-passthrough'/>",
        ),
        "firmware.boot-order" if !value.split(' ').all(is_boot_word) => {
            Some("it names a device that libvirt does not know")
        }
        "action.start" if value == "StartIfRunning" => Some(
            "the service libvirt-guests starts what ran before (ON_BOOT=start); it counts for all machines of the host",
        ),
        "action.stop" => Some("the service libvirt-guests decides it for all machines of the host (ON_SHUTDOWN)"),
        "action.start-delay" => Some("the service libvirt-guests has one delay for all machines (START_DELAY)"),
        "com1" | "com2" => {
            Some("a named pipe of Windows has no counterpart; the port is a pseudo terminal: virsh console")
        }
        item if item.starts_with("integration-service.") => Some("integration services are a part of Hyper-V"),
        item if item.starts_with("drive.") && value.starts_with("physical disk ") => {
            Some("libvirt wants the path of the device, which only that host knows; attach the disk there")
        }
        item if item.starts_with("adapter") => adapter(item, value),
        _ => None,
    }
}

fn adapter(item: &str, value: &str) -> Option<&'static str> {
    match item.rsplit('.').next().unwrap_or_default() {
        "kind" => {
            Some("the guest gets an emulated adapter instead: e1000 for a synthetic one, rtl8139 for a legacy one")
        }
        "mac-is-static" if value == "false" => {
            Some("libvirt writes each MAC address down; the one that was given is kept")
        }
        "vlan" if value != "untagged" => {
            Some("libvirt tags frames on Open vSwitch only; connect the adapter to a bridge of that VLAN")
        }
        "dhcp-guard" | "router-guard" if value == "true" => {
            Some("it needs a filter of libvirt's nwfilter for that traffic, which the interface names in a filterref")
        }
        "dhcp-guard" | "router-guard" => Some("without a filter of libvirt an adapter is not guarded"),
        "teaming" | "priority-tag" | "vmq-weight" | "iov-weight" | "ipsec-offload-limit" => {
            Some("it belongs to the virtual switch of Hyper-V")
        }
        "minimum-bandwidth" | "minimum-bandwidth-weight" | "maximum-bandwidth" => {
            Some("set it in the element bandwidth of the interface, which counts in kilobytes per second")
        }
        "mac-spoofing" if value == "false" => Some(
            "it needs libvirt's filter no-mac-spoofing: add <filterref filter='no-mac-spoofing'/> to the interface",
        ),
        _ => None,
    }
}

fn is_boot_word(word: &str) -> bool {
    matches!(word, "floppy" | "optical" | "hard-drive" | "network")
}
