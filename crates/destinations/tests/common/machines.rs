//! Machines that a kit builds state by state, and those that it registers from their own configuration.

use super::*;

pub const TREE: &str = "AAAAAAAA-0000-4000-8000-000000000004";
/// The checkpoints of that machine: the first, two made from it, and one made from the second.
pub const CHECKPOINTS: [(&str, Option<usize>, &str); 4] = [
    ("DDDDDDDD-0000-4000-8000-000000000001", None, "Root 'A'"),
    ("DDDDDDDD-0000-4000-8000-000000000002", Some(0), "B – “更新” $(x)"),
    ("DDDDDDDD-0000-4000-8000-000000000003", Some(0), "Root 'A'"),
    ("DDDDDDDD-0000-4000-8000-000000000004", Some(1), "D"),
];

/// Pipes of their serial ports.
pub const PIPES: [[Option<&str>; 2]; 4] =
    [[Some("root"), None], [None, Some("b")], [Some("c"), Some("gone")], [Some("d"), None]];

/// A machine with checkpoints in a tree, whose present state derives from the third; the states differ in disks, images, memory,
/// adapters, serial ports and services.
pub fn tree_machine(generation: u8) -> RoleMachine {
    let mut tree = machine(TREE, "Tree 'T'", "Tree T");
    let (controller, ending) = if generation == 1 { (Controller::Ide, "vhd") } else { (Controller::Scsi, "vhdx") };
    tree.generation = generation;
    tree.disks.clear();
    let of_state = |state: Option<usize>| {
        let mut placed = disk(controller, 0, 0, &format!("disks/Tree T/{}.a{ending}", state.unwrap_or(9)));
        if state == Some(0) {
            placed.target = format!("disks/Tree T/Größe.{ending}");
        }
        let id = |number: usize| CHECKPOINTS[number].0.parse().unwrap();
        placed.checkpoint = state.map(id);
        placed.checkpoint_name = state.map(|number| CHECKPOINTS[number].2.to_owned());
        placed
    };
    tree.nested_virtualization = true;
    let mut configuration = configuration();
    configuration.drives = vec![drive(controller, 0, 1, Media::EmptyDvd)];
    if generation == 2 {
        tree.secure_boot_template = AUTHORITY.parse().ok();
        configuration.firmware.boot_order.clear();
        configuration.firmware.num_lock = None;
        configuration.firmware.secure_boot = Some(false);
        configuration.firmware.tpm = Some(true);
    }
    for (number, (id, parent, name)) in CHECKPOINTS.iter().enumerate() {
        let mut configuration = configuration.clone();
        configuration.memory.startup_mib = 512 + 2 * number as u64;
        configuration.processors.count = 1 + number as u32;
        // The present state has no pipe where the third one has; so have two states without where the one before them has.
        configuration.com_ports = PIPES[number].map(|pipe| pipe.map(|pipe| format!(r"\\.\pipe\{pipe}")));
        let mut images = Vec::new();
        if number == 1 {
            configuration.drives = vec![drive(controller, 0, 1, Media::Iso { path: WindowsPath::new(r"D:.iso") })];
            configuration.adapters =
                vec![adapter("n", AdapterKind::Synthetic, Some("00-15-5D-01-07-E0"), Some((1, "internal")))];
            configuration.disabled_integration_services = vec![IntegrationService::Vss];
            configuration.scsi_controllers = 2;
            images.push(PlacedImage { controller, number: 0, slot: 1, file: file(r"D:.iso", "images/Tree T/a.iso") });
            if generation == 1 {
                let file = file(r"D:.vfd", "images/Tree T/a.vfd");
                images.push(PlacedImage { controller: Controller::Floppy, number: 0, slot: 0, file });
            }
        }
        tree.disks.push(of_state(Some(number)));
        tree.checkpoints.push(RoleCheckpoint {
            id: id.parse().unwrap(),
            name: (*name).to_owned(),
            created: Some("2011-03-04T05:06:07Z".to_owned()),
            parent: parent.map(|parent| CHECKPOINTS[parent].0.parse().unwrap()),
            configuration,
            images,
        });
    }
    tree.disks.push(of_state(None));
    let mut data = disk(controller, u8::from(generation == 1), 1, &format!("disks/Tree T/data.{ending}"));
    data.slot = 1 + u8::from(generation == 2);
    tree.disks.push(data);
    configuration.com_ports = [Some(r"\\.\pipe\t".to_owned()), None];
    tree.configuration = configuration;
    tree.current_checkpoint = CHECKPOINTS[2].0.parse().ok();
    tree
}

pub const REGISTERED: &str = "AAAAAAAA-0000-4000-8000-000000000005";
/// Devices of that machine's network adapters.
pub const DEVICES: [&str; 3] = [
    "EEEEEEEE-0000-4000-8000-000000000001",
    "EEEEEEEE-0000-4000-8000-000000000002",
    "EEEEEEEE-0000-4000-8000-000000000003",
];

/// A machine that is registered from a configuration of a version, as major * 256 + minor. The plan differs from the configuration in
/// what an operator may answer, and in what is not there any more.
pub fn registered_machine(version: u16, generation: u8) -> RoleMachine {
    let mut own = machine(REGISTERED, "Own ‘O’ & Söhne", "Own O");
    own.generation = generation;
    let path = |name: &str, ending: &str| format!("source-configuration/{name}.{ending}");
    let is_xml = version <= 0x500;
    own.original_configuration = Some(file(r"D:\o", &path(REGISTERED, if is_xml { "xml" } else { "vmcx" })));
    let beside: &[&str] = match (is_xml, generation) {
        (true, _) => &[],
        (false, 1) => &["vmrs"],
        (false, _) => &["vmrs", "vmgs"],
    };
    let beside = beside.iter().map(|ending| file(r"D:\o", &path(REGISTERED, ending))).collect();
    own.put_back = Some(PutBack::Registered { version: (version >> 8, version & 0xFF), beside });
    let ending = if generation == 1 { "vhd" } else { "vhdx" };
    let at =
        |controller, number, slot, name: &str| disk(controller, number, slot, &format!("disks/Own O/{name}.{ending}"));
    own.disks = vec![at(Controller::Scsi, 0, 0, "system"), at(Controller::Scsi, 0, 5, "Größe")];
    own.pass_through = vec!["scsi0-7".to_owned()];
    let configuration = &mut own.configuration;
    configuration.scsi_controllers = 1;
    configuration.firmware.boot_order.reverse();
    if generation == 1 {
        own.disks[0] = at(Controller::Ide, 0, 0, "system");
        own.images = vec![
            PlacedImage {
                controller: Controller::Ide,
                number: 1,
                slot: 0,
                file: file(r"D:\a.iso", "images/Own O/a.iso"),
            },
            PlacedImage {
                controller: Controller::Floppy,
                number: 0,
                slot: 0,
                file: file(r"D:\a.vfd", "images/Own O/a.vfd"),
            },
        ];
        configuration.drives = vec![drive(Controller::Ide, 1, 1, Media::PhysicalDvd { path: "E:".to_owned() })];
    } else {
        configuration.firmware.boot_order.clear();
        configuration.firmware.num_lock = None;
        configuration.firmware.secure_boot = Some(true);
        configuration.drives = vec![drive(Controller::Scsi, 0, 3, Media::EmptyDvd)];
    }
    let device = |number: usize, adapter: VmAdapter| VmAdapter { id: DEVICES[number].to_owned(), ..adapter };
    let mut first = adapter("Netzwerk ‘1’", AdapterKind::Synthetic, Some("00-15-5D-01-07-E8"), Some((1, "internal")));
    first.vlan = Found::read(Vlan::Access { id: 7 }, "f", "a");
    first.mac_spoofing = Found::read(true, "f", "a");
    let second = if generation == 1 { AdapterKind::Legacy } else { AdapterKind::Synthetic };
    configuration.adapters = vec![
        device(0, first),
        device(1, adapter("off", second, None, None)),
        device(2, adapter("gone", AdapterKind::Synthetic, None, None)),
    ];
    configuration.com_ports = [None, Some(r"\\.\pipe\own".to_owned())];
    configuration.disabled_integration_services = vec![IntegrationService::Vss];
    own
}
