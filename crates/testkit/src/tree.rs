//! The value that a manifest gives a content, from its definition alone and without any thought of speed.

const LEAF: usize = 64 << 10;

/// The value of `bytes`, as 64 hex digits.
pub fn tree_hash(bytes: &[u8]) -> String {
    let size = (bytes.len() as u64).to_le_bytes();
    root(&size, &node(bytes)).to_hex().to_string()
}

fn root(size: &[u8], top: &blake3::Hash) -> blake3::Hash {
    blake3::keyed_hash(b"hvmigrate disk tree 2 whole disk", &[size, top.as_bytes()].concat())
}

fn node(bytes: &[u8]) -> blake3::Hash {
    if bytes.len() <= LEAF {
        return blake3::hash(bytes);
    }
    // The left side takes the most leaves that are a power of two and leave something for the right.
    let mut left = LEAF;
    while left * 2 < bytes.len() {
        left *= 2;
    }
    let (one, other) = (node(&bytes[..left]), node(&bytes[left..]));
    blake3::keyed_hash(b"hvmigrate disk tree 2 inner node", &[*one.as_bytes(), *other.as_bytes()].concat())
}
