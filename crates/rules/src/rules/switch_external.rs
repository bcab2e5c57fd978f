//! External virtual networks: created as internal ones and reconnected by a person, or on an adapter that was named.

use hvm_model::finding::{Level, Subject};
use hvm_model::network::{PhysicalAdapter, SwitchKind, VirtualSwitch};

use crate::case::{Case, of_switch};
use crate::decision::Decision;
use crate::proposal::{Proposal, propose};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "switch.external",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.external",
        title: "An external virtual network must be connected to an adapter of the destination.",
        answers: &[
            Offer::new("adapter:NAME", "It is created on the adapter NAME of the destination."),
            Offer::new("internal", "It is created as internal, and a person reconnects it (the default)."),
        ],
        check: external,
    },
    Rule {
        id: "destination.adapters-too-few",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "prepare.destination.adapters",
        title: "The destination has fewer network adapters than the source has external networks.",
        answers: &[],
        check: too_few,
    },
];

fn externals<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a VirtualSwitch> {
    case.inventory.switches.iter().filter(|switch| switch.kind.value() == Some(&SwitchKind::External))
}

fn external(case: &Case<'_>) -> Vec<Seen> {
    // What the operator gave to a network is proposed for no other.
    let answered = |switch: &VirtualSwitch| case.decision("switch.external", &of_switch(switch));
    let mut taken: Vec<String> = externals(case)
        .filter_map(|switch| match answered(switch) {
            Some(Decision::Adapter(name)) => Some(name),
            _ => None,
        })
        .collect();
    let seen = externals(case).map(|switch| {
        let mut adapters = case.inventory.adapters.iter();
        let uplink = switch.uplink.value().and_then(|id| adapters.find(|adapter| adapter.id == *id));
        let was = uplink.map_or("an adapter that the source does not name".to_owned(), |adapter| {
            format!("the adapter '{}' ({})", adapter.connection, adapter.description)
        });
        let message = format!(
            "The virtual network '{}' is external: on the source it uses {was}. It is created as an internal \
             network; connect it to an adapter of the destination afterwards, or name the adapter in the answer. A \
             virtual adapter of the management operating system on it works again only then.{}",
            switch.name,
            uplink
                .filter(|_| answered(switch).is_none())
                .map_or(String::new(), |adapter| proposed(case, adapter, &mut taken))
        );
        Seen::new(of_switch(switch), message).at(&switch.place)
    });
    seen.collect()
}

/// What is proposed for an adapter of the source, as a sentence to add; each adapter of the destination once.
fn proposed(case: &Case<'_>, old: &PhysicalAdapter, taken: &mut Vec<String>) -> String {
    let Some(destination) = case.destination else { return String::new() };
    match propose(old, &destination.adapter_details, taken) {
        Proposal::Adapter { name, reason } => {
            let sentence = format!(" '{name}' is proposed: {reason}.");
            taken.push(name);
            sentence
        }
        Proposal::Ambiguous { names, reason } => format!(
            " No adapter is proposed, because of each of '{}' it is true that {reason}.",
            names.join("', '")
        ),
        Proposal::None => String::new(),
    }
}

fn too_few(case: &Case<'_>) -> Vec<Seen> {
    let Some(adapters) = case.destination.and_then(|destination| destination.adapters.as_ref()) else {
        return Vec::new();
    };
    let internal = Some(Decision::Kind(SwitchKind::Internal));
    let wanted = externals(case).filter(|switch| case.decision("switch.external", &of_switch(switch)) != internal);
    let names: Vec<String> = wanted.map(|switch| format!("'{}'", switch.name)).collect();
    if names.len() <= adapters.len() {
        return Vec::new();
    }
    let message = format!(
        "The source has {} external networks ({}); the destination has {} physical network adapters ({}). Each \
         external network needs one.",
        names.len(),
        names.join(", "),
        adapters.len(),
        adapters.join(", ")
    );
    vec![Seen::new(Subject::Destination, message)]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "switch.external",
        fires: |sample| sample.inventory.switches[0].kind = read(SwitchKind::External),
        quiet: |sample| sample.inventory.switches[0].kind = read(SwitchKind::Private),
    },
    Example {
        rule: "destination.adapters-too-few",
        fires: |sample| {
            sample.inventory.switches[0].kind = read(SwitchKind::External);
            sample.destination().adapters = Some(Vec::new());
        },
        quiet: |sample| {
            sample.inventory.switches[0].kind = read(SwitchKind::External);
            sample.destination().adapters = Some(Vec::new());
            sample.answer("switch.external=internal");
        },
    },
];

#[cfg(test)]
mod tests {
    use hvm_model::capabilities::DestinationAdapter;
    use hvm_model::found::Found;
    use hvm_model::names::AdapterId;

    use super::*;
    use crate::tests_support::Sample;

    fn two_externals() -> Sample {
        let mut sample = Sample::new();
        sample.inventory.switches[0].kind = read(SwitchKind::External);
        let mut second = sample.inventory.switches[0].clone();
        second.id = "22222222-0000-0000-0000-000000000002".parse().unwrap();
        second.name = "Backup".to_owned();
        sample.inventory.switches.push(second);
        sample
    }

    #[test]
    fn an_adapter_must_be_there() {
        let mut sample = two_externals();
        sample.answer("switch.external@LAN=adapter:Ethernet 9");
        let message = sample.one("answer.invalid").message;
        assert!(message.contains("no network adapter 'Ethernet 9'") && message.contains("'Ethernet 1'"), "{message}");
        sample.answer("switch.external@LAN=adapter:ethernet 1");
        assert!(sample.found("answer.invalid").is_empty());
    }

    fn on_adapter(sample: &mut Sample, switch: usize, id: &str, connection: &str) {
        let id: AdapterId = id.parse().unwrap();
        sample.inventory.switches[switch].uplink = read(id.clone());
        sample.inventory.adapters.push(PhysicalAdapter {
            id,
            connection: connection.to_owned(),
            description: String::new(),
            location: Found::unknown("not in this test"),
            mac: Found::unknown("not in this test"),
            bound_to_switch: true,
            ip: Default::default(),
            queue_keywords: Default::default(),
            place: Default::default(),
        });
    }

    #[test]
    fn an_adapter_is_proposed_once_and_none_that_was_given_away() {
        let mut sample = two_externals();
        on_adapter(&mut sample, 0, "{11111111-0000-0000-0000-000000000001}", "Ethernet 1");
        on_adapter(&mut sample, 1, "{11111111-0000-0000-0000-000000000002}", "Ethernet 1");
        let there = DestinationAdapter { name: "Ethernet 1".to_owned(), ..DestinationAdapter::default() };
        sample.destination().adapter_details = vec![there];
        let proposed = |sample: &Sample| -> Vec<bool> {
            let found = sample.found("switch.external");
            found.iter().map(|finding| finding.message.contains("'Ethernet 1' is proposed: its connection")).collect()
        };
        assert_eq!(proposed(&sample).iter().filter(|proposed| **proposed).count(), 1);
        sample.answer("switch.external@LAN=adapter:ethernet 1");
        assert!(!proposed(&sample).contains(&true));
    }

    #[test]
    fn an_adapter_carries_one_network() {
        let mut sample = two_externals();
        sample.answer("switch.external=adapter:Ethernet 1");
        let refused = sample.one("answer.invalid");
        assert_eq!(refused.subject.name(), "Backup");
        assert!(refused.message.contains("already the answer for virtual network 'LAN'"), "{}", refused.message);
        assert!(refused.answers.is_empty(), "no machine can be left out to mend it");
    }
}
