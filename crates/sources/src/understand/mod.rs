//! Turns what the formats say into the model: one file a topic. What cannot be read becomes a problem and the rest goes
//! on; what no source documents is kept raw, and conclusions say from what they were drawn.

mod adapters;
mod authorization;
mod checkpoints;
mod cluster;
mod configuration;
mod dcom;
mod devices;
mod disks;
mod exported;
mod firewall;
pub(crate) mod guests;
mod hyperv;
mod ip;
mod known;
mod live;
mod machine;
mod machines;
mod os;
mod registered;
pub(crate) mod registry;
mod roles;
mod state;
mod switches;
mod unknowns;
mod vmfile;

use std::cell::RefCell;

use hvm_model::found::Problem;
use hvm_model::host::{Host, RemoteAdministration};
use hvm_model::inventory::{Inventory, SCHEMA_VERSION, SourceDescription};
use hvm_model::names::WindowsPath;

use crate::error::ReachError;
use crate::reach::ReadOnlyTree;
use crate::reach::answers::Answers;
use crate::reach::variables::Variables;
use registry::Registry;

/// Where the folders of all users are written (SOFTWARE).
const PROFILES: &str = r"Microsoft\Windows NT\CurrentVersion\ProfileList";

/// Everything that the topics read from, and the problems that they meet.
pub(crate) struct Reading<'a> {
    tree: &'a dyn ReadOnlyTree,
    variables: Variables,
    /// Folders that hold `Virtual Machines` and `Snapshots`.
    roots: Vec<WindowsPath>,
    /// Where a host of 2016 or later lists its machines; none for exported ones.
    list: Option<WindowsPath>,
    system: Registry,
    software: Registry,
    /// What the host itself tells, when it was asked.
    answers: Option<&'a dyn Answers>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(
        tree: &'a dyn ReadOnlyTree,
        mut variables: Variables,
        system: Registry,
        software: Registry,
        roots: Vec<WindowsPath>,
    ) -> Reading<'a> {
        let program_data = software.text(PROFILES, "ProgramData").into_value();
        let public = software.text(PROFILES, "Public").into_value();
        variables.set_profiles(program_data.as_deref(), public.as_deref());
        let (roots, list) = match roots.is_empty() {
            true => {
                let root = variables.program_data().join(r"Microsoft\Windows\Hyper-V");
                let list = root.join("data.vmcx");
                (vec![root], Some(list))
            }
            false => (roots, None),
        };
        Reading { tree, variables, roots, list, system, software, answers: None, problems: RefCell::new(Vec::new()) }
    }

    /// With the answers of the host.
    pub(crate) fn with(mut self, answers: Option<&'a dyn Answers>) -> Reading<'a> {
        self.answers = answers;
        self
    }

    /// Whether the host is asked while it runs, so that what cannot be read there is mended there.
    fn is_live(&self) -> bool {
        self.answers.is_some_and(Answers::is_now)
    }

    /// Whether the system does not let this user read a file or list a folder.
    fn is_denied(&self, path: &WindowsPath) -> bool {
        let denied = |error: Option<ReachError>| error.is_some_and(|error| error.is_denied());
        denied(self.tree.open(path).err()) || denied(self.tree.read_dir(path).err())
    }

    fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// Reads everything.
pub(crate) fn inventory(reading: Reading<'_>, source: SourceDescription) -> Inventory {
    let host = host(&reading);
    let nics = adapters::read(&reading);
    let networks = switches::read(&reading, &nics);
    let mut machines = machines::read(&reading, &networks);
    live::running(&reading, &machines.machines);
    let files = disks::read(&reading, &mut machines);
    checkpoints::attach(&reading, &mut machines, &files.disks);
    let persistent_routes = ip::persistent_routes(&reading);
    let unknowns = unknowns::list(&reading, &host, &networks);
    let mut problems = reading.system.problems();
    problems.extend(reading.software.problems());
    problems.extend(reading.problems.take());
    problems.extend(reading.answers.map(Answers::problems).unwrap_or_default());
    Inventory {
        schema: SCHEMA_VERSION,
        source,
        unknowns,
        host,
        switches: networks.switches,
        adapters: networks.adapters,
        management_adapters: networks.management_adapters,
        persistent_routes,
        machines: machines.machines,
        disks: files.disks,
        media: files.media,
        guests: Vec::new(),
        problems,
    }
}

fn host(reading: &Reading<'_>) -> Host {
    let system = os::read(reading);
    Host {
        computer_name: os::computer_name(reading),
        domain: os::domain(reading),
        hyper_v_installed: roles::hyper_v(reading),
        other_roles: roles::others(reading),
        cluster: cluster::read(reading),
        logical_processors: os::logical_processors(reading),
        processor: os::processor(reading),
        memory: live::memory(reading),
        volumes: live::volumes(reading),
        settings: hyperv::read(reading),
        remote_administration: RemoteAdministration {
            dcom: dcom::read(reading),
            dcom_users: live::dcom_users(reading),
            wmi_namespaces: live::namespaces(reading),
        },
        firewall: firewall::read(reading),
        system,
    }
}
