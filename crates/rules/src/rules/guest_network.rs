//! Whether guests keep their addresses: those that somebody set belong to an adapter, and the destination's is a new one.

use hvm_model::finding::Level;
use hvm_model::found::Place;
use hvm_model::guest::{GuestAdapter, GuestFamily, GuestSystem};
use hvm_model::names::MacAddress;
use hvm_model::vm::{AdapterKind, Machine, VmAdapter};

use super::guest::{name, systems};
use super::put_back::keeps_its_devices;
use crate::case::{Case, of_machine};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "guest.static-address",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "beyond.guests.addresses",
        title: "A guest has an address that somebody set, and gets a new adapter.",
        answers: &[],
        check: static_address,
    },
    Rule {
        id: "guest.interface-name",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "beyond.guests.addresses",
        title: "A Linux guest asks for its addresses by the name of an adapter, which may change on KVM.",
        answers: &[],
        check: interface_name,
    },
    Rule {
        id: "guest.ghost-adapter",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "beyond.guests.addresses",
        title: "An adapter that a guest no longer has holds an address.",
        answers: &[],
        check: ghost,
    },
    Rule {
        id: "guest.network-driver",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "beyond.guests.addresses",
        title: "A guest may not have the driver for the network adapter that it gets on KVM.",
        answers: &[],
        check: driver,
    },
];

/// `'Local Area Connection': 192.0.2.10/24, gateway 192.0.2.1, DNS 192.0.2.2`.
fn told(adapter: &GuestAdapter) -> String {
    let mut text = format!("'{}': {}", adapter.name, adapter.addresses.join(", "));
    for (word, values) in [("gateway", &adapter.gateways), ("DNS", &adapter.dns_servers)] {
        if !values.is_empty() {
            text.push_str(&format!(", {word} {}", values.join(", ")));
        }
    }
    text
}

fn static_address(case: &Case<'_>) -> Vec<Seen> {
    if case.destination.is_none() {
        return Vec::new();
    }
    let moved = systems(case).filter(|(machine, ..)| !keeps_its_devices(case, machine));
    let seen = moved.filter_map(|(machine, system, place)| {
        let lost = |adapter: &&GuestAdapter| {
            let kept = system.family == GuestFamily::Linux && (!case.is_kvm() || goes_along(machine, system, adapter));
            adapter.is_static() && !adapter.is_ghost() && !kept
        };
        let adapters: Vec<&GuestAdapter> = system.adapters.iter().filter(lost).collect();
        let all: Vec<String> = adapters.iter().map(|adapter| told(adapter)).collect();
        let (level, what_happens) = loss(system.family, case.is_kvm());
        let message = format!(
            "{} in the virtual machine '{}' has addresses that somebody set: {}. {what_happens}",
            name(system),
            machine.name,
            all.join("; ")
        );
        let seen = Seen::new(of_machine(machine), message).at_all(&places(&place, &adapters)).level(level);
        (!all.is_empty()).then_some(seen)
    });
    seen.collect()
}

/// Whether settings of Linux fit the adapter that a machine gets on KVM: that has the same address, but is on another bus and so
/// may have another name. What is bound to neither fits any, which is sure where there is one; where each has settings that are
/// bound to it, it is made of them, such as a bond.
fn goes_along(machine: &Machine, system: &GuestSystem, adapter: &GuestAdapter) -> bool {
    let own = &machine.configuration.adapters;
    let is_bound = |own: &VmAdapter| {
        own.mac != MacAddress::UNASSIGNED
            && system.adapters.iter().any(|one| one.bound_to_mac && !one.by_name && one.mac.value() == Some(&own.mac))
    };
    !adapter.by_name && (adapter.bound_to_mac || own.len() == 1 || (!own.is_empty() && own.iter().all(is_bound)))
}

/// DHCP, too, is for the adapter of a name; adapters with a set address are told of by `static_address`.
fn interface_name(case: &Case<'_>) -> Vec<Seen> {
    if !case.is_kvm() {
        return Vec::new();
    }
    let seen = systems(case).filter(|(_, system, _)| system.family == GuestFamily::Linux);
    let seen = seen.filter_map(|(machine, system, place)| {
        let lost = |adapter: &&GuestAdapter| {
            adapter.dhcp == Some(true) && !adapter.is_ghost() && adapter.by_name && !adapter.name.is_empty()
        };
        let adapters: Vec<&GuestAdapter> = system.adapters.iter().filter(lost).collect();
        let names: Vec<String> = adapters.iter().map(|adapter| format!("'{}'", adapter.name)).collect();
        let message = format!(
            "{} in the virtual machine '{}' asks for addresses (DHCP) by the name of an adapter: {}. On KVM that may have another name \
             (such as ens3 for eth0), and the guest then has no network. Look at the names at its console there ('ip link') and \
             write them into its settings, or bind those to the MAC address before the move.",
            name(system),
            machine.name,
            names.join(", ")
        );
        let seen = Seen::new(of_machine(machine), message).at_all(&places(&place, &adapters));
        (!adapters.is_empty()).then_some(seen)
    });
    seen.collect()
}

/// How sure it is that addresses stay behind, and what to do. That Windows takes the adapter of a machine that was made again on
/// Hyper-V for a new one is UNCONFIRMED.
fn loss(family: GuestFamily, kvm: bool) -> (Level, &'static str) {
    match (family, kvm) {
        (GuestFamily::Windows, true) => (
            Level::Manual,
            "Windows keeps them with the adapter, and on KVM the machine has another one, which begins with DHCP. Set them again at \
             its console there; if Windows then says that an adapter which is not there has the address, remove that one in Device \
             Manager (show hidden devices).",
        ),
        (GuestFamily::Windows, false) => (
            Level::Warns,
            "Windows keeps them with the adapter, and the machine is made again on the destination: Windows may take its adapter for \
             a new one, which begins with DHCP (nobody has confirmed it for this way of moving). Look at its console there, and set \
             them again if they are gone.",
        ),
        (GuestFamily::Linux, _) => (
            Level::Manual,
            "They belong to the name of an adapter, and on KVM it may have another name (such as ens3 for eth0). Look at the names \
             there ('ip link') and set them again, or bind them to the MAC address before the move.",
        ),
    }
}

fn places(place: &Place, adapters: &[&GuestAdapter]) -> Vec<Place> {
    adapters.iter().map(|adapter| Place::new(&*place.file, &*adapter.place)).collect()
}

/// The address without the length of its prefix.
fn bare(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

fn ghost(case: &Case<'_>) -> Vec<Seen> {
    let seen = systems(case).flat_map(|(machine, system, place)| {
        let ghosts = system.adapters.iter().filter(|adapter| adapter.is_ghost() && adapter.is_static());
        ghosts.map(|ghost| of_ghost(machine, system, ghost).at_all(&places(&place, &[ghost]))).collect::<Vec<_>>()
    });
    seen.collect()
}

fn of_ghost(machine: &Machine, system: &GuestSystem, ghost: &GuestAdapter) -> Seen {
    let same = |one: &GuestAdapter| {
        one.addresses.iter().any(|address| ghost.addresses.iter().any(|other| bare(other) == bare(address)))
    };
    let holder = system.adapters.iter().find(|one| !one.is_ghost() && same(one));
    let message = match holder {
        Some(holder) => format!(
            "In the virtual machine '{}' two adapters hold the same address, {} and {}; the machine no longer has the first. Whoever \
             sets the address for a new adapter is then told that it is taken, or both are used. Remove the first one in the guest.",
            machine.name,
            told(ghost),
            told(holder)
        ),
        None => format!(
            "In the virtual machine '{}' an adapter that the machine no longer has still holds an address, {}. It is an old setting, \
             or the one that the machine should have; remove it in the guest if it is old.",
            machine.name,
            told(ghost)
        ),
    };
    let seen = Seen::new(of_machine(machine), message);
    if holder.is_some() { seen } else { seen.level(Level::Notes) }
}

/// Only of Linux is the answer sure: Windows has drivers in its driver store that are no services yet.
fn driver(case: &Case<'_>) -> Vec<Seen> {
    if !case.is_kvm() {
        return Vec::new();
    }
    let seen = systems(case).filter(|(_, system, _)| system.family == GuestFamily::Linux);
    let seen = seen.filter_map(|(machine, system, place)| {
        system.drivers.value()?;
        let kinds = [
            (AdapterKind::Synthetic, "e1000", &["e1000"][..]),
            (AdapterKind::Legacy, "rtl8139", &["8139cp", "8139too"][..]),
        ];
        let own = &machine.configuration.adapters;
        let (_, card, modules) = kinds
            .into_iter()
            .find(|(kind, _, names)| own.iter().any(|own| own.kind == *kind) && system.driver(names).is_none())?;
        let message = format!(
            "On KVM the virtual machine '{}' ({}) gets a network adapter {card}, and no kernel of it has the module {}: it may \
             have no network there. Install that driver, or give the machine another adapter.",
            machine.name,
            name(system),
            modules.join(" or ")
        );
        Some(Seen::new(of_machine(machine), message).at(&place))
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "guest.static-address",
        fires: |sample| {
            sample.guest(GuestFamily::Windows);
            sample.static_adapter();
        },
        quiet: |sample| {
            sample.guest(GuestFamily::Windows);
            sample.static_adapter().dhcp = Some(true);
        },
    },
    Example {
        rule: "guest.interface-name",
        fires: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            sample.static_adapter().dhcp = Some(true);
        },
        quiet: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            let adapter = sample.static_adapter();
            (adapter.dhcp, adapter.by_name) = (Some(true), false);
        },
    },
    Example {
        rule: "guest.ghost-adapter",
        fires: |sample| {
            sample.guest(GuestFamily::Windows);
            sample.static_adapter();
            sample.static_adapter().present = crate::tests_support::read(false);
        },
        quiet: |sample| {
            sample.guest(GuestFamily::Windows);
            sample.static_adapter();
        },
    },
    Example {
        rule: "guest.network-driver",
        fires: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            sample.drivers(&[("ata_piix", hvm_model::guest::DriverStart::Module)]);
        },
        quiet: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            sample.drivers(&[("e1000", hvm_model::guest::DriverStart::Module)]);
        },
    },
];

#[cfg(test)]
mod tests {
    use hvm_model::capabilities::DestinationKind;
    use hvm_model::host::WindowsRelease;

    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn a_machine_that_is_registered_keeps_its_adapter() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Windows);
        sample.static_adapter();
        sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 };
        assert_eq!(sample.found("guest.static-address").len(), 1);
        sample.inventory.machines[0].version = Some((5, 0));
        assert!(sample.found("guest.static-address").is_empty());
        sample.answer("machine.configuration@Web=new");
        assert_eq!(sample.found("guest.static-address").len(), 1);
    }

    #[test]
    fn linux_keeps_what_is_bound_to_a_mac_address() {
        let fires = |bound: bool, kvm: bool| {
            let mut sample = Sample::new();
            sample.guest(GuestFamily::Linux);
            let adapter = sample.static_adapter();
            (adapter.bound_to_mac, adapter.by_name) = (bound, !bound);
            if kvm {
                sample.kvm();
            }
            !sample.found("guest.static-address").is_empty()
        };
        assert_eq!([fires(true, true), fires(false, true), fires(false, false)], [false, true, false]);
    }

    #[test]
    fn linux_settings_that_go_by_a_name_are_told_once() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Linux);
        let adapter = sample.static_adapter();
        // A name has to fit as well as the address.
        (adapter.bound_to_mac, adapter.by_name) = (true, true);
        sample.kvm();
        assert_eq!(sample.one("guest.static-address").level, Level::Manual);
        assert!(sample.found("guest.interface-name").is_empty(), "DHCP of another family is not denied, nor told again");
        sample.static_adapter().dhcp = Some(true);
        sample.system().adapters.remove(0);
        let told = sample.one("guest.interface-name");
        assert!(told.message.contains("'Local Area Connection'") && told.message.contains("ens3"), "{told:?}");
        sample.system().adapters[0].present = crate::tests_support::read(false);
        assert!(sample.found("guest.interface-name").is_empty(), "a ghost asks nobody");
    }

    #[test]
    fn linux_settings_of_any_adapter_fit_the_only_one() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Linux);
        sample.static_adapter().by_name = false;
        sample.kvm();
        let adapters = &mut sample.inventory.machines[0].configuration.adapters;
        assert_eq!(adapters.len(), 1);
        let second = adapters[0].clone();
        assert!(sample.found("guest.static-address").is_empty());
        sample.inventory.machines[0].configuration.adapters.push(second);
        assert_eq!(sample.found("guest.static-address").len(), 1);
    }

    #[test]
    fn linux_settings_of_a_bond_go_along_where_its_members_are_bound() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Linux);
        sample.static_adapter().by_name = false;
        sample.kvm();
        let adapters = &mut sample.inventory.machines[0].configuration.adapters;
        adapters.push(adapters[0].clone());
        let macs: [MacAddress; 2] = ["00:15:5d:00:00:01", "00:15:5d:00:00:02"].map(|mac| mac.parse().unwrap());
        (adapters[0].mac, adapters[1].mac) = (macs[0], macs[1]);
        for mac in macs {
            assert_eq!(sample.found("guest.static-address").len(), 1, "not each adapter has settings that are bound to it");
            let member = sample.static_adapter();
            (member.bound_to_mac, member.by_name, member.mac) = (true, false, crate::tests_support::read(mac));
            (member.dhcp, member.addresses) = (None, Vec::new());
        }
        assert!(sample.found("guest.static-address").is_empty());
        sample.system().adapters[1].by_name = true;
        assert_eq!(sample.found("guest.static-address").len(), 1, "a member goes by a name, too");
    }

    #[test]
    fn a_ghost_with_an_address_of_its_own_is_a_note() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Windows);
        sample.static_adapter().present = crate::tests_support::read(false);
        assert_eq!(sample.one("guest.ghost-adapter").level, Level::Notes);
        assert!(sample.found("guest.static-address").is_empty(), "a ghost's address is not lost with the move");
        sample.static_adapter().addresses = vec!["192.0.2.10/25".to_owned()];
        let finding = sample.one("guest.ghost-adapter");
        assert!(finding.level == Level::Warns && finding.message.contains("192.0.2.10/25"), "{finding:?}");
    }

    #[test]
    fn an_address_is_lost_only_where_there_is_a_destination() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Windows);
        sample.static_adapter();
        let told = sample.one("guest.static-address");
        assert_eq!(told.level, Level::Warns, "of Hyper-V nobody knows it for sure");
        assert!(told.message.contains("'Local Area Connection': 192.0.2.10/24, gateway 192.0.2.1"), "{told:?}");
        sample.kvm();
        assert_eq!(sample.one("guest.static-address").level, Level::Manual);
        sample.there = None;
        assert!(sample.found("guest.static-address").is_empty());
    }
}
