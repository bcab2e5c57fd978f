//! Fragments (MS-PSRP 2.2.4): a message travels in parts with the number of the message, the number of the part and its
//! length in front.

use std::collections::BTreeMap;

use crate::limits;

/// Bytes in front of each fragment's content.
pub(super) const HEAD: usize = 21;

const START: u8 = 1;
const END: u8 = 2;

/// Cuts messages. Numbers begin with 1 and belong to the pool.
#[derive(Debug)]
pub(super) struct Cutter {
    next: u64,
}

impl Cutter {
    pub const fn new() -> Self {
        Self { next: 1 }
    }

    /// The fragments of a message, none with more than `room` bytes in all.
    pub fn cut(&mut self, message: &[u8], room: usize) -> Vec<Vec<u8>> {
        let number = self.next;
        self.next += 1;
        let size = room.saturating_sub(HEAD).max(1);
        let count = message.len().div_ceil(size).max(1);
        let parts = (0..count).map(|index| &message[index * size..message.len().min((index + 1) * size)]);
        parts.enumerate().map(|(index, part)| fragment(number, (index, count), part)).collect()
    }
}

fn fragment(number: u64, (index, count): (usize, usize), part: &[u8]) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(u64::try_from(index).expect("a count in memory").to_be_bytes());
    bytes.push(if index == 0 { START } else { 0 } | if index + 1 == count { END } else { 0 });
    bytes.extend(u32::try_from(part.len()).expect("a part is as long as an envelope").to_be_bytes());
    bytes.extend(part);
    bytes
}

/// Puts messages together again.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Bytes of a fragment that is not complete.
    rest: Vec<u8>,
    /// Messages that are not complete: the number of the next part, and the bytes so far.
    open: BTreeMap<u64, (u64, Vec<u8>)>,
    held: usize,
    /// The highest number of a message that was begun.
    last: u64,
    /// Whether the next message must be the one after `last`.
    is_marked: bool,
}

impl Assembler {
    /// Takes bytes and gives the messages that became complete, each with its number.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, String> {
        self.rest.extend(bytes);
        let input = std::mem::take(&mut self.rest);
        let mut left = input.as_slice();
        let mut complete = Vec::new();
        while let Some((head, after)) = left.split_at_checked(HEAD) {
            let (number, part, flags, length) = parse(head);
            if length > limits::BODY {
                return Err(format!("a fragment announces {length} bytes"));
            }
            let Some((content, after)) = after.split_at_checked(length) else { break };
            left = after;
            complete.extend(self.add(number, part, flags, content)?);
        }
        self.rest = left.to_vec();
        Ok(complete)
    }

    /// Says that something may have been lost here. Messages are numbered over the whole pool, in which nothing else runs: a
    /// number that is left out from here on is output that did not come.
    pub fn mark(&mut self) {
        self.is_marked = self.last > 0;
        self.rest.clear();
    }

    fn add(&mut self, number: u64, part: u64, flags: u8, content: &[u8]) -> Result<Option<(u64, Vec<u8>)>, String> {
        let is_start = flags & START != 0;
        if is_start != (part == 0) {
            return Err(format!("fragment {part} of message {number} has the flags {flags}"));
        }
        if is_start {
            if self.open.contains_key(&number) || self.open.len() >= limits::OPEN_MESSAGES {
                return Err(format!("message {number} begins while others are not complete"));
            }
            // Behind the highest number there is no next one.
            let next = self.last.checked_add(1).filter(|next| number > *next);
            if std::mem::take(&mut self.is_marked)
                && let Some(next) = next
            {
                return Err(format!("message {next} is missing since the connection broke: output was lost"));
            }
            self.open.insert(number, (0, Vec::new()));
            self.last = self.last.max(number);
        }
        let (next, bytes) =
            self.open.get_mut(&number).ok_or_else(|| format!("the beginning of message {number} is missing"))?;
        if *next != part {
            return Err(format!("fragment {part} of message {number} came where {next} should"));
        }
        self.held += content.len();
        if self.held > limits::MESSAGE {
            return Err(format!("a message has more than {} bytes", limits::MESSAGE));
        }
        bytes.extend(content);
        *next += 1;
        if flags & END == 0 {
            return Ok(None);
        }
        let (_, bytes) = self.open.remove(&number).unwrap_or_default();
        self.held -= bytes.len();
        Ok(Some((number, bytes)))
    }
}

fn parse(head: &[u8]) -> (u64, u64, u8, usize) {
    let number = |at: usize| head[at..at + 8].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let length = head[17..HEAD].iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    (number(0), number(8), head[16], length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5),
            room in 22usize..100,
            step in 1usize..50,
        ) {
            let mut cutter = Cutter::new();
            let bytes: Vec<u8> = messages.iter().flat_map(|message| cutter.cut(message, room)).flatten().collect();
            let mut assembler = Assembler::default();
            let mut out = Vec::new();
            for part in bytes.chunks(step) {
                out.extend(assembler.feed(part).unwrap().into_iter().map(|(_, message)| message));
            }
            prop_assert_eq!(out, messages);
            prop_assert_eq!(assembler.held, 0);
        }

        #[test]
        fn changed_bytes_are_taken_or_refused(at in 0usize..100, byte in any::<u8>()) {
            let mut bytes = Cutter::new().cut(&[7; 60], 40).concat();
            let end = bytes.len();
            bytes[at % end] = byte;
            let _ = Assembler::default().feed(&bytes);
        }
    }

    #[test]
    fn gaps_and_lengths_are_refused() {
        let parts = Cutter::new().cut(&[7; 60], 41);
        assert!(Assembler::default().feed(&parts[1]).unwrap_err().contains("beginning"));
        assert!(Assembler::default().feed(&[parts[0].as_slice(), &parts[2]].concat()).unwrap_err().contains("should"));
        let mut huge = parts[0].clone();
        huge[17..21].fill(0xFF);
        assert!(Assembler::default().feed(&huge).unwrap_err().contains("4294967295"));
        let mut many = Assembler::default();
        let begin = |number: u64| fragment(number, (0, 2), b"x");
        let result = (0..20).try_for_each(|number| many.feed(&begin(number)).map(|_| ()));
        assert!(result.unwrap_err().contains("not complete"));
    }

    #[test]
    fn what_was_lost_with_a_connection_is_seen() {
        let whole = |number: u64| fragment(number, (0, 1), b"x");
        let mut assembler = Assembler::default();
        assembler.feed(&whole(4)).unwrap();
        assembler.mark();
        assert_eq!(assembler.feed(&whole(5)).unwrap().len(), 1);
        assembler.feed(&whole(8)).unwrap();
        assembler.mark();
        assert!(assembler.feed(&whole(10)).unwrap_err().contains("message 9 is missing"));
    }

    #[test]
    fn the_highest_number_of_a_message_has_no_next_one() {
        let mut assembler = Assembler::default();
        assembler.feed(&fragment(u64::MAX, (0, 1), b"x")).unwrap();
        assembler.mark();
        assert_eq!(assembler.feed(&fragment(3, (0, 1), b"y")).unwrap(), [(3, b"y".to_vec())]);
    }
}
