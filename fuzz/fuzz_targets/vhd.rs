#![no_main]
use hvm_formats::disk::Format;
use hvm_fuzz::oracles::subjects;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    thread_local!(static GATE: hvm_fuzz::oracles::Files = subjects::vhd().remove(2).gate);
    GATE.with(|gate| hvm_fuzz::disk("input.avhd", data, gate, Format::Vhd));
});
