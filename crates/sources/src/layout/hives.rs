//! The registry hives of a system volume with their transaction logs.

use hvm_formats::io::read_whole;
use hvm_formats::regf::Hive;
use hvm_model::names::WindowsPath;

use crate::error::ReachError;
use crate::reach::ReadOnlyTree;

/// Largest hive that is read, bytes. SOFTWARE hives of servers have some 100 MiB.
const MAX_HIVE: u64 = 1 << 30;
/// Endings of the transaction logs, in the order in which they are tried.
pub(crate) const LOGS: [&str; 3] = [".LOG", ".LOG1", ".LOG2"];

/// How a hive is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Its file should be there and is not.
    Missing,
    /// Its file is there and cannot be read.
    Damaged,
    /// Its file is there, and this user may not read it.
    Denied,
    /// Its file is there, and the Windows that it belongs to has it open for itself.
    InUse,
    /// A source of this kind has none.
    NotHere,
}

/// A hive that could not be opened.
#[derive(Debug)]
pub(crate) struct NoHive {
    /// How it is away.
    pub(crate) absence: Absence,
    /// Why, as a whole sentence.
    pub(crate) reason: String,
}

/// Reads a hive and replays its logs in memory.
pub(crate) fn read(tree: &dyn ReadOnlyTree, path: &WindowsPath) -> Result<Hive, NoHive> {
    let damaged = |reason: String| NoHive { absence: Absence::Damaged, reason };
    let file = tree.open(path).map_err(|error| {
        let absence = match &error {
            ReachError::InUse { .. } => Absence::InUse,
            error if error.is_missing() => Absence::Missing,
            error if error.is_denied() => Absence::Denied,
            _ => Absence::Damaged,
        };
        NoHive { absence, reason: error.to_string() }
    })?;
    let bytes =
        read_whole(&*file, MAX_HIVE).map_err(|error| damaged(format!("'{path}' could not be read: {error}.")))?;
    let mut logs = Vec::new();
    for end in LOGS {
        let name = format!("{}{end}", path.as_str());
        if let Ok(log) = tree.open(&WindowsPath::new(&name))
            && let Ok(bytes) = read_whole(&*log, MAX_HIVE)
        {
            logs.push((name, bytes));
        }
    }
    let logs: Vec<(&str, &[u8])> = logs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    Hive::open(bytes, &logs, path.as_str()).map_err(|error| damaged(error.to_string()))
}
