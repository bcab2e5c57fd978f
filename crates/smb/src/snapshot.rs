//! Shadow copies of a share's volume, by the names that servers give them: `@GMT-2026.11.30-09.00.00` (MS-SMB2 3.3.5.15.1).

use std::fmt;

/// Units of 100 ns in a second.
const SECOND: u64 = 10_000_000;
/// Days from 0000-03-01 to 1601-01-01.
const BEGIN: u64 = 584_694;

/// A shadow copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Snapshot {
    /// When it was made, in units of 100 ns since 1601-01-01 UTC.
    time: u64,
    name: String,
}

impl Snapshot {
    /// Reads a name of a shadow copy; `None` when it is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Snapshot> {
        let (date, clock) = name.strip_prefix("@GMT-")?.split_once('-')?;
        let [year, month, day] = numbers(date, [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, [2, 2, 2])?;
        let is_there = year >= 1601 && (1..=12).contains(&month) && (1..=31).contains(&day);
        if !is_there || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
        Some(Snapshot { time: seconds * SECOND, name: name.to_owned() })
    }

    pub(crate) const fn time(&self) -> u64 {
        self.time
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Three numbers with dots between them, of so many digits each.
fn numbers(text: &str, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split('.');
    let mut found = [0; 3];
    for (slot, digits) in found.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1601-01-01 of a day of the Gregorian calendar. Years begin in March here, so that the leap day is their last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - BEGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times() {
        let time = |name: &str| Snapshot::parse(name).map(|snapshot| snapshot.time / SECOND);
        assert_eq!(time("@GMT-1601.01.01-00.00.00"), Some(0));
        // 1970-01-01 and 2000-03-01, whose seconds since 1970 are 951868800.
        assert_eq!(time("@GMT-1970.01.01-00.00.01"), Some(11_644_473_601));
        assert_eq!(time("@GMT-2000.03.01-00.00.00"), Some(11_644_473_600 + 951_868_800));
        for wrong in ["", "@GMT-", "@GMT-2026.13.01-00.00.00", "@GMT-2026.1.01-00.00.00", "@GMT-2026.01.01-00.00.00x"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
