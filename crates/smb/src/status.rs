//! The codes by which a server says how a request went (MS-ERREF 2.3).

use std::fmt;
use std::io::ErrorKind;

/// A code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    pub(crate) const SUCCESS: Status = Status(0);
    pub(crate) const PENDING: Status = Status(0x0000_0103);
    pub(crate) const BUFFER_OVERFLOW: Status = Status(0x8000_0005);
    pub(crate) const NO_MORE_FILES: Status = Status(0x8000_0006);
    pub(crate) const STOPPED_ON_SYMLINK: Status = Status(0x8000_002D);
    pub(crate) const END_OF_FILE: Status = Status(0xC000_0011);
    pub(crate) const INVALID_PARAMETER: Status = Status(0xC000_000D);
    pub(crate) const NO_SUCH_FILE: Status = Status(0xC000_000F);
    pub(crate) const INVALID_DEVICE_REQUEST: Status = Status(0xC000_0010);
    pub(crate) const MORE_PROCESSING: Status = Status(0xC000_0016);
    pub(crate) const ACCESS_DENIED: Status = Status(0xC000_0022);
    pub(crate) const OBJECT_NAME_INVALID: Status = Status(0xC000_0033);
    pub(crate) const OBJECT_NAME_NOT_FOUND: Status = Status(0xC000_0034);
    pub(crate) const OBJECT_PATH_NOT_FOUND: Status = Status(0xC000_003A);
    pub(crate) const SHARING_VIOLATION: Status = Status(0xC000_0043);
    pub(crate) const FILE_LOCK_CONFLICT: Status = Status(0xC000_0054);
    pub(crate) const DELETE_PENDING: Status = Status(0xC000_0056);
    pub(crate) const NOT_SUPPORTED: Status = Status(0xC000_00BB);
    pub(crate) const BAD_NETWORK_NAME: Status = Status(0xC000_00CC);
    pub(crate) const NETWORK_NAME_DELETED: Status = Status(0xC000_00C9);
    pub(crate) const USER_SESSION_DELETED: Status = Status(0xC000_0203);
    pub(crate) const FILE_CLOSED: Status = Status(0xC000_0128);
    pub(crate) const NETWORK_SESSION_EXPIRED: Status = Status(0xC000_035C);

    /// Whether it says that a connection or a session ended, so that a new one can help.
    pub(crate) const fn is_lost(self) -> bool {
        matches!(self, Self::NETWORK_SESSION_EXPIRED | Self::USER_SESSION_DELETED | Self::NETWORK_NAME_DELETED)
    }

    /// Whether it is about who asks.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(
            self.0,
            // LOGON_FAILURE, ACCOUNT_RESTRICTION, INVALID_LOGON_HOURS, INVALID_WORKSTATION, PASSWORD_EXPIRED, ACCOUNT_DISABLED,
            // NO_SUCH_USER, WRONG_PASSWORD, LOGON_TYPE_NOT_GRANTED, ACCOUNT_EXPIRED, PASSWORD_MUST_CHANGE, ACCOUNT_LOCKED_OUT.
            0xC000_006D
                ..=0xC000_0072 | 0xC000_0064 | 0xC000_006A | 0xC000_015B | 0xC000_0193 | 0xC000_0224 | 0xC000_0234
        )
    }

    /// The nearest kind of the system's errors.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::OBJECT_NAME_NOT_FOUND | Self::OBJECT_PATH_NOT_FOUND | Self::NO_SUCH_FILE | Self::BAD_NETWORK_NAME => {
                ErrorKind::NotFound
            }
            Self::DELETE_PENDING | Self::OBJECT_NAME_INVALID => ErrorKind::NotFound,
            Self::ACCESS_DENIED => ErrorKind::PermissionDenied,
            Self::SHARING_VIOLATION | Self::FILE_LOCK_CONFLICT => ErrorKind::ResourceBusy,
            Self::END_OF_FILE => ErrorKind::UnexpectedEof,
            _ => ErrorKind::Other,
        }
    }

    const fn text(self) -> Option<&'static str> {
        Some(match self.0 {
            0x8000_0005 => "the answer is larger than was asked for",
            0x8000_002D => "a link lies on the way",
            0xC000_0002 | 0xC000_00BB | 0xC000_0010 => "the server cannot do that",
            0xC000_000D => "the server does not take the request",
            0xC000_000F | 0xC000_0034 => "there is no such file or folder",
            0xC000_0011 => "the file ends before that",
            0xC000_0022 => "the user may not do that",
            0xC000_0033 => "this is no name of a file",
            0xC000_003A => "a folder on the way is not there",
            0xC000_0043 => "another program has it open for itself",
            0xC000_0054 => "another program has locked a part of it",
            0xC000_0056 => "it is being deleted",
            0xC000_0064 => "there is no such user",
            0xC000_006A => "the password is wrong",
            0xC000_006D => "the name or the password is wrong",
            0xC000_006E => "an account without a password may log on at the console only",
            0xC000_006F => "the account may not log on at this time",
            0xC000_0070 => "the account may not log on from this computer",
            0xC000_0071 => "the password has expired",
            0xC000_0072 => "the account is disabled",
            0xC000_009A => "the server has no memory for it",
            0xC000_00BA => "it is a folder",
            0xC000_00C9 => "the share was closed",
            0xC000_00CC => "there is no such share",
            0xC000_0103 => "it is no folder",
            0xC000_015B => "the account has no right to log on over the network",
            0xC000_0193 => "the account has expired",
            0xC000_0203 => "the server ended the session",
            0xC000_0224 => "the password must be changed first",
            0xC000_0234 => "the account is locked",
            0xC000_0275 => "it is no link",
            0xC000_035C => "the session has expired",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "{text} (0x{:08X})", self.0),
            None => write!(f, "the server says 0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status(0x{:08X})", self.0)
    }
}
