//! A host once more, for each release of Windows Server: a kit, its proof, and what differs from the release before.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_model::plan::Verdict;
use hvm_model::report::Report;
use hvm_testkit::sample::SampleHost;
use hvm_testkit::sample_2016;

use super::stage::{Origin, Stage, Target};
use super::{heading, look};
use crate::cli::report;
use crate::messages::Failure;
use crate::output;

/// Word of the release in a URI, and its name.
const RELEASES: [(&str, &str); 6] = [
    ("2012", "Windows Server 2012"),
    ("2012R2", "Windows Server 2012 R2"),
    ("2016", "Windows Server 2016"),
    ("2019", "Windows Server 2019"),
    ("2022", "Windows Server 2022"),
    ("2025", "Windows Server 2025"),
];

/// Settings that a release does not carry: what and of whom → why.
type Lost = BTreeMap<(String, String), String>;

/// Writes the kits; true when all was proved. `first` is the report of the kit for Windows Server 2012.
pub fn run(folder: &Path, host: &SampleHost, first: &Report) -> Result<bool, Failure> {
    heading("The same host for each later release of Windows Server")?;
    each(folder, Origin::Sample(host), (&RELEASES[1..], Some(lost(first))))
}

/// The same for a host of Windows Server 2019, with configurations in tables, machines of generation 2 and a virtual TPM; true when all
/// was proved and the source is as it was.
pub fn newer(folder: &Path) -> Result<bool, Failure> {
    heading("A host of Windows Server 2019, with a machine of generation 2, for each release")?;
    let source = folder.join(Origin::Newer.folder());
    sample_2016::write(&source)
        .and_then(|()| sample_2016::write_ports(&source))
        .and_then(|()| sample_2016::write_template(&source))
        .map_err(|error| Failure::failed("The host of Windows Server 2019 could not be written.").caused_by(error))?;
    let before = look(&source)?;
    let good = each(folder, Origin::Newer, (&RELEASES, None))?;
    Ok(good && look(&source)? == before)
}

fn each(
    folder: &Path,
    origin: Origin<'_>,
    (releases, mut before): (&[(&'static str, &'static str)], Option<Lost>),
) -> Result<bool, Failure> {
    let mut all_good = true;
    for release in releases {
        let stage = Stage { folder, origin, target: Target::release(folder, origin.prefix().to_owned(), *release) };
        let (document, good) = stage.run_silently()?;
        let (word, title) = release;
        report::write(&document, &folder.join(format!("report-{}{word}", origin.prefix())))?;
        let now = lost(&document);
        let differs = before.map_or_else(|| not_carried(&now), |before| differences(&before, &now));
        let lines = [left_out(&document), put_back(&document), differs].concat();
        output::data(&format!("{title}: {}\n{lines}", proof(&document)))?;
        before = Some(now);
        all_good &= good;
    }
    Ok(all_good)
}

/// The machines that stay where they are.
fn left_out(document: &Report) -> String {
    let machines = document.plan.iter().flat_map(|plan| &plan.machines);
    let stays = machines.filter(|machine| machine.verdict != Verdict::Migrate);
    stays.map(|machine| format!("  stays behind: {}\n", machine.name)).collect()
}

/// The machines that keep their ids, because the release imports their own configurations.
fn put_back(document: &Report) -> String {
    let machines = document.plan.iter().flat_map(|plan| &plan.role.machines);
    let registered = machines.filter(|machine| machine.registration().is_some());
    registered.map(|machine| format!("  keeps its id: {}\n", machine.name)).collect()
}

fn lost(document: &Report) -> Lost {
    let all = document.not_carried.iter();
    all.map(|lost| ((lost.setting.subject.clone(), lost.setting.item.clone()), lost.reason.clone())).collect()
}

fn proof(document: &Report) -> String {
    let Some(verification) = &document.verification else { return "not verified".to_owned() };
    format!(
        "{} disks and {} settings verified, {} differ; {} settings have no counterpart",
        verification.disks,
        verification.settings,
        verification.differences.len(),
        document.not_carried.len()
    )
}

fn not_carried(lost: &Lost) -> String {
    let line = |((subject, item), reason): (&(String, String), &String)| {
        format!("  not carried: {item} of {subject}: {reason}\n")
    };
    lost.iter().map(line).collect()
}

/// What is carried now and was not before, and the other way round.
fn differences(before: &Lost, now: &Lost) -> String {
    let gained = before.keys().filter(|key| !now.contains_key(*key));
    let mut lines: Vec<String> =
        gained.map(|(subject, item)| format!("  now carried: {item} of {subject}\n")).collect();
    for ((subject, item), reason) in now.iter().filter(|(key, _)| !before.contains_key(*key)) {
        lines.push(format!("  no longer carried: {item} of {subject}: {reason}\n"));
    }
    if lines.is_empty() { "  carries what the release before does\n".to_owned() } else { lines.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_both_ways() {
        let of = |items: &[&str]| -> Lost {
            items.iter().map(|item| (("host".to_owned(), (*item).to_owned()), "because".to_owned())).collect()
        };
        assert_eq!(
            differences(&of(&["a", "b"]), &of(&["b", "c"])),
            "  now carried: a of host\n  no longer carried: c of host: because\n"
        );
        assert_eq!(differences(&of(&["a"]), &of(&["a"])), "  carries what the release before does\n");
    }
}
