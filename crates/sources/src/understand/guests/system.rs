//! An operating system as the model has it.

use hvm_formats::guestfs::{self, SystemKind};
use hvm_model::found::{Found, Place};
use hvm_model::guest::{DriverStart, GuestDriver, GuestFamily, GuestSystem};
use hvm_model::vm::Machine;

use super::adapters;

/// The system that was found at `place`, with its adapters beside those of the machine.
pub(super) fn system(machine: &Machine, found: guestfs::GuestSystem, place: &Place) -> GuestSystem {
    let drivers = match &found.drivers {
        Some(drivers) => Found::Read { value: drivers.iter().map(driver).collect(), place: place.clone() },
        None => Found::unknown(match found.kind {
            SystemKind::Windows => "The services in its hive SYSTEM could not be read.",
            SystemKind::Linux => {
                "There is no list of modules below /lib/modules: the kernel may have all of them built in."
            }
        }),
    };
    let text = |text: &str| (!text.is_empty()).then(|| super::text(text));
    GuestSystem {
        family: match found.kind {
            SystemKind::Windows => GuestFamily::Windows,
            SystemKind::Linux => GuestFamily::Linux,
        },
        name: text(&found.name),
        version: text(&found.version),
        build: text(&found.build),
        service_pack: text(&found.service_pack),
        edition: text(&found.edition),
        installation: text(&found.installation),
        architecture: text(&found.architecture),
        host_name: text(&found.host_name),
        domain: text(&found.domain),
        language: text(&found.language),
        time_zone: text(&found.time_zone),
        root_device: text(&found.root_device),
        adapters: adapters::adapters(machine, &found, place),
        drivers,
    }
}

fn driver(driver: &guestfs::GuestDriver) -> GuestDriver {
    use guestfs::DriverStart as Read;
    GuestDriver {
        name: driver.name.clone(),
        start: match driver.start {
            Read::Boot => DriverStart::Boot,
            Read::System => DriverStart::System,
            Read::Automatic => DriverStart::Automatic,
            Read::Demand => DriverStart::Demand,
            Read::Disabled => DriverStart::Disabled,
            Read::BuiltIn => DriverStart::BuiltIn,
            Read::Module => DriverStart::Module,
            Read::Unknown => DriverStart::Unknown,
        },
        kernel: (!driver.kernel.is_empty()).then(|| super::text(&driver.kernel)),
    }
}
