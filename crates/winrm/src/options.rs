//! What can be chosen for a connection, and what a caller says when something arrives.

use std::time::Duration;

/// Times and sizes of a connection. The default suits a host in the same house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long one TCP connection may take to be made.
    pub connect: Duration,
    /// `OperationTimeout` of a request (DSP0226 6.1): after it the server answers that there is nothing yet, and the client
    /// asks again. Also how often a caller is asked whether it still wants to wait.
    pub operation: Duration,
    /// How much longer than `operation` the answer itself may take before the server counts as silent.
    pub patience: Duration,
    /// `MaxEnvelopeSize` (DSP0226 6.2), in bytes: Windows Server 2008 R2 allows 153,600, later releases 512,000.
    pub envelope: u32,
    /// How often a broken connection is made anew while a command is being received, one after the other.
    pub reconnects: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            operation: Duration::from_secs(20),
            patience: Duration::from_secs(30),
            envelope: 153_600,
            reconnects: 3,
        }
    }
}

/// Whether the caller wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    GoOn,
    /// Stop: the rest is not wanted, and what runs on the server is stopped.
    Stop,
}
