//! What can be wrong with a partition table.

use serde::{Serialize, Serializer};

/// A fault of a partition table; the partitions that are listed could still be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A sector could not be read.
    #[error("The sector at byte offset {offset} could not be read: {reason}")]
    Unreadable {
        /// Where.
        offset: u64,
        /// Why.
        reason: String,
    },
    /// A partition ends behind the disk.
    #[error("Partition {index} ends at byte {end}, the disk at {len}.")]
    PastEnd {
        /// Number of the partition.
        index: u32,
        /// Where it ends.
        end: u64,
        /// Length of the disk.
        len: u64,
    },
    /// Two partitions share sectors.
    #[error("Partitions {first} and {second} overlap from byte {start}.")]
    Overlap {
        /// Number of one.
        first: u32,
        /// Number of the other.
        second: u32,
        /// Where the second begins.
        start: u64,
    },
    /// A status byte that is neither active nor inactive.
    #[error("Partition {index} has the status byte {found:#04x}; 0x00 or 0x80 was expected.")]
    Status {
        /// Number of the partition.
        index: u32,
        /// Byte found.
        found: u8,
    },
    /// An entry with a type but without a range.
    #[error("Entry {index} has the type {kind:#04x} but starts at sector {start} with {count} sectors.")]
    EmptyRange {
        /// Number of the entry.
        index: u32,
        /// Type.
        kind: u8,
        /// First sector.
        start: u64,
        /// Sectors.
        count: u64,
    },
    /// The chain of logical partitions is broken.
    #[error("The extended boot record at byte offset {offset} has no mark 55 AA; later logical partitions are lost.")]
    NoExtendedMark {
        /// Where it should be.
        offset: u64,
    },
    /// The chain of logical partitions is a circle, leaves its partition or does not end.
    #[error("The chain of logical partitions leads to byte offset {offset} {reason}; it was not followed further.")]
    Chain {
        /// Where it leads.
        offset: u64,
        /// Why that is wrong.
        reason: &'static str,
    },
    /// GPT and MBR name different partitions.
    #[error("The protective MBR names other partitions too (hybrid MBR); the GPT was used.")]
    Hybrid,
    /// A protective MBR without GPT.
    #[error("The MBR protects a GPT (type 0xee), but no GPT header could be read.")]
    NoGpt,
    /// A GPT without protective MBR.
    #[error("The disk has a GPT, but its MBR does not protect it (no entry of type 0xee).")]
    NotProtected,
    /// A GPT of an earlier life of the disk.
    #[error(
        "The disk has a GPT that its MBR does not protect (no entry of type 0xee); the MBR names partitions, and was used."
    )]
    LeftOver,
    /// The first sector of a file system over the whole disk, which names partitions too.
    #[error("The first sector is that of a file system, and names partitions too; the file system was taken.")]
    VolumeAndTable,
    /// A table of an earlier life of a disk that is a member of a RAID now.
    #[error("The whole disk is a member of a Linux RAID; the partition table in its first sectors was not used.")]
    RaidMember,
    /// The table was made for other sectors.
    #[error("The partition table counts in sectors of {found} bytes, the disk has sectors of {expected}.")]
    SectorSize {
        /// Of the disk.
        expected: u32,
        /// Of the table.
        found: u32,
    },
    /// A GPT header or its entries cannot be used.
    #[error("The {which} GPT at byte offset {offset} cannot be used: {reason}.")]
    BadGpt {
        /// Primary or backup.
        which: &'static str,
        /// Where its header is.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The two headers do not describe the same partitions.
    #[error("The primary and the backup GPT differ; the primary was used.")]
    CopiesDiffer,
    /// The backup is not in the last sector.
    #[error("The backup GPT is at byte offset {found}, the last sector at {expected}; the disk was probably enlarged.")]
    BackupPlace {
        /// Last sector.
        expected: u64,
        /// Where the primary says that it is.
        found: u64,
    },
    /// A range that ends before it begins or outside the usable sectors.
    #[error(
        "GPT entry {index} runs from sector {first} to {last}; the usable ones are {usable_first} to {usable_last}."
    )]
    EntryRange {
        /// Number of the entry.
        index: u32,
        /// First sector.
        first: u64,
        /// Last sector.
        last: u64,
        /// First usable sector.
        usable_first: u64,
        /// Last usable sector.
        usable_last: u64,
    },
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
