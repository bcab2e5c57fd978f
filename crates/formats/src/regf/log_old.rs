//! The log format of Windows XP to Windows 8 and Server 2012: a bitmap of dirty 512-byte pages and the pages.

use super::base::{BINS_START, check_bins};
use super::recover::{Log, take_base};

/// Length of a dirty page.
pub(super) const PAGE: usize = 512;

/// Replays `log` into `data`; `time` is the time stamp that the log must carry. Nothing is changed when it does not fit.
pub(super) fn replay(data: &mut Vec<u8>, log: &Log<'_>, time: Option<u64>) -> Result<usize, String> {
    if Some(log.base.last_written) != time {
        return Err("belongs to another state of the hive (its time stamp differs)".to_owned());
    }
    let Some(sector) = log.base.sector() else {
        return Err(format!("has the clustering factor {} (1 to 8 was expected)", log.base.clustering));
    };
    let bins_len = log.base.bins_len as usize;
    if bins_len == 0 || !bins_len.is_multiple_of(super::base::PAGE) {
        return Err(format!("tells {bins_len} bytes of hive bins (a multiple of 4096 was expected)"));
    }
    let vector = log.bytes.get(sector..).unwrap_or_default();
    let Some(vector) = vector.strip_prefix(b"DIRT") else {
        return Err(format!("has no 'DIRT' at byte offset {sector}"));
    };
    let bitmap_len = (bins_len / PAGE).div_ceil(8);
    let bitmap = vector.get(..bitmap_len).ok_or_else(|| "ends within its bitmap".to_owned())?;
    let pages_start = (sector + 4 + bitmap_len).next_multiple_of(sector);
    let dirty: Vec<usize> = (0..bins_len / PAGE).filter(|page| is_dirty(bitmap, *page)).collect();
    let pages = log.bytes.get(pages_start..).unwrap_or_default();
    let (pages, _) = pages.as_chunks::<PAGE>();
    if pages.len() < dirty.len() {
        return Err(format!("holds {} of its {} pages", pages.len(), dirty.len()));
    }
    // New hive bins are dirty as a whole, so a log can only lengthen the hive by what it holds itself.
    let end = BINS_START + bins_len;
    if end > data.len() + dirty.len() * PAGE {
        return Err(format!("tells {bins_len} bytes of hive bins, of which most are missing"));
    }
    let mut patched = data.clone();
    patched.resize(end.max(data.len()), 0);
    for (page, bytes) in dirty.iter().zip(pages) {
        let at = BINS_START + page * PAGE;
        patched.get_mut(at..at + PAGE).ok_or_else(|| "points behind the hive".to_owned())?.copy_from_slice(bytes);
    }
    check_bins(&patched, end)
        .map_err(|(offset, why)| format!("would leave a damaged hive bin at byte offset {offset}: {why}"))?;
    take_base(&mut patched, log.bytes, log.base.primary_sequence);
    *data = patched;
    Ok(dirty.len())
}

/// Bits count from the lowest of the first byte.
fn is_dirty(bitmap: &[u8], page: usize) -> bool {
    bitmap.get(page / 8).is_some_and(|byte| byte >> (page % 8) & 1 == 1)
}
