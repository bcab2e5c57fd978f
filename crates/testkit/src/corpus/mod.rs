//! A corpus of odd and broken files, each with what is odd or wrong about it and the answer that the specification
//! demands: the content, the content with a word about it, or a refusal with its reason.
//!
//! Reasons and remarks are parts of sentences, so that any reader's own words can be held against them.

mod ntfs;
mod vhd_chain;
mod vhd_odd;
mod vhd_refused;
mod vhd_small;
mod vhdx_log;
mod vhdx_odd;
mod vhdx_refused;

pub use ntfs::{NtfsAnswer, NtfsCase, ntfs};

use crate::vhdx::SparseImage;

/// What a disk holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Every byte.
    Whole(Vec<u8>),
    /// Size and what is not zero, by offset; of disks that are too large to be written down.
    Sparse(u64, Vec<(u64, Vec<u8>)>),
}

/// What a reader must do.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Give this content without a word.
    Reads(Content),
    /// Give this content, and say this of one of the files.
    Says(Content, &'static str),
    /// Refuse the disk with this reason.
    Refuses(&'static str),
    /// Open the disk, give an error with this reason for at least one part of it, and this content for the others.
    Misses(Content, &'static str),
}

/// What a check of the first file must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Find nothing wrong.
    Clean,
    /// Find a fault that says this.
    Finds(&'static str),
    /// Find a fault, or say that the disk cannot be read.
    Somehow,
}

/// One disk of the corpus.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, unique.
    pub name: String,
    /// What is odd or wrong, for people.
    pub what: String,
    /// The part of the specification, the bug or the real file that it comes from.
    pub from: &'static str,
    /// The file to be opened and its parents, by file name.
    pub files: Vec<(String, SparseImage)>,
    /// What reading must give.
    pub answer: Answer,
    /// What checking must give.
    pub checked: Checked,
}

/// The VHD part.
#[must_use]
pub fn vhd() -> Vec<Case> {
    let mut cases = vhd_odd::cases();
    cases.extend(vhd_chain::cases());
    cases.extend(vhd_refused::cases());
    cases
}

/// The VHDX part.
#[must_use]
pub fn vhdx() -> Vec<Case> {
    let mut cases = vhdx_odd::cases();
    cases.extend(vhdx_log::cases());
    cases.extend(vhdx_refused::cases());
    cases
}

/// How a change to a good file is to be answered.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// As if nothing had changed; a check finds nothing.
    Same,
    /// The same content; a check finds this.
    Found(&'static str),
    /// The same content with a word, part one; a check finds part two, or nothing where it is empty.
    Said(&'static str, &'static str),
    /// A refusal; a check finds it, too.
    Refused(&'static str),
    /// An error when it is read.
    Missed(&'static str),
}

impl Expect {
    fn answer(self, content: Vec<u8>) -> (Answer, Checked) {
        let content = Content::Whole(content);
        match self {
            Self::Same => (Answer::Reads(content), Checked::Clean),
            Self::Found(fault) => (Answer::Reads(content), Checked::Finds(fault)),
            Self::Said(word, "") => (Answer::Says(content, word), Checked::Clean),
            Self::Said(word, fault) => (Answer::Says(content, word), Checked::Finds(fault)),
            Self::Refused(reason) => (Answer::Refuses(reason), Checked::Somehow),
            Self::Missed(reason) => (Answer::Misses(content, reason), Checked::Finds(reason)),
        }
    }
}
