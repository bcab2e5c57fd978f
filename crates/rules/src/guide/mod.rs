//! The guide clause by clause: every statement that supports, excludes, requires, recommends or warns, every row of its
//! tables, every scenario, every check of its sibling chapters; and for each what answers it, or why nothing does.

mod overview;
mod siblings;

use std::sync::LazyLock;

use crate::beyond;

/// One clause, in our own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// Stable id: `guide.SECTION.SHORT`, `prepare.…`, `afterwards.…`, `tools.…` or `beyond.…`.
    pub id: &'static str,
    /// Chapter and section in which it stands.
    pub chapter: &'static str,
    /// What it says.
    pub text: &'static str,
    /// What answers it.
    pub answers: &'static [Answer],
}

/// What answers a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// These rules judge it.
    Rules(&'static [&'static str]),
    /// Steps of the plan whose ids begin so do it, or have a person do it.
    Steps(&'static [&'static str]),
    /// `verify` checks it.
    Checks(&'static [&'static str]),
    /// The report or the plan says it.
    Says(&'static str),
    /// Nothing does, for this reason.
    None(&'static str),
}

static ALL: LazyLock<Vec<Clause>> = LazyLock::new(|| [overview::CLAUSES, siblings::CLAUSES, beyond::CLAUSES].concat());

/// All clauses in the order of the text: the guide's, its sibling chapters', and what we require beyond them.
pub fn clauses() -> &'static [Clause] {
    &ALL
}

/// The clause with this id.
pub fn clause(id: &str) -> Option<&'static Clause> {
    ALL.iter().find(|clause| clause.id == id)
}
