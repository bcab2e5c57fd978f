//! Members of failover clusters, and machines that belonged to one.

use hvm_model::finding::{Level, Subject};

use crate::case::{Case, of_machine};
use crate::rule::{ACCEPT_BEYOND, EXCLUDE, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, place};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "cluster.member",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.not-provided.clusters",
        title: "The source is a member of a failover cluster.",
        answers: &[ACCEPT_BEYOND],
        check: member,
    },
    Rule {
        id: "machine.highly-available",
        level: Level::Blocks,
        under_extended: Level::Warns,
        clause: "guide.not-provided.clusters",
        title: "A machine is configured as a resource of a cluster.",
        answers: &[EXCLUDE],
        check: highly_available,
    },
];

fn member(case: &Case<'_>) -> Vec<Seen> {
    let Some(cluster) = &case.inventory.host.cluster else {
        return Vec::new();
    };
    let named = cluster.name.as_ref().map(|name| format!("the failover cluster '{name}'"));
    let name = named.unwrap_or("a failover cluster".to_owned());
    let message = format!(
        "The source is a member of {name}. Its machines may run on another node, and their disks may lie on shared \
         storage that another node has open; migrate the cluster as a cluster, or take the node out of it first."
    );
    vec![Seen::new(Subject::Host, message).at_all(&cluster.places)]
}

fn highly_available(case: &Case<'_>) -> Vec<Seen> {
    let machines = case.inventory.machines.iter().filter(|machine| machine.highly_available);
    let seen = machines.map(|machine| {
        let message = format!(
            "The virtual machine '{}' is configured as a resource of a cluster; it is migrated as a machine of one \
             host.",
            machine.name
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "cluster.member",
        fires: |sample| {
            let places = vec![place("CLUSDB")];
            sample.inventory.host.cluster = Some(hvm_model::host::ClusterMembership { name: None, places });
        },
        quiet: |sample| sample.inventory.host.cluster = None,
    },
    Example {
        rule: "machine.highly-available",
        fires: |sample| sample.inventory.machines[0].highly_available = true,
        quiet: |sample| sample.inventory.machines[0].highly_available = false,
    },
];
