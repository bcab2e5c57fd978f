//! YAML as trees of texts, as much as netplan needs: aliases and keys that are no texts are left out.

use saphyr_parser::{Event, Parser};

/// Nothing that people write is deeper; trees are dropped level by level.
const DEEPEST: usize = 32;

/// A node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key; of several the last.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(super) fn entries(&self) -> &[(String, Node)] {
        match self {
            Node::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Node::Text(text) => text,
            _ => "",
        }
    }
}

/// A node that is not complete, and the key that waits for its value.
struct Open {
    node: Node,
    key: Option<String>,
}

/// The first document; why it cannot be read.
pub(super) fn parse(text: &str) -> Result<Option<Node>, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let done = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEEPEST => {
                return Err(format!("it is deeper than {DEEPEST} levels"));
            }
            Event::SequenceStart(..) => {
                open.push(Open { node: Node::List(Vec::new()), key: None });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open { node: Node::Map(Vec::new()), key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| open.node),
            Event::Scalar(text, ..) => Some(Node::Text(text.into_owned())),
            Event::Alias(_) => Some(Node::Text(String::new())),
            Event::DocumentEnd | Event::StreamEnd => return Ok(None),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => None,
        };
        match (done, open.last_mut()) {
            (None, _) => {}
            (Some(node), None) => return Ok(Some(node)),
            (Some(node), Some(parent)) => parent.take(node),
        }
    }
    Ok(None)
}

impl Open {
    fn take(&mut self, node: Node) {
        match (&mut self.node, self.key.take()) {
            (Node::List(items), _) => items.push(node),
            (Node::Map(entries), Some(key)) => entries.push((key, node)),
            (Node::Map(_), None) => self.key = Some(node.text().to_owned()),
            (Node::Text(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_of_texts() {
        let node = parse("a: {b: [1, two]}\n'c d': yes # not\n? [x]\n: y\n---\nother: 1\n").unwrap().unwrap();
        let list = node.get("a").unwrap().get("b").unwrap().items();
        assert_eq!((list[0].text(), list[1].text()), ("1", "two"));
        assert_eq!((node.get("c d").unwrap().text(), node.entries().len(), node.get("other")), ("yes", 3, None));
        assert_eq!(parse("").unwrap(), None);
        assert!(parse("a: [").is_err());
    }

    #[test]
    fn what_is_deep_is_refused() {
        for text in ["[".repeat(60_000), "- ".repeat(30_000), "{a: ".repeat(15_000)] {
            assert!(parse(&text).is_err());
        }
        assert!(parse(&format!("{}x{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST))).is_ok());
    }
}
