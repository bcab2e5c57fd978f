#![no_main]
use hvm_formats::disk::{Format, NoParents};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    hvm_fuzz::disk("input.qcow2", data, &NoParents, Format::Qcow2);
});
