//! A cheap pass over the markup before the XML parser proper sees it: nesting, attributes per element and namespaces are
//! bounded here, because the parser's own cost is quadratic in the last two.

use super::{MAX_ATTRIBUTES, MAX_DEPTH, MAX_NAME, MAX_NAMESPACES, VmXmlError};

/// Offsets of line starts, to tell lines without counting from the start each time.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Lines(
            std::iter::once(0)
                .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
                .collect(),
        )
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
}

/// Refuses text whose markup is nested or attributed beyond the bounds. Malformed markup is left for the parser to tell.
pub(super) fn check_bounds(text: &str, file: &str, lines: &Lines) -> Result<(), VmXmlError> {
    let (mut at, mut depth, mut namespaces) = (0, 0_usize, 0_usize);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + found;
        let rest = text.get(start..).unwrap_or_default();
        let markup = Markup::of(rest);
        at = start + markup.len;
        let line = || lines.line(start);
        if markup.attributes > MAX_ATTRIBUTES {
            return Err(VmXmlError::TooManyAttributes { file: file.to_owned(), line: line(), limit: MAX_ATTRIBUTES });
        }
        if markup.name > MAX_NAME {
            return Err(VmXmlError::NameTooLong { file: file.to_owned(), line: line(), limit: MAX_NAME });
        }
        namespaces += markup.namespaces;
        if namespaces > MAX_NAMESPACES {
            return Err(VmXmlError::TooManyNamespaces { file: file.to_owned(), line: line(), limit: MAX_NAMESPACES });
        }
        match markup.step {
            Step::In => depth += 1,
            Step::Out => depth = depth.saturating_sub(1),
            Step::Same => {}
        }
        if depth > MAX_DEPTH {
            return Err(VmXmlError::TooDeep { file: file.to_owned(), line: line(), limit: MAX_DEPTH });
        }
    }
    Ok(())
}

/// Length in bytes of the start tag at the beginning of `text`, including the closing `>`; quotes are respected.
pub(super) fn tag_len(text: &str) -> usize {
    let mut quote = None;
    for (i, b) in text.bytes().enumerate() {
        match (quote, b) {
            (None, b'>') => return i + 1,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), _) if open == b => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// The name as spelt in a start tag, with its prefix.
pub(super) fn qualified_name(tag: &str) -> &str {
    let rest = tag.strip_prefix('<').unwrap_or(tag);
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

enum Step {
    In,
    Out,
    Same,
}

struct Markup {
    len: usize,
    step: Step,
    name: usize,
    attributes: usize,
    namespaces: usize,
}

impl Markup {
    fn of(rest: &str) -> Markup {
        let until = |end: &str| rest.find(end).map_or(rest.len(), |i| i + end.len());
        let skip = |len| Markup { len, step: Step::Same, name: 0, attributes: 0, namespaces: 0 };
        if rest.starts_with("<!--") {
            return skip(until("-->"));
        }
        if rest.starts_with("<![CDATA[") {
            return skip(until("]]>"));
        }
        if rest.starts_with("<?") {
            return skip(until("?>"));
        }
        if rest.starts_with("</") {
            return Markup { len: until(">"), step: Step::Out, name: 0, attributes: 0, namespaces: 0 };
        }
        let len = tag_len(rest);
        let tag = rest.get(..len).unwrap_or(rest);
        let step = if tag.ends_with("/>") || tag.starts_with("<!") { Step::Same } else { Step::In };
        // An upper bound is enough: '=' and 'xmlns' inside a quoted value count too.
        let name = qualified_name(tag).len();
        Markup { len, step, name, attributes: tag.matches('=').count(), namespaces: tag.matches("xmlns").count() }
    }
}
