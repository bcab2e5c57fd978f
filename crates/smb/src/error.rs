//! What can go wrong, said to the person in front of the screen: what, where, what was expected and found, what next.

use std::io;

use crate::status::Status;

/// The result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the client, of the way, or of the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that the caller gave cannot be used.
    #[error("The {what} '{found}' cannot be used: it should be {expected}.")]
    Input {
        /// What the value is.
        what: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No TCP connection.
    #[error(
        "There is no connection to {endpoint}: {source}. Check the name and the port, the firewall on the way (TCP 445), and that \
         the service Server (LanmanServer) runs there."
    )]
    Connect {
        /// Host and port.
        endpoint: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server and this client have no version of the protocol in common.
    #[error(
        "{endpoint} speaks none of the versions 2.0.2 to 3.1.1 of SMB: {reason}. SMB 1 is not spoken here; let the server offer \
         SMB 2 (Windows Server 2008 and later do by default)."
    )]
    NoDialect {
        /// Host and port.
        endpoint: String,
        /// What it said.
        reason: String,
    },
    /// The server does not accept the name and the password.
    #[error("{endpoint} does not accept the user {user} with this password ({mechanism}): {status}.")]
    Refused {
        /// Host and port.
        endpoint: String,
        /// The user.
        user: String,
        /// NTLM or Kerberos.
        mechanism: String,
        /// What the server said.
        status: Status,
    },
    /// The authentication went wrong.
    #[error("The authentication with {endpoint} as {user} failed: {reason}.")]
    Authentication {
        /// Host and port.
        endpoint: String,
        /// The user.
        user: String,
        /// Why.
        reason: String,
    },
    /// The server let the user in as somebody else, so that nothing proves who is who.
    #[error(
        "{endpoint} lets {user} in as {found} only, whose messages nobody can prove. Check the name of the user; a session as \
         guest or anonymous is never used."
    )]
    Guest {
        /// Host and port.
        endpoint: String,
        /// The user.
        user: String,
        /// As what.
        found: &'static str,
    },
    /// Encryption is wanted and cannot be had.
    #[error("{endpoint} cannot encrypt ({dialect}), which {wanted}.")]
    NoEncryption {
        /// Host and port.
        endpoint: String,
        /// The version of the protocol.
        dialect: String,
        /// Who wants it.
        wanted: String,
    },
    /// A message that is not signed or sealed as it must be.
    #[error(
        "The answer of {endpoint} to {action} is not believed: {reason}. Somebody on the way may have changed it; nothing of it \
         was used."
    )]
    NotBelieved {
        /// Host and port.
        endpoint: String,
        /// What was asked.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke.
    #[error("The connection to {endpoint} was lost during {action}: {reason}.")]
    Dropped {
        /// Host and port.
        endpoint: String,
        /// What was asked.
        action: String,
        /// How it broke.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("{endpoint} did not answer {action} within {seconds} seconds.")]
    Silent {
        /// Host and port.
        endpoint: String,
        /// What was asked.
        action: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is not what the protocol says.
    #[error("The answer of {endpoint} to {action} cannot be used: {reason}.")]
    Answer {
        /// Host and port.
        endpoint: String,
        /// What was asked.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server refused a request.
    #[error("{action} '{path}' is refused: {status}.")]
    Status {
        /// What was asked, as the beginning of a sentence.
        action: &'static str,
        /// The share and the path.
        path: String,
        /// The server's code.
        status: Status,
    },
    /// A link lies on the way to a file.
    #[error("'{path}' is not followed by the server: a link on the way leads to '{target}'.")]
    Link {
        /// The share and the path.
        path: String,
        /// Where it leads, as the server says.
        target: String,
    },
    /// A file is not the one that was opened at first.
    #[error(
        "'{path}' was changed on the server while it was read: {what}. What was read of it is not used; read it again when \
         nothing writes to it."
    )]
    Changed {
        /// The share and the path.
        path: String,
        /// What changed, with the values.
        what: String,
    },
    /// A file is shorter than what is wanted.
    #[error("'{path}' has {len} bytes; {count} bytes at {offset} were wanted.")]
    End {
        /// The share and the path.
        path: String,
        /// Its length, bytes.
        len: u64,
        /// The first byte that was wanted.
        offset: u64,
        /// How many.
        count: usize,
    },
}

impl Error {
    /// Whether the connection, the session or the server went away, so that asking again on a new connection can help.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        match self {
            Self::Dropped { .. } | Self::Silent { .. } | Self::Connect { .. } => true,
            Self::Status { status, .. } => status.is_lost(),
            _ => false,
        }
    }

    /// What the server said, when it refused a request.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Status { status, .. } | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The nearest kind of the system's errors.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Status { status, .. } => status.kind(),
            Self::End { .. } => io::ErrorKind::UnexpectedEof,
            Self::Connect { source, .. } => source.kind(),
            Self::Dropped { .. } => io::ErrorKind::ConnectionReset,
            Self::Silent { .. } => io::ErrorKind::TimedOut,
            Self::Answer { .. } | Self::NotBelieved { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        }
    }
}
