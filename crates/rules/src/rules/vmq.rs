//! Settings of the virtual machine queue (VMQ), of the host and of its adapters.

use hvm_model::finding::{Level, Subject};
use hvm_model::found::Found;

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "settings.vmq",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "guide.automatic.vmq",
    title: "Settings of the virtual machine queue were changed.",
    answers: &[],
    check,
}];

const MAPPED: &str = "They are set on the adapter of the destination to which its external network is mapped by an \
                      answer; otherwise a person sets them.";

fn check(case: &Case<'_>) -> Vec<Seen> {
    let settings = &case.inventory.host.settings;
    let dwords = [
        ("TenGigVmqEnabled", &settings.vmq_ten_gigabit),
        ("BelowTenGigVmqEnabled", &settings.vmq_below_ten_gigabit),
    ];
    let mut seen: Vec<Seen> = dwords.into_iter().filter_map(|(name, found)| host(case, name, found)).collect();
    for adapter in &case.inventory.adapters {
        let keywords: Vec<String> = adapter
            .queue_keywords
            .iter()
            .filter(|(name, _)| name.to_uppercase().contains("VMQ"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !keywords.is_empty() {
            let subject = Subject::Adapter { id: adapter.id.clone(), name: adapter.connection.clone() };
            let message = format!(
                "The network adapter '{}' has settings of the virtual machine queue: {}. {}",
                adapter.connection,
                keywords.join(", "),
                if case.is_kvm() { "KVM has no such settings." } else { MAPPED }
            );
            seen.push(Seen::new(subject, message).at(&adapter.place));
        }
    }
    seen
}

/// 0 leaves it to the system: that is no change.
fn host(case: &Case<'_>, name: &str, found: &Found<u32>) -> Option<Seen> {
    let value = found.written().filter(|value| **value != 0)?;
    let meaning = match value {
        1 => "on",
        2 => "off",
        _ => "a value without a documented meaning",
    };
    let then = if case.is_kvm() { "KVM has no such setting." } else { "The destination gets the same value." };
    let message = format!("The source sets {name} to {value} ({meaning}). {then}");
    Some(Seen::new(of_setting(name), message).at_all(found.place()))
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "settings.vmq",
    fires: |sample| sample.inventory.host.settings.vmq_ten_gigabit = read(1),
    quiet: |sample| sample.inventory.host.settings.vmq_ten_gigabit = read(0),
}];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn keywords_of_adapters_count_only_when_they_are_about_queues() {
        let mut sample = Sample::new();
        sample.add_physical_adapter().queue_keywords.insert("*RSS".to_owned(), "1".to_owned());
        assert!(sample.found("settings.vmq").is_empty());
        sample.inventory.adapters[0].queue_keywords.insert("*VMQ".to_owned(), "0".to_owned());
        assert!(sample.one("settings.vmq").message.contains("*VMQ=0"));
    }
}
