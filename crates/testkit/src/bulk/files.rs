//! Files for a volume: many small ones and few big ones, half of them text, half of them random bytes.

use crate::vhdx::Dice;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words; packs to about a third.
    Text,
    /// Random bytes; does not pack.
    Random,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    /// Number of the folder that it lies in.
    pub folder: u64,
    /// Its name.
    pub name: String,
    /// Length in bytes.
    pub len: usize,
    /// What it holds.
    pub kind: Kind,
    seed: u64,
}

impl SampleFile {
    /// Its bytes.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let mut dice = Dice::new(self.seed);
        let mut bytes = Vec::with_capacity(self.len + 32);
        while bytes.len() < self.len {
            let roll = dice.roll();
            match self.kind {
                Kind::Random => bytes.extend_from_slice(&roll.to_le_bytes()),
                Kind::Text => {
                    for shift in (0..60).step_by(6) {
                        bytes.extend_from_slice(
                            WORDS[usize::try_from(roll >> shift & 63).expect("six bits")].as_bytes(),
                        );
                        bytes.push(b' ');
                    }
                }
            }
        }
        bytes.truncate(self.len);
        bytes
    }
}

/// Endless files; the same seed gives the same ones.
#[derive(Debug)]
pub struct Files {
    dice: Dice,
    seed: u64,
    count: u64,
}

impl Files {
    /// The files of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Files { dice: Dice::new(seed), seed, count: 0 }
    }
}

impl Iterator for Files {
    type Item = SampleFile;

    fn next(&mut self) -> Option<SampleFile> {
        let dice = &mut self.dice;
        // On the average 36 KB, as on the system disks of servers.
        let len = match dice.below(1000) {
            0..500 => 200 + dice.below(8_000),
            500..900 => 8_000 + dice.below(50_000),
            900..996 => 60_000 + dice.below(150_000),
            _ => 500_000 + dice.below(4_500_000),
        };
        let kind = if dice.below(2) == 0 { Kind::Text } else { Kind::Random };
        let (number, seed) = (self.count, self.seed);
        self.count += 1;
        Some(SampleFile {
            folder: number / 300,
            name: format!("{seed:03}-{number:06}.{}", if kind == Kind::Text { "log" } else { "bin" }),
            len: usize::try_from(len).expect("a small file"),
            kind,
            seed: dice.roll(),
        })
    }
}

/// 64 words of logs and settings.
const WORDS: [&str; 64] = [
    "the",
    "server",
    "started",
    "error",
    "warning",
    "service",
    "at",
    "with",
    "value",
    "of",
    "machine",
    "virtual",
    "disk",
    "network",
    "adapter",
    "0x80070005",
    "true",
    "false",
    "user",
    "system",
    "in",
    "to",
    "was",
    "is",
    "not",
    "found",
    "file",
    "folder",
    "windows",
    "update",
    "package",
    "installed",
    "removed",
    "restart",
    "pending",
    "session",
    "logon",
    "event",
    "id",
    "source",
    "level",
    "info",
    "time",
    "2011-04-07",
    "13:37:00",
    "CREATE",
    "CLOSE",
    "READ",
    "WRITE",
    "SUCCESS",
    "denied",
    "access",
    "key",
    "registry",
    "HKLM",
    "setting",
    "default",
    "policy",
    "group",
    "domain",
    "controller",
    "address",
    "port",
    "\r\n",
];
