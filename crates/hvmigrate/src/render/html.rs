//! The report as one HTML file: no script, nothing loaded from elsewhere, so that it can be read offline and archived.

mod guests;
mod machines;
mod proof;
mod settings;
mod steps;

use hvm_engine::rules::clause;
use hvm_model::finding::{Finding, Level};
use hvm_model::plan::Verdict;
use hvm_model::report::Report;

use super::assessment::{answer_text, host_line};
use super::page::Page;
use super::style::STYLE;
use super::words::{count, duration, event, level_meaning};

/// The report as HTML.
pub fn report(report: &Report) -> String {
    let mut page = Page::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    page.wrap("<title>", title(report), "</title>\n").raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    header(&mut page, report);
    page.raw("<main>\n");
    summary(&mut page, report);
    remaining(&mut page, report);
    machines::section(&mut page, report);
    guests::section(&mut page, report);
    findings(&mut page, report);
    settings::networks(&mut page, report);
    settings::section(&mut page, report);
    steps::section(&mut page, report);
    proof::section(&mut page, report);
    unknowns(&mut page, report);
    journal(&mut page, report);
    page.raw("</main>\n");
    page.wrap("<footer><p>Made by ", &report.tool, " on ").text(&report.created);
    page.raw(". The same document for programs is <code>report.json</code> beside this file.</p></footer>\n");
    page.raw("</body>\n</html>\n");
    page.finish()
}

fn host_name(report: &Report) -> &str {
    report.inventory.host.computer_name.value().map_or("a host without a name", String::as_str)
}

fn destination_kind(report: &Report) -> String {
    report.destination.as_ref().map_or_else(|| "no destination yet".to_owned(), |to| to.kind.to_string())
}

fn title(report: &Report) -> String {
    format!("Migration of {} to {}", host_name(report), destination_kind(report))
}

fn header(page: &mut Page, report: &Report) {
    page.raw("<header><div class=\"in\">\n").wrap("<h1>", title(report), "</h1>\n");
    page.wrap("<p>", host_line(&report.inventory), "</p>\n");
    page.wrap("<p>From <code>", &report.inventory.source.uri, "</code></p>\n");
    if let Some(to) = &report.destination {
        page.wrap("<p>To <code>", &to.uri, "</code></p>\n");
    }
    page.wrap("<p>", &report.created, "");
    if let Some(plan) = &report.plan {
        page.text(format!(" · policy {}", plan.policy));
    }
    page.raw("</p>\n<nav aria-label=\"Parts of this report\"><a href=\"#summary\">Summary</a>");
    page.raw("<a href=\"#remaining\">What remains</a><a href=\"#machines\">Machines</a><a href=\"#guests\">Guests</a>");
    page.raw("<a href=\"#findings\">Findings</a><a href=\"#networks\">Networks</a><a href=\"#settings\">Settings</a><a href=\"#steps\">Steps</a>");
    page.raw(
        "<a href=\"#proof\">Verification</a><a href=\"#unknown\">Unknown</a><a href=\"#journal\">Journal</a></nav>\n",
    );
    page.raw("</div></header>\n");
}

/// How far the migration is, as a sentence with its colour.
pub fn status(report: &Report) -> (&'static str, String) {
    let Some(plan) = &report.plan else {
        return ("wait", "There is no plan yet: this is an assessment.".to_owned());
    };
    if !plan.blocked.is_empty() {
        return (
            "bad",
            format!("Blocked: {}. Nothing can be migrated until this is answered.", plan.blocked.join(", ")),
        );
    }
    if let Some(failed) = report.steps.iter().find(|step| step.state == "failed") {
        return ("bad", format!("The step \u{201C}{}\u{201D} failed; run migrate again to go on.", failed.title));
    }
    if let Some(verification) = &report.verification {
        if !verification.differences.is_empty() {
            return ("bad", format!("Verified: {}.", count(verification.differences.len(), "difference")));
        }
        return (
            "good",
            "Migrated and verified: nothing differs from what was read from the source and from the plan.".to_owned(),
        );
    }
    let done = report.steps.iter().filter(|step| is_over(&step.state)).count();
    if done == report.steps.len() {
        ("wait", "Migrated; not verified yet.".to_owned())
    } else {
        ("wait", format!("Under way: {done} of {} steps are done.", report.steps.len()))
    }
}

/// True when nothing more is to be done for a step in this state.
pub fn is_over(state: &str) -> bool {
    matches!(state, "done" | "confirmed")
}

fn card(page: &mut Page, value: impl AsRef<str>, label: impl AsRef<str>) {
    page.wrap("<div class=\"card\"><b>", value, "</b>").wrap("<span>", label, "</span></div>\n");
}

fn summary(page: &mut Page, report: &Report) {
    page.raw("<section id=\"summary\"><h2>Summary</h2>\n");
    let (colour, sentence) = status(report);
    page.raw(match colour {
        "good" => "<p class=\"banner good\" role=\"status\">✓ ",
        "bad" => "<p class=\"banner bad\" role=\"status\">✗ ",
        _ => "<p class=\"banner wait\" role=\"status\">… ",
    });
    page.text(sentence).raw("</p>\n<div class=\"cards\">\n");
    match &report.plan {
        Some(plan) => {
            let moved = plan.machines.iter().filter(|machine| machine.verdict == Verdict::Migrate).count();
            let label = format!("of {} migrate", count(plan.machines.len(), "virtual machine"));
            card(page, moved.to_string(), label);
        }
        None => card(page, report.inventory.machines.len().to_string(), "virtual machines found"),
    }
    proof::cards(page, report);
    let spent: f64 = report.steps.iter().filter_map(|step| step.seconds).sum();
    if let Some(plan) = &report.plan
        && spent > 0.0
    {
        card(page, duration(spent), format!("spent; {} were estimated for copying", duration(plan.estimate.seconds)));
    }
    let label = if report.remaining.len() == 1 { "thing remains for a person" } else { "things remain for a person" };
    card(page, report.remaining.len().to_string(), label);
    page.raw("</div>\n</section>\n");
}

fn remaining(page: &mut Page, report: &Report) {
    page.raw("<section id=\"remaining\"><h2>What remains for a person</h2>\n");
    if report.remaining.is_empty() {
        page.raw("<p>Nothing.</p>\n");
    } else {
        page.raw("<ol class=\"todo\">\n");
        for line in &report.remaining {
            remaining_line(page, line);
        }
        page.raw("</ol>\n");
    }
    page.raw("</section>\n");
}

/// One thing to do: its first sentence stands out, the step that confirms it is set off.
fn remaining_line(page: &mut Page, line: &str) {
    let (text, step) = match line.rsplit_once(" (step ") {
        Some((text, step)) => (text, step.trim_end_matches(')')),
        None => (line, ""),
    };
    let (title, rest) = text.split_once(". ").unwrap_or((text, ""));
    page.wrap("<li><strong>", title, "</strong>");
    if !rest.is_empty() {
        page.wrap(". ", rest, "");
    }
    if !step.is_empty() {
        page.wrap(" <code>", step, "</code>");
    }
    page.raw("</li>\n");
}

fn findings(page: &mut Page, report: &Report) {
    page.raw("<section id=\"findings\"><h2>Findings</h2>\n");
    page.raw("<p class=\"dim\">What the migration guide says of this host, clause by clause.</p>\n");
    for level in [Level::Blocks, Level::Manual, Level::Warns, Level::Notes] {
        let of_level: Vec<&Finding> = report.findings.iter().filter(|finding| finding.level == level).collect();
        if of_level.is_empty() {
            continue;
        }
        let heading = match level {
            Level::Blocks => "Not supported",
            Level::Manual => "Manual intervention",
            Level::Warns => "Warnings",
            Level::Notes => "Notes",
        };
        page.wrap("<h3>", format!("{heading} ({})", of_level.len()), "</h3>\n");
        page.wrap("<p class=\"dim\">", sentence_case(level_meaning(level)), ".</p>\n");
        for finding in of_level {
            one_finding(page, &report.findings, finding);
        }
    }
    if report.findings.is_empty() {
        page.raw("<p>None.</p>\n");
    }
    page.raw("</section>\n");
}

fn one_finding(page: &mut Page, all: &[Finding], finding: &Finding) {
    page.raw(match finding.level {
        Level::Blocks => "<div class=\"finding blocks\">",
        Level::Manual => "<div class=\"finding manual\">",
        Level::Warns => "<div class=\"finding warns\">",
        Level::Notes => "<div class=\"finding notes\">",
    });
    page.wrap("<p><strong>", sentence_case(&finding.subject.to_string()), "</strong> ");
    page.wrap("<code>", &finding.rule, "</code> ").wrap("<span class=\"dim\">clause ", &finding.clause, "</span></p>");
    page.wrap("<p>", &finding.message, "</p>");
    if let Some(clause) = clause(&finding.clause) {
        page.raw(match clause.id.starts_with("beyond.") {
            true => "<p class=\"dim\">Beyond the guide: ",
            false => "<p class=\"dim\">The guide: ",
        });
        page.text(clause.text).raw("</p>");
    }
    if let Some(note) = &finding.policy_note {
        page.wrap("<p class=\"dim\">", note, "</p>");
    }
    for place in &finding.places {
        page.wrap("<p class=\"places\">read in <code>", place.to_string(), "</code></p>");
    }
    match &finding.answer {
        Some(answer) => {
            page.wrap("<p><span class=\"tag good\">answered</span> <code>", answer, "</code></p>");
        }
        None if finding.is_open() => {
            for answer in &finding.answers {
                page.wrap("<p class=\"places\"><code>--answer ", answer_text(all, finding, &answer.value), "</code> ");
                page.wrap("", &answer.effect, "</p>");
            }
        }
        None => {}
    }
    page.raw("</div>\n");
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn unknowns(page: &mut Page, report: &Report) {
    page.raw("<section id=\"unknown\"><h2>Problems and unknowns</h2>\n");
    let inventory = &report.inventory;
    if inventory.problems.is_empty() {
        page.raw("<p>Every file of the source that was looked for could be read.</p>\n");
    } else {
        page.raw(
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Could not be read</th><th scope=\"col\">Why</th>",
        );
        page.raw("<th scope=\"col\">Where</th><th scope=\"col\">What to do</th></tr></thead><tbody>\n");
        for problem in &inventory.problems {
            page.raw("<tr>").cell(format!("{} ({})", problem.subject, problem.kind)).cell(&problem.message);
            page.code_cell(problem.place.to_string()).cell(&problem.hint).raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
    if !inventory.unknowns.is_empty() {
        page.raw("<h3>What these files cannot tell</h3>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">Unknown</th>");
        page.raw("<th scope=\"col\">Why</th><th scope=\"col\">How to learn it</th></tr></thead><tbody>\n");
        for unknown in &inventory.unknowns {
            page.raw("<tr>").cell(&unknown.item).cell(&unknown.reason).cell(&unknown.how_to_learn).raw("</tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
    page.raw("</section>\n");
}

fn journal(page: &mut Page, report: &Report) {
    page.raw("<section id=\"journal\"><h2>Journal</h2>\n");
    let summary = count(report.journal.len(), "record");
    page.wrap(
        "<details><summary>",
        summary,
        "</summary>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">No.</th>",
    );
    page.raw("<th scope=\"col\">When</th><th scope=\"col\">What happened</th></tr></thead><tbody>\n");
    for record in &report.journal {
        page.raw("<tr><td class=\"n\">").number(record.number).raw("</td>");
        page.wrap("<td class=\"nw\">", &record.at, "</td>").cell(event(&record.event)).raw("</tr>\n");
    }
    page.raw("</tbody></table></div></details>\n</section>\n");
}
