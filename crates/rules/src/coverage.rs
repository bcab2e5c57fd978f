//! The guide and what answers it, as a page of documentation.

use std::collections::BTreeSet;
use std::fmt::Write;

use hvm_model::finding::Level;

use crate::guide::{Answer, Clause, clauses};
use crate::rule::{Offered, Rule};
use crate::rules::rules;
use crate::shown::shown;

const HEAD: &str = "# The guide, clause by clause\n\n\
    Each statement of the migration guide that supports, excludes, requires, recommends or warns, in our own words, \
    and what in hvmigrate answers it: a rule that judges, a step of the plan, a check of `verify`, a part of the \
    report, or the reason why nothing does; and the tests that show it. The last chapters are what we require beyond the guide.\n\n\
    This page is generated from `crates/rules/src/guide`, `beyond.rs` and `shown.rs`; \
    `HVM_BLESS=1 cargo test -p hvm-rules coverage` writes it anew.\n";

/// The page `docs/guide-coverage.md`.
pub fn coverage_markdown() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&summary());
    let mut chapters: Vec<&str> = Vec::new();
    for clause in clauses() {
        if !chapters.contains(&clause.chapter) {
            chapters.push(clause.chapter);
        }
    }
    for chapter in chapters {
        line(&mut page, &format!("\n## {chapter}\n"));
        line(&mut page, "| Clause | What it says | Answered by | Shown by |");
        line(&mut page, "| --- | --- | --- | --- |");
        for clause in clauses().iter().filter(|clause| clause.chapter == chapter) {
            let (text, answered) = (cell(clause.text), cell(&answered_by(clause)));
            line(&mut page, &format!("| `{}` | {text} | {answered} | {} |", clause.id, shown_by(clause)));
        }
    }
    line(&mut page, "\n## Rules\n");
    line(&mut page, "Levels are those under the policy `guide`, and under `extended` where they differ.\n");
    line(&mut page, "| Rule | Level | What it finds | Clause | Answers |");
    line(&mut page, "| --- | --- | --- | --- | --- |");
    rules().iter().for_each(|rule| line(&mut page, &rule_line(rule)));
    line(&mut page, "\n## Tests\n");
    line(
        &mut page,
        "What the column 'Shown by' names. Each rule has its own two examples in its file, which the one in `rules/src/tests.rs` runs.\n",
    );
    line(&mut page, "| Number | File | Test |");
    line(&mut page, "| --- | --- | --- |");
    for ((file, test), number) in tests().into_iter().zip(1..) {
        line(&mut page, &format!("| T{number} | `crates/{file}` | `{test}` |"));
    }
    page
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("a string takes all that is written to it");
}

fn summary() -> String {
    let count = |fits: fn(&Answer) -> bool| clauses().iter().filter(|clause| clause.answers.iter().any(fits)).count();
    format!(
        "\n{} clauses: {} judged by rules, {} done by steps, {} checked by `verify`, {} said by the report, {} with a \
         reason why something is not done. {} rules.\n",
        clauses().len(),
        count(|answer| matches!(answer, Answer::Rules(_))),
        count(|answer| matches!(answer, Answer::Steps(_))),
        count(|answer| matches!(answer, Answer::Checks(_))),
        count(|answer| matches!(answer, Answer::Says(_))),
        count(|answer| matches!(answer, Answer::None(_))),
        rules().len()
    )
}

fn answered_by(clause: &Clause) -> String {
    let code = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let one = |answer: &Answer| match answer {
        Answer::Rules(names) => format!("rules {}", code(names)),
        Answer::Steps(names) => format!("steps {}", code(names)),
        Answer::Checks(names) => format!("checks {}", code(names)),
        Answer::Says(what) => format!("says: {what}"),
        Answer::None(why) => format!("not done: {why}"),
    };
    clause.answers.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The tests, by the numbers of the list at the end of the page.
fn shown_by(clause: &Clause) -> String {
    let tests = tests();
    let shown: BTreeSet<_> = clause.answers.iter().flat_map(shown).collect();
    let numbers =
        tests.iter().zip(1..).filter(|(test, _)| shown.contains(test)).map(|(_, number)| format!("T{number}"));
    numbers.collect::<Vec<_>>().join(", ")
}

/// All tests that show something.
fn tests() -> BTreeSet<(&'static str, &'static str)> {
    clauses().iter().flat_map(|clause| clause.answers).flat_map(shown).collect()
}

fn rule_line(rule: &Rule) -> String {
    let level = if rule.level == rule.under_extended {
        rule.level.to_string()
    } else {
        format!("{} / extended: {}", rule.level, rule.under_extended)
    };
    let offers = rule.answers.iter().map(|offer| match offer.offered {
        Offered::Always => format!("`{}`", offer.value),
        Offered::Extended => format!("`{}` (extended)", offer.value),
    });
    let offers: Vec<String> = offers.collect();
    let level = if rule.level == Level::Blocks { format!("**{level}**") } else { level };
    format!("| `{}` | {level} | {} | `{}` | {} |", rule.id, cell(rule.title), rule.clause, cell(&offers.join(", ")))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
