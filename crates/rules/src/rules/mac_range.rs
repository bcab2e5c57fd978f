//! The host's range of dynamic MAC addresses: moved with the role, and dangerous while the source still runs.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
#[cfg(test)]
use hvm_model::host::MacRange;
#[cfg(test)]
use hvm_model::names::MacAddress;

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "settings.mac-range",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "guide.automatic.mac-range",
    title: "A range of dynamic MAC addresses was set.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let found = &case.inventory.host.settings.mac_range;
    let Some(Some(range)) = found.written() else {
        return Vec::new();
    };
    let there = match case.destination.map(|destination| destination.kind) {
        Some(DestinationKind::Libvirt) => "KVM has no such setting: each machine keeps the address that it has",
        _ => "The destination gets the same range, so the source must never run beside it: both would give out the \
              same addresses",
    };
    let mut message = format!(
        "The source gives dynamic MAC addresses from {} to {}. {there}.",
        range.minimum, range.maximum
    );
    let gives = |kind: DestinationKind| matches!(kind, DestinationKind::HyperV { .. });
    let there = case.destination.filter(|destination| gives(destination.kind));
    let used = there.map_or(&[][..], |destination| &destination.mac_addresses);
    let taken: Vec<String> =
        used.iter().filter(|mac| (range.minimum..=range.maximum).contains(mac)).map(ToString::to_string).collect();
    let mut level = Level::Notes;
    if !taken.is_empty() {
        level = Level::Warns;
        message.push_str(&format!(
            " Adapters of the destination have addresses of it already: {}. A machine that is moved and has none yet may get one \
             of them while that adapter is away; give those adapters static addresses outside of the range.",
            taken.join(", ")
        ));
    }
    vec![Seen::new(of_setting("MAC address range"), message).at_all(found.place()).level(level)]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "settings.mac-range",
    fires: |sample| {
        let (minimum, maximum) = (MacAddress([0, 0x15, 0x5d, 1, 7, 0]), MacAddress([0, 0x15, 0x5d, 1, 7, 0xff]));
        sample.inventory.host.settings.mac_range = read(Some(MacRange { minimum, maximum }));
    },
    quiet: |sample| sample.inventory.host.settings.mac_range = read(None),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn addresses_of_the_range_that_are_in_use_on_the_destination_are_named() {
        let mut sample = Sample::new();
        let (minimum, maximum) = (MacAddress([0, 0x15, 0x5d, 1, 7, 0]), MacAddress([0, 0x15, 0x5d, 1, 7, 0xff]));
        sample.inventory.host.settings.mac_range = read(Some(MacRange { minimum, maximum }));
        sample.destination().mac_addresses = vec![MacAddress([0, 0x15, 0x5d, 1, 8, 0])];
        assert_eq!(sample.one("settings.mac-range").level, Level::Notes);
        sample.destination().mac_addresses.push(MacAddress([0, 0x15, 0x5d, 1, 7, 0xff]));
        let finding = sample.one("settings.mac-range");
        assert!(finding.level == Level::Warns && finding.message.contains("already: 00-15-5D-01-07-FF"), "{finding:?}");
    }
}
