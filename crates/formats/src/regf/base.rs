//! The base block (file header) of a hive and of its logs, and the walk over hive bins.

/// Length of the base block; offsets in the hive count from here.
pub(super) const BINS_START: usize = 4096;
/// Hive bins and dirty pages of the new log format come in multiples of this.
pub(super) const PAGE: usize = 4096;

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}

/// The fields of the base block that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BaseBlock {
    /// Offset 0: `regf`.
    pub(super) signature_ok: bool,
    /// Offset 4: counted up before a write.
    pub(super) primary_sequence: u32,
    /// Offset 8: counted up after a write.
    pub(super) secondary_sequence: u32,
    /// Offset 12: FILETIME of the last write.
    pub(super) last_written: u64,
    /// Offset 20.
    pub(super) major: u32,
    /// Offset 24.
    pub(super) minor: u32,
    /// Offset 28: 0 hive, 1 log (old format), 6 log (new format).
    pub(super) file_type: u32,
    /// Offset 36: root key, from the start of the hive bins.
    pub(super) root: u32,
    /// Offset 40: length of the hive bins in bytes.
    pub(super) bins_len: u32,
    /// Offset 44: sector size of the disk / 512.
    pub(super) clustering: u32,
    /// Offset 508: XOR of the 127 words before.
    pub(super) checksum_ok: bool,
}

impl BaseBlock {
    /// Length of the part that is always present, in logs too.
    pub(super) const HEAD: usize = 512;

    pub(super) fn parse(bytes: &[u8]) -> Option<BaseBlock> {
        let head = bytes.get(..Self::HEAD)?;
        Some(BaseBlock {
            signature_ok: head.starts_with(b"regf"),
            primary_sequence: u32_at(head, 4)?,
            secondary_sequence: u32_at(head, 8)?,
            last_written: u64_at(head, 12)?,
            major: u32_at(head, 20)?,
            minor: u32_at(head, 24)?,
            file_type: u32_at(head, 28)?,
            root: u32_at(head, 36)?,
            bins_len: u32_at(head, 40)?,
            clustering: u32_at(head, 44)?,
            checksum_ok: u32_at(head, 508)? == checksum(head),
        })
    }

    /// Signature and checksum are right.
    pub(super) fn is_valid(&self) -> bool {
        self.signature_ok && self.checksum_ok
    }

    /// The last write was finished.
    pub(super) fn is_settled(&self) -> bool {
        self.primary_sequence == self.secondary_sequence
    }

    /// Sector size of a log in bytes, when it is one that disks have.
    pub(super) fn sector(&self) -> Option<usize> {
        (1..=8).contains(&self.clustering).then_some(self.clustering as usize * 512)
    }
}

/// XOR of the first 127 little-endian words; 0 and all ones are never stored.
pub(super) fn checksum(head: &[u8]) -> u32 {
    let (words, _) = head.get(..508).unwrap_or_default().as_chunks::<4>();
    match words.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word)) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}

/// FILETIME in the first hive bin (offset 20), the copy of the base block's.
pub(super) fn first_bin_time(data: &[u8]) -> Option<u64> {
    data.get(BINS_START..)?.starts_with(b"hbin").then(|| u64_at(data, BINS_START + 20)).flatten()
}

/// Walks the hive bins up to `end` (file offset); the offset and the reason where they stop fitting together.
pub(super) fn check_bins(data: &[u8], end: usize) -> Result<(), (usize, String)> {
    let mut at = BINS_START;
    while at < end {
        let Some(head) = data.get(at..).and_then(|rest| rest.first_chunk::<32>()) else {
            return Err((at, "the file ends".to_owned()));
        };
        if !head.starts_with(b"hbin") {
            return Err((at, format!("expected 'hbin', found {}", show(head.get(..4).unwrap_or_default()))));
        }
        let own = u32_at(head, 4).unwrap_or_default() as usize;
        let size = u32_at(head, 8).unwrap_or_default() as usize;
        if own != at - BINS_START {
            return Err((at, format!("the hive bin says that it lies at {own}, it lies at {}", at - BINS_START)));
        }
        if size == 0 || !size.is_multiple_of(PAGE) || size > end - at {
            return Err((
                at,
                format!("the hive bin has {size} bytes; a multiple of {PAGE} up to {} was expected", end - at),
            ));
        }
        at += size;
    }
    Ok(())
}

/// Bytes for a message: as text when printable, and in hex.
pub(super) fn show(bytes: &[u8]) -> String {
    if bytes.iter().all(|b| b.is_ascii_graphic()) && !bytes.is_empty() {
        return format!("'{}'", String::from_utf8_lossy(bytes));
    }
    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
    format!("bytes {}", hex.join(" "))
}
