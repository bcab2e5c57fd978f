//! BLAKE3 by pieces. A disk is hashed in blocks that are complete subtrees of the BLAKE3 tree (section 2.1 of the BLAKE3
//! paper), so that blocks can be hashed in any order, stored in a manifest, and joined to the hash that `b3sum` prints
//! for the whole content.

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pipeline::BLOCK;

/// A BLAKE3 value, 64 lower-case hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Digest> {
        blake3::Hash::from_hex(text).ok().map(|hash| Digest(*hash.as_bytes()))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is not a BLAKE3 value")))
    }
}

/// The value of one block of a content of `total` bytes: its chaining value, or the hash itself when there is only
/// one block. The position enters the value, so equal blocks at different offsets have different values.
pub(crate) fn block_value(total: u64, offset: u64, bytes: &[u8]) -> Digest {
    if total <= BLOCK {
        return Digest(*blake3::hash(bytes).as_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes);
    Digest(hasher.finalize_non_root())
}

/// Joins the values of all blocks to the hash of the whole content.
pub(crate) fn root(values: &[Digest]) -> Digest {
    match values {
        [] => Digest(*blake3::hash(b"").as_bytes()),
        [only] => *only,
        _ => {
            let (left, right) = values.split_at(left_blocks(values.len()));
            Digest(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
        }
    }
}

fn subtree(values: &[Digest]) -> [u8; 32] {
    match values {
        [only] => only.0,
        _ => {
            let (left, right) = values.split_at(left_blocks(values.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// The left subtree holds the largest power of two of blocks that leaves at least one for the right.
fn left_blocks(blocks: usize) -> usize {
    blocks.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_join_to_the_plain_hash_for_every_shape_of_tree() {
        let bytes: Vec<u8> = (0..9 * BLOCK as usize + 777).map(|i| (i * 31 + i / 4096) as u8).collect();
        for len in [0, 1, 1024, BLOCK as usize, BLOCK as usize + 1, 3 << 20, (4 << 20) - 5, 5 << 20, bytes.len()] {
            let content = &bytes[..len];
            let values: Vec<Digest> = content
                .chunks(BLOCK as usize)
                .enumerate()
                .map(|(i, part)| block_value(len as u64, i as u64 * BLOCK, part))
                .collect();
            assert_eq!(root(&values).to_string(), blake3::hash(content).to_hex().to_string(), "{len} bytes");
        }
    }
}
