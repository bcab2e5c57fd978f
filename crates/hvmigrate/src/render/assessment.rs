//! An assessment as text for people and as JSON for programs.

use std::fmt::Write;

use hvm_engine::Assessment;
use hvm_model::choices::Policy;
use hvm_model::finding::{Finding, Level, Subject};
use hvm_model::found::{Problem, Unknown};
use hvm_model::guest::Guest;
use hvm_model::inventory::{Inventory, SCHEMA_VERSION};
use serde::Serialize;

use super::guests;
use super::words::{count, level_meaning};
use crate::messages::shell_quote;

const LEVELS: [Level; 4] = [Level::Blocks, Level::Manual, Level::Warns, Level::Notes];
const WIDTH: usize = 108;

/// An assessment as a document.
#[derive(Serialize)]
pub struct Document<'a> {
    schema: u32,
    tool: &'static str,
    source: Source<'a>,
    destination: Option<Destination<'a>>,
    policy: Policy,
    findings: &'a [Finding],
    guests: &'a [Guest],
    problems: &'a [Problem],
    unknowns: &'a [Unknown],
    summary: Summary,
}

#[derive(Serialize)]
struct Source<'a> {
    uri: &'a str,
    reach: &'a str,
    layout: &'a str,
    host: Option<&'a str>,
    release: Option<String>,
    machines: usize,
    disks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<&'a str>,
}

#[derive(Serialize)]
struct Destination<'a> {
    uri: &'a str,
    kind: String,
}

#[derive(Serialize)]
struct Summary {
    blocks: usize,
    manual: usize,
    warns: usize,
    notes: usize,
    open: usize,
    problems: usize,
}

/// Name and version of the tool, as documents name it.
pub const TOOL: &str = concat!("hvmigrate ", env!("CARGO_PKG_VERSION"));

/// The assessment as a document.
pub fn document(assessment: &Assessment) -> Document<'_> {
    let inventory = &assessment.inventory;
    let of = |level| assessment.findings.iter().filter(|finding| finding.level == level).count();
    Document {
        schema: SCHEMA_VERSION,
        tool: TOOL,
        source: Source {
            uri: &inventory.source.uri,
            reach: &inventory.source.reach,
            layout: &inventory.source.layout,
            host: inventory.host.computer_name.value().map(String::as_str),
            release: inventory.host.system.release.value().map(ToString::to_string),
            machines: inventory.machines.len(),
            disks: inventory.disks.len(),
            files: inventory.source.files.as_deref(),
        },
        destination: assessment.destination.as_ref().map(|to| Destination { uri: &to.uri, kind: to.kind.to_string() }),
        policy: assessment.choices.policy,
        findings: &assessment.findings,
        guests: &inventory.guests,
        problems: &inventory.problems,
        unknowns: &inventory.unknowns,
        summary: Summary {
            blocks: of(Level::Blocks),
            manual: of(Level::Manual),
            warns: of(Level::Warns),
            notes: of(Level::Notes),
            open: assessment.findings.iter().filter(|finding| finding.is_open()).count(),
            problems: inventory.problems.len(),
        },
    }
}

/// The assessment for people.
pub fn text(assessment: &Assessment) -> String {
    let mut out = head(assessment);
    for level in LEVELS {
        level_section(&mut out, level, &assessment.findings);
    }
    guests::section(&mut out, &assessment.inventory);
    problems_section(&mut out, &assessment.inventory.problems);
    unknowns_section(&mut out, &assessment.inventory.unknowns);
    out.push_str(&summary_line(assessment));
    out
}

fn head(assessment: &Assessment) -> String {
    let inventory = &assessment.inventory;
    let mut out = format!("Assessment of {}\n", host_line(inventory));
    let _ = writeln!(out, "  source       {}", inventory.source.uri);
    if let Some(way) = &inventory.source.files {
        let _ = writeln!(out, "  files        {way}");
    }
    match &assessment.destination {
        Some(to) => {
            let _ = writeln!(out, "  destination  {}: {}", to.kind, to.uri);
        }
        None => out.push_str("  destination  not given: only the source is judged\n"),
    }
    let _ = writeln!(out, "  policy       {}", assessment.choices.policy);
    let _ = writeln!(
        out,
        "  found        {}, {}, {}\n",
        count(inventory.machines.len(), "virtual machine"),
        count(inventory.disks.len(), "disk file"),
        count(inventory.switches.len(), "virtual network"),
    );
    out
}

/// `HV-OLD-01, Windows Server 2008 R2 Enterprise (6.1.7601 SP1)`.
pub fn host_line(inventory: &Inventory) -> String {
    let host = &inventory.host;
    let name = host.computer_name.value().map_or("a host without a name", String::as_str);
    let system = &host.system;
    let product = match (system.product_name.value(), system.release.value()) {
        (Some(product), _) => product.clone(),
        (None, Some(release)) => release.to_string(),
        (None, None) => "unknown operating system".to_owned(),
    };
    let mut line = format!("{name}, {product}");
    if let (Some(version), Some(build)) = (system.version.value(), system.build.value()) {
        let _ = write!(line, " ({version}.{build}");
        if let Some(pack) = system.service_pack.value().filter(|pack| **pack > 0) {
            let _ = write!(line, " SP{pack}");
        }
        line.push(')');
    }
    line
}

fn level_section(out: &mut String, level: Level, findings: &[Finding]) {
    let of_level: Vec<&Finding> = findings.iter().filter(|finding| finding.level == level).collect();
    if of_level.is_empty() {
        return;
    }
    let name = level.to_string().to_uppercase();
    let _ = writeln!(out, "{name} ({}): {}", of_level.len(), level_meaning(level));
    for group in by_subject(&of_level) {
        let _ = writeln!(out, "  {}", group.0);
        for finding in group.1 {
            finding_lines(out, findings, finding);
        }
    }
    out.push('\n');
}

/// Findings grouped by machine (or other subject), in the order in which the groups first appear.
fn by_subject<'a>(findings: &[&'a Finding]) -> Vec<(String, Vec<&'a Finding>)> {
    let mut groups: Vec<(String, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let title = finding.subject.to_string();
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, members)) => members.push(finding),
            None => groups.push((title, vec![finding])),
        }
    }
    groups
}

fn finding_lines(out: &mut String, all: &[Finding], finding: &Finding) {
    let _ = writeln!(out, "    {}  [{}]", finding.rule, finding.clause);
    wrapped(out, 6, &finding.message);
    if let Some(note) = &finding.policy_note {
        wrapped(out, 6, note);
    }
    for place in &finding.places {
        let _ = writeln!(out, "      read in {place}");
    }
    if let Some(answer) = &finding.answer {
        let _ = writeln!(out, "      answered: {answer}");
        return;
    }
    for answer in &finding.answers {
        let _ = writeln!(out, "      --answer {}", answer_text(all, finding, &answer.value));
        wrapped(out, 10, &answer.effect);
    }
}

/// The answer as it can be pasted behind `--answer`: by the id of a machine where its name would mean another one too.
pub fn answer_text(all: &[Finding], finding: &Finding, value: &str) -> String {
    let mut name = finding.subject.name();
    let other = |other: &&Finding| other.rule == finding.rule && other.subject != finding.subject;
    if all.iter().filter(other).any(|other| other.subject.is_called(&name))
        && let Subject::Machine { id, .. } = &finding.subject
    {
        name = id.to_string();
    }
    shell_quote(&format!("{}@{name}={value}", finding.rule))
}

fn problems_section(out: &mut String, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    let _ = writeln!(out, "PROBLEMS ({}): pieces of the source that could not be read", problems.len());
    for problem in problems {
        let _ = writeln!(out, "  {}: {}", problem.subject, problem.kind);
        wrapped(out, 6, &problem.message);
        let _ = writeln!(out, "      met in {}", problem.place);
        if !problem.hint.is_empty() {
            let _ = writeln!(out, "      Hint: {}", problem.hint);
        }
    }
    out.push('\n');
}

fn unknowns_section(out: &mut String, unknowns: &[Unknown]) {
    if unknowns.is_empty() {
        return;
    }
    let _ = writeln!(out, "UNKNOWN ({}): what these files cannot tell", unknowns.len());
    for unknown in unknowns {
        let _ = writeln!(out, "  {}", unknown.item);
        wrapped(out, 6, &unknown.reason);
        wrapped(out, 6, &format!("To learn it: {}", unknown.how_to_learn));
    }
    out.push('\n');
}

/// The counts in one line.
pub fn summary_line(assessment: &Assessment) -> String {
    let summary = document(assessment).summary;
    format!(
        "{} blocking ({} open), {} manual, {}, {}, {} with reading.\n",
        summary.blocks,
        summary.open,
        summary.manual,
        count(summary.warns, "warning"),
        count(summary.notes, "note"),
        count(summary.problems, "problem"),
    )
}

/// Appends `text` broken into lines of at most [`WIDTH`] characters, each indented.
pub fn wrapped(out: &mut String, indent: usize, text: &str) {
    let pad = " ".repeat(indent);
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count();
        if length > 0 && indent + length + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{pad}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{pad}{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_broken_between_words_only() {
        let mut out = String::new();
        wrapped(&mut out, 6, &"Prozessor ".repeat(40));
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH && line.starts_with("      P")));
        let mut path = String::new();
        wrapped(&mut path, 2, &"x".repeat(300));
        assert_eq!(path.trim().len(), 300);
    }

    #[test]
    fn an_answer_means_one_machine() {
        let finding = |id: &str, name: &str| Finding {
            rule: "machine.saved-state".to_owned(),
            level: Level::Blocks,
            clause: String::new(),
            subject: Subject::Machine { id: id.parse().unwrap(), name: name.to_owned() },
            message: String::new(),
            places: Vec::new(),
            answers: Vec::new(),
            answer: None,
            policy_note: None,
        };
        let (one, other) = ("1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40001", "1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40002");
        let all = [finding(one, "web"), finding(other, "Mail")];
        assert_eq!(answer_text(&all, &all[0], "discard"), "machine.saved-state@web=discard");
        let all = [finding(one, "web"), finding(other, "Web")];
        assert_eq!(answer_text(&all, &all[0], "discard"), format!("machine.saved-state@{one}=discard"));
    }
}
