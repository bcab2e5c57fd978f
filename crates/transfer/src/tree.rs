//! The two ways in which BLAKE3 makes a tree over a content. The plain way is BLAKE3 itself: its root is what `b3sum` prints,
//! but each value depends on its offset, so that zeros cost as much as data. The way of manifests (FORMAT.md) has values
//! that do not: a terabyte of zeros costs nothing.

use std::sync::LazyLock;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::digest::Digest;
use crate::mask::Mask;
use crate::pipeline::{BLOCK, ZEROS};

/// Bytes of a leaf of the tree of manifests.
pub(crate) const LEAF: usize = 64 << 10;

const NODE_KEY: &[u8; 32] = b"hvmigrate disk tree 2 inner node";
const ROOT_KEY: &[u8; 32] = b"hvmigrate disk tree 2 whole disk";

static ZERO_LEAF: LazyLock<Digest> = LazyLock::new(|| leaf(&ZEROS[..LEAF]));
static ZERO_BLOCK: LazyLock<Digest> = LazyLock::new(|| Tree::Manifest.block(BLOCK, 0, &ZEROS, Mask::default()));

/// How the values of blocks are made and joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// BLAKE3 itself: a block's value is a subtree of it, or the hash when there is only one block.
    Plain,
    /// The tree of manifests.
    Manifest,
}

impl Tree {
    /// The value of one block of a content of `total` bytes; `mask` is that of `bytes`.
    pub(crate) fn block(self, total: u64, offset: u64, bytes: &[u8], mask: Mask) -> Digest {
        match self {
            Tree::Plain if total <= BLOCK => Digest(*blake3::hash(bytes).as_bytes()),
            Tree::Plain => {
                let mut hasher = blake3::Hasher::new();
                hasher.set_input_offset(offset);
                hasher.update(bytes);
                Digest(hasher.finalize_non_root())
            }
            Tree::Manifest => {
                let mut fold = Fold::new(self);
                for (index, part) in bytes.chunks(LEAF).enumerate() {
                    let zero = part.len() == LEAF && mask.is_zero(index * LEAF, LEAF);
                    fold.push(0, if zero { *ZERO_LEAF } else { leaf(part) });
                }
                fold.top().unwrap_or_else(|| leaf(b""))
            }
        }
    }

    /// The value of a whole block of zeros, where that does not depend on its offset.
    pub(crate) fn zero_block(self) -> Option<Digest> {
        (self == Tree::Manifest).then(|| *ZERO_BLOCK)
    }

    fn join(self, left: Digest, right: Digest) -> Digest {
        Digest(match self {
            Tree::Plain => merge_subtrees_non_root(&left.0, &right.0, Mode::Hash),
            Tree::Manifest => keyed(NODE_KEY, &left.0, &right.0),
        })
    }
}

fn leaf(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn keyed(key: &[u8; 32], first: &[u8], second: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new_keyed(key).update(first).update(second).finalize().as_bytes()
}

/// Joins the values of nodes, given from left to right, to the tree in which every left subtree is full.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    tree: Tree,
    /// Nodes of height 0 so far.
    at: u64,
    /// Full subtrees: height and value. The last two may be of one height, as the topmost join differs from all others.
    stack: Vec<(u32, Digest)>,
}

impl Fold {
    pub(crate) fn new(tree: Tree) -> Self {
        Fold { tree, at: 0, stack: Vec::new() }
    }

    /// Takes the next node: a subtree of 2^`height` leaves, or the last one with fewer.
    pub(crate) fn push(&mut self, height: u32, value: Digest) {
        while let [.., (one, left), (other, right)] = self.stack[..]
            && one == other
        {
            self.stack.truncate(self.stack.len() - 2);
            self.stack.push((one + 1, self.tree.join(left, right)));
        }
        self.stack.push((height, value));
        self.at += 1 << height;
    }

    /// How many nodes of height 0 there are.
    pub(crate) fn len(&self) -> u64 {
        self.at
    }

    /// Takes `count` nodes of one value and of height 0.
    pub(crate) fn push_many(&mut self, value: Digest, mut count: u64) {
        let mut powers = vec![value];
        while count > 0 {
            let height = self.at.trailing_zeros().min(count.ilog2());
            while let [.., last] = powers[..]
                && powers.len() <= height as usize
            {
                powers.push(self.tree.join(last, last));
            }
            self.push(height, powers.get(height as usize).copied().unwrap_or(value));
            count -= 1 << height;
        }
    }

    /// The value of the node over everything, as part of a larger tree; none when there is nothing.
    pub(crate) fn top(&self) -> Option<Digest> {
        let mut values = self.stack.iter().rev().map(|(_, value)| *value);
        let last = values.next()?;
        Some(values.fold(last, |right, left| self.tree.join(left, right)))
    }

    /// The value of the whole content, which has `total` bytes.
    pub(crate) fn root(&self, total: u64) -> Digest {
        match (self.tree, &self.stack[..]) {
            (Tree::Manifest, _) => {
                let top = self.top().unwrap_or_else(|| leaf(b""));
                Digest(keyed(ROOT_KEY, &total.to_le_bytes(), &top.0))
            }
            (Tree::Plain, []) => leaf(b""),
            (Tree::Plain, [(_, only)]) => *only,
            (Tree::Plain, [(_, left), rest @ ..]) => {
                let right = Fold { stack: rest.to_vec(), ..*self }.top().unwrap_or(*left);
                Digest(*merge_subtrees_root(&left.0, &right.0, Mode::Hash).as_bytes())
            }
        }
    }
}
