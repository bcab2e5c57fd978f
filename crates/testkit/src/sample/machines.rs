//! The virtual machines of the sample host.

use super::disks::{Plain, content, default_path, dynamic, shuffled, unique_id};
use super::network::{PORT_BOOT, PORT_FILES, PORT_LEGACY, PORT_PRIVATE};
use super::writer::HostWriter;
use super::{Variant, ids, media, tree};
use crate::guest;
use crate::vhd::{Blocks, Geometry, Stride, VhdKind, VhdSpec};
use crate::vmxml::{Drive, DriveSlot, MachineXml, Media, Memory, Nic, NicKind, Processors, SavedState, VSS};
use std::io;

/// Writes all machines of the variant.
pub(super) fn write(writer: &mut HostWriter) -> io::Result<()> {
    if writer.variant() == Variant::Clean {
        return clean(writer);
    }
    boot(writer)?;
    files(writer)?;
    tree::write(writer)?;
    with_media(writer)?;
    saved(writer)?;
    let machine = processors(writer.variant());
    simple(writer, machine, "Viele Prozessoren.vhd", 0x70)?;
    memory(writer)
}

/// A machine of the variant's configuration version.
pub(super) fn machine(variant: Variant, (id, name): (&str, &str)) -> MachineXml {
    let version = if variant == Variant::Source2012 { 1024 } else { 768 };
    MachineXml { version, ..MachineXml::new(id, name) }
}

/// A drive with a VHD.
pub(super) fn vhd(slot: DriveSlot, path: &str) -> Drive {
    Drive { slot, media: Media::Vhd(path.to_owned()) }
}

/// An adapter with a dynamic MAC that was already assigned.
pub(super) fn nic(number: u8, switch: (&str, &str), port: &str) -> Nic {
    Nic {
        kind: NicKind::Synthetic,
        instance: format!("AD000000-3D5B-4C6A-9F10-0000000000{number:02X}"),
        name: "Netzwerkkarte".to_owned(),
        mac: format!("00-15-5D-0A-00-{number:02X}"),
        mac_is_static: false,
        connection: Some((switch.0.to_owned(), port.to_owned())),
    }
}

/// Boots from the disk at IDE 0:0 and prints what it finds there and at IDE 0:1.
fn boot(writer: &mut HostWriter) -> io::Result<()> {
    let (system, data) = (default_path("Bootfähig.vhd"), default_path("Bootfähig Daten.vhd"));
    let mut first = content(64, 0x10);
    first.set(0, *guest::BOOT_SECTOR);
    let second = content(24, 0x11);
    let disk = |slot, at: &str, spec| Plain { machine: ids::BOOT.0, slot, at: at.to_owned(), spec };
    writer.disk(disk("IDE 0:0", &system, dynamic(0x10)), &first)?;
    writer.disk(disk("IDE 0:1", &data, shuffled(0x11, 512 << 10)), &second)?;
    writer.host.expected_serial = guest::expected_serial(&[&first, &second]);
    let mut xml = machine(writer.variant(), ids::BOOT);
    xml.drives = vec![vhd(DriveSlot::Ide(0, 0), &system), vhd(DriveSlot::Ide(0, 1), &data)];
    xml.nics = vec![nic(1, ids::EXTERN_1, PORT_BOOT)];
    xml.boot = ["HardDrive", "Optical", "Network", "Floppy"].map(str::to_owned);
    writer.machine(&xml)
}

/// Everything of it lies on D:, its registration is a symbolic link.
fn files(writer: &mut HostWriter) -> io::Result<()> {
    let root = r"D:\Hyper-V\Datei & Druck Server";
    let (system, data) = (format!(r"{root}\System (fest).vhd"), format!(r"{root}\Daten & Freigaben.vhd"));
    let fixed = VhdSpec::new(VhdKind::Fixed, unique_id(0x20));
    let aligned = Blocks { stride: Stride::Aligned, ..Blocks::default() };
    let aligned = VhdSpec::new(VhdKind::Dynamic(aligned), unique_id(0x21));
    let disk = |slot, at: &str, spec| Plain { machine: ids::FILES.0, slot, at: at.to_owned(), spec };
    writer.disk(disk("IDE 0:0", &system, fixed), &content(32, 0x20))?;
    writer.disk(disk("SCSI 0", &data, aligned), &content(80, 0x21))?;
    let mut xml = machine(writer.variant(), ids::FILES);
    xml.notes =
        "Erste Zeile: Größe & <Preis>\nZweite Zeile: \"Zitat\" und 'Hochkomma'\n\nVierte Zeile: 日本語".to_owned();
    xml.owner_sid = "S-1-5-21-1004336348-1177238915-682003330-1105".to_owned();
    xml.memory = Memory::fixed(1024);
    xml.processors.compatibility = true;
    xml.scsi_instance = Some("5C510000-3D5B-4C6A-9F10-000000000002".to_owned());
    xml.drives = vec![vhd(DriveSlot::Ide(0, 0), &system), vhd(DriveSlot::Scsi(0), &data)];
    xml.com = [r"\\.\pipe\datei-druck", r"\\.\pipe\datei-druck 2"].map(str::to_owned);
    xml.disabled_services = vec![VSS];
    xml.start_action = 2;
    xml.stop_action = 2;
    let synthetic = nic(2, ids::EXTERN_2, PORT_FILES);
    let legacy = nic(3, ids::INTERN, PORT_LEGACY);
    xml.nics = vec![
        Nic {
            name: "Netzwerkkarte \"schnell\"".into(),
            mac: "00-15-5D-CA-FE-02".into(),
            mac_is_static: true,
            ..synthetic
        },
        Nic { kind: NicKind::Legacy, name: "Ältere Netzwerkkarte".into(), ..legacy },
    ];
    writer.linked_machine(&xml, &format!(r"{root}\Virtual Machines\{}.xml", ids::FILES.0))
}

/// ISO, floppy, pass-through disk; its VHD was expanded once, so that its geometry is smaller than its size.
fn with_media(writer: &mut HostWriter) -> io::Result<()> {
    let (disk, iso) = (default_path("Peter's Disk #1.vhd"), r"D:\ISO\Peter's Abbild [1].iso");
    let floppy = r"D:\ISO\Diskette 100%.vfd";
    let mut spec = dynamic(0x40);
    spec.geometry = Some(Geometry::of(16 << 20));
    spec.original_size = Some(16 << 20);
    let plain = Plain { machine: ids::MEDIA.0, slot: "IDE 0:0", at: disk.clone(), spec };
    writer.disk(plain, &content(40, 0x40))?;
    writer.file(iso, &media::iso())?;
    writer.file(floppy, &media::floppy())?;
    let mut xml = machine(writer.variant(), ids::MEDIA);
    let physical = Media::Physical(r"\\.\PHYSICALDRIVE2".to_owned());
    xml.drives = vec![
        vhd(DriveSlot::Ide(0, 0), &disk),
        Drive { slot: DriveSlot::Ide(0, 1), media: physical },
        Drive { slot: DriveSlot::Ide(1, 0), media: Media::Iso(iso.to_owned()) },
    ];
    xml.floppy = Some(floppy.to_owned());
    writer.machine(&xml)
}

/// In saved state, with both files.
fn saved(writer: &mut HostWriter) -> io::Result<()> {
    let mut xml = machine(writer.variant(), ids::SAVED);
    let state = format!(r"{}\Virtual Machines\{}\{}", ids::HYPER_V_ROOT, ids::SAVED.0, ids::SAVED.0);
    let saved = SavedState { memory: format!("{state}.bin"), devices: format!("{state}.vsv") };
    writer.file(&saved.memory, &media::rubbish(2048, 0x50))?;
    writer.file(&saved.devices, &media::rubbish(64, 0x51))?;
    xml.saved = Some(saved);
    simple(writer, xml, "Gespeichert.vhd", 0x50)
}

/// Four virtual processors with limit, reserve and weight.
pub(super) fn processors(variant: Variant) -> MachineXml {
    let mut xml = machine(variant, ids::PROCESSORS);
    xml.processors = Processors { count: 4, limit: 75_000, reservation: 10_000, weight: 200, compatibility: false };
    xml.drives = vec![vhd(DriveSlot::Ide(0, 0), &default_path("Viele Prozessoren.vhd"))];
    xml
}

/// 64 GiB, dynamic.
fn memory(writer: &mut HostWriter) -> io::Result<()> {
    let mut xml = machine(writer.variant(), ids::MEMORY);
    xml.memory = Memory { size: 65536, reservation: 65536, limit: 131_072, dynamic: true, buffer: 25, priority: 8000 };
    simple(writer, xml, "Großer Speicher.vhd", 0x60)
}

/// A machine with one dynamic disk at IDE 0:0.
fn simple(writer: &mut HostWriter, mut xml: MachineXml, file: &str, number: u8) -> io::Result<()> {
    let at = default_path(file);
    xml.drives = vec![vhd(DriveSlot::Ide(0, 0), &at)];
    let plain = Plain { machine: &xml.id, slot: "IDE 0:0", at, spec: dynamic(number) };
    writer.disk(plain, &content(16, u64::from(number)))?;
    writer.machine(&xml)
}

/// The only machine of the clean variant.
fn clean(writer: &mut HostWriter) -> io::Result<()> {
    let mut xml = machine(writer.variant(), ids::CLEAN);
    xml.nics = vec![nic(8, ids::PRIVATE, PORT_PRIVATE)];
    simple(writer, xml, "Einfach.vhd", 0x80)
}
