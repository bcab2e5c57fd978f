//! Keys to trees: each key is put below its parent, siblings in the order in which they were inserted.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::{Data, Key};
use super::{HvsError, MAX_DEPTH};
use crate::vmxml::{Content, Node, Position, Value, ValueKind};

/// The place of the parent that is not stored.
const ROOT: (u16, u32) = (0, 0);

/// The trees at the top of `file`.
pub(super) fn build(file: &str, keys: Vec<Key>) -> Result<Vec<Node>, HvsError> {
    let wrong = |key: &Key, reason: String| HvsError::Key {
        file: file.to_owned(),
        offset: key.offset,
        name: key.name.clone(),
        reason,
    };
    let of_id: HashMap<(u16, u32), usize> = keys.iter().enumerate().map(|(at, key)| (key.id, at)).collect();
    let mut below: HashMap<(u16, u32), Vec<usize>> = HashMap::new();
    for (at, key) in keys.iter().enumerate() {
        let (table, place) = key.parent;
        match of_id.get(&key.parent).and_then(|parent| keys.get(*parent)) {
            Some(parent) if parent.data != Data::Node => {
                return Err(wrong(key, format!("is below the key '{}', which holds a value", parent.name)));
            }
            None if key.parent != ROOT => {
                return Err(wrong(key, format!("is below a key at {place} of table {table}, where none is")));
            }
            _ => below.entry(key.parent).or_default().push(at),
        }
    }
    for siblings in below.values_mut() {
        siblings.sort_by_key(|at| keys.get(*at).map(|key| (key.order, key.id)));
    }
    let mut depths = vec![0; keys.len()];
    let mut order: Vec<usize> = Vec::with_capacity(keys.len());
    let mut waiting: Vec<(usize, usize)> = below.get(&ROOT).into_iter().flatten().map(|at| (*at, 1)).collect();
    while let Some((at, depth)) = waiting.pop() {
        let Some(key) = keys.get(at) else { continue };
        if depth > MAX_DEPTH {
            return Err(wrong(key, format!("is nested deeper than {MAX_DEPTH} levels; real ones have fewer than 16")));
        }
        if let Some(slot) = depths.get_mut(at) {
            *slot = depth;
        }
        order.push(at);
        waiting.extend(below.get(&key.id).into_iter().flatten().map(|child| (*child, depth + 1)));
    }
    if let Some((_, key)) = depths.iter().zip(&keys).find(|(depth, _)| **depth == 0) {
        return Err(wrong(key, "is below itself".to_owned()));
    }
    Ok(nodes(keys, &below, &order))
}

/// Children are made before their parents: `order` has each key behind its parent.
fn nodes(keys: Vec<Key>, below: &HashMap<(u16, u32), Vec<usize>>, order: &[usize]) -> Vec<Node> {
    let mut keys: Vec<Option<Key>> = keys.into_iter().map(Some).collect();
    let mut made: HashMap<usize, Node> = HashMap::new();
    for at in order.iter().rev() {
        let Some(key) = keys.get_mut(*at).and_then(Option::take) else { continue };
        let children = below.get(&key.id).into_iter().flatten().filter_map(|child| made.remove(child)).collect();
        made.insert(*at, node(key, children));
    }
    below.get(&ROOT).into_iter().flatten().filter_map(|at| made.remove(at)).collect()
}

fn node(key: Key, children: Vec<Node>) -> Node {
    let leaf = |kind: ValueKind, text: String| Content::Value(Value { kind, text });
    let other = |name: &str| ValueKind::Other(name.to_owned());
    let content = match key.data {
        Data::Node => Content::Children(children),
        Data::Int(number) => leaf(ValueKind::Integer, number.to_string()),
        Data::Uint(number) => leaf(other("unsigned"), number.to_string()),
        Data::Double(number) => leaf(other("double"), number.to_string()),
        Data::String(text) => leaf(ValueKind::String, text),
        Data::Array(bytes) => leaf(ValueKind::Bytes, STANDARD.encode(bytes)),
        Data::Bool(value) => leaf(ValueKind::Bool, if value != 0 { "True" } else { "False" }.to_owned()),
        Data::Unread(len) => leaf(other("unread"), format!("{len} bytes")),
    };
    Node::placed(key.name, content, Position::Offset(key.offset))
}
