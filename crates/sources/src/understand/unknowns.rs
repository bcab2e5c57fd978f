//! What files alone cannot tell, each once, with what would tell.

use hvm_model::found::{Found, Unknown, VIRTUAL_NETWORKS};
use hvm_model::host::{GroupMember, Host, NamespaceRights, WindowsRelease};

use super::registry::Looked;
use super::switches::Networks;
use super::{Reading, adapters, dcom, firewall, live, switches};

/// Item, reason, how to learn, and whether the host told it after all.
type Item = (&'static str, &'static str, &'static str, fn(&Host, &Networks) -> bool);

const IPV6: &str = "Static IPv6 addresses";

const ALWAYS: [Item; 7] = [
    (
        "WMI namespace rights",
        "The rights on root\\CIMV2 and root\\virtualization lie inside the WMI repository, whose place for them is not \
         documented.",
        "On the host: wmimgmt.msc > WMI Control > Properties > Security, for Root\\CIMV2 and Root\\virtualization.",
        |host, _| host.remote_administration.wmi_namespaces.value().is_some(),
    ),
    (
        "Members of Distributed COM Users",
        "Local groups are kept in the SAM hive, which is not read.",
        "On the host: net localgroup \"Distributed COM Users\"",
        |host, _| host.remote_administration.dcom_users.value().is_some(),
    ),
    (
        "VLAN and MAC address spoofing of switch ports",
        "The registry values of switch ports are not documented; they are kept in the inventory as they are.",
        "On the host: the settings of each network adapter in Hyper-V Manager, or Msvm_VLANEndpointSettingData and \
         Msvm_SwitchPort.AllowMacSpoofing in root\\virtualization.",
        |_, networks| networks.ports.answered || networks.features.answered(),
    ),
    (
        "MAC addresses of physical adapters",
        "Windows does not write the burnt-in address to the registry.",
        "On the host: getmac /v",
        |_, networks| networks.addresses_known,
    ),
    (
        "Memory of the host",
        "The amount of memory is not written to a file that is read.",
        "On the host: systeminfo, 'Total Physical Memory'.",
        |host, _| host.memory.value().is_some(),
    ),
    (
        IPV6,
        "They lie in the NSI store of the registry, whose layout is not documented.",
        "On the host: netsh interface ipv6 show addresses",
        |_, _| false,
    ),
    (
        "Free space and file systems of the drives",
        "A folder does not tell which volume it was copied from.",
        "On the host: fsutil volume diskfree C:",
        |host, _| host.volumes.value().is_some(),
    ),
];

pub(super) fn dcom_users() -> Found<Vec<GroupMember>> {
    Found::unknown("The members of local groups are in the SAM hive, which is not read.")
}

pub(super) fn wmi_namespaces() -> Found<Vec<NamespaceRights>> {
    Found::unknown("The rights on WMI namespaces are inside the WMI repository, where files do not tell them.")
}

/// Parts of the hives whose lists would look empty when they cannot be read: hive, key, item, how to learn.
const LISTS: [(Hive, &str, &str, &str); 5] = [
    (
        Hive::Software,
        dcom::OLE,
        "DCOM restrictions",
        "On the host: dcomcnfg > My Computer > Properties > COM Security.",
    ),
    (Hive::System, firewall::RULES, "Firewall rules", "On the host: netsh advfirewall firewall show rule name=all"),
    (Hive::System, switches::LIST, VIRTUAL_NETWORKS, "On the host: Virtual Network Manager of Hyper-V Manager."),
    (Hive::System, adapters::NET_CLASS, "Network adapters", "On the host: ipconfig /all"),
    (Hive::System, "Services", "Other server roles", "On the host: servermanagercmd -query, or Get-WindowsFeature."),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hive {
    System,
    Software,
}

fn unreadable_lists(reading: &Reading<'_>) -> impl Iterator<Item = Unknown> {
    LISTS.iter().filter_map(|(hive, key, item, how_to_learn)| {
        let hive = if *hive == Hive::System { &reading.system } else { &reading.software };
        match hive.key(key) {
            Looked::Unreadable(reason) => {
                Some(Unknown { item: (*item).to_owned(), reason, how_to_learn: (*how_to_learn).to_owned() })
            }
            _ => None,
        }
    })
}

pub(super) fn list(reading: &Reading<'_>, host: &Host, networks: &Networks) -> Vec<Unknown> {
    let mut list: Vec<Unknown> = ALWAYS
        .iter()
        .filter(|(.., is_known)| !is_known(host, networks))
        .map(|(item, reason, how_to_learn, _)| Unknown {
            item: (*item).to_owned(),
            reason: (*reason).to_owned(),
            how_to_learn: (*how_to_learn).to_owned(),
        })
        .collect();
    if let (Some(addresses), Some(unknown)) =
        (live::ipv6(reading), list.iter_mut().find(|unknown| unknown.item == IPV6))
    {
        let told = match addresses.is_empty() {
            true => "When the host was asked, its connected adapters had none but link-local ones.".to_owned(),
            false => format!(
                "When the host was asked it had {}; it does not say which of them somebody set.",
                addresses.join(", ")
            ),
        };
        unknown.reason = format!("{} {told}", unknown.reason);
    }
    let numa_matters = host.system.release.value() != Some(&WindowsRelease::Server2008);
    if let (Found::Unknown { reason }, true) = (&host.settings.numa_spanning, numa_matters) {
        list.push(Unknown {
            item: "NUMA spanning".to_owned(),
            reason: reason.clone(),
            how_to_learn: "On the host: Hyper-V Manager > Hyper-V Settings > NUMA Spanning.".to_owned(),
        });
    }
    list.extend(unreadable_lists(reading));
    list
}
