//! The main chapter of the guide, from its first section to its last.

use super::Answer::{Checks, None, Rules, Says, Steps};
use super::Clause;

const ABOUT: &str = "About this guide";
const NOT_PROVIDED: &str = "What this guide does not provide";
const SCENARIOS: &str = "Supported migration scenarios";
const SYSTEMS: &str = "Supported migration scenarios: operating systems";
const SUMMARY: &str = "Supported migration scenarios: table of configurations and settings";
const AUTOMATIC: &str = "Supported migration scenarios: automatically migrated";
const MANUAL: &str = "Supported migration scenarios: manual intervention";
const DEPENDENCIES: &str = "Supported migration scenarios: dependencies";
const NOT_SUPPORTED: &str = "Migration scenarios that are not supported";
const OVERVIEW: &str = "Hyper-V migration overview";
const IMPACT: &str = "Impact of migration";
const ACCESS: &str = "Access rights required";
const DURATION: &str = "Estimated duration";
const REFERENCES: &str = "Additional references";

pub(super) const CLAUSES: &[Clause] = &[
    Clause {
        id: "guide.about.phases",
        chapter: ABOUT,
        text: "A migration consists of preparing, migrating and verifying.",
        answers: &[
            Steps(&["check.source", "copy-disk.", "register-machine.", "observe-on-host"]),
            Checks(&["verify.disks", "verify.settings", "verify.files"]),
        ],
    },
    Clause {
        id: "guide.about.tools",
        chapter: ABOUT,
        text: "Migration tools carry roles, settings and data to Windows Server 2012 and avoid conflicts; they have \
               an installation guide of their own.",
        answers: &[None("hvmigrate takes their place and needs nothing installed on the source.")],
    },
    Clause {
        id: "guide.about.audience",
        chapter: ABOUT,
        text: "It is written for those who run Hyper-V in a managed environment.",
        answers: &[None("It says who reads, not what to do.")],
    },
    Clause {
        id: "guide.not-provided.clusters",
        chapter: NOT_PROVIDED,
        text: "Clusters are not supported; they have a guide of their own.",
        answers: &[Rules(&["cluster.member", "machine.highly-available"])],
    },
    Clause {
        id: "guide.not-provided.same-computer",
        chapter: NOT_PROVIDED,
        text: "Upgrading on the same computer is out of scope.",
        answers: &[None(
            "The source is only ever read and the destination is another folder or host; an upgrade in place cannot \
             be expressed.",
        )],
    },
    Clause {
        id: "guide.not-provided.several-roles",
        chapter: NOT_PROVIDED,
        text: "More than one server role at a time is not migrated.",
        answers: &[Rules(&["os.several-roles"])],
    },
    Clause {
        id: "guide.not-provided.source-2012",
        chapter: NOT_PROVIDED,
        text: "From 2012 to 2012 Hyper-V's own tools are to be used: export and import, or live migration.",
        answers: &[Rules(&["os.source-2012"])],
    },
    Clause {
        id: "guide.not-provided.export-or-live",
        chapter: NOT_PROVIDED,
        text: "Export and import work in workgroup and domain but need the machine off; live migration needs a \
               domain and keeps it running.",
        answers: &[Rules(&["os.source-2012", "os.source-newer"])],
    },
    Clause {
        id: "guide.not-provided.add-role",
        chapter: NOT_PROVIDED,
        text: "On that way the role is added to the destination first, with storage locations and live migration.",
        answers: &[Steps(&["confirm.destination-role"])],
    },
    Clause {
        id: "guide.not-provided.create-switches",
        chapter: NOT_PROVIDED,
        text: "On that way the virtual switches are created on the destination before the machines are moved.",
        answers: &[Steps(&["create-switch."])],
    },
    Clause {
        id: "guide.not-provided.move-machines",
        chapter: NOT_PROVIDED,
        text: "On that way the machines are moved with the export, import or move commands.",
        answers: &[
            Rules(&["os.source-2012"]),
            None("hvmigrate names the commands; it does not run them on the source."),
        ],
    },
    Clause {
        id: "guide.not-provided.cmdlet-list",
        chapter: NOT_PROVIDED,
        text: "A list of the cmdlets of the Hyper-V module is elsewhere.",
        answers: &[None("A pointer to other documentation.")],
    },
    Clause {
        id: "guide.scenarios.earlier-to-2012",
        chapter: SCENARIOS,
        text: "An existing server that runs the Hyper-V role on an earlier release is migrated to Windows Server 2012.",
        answers: &[Rules(&["os.role-missing", "os.source-unsupported", "destination.unsupported"])],
    },
    Clause {
        id: "guide.scenarios.several-roles",
        chapter: SCENARIOS,
        text: "There are no instructions for a source that runs several roles.",
        answers: &[Rules(&["os.several-roles"])],
    },
    Clause {
        id: "guide.scenarios.several-roles-custom",
        chapter: SCENARIOS,
        text: "For such a server a procedure of one's own should be designed from the guides of the other roles.",
        answers: &[Rules(&["os.several-roles"])],
    },
    Clause {
        id: "guide.scenarios.several-roles-caution",
        chapter: SCENARIOS,
        text: "Caution: steps such as moving the computer name or the IP configuration can make the other roles fail.",
        answers: &[Rules(&["os.several-roles"])],
    },
    Clause {
        id: "guide.systems.2008-sp2-full",
        chapter: SYSTEMS,
        text: "Row 1: Windows Server 2008 with Service Pack 2 for x64, full installation only.",
        answers: &[Rules(&["os.source-unsupported", "os.server-core-2008"])],
    },
    Clause {
        id: "guide.systems.2008-r2",
        chapter: SYSTEMS,
        text: "Row 2: Windows Server 2008 R2 for x64.",
        answers: &[Rules(&["os.source-unsupported", "os.source-newer"])],
    },
    Clause {
        id: "guide.systems.2008-r2-core",
        chapter: SYSTEMS,
        text: "Row 3: the Server Core installation of Windows Server 2008 R2 for x64.",
        answers: &[Rules(&["os.server-core-2008"])],
    },
    Clause {
        id: "guide.systems.destination-2012",
        chapter: SYSTEMS,
        text: "All rows: the destination is Windows Server 2012, full or Server Core.",
        answers: &[Rules(&["destination.unsupported", "destination.too-old"])],
    },
    Clause {
        id: "guide.systems.x64",
        chapter: SYSTEMS,
        text: "All rows: source and destination have x64 processors.",
        answers: &[
            Rules(&["os.source-unsupported"]),
            None("Windows Server 2012 and its successors exist for x64 only, so the destination needs no rule."),
        ],
    },
    Clause {
        id: "guide.systems.newer-service-packs",
        chapter: SYSTEMS,
        text: "The service packs of the table are the oldest that are supported; newer ones are supported too.",
        answers: &[Rules(&["os.source-unsupported"])],
    },
    Clause {
        id: "guide.systems.not-listed",
        chapter: SYSTEMS,
        text: "An operating system that is not in the table is not supported.",
        answers: &[Rules(&[
            "os.source-unsupported",
            "os.source-newer",
            "os.source-unknown",
            "destination.unsupported",
        ])],
    },
    Clause {
        id: "guide.systems.hyper-v-server",
        chapter: SYSTEMS,
        text: "The stand-alone Microsoft Hyper-V Server is not supported.",
        answers: &[Rules(&["os.hyper-v-server", "destination.edition"])],
    },
    Clause {
        id: "guide.systems.editions",
        chapter: SYSTEMS,
        text: "Standard, Enterprise and Datacenter are supported on both sides.",
        answers: &[Rules(&["os.edition-unsupported", "destination.edition"])],
    },
    Clause {
        id: "guide.systems.language",
        chapter: SYSTEMS,
        text: "Source and destination must have the same system UI language.",
        answers: &[Rules(&["os.language-differs", "os.language-unknown"])],
    },
    Clause {
        id: "guide.systems.language-definition",
        chapter: SYSTEMS,
        text: "That is the language of the package from which Windows was installed, not of a language pack.",
        answers: &[Rules(&["os.language-differs"])],
    },
    Clause {
        id: "guide.summary.machines",
        chapter: SUMMARY,
        text: "Configuration and data of virtual machines: automatic, with exceptions.",
        answers: &[Steps(&["copy-disk.", "register-machine."]), Checks(&["verify.disks", "verify.settings"])],
    },
    Clause {
        id: "guide.summary.settings",
        chapter: SUMMARY,
        text: "Settings of Hyper-V: automatic.",
        answers: &[Steps(&["apply-settings"]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "guide.summary.management-adapter",
        chapter: SUMMARY,
        text: "Virtual network adapters of the management operating system: automatic.",
        answers: &[Steps(&["create-management-adapter."]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "guide.summary.external",
        chapter: SUMMARY,
        text: "External virtual networks: partly automatic.",
        answers: &[Rules(&["switch.external"]), Steps(&["create-switch.", "confirm.external-network."])],
    },
    Clause {
        id: "guide.summary.vmq",
        chapter: SUMMARY,
        text: "Settings of the virtual machine queue: automatic.",
        answers: &[Rules(&["settings.vmq"]), Steps(&["apply-settings"])],
    },
    Clause {
        id: "guide.summary.remote",
        chapter: SUMMARY,
        text: "Customized remote administration: by hand.",
        answers: &[Rules(&["remote.dcom-widened", "remote.wmi-unknown"]), Steps(&["confirm.remote-administration"])],
    },
    Clause {
        id: "guide.automatic.machines",
        chapter: AUTOMATIC,
        text: "Most configurations of machines and their data move; some need a person.",
        answers: &[
            Steps(&["copy-disk.", "copy-file.", "register-machine.", "carry-over."]),
            Checks(&["verify.disks", "verify.settings", "verify.machines-list"]),
        ],
    },
    Clause {
        id: "guide.automatic.settings",
        chapter: AUTOMATIC,
        text: "System-wide settings and the authorization store move.",
        answers: &[
            Rules(&["settings.authorization-extra"]),
            Steps(&["apply-settings", "copy-file."]),
            Checks(&["verify.settings", "verify.files"]),
        ],
    },
    Clause {
        id: "guide.automatic.mac-range",
        chapter: AUTOMATIC,
        text: "From 2008 R2 a range of MAC addresses that was set moves too.",
        answers: &[Rules(&["settings.mac-range"]), Steps(&["apply-settings"]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "guide.automatic.internal-private",
        chapter: AUTOMATIC,
        text: "Internal and private virtual networks move.",
        answers: &[Steps(&["create-switch."]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "guide.automatic.management-adapter",
        chapter: AUTOMATIC,
        text: "IP settings, bindings and MAC address of the management operating system's virtual adapter move.",
        answers: &[
            Rules(&["management-adapter.network-unknown"]),
            Steps(&["create-management-adapter."]),
            Checks(&["verify.settings"]),
        ],
    },
    Clause {
        id: "guide.automatic.management-adapter-connection",
        chapter: AUTOMATIC,
        text: "The connection between that adapter and the physical one must be made again by hand.",
        answers: &[Rules(&["switch.external"]), Steps(&["confirm.external-network."])],
    },
    Clause {
        id: "guide.automatic.vmq",
        chapter: AUTOMATIC,
        text: "Settings of the virtual machine queue move.",
        answers: &[Rules(&["settings.vmq"]), Steps(&["apply-settings"]), Checks(&["verify.settings"])],
    },
    Clause {
        id: "guide.manual.firewall",
        chapter: MANUAL,
        text: "The destination has the firewall rules as Hyper-V installs them; changes must be made again.",
        answers: &[Rules(&["firewall.changed"]), Steps(&["confirm.firewall"])],
    },
    Clause {
        id: "guide.manual.external",
        chapter: MANUAL,
        text: "External networks are created as internal ones and must be connected to the right physical adapter.",
        answers: &[
            Rules(&["switch.external"]),
            Steps(&["create-switch.", "confirm.external-network."]),
            Checks(&["verify.settings"]),
        ],
    },
    Clause {
        id: "guide.manual.images",
        chapter: MANUAL,
        text: "Floppy and ISO images do not move; they are copied and attached again by hand.",
        answers: &[Rules(&["machine.images"]), Steps(&["copy-file.", "confirm.images."]), Checks(&["verify.files"])],
    },
    Clause {
        id: "guide.manual.pass-through",
        chapter: MANUAL,
        text: "Connections to physical disks do not move; the disk is connected to the destination and then to the \
               machine.",
        answers: &[
            Rules(&["machine.pass-through"]),
            Steps(&["confirm.pass-through.", "confirm.move-disks."]),
            Checks(&["verify.settings"]),
        ],
    },
    Clause {
        id: "guide.manual.remote",
        chapter: MANUAL,
        text: "DCOM and WMI namespace settings for remote access are made again, at the named point and with a \
               recommended tool.",
        answers: &[
            Rules(&["remote.dcom-widened", "remote.wmi-unknown", "remote.wmi-changed"]),
            Steps(&["confirm.remote-administration"]),
        ],
    },
    Clause {
        id: "guide.dependencies.none",
        chapter: DEPENDENCIES,
        text: "Hyper-V depends on no other role.",
        answers: &[None("Nothing follows that could be checked.")],
    },
    Clause {
        id: "guide.dependencies.alone",
        chapter: DEPENDENCIES,
        text: "Best practice: no other role on a server that runs Hyper-V.",
        answers: &[Rules(&["os.several-roles"])],
    },
    Clause {
        id: "guide.not-supported.saved-state",
        chapter: NOT_SUPPORTED,
        text: "The saved state of a machine is not migrated.",
        answers: &[Rules(&["machine.saved-state", "machine.checkpoint-saved-state", "machine.saved-state-unknown"])],
    },
    Clause {
        id: "guide.not-supported.processors",
        chapter: NOT_SUPPORTED,
        text: "A machine with more virtual processors than the destination has logical ones is not supported.",
        answers: &[Rules(&["machine.processors-exceed", "destination.processors-unknown"])],
    },
    Clause {
        id: "guide.not-supported.memory",
        chapter: NOT_SUPPORTED,
        text: "A machine with more memory than the destination has available is not supported.",
        answers: &[Rules(&["machine.memory-exceeds", "destination.memory-unknown"])],
    },
    Clause {
        id: "guide.not-supported.consolidation-physical",
        chapter: NOT_SUPPORTED,
        text: "Turning physical servers into machines is not supported.",
        answers: &[None("Only machines of a Hyper-V role are read; a physical server is no source.")],
    },
    Clause {
        id: "guide.not-supported.consolidation-hosts",
        chapter: NOT_SUPPORTED,
        text: "Bringing several Hyper-V hosts together on one is not supported.",
        answers: &[Rules(&["destination.consolidation"])],
    },
    Clause {
        id: "guide.overview.one-to-another",
        chapter: OVERVIEW,
        text: "Machines, networks and settings move from one physical computer to another, from 2008 R2 to 2012.",
        answers: &[
            Rules(&["os.source-unsupported", "os.source-newer", "destination.unsupported"]),
            Steps(&["create-switch.", "apply-settings", "register-machine."]),
        ],
    },
    Clause {
        id: "guide.overview.export",
        chapter: OVERVIEW,
        text: "The export takes most settings: machine configurations, networks and virtual hard disks.",
        answers: &[Steps(&["copy-disk.", "copy-file."]), Says("inventory in report.json")],
    },
    Clause {
        id: "guide.overview.remote-separately",
        chapter: OVERVIEW,
        text: "DCOM and WMI namespace security move separately.",
        answers: &[
            Rules(&["remote.dcom-widened", "remote.wmi-unknown", "remote.wmi-changed"]),
            Steps(&["confirm.remote-administration"]),
        ],
    },
    Clause {
        id: "guide.overview.import",
        chapter: OVERVIEW,
        text: "The import creates the machines again on the destination.",
        answers: &[Steps(&["register-machine.", "import-on-host"]), Checks(&["verify.machines-list"])],
    },
    Clause {
        id: "guide.impact.source-off",
        chapter: IMPACT,
        text: "The source is turned off or taken off the network before the import, so that machines do not meet \
               their doubles.",
        answers: &[Steps(&["confirm.source-off", "check.source"])],
    },
    Clause {
        id: "guide.impact.others",
        chapter: IMPACT,
        text: "Every computer that relies on the machines is affected while they are offline.",
        answers: &[Steps(&["confirm.downtime", "confirm.clients"]), Says("downtime per machine in the plan")],
    },
    Clause {
        id: "guide.impact.plan-downtime",
        chapter: IMPACT,
        text: "The downtime is planned as an outage, or traffic is redirected to other servers.",
        answers: &[Steps(&["confirm.downtime"]), Says("downtime per machine and in total in the plan")],
    },
    Clause {
        id: "guide.access.administrator",
        chapter: ACCESS,
        text: "Whoever runs the tools is a member of the local Administrators group on source and destination.",
        answers: &[Steps(&["confirm.access-rights"])],
    },
    Clause {
        id: "guide.duration.size",
        chapter: DURATION,
        text: "The time depends on the size of the data, most of all of the virtual hard disks.",
        answers: &[Says(
            "estimate of bytes and seconds per machine in the plan, compared with the actual time in the report",
        )],
    },
    Clause {
        id: "guide.duration.bandwidth",
        chapter: DURATION,
        text: "The time depends on the bandwidth of the network.",
        answers: &[Says("rates of reading and writing that were measured for the estimate, in the plan")],
    },
    Clause {
        id: "guide.references.chapters",
        chapter: REFERENCES,
        text: "Preparing, migrating, verifying and what follows have chapters of their own; earlier releases and \
               other roles have other guides.",
        answers: &[None(
            "Pointers to other documents; what the chapters on preparing and on what follows ask for is listed below.",
        )],
    },
];
