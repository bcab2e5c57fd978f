//! The table of rules as text and JSON.

use std::fmt::Write;

use hvm_engine::rules::guide::{Answer, Clause, clause, clauses};
use hvm_engine::rules::{Offer, Offered, Rule, rules};
use hvm_model::finding::Level;
use hvm_model::inventory::SCHEMA_VERSION;
use serde::Serialize;
use serde_json::{Value, json};

use super::assessment::wrapped;

/// The rules for people, by clause.
pub fn text() -> String {
    let mut out = format!("{} rules; levels under the policies guide and extended.\n", rules().len());
    for rule in rules() {
        let level = level(rule);
        let _ = writeln!(out, "\n{}  ({level})  [{}]", rule.id, rule.clause);
        wrapped(&mut out, 4, rule.title);
        if let Some(clause) = clause(rule.clause) {
            wrapped(&mut out, 4, &format!("Clause: {}", clause.text));
        }
        for offer in rule.answers {
            wrapped(&mut out, 4, &format!("Answer {}: {}{}", offer.value, offer.effect, only(offer)));
        }
    }
    out
}

fn level(rule: &Rule) -> String {
    if rule.level == rule.under_extended {
        rule.level.to_string()
    } else {
        format!("{}; extended: {}", rule.level, rule.under_extended)
    }
}

fn only(offer: &Offer) -> &'static str {
    match offer.offered {
        Offered::Always => "",
        Offered::Extended => " (extended only)",
    }
}

#[derive(Serialize)]
struct RuleRow {
    id: &'static str,
    level: Level,
    under_extended: Level,
    clause: &'static str,
    title: &'static str,
    answers: Vec<Value>,
}

/// The rules and the clauses for programs.
pub fn document() -> Value {
    let offer = |offer: &Offer| {
        json!({
            "value": offer.value,
            "effect": offer.effect,
            "extended_only": offer.offered == Offered::Extended,
        })
    };
    let row = |rule: &Rule| RuleRow {
        id: rule.id,
        level: rule.level,
        under_extended: rule.under_extended,
        clause: rule.clause,
        title: rule.title,
        answers: rule.answers.iter().map(offer).collect(),
    };
    json!({
        "schema": SCHEMA_VERSION,
        "tool": super::assessment::TOOL,
        "rules": rules().iter().map(row).collect::<Vec<_>>(),
        "clauses": clauses().iter().map(clause_row).collect::<Vec<_>>(),
    })
}

fn clause_row(clause: &Clause) -> Value {
    let answer = |answer: &Answer| match answer {
        Answer::Rules(names) => json!({"rules": names}),
        Answer::Steps(names) => json!({"steps": names}),
        Answer::Checks(names) => json!({"checks": names}),
        Answer::Says(what) => json!({"says": what}),
        Answer::None(why) => json!({"not_done": why}),
    };
    json!({
        "id": clause.id,
        "chapter": clause.chapter,
        "text": clause.text,
        "answered_by": clause.answers.iter().map(answer).collect::<Vec<_>>(),
    })
}
