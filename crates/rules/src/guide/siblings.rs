//! The chapters on preparing and on what follows a migration, and what Windows Server Migration Tools do, for
//! comparison.

use super::Answer::{Checks, None, Rules, Says, Steps};
use super::Clause;

const PREPARE: &str = "Prepare to migrate";
const RECORD: &str = "Prepare to migrate: record for comparison";
const AFTERWARDS: &str = "Post-migration tasks";
const TOOLS: &str = "Windows Server Migration Tools, for comparison";

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "prepare.destination.storage",
        chapter: PREPARE,
        text: "The destination has room for all virtual hard disks.",
        answers: &[
            Rules(&["destination.space", "destination.space-unknown"]),
            Steps(&["check.destination", "take-folder"]),
        ],
    },
    Clause {
        id: "prepare.destination.adapters",
        chapter: PREPARE,
        text: "The destination has at least as many physical adapters as the source uses for external networks.",
        answers: &[Rules(&["destination.adapters-too-few"]), Steps(&["confirm.external-network."])],
    },
    Clause {
        id: "prepare.destination.memory",
        chapter: PREPARE,
        text: "The destination has memory for all machines that run at the same time and for the host.",
        answers: &[Rules(&["destination.memory-sum", "machine.memory-exceeds", "destination.memory-unknown"])],
    },
    Clause {
        id: "prepare.destination.processors",
        chapter: PREPARE,
        text: "The destination has at least as many logical processors as the largest machine has virtual ones.",
        answers: &[Rules(&["machine.processors-exceed", "destination.processors-unknown"])],
    },
    Clause {
        id: "prepare.destination.processor-kind",
        chapter: PREPARE,
        text: "Saved states would need a processor of the same maker and a compatible stepping.",
        answers: &[
            Rules(&["machine.saved-state"]),
            None("Saved states are not migrated at all, so the processors need not match."),
        ],
    },
    Clause {
        id: "prepare.destination.order",
        chapter: PREPARE,
        text: "On the destination: the operating system, then the role, then the tools; tools that came first are \
               removed.",
        answers: &[Steps(&["confirm.destination-role"])],
    },
    Clause {
        id: "prepare.source.backup",
        chapter: PREPARE,
        text: "The source is backed up before anything else.",
        answers: &[Steps(&["confirm.backup"])],
    },
    Clause {
        id: "prepare.record.machines",
        chapter: RECORD,
        text: "The list of machines.",
        answers: &[Checks(&["verify.machines-list"]), Says("inventory in report.json")],
    },
    Clause {
        id: "prepare.record.machine-settings",
        chapter: RECORD,
        text: "Memory, virtual processors and connected disks of each machine.",
        answers: &[Checks(&["verify.settings", "verify.disks"])],
    },
    Clause {
        id: "prepare.record.checkpoints",
        chapter: RECORD,
        text: "Number and tree of the checkpoints.",
        answers: &[Rules(&["machine.checkpoints"]), Checks(&["verify.checkpoints"])],
    },
    Clause {
        id: "prepare.record.external-networks",
        chapter: RECORD,
        text: "Names of the external networks.",
        answers: &[Rules(&["switch.external"]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "prepare.record.ip",
        chapter: RECORD,
        text: "IP configuration of the physical adapters, if it is to move.",
        answers: &[Says(
            "adapters with their IP settings in the inventory of report.json; hvmigrate does not move them",
        )],
    },
    Clause {
        id: "prepare.record.authorization",
        chapter: RECORD,
        text: "Scopes and roles of the authorization store.",
        answers: &[
            Rules(&["settings.authorization-extra", "settings.authorization-scopes"]),
            Checks(&["verify.files"]),
            Says("role assignments in the inventory of report.json"),
        ],
    },
    Clause {
        id: "prepare.record.firewall",
        chapter: RECORD,
        text: "Firewall exceptions that were turned off.",
        answers: &[Rules(&["firewall.changed"])],
    },
    Clause {
        id: "prepare.record.remote-accounts",
        chapter: RECORD,
        text: "Accounts outside Administrators that reach Hyper-V from elsewhere.",
        answers: &[Rules(&[
            "remote.dcom-users",
            "remote.wmi-changed",
            "remote.wmi-unknown",
            "settings.authorization-extra",
        ])],
    },
    Clause {
        id: "prepare.record.launch-restriction",
        chapter: RECORD,
        text: "The value MachineLaunchRestriction, if others than Administrators and Distributed COM Users were let \
               in.",
        answers: &[Rules(&["remote.dcom-widened"])],
    },
    Clause {
        id: "prepare.domain-controller",
        chapter: PREPARE,
        text: "Both servers reach a domain controller for the domain accounts that hold rights.",
        answers: &[Steps(&["confirm.domain-controller"])],
    },
    Clause {
        id: "prepare.downtime",
        chapter: PREPARE,
        text: "The downtime is agreed with those who depend on the machines, or they are redirected.",
        answers: &[Steps(&["confirm.downtime"]), Says("downtime per machine in the plan")],
    },
    Clause {
        id: "afterwards.success.source",
        chapter: AFTERWARDS,
        text: "After success the source is kept or put to another use.",
        answers: &[Steps(&["confirm.source-role-removed"])],
    },
    Clause {
        id: "afterwards.success.remove-role",
        chapter: AFTERWARDS,
        text: "As soon as all is verified the role is removed from the source, so that its machines never come back \
               as doubles.",
        answers: &[Steps(&["confirm.source-role-removed"])],
    },
    Clause {
        id: "afterwards.failure.source",
        chapter: AFTERWARDS,
        text: "After failure: take the destination off the network, add the role to the source again, reconnect it, \
               restart its machines.",
        answers: &[Steps(&["rollback.source"])],
    },
    Clause {
        id: "afterwards.failure.destination",
        chapter: AFTERWARDS,
        text: "After failure: delete the migrated machines but keep the copied data for another try; remove the role.",
        answers: &[Steps(&["rollback.destination"])],
    },
    Clause {
        id: "afterwards.failure.clients",
        chapter: AFTERWARDS,
        text: "After failure: check each client that depends on the machines.",
        answers: &[Steps(&["rollback.clients"])],
    },
    Clause {
        id: "tools.export-import",
        chapter: TOOLS,
        text: "Settings are exported to and imported from a folder, by feature, with a password.",
        answers: &[
            Steps(&["apply-settings", "complete"]),
            None(
                "There is no password: the settings lie as readable files beside the disks, under the rights of \
                 that folder.",
            ),
        ],
    },
    Clause {
        id: "tools.users-groups",
        chapter: TOOLS,
        text: "Local users and groups can move with the role.",
        answers: &[
            Rules(&["settings.authorization-extra", "remote.dcom-users"]),
            None("Local accounts are not created; the rules name those that a person has to create."),
        ],
    },
    Clause {
        id: "tools.ip-configuration",
        chapter: TOOLS,
        text: "IP configuration of adapters or of the computer can move, mapped from adapter to adapter by MAC \
               address.",
        answers: &[
            Rules(&["switch.external"]),
            Steps(&["create-management-adapter."]),
            None(
                "Only virtual adapters of the management operating system get their addresses; those of physical \
                 adapters and of the computer are in the report.",
            ),
        ],
    },
    Clause {
        id: "tools.order",
        chapter: TOOLS,
        text: "The order in which settings are applied is not guaranteed.",
        answers: &[Steps(&["apply-settings", "create-switch.", "create-management-adapter.", "register-machine."])],
    },
    Clause {
        id: "tools.restart",
        chapter: TOOLS,
        text: "A restart may be needed and the import run again.",
        answers: &[Steps(&["complete"]), Says("every step can be performed again and leaves the same result")],
    },
    Clause {
        id: "tools.send-receive",
        chapter: TOOLS,
        text: "Data can be sent over the network: both sides at the same time, encrypted, five minutes to connect, \
               no resume.",
        answers: &[
            Steps(&["copy-disk.", "copy-file.", "carry-over."]),
            Checks(&["verify.disks", "verify.files"]),
            None(
                "Data is copied from files to files, and carried to a running host over Windows Remote Management; an \
                 interrupted copy goes on where it was. Sending between two running programs is not part of it.",
            ),
        ],
    },
];
