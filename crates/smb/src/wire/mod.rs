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
