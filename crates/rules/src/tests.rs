//! Tests over the tables: every clause answered, every name real, every rule shown to fire and to stay quiet.

use std::collections::BTreeSet;
use std::path::Path;

use hvm_model::choices::Policy;
use hvm_model::finding::Level;

use crate::guide::Answer;
use crate::rules::examples;
use crate::tests_support::Sample;
use crate::{clause, clauses, coverage_markdown, rule, rules};

/// What step ids of plans, and instructions of a rollback, begin with.
const STEPS: [&str; 32] = [
    "confirm.backup",
    "confirm.access-rights",
    "confirm.downtime",
    "confirm.domain-controller",
    "confirm.destination-role",
    "check.source",
    "check.destination",
    "take-folder",
    "copy-disk.",
    "copy-file.",
    "confirm.source-off",
    "apply-settings",
    "create-switch.",
    "create-management-adapter.",
    "create-checkpoint.",
    "register-machine.",
    "complete",
    "carry-over.",
    "import-on-host",
    "observe-on-host",
    "confirm.external-network.",
    "confirm.firewall",
    "confirm.remote-administration",
    "confirm.pass-through.",
    "confirm.move-disks.",
    "confirm.images.",
    "confirm.vlan.",
    "confirm.clients",
    "confirm.source-role-removed",
    "rollback.source",
    "rollback.destination",
    "rollback.clients",
];
const CHECKS: [&str; 5] =
    ["verify.disks", "verify.settings", "verify.files", "verify.machines-list", "verify.checkpoints"];

fn policies() -> [Policy; 2] {
    [Policy::Guide, Policy::Extended]
}

#[test]
fn every_clause_is_answered_by_what_exists() {
    for clause in clauses() {
        assert!(!clause.answers.is_empty(), "{} has no answer", clause.id);
        assert!(clause.text.ends_with('.') && !clause.chapter.is_empty(), "{}", clause.id);
        for answer in clause.answers {
            match answer {
                Answer::Rules(names) => names.iter().for_each(|id| assert!(rule(id).is_some(), "{}: {id}", clause.id)),
                Answer::Steps(names) => names.iter().for_each(|id| assert!(STEPS.contains(id), "{}: {id}", clause.id)),
                Answer::Checks(names) => {
                    names.iter().for_each(|id| assert!(CHECKS.contains(id), "{}: {id}", clause.id));
                }
                Answer::Says(text) | Answer::None(text) => assert!(text.len() > 20, "{}: {text}", clause.id),
            }
        }
    }
}

#[test]
fn every_step_and_check_answers_some_clause() {
    let named: BTreeSet<&str> = clauses()
        .iter()
        .flat_map(|clause| clause.answers)
        .flat_map(|answer| match answer {
            Answer::Steps(names) | Answer::Checks(names) => *names,
            _ => &[],
        })
        .copied()
        .collect();
    for id in STEPS.iter().chain(&CHECKS) {
        assert!(named.contains(id), "no clause asks for {id}");
    }
}

#[test]
fn every_answer_is_shown_by_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for clause in clauses() {
        for answer in clause.answers {
            let (tests, names) = (crate::shown::shown(answer), named(answer));
            assert!(tests.len() >= usize::from(names > 0), "{}: {answer:?} is shown by nothing", clause.id);
            for (file, test) in tests {
                let text = std::fs::read_to_string(crates.join(file)).unwrap_or_default();
                // A conversation is a test by its file.
                let there = file.ends_with(&format!("/{test}.txt")) || text.contains(&format!("#[test]\nfn {test}()"));
                assert!(!text.is_empty() && there, "{}: no test {test} in {file}", clause.id);
            }
        }
    }
    for id in STEPS.iter().chain(&CHECKS) {
        let shown = crate::shown::shown(&Answer::Steps(std::slice::from_ref(id)));
        assert_eq!(shown.len(), 1, "{id} is shown by nothing");
    }
}

/// How many things an answer names that have to be shown.
fn named(answer: &Answer) -> usize {
    match answer {
        Answer::Rules(names) | Answer::Steps(names) | Answer::Checks(names) => names.len(),
        Answer::Says(_) => 1,
        Answer::None(_) => 0,
    }
}

#[test]
fn ids_are_unique_and_well_formed() {
    let mut seen = BTreeSet::new();
    for id in rules().iter().map(|rule| rule.id).chain(clauses().iter().map(|clause| clause.id)) {
        assert!(seen.insert(id), "{id} twice");
        let fits = id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
        assert!(fits && id.contains('.'), "{id}");
    }
    assert!(rules().iter().all(|rule| rule.id.split('.').count() == 2), "rule ids are subject.condition");
}

#[test]
fn every_rule_stands_in_its_clause() {
    for rule in rules() {
        let clause = clause(rule.clause).unwrap_or_else(|| panic!("{}: no clause {}", rule.id, rule.clause));
        let named = clause.answers.iter().any(|answer| matches!(answer, Answer::Rules(ids) if ids.contains(&rule.id)));
        assert!(named, "{} does not name {}", clause.id, rule.id);
        assert!(rule.title.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn every_rule_fires_on_one_sample_and_is_quiet_on_another() {
    for rule in rules() {
        let example = examples().into_iter().find(|example| example.rule == rule.id);
        let example = example.unwrap_or_else(|| panic!("{} has no example", rule.id));
        for policy in policies() {
            let run = |change: fn(&mut Sample)| {
                let mut sample = Sample::new();
                change(&mut sample);
                sample.choices.policy = policy;
                sample.found(rule.id)
            };
            let fired = run(example.fires);
            assert!(!fired.is_empty(), "{} does not fire under {policy}", rule.id);
            assert!(run(example.quiet).is_empty(), "{} is not quiet under {policy}", rule.id);
            for finding in fired {
                assert!(finding.level >= rule.level_under(policy), "{} is more serious than it says", rule.id);
                assert_eq!(finding.policy_note.is_some(), rule.level != rule.under_extended, "{}", rule.id);
                assert!(finding.message.trim_end().ends_with(['.', '!', ')', ']']), "{}", finding.message);
                let blocks_machine = finding.level == Level::Blocks && finding.subject.machine().is_some();
                let leaves_out = finding.answers.iter().any(|offer| offer.value == "exclude");
                assert!(!blocks_machine || leaves_out, "{} blocks a machine without 'exclude'", rule.id);
            }
        }
    }
    assert_eq!(examples().len(), rules().len());
}

#[test]
fn a_clean_host_has_no_findings() {
    for policy in policies() {
        let mut sample = Sample::new();
        sample.choices.policy = policy;
        assert_eq!(sample.assess(), [], "{policy}");
        sample.there = None;
        assert_eq!(sample.assess(), [], "{policy} without a destination");
    }
}

#[test]
fn without_a_destination_rules_about_it_are_silent() {
    let mut sample = Sample::new();
    sample.inventory.machines[0].configuration.processors.count = 500;
    sample.inventory.machines[0].configuration.memory.startup_mib = 1 << 30;
    sample.there = None;
    assert_eq!(sample.assess(), []);
}

#[test]
fn findings_are_sorted_by_level_rule_and_subject() {
    let mut sample = Sample::new();
    sample.add_machine("Mail");
    for machine in &mut sample.inventory.machines {
        machine.configuration.processors.count = 16;
        machine.unknown_nodes.push("x".to_owned());
    }
    sample.save_state();
    let names: Vec<String> =
        sample.assess().iter().map(|finding| format!("{} {}", finding.rule, finding.subject.name())).collect();
    let expected = [
        "machine.processors-exceed Mail",
        "machine.processors-exceed Web",
        "machine.saved-state Web",
        "machine.unknown-nodes Mail",
        "machine.unknown-nodes Web",
    ];
    assert_eq!(names, expected);
}

#[test]
fn one_exclusion_answers_all_that_blocks_the_machine() {
    let mut sample = Sample::new();
    sample.save_state();
    sample.inventory.machines[0].configuration.processors.count = 16;
    sample.answer("machine.saved-state@Web=exclude");
    sample.answer("machine.processors-exceed@Web=reduce:99");
    let findings = sample.assess();
    assert_eq!(findings.len(), 3, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.answer.as_deref() == Some("exclude")), "{findings:#?}");
    let out = crate::excluded(&findings);
    assert!(out.len() == 1 && out.contains(&sample.inventory.machines[0].id), "{out:?}");
}

#[test]
fn the_guide_policy_offers_no_way_around_what_it_refuses() {
    let mut sample = Sample::new();
    sample.inventory.host.hyper_v_installed = crate::tests_support::read(false);
    sample.answer("os.role-missing=accept");
    assert!(!sample.one("os.role-missing").is_open());
    sample.choices.policy = Policy::Guide;
    assert!(sample.one("os.role-missing").is_open());
    assert!(sample.one("answer.invalid").message.contains("takes no answer here"));
}

#[test]
fn unused_answers_say_what_would_have_fitted() {
    let mut sample = Sample::new();
    sample.save_state();
    for answer in ["machine.saved-state@Wbe=discard", "machine.saved=discard", "os.role-missing=accept"] {
        sample.answer(answer);
    }
    let messages: Vec<String> = sample.found("answer.unused").into_iter().map(|finding| finding.message).collect();
    let has = |text: &str| messages.iter().any(|message| message.contains(text));
    assert!(has("not among what the rule found: 'Web'"), "{messages:?}");
    assert!(has("no rule 'machine.saved'") && has("'os.role-missing' found nothing"), "{messages:?}");
}

#[test]
fn coverage_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide-coverage.md");
    if std::env::var_os("HVM_BLESS").is_some() {
        std::fs::write(&path, coverage_markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let current = page == coverage_markdown();
    assert!(current, "docs/guide-coverage.md is behind; run: HVM_BLESS=1 cargo test -p hvm-rules coverage");
}
