//! Which parts of a file are taken by what: finds structures that lie over each other and space that nothing refers to.

use super::Findings;

/// A part of the file that a structure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub start: u64,
    pub end: u64,
    /// What lies there; numbered where there are many.
    pub name: (&'static str, Option<u32>),
}

impl Part {
    pub(crate) fn new(start: u64, len: u64, name: &'static str) -> Self {
        Part { start, end: start.saturating_add(len), name: (name, None) }
    }

    fn title(&self) -> String {
        match self.name {
            (name, Some(number)) => format!("{name} {number}"),
            (name, None) => name.to_owned(),
        }
    }
}

/// All parts of a file.
#[derive(Debug, Default)]
pub(crate) struct Cover(pub Vec<Part>);

impl Cover {
    pub(crate) fn add(&mut self, part: Part) {
        self.0.push(part);
    }

    /// Reports parts that lie over each other and those past `limit`, and calls `each` with start and length of every gap
    /// between them. `more` are further parts by their start: there may be millions, which are never held all at once.
    pub(crate) fn judge(
        mut self,
        more: impl Iterator<Item = Part>,
        limit: u64,
        findings: &mut Findings,
        mut each: impl FnMut(u64, u64, &mut Findings),
    ) {
        self.0.sort_unstable();
        let (mut parts, mut more) = (self.0.into_iter().peekable(), more.peekable());
        let (mut reached, mut owner): (u64, Option<Part>) = (0, None);
        let mut gap = |start: u64, end: u64, findings: &mut Findings| {
            findings.unreferenced += end - start;
            each(start, end - start, findings);
        };
        loop {
            let from_more = more.peek().is_some_and(|next| parts.peek().is_none_or(|part| next < part));
            let Some(part) = (if from_more { more.next() } else { parts.next() }) else { break };
            judge_one(&part, owner.as_ref(), limit, findings);
            if owner.is_none_or(|other| other.end <= part.start) && part.start > reached && reached < limit {
                gap(reached, part.start.min(limit), findings);
            }
            if part.end > reached {
                (reached, owner) = (part.end, Some(part));
            }
        }
        if reached < limit {
            gap(reached, limit, findings);
        }
    }
}

/// `owner` is the part before that reaches furthest.
fn judge_one(part: &Part, owner: Option<&Part>, limit: u64, findings: &mut Findings) {
    let (start, end) = (part.start, part.end);
    if end > limit {
        let name = part.title();
        findings.fault(start, format!("The {name} lies at {start} to {end}, past the end of the data at {limit}."));
    }
    if let Some(other) = owner.filter(|other| other.end > start) {
        let (name, other, from, to) = (part.title(), other.title(), other.start, other.end);
        findings.fault(start, format!("The {name} at {start} to {end} lies over the {other} at {from} to {to}."));
    }
}
