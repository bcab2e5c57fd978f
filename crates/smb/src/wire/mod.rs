//! Messages of SMB 2 and 3 (MS-SMB2 2.2): built as bytes, and read from bytes that may be anything. Only what reads is here.

pub(crate) mod ask;
pub(crate) mod field;
pub(crate) mod folder;
pub(crate) mod header;
pub(crate) mod negotiate;
pub(crate) mod replies;

/// Text as the protocol has it: UTF-16, little-endian.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header::{Response, Transform};
    use proptest::prelude::*;

    /// Reads bytes as every kind of answer: they are taken or refused, and nothing else happens.
    fn read(bytes: &[u8]) {
        let _ = (Response::read(bytes), Transform::read(bytes));
        let _ = negotiate::Chosen::read(bytes);
        let _ = (replies::session_setup(bytes), replies::tree_connect(bytes), replies::create(bytes));
        let _ = (replies::read(bytes), replies::output(bytes), replies::ioctl(bytes), replies::symlink(bytes));
        let _ = (replies::streams(bytes), replies::volume(bytes), replies::snapshots(bytes));
        let _ = folder::entries(bytes, &mut Vec::new());
    }

    /// An answer with this structure size, whose places and lengths point here and there.
    fn answer(structure: u16, fill: u8) -> Vec<u8> {
        let mut bytes = vec![fill; 300];
        bytes[..4].copy_from_slice(b"\xFESMB");
        bytes[4..6].copy_from_slice(&64u16.to_le_bytes());
        bytes[64..66].copy_from_slice(&structure.to_le_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes);
        }

        #[test]
        fn changed_answers_are_taken_or_refused(
            structure in prop::sample::select(vec![65u16, 9, 16, 89, 17, 49]),
            fill in prop::sample::select(vec![0u8, 1, 80, 255]),
            changes in proptest::collection::vec((0usize..300, any::<u8>()), 0..6),
            cut in 0usize..300,
        ) {
            let mut bytes = answer(structure, fill);
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            read(&bytes);
            read(&bytes[..cut]);
        }
    }
}
