//! Sources that already run Windows Server 2012 or later: the guide sends them to export and import or live migration.

use hvm_model::finding::{Level, Subject};
use hvm_model::host::WindowsRelease;

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "os.source-2012",
        level: Level::Blocks,
        under_extended: Level::Notes,
        clause: "guide.not-provided.source-2012",
        title: "The source already runs Windows Server 2012.",
        answers: &[],
        check: |case| source(case, |release| release == WindowsRelease::Server2012),
    },
    Rule {
        id: "os.source-newer",
        level: Level::Blocks,
        under_extended: Level::Notes,
        clause: "guide.systems.not-listed",
        title: "The source runs a release after Windows Server 2012.",
        answers: &[],
        check: |case| {
            source(case, |release| release > WindowsRelease::Server2012 && release != WindowsRelease::Other)
        },
    },
];

fn source(case: &Case<'_>, fits: fn(WindowsRelease) -> bool) -> Vec<Seen> {
    let release = &case.inventory.host.system.release;
    let Some(found) = release.value().copied().filter(|release| fits(*release)) else {
        return Vec::new();
    };
    let message = format!(
        "The source runs {found}. For such hosts Hyper-V itself offers export and import (machines turned off) or live \
         migration (in a domain): Export-VM and Import-VM, or Move-VM."
    );
    vec![Seen::new(Subject::Host, message).at_all(release.place())]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "os.source-2012",
        fires: |sample| sample.release(WindowsRelease::Server2012, 9200, 0),
        quiet: |sample| sample.release(WindowsRelease::Server2012R2, 9600, 0),
    },
    Example {
        rule: "os.source-newer",
        fires: |sample| sample.release(WindowsRelease::Server2016, 14393, 0),
        quiet: |sample| sample.release(WindowsRelease::Server2012, 9200, 0),
    },
];
