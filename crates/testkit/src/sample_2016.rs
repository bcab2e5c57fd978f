//! The drives of a Windows Server 2019 with Hyper-V: a list of machines in `data.vmcx`, configurations in tables, a machine that lies
//! elsewhere with a checkpoint and a saved state, one that is lost, one that is damaged, one that nobody registered, and one whose
//! configuration stayed XML. What no real file has shown is marked "made up".

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};
use crate::hvs::{HvsSpec, Key, Value, leave_dirty};
use crate::sample::answers::{PortFeatures, feature, write_features};
use crate::vhd::{Blocks, ContentModel, VhdKind, VhdSpec};
use crate::vhdx::{BlockState, Kind, LayerContent, ParentSpec, VhdxSpec};
use crate::vmxml::{Checkpoint, Drive, DriveSlot, MachineXml, Media, Nic, NicKind, Node};

/// What lets every machine of the host migrate.
pub const ANSWERS: [&str; 3] = ["machine.saved-state=discard", "machine.virtual-tpm=accept", "source.problem=accept"];
/// In the usual folder, generation 1, off.
pub const WEB: &str = "3B9C7A10-52D4-4E0B-9A51-000000000001";
/// On D:, generation 2, saved, with a checkpoint and a virtual TPM; its configuration was not closed well.
pub const DATABASE: &str = "3B9C7A10-52D4-4E0B-9A51-000000000002";
/// The network adapter of [`WEB`].
pub const ADAPTER: &str = "3B9C7A10-52D4-4E0B-9A51-0000000000A1";
/// The template of Secure Boot MicrosoftUEFICertificateAuthority.
pub const AUTHORITY: &str = "272E7447-90A4-4563-A4B9-8E4AB00526CE";
/// The checkpoint of [`DATABASE`].
pub const CHECKPOINT: &str = "3B9C7A10-52D4-4E0B-9A51-0000000000C1";
/// Listed; its configuration is not there, Hyper-V's copy is.
pub const LOST: &str = "3B9C7A10-52D4-4E0B-9A51-000000000003";
/// Listed; its configuration is damaged.
pub const DAMAGED: &str = "3B9C7A10-52D4-4E0B-9A51-000000000004";
/// There, and not listed.
pub const UNLISTED: &str = "3B9C7A10-52D4-4E0B-9A51-000000000005";
/// Made by 2012 R2, in XML.
pub const OLD: &str = "3B9C7A10-52D4-4E0B-9A51-000000000006";

/// Folder of Hyper-V's own data.
pub const HYPER_V: &str = r"C:\ProgramData\Microsoft\Windows\Hyper-V";
/// Folder of [`DATABASE`].
pub const ELSEWHERE: &str = r"D:\Maschinen\Datenbank";
/// Folder of the disks of the others.
pub const DISKS: &str = r"D:\Festplatten";

const VERSION: i64 = 0x0900;
const TPM: &str = "736e6aa9-a3f8-49c0-9550-a963214d259a";
const BIOS: &str = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_";
const SCSI: &str = "5C510000-3D5B-4C6A-9F10-000000002016";

/// Where a path of the host is below `folder`.
pub fn place(folder: &Path, path: &str) -> PathBuf {
    path.split('\\').map(|part| part.trim_end_matches(':')).fold(folder.to_owned(), |place, part| place.join(part))
}

fn put(folder: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let place = place(folder, path);
    fs::create_dir_all(place.parent().expect("a path has a folder"))?;
    fs::write(place, bytes)
}

/// Writes the host below `folder`, as `C` and `D`.
pub fn write(folder: &Path) -> io::Result<()> {
    hives(folder)?;
    list(folder)?;
    let usual = |id: &str, end: &str| format!(r"{HYPER_V}\Virtual Machines\{id}.{end}");
    disk(folder, 1)?;
    put(folder, &usual(WEB, "vmcx"), &configuration(&web()))?;
    put(folder, &usual(WEB, "VMRS"), &runtime(None))?;
    database(folder, None)?;
    put(
        folder,
        &format!(r"{HYPER_V}\Virtual Machines Cache\{LOST}.vmcx"),
        &configuration(&simple(LOST, "Verloren", 3)),
    )?;
    let mut damaged = configuration(&simple(DAMAGED, "Beschädigt", 4));
    let at = damaged.len() - 4000;
    damaged[at] ^= 0x10;
    put(folder, &usual(DAMAGED, "vmcx"), &damaged)?;
    put(folder, &usual(UNLISTED, "vmcx"), &configuration(&simple(UNLISTED, "Vergessen", 5)))?;
    disk(folder, 6)?;
    let old = MachineXml { version: 0x0500, ..machine(OLD, "Altbestand", 6) };
    put(folder, &usual(OLD, "xml"), &old.to_bytes())
}

/// The configuration of [`WEB`], as XML would have it.
pub fn web() -> Node {
    let mut xml = machine(WEB, "Webserver & Größe", 1);
    xml.nics = vec![Nic {
        kind: NicKind::Synthetic,
        instance: ADAPTER.to_owned(),
        name: "Netzwerkkarte".to_owned(),
        mac: "00-15-5D-20-16-01".to_owned(),
        mac_is_static: true,
        connection: None,
    }];
    later(xml.to_node())
}

/// Writes what the host, while it runs, says of the port of [`ADAPTER`] into its folder.
pub fn write_ports(folder: &Path) -> io::Result<()> {
    let objects = vec![
        feature(
            "Msvm_EthernetSwitchPortVlanSettingData",
            &[
                ("OperationMode", "uint32", "2"),
                ("NativeVlanId", "uint16", "5"),
                ("TrunkVlanIdArray", "uint16[]", "7,9"),
            ],
        ),
        feature(
            "Msvm_EthernetSwitchPortSecuritySettingData",
            &[
                ("AllowMacSpoofing", "boolean", "TRUE"),
                ("EnableDhcpGuard", "boolean", "TRUE"),
                ("EnableRouterGuard", "boolean", "TRUE"),
                ("AllowTeaming", "boolean", "TRUE"),
            ],
        ),
        feature(
            "Msvm_EthernetSwitchPortOffloadSettingData",
            &[("VMQOffloadWeight", "uint32", "30"), ("IPSecOffloadLimit", "uint32", "512")],
        ),
        feature("Msvm_EthernetSwitchPortBandwidthSettingData", &[("Limit", "uint64", "1000000000")]),
    ];
    write_features(folder, &[PortFeatures { settings: WEB.to_owned(), adapter: ADAPTER.to_lowercase(), objects }])
}

/// A configuration in tables.
pub fn configuration(node: &Node) -> Vec<u8> {
    HvsSpec::default().write(&[Key::of_xml(node)])
}

/// A `.vmrs` file: what every machine has, and the type of a saved state.
pub fn runtime(saved: Option<&str>) -> Vec<u8> {
    let properties = Key::node("properties").with(Key::new("version", Value::Int(VERSION)));
    let mut roots = vec![Key::node("configuration").with(properties)];
    if let Some(kind) = saved {
        let saved = Key::node("savedstate")
            .with(Key::new("VmVersion", Value::Int(VERSION)))
            .with(Key::text("type", kind))
            .with(Key::new("RamBlock0", Value::Bytes(vec![0x5A; 100_000])));
        roots.push(saved);
    }
    HvsSpec::default().write(&roots)
}

fn machine(id: &str, name: &str, number: u8) -> MachineXml {
    let mut xml = MachineXml::new(id, name);
    xml.version = VERSION;
    xml.drives = vec![Drive { slot: DriveSlot::Ide(0, 0), media: Media::Vhd(disk_path(number)) }];
    xml
}

fn simple(id: &str, name: &str, number: u8) -> Node {
    later(machine(id, name, number).to_node())
}

/// With what 9.0 writes besides.
fn later(mut node: Node) -> Node {
    node.at("properties").push(Node::integer("subtype", 0));
    node.at("global_settings/critical_error").push(Node::integer("timeout", 1800));
    node.at("global_settings/snapshots").push(Node::integer("user_type", 3));
    node.at("settings/processors/nested_virtualization").push(Node::boolean("enabled", false));
    node.at("settings/memory/bank").push(Node::integer("backing_type", 0));
    node.at("_d41a1872-3740-41ce-a1ee-4522ab82f991_").push(Node::integer("VDEVVersion", 771));
    node
}

fn disk_path(number: u8) -> String {
    format!(r"{DISKS}\Platte {number}.vhd")
}

fn disk(folder: &Path, number: u8) -> io::Result<()> {
    let mut content = ContentModel::new(4 << 20);
    content.fill(8, 300, u64::from(number));
    let path = place(folder, &disk_path(number));
    fs::create_dir_all(path.parent().expect("a path has a folder"))?;
    VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [number; 16]).image(&content).write_to(&path)
}

/// Gives [`DATABASE`] the template of Secure Boot that guests with Linux need, [`AUTHORITY`].
pub fn write_template(folder: &Path) -> io::Result<()> {
    database(folder, Some(AUTHORITY))
}

/// Generation 2 on D:, with a chain of two VHDX files, and a template of Secure Boot other than that of Windows.
fn database(folder: &Path, template: Option<&str>) -> io::Result<()> {
    let (base, child) = (format!(r"{ELSEWHERE}\Daten.vhdx"), format!(r"{ELSEWHERE}\Daten_{CHECKPOINT}.avhdx"));
    chain(folder, &base, &child)?;
    let state = |path: &str, name: &str, checkpoint: Option<Checkpoint>| {
        let mut xml = MachineXml::new(DATABASE, name);
        xml.version = VERSION;
        xml.scsi_instance = Some(SCSI.to_owned());
        xml.drives = vec![Drive { slot: DriveSlot::Scsi(0), media: Media::Vhd(path.to_owned()) }];
        xml.current_parent = Some(CHECKPOINT.to_owned());
        xml.checkpoint = checkpoint;
        xml.checkpoint_count = 1;
        let mut node = xml.to_node();
        node.at("properties").push(Node::integer("subtype", 1));
        // Generation 2 has neither IDE nor floppy drives.
        node.remove("_83f8638b-8dca-4152-9eda-2ca8b33039b4_");
        node.remove("_8f0d2762-0b00-4e04-af4f-19010527cb93_");
        node.at(BIOS).push(Node::boolean("secure_boot_enabled", true));
        if let Some(template) = template {
            node.at(BIOS).push(Node::text("secure_boot_template_id", template));
        }
        node.at("settings/processors/nested_virtualization").push(Node::boolean("enabled", true));
        let tpm = node.at("manifest/vdev099");
        tpm.push(Node::text("device", TPM));
        tpm.push(Node::text("instance", TPM));
        // Made up.
        tpm.push(Node::text("name", "Microsoft Virtual TPM Device"));
        node
    };
    let machine = state(&child, "Datenbank", None);
    let (mut bytes, places) = HvsSpec::default().write_with_places(&[Key::of_xml(&machine)]);
    leave_dirty(&mut bytes, &places, &[(places.tables[1], 4096), (places.objects[0] + 8, 18)]);
    put(folder, &format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmcx"), &bytes)?;
    put(folder, &format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmrs"), &runtime(Some("Normal")))?;
    put(folder, &format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmgs"), &[0; 4096])?;
    let taken = Checkpoint { id: CHECKPOINT.to_owned(), parent: None, taken: 132_000_000_000_000_000 };
    let checkpoint = state(&base, "Vor dem Update", Some(taken));
    put(folder, &format!(r"{ELSEWHERE}\Snapshots\{CHECKPOINT}.vmcx"), &configuration(&checkpoint))?;
    put(folder, &format!(r"{ELSEWHERE}\Snapshots\{CHECKPOINT}.vmrs"), &runtime(Some("Snapshot")))
}

fn chain(folder: &Path, base: &str, child: &str) -> io::Result<()> {
    let mut below = LayerContent::new(4 << 20, 1 << 20, 512);
    let mut above = below.clone();
    below.states.insert(0, BlockState::Full);
    below.sectors.insert(3, vec![0x33; 512]);
    above.states.insert(0, BlockState::Partial);
    above.sectors.insert(5, vec![0x55; 512]);
    let first = VhdxSpec { seed: 1, ..VhdxSpec::new(Kind::Dynamic, 0x21) };
    let parent = ParentSpec::new(&first.data_write, r".\Daten.vhdx");
    let second = VhdxSpec { seed: 2, ..VhdxSpec::new(Kind::Differencing(parent), 0x22) };
    for (path, image) in [(base, first.image(&below)), (child, second.image(&above))] {
        let path = place(folder, path);
        fs::create_dir_all(path.parent().expect("a path has a folder"))?;
        image.write_to(&path)?;
    }
    Ok(())
}

fn list(folder: &Path) -> io::Result<()> {
    let listed = |key: Key, id: &str, path: String| key.with(Key::text(&format!("_{id}_"), &path));
    let mut machines = Key::node("VirtualMachines");
    let mut copies = Key::node("VirtualMachinesCache");
    for id in [WEB, DATABASE, LOST, DAMAGED] {
        let root = if id == DATABASE { ELSEWHERE } else { HYPER_V };
        machines = listed(machines, id, format!(r"{root}\Virtual Machines\{id}.vmcx"));
        copies = listed(copies, id, format!(r"{HYPER_V}\Virtual Machines Cache\{id}.vmcx"));
    }
    let root = Key::node("Configurations")
        .with(Key::new("FormatVersion", Value::Int(2)))
        .with(Key::text("RegID", "A4F9FA6C-0000-4000-8000-000000002016"))
        .with(machines)
        .with(copies);
    put(folder, &format!(r"{HYPER_V}\data.vmcx"), &HvsSpec::default().write(&[root]))
}

fn hives(folder: &Path) -> io::Result<()> {
    let mut software = HiveKey::new("ROOT");
    let version = software.at(r"Microsoft\Windows NT\CurrentVersion");
    for (name, text) in [
        ("CurrentVersion", "6.3"),
        ("CurrentBuildNumber", "17763"),
        ("ProductName", "Windows Server 2019 Standard"),
        ("EditionID", "ServerStandard"),
        ("InstallationType", "Server"),
    ] {
        version.set(name, HiveValue::sz(text));
    }
    version.set("CurrentMajorVersionNumber", HiveValue::Dword(10));
    version.set("CurrentMinorVersionNumber", HiveValue::Dword(0));
    let virtualization = software.at(r"Microsoft\Windows NT\CurrentVersion\Virtualization");
    virtualization.set("DefaultExternalDataRoot", HiveValue::sz(ELSEWHERE));
    let mut system = HiveKey::new("ROOT");
    system.at("Select").set("Current", HiveValue::Dword(1));
    system.at(r"ControlSet001\Control\ProductOptions").set("ProductType", HiveValue::sz("ServerNT"));
    system.at(r"ControlSet001\Control\ComputerName\ComputerName").set("ComputerName", HiveValue::sz("HV2019"));
    system.at(r"ControlSet001\Services\vmms").set("Start", HiveValue::Dword(2));
    let stamp = HiveStamp::default();
    put(folder, r"C:\Windows\System32\config\SOFTWARE", &hive_bytes(&software, &stamp))?;
    put(folder, r"C:\Windows\System32\config\SYSTEM", &hive_bytes(&system, &stamp))
}
