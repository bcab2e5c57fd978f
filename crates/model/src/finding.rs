//! What the guide, or what we require beyond it, says of an inventory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::Place;
use crate::names::{AdapterId, SwitchId, VmId, WindowsPath};

/// How serious a finding is, in the guide's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Not supported: what it concerns is not migrated until the operator answers.
    Blocks,
    /// Manual intervention: a step that a person confirms.
    Manual,
    /// May go wrong, or against a best practice.
    Warns,
    /// Automatic but worth knowing.
    Notes,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Level::Blocks => "blocks",
            Level::Manual => "manual",
            Level::Warns => "warns",
            Level::Notes => "notes",
        })
    }
}

/// What a finding or a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Subject {
    /// The source host as a whole.
    Host,
    /// The destination as a whole.
    Destination,
    /// A machine.
    Machine {
        /// Id.
        id: VmId,
        /// Name.
        name: String,
    },
    /// A drive, disk file or image of a machine.
    Disk {
        /// Machine that uses it.
        machine: VmId,
        /// Name of that machine.
        machine_name: String,
        /// Path on the source.
        path: WindowsPath,
    },
    /// A network adapter of a machine.
    MachineAdapter {
        /// Machine.
        machine: VmId,
        /// Name of that machine.
        machine_name: String,
        /// Name and MAC of the adapter.
        adapter: String,
    },
    /// A virtual network.
    Switch {
        /// Id.
        id: SwitchId,
        /// Name.
        name: String,
    },
    /// A network adapter of the host, physical or of the management operating system.
    Adapter {
        /// Id.
        id: AdapterId,
        /// Connection name.
        name: String,
    },
    /// A firewall rule.
    FirewallRule {
        /// Rule id.
        id: String,
    },
    /// A named setting of the host, such as `MachineLaunchRestriction` or `DHCP Server`.
    Setting {
        /// Name.
        name: String,
    },
    /// A file of the source that belongs to no machine that could be read.
    File {
        /// Path.
        path: String,
    },
}

impl Subject {
    /// The name by which operators call it in answers.
    pub fn name(&self) -> String {
        match self {
            Subject::Host => "host".to_owned(),
            Subject::Destination => "destination".to_owned(),
            Subject::Machine { name, .. } | Subject::Switch { name, .. } | Subject::Adapter { name, .. } => {
                name.clone()
            }
            Subject::Disk { machine_name, path, .. } => format!("{machine_name}/{}", path.file_name()),
            Subject::MachineAdapter { machine_name, adapter, .. } => format!("{machine_name}/{adapter}"),
            Subject::FirewallRule { id } => id.clone(),
            Subject::Setting { name } => name.clone(),
            Subject::File { path } => path.clone(),
        }
    }

    /// The machine that it belongs to.
    pub fn machine(&self) -> Option<&VmId> {
        match self {
            Subject::Machine { id, .. } => Some(id),
            Subject::Disk { machine, .. } | Subject::MachineAdapter { machine, .. } => Some(machine),
            _ => None,
        }
    }

    /// True when an operator may mean it by `text`: its name without regard to case, its id, path or machine's name.
    pub fn is_called(&self, text: &str) -> bool {
        let same = |other: &str| other.to_lowercase() == text.to_lowercase();
        same(&self.name())
            || match self {
                Subject::Machine { id, .. } => same(id.as_str()),
                Subject::Switch { id, .. } => same(id.as_str()),
                Subject::Adapter { id, .. } => same(id.as_str()),
                Subject::Disk { machine_name, path, machine } => {
                    same(machine_name) || same(machine.as_str()) || *path == WindowsPath::new(text)
                }
                Subject::MachineAdapter { machine_name, machine, .. } => same(machine_name) || same(machine.as_str()),
                _ => false,
            }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Host => f.write_str("the source host"),
            Subject::Destination => f.write_str("the destination"),
            Subject::Machine { name, .. } => write!(f, "virtual machine '{name}'"),
            Subject::Disk { machine_name, path, .. } => write!(f, "'{path}' of virtual machine '{machine_name}'"),
            Subject::MachineAdapter { machine_name, adapter, .. } => {
                write!(f, "network adapter '{adapter}' of virtual machine '{machine_name}'")
            }
            Subject::Switch { name, .. } => write!(f, "virtual network '{name}'"),
            Subject::Adapter { name, .. } => write!(f, "network adapter '{name}'"),
            Subject::FirewallRule { id } => write!(f, "firewall rule '{id}'"),
            Subject::Setting { name } => write!(f, "'{name}'"),
            Subject::File { path } => write!(f, "'{path}'"),
        }
    }
}

/// One finding of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Rule id, `subject.condition`.
    pub rule: String,
    /// Level under the policy that was used.
    pub level: Level,
    /// Id of the clause of the guide, or of what we require beyond it.
    pub clause: String,
    /// What it is about.
    pub subject: Subject,
    /// Whole sentences with the values in them.
    pub message: String,
    /// Where it was read.
    pub places: Vec<Place>,
    /// What can be answered; empty when nothing can be.
    pub answers: Vec<OfferedAnswer>,
    /// What the operator answered.
    pub answer: Option<String>,
    /// What the other policy would say, when it differs.
    pub policy_note: Option<String>,
}

impl Finding {
    /// True when it blocks and nobody has answered it.
    pub fn is_open(&self) -> bool {
        self.level == Level::Blocks && self.answer.is_none()
    }
}

/// An answer that the operator can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferedAnswer {
    /// The value, or a pattern such as `adapter:NAME`, `reduce:N`; upper-case words stand for a value.
    pub value: String,
    /// What it does.
    pub effect: String,
}

impl OfferedAnswer {
    /// An answer with its effect.
    pub fn new(value: &str, effect: &str) -> Self {
        OfferedAnswer { value: value.to_owned(), effect: effect.to_owned() }
    }

    /// True when `answer` is this one: equal, or equal up to the colon of a pattern with something behind it.
    pub fn takes(&self, answer: &str) -> bool {
        match self.value.split_once(':') {
            Some((head, _)) => answer.split_once(':').is_some_and(|(given, rest)| given == head && !rest.is_empty()),
            None => self.value == answer,
        }
    }
}
