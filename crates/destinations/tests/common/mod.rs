//! A rich plan made by hand: names with quotes of all kinds, `&`, umlauts and Japanese, every kind of drive and adapter.

#![allow(dead_code)]

mod machines;

use std::collections::BTreeMap;
use std::path::Path;

use hvm_destinations::destination::Destination;
use hvm_model::capabilities::DiskFormat;
use hvm_model::choices::Policy;
use hvm_model::finding::Subject;
use hvm_model::found::{Found, Place};
use hvm_model::host::{AccessEntry, DcomRestriction, FirewallChange, MacRange, RoleAssignment};
use hvm_model::names::{ByteSize, MacAddress, SwitchId, VmId, WindowsPath};
use hvm_model::network::{IpSettings, PortSettings, SwitchKind, Vlan};
use hvm_model::plan::{Action, Estimate, Phase, Plan, Step};
use hvm_model::role::*;
use hvm_model::setting::{Carry, Setting, settings_of};
use hvm_model::vm::*;
#[allow(unused_imports, reason = "each test uses its part")]
pub use machines::*;

pub const SWITCHES: [&str; 4] = [
    "11111111-AAAA-4000-8000-000000000001",
    "11111111-AAAA-4000-8000-000000000002",
    "11111111-AAAA-4000-8000-000000000003",
    "11111111-AAAA-4000-8000-000000000004",
];
pub const WEB: &str = "AAAAAAAA-0000-4000-8000-000000000001";
pub const SQL: &str = "AAAAAAAA-0000-4000-8000-000000000002";
pub const MODERN: &str = "AAAAAAAA-0000-4000-8000-000000000003";

pub fn mac(text: &str) -> MacAddress {
    text.parse().unwrap()
}

fn switch(number: usize, name: &str, source_kind: SwitchKind, adapter: Option<&str>) -> RoleSwitch {
    let reconnect = source_kind == SwitchKind::External && adapter.is_none();
    RoleSwitch {
        id: SWITCHES[number].parse().unwrap(),
        name: name.to_owned(),
        source_kind,
        kind: if reconnect { SwitchKind::Internal } else { source_kind },
        adapter: adapter.map(str::to_owned),
        management_os: number == 0,
        reconnect,
    }
}

fn file(source: &str, target: &str) -> PlacedFile {
    PlacedFile { source: WindowsPath::new(source), target: target.to_owned(), size: ByteSize(5) }
}

fn disk(controller: Controller, number: u8, slot: u8, target: &str) -> PlacedDisk {
    PlacedDisk {
        controller,
        number,
        slot,
        source: WindowsPath::new(r"D:\x.vhd"),
        local: None,
        target: target.to_owned(),
        format: DiskFormat::Vhd,
        size: ByteSize(1 << 30),
        stored: ByteSize(1 << 20),
        parent: None,
        checkpoint: None,
        checkpoint_name: None,
    }
}

fn drive(controller: Controller, number: u8, slot: u8, media: Media) -> Drive {
    Drive { controller, number, slot, media, place: Place::default() }
}

fn adapter(name: &str, kind: AdapterKind, address: Option<&str>, on: Option<(usize, &str)>) -> VmAdapter {
    let connection = match on {
        None => Connection::None,
        Some((number, name)) => Connection::Switch {
            switch: SWITCHES[number].to_lowercase(),
            name: Some(name.to_owned()),
            port: "P".to_owned(),
        },
    };
    VmAdapter {
        id: "X".to_owned(),
        name: name.to_owned(),
        kind,
        mac: address.map_or(MacAddress::UNASSIGNED, mac),
        mac_is_static: address.is_some(),
        connection,
        vlan: Found::unknown("not in this test"),
        mac_spoofing: Found::unknown("not in this test"),
        port_settings: Found::unknown("not in this test"),
        place: Place::default(),
    }
}

fn configuration() -> MachineConfiguration {
    MachineConfiguration {
        memory: Memory {
            startup_mib: 512,
            dynamic: false,
            minimum_mib: 512,
            maximum_mib: 1_048_576,
            buffer_percent: 20,
            weight: 5000,
        },
        processors: Processors {
            count: 2,
            limit: 100_000,
            reserve: 0,
            weight: 100,
            compatibility_for_migration: false,
            compatibility_for_older_systems: false,
        },
        numa: Numa::default(),
        firmware: Firmware {
            bios_guid: Some("D19A1B2C-0000-4000-8000-00000000ABCD".to_owned()),
            bios_serial_number: Some("1111-2222-3333".to_owned()),
            base_board_serial_number: Some("4444-5555".to_owned()),
            chassis_serial_number: Some("6666-7777".to_owned()),
            chassis_asset_tag: Some("O'Brien & Söhne <7>".to_owned()),
            boot_order: vec![BootDevice::Optical, BootDevice::HardDrive, BootDevice::Network, BootDevice::Floppy],
            num_lock: Some(true),
            secure_boot: None,
            tpm: None,
        },
        drives: Vec::new(),
        scsi_controllers: 0,
        adapters: Vec::new(),
        com_ports: [None, None],
        disabled_integration_services: Vec::new(),
        guest_services: false,
        actions: AutomaticActions {
            start: StartAction::Nothing,
            start_delay_seconds: Some(30),
            stop: StopAction::Save,
            recovery: 1,
        },
    }
}

/// Whose the machines are.
pub const OWNER: &str = "S-1-5-21-1-2-3-1106";

fn machine(id: &str, name: &str, folder: &str) -> RoleMachine {
    RoleMachine {
        id: id.parse().unwrap(),
        name: name.to_owned(),
        notes: String::new(),
        generation: 1,
        configuration: configuration(),
        secure_boot_template: None,
        nested_virtualization: false,
        owner: None,
        folder: folder.to_owned(),
        disks: vec![disk(Controller::Ide, 0, 0, &format!("machines/{folder}/system.vhd"))],
        images: Vec::new(),
        checkpoint_of: None,
        original_configuration: None,
        put_back: None,
        pass_through: Vec::new(),
        physical: Vec::new(),
        checkpoints: Vec::new(),
        current_checkpoint: None,
    }
}

/// The template of Secure Boot that guests with Linux need: MicrosoftUEFICertificateAuthority.
pub const AUTHORITY: &str = "272E7447-90A4-4563-A4B9-8E4AB00526CE";

fn web() -> RoleMachine {
    let mut web = machine(WEB, "Müller's “Web” ‘&’ $(x) `n 日本", "Müllers Web 日本");
    web.owner = Some(OWNER.to_owned());
    web.notes = "first line\nsecond 'line' $env:PATH\r\nthird <b>&amp;</b> \"q\" ’\t!".to_owned();
    let mut old = disk(Controller::Ide, 0, 0, "machines/Müllers Web 日本/checkpoint-1.vhd");
    old.checkpoint = Some("CCCCCCCC-0000-4000-8000-000000000001".parse().unwrap());
    old.checkpoint_name = Some("before 'SP1'".to_owned());
    web.disks.push(old);
    for (number, slot) in [(0, 0), (0, 5), (1, 63)] {
        web.disks.push(disk(
            Controller::Scsi,
            number,
            slot,
            &format!("machines/Müllers Web 日本/data {number}-{slot}.vhd"),
        ));
    }
    web.images = vec![
        PlacedImage { controller: Controller::Ide, number: 1, slot: 0, file: file(r"D:\a.iso", "media/a.iso") },
        PlacedImage { controller: Controller::Floppy, number: 0, slot: 0, file: file(r"D:\a.vfd", "media/a.vfd") },
    ];
    web.pass_through = vec!["ide0-1".to_owned()];
    let physical = |slot: u8, disk: &str| PhysicalDisk {
        controller: Controller::Scsi,
        number: 2,
        slot,
        disk: disk.parse().unwrap(),
    };
    web.physical = vec![physical(0, "0a2b3c4d"), physical(1, "{6f1d2c3b-4a59-4687-9012-3456789abcde}")];
    let configuration = &mut web.configuration;
    configuration.scsi_controllers = 3;
    configuration.drives = vec![
        drive(Controller::Ide, 1, 0, Media::Iso { path: WindowsPath::new(r"D:\a.iso") }),
        drive(Controller::Ide, 1, 1, Media::PhysicalDvd { path: "E:".to_owned() }),
    ];
    let mut first =
        adapter("Netzwerk ‘1’", AdapterKind::Synthetic, Some("00-15-5D-01-07-DC"), Some((0, "Außen & 'LAN' [1]*")));
    first.vlan = Found::read(Vlan::Trunk { native: 1, allowed: vec![2, 3] }, "f", "a");
    first.mac_spoofing = Found::read(true, "f", "a");
    let port = PortSettings {
        dhcp_guard: Some(true),
        router_guard: Some(true),
        teaming: Some(true),
        priority_tag: Some(true),
        vmq_weight: Some(0),
        iov_weight: Some(50),
        ipsec_offload_limit: Some(128),
        minimum_bandwidth: Some(100_000_000),
        minimum_bandwidth_weight: None,
        maximum_bandwidth: Some(1_000_000_000),
        other: BTreeMap::from([("MonitorMode".to_owned(), "2".to_owned())]),
    };
    first.port_settings = Found::read(port.clone(), "f", "a");
    let mut second = adapter("Legacy", AdapterKind::Legacy, None, Some((2, "private 日本")));
    second.vlan = Found::read(Vlan::Untagged, "f", "a");
    second.mac_spoofing = Found::read(false, "f", "a");
    let mut third = adapter("x", AdapterKind::Synthetic, Some("00-15-5D-01-07-DD"), Some((1, "internal")));
    third.vlan = Found::read(Vlan::Access { id: 12 }, "f", "a");
    let weighed =
        PortSettings { minimum_bandwidth_weight: Some(40), dhcp_guard: Some(false), ..PortSettings::default() };
    third.port_settings = Found::read(weighed, "f", "a");
    second.port_settings = Found::read(port, "f", "a");
    configuration.adapters = vec![first, second, third, adapter("off", AdapterKind::Synthetic, None, None)];
    configuration.com_ports = [None, Some(r"\\.\pipe\it's".to_owned())];
    configuration.disabled_integration_services =
        vec![IntegrationService::TimeSynchronization, IntegrationService::Vss];
    configuration.guest_services = true;
    web
}

fn sql() -> RoleMachine {
    let mut sql = machine(SQL, "SQL/1", "SQL_1");
    let configuration = &mut sql.configuration;
    configuration.memory.dynamic = true;
    configuration.memory.weight = 5050;
    configuration.processors = Processors {
        count: 4,
        limit: 75_000,
        reserve: 10_000,
        weight: 250,
        compatibility_for_migration: true,
        compatibility_for_older_systems: true,
    };
    configuration.firmware = Firmware::default();
    configuration.firmware.boot_order = vec![BootDevice::HardDrive, BootDevice::Other("Tape".to_owned())];
    configuration.drives = vec![drive(Controller::Ide, 1, 0, Media::EmptyDvd)];
    configuration.actions.start = StartAction::Start;
    configuration.disabled_integration_services = vec![IntegrationService::GuestServices];
    sql
}

fn management() -> RoleManagementAdapter {
    RoleManagementAdapter {
        name: "Verwaltung 'A'".to_owned(),
        switch: SWITCHES[0].parse().unwrap(),
        switch_name: "Außen & 'LAN' [1]*".to_owned(),
        mac: Some(mac("00-15-5D-01-07-01")),
        vlan: Some(Vlan::Access { id: 7 }),
        ip: IpSettings {
            dhcp: false,
            addresses: vec!["192.0.2.10/24".to_owned(), "192.0.2.11/24".to_owned(), "2001:db8::1/64".to_owned()],
            gateways: vec!["192.0.2.1".to_owned(), "2001:db8::ff".to_owned()],
            dns_servers: vec!["192.0.2.53".to_owned(), "192.0.2.54".to_owned()],
            dns_suffix: "example.test".to_owned(),
            wins_servers: vec!["192.0.2.60".to_owned()],
            netbios: Some(2),
            register_in_dns: Some(false),
            place: Place::default(),
        },
        bindings: ["Tcpip", "Tcpip6", "rspndr", "LanmanServer"].map(str::to_owned).to_vec(),
    }
}

/// One that gets its addresses by DHCP, on a network that the source shared.
fn by_dhcp() -> RoleManagementAdapter {
    let adapter = management();
    let ip = IpSettings {
        dhcp: true,
        addresses: Vec::new(),
        gateways: Vec::new(),
        dns_servers: Vec::new(),
        ..adapter.ip.clone()
    };
    RoleManagementAdapter {
        name: "Intern [?]".to_owned(),
        switch: SWITCHES[1].parse().unwrap(),
        switch_name: "internal".to_owned(),
        mac: None,
        vlan: None,
        ip,
        ..adapter
    }
}

fn firewall() -> Vec<FirewallChange> {
    let fields =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let change = |id: &str, user_made, pairs: &[(&str, &str)]| FirewallChange {
        id: id.to_owned(),
        user_made,
        differences: Vec::new(),
        fields: fields(pairs),
        place: Place::default(),
    };
    vec![
        change(
            "VIRT-REMOTEDESKTOP-In-TCP-NoScope",
            false,
            &[("Action", "Allow"), ("Active", "FALSE"), ("Dir", "In"), ("RA4", "LocalSubnet"), ("Profile", "Domain")],
        ),
        change(
            "{5A4C9F0E-0000-4000-8000-000000000001}",
            true,
            &[
                ("Action", "Block"),
                ("Active", "TRUE"),
                ("Dir", "In"),
                ("Protocol", "6"),
                ("Profile", "Domain"),
                ("Profile", "Private"),
                ("LPort", "2179"),
                ("LPort2_10", "3000-3010"),
                ("RA4", "192.0.2.0/255.255.255.0"),
                ("App", r"%SystemRoot%\system32\vmms.exe"),
                ("Svc", "vmms"),
                ("Name", "Müller's rule"),
                ("LUAuth", "O:LSD:(A;;CC;;;S-1-5-32-544)"),
            ],
        ),
    ]
}

/// The role with a third machine, of generation 2.
pub fn with_generation_2(mut role: Role) -> Role {
    let mut modern = machine(MODERN, "Modern ’2’", "Modern 2");
    modern.generation = 2;
    modern.configuration.firmware.boot_order.clear();
    modern.configuration.firmware.num_lock = None;
    modern.configuration.firmware.secure_boot = Some(false);
    modern.configuration.firmware.tpm = Some(true);
    modern.secure_boot_template = AUTHORITY.parse().ok();
    modern.nested_virtualization = true;
    modern.owner = Some(OWNER.to_owned());
    modern.configuration.numa =
        Numa { processors_per_node: Some(4), nodes_per_socket: Some(1), mib_per_node: Some(8192) };
    modern.configuration.scsi_controllers = 1;
    modern.disks = vec![
        disk(Controller::Scsi, 0, 1, "machines/Modern 2/data.vhdx"),
        disk(Controller::Scsi, 0, 0, "machines/Modern 2/system.vhdx"),
    ];
    modern.configuration.drives = vec![drive(Controller::Scsi, 0, 2, Media::EmptyDvd)];
    modern.configuration.disabled_integration_services = vec![IntegrationService::GuestServices];
    modern.configuration.adapters =
        vec![adapter("Network Adapter", AdapterKind::Synthetic, None, Some((1, "internal")))];
    role.machines.push(modern);
    role
}

fn settings() -> RoleSettings {
    let keywords = BTreeMap::from([("*VMQ".to_owned(), "1".to_owned()), ("*RSS".to_owned(), "0".to_owned())]);
    RoleSettings {
        mac_range: Some(MacRange { minimum: mac("00-15-5D-01-07-00"), maximum: mac("00-15-5D-01-07-FF") }),
        virtual_hard_disk_path: Some(WindowsPath::new(r"D:\VHDs & 'more'")),
        virtual_machine_path: Some(WindowsPath::new(r"D:\VMs")),
        numa_spanning: Some(false),
        authorization_store: Some(file(r"C:\s.xml", "authorization/InitialStore.xml")),
        role_assignments: vec![RoleAssignment {
            scope: None,
            role: "Administrator".to_owned(),
            members: vec!["S-1-5-32-544".to_owned(), "S-1-5-21-1-2-3-1105".to_owned()],
            is_default: false,
            place: Place::default(),
        }],
        vmq_ten_gigabit: Some(2),
        vmq_below_ten_gigabit: Some(1),
        vmq_keywords: BTreeMap::from([("Ethernet 2".to_owned(), keywords)]),
    }
}

pub fn role() -> Role {
    let entry = |sid: &str, effect: &str| AccessEntry {
        sid: sid.to_owned(),
        name: None,
        effect: effect.to_owned(),
        mask: 0x1f,
    };
    Role {
        settings: settings(),
        switches: vec![
            switch(0, "Außen & 'LAN' [1]*", SwitchKind::External, Some("Ethernet 2")),
            switch(1, "internal", SwitchKind::Internal, None),
            switch(2, "private 日本", SwitchKind::Private, None),
            switch(3, "ext/2", SwitchKind::External, None),
        ],
        management_adapters: vec![management(), by_dhcp()],
        machines: vec![web(), sql()],
        firewall: firewall(),
        dcom: vec![DcomRestriction {
            name: "MachineLaunchRestriction".to_owned(),
            sddl: "O:BAG:BAD:".to_owned(),
            added: vec![entry("S-1-5-11", "allow"), entry("S-1-5-7", "deny")],
            removed: Vec::new(),
            place: Place::default(),
        }],
        wmi_namespaces: Vec::new(),
        dcom_users: Vec::new(),
    }
}

fn step(id: &str, title: &str, action: Action) -> Step {
    Step {
        id: id.to_owned(),
        phase: Phase::Migrate,
        subject: Subject::Destination,
        title: title.to_owned(),
        clause: "x".to_owned(),
        action,
    }
}

pub fn plan(role: Role) -> Plan {
    let mut steps = vec![
        step(
            "confirm.source-off",
            "Turn the source off",
            Action::Confirm { instructions: "Turn 'HV-OLD-01' off.".to_owned() },
        ),
        step("settings", "Settings of the host", Action::ApplySettings),
    ];
    for switch in &role.switches {
        let title = format!("Virtual network '{}'", switch.name);
        steps.push(step(&format!("switch.{}", switch.id), &title, Action::CreateSwitch { switch: switch.id.clone() }));
    }
    for index in 0..role.management_adapters.len() {
        let action = Action::CreateManagementAdapter { index };
        steps.push(step(&format!("management-adapter.{index}"), "Management adapter", action));
    }
    for machine in &role.machines {
        for checkpoint in &machine.checkpoints {
            let (machine, checkpoint) = (machine.id.clone(), checkpoint.id.clone());
            let id = format!("create-checkpoint.{machine}.{checkpoint}");
            steps.push(step(&id, "Checkpoint", Action::CreateCheckpoint { machine, checkpoint }));
        }
        let title = format!("Virtual machine '{}'", machine.name);
        let action = Action::RegisterMachine { machine: machine.id.clone() };
        steps.push(step(&format!("register.{}", machine.id), &title, action));
    }
    steps.push(step("complete", "Scripts", Action::Complete));
    Plan {
        schema: 1,
        tool: "hvmigrate 0.1.0".to_owned(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        source: "folder:/x".to_owned(),
        destination: "kit:/y".to_owned(),
        policy: Policy::Extended,
        host: "HV-OLD-01".to_owned(),
        fingerprint: "f".to_owned(),
        blocked: Vec::new(),
        machines: Vec::new(),
        role,
        steps,
        estimate: Estimate::default(),
    }
}

/// The files that the engine copies, with a few bytes each.
pub fn copied(plan: &Plan) -> Vec<String> {
    let role = &plan.role;
    let mut all: Vec<String> = role.settings.authorization_store.iter().map(|file| file.target.clone()).collect();
    for machine in &role.machines {
        all.extend(machine.disks.iter().map(|disk| disk.target.clone()));
        let of_checkpoints = machine.checkpoints.iter().flat_map(|checkpoint| &checkpoint.images);
        all.extend(machine.images.iter().chain(of_checkpoints).map(|image| image.file.target.clone()));
        if let Some((file, beside)) = machine.registration() {
            all.extend([file].into_iter().chain(beside).map(|file| file.target.clone()));
        }
    }
    all
}

pub fn copy(root: &Path, plan: &Plan) {
    for path in copied(plan) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"bytes").unwrap();
    }
}

/// Performs every step but the copies and confirmations; gives the files that they named.
pub fn perform_all(destination: &dyn Destination, plan: &Plan) -> Vec<String> {
    let mut made = Vec::new();
    for step in &plan.steps {
        if !matches!(step.action, Action::Confirm { .. }) {
            let files = destination.perform(plan, step).unwrap();
            assert_eq!(files, destination.outputs(plan, step), "{}", step.id);
            made.extend(files);
        }
    }
    made
}

/// All files below a folder with their bytes, by their paths with `/`.
pub fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                all.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    all
}

pub fn carried(destination: &dyn Destination, role: &Role) -> Vec<Setting> {
    settings_of(role).into_iter().filter(|setting| destination.carries(setting) == Carry::Carried).collect()
}

/// What every destination has to keep: outputs are complete, performing twice is performing once, what was carried is
/// observed and nothing else, and undoing by the outputs leaves nothing.
pub fn conforms(destination: &dyn Destination, plan: &Plan) {
    let root = destination.root();
    assert_eq!(destination.observe().unwrap(), []);
    copy(root, plan);
    let before = tree(root);
    let made = perform_all(destination, plan);
    let after = tree(root);
    let mut wanted: Vec<String> = before.keys().cloned().chain(made.iter().cloned()).collect();
    wanted.sort();
    assert_eq!(after.keys().cloned().collect::<Vec<_>>(), wanted);
    assert_eq!(perform_all(destination, plan), made);
    assert_eq!(tree(root), after);
    let (observed, carried) = (destination.observe().unwrap(), carried(destination, &plan.role));
    for setting in &carried {
        assert!(observed.contains(setting), "not observed: {setting:?}");
    }
    for setting in &observed {
        assert!(carried.contains(setting), "not planned: {setting:?}");
    }
    assert_eq!(observed, carried);
    for step in plan.steps.iter().rev() {
        for path in destination.outputs(plan, step) {
            std::fs::remove_file(root.join(path)).unwrap();
        }
    }
    assert_eq!(tree(root), before);
    assert_eq!(destination.observe().unwrap(), []);
}

pub fn vm(id: &str) -> VmId {
    id.parse().unwrap()
}

pub fn switch_id(id: &str) -> SwitchId {
    id.parse().unwrap()
}
