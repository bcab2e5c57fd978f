//! What is in the switched-off machines, as text, and the pieces of it that the HTML report shares.

use std::fmt::Write;

use hvm_model::found::Found;
use hvm_model::guest::{Guest, GuestAdapter, GuestDriver, GuestSystem, GuestVolume};
use hvm_model::inventory::Inventory;

use super::assessment::wrapped;
use super::words::count;
use crate::output::one_line;

/// Drivers whose presence is told: what they are for, and their names in Windows and Linux.
const DRIVERS: [(&str, &[&str]); 5] = [
    ("Hyper-V disks", &["storvsc", "hv_storvsc"]),
    ("Hyper-V network", &["netvsc", "hv_netvsc"]),
    ("virtio disks", &["viostor", "vioscsi", "virtio_blk", "virtio_scsi"]),
    ("virtio network", &["netkvm", "virtio_net"]),
    ("AHCI", &["storahci", "msahci", "ahci"]),
];

/// The guests whose system is known, each with the name of its machine.
pub fn known(inventory: &Inventory) -> Vec<(&str, &Guest, &GuestSystem)> {
    let named = named(inventory);
    named.filter_map(|(name, guest)| Some((name, guest, guest.system.value()?))).collect()
}

/// Why the systems of the other machines are not known, each reason with its machines, in their order.
pub fn not_known(inventory: &Inventory) -> Vec<(&str, Vec<&str>)> {
    let mut places = std::collections::HashMap::new();
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, guest) in named(inventory) {
        let Found::Unknown { reason } = &guest.system else { continue };
        let place = *places.entry(reason.as_str()).or_insert(all.len());
        match all.get_mut(place) {
            Some((_, names)) => names.push(name),
            None => all.push((reason, vec![name])),
        }
    }
    all
}

fn named(inventory: &Inventory) -> impl Iterator<Item = (&str, &Guest)> {
    let names: std::collections::HashMap<_, _> =
        inventory.machines.iter().map(|machine| (&machine.id, machine.name.as_str())).collect();
    inventory.guests.iter().filter_map(move |guest| Some((*names.get(&guest.machine)?, guest)))
}

/// `Windows Server 2008 R2 Standard (6.1.7601, Service Pack 1, AMD64)`.
pub fn system(system: &GuestSystem) -> String {
    let name = system.name.as_deref().unwrap_or("a system without a name");
    let version = match (&system.version, &system.build) {
        (Some(version), Some(build)) => Some(format!("{version}.{build}")),
        (version, build) => version.clone().or_else(|| build.clone()),
    };
    // Names of Linux say it themselves: `Debian GNU/Linux 12 (bookworm)`, `Ubuntu 22.04.4 LTS`.
    let is_named = |version: &String| {
        let is_it = |word: &str| {
            word.strip_prefix(version.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        name.split_whitespace().any(is_it)
    };
    let version = version.filter(|version| !is_named(version));
    let more = [&version, &system.service_pack, &system.installation, &system.architecture, &system.language];
    let more: Vec<&str> = more.into_iter().flatten().map(String::as_str).collect();
    if more.is_empty() { name.to_owned() } else { format!("{name} ({})", more.join(", ")) }
}

/// `FILE-7.example.net`.
pub fn host_name(system: &GuestSystem) -> String {
    match (&system.host_name, &system.domain) {
        (Some(name), Some(domain)) => format!("{name}.{domain}"),
        (Some(name), None) => name.clone(),
        (None, _) => "not known".to_owned(),
    }
}

/// `LAN: 192.0.2.10/24 (static), gateway 192.0.2.1, DNS 192.0.2.2, 00:15:5d:01:02:03; the machine no longer has it`.
pub fn adapter(adapter: &GuestAdapter) -> String {
    let addresses = match adapter.addresses.join(", ") {
        none if none.is_empty() => "no address".to_owned(),
        some => some,
    };
    let way = match adapter.dhcp {
        Some(true) => " (DHCP)",
        Some(false) => " (static)",
        None => "",
    };
    let mut text = format!("{}: {addresses}{way}", adapter.name);
    for (word, values) in [("gateway", &adapter.gateways), ("DNS", &adapter.dns_servers)] {
        if !values.is_empty() {
            let _ = write!(text, ", {word} {}", values.join(" "));
        }
    }
    if let Some(mac) = adapter.mac.value() {
        let _ = write!(text, ", {}", mac.colons());
    }
    if adapter.is_ghost() {
        text.push_str("; the machine no longer has it");
    }
    text
}

/// `NTFS 'System', 40 GiB, 12 GiB free`.
pub fn volume(volume: &GuestVolume) -> String {
    let label = if volume.label.is_empty() { String::new() } else { format!(" '{}'", volume.label) };
    let mut text = format!("{}{label}, {}", volume.kind, volume.size);
    if let Some(free) = volume.free {
        let _ = write!(text, ", {free} free");
    }
    if volume.clean == Some(false) {
        text.push_str(", not left in order");
    }
    text
}

/// `drivers for Hyper-V disks and AHCI` that are there; why that is not known.
pub fn drivers(system: &GuestSystem) -> String {
    let Found::Unknown { reason } = &system.drivers else {
        let all: &[GuestDriver] = system.drivers.value().map_or(&[], Vec::as_slice);
        let is_there = |names: &[&str]| all.iter().any(|driver| names.contains(&driver.name.as_str()));
        let there: Vec<&str> = DRIVERS.iter().filter(|(_, names)| is_there(names)).map(|(what, _)| *what).collect();
        return match there.is_empty() {
            true => "none for Hyper-V, virtio or AHCI".to_owned(),
            false => format!("for {}", there.join(", ")),
        };
    };
    format!("not known: {reason}")
}

/// The section of an assessment.
pub fn section(out: &mut String, inventory: &Inventory) {
    if inventory.guests.is_empty() {
        return;
    }
    let known = known(inventory);
    let _ =
        writeln!(out, "GUESTS ({} of {}): what the disks of the machines tell", known.len(), inventory.guests.len());
    for (name, guest, inside) in known {
        let _ = writeln!(out, "  {name}");
        line(out, "system", &system(inside));
        line(out, "host name", &host_name(inside));
        inside.adapters.iter().for_each(|one| line(out, "adapter", &adapter(one)));
        guest.volumes().for_each(|(_, one)| line(out, "volume", &volume(one)));
        line(out, "drivers", &drivers(inside));
        guest.remarks.iter().for_each(|remark| line(out, "remark", remark));
    }
    for (reason, names) in not_known(inventory) {
        let _ = writeln!(out, "  not known of {}", count(names.len(), "machine"));
        wrapped(out, 6, &one_line(reason));
        wrapped(out, 6, &names.join(", "));
    }
    out.push('\n');
}

fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "      {name:<10} {}", one_line(value));
}

#[cfg(test)]
mod tests {
    use hvm_model::found::Place;
    use hvm_model::guest::{DriverStart, GuestFamily};

    use super::*;

    fn windows() -> GuestSystem {
        let ghost = |present| GuestAdapter {
            name: "LAN\n  remark     forged".to_owned(),
            device: None,
            present: Found::Inferred { value: present, reason: String::new(), place: Place::default() },
            mac: Found::read("00-15-5D-0A-00-01".parse().unwrap(), "", ""),
            bound_to_mac: false,
            by_name: false,
            dhcp: Some(false),
            addresses: vec!["192.0.2.10/24".to_owned()],
            gateways: vec!["192.0.2.1".to_owned()],
            dns_servers: Vec::new(),
            place: String::new(),
        };
        let text = |text: &str| Some(text.to_owned());
        let driver = GuestDriver { name: "viostor".to_owned(), start: DriverStart::Boot, kernel: None };
        GuestSystem {
            family: GuestFamily::Windows,
            name: text("Windows Server 2008 R2 Standard"),
            version: text("6.1"),
            build: text("7601"),
            service_pack: text("Service Pack 1"),
            edition: None,
            installation: None,
            architecture: None,
            host_name: text("FILE-7"),
            domain: text("example.net"),
            language: text("0407"),
            time_zone: None,
            root_device: None,
            adapters: vec![ghost(true), ghost(false)],
            drivers: Found::read(vec![driver], "", ""),
        }
    }

    #[test]
    fn a_guest_is_told_in_a_few_lines() {
        let inside = windows();
        assert_eq!(system(&inside), "Windows Server 2008 R2 Standard (6.1.7601, Service Pack 1, 0407)");
        assert_eq!(
            (host_name(&inside).as_str(), drivers(&inside).as_str()),
            ("FILE-7.example.net", "for virtio disks")
        );
        let linux = |name: &str, version: &str| {
            let (name, version, architecture) =
                (Some(name.to_owned()), Some(version.to_owned()), Some("amd64".to_owned()));
            let (build, service_pack, language) = (None, None, None);
            system(&GuestSystem { name, version, build, service_pack, language, architecture, ..windows() })
        };
        assert_eq!(linux("Debian GNU/Linux 12 (bookworm)", "12"), "Debian GNU/Linux 12 (bookworm) (amd64)");
        assert_eq!(linux("Ubuntu 22.04.4 LTS", "22.04"), "Ubuntu 22.04.4 LTS (amd64)");
        assert_eq!(linux("Linux 122", "12"), "Linux 122 (12, amd64)");
        let told = adapter(&inside.adapters[1]);
        assert!(
            told.ends_with(
                "192.0.2.10/24 (static), gateway 192.0.2.1, 00:15:5d:0a:00:01; the machine no longer has it"
            )
        );
        assert!(!adapter(&inside.adapters[0]).contains("no longer"));
        let unknown = GuestSystem { drivers: Found::unknown("Nobody looked."), host_name: None, ..inside };
        assert_eq!(
            (host_name(&unknown).as_str(), drivers(&unknown).as_str()),
            ("not known", "not known: Nobody looked.")
        );
    }

    #[test]
    fn names_of_a_guest_stay_on_their_line() {
        let mut out = String::new();
        line(&mut out, "adapter", &adapter(&windows().adapters[0]));
        assert_eq!(out.lines().count(), 1, "{out}");
    }
}
