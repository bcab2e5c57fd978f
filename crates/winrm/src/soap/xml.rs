//! Writing XML, and reading it with bounds.

use roxmltree::{Document, Node, ParsingOptions};

use crate::error::{Error, Result};
use crate::limits;

/// A text that grows by elements. Names and attributes' names are ours; values and texts are quoted, whatever they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writer(String);

impl Writer {
    /// Begins an element.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.0.push('>');
        self
    }

    /// Ends it.
    pub fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// An element with a text.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.0.push_str("/>");
        self
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // A reader turns a bare one into a line feed (XML 1.0, 2.11), and white space of attributes into blanks.
                '\r' => self.0.push_str("&#13;"),
                '\n' => self.0.push_str("&#10;"),
                '\t' => self.0.push_str("&#9;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// XML that another writer made.
    pub fn raw(&mut self, xml: &Self) -> &mut Self {
        self.0.push_str(&xml.0);
        self
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            self.0.push(' ');
            self.0.push_str(key);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub fn finish(self) -> String {
        self.0
    }
}

/// Refuses a text with characters that XML 1.0 (2.2) does not have.
pub(crate) fn writable<'a>(what: &'static str, text: &'a str) -> Result<&'a str> {
    match text.chars().find(|c| !is_allowed(*c)) {
        None => Ok(text),
        Some(c) => Err(Error::Unwritable { what, code: u32::from(c) }),
    }
}

/// Whether XML 1.0 has a character (2.2).
pub(crate) const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Reads a document without a document type and with a bounded number of nodes.
pub(crate) fn parse(text: &str) -> std::result::Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: limits::NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text.trim_start_matches('\u{FEFF}'), options).map_err(|error| error.to_string())
}

/// The first child element with this name.
pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name((namespace, name)))
}

/// The text of an element: all of its own text and CDATA, comments left out.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|child| child.text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(value in "\\PC{0,40}", line in "[ \r\n\t<>&\"']{0,8}") {
            let value = format!("{value}{line}");
            prop_assume!(writable("text", &value).is_ok());
            let mut writer = Writer::default();
            writer.leaf("a", &[("b", &value)], &value);
            let xml = writer.finish();
            let document = parse(&xml).unwrap();
            prop_assert_eq!(text(document.root_element()), value.clone());
            prop_assert_eq!(document.root_element().attribute("b"), Some(value.as_str()));
        }
    }

    #[test]
    fn what_xml_does_not_have_is_refused() {
        assert!(matches!(writable("query", "a\u{0}"), Err(Error::Unwritable { code: 0, .. })));
        assert!(writable("query", "a\u{FFFE}").is_err() && writable("query", "\u{1F600}\r\n").is_ok());
        assert!(parse("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>").is_err());
    }
}
