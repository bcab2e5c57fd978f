//! The steps of a plan in the order of the guide: prepare, copy, the source goes off, then what is made on the
//! destination, and afterwards what a person finishes.

use hvm_destinations::destination::RunningHost;
use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::{Finding, Subject};
use hvm_model::inventory::Inventory;
use hvm_model::plan::{Action, Phase, Step};
use hvm_model::role::{PlacedDisk, PlacedFile, PutBack, RoleMachine};

use crate::host;
use crate::role::Built;

/// What the steps are made from.
pub(crate) struct StepInput<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) findings: &'a [Finding],
    pub(crate) kind: DestinationKind,
    /// The destination when it is a host that runs.
    pub(crate) host: Option<&'a dyn RunningHost>,
    pub(crate) built: &'a Built,
}

/// All steps in order.
pub(crate) fn all(input: &StepInput<'_>) -> Vec<Step> {
    let mut steps = prepare(input);
    steps.push(step("check.source", Phase::Prepare, "beyond.source.unchanged", Action::CheckSource));
    steps.push(step("check.destination", Phase::Prepare, "prepare.destination.storage", Action::CheckDestination));
    if input.host.is_some_and(|host| !host.needs_carrying()) {
        steps.push(step(host::TAKE, Phase::Prepare, "prepare.destination.storage", Action::TakeFolder));
    }
    copies(input, &mut steps);
    steps.push(confirm(
        "confirm.source-off",
        Phase::Migrate,
        "guide.impact.source-off",
        "Turn the source off or take it off the network",
        "Turn the source server off or remove it from the network, and leave it so. Otherwise its virtual machines and those \
         on the destination have the same names and addresses at the same time.",
    ));
    for machine in input.built.role.machines.iter().filter(|machine| !machine.physical.is_empty()) {
        steps.push(move_disks(machine));
    }
    steps.push(step("check.source-again", Phase::Migrate, "beyond.source.unchanged", Action::CheckSource));
    makes(input, &mut steps);
    if let Some(host) = input.host {
        on_host(input, host, &mut steps);
    }
    finish(input, &mut steps);
    steps
}

fn step(id: &str, phase: Phase, clause: &str, action: Action) -> Step {
    let (subject, title) = match &action {
        Action::CheckSource => (Subject::Host, "Check that the source is unchanged since the plan was made"),
        Action::CheckDestination => {
            (Subject::Destination, "Check that there is room on the destination and nothing in the way")
        }
        Action::TakeFolder => (Subject::Destination, "Make the folder of the kit for administrators alone"),
        Action::ApplySettings => (Subject::Destination, "Write the settings of the host"),
        _ => (Subject::Destination, "Write what puts everything together on the destination"),
    };
    Step { id: id.to_owned(), phase, subject, title: title.to_owned(), clause: clause.to_owned(), action }
}

fn confirm(id: &str, phase: Phase, clause: &str, title: &str, instructions: &str) -> Step {
    let subject = match id {
        "confirm.backup" | "confirm.source-off" | "confirm.source-role-removed" => Subject::Host,
        _ => Subject::Destination,
    };
    let action = Action::Confirm { instructions: instructions.to_owned() };
    Step { id: id.to_owned(), phase, subject, title: title.to_owned(), clause: clause.to_owned(), action }
}

/// The guide's manual step, before the machine is made around the disks.
fn move_disks(machine: &RoleMachine) -> Step {
    let disks: Vec<String> = machine.physical.iter().map(|physical| physical.disk.to_string()).collect();
    let text = format!(
        "Connect the physical disks of the virtual machine '{}' to the destination and take them offline there (Set-Disk \
         -IsOffline $true): {}.",
        machine.name,
        disks.join(", ")
    );
    let title = format!("Connect the physical disks of '{}' to the destination", machine.name);
    let id = format!("confirm.move-disks.{}", machine.id);
    let step = confirm(&id, Phase::Migrate, "guide.manual.pass-through", &title, &text);
    Step { subject: machine_of(machine), ..step }
}

fn prepare(input: &StepInput<'_>) -> Vec<Step> {
    let mut steps = vec![
        confirm(
            "confirm.backup",
            Phase::Prepare,
            "prepare.source.backup",
            "Back up the source",
            "Make a backup of the source server and of all its virtual machines, and check that it can be restored.",
        ),
        confirm(
            "confirm.access-rights",
            Phase::Prepare,
            "guide.access.administrator",
            "Have administrator rights on both servers",
            "The account that works on the source and on the destination must be a member of the local Administrators group \
             there (root for KVM).",
        ),
        confirm(
            "confirm.downtime",
            Phase::Prepare,
            "guide.impact.plan-downtime",
            "Agree the downtime with those who depend on the machines",
            "All virtual machines are off from now until they are registered on the destination; the plan says how long. Tell \
             those who depend on them, or redirect them to other servers.",
        ),
    ];
    if input.inventory.host.domain.value().is_some_and(|domain| !domain.is_empty()) {
        steps.push(confirm(
            "confirm.domain-controller",
            Phase::Prepare,
            "prepare.domain-controller",
            "Both servers reach a domain controller",
            "Source and destination must reach a domain controller of the domain of the accounts that are members of local \
             groups or hold rights on migrated data.",
        ));
    }
    if matches!(input.kind, DestinationKind::HyperV { .. }) {
        steps.push(confirm(
            "confirm.destination-role",
            Phase::Prepare,
            "guide.not-provided.add-role",
            "The destination has its operating system and the Hyper-V role",
            "Install the operating system on the destination, then add the Hyper-V role and restart it.",
        ));
    }
    steps
}

fn copies(input: &StepInput<'_>, steps: &mut Vec<Step>) {
    for machine in &input.built.role.machines {
        steps.extend(machine.disks.iter().map(|disk| copy_disk(machine, disk)));
        let mut images: Vec<&PlacedFile> = Vec::new();
        let present = machine.images.iter().map(|image| (image, String::new()));
        let of_checkpoints = machine
            .checkpoints
            .iter()
            .flat_map(|checkpoint| checkpoint.images.iter().map(|image| (image, format!(".{}", checkpoint.id))));
        for (image, state) in present.chain(of_checkpoints) {
            if images.contains(&&image.file) {
                continue;
            }
            images.push(&image.file);
            let slot = format!("{}{}-{}", image.controller, image.number, image.slot);
            let id = format!("copy-file.{}.{slot}{state}", machine.id);
            steps.push(copy_file(id, machine_of(machine), "guide.manual.images", "the image", &image.file));
        }
        if let Some(file) = &machine.original_configuration {
            let id = format!("copy-file.{}.configuration", machine.id);
            steps.push(copy_file(id, machine_of(machine), "guide.automatic.machines", "the configuration file", file));
        }
        if let Some((_, beside)) = machine.registration() {
            for file in beside {
                let ending = file.target.rsplit_once('.').map_or("", |(_, ending)| ending);
                let id = format!("copy-file.{}.{ending}", machine.id);
                let what = "what belongs to the configuration file";
                steps.push(copy_file(id, machine_of(machine), "guide.automatic.machines", what, file));
            }
        }
        let files = input.built.checkpoint_files.iter().enumerate().filter(|(_, (id, _))| *id == machine.id);
        for (number, (_, file)) in files {
            let id = format!("copy-file.{}.checkpoint-{}", machine.id, number + 1);
            let what = "the configuration file of a checkpoint";
            steps.push(copy_file(id, machine_of(machine), "guide.automatic.machines", what, file));
        }
    }
    if let Some(file) = &input.built.role.settings.authorization_store {
        let id = "copy-file.authorization-store".to_owned();
        steps.push(copy_file(id, Subject::Host, "guide.automatic.settings", "the authorization store", file));
    }
}

fn machine_of(machine: &RoleMachine) -> Subject {
    Subject::Machine { id: machine.id.clone(), name: machine.name.clone() }
}

fn copy_disk(machine: &RoleMachine, disk: &PlacedDisk) -> Step {
    let slot = format!("{}{}-{}", disk.controller, disk.number, disk.slot);
    let state = disk.checkpoint_name.as_ref().map(|name| format!(", checkpoint '{name}'")).unwrap_or_default();
    let title = format!("Copy disk {slot} of '{}'{state} ({}) to {}", machine.name, disk.size, disk.target);
    Step {
        id: format!("copy-disk.{}", disk_name(machine, disk)),
        phase: Phase::Migrate,
        subject: disk_of(machine, disk),
        title,
        clause: "guide.automatic.machines".to_owned(),
        action: Action::CopyDisk { machine: machine.id.clone(), disk: disk.clone() },
    }
}

/// A disk in the ids of steps.
fn disk_name(machine: &RoleMachine, disk: &PlacedDisk) -> String {
    let checkpoint = disk.checkpoint.as_ref().map(|id| format!(".{id}")).unwrap_or_default();
    format!("{}.{}{}-{}{checkpoint}", machine.id, disk.controller, disk.number, disk.slot)
}

fn disk_of(machine: &RoleMachine, disk: &PlacedDisk) -> Subject {
    Subject::Disk { machine: machine.id.clone(), machine_name: machine.name.clone(), path: disk.source.clone() }
}

/// What is done on a host that runs: the kit is carried there unless it was made there, imported, and compared.
fn on_host(input: &StepInput<'_>, host: &dyn RunningHost, steps: &mut Vec<Step>) {
    let name = host.name();
    let mut add = |id: String, (clause, subject): (&str, Subject), title: String, action: Action| {
        steps.push(Step { id, phase: Phase::Migrate, subject, title, clause: clause.to_owned(), action });
    };
    let there = || Subject::Destination;
    if host.needs_carrying() {
        for machine in &input.built.role.machines {
            for disk in &machine.disks {
                let id = format!("{}{}", host::CARRY, disk_name(machine, disk));
                let title = format!("Carry {} to {name}", disk.target);
                let action = Action::CarryOver { file: Some(disk.target.clone()) };
                add(id, ("guide.automatic.machines", disk_of(machine, disk)), title, action);
            }
        }
        let title = format!("Carry all other files of the kit to {name}");
        add(format!("{}kit", host::CARRY), ("tools.send-receive", there()), title, Action::CarryOver { file: None });
    }
    let title = format!("Import settings, virtual networks and virtual machines on {name}");
    add(host::IMPORT.to_owned(), ("guide.overview.import", there()), title, Action::ImportOnHost);
    let title = format!("Compare {name} with the plan");
    add(host::OBSERVE.to_owned(), ("guide.about.phases", there()), title, Action::ObserveOnHost);
}

fn copy_file(id: String, subject: Subject, clause: &str, what: &str, file: &PlacedFile) -> Step {
    let title = format!("Copy {what} '{}' ({}) to {}", file.source.file_name(), file.size, file.target);
    let action = Action::CopyFile { file: file.clone() };
    Step { id, phase: Phase::Migrate, subject, title, clause: clause.to_owned(), action }
}

fn makes(input: &StepInput<'_>, steps: &mut Vec<Step>) {
    let role = &input.built.role;
    steps.push(step("apply-settings", Phase::Migrate, "guide.automatic.settings", Action::ApplySettings));
    for switch in &role.switches {
        let note = if switch.reconnect { ", to be reconnected to an adapter" } else { "" };
        steps.push(Step {
            id: format!("create-switch.{}", switch.id),
            phase: Phase::Migrate,
            subject: Subject::Switch { id: switch.id.clone(), name: switch.name.clone() },
            title: format!("Create the virtual network '{}' as {}{note}", switch.name, switch.kind),
            clause: "guide.automatic.internal-private".to_owned(),
            action: Action::CreateSwitch { switch: switch.id.clone() },
        });
    }
    for (index, adapter) in role.management_adapters.iter().enumerate() {
        steps.push(Step {
            id: format!("create-management-adapter.{index}"),
            phase: Phase::Migrate,
            subject: Subject::Switch { id: adapter.switch.clone(), name: adapter.switch_name.clone() },
            title: format!("Set up the adapter '{}' of the management operating system", adapter.name),
            clause: "guide.automatic.management-adapter".to_owned(),
            action: Action::CreateManagementAdapter { index },
        });
    }
    for machine in &role.machines {
        steps.extend(machine.checkpoints.iter().map(|checkpoint| Step {
            id: format!("create-checkpoint.{}.{}", machine.id, checkpoint.id),
            phase: Phase::Migrate,
            subject: machine_of(machine),
            title: format!("Build the checkpoint '{}' of the virtual machine '{}'", checkpoint.name, machine.name),
            clause: "beyond.checkpoints.kept".to_owned(),
            action: Action::CreateCheckpoint { machine: machine.id.clone(), checkpoint: checkpoint.id.clone() },
        }));
        steps.push(Step {
            id: format!("register-machine.{}", machine.id),
            phase: Phase::Migrate,
            subject: machine_of(machine),
            title: machine_title(machine),
            clause: "guide.overview.import".to_owned(),
            action: Action::RegisterMachine { machine: machine.id.clone() },
        });
    }
    steps.push(step("complete", Phase::Migrate, "tools.restart", Action::Complete));
}

/// What is done with a machine, and on Hyper-V what becomes of its id.
fn machine_title(machine: &RoleMachine) -> String {
    let name = &machine.name;
    match &machine.put_back {
        None => format!("Define the virtual machine '{name}'"),
        Some(PutBack::Registered { .. }) => {
            format!("Register the virtual machine '{name}' from its own configuration, under its id")
        }
        Some(PutBack::Anew { .. }) => format!("Make the virtual machine '{name}' anew around its disks, with a new id"),
    }
}

fn finish(input: &StepInput<'_>, steps: &mut Vec<Step>) {
    let role = &input.built.role;
    let mut add = |id: &str, clause: &str, title: &str, instructions: &str, subject: Option<Subject>| {
        let step = confirm(id, Phase::Finish, clause, title, instructions);
        steps.push(Step { subject: subject.unwrap_or(step.subject), ..step });
    };
    for switch in role.switches.iter().filter(|switch| switch.reconnect) {
        let text = format!(
            "The virtual network '{}' was created as internal. Change it to external and connect it to the physical adapter \
             that leads where the source's adapter led.",
            switch.name
        );
        let subject = Subject::Switch { id: switch.id.clone(), name: switch.name.clone() };
        let title = format!("Connect the virtual network '{}' to an adapter", switch.name);
        add(&format!("confirm.external-network.{}", switch.id), "guide.manual.external", &title, &text, Some(subject));
    }
    if !role.firewall.is_empty() {
        let rules: Vec<&str> = role.firewall.iter().map(|change| change.id.as_str()).collect();
        let text = format!(
            "These firewall rules of the source are not as Hyper-V installs them: {}. Make the same changes on the destination \
             where they are still wanted.",
            rules.join(", ")
        );
        add("confirm.firewall", "guide.manual.firewall", "Make the changed firewall settings", &text, None);
    }
    let text = "Give accounts outside the Administrators group the same remote access as on the source: the DCOM restrictions \
                and the rights on the WMI namespaces root\\CIMV2 and root\\virtualization, which only a running source or \
                a collection of it shows. The report lists what is known.";
    let title = "Set up remote administration";
    add("confirm.remote-administration", "guide.manual.remote", title, text, None);
    for machine in &role.machines {
        of_machine(input, machine, &mut add);
    }
    let text =
        "Check each client that depends on the virtual machines: it reaches them under their names and addresses.";
    add("confirm.clients", "guide.impact.others", "Check the clients that depend on the machines", text, None);
    let text = "Remove the Hyper-V role from the source, so that it can never come back with duplicate machines; then keep or \
                repurpose the server.";
    let title = "Remove the Hyper-V role from the source";
    add("confirm.source-role-removed", "afterwards.success.remove-role", title, text, None);
}

type Add<'a> = dyn FnMut(&str, &str, &str, &str, Option<Subject>) + 'a;

fn of_machine(input: &StepInput<'_>, machine: &RoleMachine, add: &mut Add<'_>) {
    let subject = Some(machine_of(machine));
    if !machine.pass_through.is_empty() {
        let text = format!(
            "Connect the physical disks of the drives {} to the destination, take them offline there, and attach them to the \
             virtual machine '{}'.",
            machine.pass_through.join(", "),
            machine.name
        );
        let title = format!("Attach the physical disks of '{}'", machine.name);
        let id = format!("confirm.pass-through.{}", machine.id);
        add(&id, "guide.manual.pass-through", &title, &text, subject.clone());
    }
    if !machine.images.is_empty() {
        let names: Vec<&str> = machine.images.iter().map(|image| image.file.source.file_name()).collect();
        let text = format!(
            "The images {} were copied and attached to the virtual machine '{}'. Check that they are still wanted.",
            names.join(", "),
            machine.name
        );
        let title = format!("Check the attached images of '{}'", machine.name);
        add(&format!("confirm.images.{}", machine.id), "guide.manual.images", &title, &text, subject.clone());
    }
    if let Some(text) = vlan_to_set(input, machine) {
        let title = format!("Check the VLAN of '{}'", machine.name);
        add(&format!("confirm.vlan.{}", machine.id), "beyond.networks.vlan", &title, &text, subject);
    }
}

/// What a person has to do about VLANs: where nobody said which one, and where the destination cannot hold the answer.
fn vlan_to_set(input: &StepInput<'_>, machine: &RoleMachine) -> Option<String> {
    let about =
        |finding: &&Finding| finding.rule == "machine.vlan-unknown" && finding.subject.machine() == Some(&machine.id);
    let name = &machine.name;
    if input.findings.iter().filter(about).any(|finding| finding.answer.is_none()) {
        return Some(format!(
            "It could not be read which VLAN the adapters of the virtual machine '{name}' are in. Compare with the source's notes \
             or with the network's owner, and set the VLAN where it is missing."
        ));
    }
    let tagged = |answer: &&str| *answer != "untagged";
    let mut answers: Vec<&str> =
        input.findings.iter().filter(about).filter_map(|finding| finding.answer.as_deref()).filter(tagged).collect();
    answers.dedup();
    (input.kind == DestinationKind::Libvirt && !answers.is_empty()).then(|| {
        format!(
            "Adapters of the virtual machine '{name}' are in a VLAN ({}), which libvirt cannot set on a bridge of Linux. Give \
             their ports on the bridge that VLAN, or connect them to a bridge that is in it.",
            answers.join("; ")
        )
    })
}
