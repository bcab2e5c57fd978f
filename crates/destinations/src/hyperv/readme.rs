//! What the administrator of the destination reads: the order of the guide, with the manual steps.

use std::fmt::Write as _;

use hvm_model::host::WindowsRelease;
use hvm_model::plan::{Action, Plan};
use hvm_model::role::{PutBack, RoleMachine};
use hvm_model::setting::{Carry, settings_of};

use crate::hyperv::carries::carries;
use crate::hyperv::machines;
use crate::hyperv::release::Release;

const START: &str = "
1. Before
   - {system} in the same system UI language, with the Hyper-V role:
       Install-WindowsFeature -Name Hyper-V -IncludeManagementTools -Restart
   - Copy this whole folder to a local NTFS volume of the new host, into a folder that is not compressed or encrypted:
       robocopy <this folder> <new folder> /E
     The virtual machines stay where the folder lies: their disks are used in place.
   - If Windows blocks scripts that came over the network: Get-ChildItem -Recurse | Unblock-File, and
       Set-ExecutionPolicy -Scope Process -ExecutionPolicy RemoteSigned
   - Work at the console: creating virtual networks can interrupt the connection of the host.

2. Turn the old host off, or remove it from the network
   Its virtual machines and these must never run at the same time.

3. Import
       .\\Import-HyperVRole.ps1 -SourceIsOff -WhatIf      shows what would be done
       .\\Import-HyperVRole.ps1 -SourceIsOff              does it; can be run again after any failure

4. Check
       .\\Test-HyperVRole.ps1                             compares each setting; start the virtual machines one by one

5. Manual steps
";

const END: &str = "
6. To take it back
       .\\Undo-HyperVRole.ps1                             also the firewall rules, the DCOM access and the rights on WMI
                                                         namespaces; the copied disks stay

What the kit does and does not keep
{put_back}   - A dynamic MAC address is given anew from this host's range when a virtual machine starts.
   - Checkpoints are made anew too, in the tree that they were, without the memory of machines that ran. Undoing the import
     removes their disks with them: copy the kit again before another import.
   - What the host does when a virtual machine that is made anew ends unexpectedly stays at this host's default.
";

/// The text, with plain line breaks.
pub(crate) fn text(release: &Release, plan: &Plan) -> String {
    let title = format!("Hyper-V role of {}, for {}", one_line(&plan.host), release.windows);
    let mut text = format!("{title}\n{}\nWritten by {}.\n", "=".repeat(title.chars().count()), one_line(&plan.tool));
    text.push_str(&START.replace("{system}", &release.windows.to_string()));
    for line in manual(release, plan) {
        let _ = writeln!(text, "   - {}", one_line(&line));
    }
    text.push_str(&END.replace("{put_back}", &put_back(release, plan)));
    let mut lost = Vec::new();
    for setting in settings_of(&plan.role) {
        if let Carry::NotCarried { reason } = carries(release, &setting) {
            lost.push(format!("   - {}, {} = {}: {reason}", setting.subject, setting.item, one_line(&setting.value)));
        }
    }
    if !lost.is_empty() {
        let _ = write!(text, "\nSettings that are not put back\n{}\n", lost.join("\n"));
    }
    text
}

const REGISTERED: &str = "   - These virtual machines are registered from their own configuration, of which a copy lies in their folders below
     machines. They keep their ids, their network adapters are the devices that they were, and what hvmigrate does not know
     of them is kept too:
";

const ANEW: &str = "   - These virtual machines are made anew around their disks. They get new ids; the old id of each one is in
     machines\\*\\machine.json, and state\\log.jsonl notes which new id belongs to it. Backup or monitoring software that
     knows them by id has to be told. Their network adapters are new devices with the same MAC address where it was static. A
     guest with a static IP address may see a new network adapter and want its address set again:
";

const OWNED: &str = "   - Nothing sets the owner of a virtual machine that is made anew. For these the last line of the notes tells whose they are:
";

/// How the machines are put back, with the reasons.
fn put_back(release: &Release, plan: &Plan) -> String {
    let (registered, made): (Vec<&RoleMachine>, _) =
        plan.role.machines.iter().partition(|machine| machine.registration().is_some());
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for machine in made {
        let reason = match &machine.put_back {
            Some(PutBack::Anew { reason }) => reason.clone(),
            _ => anew(release),
        };
        let name = one_line(&format!("'{}'", machine.name));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let mut text = String::new();
    if !registered.is_empty() {
        text.push_str(REGISTERED);
        for machine in registered {
            let _ = writeln!(text, "       '{}' ({})", one_line(&machine.name), machine.id);
        }
    }
    if !reasons.is_empty() {
        text.push_str(ANEW);
        for (reason, names) in reasons {
            let _ = writeln!(text, "       {}: {}", names.join(", "), one_line(&reason));
        }
    }
    let owned = plan.role.machines.iter().filter(|machine| machine.owner.is_some());
    let names: Vec<String> = owned.map(|machine| one_line(&format!("'{}'", machine.name))).collect();
    if !names.is_empty() {
        text.push_str(OWNED);
        let _ = writeln!(text, "       {}", names.join(", "));
    }
    text
}

/// Why machines are not registered from their own configuration, for plans that do not say it.
fn anew(release: &Release) -> String {
    if release.windows == WindowsRelease::Server2012 {
        return "No documentation says that Windows Server 2012 registers a configuration of an older release in place."
            .to_owned();
    }
    format!(
        "{} registers no configuration of Windows Server 2008 or 2008 R2 in place, and one way for all old hosts can be compared \
         setting by setting.",
        release.windows
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn manual(release: &Release, plan: &Plan) -> Vec<String> {
    let role = &plan.role;
    let mut all = Vec::new();
    for switch in role.switches.iter().filter(|switch| switch.reconnect) {
        all.push(format!(
            "The external virtual network '{}' was made as internal. Connect it: \
             Set-VMSwitch -Name ... -NetAdapterName ... -AllowManagementOS ... (Import prints the line to use).",
            switch.name
        ));
    }
    all.extend(role.machines.iter().flat_map(|machine| machines::remaining(release, machine)));
    if !role.firewall.is_empty() {
        all.push(
            "Changed firewall rules: read firewall.json, then .\\Set-HyperVFirewall.ps1. Until then .\\Test-HyperVRole.ps1 names \
             each rule that is not so."
                .to_owned(),
        );
    }
    if !role.dcom.is_empty() || !role.dcom_users.is_empty() {
        all.push(
            "Customised DCOM access: read dcom.json, then .\\Merge-DcomRestriction.ps1. Until then .\\Test-HyperVRole.ps1 \
             names each entry that is missing."
                .to_owned(),
        );
    }
    if !role.wmi_namespaces.is_empty() {
        all.push(
            "Rights on WMI namespaces: read wmi.json, then .\\Merge-WmiNamespace.ps1. Until then .\\Test-HyperVRole.ps1 names each \
             entry that is missing."
                .to_owned(),
        );
    }
    for step in &plan.steps {
        if let Action::Confirm { instructions } = &step.action {
            all.push(format!("{}: {instructions}", step.title));
        }
    }
    if all.is_empty() {
        all.push("None.".to_owned());
    }
    all
}
