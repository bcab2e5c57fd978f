//! YAML as trees of texts, as much as netplan needs: keys that are no texts are left out, and aliases are replaced by what they
//! stand for.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

/// Nothing that people write is deeper; trees are dropped level by level.
const DEEPEST: usize = 32;
/// Aliases may make a text as many times as long, and some bytes longer.
const MOST_TIMES: usize = 8;
const MOST_BYTES: usize = 1024;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Levels and bytes.
    fn extent(&self) -> (usize, usize) {
        let below = |(levels, bytes): (usize, usize), node: &Node| {
            let (more_levels, more_bytes) = node.extent();
            (levels.max(1 + more_levels), bytes + more_bytes)
        };
        match self {
            Node::Text(text) => (0, 1 + text.len()),
            Node::List(items) => items.iter().fold((1, 1), below),
            Node::Map(entries) => {
                entries.iter().fold((1, 1), |(levels, bytes), (key, node)| below((levels, bytes + key.len()), node))
            }
        }
    }
}

/// A node that is not complete, its anchor, and the key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<String>,
}

/// The trees that anchors name, and the bytes that aliases may still stand for.
struct Anchors {
    all: HashMap<usize, Node>,
    left: usize,
}

impl Anchors {
    /// Keeps a complete node; 0 is no anchor.
    fn keep(&mut self, anchor: usize, node: &Node) -> Result<(), String> {
        if anchor != 0 {
            self.spend(node)?;
            self.all.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn spend(&mut self, node: &Node) -> Result<(), String> {
        let left = self.left.checked_sub(node.extent().1);
        self.left = left.ok_or("its aliases stand for too much")?;
        Ok(())
    }

    /// What an alias at this level stands for.
    fn get(&mut self, anchor: usize, level: usize) -> Result<Node, String> {
        let node = self.all.get(&anchor).ok_or("an alias stands for what it is in")?.clone();
        self.spend(&node)?;
        match node.extent().0 + level > DEEPEST {
            true => Err(too_deep()),
            false => Ok(node),
        }
    }
}

fn too_deep() -> String {
    format!("it is deeper than {DEEPEST} levels")
}

/// The first document; why it cannot be read.
pub(super) fn parse(text: &str) -> Result<Option<Node>, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors = Anchors { all: HashMap::new(), left: MOST_TIMES * text.len() + MOST_BYTES };
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let done = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEEPEST => return Err(too_deep()),
            Event::SequenceStart(anchor, ..) => {
                open.push(Open { node: Node::List(Vec::new()), anchor, key: None });
                continue;
            }
            Event::MappingStart(anchor, ..) => {
                open.push(Open { node: Node::Map(Vec::new()), anchor, key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| (open.node, open.anchor)),
            Event::Scalar(text, _, anchor, _) => Some((Node::Text(text.into_owned()), anchor)),
            Event::Alias(anchor) => Some((anchors.get(anchor, open.len())?, 0)),
            Event::DocumentEnd | Event::StreamEnd => return Ok(None),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => None,
        };
        if let Some((node, anchor)) = done {
            anchors.keep(anchor, &node)?;
            match open.last_mut() {
                None => return Ok(Some(node)),
                Some(parent) => parent.take(node),
            }
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

    #[test]
    fn aliases_stand_for_trees() {
        let node = parse("a: &x {b: [1, &y two]}\nc: *x\nd: *y\n").unwrap().unwrap();
        assert_eq!((node.get("c"), node.get("d").map(Node::text)), (node.get("a"), Some("two")));
        assert!(parse("a: &x [*x]").is_err() && parse("a: *x").is_err());
        let laughs: String = (1..30).map(|at| format!("a{at}: &a{at} [*a{0}, *a{0}, *a{0}]\n", at - 1)).collect();
        assert!(parse(&format!("a0: &a0 ha\n{laughs}")).unwrap_err().contains("too much"));
        let deep: String = (1..40).map(|at| format!("a{at}: &a{at} [*a{}]\n", at - 1)).collect();
        assert!(parse(&format!("a0: &a0 ha\n{deep}")).unwrap_err().contains("deeper"));
    }
}
