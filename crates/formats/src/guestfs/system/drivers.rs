//! Which drivers a guest has for the devices of Hyper-V and KVM: services of Windows, modules of Linux. A driver that lies only in
//! Windows' driver store, or in an initial RAM disk, is not seen.

use serde::Serialize;

use super::linux::text_of;
use super::windows::Values;
use crate::guestfs::ext::Ext;

/// Services of Windows: those of Hyper-V, of virtio, of IDE and AHCI, of e1000 and rtl8139 and of other hypervisors' disks.
const SERVICES: [&str; 25] = [
    "vmbus",
    "storvsc",
    "storflt",
    "netvsc",
    "vmicheartbeat",
    "viostor",
    "vioscsi",
    "netkvm",
    "balloon",
    "vioser",
    "intelide",
    "pciide",
    "atapi",
    "msahci",
    "storahci",
    "iastorv",
    "e1g60",
    "e1iexpress",
    "e1express",
    "e1i65x64",
    "e1i63x64",
    "rtl8023x64",
    "rtl8139",
    "lsi_scsi",
    "lsi_sas",
];
/// Modules of Linux for the same.
const MODULES: [&str; 13] = [
    "hv_vmbus",
    "hv_storvsc",
    "hv_netvsc",
    "hv_utils",
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "virtio_net",
    "ata_piix",
    "ahci",
    "e1000",
    "8139cp",
    "8139too",
];
/// Kernels of one system that are looked at.
const MOST_KERNELS: usize = 64;
/// Bytes of a list of modules: those of distributions have less than 1 MiB.
const MAX_LIST: u64 = 4 << 20;

/// When a driver starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverStart {
    /// `Start` 0: by the boot loader.
    Boot,
    /// `Start` 1: while the kernel starts.
    System,
    /// `Start` 2: with the services.
    Automatic,
    /// `Start` 3: when its device is there.
    Demand,
    /// `Start` 4: never.
    Disabled,
    /// Built into the kernel (Linux).
    BuiltIn,
    /// A module of the kernel (Linux).
    Module,
    /// Another value, or none.
    Unknown,
}

impl DriverStart {
    fn of(value: &str) -> DriverStart {
        match value {
            "0" => DriverStart::Boot,
            "1" => DriverStart::System,
            "2" => DriverStart::Automatic,
            "3" => DriverStart::Demand,
            "4" => DriverStart::Disabled,
            _ => DriverStart::Unknown,
        }
    }
}

/// A driver that a guest has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuestDriver {
    /// The service of Windows, in lower case, or the module of Linux with `_` for `-`.
    pub name: String,
    /// When it starts.
    pub start: DriverStart,
    /// The kernel that it belongs to; empty for Windows.
    pub kernel: String,
}

/// The services of the control set `set` that are drivers of interest; `None` when there are no services.
///
/// Windows 8 and later keep a second value in the key `StartOverride` of a driver whose controller the machine did not have when
/// the system was set up; it is taken where it is there. UNCONFIRMED: Microsoft does not document that key.
pub(super) fn of_windows(values: &mut Values<'_, '_>, set: &str) -> Option<Vec<GuestDriver>> {
    let services = values.key(&format!(r"{set}\Services"))?;
    let mut all = Vec::new();
    for name in SERVICES {
        let Some(service) = values.below(&services, name) else { continue };
        let own = values.one(&service, "Start");
        let other = values.below(&service, "StartOverride").map(|key| values.one(&key, "0")).unwrap_or_default();
        let start = DriverStart::of(if other.is_empty() { &own } else { &other });
        all.push(GuestDriver { name: name.to_owned(), start, kernel: String::new() });
    }
    Some(all)
}

/// The modules of each kernel below `/lib/modules`, by the lists that depmod writes; `None` when there are none, as for a
/// kernel without modules.
pub(super) fn of_linux(volume: &Ext, remarks: &mut Vec<String>) -> Option<Vec<GuestDriver>> {
    const FOLDER: &str = "/lib/modules";
    let mut kept = |found: Result<Option<String>, String>| {
        found.unwrap_or_else(|error| {
            remarks.push(error);
            None
        })
    };
    let kernels = match volume.list(FOLDER, MOST_KERNELS) {
        Ok(kernels) => kernels,
        Err(error) => {
            kept(Err(error.to_string()));
            return None;
        }
    };
    let mut all = None;
    for kernel in kernels {
        for (file, start) in [("modules.builtin", DriverStart::BuiltIn), ("modules.dep", DriverStart::Module)] {
            let read = text_of(volume, &format!("{FOLDER}/{kernel}/{file}"), MAX_LIST);
            let Some(list) = kept(read.map_err(|error| error.to_string())) else { continue };
            let drivers: &mut Vec<GuestDriver> = all.get_or_insert_default();
            // A module has one line; a list that repeats one would make millions of drivers.
            let mut names: Vec<String> = Vec::new();
            for name in modules(&list) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            drivers.extend(names.into_iter().map(|name| GuestDriver { name, start, kernel: kernel.clone() }));
        }
    }
    all
}

/// The modules of interest in a list whose lines begin with paths such as `kernel/drivers/block/virtio_blk.ko.xz:`.
fn modules(list: &str) -> impl Iterator<Item = String> + '_ {
    list.lines().filter_map(|line| {
        let path = line.split(':').next()?;
        let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
        let (name, _) = file.split_once(".ko")?;
        let name = name.replace('-', "_");
        MODULES.contains(&name.as_str()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_modules_name_them_by_their_files() {
        let list = "kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz\n\
                    kernel/drivers/net/ethernet/intel/e1000/e1000.ko:\nkernel/drivers/ata/ata-piix.ko.zst:\nahci.ko\n\
                    kernel/drivers/net/virtio_net2.ko:\n\nvirtio_scsi\n";
        assert_eq!(modules(list).collect::<Vec<_>>(), ["virtio_blk", "e1000", "ata_piix", "ahci"]);
    }

    #[test]
    fn values_of_start_have_their_meaning() {
        let all = ["0", "3", "4", "", "7"].map(DriverStart::of);
        let expected =
            [DriverStart::Boot, DriverStart::Demand, DriverStart::Disabled, DriverStart::Unknown, DriverStart::Unknown];
        assert_eq!(all, expected);
    }
}
