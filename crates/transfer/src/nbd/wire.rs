//! The constants of the protocol; all numbers travel big-endian.

/// Initial magic of the server, `NBDMAGIC`.
pub(super) const NBDMAGIC: u64 = 0x4e42_444d_4147_4943;
/// `IHAVEOPT`: second magic of the server, and the magic of each option of the client.
pub(super) const IHAVEOPT: u64 = 0x4948_4156_454f_5054;
/// Magic of a reply to an option.
pub(super) const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
/// `NBD_REQUEST_MAGIC`.
pub(super) const REQUEST: u32 = 0x2560_9513;
/// `NBD_SIMPLE_REPLY_MAGIC`.
pub(super) const SIMPLE_REPLY: u32 = 0x6744_6698;
/// `NBD_STRUCTURED_REPLY_MAGIC`.
pub(super) const STRUCTURED_REPLY: u32 = 0x668e_33ef;

/// Handshake flags: `NBD_FLAG_FIXED_NEWSTYLE` and `NBD_FLAG_NO_ZEROES`; the client answers with the same bits.
pub(super) const FLAG_FIXED_NEWSTYLE: u16 = 1;
pub(super) const FLAG_NO_ZEROES: u16 = 2;

/// Options of the client, `NBD_OPT_*`.
pub(super) mod opt {
    pub const EXPORT_NAME: u32 = 1;
    pub const ABORT: u32 = 2;
    pub const LIST: u32 = 3;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
    pub const STRUCTURED_REPLY: u32 = 8;
    pub const LIST_META_CONTEXT: u32 = 9;
    pub const SET_META_CONTEXT: u32 = 10;
}

/// Replies to options, `NBD_REP_*`.
pub(super) mod rep {
    pub const ACK: u32 = 1;
    pub const SERVER: u32 = 2;
    pub const INFO: u32 = 3;
    pub const META_CONTEXT: u32 = 4;
    /// Option not known.
    pub const ERR_UNSUP: u32 = 0x8000_0001;
    /// Option not well formed.
    pub const ERR_INVALID: u32 = 0x8000_0003;
    /// No such export.
    pub const ERR_UNKNOWN: u32 = 0x8000_0006;
    /// Option too long.
    pub const ERR_TOO_BIG: u32 = 0x8000_0009;
}

/// Kinds of information, `NBD_INFO_*`.
pub(super) mod info {
    pub const EXPORT: u16 = 0;
    pub const NAME: u16 = 1;
    pub const DESCRIPTION: u16 = 2;
    pub const BLOCK_SIZE: u16 = 3;
}

/// Transmission flags: `NBD_FLAG_HAS_FLAGS`, `_READ_ONLY`, `_SEND_FLUSH`, `_SEND_DF` and `_CAN_MULTI_CONN`. The content
/// never changes, so that all connections see the same.
pub(super) const TRANSMISSION_FLAGS: u16 = 1 | 1 << 1 | 1 << 2 | SEND_DF | 1 << 8;
/// `NBD_FLAG_SEND_DF`; offered only where replies can be structured.
pub(super) const SEND_DF: u16 = 1 << 7;

/// Commands, `NBD_CMD_*`.
pub(super) mod cmd {
    pub const READ: u16 = 0;
    pub const WRITE: u16 = 1;
    pub const DISC: u16 = 2;
    pub const FLUSH: u16 = 3;
    pub const TRIM: u16 = 4;
    pub const WRITE_ZEROES: u16 = 6;
    pub const BLOCK_STATUS: u16 = 7;
}

/// Command flags, `NBD_CMD_FLAG_*`: do not fragment, one extent.
pub(super) const CMD_DF: u16 = 1 << 2;
pub(super) const CMD_REQ_ONE: u16 = 1 << 3;

/// `NBD_REPLY_FLAG_DONE`: the last chunk of a reply.
pub(super) const REPLY_DONE: u16 = 1;

/// Kinds of chunks, `NBD_REPLY_TYPE_*`.
pub(super) mod chunk {
    pub const NONE: u16 = 0;
    pub const OFFSET_DATA: u16 = 1;
    pub const OFFSET_HOLE: u16 = 2;
    pub const BLOCK_STATUS: u16 = 5;
    pub const ERROR: u16 = 0x8001;
    pub const ERROR_OFFSET: u16 = 0x8002;
}

/// Error values, `NBD_E*`.
pub(super) mod errno {
    pub const EPERM: u32 = 1;
    pub const EIO: u32 = 5;
    pub const EINVAL: u32 = 22;
}

/// `NBD_STATE_HOLE` and `NBD_STATE_ZERO` of `base:allocation`.
pub(super) const STATE_HOLE_ZERO: u32 = 3;
