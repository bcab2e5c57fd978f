//! The readers of this folder, for tests that give them any bytes.

use super::fragment::Assembler;
use super::{host, message, record};
use crate::answers::look;
use crate::limits;

/// Reads fragments in two parts, between which a connection broke, and the messages that they make.
pub(crate) fn fragments(bytes: &[u8]) -> Result<(), String> {
    let mut assembler = Assembler::default();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut complete = assembler.feed(first)?;
    if bytes.first().is_some_and(|byte| byte & 1 == 1) {
        assembler.mark();
    }
    complete.extend(assembler.feed(second)?);
    let total: usize = complete.iter().map(|(_, message)| message.len()).sum();
    assert!(total <= bytes.len() && total <= limits::MESSAGE);
    complete.iter().try_for_each(|(_, bytes)| message(bytes))
}

/// Reads one message and what is said in it.
pub(crate) fn message(bytes: &[u8]) -> Result<(), String> {
    let message = message::read(bytes)?;
    look(&message.data, 0);
    let _ = host::answer(&message.data);
    if let Some(record) = record::of(message) {
        let _ = format!("{record:?}");
    }
    Ok(())
}
