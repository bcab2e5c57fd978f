#![no_main]
use libfuzzer_sys::fuzz_target;

// The first two bytes say how much of the input is the log.
fuzz_target!(|data: &[u8]| {
    let Some(([low, high], rest)) = data.split_first_chunk::<2>() else { return };
    let at = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (log, primary) = rest.split_at(at);
    let logs: &[(&str, &[u8])] = if log.is_empty() { &[] } else { &[("HIVE.LOG1", log)] };
    hvm_fuzz::oracles::hive(primary.to_vec(), logs);
});
