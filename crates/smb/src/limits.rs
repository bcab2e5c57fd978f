//! How much of a server's answer is taken at most, and how much is asked for at once. A server that sends more gets an error
//! that names the limit; nothing is cut off in silence.

/// Bytes of one message. Windows and Samba send at most 8 MiB of data at once, and this client asks for less.
pub const FRAME: usize = 9 << 20;
/// Bytes of one token of the authentication. Windows allows 48,000 by default (`MaxTokenSize`), 65,535 at most.
pub const TOKEN: usize = 64 << 10;
/// Rounds of the authentication: NTLM needs two, Kerberos one or two, SPNEGO may add one.
pub const ROUNDS: usize = 6;
/// Contexts of one answer to NEGOTIATE.
pub const CONTEXTS: usize = 32;
/// Bytes that one credit pays for (MS-SMB2 3.1.5.2).
pub const CREDIT: u32 = 64 << 10;
/// Credits that the client tries to have, so that some MiB can be under way.
pub const CREDITS: u32 = 512;
/// Credits that are counted at most, whatever the server says.
pub const MOST_CREDITS: u32 = 1 << 16;
/// Bytes of a piece of a file that is read with one request, when the server gives so many.
pub const PIECE: u32 = 1 << 20;
/// Bytes of a file that are asked for before they are wanted, while it is read in its order.
pub const AHEAD: u64 = 8 << 20;
/// Bytes of an answer to a question about a file or of one part of a listing.
pub const ANSWER: u32 = 64 << 10;
/// Entries of one folder.
pub const ENTRIES: usize = 1_000_000;
/// Characters of a path. Windows has paths of up to 32,767.
pub const PATH: usize = 32_000;
/// Streams of one file.
pub const STREAMS: usize = 10_000;
/// Shadow copies of one volume. Windows keeps 512 at most.
pub const SNAPSHOTS: usize = 4096;
