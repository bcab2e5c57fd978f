//! A few pages of the block table and the sector bitmaps, kept for the next look-up. Both can be far too large to be
//! held whole: a disk of 64 TiB has a table of 512 MiB at worst.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::DiskError;

use super::view::View;

/// Bytes of a page; 8192 table entries, or the bitmap bits of 524288 sectors.
pub(super) const PAGE: u64 = 64 << 10;
const KEPT: usize = 4;

/// The pages that were read last, the newest at the end.
#[derive(Default)]
pub(super) struct Pages {
    kept: Mutex<VecDeque<(u64, Arc<[u8]>)>>,
}

impl Pages {
    /// The page at `offset` of the file, a multiple of [`PAGE`].
    pub(super) fn get(&self, view: &View, offset: u64) -> Result<Arc<[u8]>, DiskError> {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = kept.iter().position(|(start, _)| *start == offset)
                && let Some(found) = kept.remove(index)
            {
                let page = Arc::clone(&found.1);
                kept.push_back(found);
                return Ok(page);
            }
        }
        let mut bytes = vec![0; PAGE as usize];
        view.read(offset, &mut bytes)?;
        let page: Arc<[u8]> = bytes.into();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((offset, Arc::clone(&page)));
        Ok(page)
    }
}
