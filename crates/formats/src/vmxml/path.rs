//! Paths such as `/configuration/properties/name` or `/configuration/global_settings/metrics/devicetype[2]/guid`:
//! `[n]` picks the n-th of equally named siblings, from 1. Names are compared exactly; a step that starts with `_` (the
//! device sections, named after GUIDs that the file itself spells in both cases) falls back to ASCII case-insensitive.

use std::collections::HashMap;

use super::Node;

pub(super) fn find<'a>(root: &'a Node, path: &str) -> Option<&'a Node> {
    let mut steps = steps(path);
    let mut node = std::slice::from_ref(root).get(position(std::slice::from_ref(root), steps.next()?)?)?;
    for step in steps {
        node = node.children().get(position(node.children(), step)?)?;
    }
    Some(node)
}

pub(super) fn find_mut<'a>(root: &'a mut Node, path: &str) -> Option<&'a mut Node> {
    let mut steps = steps(path);
    position(std::slice::from_ref(root), steps.next()?)?;
    let mut node = root;
    for step in steps {
        let at = position(node.children(), step)?;
        node = node.children_mut().get_mut(at)?;
    }
    Some(node)
}

/// Tells the paths of siblings one after the other; `[n]` only where names repeat.
#[derive(Debug)]
pub(super) struct SiblingPaths<'a> {
    /// Name, to how many there are and how many were told.
    counts: HashMap<&'a str, (usize, usize)>,
}

impl<'a> SiblingPaths<'a> {
    pub(super) fn of(siblings: &'a [Node]) -> Self {
        let mut counts = HashMap::new();
        for node in siblings {
            counts.entry(node.name()).or_insert((0, 0)).0 += 1;
        }
        SiblingPaths { counts }
    }

    pub(super) fn next(&mut self, parent: &str, node: &'a Node) -> String {
        match self.counts.get_mut(node.name()) {
            Some((total, told)) if *total > 1 => {
                *told += 1;
                format!("{parent}/{}[{told}]", node.name())
            }
            _ => format!("{parent}/{}", node.name()),
        }
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|step| !step.is_empty())
}

fn position(siblings: &[Node], step: &str) -> Option<usize> {
    let (name, skip) = match step.strip_suffix(']').and_then(|s| s.split_once('[')) {
        Some((name, number)) => (name, number.parse::<usize>().ok()?.checked_sub(1)?),
        None => (step, 0),
    };
    let nth = |same: &dyn Fn(&str) -> bool| {
        siblings.iter().enumerate().filter(|(_, n)| same(n.name())).nth(skip).map(|(i, _)| i)
    };
    nth(&|n| n == name).or_else(|| name.starts_with('_').then(|| nth(&|n| n.eq_ignore_ascii_case(name))).flatten())
}
