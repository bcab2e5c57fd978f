//! The header of each message (MS-SMB2 2.2.1) and of each sealed one (2.2.41).

use super::field::{Fields, Malformed};
use crate::status::Status;

/// Bytes of a header.
pub(crate) const HEADER: usize = 64;
/// Bytes of the header of a sealed message.
pub(crate) const TRANSFORM: usize = 52;
/// Where the signature lies in a header.
pub(crate) const SIGNATURE: std::ops::Range<usize> = 48..64;
/// What of the header of a sealed message is proved with it.
pub(crate) const PROVED: std::ops::Range<usize> = 20..52;

const PLAIN: [u8; 4] = *b"\xFESMB";
const SEALED: [u8; 4] = *b"\xFDSMB";

const RESPONSE: u32 = 1;
const ASYNC: u32 = 2;
const SIGNED: u32 = 8;

/// What is asked (2.2.1.2). There is none that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Command {
    Negotiate = 0,
    SessionSetup = 1,
    Logoff = 2,
    TreeConnect = 3,
    Create = 5,
    Close = 6,
    Read = 8,
    Ioctl = 11,
    Echo = 13,
    QueryDirectory = 14,
    QueryInfo = 16,
}

impl Command {
    /// What messages call it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Negotiate => "the first message",
            Self::SessionSetup => "the authentication",
            Self::Logoff => "the goodbye",
            Self::TreeConnect => "opening a share",
            Self::Create => "opening a file",
            Self::Close => "closing a file",
            Self::Read => "reading",
            Self::Ioctl => "a question to the file system",
            Self::Echo => "a sign of life",
            Self::QueryDirectory => "listing a folder",
            Self::QueryInfo => "a question about a file",
        }
    }
}

/// The header of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) charge: u16,
    pub(crate) credits: u16,
    pub(crate) message: u64,
    pub(crate) tree: u32,
    pub(crate) session: u64,
    pub(crate) is_signed: bool,
}

impl Request {
    /// The bytes, without a signature.
    pub(crate) fn write(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let flags = if self.is_signed { SIGNED } else { 0 };
        let mut put = |at: usize, value: &[u8]| {
            for (slot, byte) in bytes.iter_mut().skip(at).zip(value) {
                *slot = *byte;
            }
        };
        put(0, &PLAIN);
        put(4, &64u16.to_le_bytes());
        put(6, &self.charge.to_le_bytes());
        put(12, &(self.command as u16).to_le_bytes());
        put(14, &self.credits.to_le_bytes());
        put(16, &flags.to_le_bytes());
        put(24, &self.message.to_le_bytes());
        put(36, &self.tree.to_le_bytes());
        put(40, &self.session.to_le_bytes());
        bytes
    }
}

/// The header of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: Status,
    pub(crate) command: u16,
    pub(crate) credits: u16,
    pub(crate) message: u64,
    pub(crate) tree: u32,
    pub(crate) session: u64,
    pub(crate) is_signed: bool,
    pub(crate) is_async: bool,
}

impl Response {
    pub(crate) fn read(message: &[u8]) -> Result<Response, Malformed> {
        let fields = Fields(message);
        if fields.bytes(0, 4)? != PLAIN {
            return Err("it is no message of SMB 2".to_owned());
        }
        fields.structure(4, 64)?;
        let flags = fields.u32(16)?;
        if flags & RESPONSE == 0 {
            return Err("it is a request and no answer".to_owned());
        }
        if fields.u32(20)? != 0 {
            return Err("it is chained to another one, which nobody asked for".to_owned());
        }
        fields.bytes(0, HEADER)?;
        Ok(Response {
            status: Status(fields.u32(8)?),
            command: fields.u16(12)?,
            credits: fields.u16(14)?,
            message: fields.u64(24)?,
            tree: fields.u32(36)?,
            session: fields.u64(40)?,
            is_signed: flags & SIGNED != 0,
            is_async: flags & ASYNC != 0,
        })
    }

    /// Whether it says only that the answer comes later.
    pub(crate) fn is_interim(&self) -> bool {
        self.is_async && self.status == Status::PENDING
    }
}

/// The header of a sealed message, without its signature.
pub(crate) fn transform(nonce: [u8; 16], len: u32, session: u64) -> [u8; TRANSFORM] {
    let mut bytes = [0; TRANSFORM];
    let parts = [&SEALED[..], &[0; 16], &nonce, &len.to_le_bytes(), &[0, 0, 1, 0], &session.to_le_bytes()];
    for (slot, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *slot = *byte;
    }
    bytes
}

/// What the header of a sealed message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transform {
    pub(crate) signature: [u8; 16],
    pub(crate) nonce: [u8; 16],
    pub(crate) session: u64,
}

impl Transform {
    /// `None` when the message is not sealed.
    pub(crate) fn read(frame: &[u8]) -> Result<Option<Transform>, Malformed> {
        let fields = Fields(frame);
        if fields.bytes(0, 4)? != SEALED {
            return Ok(None);
        }
        let (signature, nonce) = (fields.id(4)?, fields.id(20)?);
        let (len, flags, session) = (fields.size(36)?, fields.u16(42)?, fields.u64(44)?);
        let found = frame.len().saturating_sub(TRANSFORM);
        if len != found || len < HEADER {
            return Err(format!("it seals {len} bytes and has {found}"));
        }
        if flags != 1 {
            return Err(format!("it is sealed in the unknown way {flags}"));
        }
        Ok(Some(Transform { signature, nonce, session }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_lie_where_the_specification_has_them() {
        let request = Request {
            command: Command::Read,
            charge: 16,
            credits: 17,
            message: 0x0102_0304_0506_0708,
            tree: 9,
            session: 10,
            is_signed: true,
        };
        let mut bytes = request.write();
        assert_eq!((bytes[0], bytes[6], bytes[12], bytes[14], bytes[16]), (0xFE, 16, 8, 17, 8));
        assert_eq!((bytes[24], bytes[31], bytes[36], bytes[40]), (8, 1, 9, 10));
        assert!(Response::read(&bytes).unwrap_err().contains("request"));
        bytes[16] |= 1;
        let response = Response::read(&bytes).unwrap();
        assert_eq!((response.message, response.tree, response.session), (0x0102_0304_0506_0708, 9, 10));
        assert!(response.is_signed && !response.is_interim());
        assert!(Response::read(&bytes[..63]).is_err());
    }

    #[test]
    fn a_sealed_message_says_how_much_it_seals() {
        let mut frame = transform([7; 16], 64, 5).to_vec();
        frame.extend([0; 64]);
        let read = Transform::read(&frame).unwrap().unwrap();
        assert_eq!((read.nonce, read.session), ([7; 16], 5));
        frame.push(0);
        assert!(Transform::read(&frame).is_err());
        assert_eq!(Transform::read(b"\xFESMB"), Ok(None));
    }
}
