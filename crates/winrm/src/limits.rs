//! How much of a server's answer is read at most. A server that sends more gets an error that names the limit; nothing is
//! cut off in silence.

/// Bytes of the status line and the headers of one HTTP answer.
pub const HEAD: usize = 32 * 1024;
/// Headers of one HTTP answer.
pub const HEADERS: usize = 64;
/// Bytes of the body of one HTTP answer. Windows keeps to the `MaxEnvelopeSize` of the request (512 KiB at most by default).
pub const BODY: usize = 8 * 1024 * 1024;
/// Bytes of one token of the authentication, before base64. Windows allows 48,000 by default (`MaxTokenSize`), 65,535 at most.
pub const TOKEN: usize = 64 * 1024;
/// Bytes of the signature in front of a sealed message: 16 for NTLM, 60 and more for Kerberos.
pub const SIGNATURE: usize = 1024;
/// Rounds of the authentication: NTLM needs two, Kerberos one or two, SPNEGO may add one.
pub const ROUNDS: usize = 6;
/// Nodes of one XML document.
pub const NODES: u32 = 1_000_000;
/// Depth of elements that are turned into values. PowerShell serialises objects up to depth 1 by default, 53 at most seen.
pub const DEPTH: usize = 64;
/// Bytes of one PowerShell remoting message, put together from its fragments. Windows refuses objects over 200 MB by
/// default (`PSMaximumReceivedObjectSizeMB`); such an object does not fit the purpose of this client.
pub const MESSAGE: usize = 64 * 1024 * 1024;
/// PowerShell remoting messages that may be incomplete at the same time.
pub const OPEN_MESSAGES: usize = 16;
/// Bytes of CLIXML that one message may have when it is written.
pub const WRITTEN: usize = 16 * 1024 * 1024;
/// How often a part of a query's answer is asked for again when nothing came within the server's time (60 seconds by default).
pub const SILENT_PULLS: u32 = 10;
