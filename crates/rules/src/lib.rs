//! Judges an inventory by the guide, and by what we require beyond it. Pure: no files, no clock, no network.
//!
//! [`guide`] is the guide clause by clause, [`beyond`] the same for our own requirements; `rules/` holds one small file
//! for each family of rules with its examples. [`assess`] runs them, fills in the operator's answers and sorts.
#![forbid(unsafe_code)]

pub mod beyond;
pub mod decision;
pub mod guide;

mod assess;
mod case;
mod coverage;
mod language;
mod objection;
mod proposal;
mod registration;
mod rule;
mod rules;
mod shown;
mod space;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_support;

pub use assess::{assess, excluded};
pub use case::Facts;
pub use coverage::coverage_markdown;
pub use decision::{Decision, DecisionError};
pub use guide::{Answer, Clause, clause, clauses};
pub use registration::registration_obstacle;
pub use rule::{Offer, Offered, Rule};
pub use rules::{owner_subject, rule, rules};
