//! What a rule is, and how what it saw becomes a finding.

use hvm_model::choices::Policy;
use hvm_model::finding::{Finding, Level, OfferedAnswer, Subject};
use hvm_model::found::Place;

use crate::case::Case;

/// One rule: it looks at the facts and names what breaks its clause.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable id, `subject.condition`.
    pub id: &'static str,
    /// Level under the policy `guide`; a single finding may be less serious.
    pub level: Level,
    /// Level under the policy `extended`.
    pub under_extended: Level,
    /// Id of the clause that it enforces.
    pub clause: &'static str,
    /// One line: what it finds.
    pub title: &'static str,
    /// What can be answered.
    pub answers: &'static [Offer],
    /// Looks at the facts.
    pub(crate) check: fn(&Case<'_>) -> Vec<Seen>,
}

/// An answer that a rule offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The value, or a pattern in which upper-case words stand for a value.
    pub value: &'static str,
    /// What it does.
    pub effect: &'static str,
    /// Under which policy it is offered.
    pub offered: Offered,
}

/// Under which policy an answer is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Under both.
    Always,
    /// Only under `extended`: the guide leaves no choice there.
    Extended,
}

impl Offer {
    /// An answer that is offered under both policies.
    pub(crate) const fn new(value: &'static str, effect: &'static str) -> Offer {
        Offer { value, effect, offered: Offered::Always }
    }

    /// An answer that is offered only under the policy `extended`.
    pub(crate) const fn extended(value: &'static str, effect: &'static str) -> Offer {
        Offer { value, effect, offered: Offered::Extended }
    }
}

/// The answer that leaves a machine out; every finding that blocks a machine offers it.
pub(crate) const EXCLUDE: Offer = Offer::new("exclude", "The machine is not migrated.");
/// The answer that goes on in spite of a refusal of the guide.
pub(crate) const ACCEPT_BEYOND: Offer =
    Offer::extended("accept", "The migration goes on although the guide does not support it.");

/// What a rule saw once.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub subject: Subject,
    pub message: String,
    pub places: Vec<Place>,
    /// Level where it is less serious than the rule's own.
    pub level: Option<Level>,
    /// Values of the rule's answers that make sense here; `None` for all.
    pub only: Option<&'static [&'static str]>,
}

impl Seen {
    pub fn new(subject: Subject, message: impl Into<String>) -> Seen {
        Seen { subject, message: message.into(), places: Vec::new(), level: None, only: None }
    }

    pub fn at(mut self, place: &Place) -> Seen {
        self.places.push(place.clone());
        self
    }

    pub fn at_all<'a>(mut self, places: impl IntoIterator<Item = &'a Place>) -> Seen {
        self.places.extend(places.into_iter().cloned());
        self
    }

    pub fn level(mut self, level: Level) -> Seen {
        self.level = Some(level);
        self
    }

    pub fn only(mut self, values: &'static [&'static str]) -> Seen {
        self.only = Some(values);
        self
    }
}

impl Rule {
    /// The rule's level under a policy.
    pub fn level_under(&self, policy: Policy) -> Level {
        match policy {
            Policy::Guide => self.level,
            Policy::Extended => self.under_extended,
        }
    }

    /// The answers that are offered under a policy.
    pub fn answers_under(&self, policy: Policy) -> impl Iterator<Item = &'static Offer> {
        self.answers.iter().filter(move |offer| policy == Policy::Extended || offer.offered == Offered::Always)
    }

    pub(crate) fn finding(&self, policy: Policy, seen: Seen) -> Finding {
        let fits = |offer: &&Offer| seen.only.is_none_or(|only| only.contains(&offer.value));
        let answers: Vec<OfferedAnswer> = self
            .answers_under(policy)
            .filter(fits)
            .map(|offer| OfferedAnswer::new(offer.value, offer.effect))
            .collect();
        Finding {
            rule: self.id.to_owned(),
            level: seen.level.unwrap_or(self.level_under(policy)),
            clause: self.clause.to_owned(),
            subject: seen.subject,
            message: seen.message,
            places: seen.places,
            answers,
            answer: None,
            policy_note: self.policy_note(policy),
        }
    }

    fn policy_note(&self, policy: Policy) -> Option<String> {
        let (level, clause) = (self.level, self.clause);
        let note = match policy {
            Policy::Extended => format!("Beyond the guide: under the policy 'guide' this {level} ({clause})."),
            Policy::Guide => format!("Under the policy 'extended' this {} instead.", self.under_extended),
        };
        (self.level != self.under_extended).then_some(note)
    }
}
