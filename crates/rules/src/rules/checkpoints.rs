//! What becomes of checkpoints: a tree where the destination keeps it, else disks or machines of their own, by the operator's
//! choice.

use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.checkpoints",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.checkpoints.kept",
    title: "A machine has checkpoints; where the tree cannot be kept, each becomes a disk or a machine of its own.",
    answers: &[
        Offer::new("tree", "The checkpoints are built again as they were, each with its parent (the default where that goes)."),
        Offer::new(
            "disks",
            "Each checkpoint becomes a complete disk of its own beside the present one (the default where no tree can be kept).",
        ),
        Offer::new(
            "machines",
            "Each checkpoint becomes a machine of its own, that starts with no host and is connected to no network.",
        ),
        Offer::new("current-only", "Only the present state is migrated."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let keeps = case.destination.is_some_and(|destination| destination.keeps_checkpoints);
    let machines = case.inventory.machines.iter().filter(|machine| !machine.checkpoints.is_empty());
    let seen = machines.map(|machine| {
        let checkpoints = machine.checkpoints.iter();
        let names: Vec<String> = checkpoints.map(|checkpoint| format!("'{}'", checkpoint.name)).collect();
        let has = format!("The virtual machine '{}' has {} checkpoints ({}).", machine.name, names.len(), names.join(", "));
        let places = machine.checkpoints.iter().map(|checkpoint| &checkpoint.place);
        let obstacle = if keeps { machine.tree_obstacle() } else { Some("The destination keeps no checkpoints.".to_owned()) };
        match obstacle {
            None => {
                let message = format!(
                    "{has} They are built again in the same tree, with their names and settings; they get new ids, and the time at \
                     which that is done becomes their creation time. Their disks stay differencing disks."
                );
                Seen::new(of_machine(machine), message).at_all(places)
            }
            Some(obstacle) => {
                let message = format!(
                    "{has} {obstacle} Its present disk is complete without them. Each checkpoint is carried as a complete disk of \
                     its own beside it, with its name; the tree itself is not built again."
                );
                Seen::new(of_machine(machine), message).at_all(places).only(&["disks", "machines", "current-only"])
            }
        }
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.checkpoints",
    fires: |sample| {
        sample.add_checkpoint();
    },
    quiet: |_| {},
}];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn of_two_first_checkpoints_no_tree_can_be_made() {
        let mut sample = Sample::new();
        sample.add_checkpoint();
        let machine = &mut sample.inventory.machines[0];
        assert!(!machine.tree_obstacle().is_some_and(|obstacle| obstacle.contains("Neither")));
        let mut other = machine.checkpoints[0].clone();
        (other.name, other.id) = ("Other".to_owned(), "5C6E3A10-7C2D-4F5A-8E10-A1B2C3D40077".parse().unwrap());
        machine.checkpoints.push(other);
        assert!(machine.tree_obstacle().unwrap().contains("nor 'Other' was made from another checkpoint"));
    }
}
