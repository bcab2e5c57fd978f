//! What can go wrong, said to the person in front of the screen: what, where, what was expected and found, what next.

use std::fmt;
use std::io;

use crate::soap::fault::Fault;

/// The result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// What is known about a request when its answer did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No byte of it left this machine: nothing has happened there.
    NotSent,
    /// It was sent, in whole or in part; whether the server carried it out is not known.
    Unknown,
    /// What runs on the server was running when it was last heard of, and goes on there for now.
    WasRunning,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "The request was not sent, so nothing has happened there",
            Self::Unknown => "Whether the server carried the request out is not known: look at what it would have made",
            Self::WasRunning => "The command was running when it was last heard of, and may go on there",
        })
    }
}

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
        "There is no connection to {endpoint}: {source}. Check the name and the port, the firewall on the way, and that the \
         service Windows Remote Management runs there (`winrm quickconfig` sets it up)."
    )]
    Connect {
        /// The address of the service.
        endpoint: String,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate is not believed.
    #[error(
        "The certificate of {endpoint} is not accepted: {reason}. It has the SHA-256 thumbprint {found}. If that is the \
         certificate that the server's own console shows, give its issuer as authority or its thumbprint as pin."
    )]
    Certificate {
        /// The address of the service.
        endpoint: String,
        /// Why it is not believed.
        reason: String,
        /// SHA-256 thumbprint of the certificate that came.
        found: String,
    },
    /// TLS failed for another reason than the certificate.
    #[error(
        "TLS with {endpoint} failed: {reason}. Windows Server 2008 and 2008 R2 as they come, and 2012 and 2012 R2 with an RSA \
         certificate, offer only older versions or cipher suites, which this program does not speak; use HTTP with encrypted \
         messages, or from 2012 on an ECDSA certificate, there."
    )]
    Tls {
        /// The address of the service.
        endpoint: String,
        /// What the TLS library said.
        reason: String,
    },
    /// Authorities or the system's list of them cannot be read.
    #[error("The certificate authorities cannot be read: {reason}. Expected are certificates in PEM form.")]
    Authorities {
        /// Why.
        reason: String,
    },
    /// The server does not take Negotiate.
    #[error(
        "{endpoint} does not offer the authentication 'Negotiate'; it offers: {offered}. Allow it there with \
         `winrm set winrm/config/service/auth @{{Negotiate=\"true\"}}`."
    )]
    NotOffered {
        /// The address of the service.
        endpoint: String,
        /// What it offers.
        offered: String,
    },
    /// The server does not accept the name and the password.
    #[error(
        "{endpoint} does not accept the user {user} with this password ({mechanism}). Check both; local accounts other than \
         Administrator also need the right to log on remotely there."
    )]
    Refused {
        /// The address of the service.
        endpoint: String,
        /// The user.
        user: String,
        /// NTLM or Kerberos.
        mechanism: String,
    },
    /// The authentication went wrong.
    #[error("The authentication with {endpoint} as {user} failed: {reason}.")]
    Authentication {
        /// The address of the service.
        endpoint: String,
        /// The user.
        user: String,
        /// Why.
        reason: String,
    },
    /// A message in clear came where only sealed ones are allowed, or its seal is wrong.
    #[error(
        "The answer of {endpoint} to {action} is not believed: {reason}. Somebody on the way may have changed it, or the \
         service does not encrypt its messages; nothing of the answer was used."
    )]
    NotSealed {
        /// The address of the service.
        endpoint: String,
        /// What was asked.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke while a request was under way.
    #[error("The connection to {endpoint} was lost during {action}: {reason}. {known}.")]
    Dropped {
        /// The address of the service.
        endpoint: String,
        /// What was asked.
        action: String,
        /// How it broke.
        reason: String,
        /// What is known of the request.
        known: Progress,
    },
    /// The server did not answer in time.
    #[error("{endpoint} did not answer {action} within {seconds} seconds. {known}.")]
    Silent {
        /// The address of the service.
        endpoint: String,
        /// What was asked.
        action: String,
        /// How long was waited.
        seconds: u64,
        /// What is known of the request.
        known: Progress,
    },
    /// The answer is not what the protocol says.
    #[error("The answer of {endpoint} to {action} cannot be used: {reason}. Is this really Windows Remote Management?")]
    Answer {
        /// The address of the service.
        endpoint: String,
        /// What was asked.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer is larger than this client reads.
    #[error("The answer of {endpoint} to {action} has {what} of {found}; at most {limit} are read.")]
    TooLarge {
        /// The address of the service.
        endpoint: String,
        /// What was asked.
        action: String,
        /// What is too large.
        what: &'static str,
        /// The size, as announced or as read so far.
        found: String,
        /// The limit.
        limit: usize,
    },
    /// The server answered with a fault.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// PowerShell remoting went wrong on the level of its own messages.
    #[error("PowerShell remoting with {endpoint} went wrong: {reason}. {known}.")]
    Remoting {
        /// The address of the service.
        endpoint: String,
        /// What is wrong.
        reason: String,
        /// What is known of the script.
        known: Progress,
    },
    /// A text cannot be written into a request.
    #[error("The {what} cannot be sent: it has the character U+{code:04X}, which XML does not allow.")]
    Unwritable {
        /// What the text is.
        what: &'static str,
        /// The character.
        code: u32,
    },
    /// A value is too large or too deep to be sent.
    #[error("The {what} cannot be sent: it is larger than {limit} bytes or nested too deeply.")]
    Oversized {
        /// What the value is.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// The fault of the server, if this is one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether the connection or the server went away, so that asking again on a new connection can help.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Dropped { .. } | Self::Silent { .. } | Self::Connect { .. })
    }

    /// The same error with what a caller higher up knows better.
    pub(crate) fn knowing(mut self, better: Progress) -> Self {
        if let Self::Dropped { known, .. } | Self::Silent { known, .. } | Self::Remoting { known, .. } = &mut self {
            *known = better;
        }
        self
    }
}
