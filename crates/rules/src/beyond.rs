//! What we require beyond the guide, as clauses of the same form.

use crate::guide::Answer::{Checks, Rules, Says, Steps};
use crate::guide::Clause;

const ANSWERS: &str = "Beyond the guide: answers";
const SOURCE: &str = "Beyond the guide: the source";
const MACHINES: &str = "Beyond the guide: machines";
const DISKS: &str = "Beyond the guide: disks and drives";
const GUESTS: &str = "Beyond the guide: what is in the machines";
const NETWORKS: &str = "Beyond the guide: networks";
const SETTINGS: &str = "Beyond the guide: settings";

pub(crate) const CLAUSES: &[Clause] = &[
    Clause {
        id: "beyond.answers.valid",
        chapter: ANSWERS,
        text: "An answer that cannot be taken stops what it concerns, instead of being passed over.",
        answers: &[Rules(&["answer.invalid"])],
    },
    Clause {
        id: "beyond.answers.used",
        chapter: ANSWERS,
        text: "An answer that fits nothing is named, because it is probably misspelt.",
        answers: &[Rules(&["answer.unused"])],
    },
    Clause {
        id: "beyond.source.readable",
        chapter: SOURCE,
        text: "What cannot be read stops what it touches until the operator accepts it by name.",
        answers: &[Rules(&["source.problem"])],
    },
    Clause {
        id: "beyond.source.unchanged",
        chapter: SOURCE,
        text: "The source must still be what was assessed when it is copied.",
        answers: &[Steps(&["check.source"])],
    },
    Clause {
        id: "beyond.machines.names",
        chapter: MACHINES,
        text: "A machine does not take the place of one that has the same name.",
        answers: &[Rules(&["machine.name-taken", "machine.name-twice"]), Steps(&["check.destination"])],
    },
    Clause {
        id: "beyond.machines.left-out",
        chapter: MACHINES,
        text: "Any machine can be left out by the operator, and the report says so.",
        answers: &[Rules(&["machine.left-out"])],
    },
    Clause {
        id: "beyond.machines.unknown-nodes",
        chapter: MACHINES,
        text: "Settings that are not understood are named and kept in a copy of the original configuration.",
        answers: &[Rules(&["machine.unknown-nodes"]), Steps(&["copy-file."])],
    },
    Clause {
        id: "beyond.machines.configuration-version",
        chapter: MACHINES,
        text: "A configuration of a version that is not known is not trusted silently.",
        answers: &[Rules(&["machine.configuration-version"])],
    },
    Clause {
        id: "beyond.machines.put-back",
        chapter: MACHINES,
        text: "A machine keeps its id where the destination registers its own configuration; where it is made anew, the reason is \
               said.",
        answers: &[Rules(&["machine.configuration", "machine.id-taken"]), Steps(&["register-machine."])],
    },
    Clause {
        id: "beyond.machines.generation",
        chapter: MACHINES,
        text: "A machine of generation 2 goes only where its firmware exists.",
        answers: &[Rules(&["machine.generation"])],
    },
    Clause {
        id: "beyond.machines.by-hand",
        chapter: MACHINES,
        text: "A setting of a later release is set where the destination has it, else named.",
        answers: &[
            Rules(&["machine.nested-virtualization", "machine.secure-boot-template"]),
            Steps(&["register-machine."]),
        ],
    },
    Clause {
        id: "beyond.machines.owner",
        chapter: MACHINES,
        text: "The owner of a machine is kept with its configuration; where that is made anew nothing sets it, and a line of its notes tells it.",
        answers: &[Rules(&["machine.owner"]), Steps(&["register-machine."])],
    },
    Clause {
        id: "beyond.machines.virtual-tpm",
        chapter: MACHINES,
        text: "What a virtual TPM holds belongs to its host; a machine that has one waits until the operator says that it can go without.",
        answers: &[Rules(&["machine.virtual-tpm"])],
    },
    Clause {
        id: "beyond.checkpoints.kept",
        chapter: MACHINES,
        text: "Checkpoints are put back as the tree that they were. Where that cannot be, each is kept as a complete disk, or \
               as a machine of its own when the operator wants that, unless only the present is wanted.",
        answers: &[
            Rules(&["machine.checkpoints"]),
            Steps(&["copy-disk.", "create-checkpoint."]),
            Checks(&["verify.checkpoints"]),
        ],
    },
    Clause {
        id: "beyond.disks.size",
        chapter: DISKS,
        text: "A disk must fit the format in which it is written.",
        answers: &[Rules(&["machine.disk-too-large"])],
    },
    Clause {
        id: "beyond.disks.geometry",
        chapter: DISKS,
        text: "A disk on whose size tools disagree is named, and the size that Hyper-V uses is taken.",
        answers: &[Rules(&["machine.disk-geometry"])],
    },
    Clause {
        id: "beyond.disks.shared",
        chapter: DISKS,
        text: "A disk that several machines use at once does not silently become a disk of each, and a VHD set is not guessed at.",
        answers: &[Rules(&["machine.shared-disk", "machine.vhd-set"])],
    },
    Clause {
        id: "beyond.drives.physical-dvd",
        chapter: DISKS,
        text: "A connection to the host's own DVD drive is named, because it ends.",
        answers: &[Rules(&["machine.physical-dvd"])],
    },
    Clause {
        id: "beyond.drives.image-missing",
        chapter: DISKS,
        text: "An image that is attached but not there is named.",
        answers: &[Rules(&["machine.image-missing"])],
    },
    Clause {
        id: "beyond.guests.boot",
        chapter: GUESTS,
        text: "A guest whose disk, drivers or settings may keep it from starting on the destination is named before anything is copied.",
        answers: &[Rules(&["guest.boot-mode", "guest.boot-driver", "guest.root-device"])],
    },
    Clause {
        id: "beyond.guests.sectors",
        chapter: GUESTS,
        text: "A disk keeps the size of its sectors, or is named.",
        answers: &[Rules(&["guest.sector-size"])],
    },
    Clause {
        id: "beyond.guests.alignment",
        chapter: GUESTS,
        text: "A partition that makes each write on today's storage slow is named; it is copied as it is.",
        answers: &[Rules(&["guest.partition-unaligned"])],
    },
    Clause {
        id: "beyond.guests.volumes",
        chapter: GUESTS,
        text: "Volumes that are damaged, in use, encrypted or of a kind that is not read are named; they are copied as they are.",
        answers: &[Rules(&[
            "guest.partition-table",
            "guest.volume-dirty",
            "guest.bitlocker",
            "guest.dynamic-disk",
            "guest.not-read",
        ])],
    },
    Clause {
        id: "beyond.guests.addresses",
        chapter: GUESTS,
        text: "A guest that would lose an address that somebody set, or its network, is named with that address.",
        answers: &[Rules(&[
            "guest.static-address",
            "guest.interface-name",
            "guest.ghost-adapter",
            "guest.network-driver",
        ])],
    },
    Clause {
        id: "beyond.guests.activation",
        chapter: GUESTS,
        text: "A guest that may have to be activated on new hardware is named.",
        answers: &[Rules(&["guest.activation"])],
    },
    Clause {
        id: "beyond.guests.known",
        chapter: GUESTS,
        text: "The report has a table of the switched-off guests with their systems, host names and addresses.",
        answers: &[Says("the table of guests in the report and in the inventory of report.json")],
    },
    Clause {
        id: "beyond.networks.vlan",
        chapter: NETWORKS,
        text: "A VLAN that cannot be read is asked for, never guessed.",
        answers: &[Rules(&["machine.vlan-unknown"]), Steps(&["confirm.vlan."])],
    },
    Clause {
        id: "beyond.networks.port-settings",
        chapter: NETWORKS,
        text: "Settings of switch ports that are not migrated are named.",
        answers: &[Rules(&["machine.port-settings"])],
    },
    Clause {
        id: "beyond.networks.kind",
        chapter: NETWORKS,
        text: "The kind of a network that cannot be read is asked for; without an answer the network reaches \
               nothing outside.",
        answers: &[Rules(&["switch.kind-unknown"])],
    },
    Clause {
        id: "beyond.networks.missing",
        chapter: NETWORKS,
        text: "An adapter that is connected to a network that is gone, or that nothing is known of, is named.",
        answers: &[Rules(&["machine.network-missing"])],
    },
    Clause {
        id: "beyond.networks.names",
        chapter: NETWORKS,
        text: "A network does not take the place of one that has the same name.",
        answers: &[Rules(&["switch.name-taken"]), Steps(&["check.destination"])],
    },
    Clause {
        id: "beyond.networks.mac-unique",
        chapter: NETWORKS,
        text: "A MAC address belongs to one adapter.",
        answers: &[Rules(&["machine.static-mac-duplicate"])],
    },
    Clause {
        id: "beyond.settings.authorization-store",
        chapter: SETTINGS,
        text: "An authorization store that is not the host's own file is not copied.",
        answers: &[Rules(&["settings.authorization-scvmm", "settings.authorization-elsewhere"])],
    },
    Clause {
        id: "beyond.settings.without-counterpart",
        chapter: SETTINGS,
        text: "A setting that the destination cannot hold is listed with the reason.",
        answers: &[Says("settings that are not carried, in the report")],
    },
];
