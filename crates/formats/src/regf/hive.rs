//! Opening a hive: the base block's checks, recovery of a dirty hive in memory, the root key.

use std::fmt;

use super::base::{BINS_START, BaseBlock, check_bins, show};
use super::recover::{Recovery, recover};
use super::{Key, RegValue, RegfError};

/// In what state the files were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HiveState {
    /// The last write was finished; no log is needed.
    Clean,
    /// A write was going on; it was finished in memory from the logs.
    Replayed {
        /// Names of the logs that were used.
        logs: Vec<String>,
        /// Pages taken from them.
        pages: usize,
    },
    /// A write was going on and no log fits: values may be stale, and pieces may not fit together.
    Stale,
}

/// A registry hive in memory.
pub struct Hive {
    file: String,
    data: Vec<u8>,
    /// End of the readable hive bins in `data`.
    end: usize,
    base: BaseBlock,
    state: HiveState,
    remarks: Vec<String>,
}

impl fmt::Debug for Hive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hive").field("file", &self.file).field("base", &self.base).finish_non_exhaustive()
    }
}

impl Hive {
    /// Opens the hive in `primary` with its transaction logs (name and bytes; in the order `.LOG`, `.LOG1`, `.LOG2`).
    /// `file` is what messages call it. A dirty hive is replayed into memory; a cut one opens as long as its root is there.
    pub fn open(primary: impl Into<Vec<u8>>, logs: &[(&str, &[u8])], file: &str) -> Result<Hive, RegfError> {
        let mut data = primary.into();
        let base = match BaseBlock::parse(&data) {
            Some(base) if data.len() > BINS_START => base,
            _ => return Err(RegfError::TooShort { file: file.to_owned(), found: data.len() }),
        };
        let mut remarks = Vec::new();
        let mut state = HiveState::Clean;
        if !base.is_valid() || !base.is_settled() {
            let why = dirty_reason(&base);
            let recovery = recover(&mut data, &base, logs);
            remarks.push(recovery.sentence(file, &why));
            state = match recovery {
                Recovery::Replayed { logs, pages, .. } => HiveState::Replayed { logs, pages },
                Recovery::Nothing { .. } => HiveState::Stale,
            };
        }
        let base =
            BaseBlock::parse(&data).ok_or_else(|| RegfError::TooShort { file: file.to_owned(), found: data.len() })?;
        check_base(&base, &data, file)?;
        let promised = BINS_START.saturating_add(base.bins_len as usize);
        let end = promised.min(data.len());
        if promised > data.len() {
            remarks.push(format!(
                "'{file}' should have {promised} bytes by its base block, it has {}: it was cut, and keys behind the cut \
                 cannot be read.",
                data.len()
            ));
        } else if let Err((offset, why)) = check_bins(&data, end) {
            remarks
                .push(format!("'{file}' has a damaged hive bin at byte offset {offset}: {why}; keys may be missing."));
        }
        let hive = Hive { file: file.to_owned(), data, end, base, state, remarks };
        Key::root(&hive, base.root)?;
        Ok(hive)
    }

    /// What messages call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Clean, replayed or stale.
    pub fn state(&self) -> &HiveState {
        &self.state
    }

    /// What the operator should know about the state of the file, as whole sentences.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// FILETIME of the last write to the hive.
    pub fn last_written(&self) -> u64 {
        self.base.last_written
    }

    /// The root key.
    pub fn root(&self) -> Key<'_> {
        Key::root(self, self.base.root).expect("the root key was read when the hive was opened")
    }

    /// The key at `path`, names separated by backslashes, in any case; `None` when there is no such key.
    pub fn key(&self, path: &str) -> Result<Option<Key<'_>>, RegfError> {
        let mut key = self.root();
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            match key.subkey(name)? {
                Some(next) => key = next,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// The value `name` of the key at `path`; `None` when key or value do not exist.
    pub fn value(&self, path: &str, name: &str) -> Result<Option<RegValue<'_>>, RegfError> {
        match self.key(path)? {
            Some(key) => key.value(name),
            None => Ok(None),
        }
    }

    pub(super) fn bins(&self) -> &[u8] {
        self.data.get(BINS_START..self.end).unwrap_or_default()
    }

    pub(super) fn minor(&self) -> u32 {
        self.base.minor
    }

    pub(super) fn root_reference(&self) -> u32 {
        self.base.root
    }
}

fn dirty_reason(base: &BaseBlock) -> String {
    if !base.is_valid() {
        "its base block is damaged".to_owned()
    } else {
        format!("its sequence numbers are {} and {}", base.primary_sequence, base.secondary_sequence)
    }
}

fn check_base(base: &BaseBlock, data: &[u8], file: &str) -> Result<(), RegfError> {
    let file = file.to_owned();
    if !base.signature_ok {
        return Err(RegfError::NotAHive { file, found: show(data.get(..4).unwrap_or_default()) });
    }
    if base.major != 1 || !(2..=6).contains(&base.minor) {
        return Err(RegfError::Version { file, found: format!("{}.{}", base.major, base.minor) });
    }
    if base.file_type != 0 {
        return Err(RegfError::FileType { file, found: base.file_type });
    }
    Ok(())
}
