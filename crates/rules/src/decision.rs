//! Answers as types: what an operator's text means for the rule that it answers.

use hvm_model::disk::DiskIdentity;
use hvm_model::finding::{Finding, OfferedAnswer};
use hvm_model::names::ByteSize;
use hvm_model::network::{SwitchKind, Vlan};

use crate::rules::rule;

/// What an operator decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// `exclude`: the machine is not migrated.
    Exclude,
    /// `discard`: the saved state is dropped; the machine starts as after a power cut.
    Discard,
    /// `accept`: goes on as the finding's offer says.
    Accept,
    /// `reduce:N` of processors.
    ReduceProcessors(u32),
    /// `reduce:SIZE` of memory.
    ReduceMemory(ByteSize),
    /// `adapter:NAME`: the external network is created on this adapter of the destination.
    Adapter(String),
    /// `external`, `internal`, `private`: what the virtual network is, or is created as.
    Kind(SwitchKind),
    /// `untagged`, `access:ID`, `trunk:NATIVE,ID,ID`.
    Vlan(Vlan),
    /// `tree`: the checkpoints are built again.
    CheckpointTree,
    /// `disks`: each checkpoint becomes a disk of its own.
    CheckpointDisks,
    /// `machines`: each checkpoint becomes a machine of its own.
    CheckpointMachines,
    /// `current-only`: only the present state is migrated.
    CurrentOnly,
    /// `register`: the machine's own configuration is registered in place.
    Register,
    /// `new`: the machine is made anew around its disks.
    MakeAnew,
    /// `leave`: what differs on the source is not repeated on the destination.
    Leave,
    /// `disk:IDENTITY`: this physical disk of the destination is attached.
    PhysicalDisk(DiskIdentity),
    /// `image:PATH`: the disk at this path, or an image of it, is copied into a virtual disk.
    Image(String),
    /// `rename:NAME`: the machine gets another name on the destination.
    Rename(String),
}

/// An answer that a rule does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// No such rule.
    #[error("There is no rule '{rule}'; 'hvmigrate rules' lists them.")]
    NoRule {
        /// The id as given.
        rule: String,
    },
    /// The rule offers nothing like it.
    #[error("'{value}' is no answer to '{rule}'; {allowed}.")]
    NotOffered {
        /// Rule id.
        rule: String,
        /// The answer as given.
        value: String,
        /// What can be answered.
        allowed: String,
    },
    /// The pattern fits, the value in it does not.
    #[error("'{value}' is no answer to '{rule}': {reason}")]
    BadValue {
        /// Rule id.
        rule: String,
        /// The answer as given.
        value: String,
        /// What is wrong and what is expected.
        reason: String,
    },
}

impl Decision {
    /// What `value` means as an answer to `rule`.
    pub fn parse(rule_id: &str, value: &str) -> Result<Decision, DecisionError> {
        let rule = rule(rule_id).ok_or_else(|| DecisionError::NoRule { rule: rule_id.to_owned() })?;
        let offers: Vec<OfferedAnswer> =
            rule.answers.iter().map(|offer| OfferedAnswer::new(offer.value, offer.effect)).collect();
        let offer =
            offers.iter().find(|offer| offer.takes(value)).ok_or_else(|| not_offered(rule_id, value, &offers))?;
        let given = value.split_once(':').map_or("", |(_, given)| given.trim());
        meaning(&offer.value, given).map_err(|reason| DecisionError::BadValue {
            rule: rule_id.to_owned(),
            value: value.to_owned(),
            reason,
        })
    }

    /// What the answer of a finding means; `None` when it has none.
    pub fn of(finding: &Finding) -> Option<Decision> {
        let answer = finding.answer.as_deref()?;
        Decision::parse(&finding.rule, answer).ok()
    }
}

/// The error for an answer that is not among `offers`.
pub(crate) fn not_offered(rule: &str, value: &str, offers: &[OfferedAnswer]) -> DecisionError {
    let names: Vec<String> = offers.iter().map(|offer| format!("'{}'", offer.value)).collect();
    let allowed = if names.is_empty() {
        "it takes no answer here".to_owned()
    } else {
        format!("allowed are {}", names.join(", "))
    };
    DecisionError::NotOffered { rule: rule.to_owned(), value: value.to_owned(), allowed }
}

fn meaning(offer: &str, given: &str) -> Result<Decision, String> {
    Ok(match offer {
        "exclude" => Decision::Exclude,
        "discard" => Decision::Discard,
        "accept" => Decision::Accept,
        "tree" => Decision::CheckpointTree,
        "disks" => Decision::CheckpointDisks,
        "machines" => Decision::CheckpointMachines,
        "register" => Decision::Register,
        "new" => Decision::MakeAnew,
        "leave" => Decision::Leave,
        "current-only" => Decision::CurrentOnly,
        "external" => Decision::Kind(SwitchKind::External),
        "internal" => Decision::Kind(SwitchKind::Internal),
        "private" => Decision::Kind(SwitchKind::Private),
        "untagged" => Decision::Vlan(Vlan::Untagged),
        "access:ID" => Decision::Vlan(Vlan::Access { id: vlan_id(given)? }),
        "trunk:NATIVE,ID,ID" => Decision::Vlan(trunk(given)?),
        "reduce:N" => Decision::ReduceProcessors(count(given)?),
        "reduce:SIZE" => Decision::ReduceMemory(memory(given)?),
        "adapter:NAME" => Decision::Adapter(name(given)?),
        "rename:NAME" => Decision::Rename(name(given)?),
        "disk:IDENTITY" => Decision::PhysicalDisk(identity(given)?),
        "image:PATH" => Decision::Image(name(given)?),
        other => return Err(format!("no meaning is known for '{other}'.")),
    })
}

fn name(given: &str) -> Result<String, String> {
    if given.is_empty() { Err("a name is expected after the colon.".to_owned()) } else { Ok(given.to_owned()) }
}

fn identity(given: &str) -> Result<DiskIdentity, String> {
    given.parse().map_err(|error: hvm_model::names::NameError| error.to_string())
}

fn count(given: &str) -> Result<u32, String> {
    given.parse().ok().filter(|count| *count > 0).ok_or_else(|| "a number from 1 on is expected.".to_owned())
}

fn memory(given: &str) -> Result<ByteSize, String> {
    let size: ByteSize = given.parse().map_err(|error: hvm_model::names::NameError| error.to_string())?;
    // Hyper-V sets memory in MiB and takes even numbers only.
    let unit = 2 * ByteSize::MIB;
    let fits = size.0 >= 8 * ByteSize::MIB && size.0.is_multiple_of(unit);
    fits.then_some(size).ok_or_else(|| "a multiple of 2 MiB from 8 MiB on is expected.".to_owned())
}

fn vlan_id(given: &str) -> Result<u16, String> {
    let id = given.trim().parse().ok().filter(|id| (1..=4094).contains(id));
    id.ok_or_else(|| format!("'{given}' is no VLAN id; 1 to 4094 is expected."))
}

fn trunk(given: &str) -> Result<Vlan, String> {
    let mut parts = given.split(',');
    let first = parts.next().unwrap_or("").trim();
    let native = if first == "0" { 0 } else { vlan_id(first)? };
    let allowed = parts.map(vlan_id).collect::<Result<Vec<u16>, String>>()?;
    if allowed.is_empty() {
        return Err("a trunk needs the native VLAN id and at least one more, such as 'trunk:1,10,20'.".to_owned());
    }
    Ok(Vlan::Trunk { native, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rules;

    #[test]
    fn every_offer_of_every_rule_has_a_meaning() {
        for rule in rules() {
            for offer in rule.answers {
                let value = match offer.value {
                    "access:ID" => "access:12",
                    "trunk:NATIVE,ID,ID" => "trunk:0,10,20",
                    "reduce:N" => "reduce:2",
                    "reduce:SIZE" => "reduce:4GiB",
                    "adapter:NAME" => "adapter:Ethernet 2",
                    "rename:NAME" => "rename:Web 2",
                    "disk:IDENTITY" => "disk:1A2B3C4D",
                    "image:PATH" => "image:/dev/sdb",
                    plain => plain,
                };
                assert!(Decision::parse(rule.id, value).is_ok(), "{} does not take '{value}'", rule.id);
            }
        }
    }

    #[test]
    fn values_are_typed_and_checked() {
        let vlan = |text: &str| Decision::parse("machine.vlan-unknown", text);
        assert_eq!(vlan("access:12"), Ok(Decision::Vlan(Vlan::Access { id: 12 })));
        let trunk = Vlan::Trunk { native: 1, allowed: vec![10, 20] };
        assert_eq!(vlan("trunk:1,10,20"), Ok(Decision::Vlan(trunk)));
        for wrong in ["access:0", "access:4095", "access:x", "trunk:1", "trunk:", "tagged", "untagged:1"] {
            assert!(vlan(wrong).is_err(), "{wrong}");
        }
        let memory = |text: &str| Decision::parse("machine.memory-exceeds", text);
        assert_eq!(memory("reduce:4GiB"), Ok(Decision::ReduceMemory(ByteSize(4 << 30))));
        assert!(memory("reduce:3MiB").is_err() && memory("reduce:lots").is_err());
        assert!(Decision::parse("machine.processors-exceed", "reduce:0").is_err());
        let colon = Decision::parse("switch.external", "adapter:Team: 1");
        assert_eq!(colon, Ok(Decision::Adapter("Team: 1".to_owned())));
    }

    #[test]
    fn errors_name_what_is_allowed() {
        let error = Decision::parse("machine.saved-state", "keep").unwrap_err().to_string();
        assert!(error.contains("'discard'") && error.contains("'exclude'"), "{error}");
        let error = Decision::parse("machine.nothing", "keep").unwrap_err().to_string();
        assert!(error.contains("no rule 'machine.nothing'"), "{error}");
    }
}
