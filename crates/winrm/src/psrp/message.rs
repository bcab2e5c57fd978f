//! Messages (MS-PSRP 2.2.1): where to, what, which pool, which pipeline, and the data as CLIXML.

use crate::clixml::{self, Value};
use crate::error::Result;
use crate::guid::Guid;

/// The kinds of messages that this client sends or does something with (MS-PSRP 2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SessionCapability,
    InitPool,
    PublicKeyRequest,
    PoolInitData,
    PoolState,
    CreatePipeline,
    UserEvent,
    PrivateData,
    PoolHostCall,
    PoolHostResponse,
    Output,
    Error,
    PipelineState,
    Debug,
    Verbose,
    Warning,
    Progress,
    Information,
    PipelineHostCall,
    PipelineHostResponse,
    Other(u32),
}

const KINDS: [(Kind, u32); 20] = [
    (Kind::SessionCapability, 0x0001_0002),
    (Kind::InitPool, 0x0001_0004),
    (Kind::PublicKeyRequest, 0x0001_0007),
    (Kind::PoolInitData, 0x0002_100B),
    (Kind::PoolState, 0x0002_1005),
    (Kind::CreatePipeline, 0x0002_1006),
    (Kind::UserEvent, 0x0002_1008),
    (Kind::PrivateData, 0x0002_1009),
    (Kind::PoolHostCall, 0x0002_1100),
    (Kind::PoolHostResponse, 0x0002_1101),
    (Kind::Output, 0x0004_1004),
    (Kind::Error, 0x0004_1005),
    (Kind::PipelineState, 0x0004_1006),
    (Kind::Debug, 0x0004_1007),
    (Kind::Verbose, 0x0004_1008),
    (Kind::Warning, 0x0004_1009),
    (Kind::Progress, 0x0004_1010),
    (Kind::Information, 0x0004_1011),
    (Kind::PipelineHostCall, 0x0004_1100),
    (Kind::PipelineHostResponse, 0x0004_1101),
];

impl Kind {
    fn number(self) -> u32 {
        let known = KINDS.iter().find(|(kind, _)| *kind == self).map(|(_, number)| *number);
        match self {
            Self::Other(number) => number,
            _ => known.unwrap_or_default(),
        }
    }

    fn of(number: u32) -> Self {
        KINDS.iter().find(|(_, known)| *known == number).map_or(Self::Other(number), |(kind, _)| *kind)
    }
}

/// Destination of a message: the server (MS-PSRP 2.2.1).
const TO_SERVER: u32 = 2;

/// A message that came.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub kind: Kind,
    pub pipeline: Guid,
    pub data: Value,
}

/// The bytes of a message to the server.
pub(super) fn write(kind: Kind, pool: Guid, pipeline: Guid, data: &Value) -> Result<Vec<u8>> {
    let mut bytes = TO_SERVER.to_le_bytes().to_vec();
    bytes.extend(kind.number().to_le_bytes());
    bytes.extend(pool.to_net());
    bytes.extend(pipeline.to_net());
    bytes.extend(clixml::write(data)?.as_bytes());
    Ok(bytes)
}

/// Reads a message. Data that are empty are no value.
pub(super) fn read(bytes: &[u8]) -> std::result::Result<Message, String> {
    let (head, data) = bytes.split_at_checked(40).ok_or_else(|| format!("a message has {} bytes", bytes.len()))?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let mut pipeline = [0; 16];
    pipeline.copy_from_slice(&head[24..40]);
    let data = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let text = std::str::from_utf8(data).map_err(|_| "a message is not UTF-8".to_owned())?;
    let data = if text.is_empty() { Value::Null } else { clixml::read(text)? };
    Ok(Message { kind: Kind::of(number(4)), pipeline: Guid::from_net(pipeline), data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let pipeline = Guid::random();
        let bytes = write(Kind::Output, Guid::random(), pipeline, &Value::Text("ü".to_owned())).unwrap();
        let message = read(&bytes).unwrap();
        assert_eq!(message, Message { kind: Kind::Output, pipeline, data: Value::Text("ü".to_owned()) });
        assert_eq!(bytes[..8], [2, 0, 0, 0, 0x04, 0x10, 0x04, 0]);
    }

    proptest! {
        #[test]
        fn changed_bytes_are_read_or_refused(at in 0usize..80, byte in any::<u8>(), cut in 0usize..80) {
            let mut bytes = write(Kind::Output, Guid::NONE, Guid::NONE, &Value::Text("hello".to_owned())).unwrap();
            let end = bytes.len();
            bytes[at % end] = byte;
            let _ = (read(&bytes), read(&bytes[..cut % end]));
        }
    }
}
