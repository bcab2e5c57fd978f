#![no_main]
use libfuzzer_sys::fuzz_target;

// Inputs are files of 4 MiB and more: run with -max_len=8388608, or use the changes below, which need 24 bytes each.
fuzz_target!(|data: &[u8]| {
    if data.len() >= 1 << 20 {
        hvm_fuzz::agrees_with_reference(data);
        return;
    }
    hvm_fuzz::changed_vhdx(data);
});
