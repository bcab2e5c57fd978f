//! What can be wrong with a SID or a descriptor. Offsets count from the start of the descriptor.

/// Bytes or text are no SID or no security descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// Something lies behind the end.
    #[error("{what} at byte offset {offset} needs {expected} bytes, the data have {found} in all; they were cut.")]
    PastEnd {
        /// What it is.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Bytes needed from there.
        expected: usize,
        /// Length of all data.
        found: usize,
    },
    /// A revision that is not specified.
    #[error("{what} at byte offset {offset} has revision {found}; {expected} was expected.")]
    Revision {
        /// What it is.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Revisions that exist.
        expected: &'static str,
        /// Revision found.
        found: u8,
    },
    /// More sub-authorities than a SID has.
    #[error("The SID at byte offset {offset} has {found} sub-authorities; at most 15 were expected.")]
    SubAuthorities {
        /// Where it starts.
        offset: usize,
        /// Number found.
        found: u8,
    },
    /// The descriptor is in memory form, with pointers.
    #[error(
        "The security descriptor has the control word 0x{found:04X}; a self-relative one (bit 0x8000) was expected."
    )]
    NotSelfRelative {
        /// Control word.
        found: u16,
    },
    /// An entry is smaller than its own head.
    #[error("The access control entry at byte offset {offset} has {found} bytes; at least {expected} were expected.")]
    EntrySize {
        /// Where it starts.
        offset: usize,
        /// Bytes needed.
        expected: usize,
        /// Bytes announced.
        found: usize,
    },
    /// A list is longer than its 16-bit size can say.
    #[error(
        "An access control list of {found} bytes cannot be written; at most 65535 are possible. Remove entries first."
    )]
    TooLarge {
        /// Bytes of the list or entry.
        found: usize,
    },
    /// A text is no SID.
    #[error("'{text}' is no SID: {reason}. A SID looks like S-1-5-32-544.")]
    SidText {
        /// The text (shortened).
        text: String,
        /// Why not.
        reason: &'static str,
    },
}
