//! Which settings a kit can put back, by release.

use hvm_model::setting::{Carry, Setting};

use crate::hyperv::release::Release;

/// The answer for one setting.
pub(crate) fn carries(release: &Release, setting: &Setting) -> Carry {
    let steps_of = |unit: u32| setting.value.parse::<u32>().is_ok_and(|value| value % unit == 0);
    let reason = match setting.item.as_str() {
        "memory.weight" if !steps_of(100) => {
            "the cmdlet sets the weight in steps of 100; the next lower step is set".to_owned()
        }
        "processors.limit" | "processors.reserve" if !steps_of(1000) => {
            "the cmdlet sets whole percents; the next lower one is set".to_owned()
        }
        "firmware.boot-order" if !is_whole_order(&setting.value) => {
            "Hyper-V wants each of the four kinds of devices exactly once; unknown words are left out and missing devices \
             follow at the end"
                .to_owned()
        }
        "numa.mib-per-node" if !steps_of(2) => {
            "the cmdlet sets the memory of a NUMA node in steps of 2 MiB; the next lower step is set".to_owned()
        }
        item if item.ends_with("vlan") && setting.value.ends_with("allowed ") => {
            "the cmdlet refuses a trunk to which no VLAN is let; the adapter is left without one".to_owned()
        }
        "generation" if setting.value != "1" && !release.has_generation_2() => {
            format!("{} knows only generation 1", release.windows)
        }
        "firmware.tpm" if setting.value == "true" && !release.has_virtual_tpm() => {
            format!("{} has no virtual TPM", release.windows)
        }
        "firmware.secure-boot-template" if !release.has_secure_boot_templates() => {
            format!("{} has no templates of Secure Boot", release.windows)
        }
        "processors.nested-virtualization" if !release.has_nested_virtualization() => {
            format!("{} has no nested virtualization", release.windows)
        }
        "integration-service.GuestServices" if !release.has_guest_services() => {
            format!("{} has no guest services", release.windows)
        }
        "authorization-store" if !release.honours_authorization_store() => format!(
            "{} does not honour authorization stores; members of the role Administrator for the whole host become members \
             of the local group Hyper-V Administrators",
            release.windows
        ),
        item if item.starts_with("hyper-v-administrator.") && release.honours_authorization_store() => {
            format!("on {} the authorization store itself says it", release.windows)
        }
        _ => return Carry::Carried,
    };
    Carry::NotCarried { reason }
}

fn is_whole_order(order: &str) -> bool {
    let mut words: Vec<&str> = order.split(' ').collect();
    words.sort_unstable();
    words == ["floppy", "hard-drive", "network", "optical"]
}
