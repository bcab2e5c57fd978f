//! What the destination runs: Windows Server 2012 by the guide.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::{Level, Subject};
use hvm_model::host::WindowsRelease;

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "destination.unsupported",
        level: Level::Blocks,
        under_extended: Level::Notes,
        clause: "guide.systems.destination-2012",
        title: "The destination is not Windows Server 2012.",
        answers: &[],
        check: unsupported,
    },
    Rule {
        id: "destination.too-old",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.systems.destination-2012",
        title: "The destination is older than Windows Server 2012.",
        answers: &[],
        check: too_old,
    },
];

fn is_old(release: WindowsRelease) -> bool {
    release < WindowsRelease::Server2012 || release == WindowsRelease::Other
}

fn unsupported(case: &Case<'_>) -> Vec<Seen> {
    let Some(kind) = case.destination.map(|destination| destination.kind) else {
        return Vec::new();
    };
    match kind {
        DestinationKind::HyperV { release } if release == WindowsRelease::Server2012 || is_old(release) => Vec::new(),
        _ => {
            let message = format!("The destination is {kind}; the guide migrates to Windows Server 2012 only.");
            vec![Seen::new(Subject::Destination, message)]
        }
    }
}

fn too_old(case: &Case<'_>) -> Vec<Seen> {
    match case.destination.map(|destination| destination.kind) {
        Some(DestinationKind::HyperV { release }) if is_old(release) => {
            let message = format!("The destination runs {release}; Windows Server 2012 is the oldest that can be \
                                   migrated to.");
            vec![Seen::new(Subject::Destination, message)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "destination.unsupported",
        fires: |sample| sample.kvm(),
        quiet: |sample| sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2012 },
    },
    Example {
        rule: "destination.too-old",
        fires: |sample| sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2008R2 },
        quiet: |sample| sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 },
    },
];
