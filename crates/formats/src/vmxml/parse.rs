//! Text to tree. The XML itself is read by `roxmltree`; this file turns its elements into nodes and remembers the spelling.

use std::ops::Range;
use std::sync::Arc;

use roxmltree::{ParsingOptions, TextPos};

use super::node::Spelling;
use super::scan::{Lines, check_bounds, qualified_name, tag_len};
use super::{Attribute, Content, MAX_NODES, Node, Position, Value, ValueKind, VmXmlError};

/// Most remarks kept for one file; a file that is odd everywhere is told once.
const MAX_REMARKS: usize = 50;

pub(super) struct Parsed {
    pub(super) source: Arc<str>,
    /// Everything before the start tag of the root: declaration, comments, white space.
    pub(super) prolog: Range<usize>,
    pub(super) root: Node,
    /// Everything behind the root.
    pub(super) epilog: Range<usize>,
    pub(super) remarks: Vec<String>,
}

pub(super) fn parse(text: String, file: &str) -> Result<Parsed, VmXmlError> {
    let lines = Lines::of(&text);
    check_bounds(&text, file, &lines)?;
    let source: Arc<str> = text.into();
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let tree = roxmltree::Document::parse_with_options(&source, options).map_err(|e| {
        let TextPos { row, col } = e.pos();
        VmXmlError::Markup { file: file.to_owned(), line: row, column: col, reason: e.to_string() }
    })?;
    let element = tree.root_element();
    let range = element.range();
    let mut reader = Reader { source: &source, lines: &lines, remarks: Vec::new() };
    let root = reader.element(element, range.start);
    let Reader { remarks, .. } = reader;
    Ok(Parsed { prolog: 0..range.start, root, epilog: range.end..source.len(), remarks, source: source.clone() })
}

struct Reader<'a> {
    source: &'a Arc<str>,
    lines: &'a Lines,
    remarks: Vec<String>,
}

impl Reader<'_> {
    /// One element; `from` is where the text before its start tag begins. Recursion is bounded by `check_bounds`.
    fn element(&mut self, element: roxmltree::Node<'_, '_>, from: usize) -> Node {
        let range = element.range();
        let text = self.source.get(range.clone()).unwrap_or_default();
        let open = range.start..range.start + tag_len(text);
        let close_start = if text.ends_with("/>") && open.end == range.end {
            range.end
        } else {
            range.start + text.rfind("</").unwrap_or(text.len())
        };
        let name = qualified_name(text).to_owned();
        let line = self.lines.line(range.start);
        let attributes = self.attributes(element, &name, line);
        let is_leaf = !element.children().any(|child| child.is_element());
        let declared = element.attribute("type");
        let has_text = element.children().any(|c| c.is_text() && !c.text().unwrap_or_default().trim().is_empty());
        let mut spelling = Spelling {
            source: Some(self.source.clone()),
            before: Some(from..range.start),
            open: Some(open.clone()),
            close: Some(close_start..range.end),
            ..Spelling::default()
        };
        let content = if is_leaf && (declared.is_some() || has_text) {
            spelling.inner = Some(open.end..close_start);
            Content::Value(self.value(element, declared, &name, line))
        } else {
            let (children, last) = self.children(element, open.end);
            if has_text || declared.is_some() {
                self.remark(
                    line,
                    format!("element '{name}' has child elements and also a text or a type; both are kept"),
                );
            }
            spelling.before_close = Some(last..close_start);
            Content::Children(children)
        };
        Node { name, attributes, content, position: Position::Line(line), spelling }
    }

    fn children(&mut self, element: roxmltree::Node<'_, '_>, start: usize) -> (Vec<Node>, usize) {
        let mut last = start;
        let mut children = Vec::new();
        for child in element.children().filter(|child| child.is_element()) {
            children.push(self.element(child, last));
            last = child.range().end;
        }
        (children, last)
    }

    fn value(&mut self, element: roxmltree::Node<'_, '_>, declared: Option<&str>, name: &str, line: u32) -> Value {
        let kind = ValueKind::from_name(declared.unwrap_or_default());
        if let ValueKind::Other(other) = &kind {
            self.remark(
                line,
                match other.as_str() {
                    "" => format!("element '{name}' has a text but no type; it is kept as it is"),
                    _ => format!("element '{name}' has the unknown type '{other}'; it is kept as it is"),
                },
            );
        }
        let text = element.children().filter(|c| c.is_text()).filter_map(|c| c.text()).collect();
        Value { kind, text }
    }

    fn attributes(&mut self, element: roxmltree::Node<'_, '_>, name: &str, line: u32) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        for attribute in element.attributes() {
            let spelt = self.source.get(attribute.range_qname()).unwrap_or(attribute.name());
            if spelt == "type" {
                continue;
            }
            self.remark(line, format!("element '{name}' has the unknown attribute '{spelt}'; it is kept as it is"));
            attributes.push(Attribute { name: spelt.to_owned(), value: attribute.value().to_owned() });
        }
        attributes
    }

    fn remark(&mut self, line: u32, what: String) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push(format!("Line {line}: {what}."));
        }
    }
}
