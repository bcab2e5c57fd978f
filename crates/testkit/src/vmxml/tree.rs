//! The tree of a configuration file and its bytes.

use crate::bytes::{base64, utf16le};
use std::fmt::Write;

/// An element: a container or a leaf with one of the four types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Container(Vec<Node>),
    Leaf { kind: &'static str, text: String },
    Bytes(Vec<u8>),
}

impl Node {
    /// A container.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), content: Content::Container(Vec::new()) }
    }

    /// A string leaf.
    pub fn text(name: &str, text: impl Into<String>) -> Self {
        Self::leaf(name, "string", text.into())
    }

    /// An integer leaf.
    #[must_use]
    pub fn integer(name: &str, number: i64) -> Self {
        Self::leaf(name, "integer", number.to_string())
    }

    /// A bool leaf.
    #[must_use]
    pub fn boolean(name: &str, value: bool) -> Self {
        Self::leaf(name, "bool", if value { "True" } else { "False" }.to_owned())
    }

    /// A bytes leaf.
    #[must_use]
    pub fn bytes(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), content: Content::Bytes(bytes.to_vec()) }
    }

    fn leaf(name: &str, kind: &'static str, text: String) -> Self {
        Self { name: name.to_owned(), content: Content::Leaf { kind, text } }
    }

    /// Adds a child. Panics when this is a leaf.
    #[must_use]
    pub fn with(mut self, child: Node) -> Self {
        self.push(child);
        self
    }

    /// Adds a child. Panics when this is a leaf.
    pub fn push(&mut self, child: Node) {
        match &mut self.content {
            Content::Container(children) => children.push(child),
            _ => panic!("{} is a leaf", self.name),
        }
    }

    /// The container at `path` (names divided by `/`) below this one, made when missing. Panics at a leaf.
    pub fn at(&mut self, path: &str) -> &mut Node {
        let mut node = self;
        for name in path.split('/') {
            let Content::Container(children) = &mut node.content else { panic!("{} is a leaf", node.name) };
            let index = children.iter().position(|child| child.name == name).unwrap_or_else(|| {
                children.push(Node::new(name));
                children.len() - 1
            });
            node = &mut children[index];
        }
        node
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is in a container.
    #[must_use]
    pub fn children(&self) -> Option<&[Node]> {
        if let Content::Container(children) = &self.content { Some(children) } else { None }
    }

    /// Type and text of a leaf that is no bytes.
    #[must_use]
    pub fn leaf_text(&self) -> Option<(&'static str, &str)> {
        if let Content::Leaf { kind, text } = &self.content { Some((kind, text)) } else { None }
    }

    /// The bytes of a bytes leaf.
    #[must_use]
    pub fn leaf_bytes(&self) -> Option<&[u8]> {
        if let Content::Bytes(bytes) = &self.content { Some(bytes) } else { None }
    }

    /// Takes the containers and leaves called `name` out of a container.
    pub fn remove(&mut self, name: &str) {
        if let Content::Container(children) = &mut self.content {
            children.retain(|child| child.name != name);
        }
    }

    /// The file: byte order mark, UTF-16LE, CRLF, no line break at the end.
    #[must_use]
    pub fn to_utf16(&self) -> Vec<u8> {
        let mut text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\n".to_owned();
        self.write(&mut text, 0);
        text.truncate(text.trim_end_matches('\n').len());
        utf16le(&text.replace('\n', "\r\n"))
    }

    fn write(&self, text: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        let name = &self.name;
        let written = match &self.content {
            Content::Leaf { kind, text: value } => {
                writeln!(text, "{indent}<{name} type=\"{kind}\">{}</{name}>", escaped(value))
            }
            Content::Bytes(bytes) => {
                let lines = base64(bytes).into_bytes();
                let lines: String =
                    lines.chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
                writeln!(text, "{indent}<{name} type=\"bytes\">{lines}</{name}>")
            }
            Content::Container(children) => {
                let mut sorted: Vec<&Node> = children.iter().collect();
                sorted.sort_by(|one, other| one.name.as_bytes().cmp(other.name.as_bytes()));
                text.push_str(&format!("{indent}<{name}>\n"));
                sorted.iter().for_each(|child| child.write(text, depth + 1));
                writeln!(text, "{indent}</{name}>")
            }
        };
        written.expect("writing to a text cannot fail");
    }
}

/// Text with the three characters escaped that cannot stand in element content.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("\r\n", "\n")
}
