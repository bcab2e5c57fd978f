//! Roles beside Hyper-V: the guide has no instructions for such a server.

use hvm_model::finding::Level;

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, place};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "os.several-roles",
    level: Level::Blocks,
    under_extended: Level::Warns,
    clause: "guide.scenarios.several-roles",
    title: "The source has another server role beside Hyper-V.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.host.other_roles.iter().map(|role| {
        let message = format!(
            "The source also has the role '{}' (service '{}'), which is not migrated. It may fail when the source \
             is turned off or when its computer name or addresses move; plan for it separately. Best practice is a \
             Hyper-V server without other roles.",
            role.name, role.service
        );
        Seen::new(of_setting(&role.name), message).at(&role.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "os.several-roles",
    fires: |sample| {
        sample.inventory.host.other_roles.push(hvm_model::host::ServerRole {
            name: "DHCP Server".to_owned(),
            service: "DHCPServer".to_owned(),
            place: place("SYSTEM"),
        });
    },
    quiet: |sample| sample.inventory.host.other_roles.clear(),
}];
