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

    /// Reports parts that lie over each other and those past `limit`; the gaps between them, start and length.
    pub(crate) fn judge(mut self, limit: u64, findings: &mut Findings) -> Vec<(u64, u64)> {
        self.0.sort_unstable();
        let mut gaps = Vec::new();
        let (mut reached, mut owner): (u64, Option<Part>) = (0, None);
        for part in &self.0 {
            if part.end > limit {
                findings.fault(
                    part.start,
                    format!(
                        "The {} lies at {} to {}, past the end of the data at {limit}.",
                        part.title(),
                        part.start,
                        part.end
                    ),
                );
            }
            if let Some(other) = owner.filter(|other| other.end > part.start) {
                findings.fault(
                    part.start,
                    format!(
                        "The {} at {} to {} lies over the {} at {} to {}.",
                        part.title(),
                        part.start,
                        part.end,
                        other.title(),
                        other.start,
                        other.end
                    ),
                );
            } else if part.start > reached && reached < limit {
                gaps.push((reached, part.start.min(limit) - reached));
            }
            if part.end > reached {
                (reached, owner) = (part.end, Some(*part));
            }
        }
        if reached < limit {
            gaps.push((reached, limit - reached));
        }
        findings.unreferenced = gaps.iter().map(|(_, len)| len).sum();
        gaps
    }
}
