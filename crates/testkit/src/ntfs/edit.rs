//! Changes to a volume at its named structures.

use super::record::{protect, unprotect};
use super::{CLUSTER, RECORD, Volume};

impl Volume {
    /// Offset of a file record.
    #[must_use]
    pub fn record_at(&self, number: usize) -> usize {
        self.places.table * CLUSTER + number * RECORD
    }

    /// Changes a file record without its update sequence; the sequence is put right afterwards.
    pub fn edit_record(&mut self, number: usize, change: impl FnOnce(&mut [u8])) {
        let at = self.record_at(number);
        edit(&mut self.bytes[at..at + RECORD], change);
    }

    /// The same for an index block of 4 KiB at a cluster.
    pub fn edit_block(&mut self, cluster: usize, change: impl FnOnce(&mut [u8])) {
        edit(&mut self.bytes[cluster * CLUSTER..(cluster + 1) * CLUSTER], change);
    }

    /// Changes the first attribute of this kind in a record: the function gets the bytes from its start on.
    pub fn edit_attribute(&mut self, number: usize, kind: u32, change: impl FnOnce(&mut [u8])) {
        self.edit_record(number, |record| {
            let at = attribute_at(record, kind);
            change(&mut record[at..]);
        });
    }

    /// Changes the data runs of the first attribute of this kind.
    pub fn edit_runs(&mut self, number: usize, kind: u32, pairs: &[u8]) {
        self.edit_attribute(number, kind, |attribute| {
            let at = usize::from(u16::from_le_bytes([attribute[32], attribute[33]]));
            attribute[at..at + pairs.len()].copy_from_slice(pairs);
        });
    }
}

fn edit(bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
    unprotect(bytes);
    change(bytes);
    protect(bytes);
}

/// Offset of the first attribute of this kind.
#[must_use]
fn attribute_at(record: &[u8], kind: u32) -> usize {
    let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes"));
    let mut at = 56;
    while word(at) != kind {
        assert!(word(at) != u32::MAX, "the record has no attribute {kind:#x}");
        at += usize::try_from(word(at + 4)).expect("a small record");
    }
    at
}
