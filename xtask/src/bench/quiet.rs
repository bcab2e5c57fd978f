//! What makes runs comparable: only the disks of the row in the page cache, memory that the host of a virtual machine has
//! really given, and a figure for how much of the processors others took.

use std::fs;
use std::process::Command;

/// Ticks of /proc/stat in a second.
const TICKS: f64 = 100.0;

/// Empties the page cache, as far as this user may: what other rows left there takes the room of this one.
pub fn forget_files() {
    // What was written stays dirty, and with it in the cache, until it is on the disk.
    let _ = Command::new("sync").status();
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
}

/// Uses so many bytes of memory once, in large pages, and gives them back. The host of a virtual machine takes free memory back,
/// and giving it again costs a multiple of using it: without this, whoever needs memory that was free for longer would pay for it.
pub fn touch_memory(bytes: u64) -> Result<(), String> {
    let failed = |error| format!("{} MiB of memory could not be had: {error}", bytes >> 20);
    let mut memory = memmap2::MmapMut::map_anon(usize::try_from(bytes).unwrap_or(usize::MAX).max(1)).map_err(failed)?;
    // Small pages do as well, but take longer.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = memory.len().div_ceil(cores);
    std::thread::scope(|scope| {
        for part in memory.chunks_mut(part) {
            scope.spawn(move || part.iter_mut().step_by(4096).for_each(|byte| *byte = 1));
        }
    });
    std::hint::black_box(&memory);
    Ok(())
}

/// Seconds of all processors that went by for something, whoever that was; 0 where the system does not tell.
#[derive(Debug, Clone, Copy)]
pub struct Busy(f64);

impl Busy {
    /// Up to now.
    pub fn now() -> Self {
        Busy(parse(&fs::read_to_string("/proc/stat").unwrap_or_default()).unwrap_or(0.0))
    }

    /// The share of all processors that others took since then, over `wall` seconds of which `own` processor seconds were ours.
    pub fn others(self, wall: f64, own: f64) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ((Busy::now().0 - self.0 - own) / (wall * cores as f64)).max(0.0)
    }
}

/// User, nice, system, then idle and waiting, then interrupts and what the host took.
fn parse(stat: &str) -> Option<f64> {
    let fields: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let busy = fields.iter().enumerate().filter(|(index, _)| matches!(index, 0..=2 | 5..=7));
    Some(busy.map(|(_, ticks)| ticks).sum::<f64>() / TICKS)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(parse("cpu  100 1 200 9999 7777 3 4 5 50 0\ncpu0 1 1 1\n"), Some(3.13));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn memory_that_is_there_can_be_touched() {
        touch_memory(3_000_000).expect("three megabytes");
        touch_memory(0).expect("nothing");
    }
}
