//! Room for the disks on the destination.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{Offer, Rule, Seen};
use crate::space::needed;
#[cfg(test)]
use crate::tests_support::Example;
#[cfg(test)]
use hvm_model::names::ByteSize;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "destination.space",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "prepare.destination.storage",
        title: "The destination has too little free space for the disks.",
        answers: &[Offer::new("accept", "The plan is made; there will be room before anything is copied.")],
        check: too_little,
    },
    Rule {
        id: "destination.space-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "prepare.destination.storage",
        title: "The free space of the destination is not known.",
        answers: &[],
        check: unknown,
    },
];

fn too_little(case: &Case<'_>) -> Vec<Seen> {
    let Some((destination, free)) = case.destination.and_then(|there| there.free_space.map(|free| (there, free))) else {
        return Vec::new();
    };
    let needed = needed(case, destination);
    let format = destination.disk_format;
    let message = format!("The machines need at least {needed} on the destination as {format}; {free} are free.");
    if needed > free { vec![Seen::new(Subject::Destination, message)] } else { Vec::new() }
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let Some(destination) = case.destination.filter(|destination| destination.free_space.is_none()) else {
        return Vec::new();
    };
    let needed = needed(case, destination);
    let message = format!(
        "The free space of the destination is not known. Check that there are at least {needed} for the disks as {}.",
        destination.disk_format
    );
    if needed.0 > 0 { vec![Seen::new(Subject::Destination, message)] } else { Vec::new() }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "destination.space",
        fires: |sample| sample.destination().free_space = Some(ByteSize(3 << 30)),
        quiet: |sample| sample.destination().free_space = Some(ByteSize(4 << 30)),
    },
    Example {
        rule: "destination.space-unknown",
        fires: |sample| sample.destination().free_space = None,
        quiet: |sample| {
            sample.destination().free_space = None;
            sample.inventory.machines.clear();
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;
    use hvm_model::capabilities::DiskFormat;

    #[test]
    fn fixed_disks_need_their_whole_size_and_checkpoints_one_disk_each() {
        let mut sample = Sample::new();
        sample.destination().disk_format = DiskFormat::VhdFixed;
        sample.destination().free_space = Some(ByteSize(39 << 30));
        assert!(sample.one("destination.space").message.contains("at least 40 GiB"));
        sample.add_checkpoint();
        assert!(sample.one("destination.space").message.contains("at least 80 GiB"));
        sample.answer("machine.checkpoints@Web=current-only");
        assert!(sample.one("destination.space").message.contains("at least 40 GiB"));
    }

    #[test]
    fn a_fixed_disk_stays_fixed_on_hyper_v_only() {
        let mut sample = Sample::new();
        sample.inventory.disks[0].format = "vhd-fixed".to_owned();
        sample.destination().free_space = Some(ByteSize(1 << 30));
        assert!(sample.one("destination.space").message.contains("at least 40 GiB"));
        sample.kvm();
        assert!(sample.one("destination.space").message.contains("at least 4 GiB"));
    }

    #[test]
    fn images_count_once() {
        let mut sample = Sample::new();
        sample.add_image(Some(ByteSize(1 << 30)));
        sample.destination().free_space = Some(ByteSize(4 << 30));
        assert!(sample.one("destination.space").message.contains("at least 5 GiB"));
    }
}
