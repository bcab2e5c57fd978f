//! The same host once more, for each later release of Windows Server: a kit, its proof, and what differs from the release
//! before.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_model::report::Report;
use hvm_testkit::sample::SampleHost;

use super::heading;
use super::stage::{Stage, Target};
use crate::cli::report;
use crate::messages::Failure;
use crate::output;

/// Word of the release in a URI, and its name.
const LATER: [(&str, &str); 5] = [
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
    let mut before = lost(first);
    let mut all_good = true;
    for (word, title) in LATER {
        let stage = Stage { folder, host, target: Target::release(folder, word, title) };
        let (document, good) = stage.run_silently()?;
        report::write(&document, &folder.join(format!("report-{word}")))?;
        let now = lost(&document);
        output::data(&format!("{title}: {}\n{}", proof(&document), differences(&before, &now)))?;
        before = now;
        all_good &= good;
    }
    Ok(all_good)
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
