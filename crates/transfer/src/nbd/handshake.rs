//! The fixed newstyle handshake: options of the client until it chooses the export or goes away. Everything here comes
//! from a peer that may be hostile: lengths are bounded before memory is taken, and so are the number of options and
//! the time.

use std::io;

use super::channel::Channel;
use super::meta::{self, Queries};
use super::wire::{
    FLAG_FIXED_NEWSTYLE, FLAG_NO_ZEROES, IHAVEOPT, NBDMAGIC, OPTION_REPLY, SEND_DF, TRANSMISSION_FLAGS, info, opt, rep,
};

/// Names may have 4096 bytes; an option may hold a few.
const MAX_OPTION: u32 = 64 << 10;
/// A longer option is skipped and refused up to here; beyond it the connection ends.
const MAX_SKIPPED: u32 = 1 << 20;
const MAX_OPTIONS: usize = 256;
/// Largest request that is answered, `NBD_INFO_BLOCK_SIZE`.
pub(super) const MAX_REQUEST: u32 = 32 << 20;

/// What was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub replies: Replies,
    pub allocation: Allocation,
}

/// How reads are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replies {
    Simple,
    Structured,
}

/// Whether the context `base:allocation` was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allocation {
    Off,
    On,
}

/// How an option leaves the handshake.
enum Next {
    More,
    Transmission,
    Gone,
}

/// What is offered.
pub(super) struct Offer<'a> {
    pub size: u64,
    pub sector_size: u32,
    pub description: &'a str,
}

/// Talks until the client has chosen the export; `None` when it went away.
pub(super) fn shake(channel: &mut Channel, offer: &Offer<'_>) -> io::Result<Option<Agreed>> {
    channel.write(&NBDMAGIC.to_be_bytes())?;
    channel.write(&IHAVEOPT.to_be_bytes())?;
    channel.write(&(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES).to_be_bytes())?;
    channel.flush()?;
    let flags = channel.read_u32()?;
    if flags & !u32::from(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES) != 0 {
        return Err(broken("unknown client flags"));
    }
    let mut state = Handshake {
        channel,
        offer,
        no_zeroes: flags & u32::from(FLAG_NO_ZEROES) != 0,
        agreed: Agreed { replies: Replies::Simple, allocation: Allocation::Off },
    };
    for _ in 0..MAX_OPTIONS {
        match state.option()? {
            Next::More => {}
            Next::Transmission => return Ok(Some(state.agreed)),
            Next::Gone => return Ok(None),
        }
    }
    Err(broken("too many options"))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

struct Handshake<'a> {
    channel: &'a mut Channel,
    offer: &'a Offer<'a>,
    no_zeroes: bool,
    agreed: Agreed,
}

impl Handshake<'_> {
    fn option(&mut self) -> io::Result<Next> {
        if self.channel.read_u64()? != IHAVEOPT {
            return Err(broken("no option magic"));
        }
        let (option, len) = (self.channel.read_u32()?, self.channel.read_u32()?);
        if len > MAX_OPTION {
            // The name of NBD_OPT_EXPORT_NAME has no reply that could refuse it.
            if len > MAX_SKIPPED || option == opt::EXPORT_NAME {
                return Err(broken("option too long"));
            }
            self.channel.skip(len.into())?;
            return self.reply(option, rep::ERR_TOO_BIG, b"The option is too long.");
        }
        let mut data = vec![0; len as usize];
        self.channel.read_exact(&mut data)?;
        match option {
            opt::EXPORT_NAME => self.export_name(&data),
            opt::ABORT => {
                self.reply(option, rep::ACK, &[])?;
                Ok(Next::Gone)
            }
            opt::LIST if data.is_empty() => {
                // One export, whose name is empty.
                self.send(option, rep::SERVER, &0u32.to_be_bytes())?;
                self.reply(option, rep::ACK, &[])
            }
            opt::STRUCTURED_REPLY if data.is_empty() => {
                self.agreed.replies = Replies::Structured;
                self.reply(option, rep::ACK, &[])
            }
            opt::LIST | opt::STRUCTURED_REPLY => self.reply(option, rep::ERR_INVALID, b"The option takes no data."),
            opt::INFO | opt::GO => self.go(option, &data),
            opt::LIST_META_CONTEXT | opt::SET_META_CONTEXT => self.contexts(option, &data),
            _ => self.reply(option, rep::ERR_UNSUP, b"The option is not known."),
        }
    }

    fn flags(&self) -> u16 {
        match self.agreed.replies {
            Replies::Structured => TRANSMISSION_FLAGS,
            Replies::Simple => TRANSMISSION_FLAGS & !SEND_DF,
        }
    }

    fn export_name(&mut self, name: &[u8]) -> io::Result<Next> {
        if !name.is_empty() {
            return Err(broken("no such export"));
        }
        self.channel.write(&self.offer.size.to_be_bytes())?;
        self.channel.write(&self.flags().to_be_bytes())?;
        if !self.no_zeroes {
            self.channel.write(&[0; 124])?;
        }
        self.channel.flush()?;
        Ok(Next::Transmission)
    }

    fn go(&mut self, option: u32, data: &[u8]) -> io::Result<Next> {
        let Some((name, wanted)) = parse_go(data) else {
            return self.reply(option, rep::ERR_INVALID, b"The option is not well formed.");
        };
        if !name.is_empty() {
            return self.reply(option, rep::ERR_UNKNOWN, b"There is only the export with the empty name.");
        }
        let mut export = info::EXPORT.to_be_bytes().to_vec();
        export.extend(self.offer.size.to_be_bytes());
        export.extend(self.flags().to_be_bytes());
        self.send(option, rep::INFO, &export)?;
        for kind in [info::NAME, info::DESCRIPTION, info::BLOCK_SIZE] {
            if !wanted.contains(&kind) {
                continue;
            }
            let mut about = kind.to_be_bytes().to_vec();
            match kind {
                info::DESCRIPTION => about.extend(self.offer.description.bytes().take(4096)),
                // Smallest, preferred and largest; any byte can be read.
                info::BLOCK_SIZE => {
                    let preferred = self.offer.sector_size.max(4096);
                    about.extend([1, preferred, MAX_REQUEST].into_iter().flat_map(u32::to_be_bytes));
                }
                _ => {}
            }
            self.send(option, rep::INFO, &about)?;
        }
        self.reply(option, rep::ACK, &[])?;
        Ok(if option == opt::GO { Next::Transmission } else { Next::More })
    }

    fn contexts(&mut self, option: u32, data: &[u8]) -> io::Result<Next> {
        let set = option == opt::SET_META_CONTEXT;
        if set {
            self.agreed.allocation = Allocation::Off;
        }
        let Some(Queries { export, queries }) = meta::parse(data) else {
            return self.reply(option, rep::ERR_INVALID, b"The option is not well formed.");
        };
        if self.agreed.replies == Replies::Simple {
            return self.reply(option, rep::ERR_INVALID, b"Structured replies come first.");
        }
        if !export.is_empty() {
            return self.reply(option, rep::ERR_UNKNOWN, b"There is only the export with the empty name.");
        }
        let chosen = if set { meta::is_set(&queries) } else { meta::is_listed(&queries) };
        if chosen {
            let id = if set { meta::ALLOCATION_ID } else { 0 };
            let mut context = id.to_be_bytes().to_vec();
            context.extend(meta::ALLOCATION);
            self.send(option, rep::META_CONTEXT, &context)?;
            if set {
                self.agreed.allocation = Allocation::On;
            }
        }
        self.reply(option, rep::ACK, &[])
    }

    fn send(&mut self, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
        self.channel.write(&OPTION_REPLY.to_be_bytes())?;
        self.channel.write(&option.to_be_bytes())?;
        self.channel.write(&kind.to_be_bytes())?;
        // Ours are never longer than a few kilobytes.
        self.channel.write(&(data.len() as u32).to_be_bytes())?;
        self.channel.write(data)
    }

    /// Sends the last reply to an option.
    fn reply(&mut self, option: u32, kind: u32, data: &[u8]) -> io::Result<Next> {
        self.send(option, kind, data)?;
        self.channel.flush()?;
        Ok(Next::More)
    }
}

/// Name and wanted kinds of information of NBD_OPT_INFO and NBD_OPT_GO.
fn parse_go(data: &[u8]) -> Option<(&[u8], Vec<u16>)> {
    let (len, rest) = data.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    let (count, kinds) = rest.split_first_chunk::<2>()?;
    let (kinds, tail) = kinds.as_chunks::<2>();
    if kinds.len() != usize::from(u16::from_be_bytes(*count)) || !tail.is_empty() {
        return None;
    }
    Some((name, kinds.iter().map(|kind| u16::from_be_bytes(*kind)).collect()))
}
