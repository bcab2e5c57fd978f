//! A small clean host and its destination, on which nothing is found, and what tests change in them.

use std::collections::BTreeMap;

use hvm_model::capabilities::{Capabilities, DestinationKind, DiskFormat};
use hvm_model::choices::{Answer, Choices};
use hvm_model::disk::DiskFile;
use hvm_model::finding::{Finding, Subject};
use hvm_model::found::{Found, Place, Problem};
use hvm_model::guest::*;
use hvm_model::host::*;
use hvm_model::inventory::{Inventory, MediaFile, SCHEMA_VERSION, SourceDescription};
use hvm_model::names::{ByteSize, MacAddress, WindowsPath};
use hvm_model::network::*;
use hvm_model::vm::*;

use crate::{Facts, assess};

/// Samples of one rule.
pub(crate) struct Example {
    pub rule: &'static str,
    pub fires: fn(&mut Sample),
    pub quiet: fn(&mut Sample),
}

/// Facts that can be changed.
#[derive(Clone)]
pub(crate) struct Sample {
    pub inventory: Inventory,
    pub there: Option<Capabilities>,
    pub choices: Choices,
}

pub(crate) fn place(file: &str) -> Place {
    Place::new(file, "key\\value")
}

pub(crate) fn read<T>(value: T) -> Found<T> {
    Found::Read { value, place: place("SYSTEM") }
}

fn default<T>(value: T) -> Found<T> {
    Found::Default { value, reason: "It was never changed.".to_owned() }
}

impl Sample {
    pub fn new() -> Sample {
        let mut sample = Sample { inventory: inventory(), there: Some(capabilities()), choices: Choices::default() };
        sample.add_machine("Web");
        sample
    }

    pub fn destination(&mut self) -> &mut Capabilities {
        self.there.as_mut().expect("the sample has a destination")
    }

    pub fn kvm(&mut self) {
        let there = self.destination();
        (there.kind, there.disk_format) = (DestinationKind::Libvirt, DiskFormat::Qcow2);
    }

    pub fn answer(&mut self, text: &str) {
        self.choices.answers.push(Answer::parse(text).expect("answers of tests are well formed"));
    }

    pub fn assess(&self) -> Vec<Finding> {
        let facts = Facts { inventory: &self.inventory, destination: self.there.as_ref(), choices: &self.choices };
        assess(&facts)
    }

    pub fn found(&self, rule: &str) -> Vec<Finding> {
        self.assess().into_iter().filter(|finding| finding.rule == rule).collect()
    }

    /// The only finding of a rule.
    pub fn one(&self, rule: &str) -> Finding {
        let mut found = self.found(rule);
        assert_eq!(found.len(), 1, "{rule}: {found:#?}");
        found.remove(0)
    }

    pub fn release(&mut self, release: WindowsRelease, build: u32, service_pack: u32) {
        let system = &mut self.inventory.host.system;
        system.release = read(release);
        system.build = read(build);
        system.service_pack = read(service_pack);
    }

    pub fn save_state(&mut self) {
        let state = MachineState::Saved { memory_file: None, state_file: None, place: place("Web.vsv") };
        self.inventory.machines[0].state = state;
    }

    pub fn by_hand(&mut self, setting: SettingByHand) {
        self.inventory.machines[0].by_hand.push(setting);
    }

    /// A problem of the first machine.
    pub fn machine_problem(&mut self, kind: &str) {
        let subject = crate::case::of_machine(&self.inventory.machines[0]);
        self.inventory.problems.push(Problem { kind: kind.to_owned(), ..problem(subject) });
    }

    /// A problem of its disk.
    pub fn disk_problem(&mut self, kind: &str) {
        let subject = crate::case::of_disk(&self.inventory.machines[0], &disk_path("Web"));
        self.inventory.problems.push(Problem { kind: kind.to_owned(), ..problem(subject) });
    }

    pub fn add_machine(&mut self, name: &str) -> &mut Machine {
        let number = self.inventory.machines.len() as u8;
        let machine = machine(name, number, &self.inventory.switches[0]);
        self.inventory.disks.push(disk(&disk_path(name)));
        self.inventory.machines.push(machine);
        self.inventory.machines.last_mut().expect("one was pushed")
    }

    /// What is in the first machine: a system on one clean volume.
    pub fn guest(&mut self, family: GuestFamily) -> &mut Guest {
        let machine = &self.inventory.machines[0];
        self.inventory.guests = vec![guest(machine, family)];
        &mut self.inventory.guests[0]
    }

    pub fn system(&mut self) -> &mut GuestSystem {
        match &mut self.inventory.guests[0].system {
            Found::Read { value, .. } => value,
            other => panic!("the sample's system is read: {other:?}"),
        }
    }

    pub fn drivers(&mut self, drivers: &[(&str, DriverStart)]) {
        let one =
            |(name, start): &(&str, DriverStart)| GuestDriver { name: name.to_string(), start: *start, kernel: None };
        self.system().drivers = read(drivers.iter().map(one).collect());
    }

    /// One more adapter with an address that somebody set.
    pub fn static_adapter(&mut self) -> &mut GuestAdapter {
        let adapters = &mut self.system().adapters;
        adapters.push(GuestAdapter {
            name: "Local Area Connection".to_owned(),
            device: None,
            present: read(true),
            mac: Found::unknown("The guest's settings do not name it."),
            bound_to_mac: false,
            by_name: true,
            dhcp: Some(false),
            addresses: vec!["192.0.2.10/24".to_owned()],
            gateways: vec!["192.0.2.1".to_owned()],
            dns_servers: Vec::new(),
            place: "SYSTEM".to_owned(),
        });
        adapters.last_mut().expect("one was pushed")
    }

    /// A checkpoint whose disk is the parent of the present one.
    pub fn add_checkpoint(&mut self) -> &mut Checkpoint {
        let machine = &mut self.inventory.machines[0];
        let checkpoint = Checkpoint {
            id: "CCCCCCCC-0000-0000-0000-000000000001".parse().unwrap(),
            name: "Before update".to_owned(),
            created: None,
            parent: read(None),
            has_saved_state: false,
            configuration: machine.configuration.clone(),
            place: place("checkpoint.xml"),
        };
        machine.checkpoints.push(checkpoint);
        self.inventory.machines[0].checkpoints.last_mut().expect("one was pushed")
    }

    pub fn add_drive(&mut self, media: Media) {
        let drive = Drive { controller: Controller::Ide, number: 1, slot: 0, media, place: place("Web.xml") };
        self.inventory.machines[0].configuration.drives.push(drive);
    }

    pub fn add_image(&mut self, size: Option<ByteSize>) {
        let path = WindowsPath::new(r"D:\ISO\setup.iso");
        self.inventory.media.push(MediaFile { path: path.clone(), size });
        self.add_drive(Media::Iso { path: path.clone() });
        self.add_drive(Media::EmptyDvd);
    }

    pub fn add_management_adapter(&mut self) -> &mut ManagementAdapter {
        self.inventory.management_adapters.push(ManagementAdapter {
            id: "AAAAAAAA-0000-0000-0000-000000000001".parse().unwrap(),
            connection: "LAN".to_owned(),
            switch: read(self.inventory.switches[0].id.clone()),
            mac: read(MacAddress([0, 0x15, 0x5d, 1, 1, 1])),
            vlan: Found::unknown("Nobody documents it."),
            ip: IpSettings::default(),
            bindings: Vec::new(),
            place: place("SYSTEM"),
        });
        self.inventory.management_adapters.last_mut().expect("one was pushed")
    }

    pub fn add_physical_adapter(&mut self) -> &mut PhysicalAdapter {
        self.inventory.adapters.push(PhysicalAdapter {
            id: "BBBBBBBB-0000-0000-0000-000000000001".parse().unwrap(),
            connection: "Local Area Connection".to_owned(),
            description: "Gigabit".to_owned(),
            location: Found::unknown("It is not written."),
            mac: Found::unknown("It is not stored."),
            bound_to_switch: false,
            ip: IpSettings::default(),
            queue_keywords: BTreeMap::new(),
            place: place("SYSTEM"),
        });
        self.inventory.adapters.last_mut().expect("one was pushed")
    }
}

pub(crate) fn problem(subject: Subject) -> Problem {
    Problem {
        kind: "hive.damaged".to_owned(),
        subject,
        message: "The hive 'SYSTEM' ends at offset 4096 of 8192.".to_owned(),
        place: place("SYSTEM"),
        hint: "Copy the hive again.".to_owned(),
    }
}

pub(crate) fn assignment(role: &str, members: &[&str]) -> RoleAssignment {
    RoleAssignment {
        scope: None,
        role: role.to_owned(),
        members: members.iter().map(ToString::to_string).collect(),
        is_default: false,
        place: place("InitialStore.xml"),
    }
}

pub(crate) fn firewall_change(id: &str) -> FirewallChange {
    FirewallChange {
        id: id.to_owned(),
        user_made: false,
        differences: vec!["Active=FALSE".to_owned()],
        fields: Vec::new(),
        place: place("SYSTEM"),
    }
}

pub(crate) fn dcom_restriction(added: &[&str]) -> DcomRestriction {
    let entry = |sid: &&str| AccessEntry { sid: sid.to_string(), name: None, effect: "allow".to_owned(), mask: 7 };
    DcomRestriction {
        name: "MachineLaunchRestriction".to_owned(),
        sddl: String::new(),
        added: added.iter().map(entry).collect(),
        removed: Vec::new(),
        place: place("SOFTWARE"),
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        uri: "kit:out?os=2012".to_owned(),
        kind: DestinationKind::HyperV { release: WindowsRelease::Server2012 },
        disk_format: DiskFormat::Vhd,
        max_disk_size: ByteSize(2040 << 30),
        max_processors: 64,
        max_memory: ByteSize(1 << 40),
        keeps_checkpoints: false,
        logical_processors: Some(8),
        memory: Some(ByteSize(16 << 30)),
        free_space: Some(ByteSize(1 << 40)),
        ui_language: Some("0407".to_owned()),
        edition: Some("standard".to_owned()),
        adapters: Some(vec!["Ethernet 1".to_owned(), "Ethernet 2".to_owned()]),
        adapter_details: Vec::new(),
        machines: Vec::new(),
        switches: Vec::new(),
        mac_addresses: Vec::new(),
        machine_ids: Vec::new(),
    }
}

fn inventory() -> Inventory {
    Inventory {
        schema: SCHEMA_VERSION,
        source: SourceDescription {
            uri: "folder:old".to_owned(),
            reach: "folder".to_owned(),
            layout: "role".to_owned(),
            drives: Vec::new(),
            files: None,
        },
        host: host(),
        switches: vec![switch()],
        adapters: Vec::new(),
        management_adapters: Vec::new(),
        persistent_routes: Vec::new(),
        machines: Vec::new(),
        disks: Vec::new(),
        media: Vec::new(),
        guests: Vec::new(),
        problems: Vec::new(),
        unknowns: Vec::new(),
    }
}

fn host() -> Host {
    Host {
        computer_name: read("HV-OLD-01".to_owned()),
        domain: read(String::new()),
        system: OperatingSystem {
            product_name: read("Windows Server 2008 R2 Enterprise".to_owned()),
            version: read("6.1".to_owned()),
            build: read(7601),
            service_pack: read(1),
            release: read(WindowsRelease::Server2008R2),
            edition: read(Edition::Enterprise),
            installation: read(Installation::Full),
            architecture: read("AMD64".to_owned()),
            ui_language: read("0407".to_owned()),
        },
        hyper_v_installed: read(true),
        other_roles: Vec::new(),
        cluster: None,
        logical_processors: read(8),
        memory: read(ByteSize(16 << 30)),
        volumes: read(Vec::new()),
        processor: read("Intel64 Family 6".to_owned()),
        settings: settings(),
        remote_administration: RemoteAdministration {
            dcom: Vec::new(),
            dcom_users: default(Vec::new()),
            wmi_namespaces: default(Vec::new()),
        },
        firewall: Firewall { policy_version: read(0x20a), hyper_v_rules: 8, changes: Vec::new() },
    }
}

fn settings() -> HyperVSettings {
    HyperVSettings {
        mac_range: default(None),
        virtual_hard_disk_path: default(WindowsPath::new(r"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks")),
        virtual_machine_path: default(WindowsPath::new(r"C:\ProgramData\Microsoft\Windows\Hyper-V")),
        numa_spanning: Found::unknown("The name of the value is not documented."),
        authorization: AuthorizationStore {
            location: default(r"msxml://C:\ProgramData\Microsoft\Windows\Hyper-V\InitialStore.xml".to_owned()),
            file: Some(WindowsPath::new(r"C:\ProgramData\Microsoft\Windows\Hyper-V\InitialStore.xml")),
            managed_by_scvmm: false,
            assignments: Vec::new(),
            scopes: Vec::new(),
            operations: 33,
        },
        vmq_ten_gigabit: default(0),
        vmq_below_ten_gigabit: default(0),
        other: BTreeMap::new(),
    }
}

const PORT: &str = "11111111-0000-0000-0000-0000000000FF";

fn switch() -> VirtualSwitch {
    let port =
        SwitchPort { id: PORT.to_owned(), name: "Web".to_owned(), other: BTreeMap::new(), place: place("SYSTEM") };
    VirtualSwitch {
        id: "11111111-0000-0000-0000-000000000001".parse().unwrap(),
        name: "LAN".to_owned(),
        kind: read(SwitchKind::Internal),
        uplink: Found::unknown("It has none."),
        ports: vec![port],
        other: BTreeMap::new(),
        place: place("SYSTEM"),
    }
}

fn disk_path(name: &str) -> WindowsPath {
    WindowsPath::new(&format!(r"D:\VMs\{name}.vhd"))
}

fn disk(path: &WindowsPath) -> DiskFile {
    DiskFile {
        path: path.clone(),
        format: "vhd-dynamic".to_owned(),
        virtual_size: ByteSize(40 << 30),
        file_size: ByteSize(4 << 30),
        allocated: ByteSize(4 << 30),
        unique_id: String::new(),
        parent: None,
        geometry_size: None,
        remarks: Vec::new(),
        place: Place::new(path.as_str(), ""),
    }
}

fn guest(machine: &Machine, family: GuestFamily) -> Guest {
    let path = disk_path(&machine.name);
    let place = Place::new(path.as_str(), "partition 1");
    let volume = GuestVolume {
        partition: 1,
        start: 1 << 20,
        size: ByteSize(40 << 30),
        holds: Holds::FileSystem,
        kind: "NTFS".to_owned(),
        label: String::new(),
        used: Some(ByteSize(4 << 30)),
        free: Some(ByteSize(36 << 30)),
        clean: Some(true),
        remarks: Vec::new(),
    };
    let system = GuestSystem {
        family,
        name: None,
        version: None,
        build: None,
        service_pack: None,
        edition: None,
        installation: None,
        architecture: None,
        host_name: None,
        domain: None,
        language: None,
        time_zone: None,
        root_device: None,
        adapters: Vec::new(),
        drivers: Found::unknown("It was not looked up."),
    };
    let disk =
        GuestDisk { path, sector_size: Some(512), findings: Vec::new(), volumes: vec![volume], unreadable: None };
    Guest {
        machine: machine.id.clone(),
        system: Found::Read { value: system, place },
        boot: Found::unknown("The table names nothing to start from."),
        disks: vec![disk],
        remarks: Vec::new(),
    }
}

fn machine(name: &str, number: u8, switch: &VirtualSwitch) -> Machine {
    Machine {
        id: format!("D351C151-DAC7-4042-B434-0000000000{number:02X}").parse().unwrap(),
        name: name.to_owned(),
        notes: String::new(),
        version: Some((3, 0)),
        generation: 1,
        configuration_file: WindowsPath::new(&format!(r"D:\VMs\{name}.xml")),
        registered_by: None,
        state: MachineState::Off,
        configuration: configuration(name, number, switch),
        checkpoints: Vec::new(),
        current_checkpoint: Found::unknown("There is none."),
        owner: None,
        highly_available: false,
        by_hand: Vec::new(),
        unknown_nodes: Vec::new(),
        place: Place::new(format!(r"D:\VMs\{name}.xml"), ""),
    }
}

fn configuration(name: &str, number: u8, switch: &VirtualSwitch) -> MachineConfiguration {
    let place = place("machine.xml");
    let media = Media::VirtualDisk { path: disk_path(name) };
    MachineConfiguration {
        memory: Memory {
            startup_mib: 2048,
            dynamic: false,
            minimum_mib: 2048,
            maximum_mib: 2048,
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
        numa: Default::default(),
        firmware: Firmware::default(),
        drives: vec![Drive { controller: Controller::Ide, number: 0, slot: 0, media, place: place.clone() }],
        scsi_controllers: 1,
        adapters: vec![VmAdapter {
            id: "EEEEEEEE-0000-0000-0000-000000000001".to_owned(),
            name: "Network Adapter".to_owned(),
            kind: AdapterKind::Synthetic,
            mac: MacAddress([0, 0x15, 0x5d, 1, 7, number]),
            mac_is_static: true,
            connection: Connection::Switch {
                switch: format!("{{{}}}", switch.id.as_str().to_lowercase()),
                name: None,
                port: PORT.to_owned(),
            },
            vlan: Found::unknown("The switch port holds it."),
            mac_spoofing: Found::unknown("The switch port holds it."),
            port_settings: Found::unknown("The switch port holds it."),
            place,
        }],
        com_ports: [None, None],
        disabled_integration_services: Vec::new(),
        guest_services: false,
        actions: AutomaticActions {
            start: StartAction::StartIfRunning,
            start_delay_seconds: None,
            stop: StopAction::Save,
            recovery: 0,
        },
    }
}
