//! Runs all rules, fills in the answers and sorts.

use std::collections::BTreeSet;

use hvm_model::finding::{Finding, Level};
use hvm_model::names::VmId;

use crate::case::{Case, Facts, of_setting};
use crate::decision::{Decision, not_offered};
use crate::objection::objection;
use crate::rule::{Rule, Seen};
use crate::rules::{INVALID, UNUSED, rule, rules};

/// What the guide, and what we require beyond it, says of these facts: sorted by level, rule and subject, with the
/// operator's answers filled in where they can be taken.
pub fn assess(facts: &Facts<'_>) -> Vec<Finding> {
    let mut case = Case::new(facts);
    // Sums over machines leave out what the operator excludes, and exclusions are answers to findings: hence twice.
    case.excluded = excluded(&judge(&case));
    let mut findings = judge(&case);
    for finding in &mut findings {
        let left_out = finding.subject.machine().is_some_and(|machine| case.excluded.contains(machine));
        if left_out && finding.level == Level::Blocks {
            finding.answer = Some("exclude".to_owned());
        }
    }
    let unused = unused(&case, &findings);
    findings.extend(unused);
    findings.sort_by_cached_key(|finding| (finding.level, finding.rule.clone(), finding.subject.name()));
    findings
}

/// The machines that the operator left out by an answer to any of their findings.
pub fn excluded(findings: &[Finding]) -> BTreeSet<VmId> {
    let out = findings.iter().filter(|finding| Decision::of(finding) == Some(Decision::Exclude));
    out.filter_map(|finding| finding.subject.machine().cloned()).collect()
}

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let seen = rules().iter().flat_map(|rule| {
        let seen = (rule.check)(case);
        seen.into_iter().map(move |seen| (rule, seen))
    });
    seen.flat_map(|(rule, seen)| answered(case, rule, seen)).collect()
}

/// The finding with its answer, and a second finding when the answer cannot be taken.
fn answered(case: &Case<'_>, rule: &Rule, seen: Seen) -> Vec<Finding> {
    let mut finding = rule.finding(case.policy(), seen);
    let Some(value) = case.choices.answer(rule.id, &finding.subject) else {
        return vec![finding];
    };
    match refusal(case, &finding, value) {
        None => {
            finding.answer = Some(value.to_owned());
            vec![finding]
        }
        Some(reason) => {
            let invalid = invalid(case, &finding, value, &reason);
            vec![finding, invalid]
        }
    }
}

fn refusal(case: &Case<'_>, finding: &Finding, value: &str) -> Option<String> {
    if !finding.answers.iter().any(|offer| offer.takes(value)) {
        return Some(not_offered(&finding.rule, value, &finding.answers).to_string());
    }
    match Decision::parse(&finding.rule, value) {
        Ok(decision) => objection(case, finding, &decision),
        Err(error) => Some(error.to_string()),
    }
}

fn invalid(case: &Case<'_>, finding: &Finding, value: &str, reason: &str) -> Finding {
    let subject = finding.subject.clone();
    let message = format!(
        "The answer '{}@{}={value}' cannot be taken. {reason} Correct or remove the answer.",
        finding.rule,
        subject.name()
    );
    let mut invalid = INVALID.finding(case.policy(), Seen::new(subject, message).at_all(&finding.places));
    if invalid.subject.machine().is_none() {
        invalid.answers.clear();
    }
    let answer = case.choices.answer(&invalid.rule, &invalid.subject);
    let taken = |answer: &&str| invalid.answers.iter().any(|offer| offer.takes(answer));
    invalid.answer = answer.filter(taken).map(str::to_owned);
    invalid
}

fn unused(case: &Case<'_>, findings: &[Finding]) -> Vec<Finding> {
    let unused = case.choices.unused(findings);
    let describe = |answer: &hvm_model::choices::Answer| {
        let subjects: Vec<String> = findings
            .iter()
            .filter(|finding| finding.rule == answer.rule)
            .map(|finding| format!("'{}'", finding.subject.name()))
            .collect();
        match (rule(&answer.rule), subjects.is_empty()) {
            (None, _) => format!("There is no rule '{}'; 'hvmigrate rules' lists them.", answer.rule),
            (Some(_), true) => format!("The rule '{}' found nothing to answer.", answer.rule),
            (Some(_), false) => {
                format!("'{}' is not among what the rule found: {}.", answer.subject, subjects.join(", "))
            }
        }
    };
    let found = unused.into_iter().map(|answer| {
        let name = format!("{}@{}={}", answer.rule, answer.subject, answer.value);
        let message = format!("The answer '{name}' fits no finding and does nothing. {}", describe(answer));
        UNUSED.finding(case.policy(), Seen::new(of_setting(name), message))
    });
    found.collect()
}
