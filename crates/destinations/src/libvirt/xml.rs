//! A small XML writer. The only way by which a text of the source gets into XML.

use std::fmt::Write as _;

/// Characters that XML 1.0 can hold, as themselves or by reference.
pub(crate) fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Escapes a text for content and for attributes. Line breaks and tabs become references, since parsers change them
/// otherwise; characters that XML cannot hold become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            other if is_xml(other) => escaped.push(other),
            _ => escaped.push('\u{FFFD}'),
        }
    }
    escaped
}

/// An element; names come from the program, values from anywhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    Children(Vec<Element>),
    Text(String),
}

impl Element {
    /// An empty element.
    pub fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), content: Content::Children(Vec::new()) }
    }

    /// With an attribute.
    pub fn attribute(mut self, name: &'static str, value: impl ToString) -> Element {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With a text instead of children.
    pub fn text(mut self, text: impl ToString) -> Element {
        self.content = Content::Text(text.to_string());
        self
    }

    /// With a child more.
    pub fn child(mut self, child: Element) -> Element {
        self.push(child);
        self
    }

    /// Adds a child.
    pub fn push(&mut self, child: Element) {
        match &mut self.content {
            Content::Children(children) => children.push(child),
            Content::Text(_) => self.content = Content::Children(vec![child]),
        }
    }

    /// The document.
    pub fn document(&self) -> Vec<u8> {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(0, &mut text);
        text.into_bytes()
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let _ = write!(out, "{indent}<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value));
        }
        match &self.content {
            Content::Children(children) if children.is_empty() => out.push_str("/>\n"),
            Content::Children(children) => {
                out.push_str(">\n");
                for child in children {
                    child.write(depth + 1, out);
                }
                let _ = writeln!(out, "{indent}</{}>", self.name);
            }
            Content::Text(text) => {
                let _ = writeln!(out, ">{}</{}>", escape(text), self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            let element = Element::new("a").attribute("b", &text).child(Element::new("c").text(&text));
            let document = String::from_utf8(element.document()).unwrap();
            let parsed = roxmltree::Document::parse(&document).unwrap();
            let wanted: String = text.chars().map(|c| if is_xml(c) { c } else { '\u{FFFD}' }).collect();
            prop_assert_eq!(parsed.root_element().attribute("b"), Some(wanted.as_str()));
            let child = parsed.root_element().first_element_child().unwrap();
            prop_assert_eq!(child.text().unwrap_or(""), wanted.as_str());
        }
    }
}
