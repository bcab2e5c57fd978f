//! Which settings a kit for Windows Server 2012 can put back.

use hvm_model::setting::{Carry, Setting};

/// The answer for one setting.
pub(crate) fn carries(setting: &Setting) -> Carry {
    let steps_of = |unit: u32| setting.value.parse::<u32>().is_ok_and(|value| value % unit == 0);
    let reason = match setting.item.as_str() {
        "memory.weight" if !steps_of(100) => "the cmdlet sets the weight in steps of 100; the next lower step is set",
        "processors.limit" | "processors.reserve" if !steps_of(1000) => {
            "the cmdlet sets whole percents; the next lower one is set"
        }
        "firmware.boot-order" if !is_whole_order(&setting.value) => {
            "Windows Server 2012 wants each of the four kinds of devices exactly once; unknown words are left out and missing \
             devices follow at the end"
        }
        "generation" if setting.value != "1" => "Windows Server 2012 knows only generation 1",
        "integration-service.GuestServices" => "Windows Server 2012 has no guest services",
        _ => return Carry::Carried,
    };
    Carry::NotCarried { reason: reason.to_owned() }
}

fn is_whole_order(order: &str) -> bool {
    let mut words: Vec<&str> = order.split(' ').collect();
    words.sort_unstable();
    words == ["floppy", "hard-drive", "network", "optical"]
}
