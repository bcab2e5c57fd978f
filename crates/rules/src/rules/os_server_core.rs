//! Windows Server 2008 must be a full installation; 2008 R2 may be Server Core.

use hvm_model::finding::{Level, Subject};
use hvm_model::host::{Installation, WindowsRelease};

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "os.server-core-2008",
    level: Level::Blocks,
    under_extended: Level::Notes,
    clause: "guide.systems.2008-sp2-full",
    title: "The source is a Server Core installation of Windows Server 2008.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let system = &case.inventory.host.system;
    let is_2008 = system.release.value() == Some(&WindowsRelease::Server2008);
    let is_core = system.installation.value() == Some(&Installation::Core);
    let message = "The source is a Server Core installation of Windows Server 2008; the guide supports the full \
                   installation only. hvmigrate reads the files of both in the same way.";
    let seen = Seen::new(Subject::Host, message).at_all(system.installation.place());
    if is_2008 && is_core { vec![seen] } else { Vec::new() }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "os.server-core-2008",
    fires: |sample| {
        sample.release(WindowsRelease::Server2008, 6002, 2);
        sample.inventory.host.system.installation = read(Installation::Core);
    },
    quiet: |sample| sample.inventory.host.system.installation = read(Installation::Core),
}];
