//! The operating system of the source must be one of those in the guide's table.

use hvm_model::finding::{Level, Subject};
use hvm_model::found::{Found, Place};
use hvm_model::host::WindowsRelease;

use crate::case::Case;
use crate::rule::{ACCEPT_BEYOND, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "os.source-unsupported",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.systems.not-listed",
        title: "The source's release, service pack or architecture is older than or outside the guide's table.",
        answers: &[ACCEPT_BEYOND],
        check: unsupported,
    },
    Rule {
        id: "os.source-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.systems.not-listed",
        title: "The source does not tell which operating system it ran.",
        answers: &[],
        check: unknown,
    },
];

fn places<'a>(found: &[Option<&'a Place>]) -> Vec<&'a Place> {
    found.iter().flatten().copied().collect()
}

fn unsupported(case: &Case<'_>) -> Vec<Seen> {
    let system = &case.inventory.host.system;
    let name = system.product_name.value().map_or("an operating system without a name", String::as_str);
    let mut seen = Vec::new();
    if let Some(architecture) = system.architecture.value().filter(|found| !found.eq_ignore_ascii_case("AMD64")) {
        let message = format!("The source runs {name} for {architecture}; only x64 is supported.");
        seen.push(Seen::new(Subject::Host, message).at_all(system.architecture.place()));
    }
    match system.release.value() {
        Some(WindowsRelease::Server2008) if !has_service_pack_2(case) => {
            let level = system.service_pack.value().map_or("no service pack".to_owned(), |number| match number {
                0 => "no service pack".to_owned(),
                number => format!("Service Pack {number}"),
            });
            let message = format!("The source runs {name} with {level}; Windows Server 2008 needs Service Pack 2.");
            let places = places(&[system.service_pack.place(), system.build.place()]);
            seen.push(Seen::new(Subject::Host, message).at_all(places));
        }
        Some(WindowsRelease::Other) => {
            let message = format!("The source runs {name}, which is not in the guide's list of operating systems.");
            seen.push(Seen::new(Subject::Host, message).at_all(system.release.place()));
        }
        _ => {}
    }
    seen
}

/// Build 6002 is Service Pack 2; newer service packs are supported too.
fn has_service_pack_2(case: &Case<'_>) -> bool {
    let system = &case.inventory.host.system;
    let by_pack = system.service_pack.value().is_some_and(|number| *number >= 2);
    by_pack || system.build.value().is_some_and(|build| *build >= 6002)
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let system = &case.inventory.host.system;
    let reasons = [
        ("release", reason(&system.release)),
        ("edition", reason(&system.edition)),
        ("installation option", reason(&system.installation)),
        ("architecture", reason(&system.architecture)),
    ];
    let missing: Vec<&str> = reasons.iter().filter(|(_, why)| why.is_some()).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let why = reasons.iter().find_map(|(_, why)| *why).unwrap_or_default();
    let message = format!(
        "The {} of the source could not be read. {why} Check by hand that it runs Windows Server 2008 SP2 (full \
         installation) or 2008 R2 for x64 in the Standard, Enterprise or Datacenter edition.",
        missing.join(", ")
    );
    vec![Seen::new(Subject::Host, message)]
}

fn reason<T>(found: &Found<T>) -> Option<&str> {
    match found {
        Found::Unknown { reason } => Some(reason),
        _ => None,
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "os.source-unsupported",
        fires: |sample| sample.release(WindowsRelease::Server2008, 6001, 1),
        quiet: |sample| sample.release(WindowsRelease::Server2008, 6002, 2),
    },
    Example {
        rule: "os.source-unknown",
        fires: |sample| sample.inventory.host.system.release = Found::unknown("An export folder does not tell."),
        quiet: |sample| sample.inventory.host.system.release = read(WindowsRelease::Server2008R2),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn thirty_two_bits_and_clients_are_refused() {
        let mut sample = Sample::new();
        sample.inventory.host.system.architecture = read("x86".to_owned());
        assert!(sample.one("os.source-unsupported").message.contains("for x86"));
        let mut sample = Sample::new();
        sample.inventory.host.system.release = read(WindowsRelease::Other);
        assert!(sample.one("os.source-unsupported").message.contains("not in the guide's list"));
    }
}
