//! The values of the blocks of a content, in order; equal neighbours are kept as one run.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::pipeline::{BLOCK, Piece, block_count};
use crate::tree::{Fold, Tree};

/// Most entries of a list. Longer contents have larger blocks, so that every list fits into little memory.
const MOST: u64 = 1 << 18;

/// Bytes of a block of a content of `len` bytes: 1 MiB up to 256 GiB, doubled as often as it takes beyond that.
pub(crate) fn block_size(len: u64) -> u64 {
    BLOCK << level(len)
}

fn level(len: u64) -> u32 {
    let entries = block_count(len).div_ceil(MOST).max(1);
    entries.next_power_of_two().ilog2()
}

/// Blocks of one value, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    value: Digest,
    count: u64,
}

/// The values of all blocks. As text a list of strings: the value, behind it `*` and a number where so many neighbours
/// have that value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks(Vec<Run>);

impl Blocks {
    /// Number of blocks.
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, run| sum.saturating_add(run.count))
    }

    /// True when there is no block.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of block number `index`.
    pub fn get(&self, index: u64) -> Option<Digest> {
        let mut before = 0u64;
        self.0.iter().find_map(|run| {
            before = before.saturating_add(run.count);
            (index < before).then_some(run.value)
        })
    }

    fn push(&mut self, value: Digest, count: u64) {
        match self.0.last_mut() {
            Some(last) if last.value == value => last.count = last.count.saturating_add(count),
            _ => self.0.push(Run { value, count }),
        }
    }

    /// The value of a content of `total` bytes that has these blocks.
    pub(crate) fn root(&self, tree: Tree, total: u64) -> Digest {
        let mut fold = Fold::new(tree);
        self.0.iter().for_each(|run| fold.push_many(run.value, run.count));
        fold.root(total)
    }

    /// Runs of blocks in which two lists differ, as (first block, number of blocks).
    pub(crate) fn differences(&self, other: &Blocks) -> Vec<(u64, u64)> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        let (mut ours, mut theirs) = (self.0.iter().copied(), other.0.iter().copied());
        let (mut one, mut two, mut at) = (ours.next(), theirs.next(), 0);
        while let (Some(left), Some(right)) = (one.as_mut(), two.as_mut()) {
            let count = left.count.min(right.count);
            if left.value != right.value {
                match found.last_mut() {
                    Some((first, run)) if *first + *run == at => *run += count,
                    _ => found.push((at, count)),
                }
            }
            at += count;
            left.count -= count;
            right.count -= count;
            one = one.filter(|run| run.count > 0).or_else(|| ours.next());
            two = two.filter(|run| run.count > 0).or_else(|| theirs.next());
        }
        found
    }
}

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|run| match run.count {
            1 => run.value.to_string(),
            count => format!("{}*{count}", run.value),
        }))
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> serde::de::Visitor<'de> for Items {
            type Value = Blocks;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of BLAKE3 values")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Blocks, A::Error> {
                let mut blocks = Blocks::default();
                while let Some(text) = items.next_element::<String>()? {
                    let run = run_of(&text);
                    let run = run.ok_or_else(|| serde::de::Error::custom(format!("'{text}' is not a BLAKE3 value")))?;
                    blocks.push(run.value, run.count);
                }
                Ok(blocks)
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

fn run_of(text: &str) -> Option<Run> {
    let (value, count) = match text.split_once('*') {
        Some((value, count)) => (value, count.parse().ok().filter(|count| *count > 0)?),
        None => (text, 1),
    };
    Some(Run { value: Digest::from_hex(value)?, count })
}

/// Makes a list while the values of a content's blocks of 1 MiB come in.
pub(crate) struct Builder {
    tree: Tree,
    /// Blocks of 1 MiB in an entry.
    group: u64,
    /// The entry that is not full.
    entry: Fold,
    blocks: Blocks,
    count: u64,
}

impl Builder {
    pub(crate) fn new(tree: Tree, total: u64) -> Self {
        Builder { tree, group: 1 << level(total), entry: Fold::new(tree), blocks: Blocks::default(), count: 0 }
    }

    /// Blocks of 1 MiB so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Takes the next `count` blocks, all of one value.
    pub(crate) fn push(&mut self, value: Digest, count: u64) {
        self.count += count;
        let mut left = count;
        let group = self.group;
        while left > 0 {
            let mut full = Fold::new(self.tree);
            if self.entry.len() == 0 && left >= group {
                full.push_many(value, group);
                self.blocks.push(full.top().unwrap_or(value), left / group);
                left %= group;
                continue;
            }
            let part = left.min(group - self.entry.len());
            self.entry.push_many(value, part);
            left -= part;
            if self.entry.len() == group {
                self.close();
            }
        }
    }

    /// Takes what the pipeline hands over.
    pub(crate) fn take(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Zeros(count) => self.push_zeros(*count),
            Piece::Block(block) => {
                if let Some(value) = block.value {
                    self.push(value, 1);
                }
            }
        }
    }

    /// Takes whole blocks of zeros; the tree must know their value.
    pub(crate) fn push_zeros(&mut self, count: u64) {
        if let Some(value) = self.tree.zero_block() {
            self.push(value, count);
        }
    }

    fn close(&mut self) {
        if let Some(value) = self.entry.top() {
            self.blocks.push(value, 1);
            self.entry = Fold::new(self.tree);
        }
    }

    /// The whole list, and the value of the content of `total` bytes.
    pub(crate) fn finish(mut self, total: u64) -> (Blocks, Digest) {
        self.close();
        let root = self.blocks.root(self.tree, total);
        (self.blocks, root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Mask;

    fn list(tree: Tree, bytes: &[u8], total: u64) -> Builder {
        let mut builder = Builder::new(tree, total);
        for (index, part) in (0..).zip(bytes.chunks(BLOCK as usize)) {
            builder.push(tree.block(bytes.len() as u64, index * BLOCK, part, Mask::of(part)), 1);
        }
        builder
    }

    #[test]
    fn blocks_join_to_the_plain_hash_for_every_shape_of_tree() {
        let bytes: Vec<u8> = (0..9 * BLOCK as usize + 777).map(|i| (i * 31 + i / 4096) as u8).collect();
        for len in [0, 1, 1024, BLOCK as usize, BLOCK as usize + 1, 3 << 20, (4 << 20) - 5, 5 << 20, bytes.len()] {
            let content = &bytes[..len];
            let (_, root) = list(Tree::Plain, content, len as u64).finish(len as u64);
            assert_eq!(root.to_string(), blake3::hash(content).to_hex().to_string(), "{len} bytes");
        }
    }

    #[test]
    fn the_value_of_a_content_does_not_depend_on_the_size_of_the_blocks() {
        let mut bytes = vec![0; 11 * BLOCK as usize + 999];
        bytes[3 << 20] = 1;
        bytes[9 << 20] = 2;
        for tree in [Tree::Plain, Tree::Manifest] {
            let len = bytes.len() as u64;
            let (_, root) = list(tree, &bytes, len).finish(len);
            for group in [1, 2, 4, 8] {
                let mut builder = Builder { group, ..list(tree, &[], 0) };
                for (index, part) in (0..).zip(bytes.chunks(BLOCK as usize)) {
                    builder.push(tree.block(len, index * BLOCK, part, Mask::of(part)), 1);
                }
                let (blocks, found) = builder.finish(len);
                assert_eq!(found, root, "{tree:?} in groups of {group}");
                assert_eq!(blocks.len(), 12u64.div_ceil(group));
            }
        }
    }

    #[test]
    fn runs_of_zeros_are_as_many_single_blocks() {
        for (before, zeros, group) in [(0, 7, 1), (3, 1000, 4), (1, 64, 16), (5, 3, 8)] {
            let value = Tree::Manifest.block(BLOCK, 0, &[1; BLOCK as usize], Mask::of(&[1; BLOCK as usize]));
            let mut one = Builder { group, ..list(Tree::Manifest, &[], 0) };
            let mut many = Builder { group, ..list(Tree::Manifest, &[], 0) };
            for builder in [&mut one, &mut many] {
                builder.push(value, before);
            }
            one.push_zeros(zeros);
            (0..zeros).for_each(|_| many.push_zeros(1));
            for builder in [&mut one, &mut many] {
                builder.push(value, 1);
            }
            let total = (before + zeros + 1) * BLOCK;
            assert_eq!(one.finish(total), many.finish(total));
        }
    }

    #[test]
    fn lists_of_large_contents_stay_short() {
        assert_eq!(block_size(1), BLOCK);
        assert_eq!(block_size(256 << 30), BLOCK);
        assert_eq!(block_size((256 << 30) + 1), 2 * BLOCK);
        assert_eq!(block_size(64 << 40), 256 * BLOCK);
        assert!(block_count(u64::MAX) / (block_size(u64::MAX) / BLOCK) <= MOST);
        let total = 64 << 40;
        let mut builder = Builder::new(Tree::Manifest, total);
        builder.push_zeros(total / BLOCK);
        let (blocks, _) = builder.finish(total);
        assert_eq!((blocks.len(), blocks.0.len()), (MOST, 1));
    }

    #[test]
    fn differences_of_lists() {
        let value = |n| Digest([n; 32]);
        let list = |runs: &[(u8, u64)]| Blocks(runs.iter().map(|&(n, count)| Run { value: value(n), count }).collect());
        let one = list(&[(1, 5), (2, 1), (3, 10)]);
        assert_eq!(one.differences(&one), []);
        assert_eq!(one.differences(&list(&[(1, 4), (2, 2), (3, 10)])), [(4, 1)]);
        assert_eq!(one.differences(&list(&[(9, 1), (1, 4), (2, 1), (3, 8), (4, 1), (3, 1)])), [(0, 1), (14, 1)]);
        assert_eq!(one.differences(&list(&[(7, 16)])), [(0, 16)]);
        assert_eq!((one.len(), one.get(5), one.get(16)), (16, Some(value(2)), None));
    }

    #[test]
    fn texts_come_back_and_bad_ones_are_refused() {
        let list = Blocks(vec![Run { value: Digest([1; 32]), count: 1 }, Run { value: Digest([2; 32]), count: 77 }]);
        let text = serde_json::to_string(&list).unwrap();
        assert!(text.contains("*77"), "{text}");
        assert_eq!(serde_json::from_str::<Blocks>(&text).unwrap(), list);
        let hex = "02".repeat(32);
        for bad in ["", "02", &format!("{hex}*"), &format!("{hex}*0"), &format!("{hex}*-1"), &format!("{hex}*9x")] {
            assert!(serde_json::from_str::<Blocks>(&format!("[\"{bad}\"]")).is_err(), "{bad}");
        }
    }
}
