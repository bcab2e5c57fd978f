//! What the operator decided: answers to findings, and the policy to judge by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Subject};

/// How strictly the guide is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Exactly as the guide: what it does not support is refused with the clause.
    Guide,
    /// What can be done safely beyond the guide is allowed, and each finding says so.
    #[default]
    Extended,
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Policy::Guide => "guide",
            Policy::Extended => "extended",
        })
    }
}

/// The operator's decisions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Choices {
    /// Policy.
    pub policy: Policy,
    /// Answers, later ones win.
    pub answers: Vec<Answer>,
    /// Whether the machines are looked into.
    #[serde(default)]
    pub guests: GuestDepth,
}

/// How far the disks of machines are read for an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestDepth {
    /// What is in the machines too.
    #[default]
    Contents,
    /// Only the headers of their disks.
    Headers,
}

/// One answer: `RULE@SUBJECT=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Rule id that it answers.
    pub rule: String,
    /// Name or id of the subject; `*` for every subject of the rule.
    pub subject: String,
    /// The chosen value, e.g. `exclude`, `discard`, `adapter:Ethernet 2`.
    pub value: String,
}

impl Answer {
    /// Reads `RULE@SUBJECT=VALUE` or `RULE=VALUE` (every subject). The subject may hold `@` and `=`: the rule ends at the
    /// first `@`, the value starts after the last `=`.
    pub fn parse(text: &str) -> Option<Answer> {
        let (head, value) = text.rsplit_once('=')?;
        let (rule, subject) = head.split_once('@').unwrap_or((head, "*"));
        let ok = !rule.is_empty() && !subject.is_empty() && !value.is_empty();
        ok.then(|| Answer { rule: rule.trim().to_owned(), subject: subject.to_owned(), value: value.trim().to_owned() })
    }

    fn fits(&self, rule: &str, subject: &Subject) -> bool {
        self.rule == rule && (self.subject == "*" || subject.is_called(&self.subject))
    }
}

impl Choices {
    /// The answer to a rule for a subject, if there is one.
    pub fn answer(&self, rule: &str, subject: &Subject) -> Option<&str> {
        self.answers.iter().rev().find(|answer| answer.fits(rule, subject)).map(|answer| answer.value.as_str())
    }

    /// Answers that fit no finding: probably misspelt.
    pub fn unused<'a>(&'a self, findings: &[Finding]) -> Vec<&'a Answer> {
        let fits = |answer: &&Answer| !findings.iter().any(|finding| answer.fits(&finding.rule, &finding.subject));
        self.answers.iter().filter(fits).collect()
    }
}
