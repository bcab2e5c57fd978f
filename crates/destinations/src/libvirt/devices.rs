//! The devices of a domain: disks where the guest had them, network adapters, serial ports, a screen.

use hvm_model::capabilities::DiskFormat;
use hvm_model::names::MacAddress;
use hvm_model::role::{PlacedDisk, RoleMachine};
use hvm_model::vm::{AdapterKind, Connection, Controller, Media, VmAdapter};

use crate::libvirt::domain::Writer;
use crate::libvirt::naming;
use crate::libvirt::xml::Element;

/// Ports of one SATA controller.
const SATA_PORTS: usize = 6;

/// One drive of the domain.
struct Unit<'a> {
    /// Its slot on the source, e.g. `ide0-1`.
    slot: String,
    /// `hda`, `sda`, `fda`.
    target: String,
    bus: &'static str,
    controller: usize,
    bus_number: usize,
    unit: usize,
    device: &'static str,
    /// Format and file; `None` for an empty drive.
    file: Option<(&'static str, &'a str)>,
}

fn letters(index: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    if index < 26 { letter(index).to_string() } else { format!("{}{}", letters(index / 26 - 1), letter(index)) }
}

fn place<'a>(controller: Controller, number: u8, slot: u8, sata: &mut usize) -> Unit<'a> {
    let name = format!("{controller}{number}-{slot}");
    let unit = |target: String, bus, controller, bus_number, unit| Unit {
        slot: name.clone(),
        target,
        bus,
        controller,
        bus_number,
        unit,
        device: "disk",
        file: None,
    };
    let (number, slot) = (usize::from(number), usize::from(slot));
    match controller {
        Controller::Ide => unit(format!("hd{}", letters(number * 2 + slot)), "ide", 0, number, slot),
        Controller::Floppy => unit(format!("fd{}", letters(slot)), "fdc", 0, 0, slot),
        Controller::Scsi => {
            let index = *sata;
            *sata += 1;
            unit(format!("sd{}", letters(index)), "sata", index / SATA_PORTS, 0, index % SATA_PORTS)
        }
    }
}

fn format_word(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => "qcow2",
        DiskFormat::Vhd | DiskFormat::VhdFixed => "vpc",
        DiskFormat::Vhdx | DiskFormat::VhdxFixed => "vhdx",
    }
}

/// All drives: disks first, in the order of their slots, so that the first hard disk stays the first.
fn units(machine: &RoleMachine) -> Vec<Unit<'_>> {
    let mut sata = 0;
    let mut disks: Vec<&PlacedDisk> = machine.disks.iter().filter(|disk| disk.checkpoint.is_none()).collect();
    disks.sort_by_key(|disk| (disk.controller, disk.number, disk.slot));
    let mut all: Vec<Unit> = Vec::new();
    for disk in disks {
        let mut unit = place(disk.controller, disk.number, disk.slot, &mut sata);
        unit.file = Some((format_word(disk.format), &disk.target));
        all.push(unit);
    }
    for image in &machine.images {
        let mut unit = place(image.controller, image.number, image.slot, &mut sata);
        unit.file = Some(("raw", &image.file.target));
        unit.device = if image.controller == Controller::Floppy { "floppy" } else { "cdrom" };
        all.push(unit);
    }
    for drive in &machine.configuration.drives {
        let empty = matches!(drive.media, Media::EmptyDvd | Media::PhysicalDvd { .. } | Media::Iso { .. });
        if empty && !all.iter().any(|unit| unit.slot == drive.slot_name()) {
            let mut unit = place(drive.controller, drive.number, drive.slot, &mut sata);
            unit.device = "cdrom";
            all.push(unit);
        }
    }
    all
}

/// Target names and slots of the drives that settings speak of: not those whose disc stayed behind.
pub(crate) fn slots(machine: &RoleMachine) -> Vec<(String, String)> {
    let stayed = |unit: &Unit| {
        let drive = machine.configuration.drives.iter().find(|drive| drive.slot_name() == unit.slot);
        unit.file.is_none() && drive.is_some_and(|drive| !matches!(drive.media, Media::EmptyDvd))
    };
    units(machine).into_iter().filter(|unit| !stayed(unit)).map(|unit| (unit.target, unit.slot)).collect()
}

/// The element `devices`.
pub(crate) fn devices(writer: &Writer) -> Element {
    let machine = writer.machine;
    let mut all = Element::new("devices");
    let units = units(machine);
    for unit in &units {
        all.push(disk(unit, writer.root));
    }
    let ports = units.iter().filter(|unit| unit.bus == "sata").count();
    for index in 0..ports.div_ceil(SATA_PORTS) {
        all.push(Element::new("controller").attribute("type", "sata").attribute("index", index));
    }
    for (index, adapter) in machine.configuration.adapters.iter().enumerate() {
        all.push(interface(writer, adapter, index));
    }
    // Hyper-V's machines always have the first serial port.
    let second = machine.configuration.com_ports.get(1).is_some_and(Option::is_some);
    for port in 0..=usize::from(second) {
        let serial = Element::new("serial").attribute("type", "pty");
        all.push(serial.child(Element::new("target").attribute("type", "isa-serial").attribute("port", port)));
    }
    all.push(Element::new("input").attribute("type", "tablet").attribute("bus", "usb"));
    let listen = Element::new("listen").attribute("type", "address").attribute("address", "127.0.0.1");
    all.push(Element::new("graphics").attribute("type", "vnc").attribute("autoport", "yes").child(listen));
    all.push(Element::new("video").child(Element::new("model").attribute("type", "vga")));
    // The guest has no driver for it, and its memory is fixed.
    all.push(Element::new("memballoon").attribute("model", "none"));
    all
}

fn disk(unit: &Unit, root: &str) -> Element {
    let mut disk = Element::new("disk").attribute("type", "file").attribute("device", unit.device);
    let format = unit.file.map_or("raw", |(format, _)| format);
    disk.push(Element::new("driver").attribute("name", "qemu").attribute("type", format));
    if let Some((_, file)) = unit.file {
        disk.push(Element::new("source").attribute("file", format!("{}/{file}", root.trim_end_matches('/'))));
    }
    disk.push(Element::new("target").attribute("dev", &unit.target).attribute("bus", unit.bus));
    if unit.device == "cdrom" {
        disk.push(Element::new("readonly"));
    }
    let address = Element::new("address").attribute("type", "drive").attribute("controller", unit.controller);
    let address = address.attribute("bus", unit.bus_number).attribute("target", 0).attribute("unit", unit.unit);
    disk.child(address)
}

/// An address for an adapter that has none yet: the same at each run, from QEMU's own range.
fn derived_mac(writer: &Writer, index: usize) -> MacAddress {
    let hash = blake3::hash(format!("{} {index}", writer.machine.id).as_bytes());
    let [a, b, c, ..] = *hash.as_bytes();
    MacAddress([0x52, 0x54, 0x00, a, b, c])
}

fn interface(writer: &Writer, adapter: &VmAdapter, index: usize) -> Element {
    let role = &writer.plan.role;
    let network = match &adapter.connection {
        Connection::None => None,
        Connection::Switch { switch, name, .. } => {
            let id = switch.trim_start_matches('{').trim_end_matches('}');
            let by_id = role.switches.iter().find(|found| found.id.as_str().eq_ignore_ascii_case(id));
            by_id.or_else(|| role.switches.iter().find(|found| Some(&found.name) == name.as_ref()))
        }
    };
    let mac = if adapter.mac == MacAddress::UNASSIGNED { derived_mac(writer, index) } else { adapter.mac };
    let mut interface = Element::new("interface").attribute("type", if network.is_some() { "network" } else { "user" });
    interface.push(Element::new("mac").attribute("address", mac.colons()));
    if let Some(switch) = network {
        interface.push(Element::new("source").attribute("network", naming::network(role, switch)));
    }
    // e1000 works in every Windows since Vista; rtl8139 also in the older systems that legacy adapters were made for, and it
    // can boot from the network as they could.
    let model = if adapter.kind == AdapterKind::Legacy { "rtl8139" } else { "e1000" };
    interface.push(Element::new("model").attribute("type", model));
    if network.is_none() {
        interface.push(Element::new("link").attribute("state", "down"));
    }
    interface
}
