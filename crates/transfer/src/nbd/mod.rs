//! Serves a virtual disk read-only over NBD, so that programs that cannot read a chain of Hyper-V disks can read it as
//! plain sectors. The specification is `doc/proto.md` of the NBD project: the fixed newstyle handshake, simple and
//! structured replies, and the metadata context `base:allocation`; constants bear its names. Only this computer can
//! connect: over a unix socket or over the loopback address.

mod channel;
mod handshake;
mod meta;
mod server;
mod transmission;
mod wire;

pub use server::{Listen, NbdError, NbdServer, serve};
