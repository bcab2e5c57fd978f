//! HyperVStorage files (`.vmcx`, `data.vmcx`, `.vmrs`): [`Key`] is the tree, [`HvsSpec`] says how it is laid out. The rules are
//! those of the description that microsoft/openvmm publishes, and what real files of version 9.0 add: free entries without a
//! checksum, bytes left over behind values.

mod dirty;
mod write;

pub use dirty::leave_dirty;
pub use write::{HvsSpec, Places};

use crate::vmxml::Node;

/// A key with its name and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Name.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Type 3.
    Int(i64),
    /// Type 4.
    Uint(u64),
    /// Type 5.
    Double(f64),
    /// Type 6.
    Text(String),
    /// Type 7.
    Bytes(Vec<u8>),
    /// Type 8.
    Flag(bool),
    /// Type 9: other keys, in the order of their insertion.
    Node(Vec<Key>),
}

impl Key {
    /// A key.
    pub fn new(name: &str, value: Value) -> Key {
        Key { name: name.to_owned(), value }
    }

    /// A key below this one; panics at a value.
    #[must_use]
    pub fn with(mut self, key: Key) -> Key {
        let Value::Node(keys) = &mut self.value else { panic!("{} holds a value", self.name) };
        keys.push(key);
        self
    }

    /// A text.
    pub fn text(name: &str, text: &str) -> Key {
        Key::new(name, Value::Text(text.to_owned()))
    }

    /// A key for other keys.
    pub fn node(name: &str) -> Key {
        Key::new(name, Value::Node(Vec::new()))
    }

    /// The key that stands for an element of a configuration in XML.
    pub fn of_xml(node: &Node) -> Key {
        let value = match (node.children(), node.leaf_text(), node.leaf_bytes()) {
            (Some(children), ..) => Value::Node(children.iter().map(Key::of_xml).collect()),
            (_, _, Some(bytes)) => Value::Bytes(bytes.to_vec()),
            (_, Some(("integer", text)), _) => Value::Int(text.parse().expect("an integer leaf")),
            (_, Some(("bool", text)), _) => Value::Flag(text == "True"),
            (_, Some((_, text)), _) => Value::Text(text.to_owned()),
            _ => unreachable!("an element has children, a text or bytes"),
        };
        Key::new(node.name(), value)
    }
}

/// CRC-32 (polynomial 0xEDB88320, reflected), bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

/// The checksum of `bytes` with zeros where its field is.
fn sum_without(bytes: &[u8], field: usize) -> u32 {
    let mut copy = bytes.to_vec();
    copy[field..field + 4].fill(0);
    crc32(&copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
