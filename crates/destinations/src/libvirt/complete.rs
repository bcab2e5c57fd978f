//! The last step: shell scripts that define everything, and what the administrator reads.

use std::fmt::Write as _;
use std::path::Path;

use hvm_model::plan::{Action, Plan};
use hvm_model::role::RoleMachine;
use hvm_model::setting::{Carry, settings_of};
use hvm_model::vm::StartAction;

use crate::error::DestinationError;
use crate::files;
use crate::libvirt::{carries, naming, sh};

/// The files that the step makes.
pub(crate) const OUTPUTS: [&str; 3] = ["define.sh", "undefine.sh", "README.txt"];

const HEAD: &str = r#"set -eu
connect=qemu:///system
root=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
while [ $# -gt 0 ]; do
    case $1 in
    --root) root=$(CDPATH= cd -- "$2" && pwd -P); shift 2 ;;
    --connect) connect=$2; shift 2 ;;
    *) echo "usage: $0 [--root FOLDER] [--connect URI]" >&2; exit 2 ;;
    esac
done
if [ "$root" != "$expected" ]; then
    echo "The disk paths in the XML begin with '$expected', but the files lie in '$root'." >&2
    echo "Move the folder back, or write it again with hvmigrate where it shall lie." >&2
    exit 1
fi
run() { LC_ALL=C virsh --connect "$connect" "$@"; }
active_network() { run net-list --uuid | grep -qix -- "$1"; }
known_network() { run net-list --all --uuid | grep -qix -- "$1"; }
active_domain() { run list --uuid | grep -qix -- "$1"; }
known_domain() { run list --all --uuid | grep -qix -- "$1"; }
"#;

/// Writes them.
pub(crate) fn perform(root: &Path, absolute: &str, plan: &Plan) -> Result<(), DestinationError> {
    files::write(root, "define.sh", define(absolute, plan)?.as_bytes())?;
    files::write(root, "undefine.sh", undefine(absolute, plan)?.as_bytes())?;
    files::write(root, "README.txt", readme(plan).as_bytes())
}

fn head(purpose: &str, absolute: &str) -> Result<String, DestinationError> {
    Ok(format!("#!/bin/sh\n# {purpose} Can be run again at any time.\nexpected={}\n{HEAD}\n", sh::word(absolute)?))
}

fn define(absolute: &str, plan: &Plan) -> Result<String, DestinationError> {
    let role = &plan.role;
    let mut script = head("Defines the networks and machines of this folder.", absolute)?;
    for switch in &role.switches {
        let file = sh::word(&naming::network_file(role, switch))?;
        let uuid = switch.id.as_str().to_lowercase();
        if let Some(bridge) = &switch.adapter {
            let bridge = sh::word(bridge)?;
            let _ =
                writeln!(script, "[ -d /sys/class/net/{bridge} ] || echo \"There is no bridge\" {bridge} \"yet.\" >&2");
        }
        let _ = writeln!(script, "run net-define \"$root\"/{file}");
        let _ = writeln!(script, "run net-autostart {uuid}");
        let _ = writeln!(script, "active_network {uuid} || run net-start {uuid}");
    }
    for machine in &role.machines {
        let uuid = naming::uuid(role, machine);
        let _ = writeln!(script, "run define --validate \"$root\"/{}", sh::word(&naming::machine_file(machine))?);
        if machine.configuration.actions.start == StartAction::Start {
            let _ = writeln!(script, "run autostart {uuid}");
        }
    }
    Ok(script)
}

fn undefine(absolute: &str, plan: &Plan) -> Result<String, DestinationError> {
    let role = &plan.role;
    let mut script = head("Removes the machines and networks of this folder from libvirt; the files stay.", absolute)?;
    for machine in &role.machines {
        let uuid = naming::uuid(role, machine);
        let name = sh::word(&machine.name)?;
        let _ = writeln!(script, "if active_domain {uuid}; then echo \"Shut down first:\" {name} >&2; exit 1; fi");
        let option = if machine.generation >= 2 { " --nvram" } else { "" };
        let _ = writeln!(script, "! known_domain {uuid} || run undefine {uuid}{option}");
    }
    for switch in &role.switches {
        let uuid = switch.id.as_str().to_lowercase();
        let _ = writeln!(script, "! active_network {uuid} || run net-destroy {uuid}");
        let _ = writeln!(script, "! known_network {uuid} || run net-undefine {uuid}");
    }
    Ok(script)
}

const README: &str = "
1. Turn the old host off, or remove it from the network. Its machines and these must never run at the same time.
2. Let QEMU read the files: the folder and everything above it must be open to its user (often libvirt-qemu).
3. Define everything:      sh define.sh            (needs virsh; can be run again at any time)
4. Start a machine:        virsh start NAME        and look at it: virt-viewer NAME, virsh console NAME
5. To take it back:        sh undefine.sh          (the files stay)

How the machines were translated
 - SCSI disks are on SATA, since drivers for it are in every Windows since Vista. virtio would be faster, but which drivers a
   guest holds is not known from outside; install them in the guest first, then change the bus in the XML.
 - Synthetic network adapters became e1000, legacy ones rtl8139, with their MAC addresses. A guest sees new devices: a static
   IP address has to be set again in the guest.
 - The clock shows local time, as Hyper-V's does. For guests that keep UTC (most Linux), set clock offset='utc'.
 - The UUID of a machine is the BIOS GUID that its guest saw before; the id on the old host stands in the metadata.
 - Internal and private networks are isolated bridges without an address of the host.
";

fn readme(plan: &Plan) -> String {
    let title = format!("Machines of {}, for KVM under libvirt", one_line(&plan.host));
    let mut text = format!("{title}\n{}\nWritten by {}.\n", "=".repeat(title.chars().count()), one_line(&plan.tool));
    text.push_str(README);
    text.push_str("\nWhat remains for a person\n");
    let manual = manual(plan);
    for line in &manual {
        let _ = writeln!(text, " - {}", one_line(line));
    }
    if manual.is_empty() {
        text.push_str(" - Nothing.\n");
    }
    let lost = settings_of(&plan.role).into_iter().filter_map(|setting| match carries::carries(&setting) {
        Carry::NotCarried { reason } => Some((setting, reason)),
        Carry::Carried => None,
    });
    text.push_str("\nSettings without a counterpart\n");
    for (setting, reason) in lost {
        let _ = writeln!(text, " - {}, {} = {}: {reason}.", setting.subject, setting.item, one_line(&setting.value));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn manual(plan: &Plan) -> Vec<String> {
    let role = &plan.role;
    let mut all = Vec::new();
    for switch in role.switches.iter().filter(|switch| switch.reconnect) {
        all.push(format!(
            "The external network '{}' is isolated. Make a bridge with the physical adapter in it, and put \
             <forward mode='bridge'/><bridge name='...'/> into {}.",
            switch.name,
            naming::network_file(role, switch)
        ));
    }
    for machine in &role.machines {
        of_machine(plan, machine, &mut all);
    }
    for step in &plan.steps {
        if let Action::Confirm { instructions } = &step.action {
            all.push(format!("{}: {instructions}", step.title));
        }
    }
    all
}

fn of_machine(plan: &Plan, machine: &RoleMachine, all: &mut Vec<String>) {
    let name = naming::domain(&plan.role, machine);
    if name != machine.name {
        all.push(format!("The machine '{}' is called '{name}' here; its title is the old name.", machine.name));
    }
    for slot in &machine.pass_through {
        all.push(format!(
            "'{}': the drive {slot} was a physical disk of the old host. Connect it, and add it to the XML as <disk type='block'>.",
            machine.name
        ));
    }
    for disk in &machine.disks {
        if let Some(checkpoint) = &disk.checkpoint_name {
            all.push(format!(
                "'{}': the state of the checkpoint '{checkpoint}' lies in '{}'. It is not connected to the machine.",
                machine.name, disk.target
            ));
        }
    }
}
