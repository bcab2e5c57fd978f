//! The settings of a machine, read back from the calls of its step script.

use hvm_model::owner;
use hvm_model::setting::Setting;

use crate::hyperv::cmdlet::Call;
use crate::hyperv::machines::SERVICES;
use crate::hyperv::observe::{Found, boolean, kit_path, mac, number, text, vlan, words};

/// Items of one machine as they are found.
#[derive(Default)]
struct Items {
    all: Vec<(String, String)>,
    adapters: usize,
    /// Controller of DVD drives: IDE, and SCSI in generation 2, which has no IDE.
    optical: &'static str,
}

impl Items {
    fn add(&mut self, item: impl Into<String>, value: impl ToString) {
        self.all.push((item.into(), value.to_string()));
    }

    /// Adds an item of the adapter that was added last.
    fn of_adapter(&mut self, item: &str, value: impl ToString) {
        let index = self.adapters.saturating_sub(1);
        self.add(format!("adapter{index}.{item}"), value);
    }
}

/// The settings of a checkpoint: what the calls give the machine before it is made.
pub(super) fn checkpoint(save: &Call, calls: &[Call]) -> Found {
    let subject = format!("checkpoint {}", text(save, "Id")?);
    let parent = calls.iter().find(|call| call.name == "Open-KitMachine").map(|call| text(call, "Parent"));
    let mut all = vec![
        Setting::new(&subject, "name", text(save, "Name")?),
        Setting::new(&subject, "parent", parent.unwrap_or(Ok("none"))?),
    ];
    let kept = |item: &str| {
        item.starts_with("drive.") || ["memory.startup-mib", "processors.count", "com1", "com2"].contains(&item)
    };
    let found = settings(calls)?.into_iter().filter(|setting| kept(&setting.item));
    all.extend(found.map(|setting| Setting { subject: subject.clone(), ..setting }));
    Ok(all)
}

/// The settings that the calls bring.
pub(super) fn settings(calls: &[Call]) -> Found {
    let mut items = Items::default();
    let mut id = None;
    for call in calls {
        match call.name.as_str() {
            "New-VM" | "Compare-KitMachine" => created(call, &mut items)?,
            "Open-KitMachine" => {
                created(call, &mut items)?;
                items.add("current-checkpoint", text(call, "Parent")?);
                template(call, &mut items)?;
            }
            "Import-KitMachine" => id = Some(text(call, "Id")?),
            "Initialize-KitMachine" => id = Some(text(call, "SourceId")?),
            "Set-VM" => machine(call, &mut items)?,
            "Set-VMMemory" => memory(call, &mut items)?,
            "Set-VMProcessor" => processors(call, &mut items)?,
            "Set-VMBios" if call.arg("StartupOrder").is_some() => {
                items.add("firmware.boot-order", boot_order(&words(call, "StartupOrder")?)?);
            }
            "Set-VMFirmware" => secure_boot(call, &mut items)?,
            "Enable-VMTPM" => items.add("firmware.tpm", true),
            "Disable-VMTPM" => items.add("firmware.tpm", false),
            "Set-KitFirmware" => firmware(call, &mut items)?,
            "Add-VMHardDiskDrive"
            | "Add-KitPhysicalDisk"
            | "Add-VMDvdDrive"
            | "Set-VMFloppyDiskDrive"
            | "Set-KitDisk"
            | "Set-KitDvd" => drive(call, &mut items)?,
            "Add-VMNetworkAdapter"
            | "Get-KitAdapter"
            | "Connect-KitAdapter"
            | "Set-VMNetworkAdapterVlan"
            | "Set-VMNetworkAdapter" => {
                adapter(call, &mut items)?;
            }
            "Set-VMComPort" => items.add(format!("com{}", number(call, "Number")?), text(call, "Path")?),
            "Clear-KitComPort" => items.add(format!("com{}", number(call, "Number")?), "none"),
            "Set-KitService" => {
                let name = service_name(text(call, "ClassId")?);
                let state = if text(call, "State")? == "On" { "enabled" } else { "disabled" };
                items.add(format!("integration-service.{name}"), state);
            }
            _ => {}
        }
    }
    let subject = format!("machine {}", id.ok_or("it does not say which machine it makes")?);
    Ok(items.all.into_iter().map(|(item, value)| Setting::new(&subject, item, value)).collect())
}

fn created(call: &Call, items: &mut Items) -> Result<(), String> {
    let generation = if call.arg("Generation").is_some() { number(call, "Generation")? } else { 1 };
    items.optical = if generation == 1 { "ide" } else { "scsi" };
    items.add("generation", generation);
    Ok(())
}

fn machine(call: &Call, items: &mut Items) -> Result<(), String> {
    items.add("name", text(call, "NewVMName")?);
    let (notes, owner) = owner::split(text(call, "Notes")?, owner::WINDOWS_NEWLINE);
    items.add("notes", notes);
    if let Some(owner) = owner {
        items.add("owner", owner);
    }
    items.add("action.start", words(call, "AutomaticStartAction")?.join(","));
    items.add("action.stop", words(call, "AutomaticStopAction")?.join(","));
    if call.arg("AutomaticStartDelay").is_some() {
        items.add("action.start-delay", number(call, "AutomaticStartDelay")?);
    }
    Ok(())
}

fn memory(call: &Call, items: &mut Items) -> Result<(), String> {
    let mib = |parameter: &str| number(call, parameter).map(|bytes| bytes >> 20);
    let dynamic = boolean(call, "DynamicMemoryEnabled")?;
    items.add("memory.startup-mib", mib("StartupBytes")?);
    items.add("memory.dynamic", dynamic);
    if dynamic {
        items.add("memory.minimum-mib", mib("MinimumBytes")?);
        items.add("memory.maximum-mib", mib("MaximumBytes")?);
        items.add("memory.buffer-percent", number(call, "Buffer")?);
    }
    if call.arg("MaximumAmountPerNumaNodeBytes").is_some() {
        items.add("numa.mib-per-node", mib("MaximumAmountPerNumaNodeBytes")?);
    }
    items.add("memory.weight", number(call, "Priority")?.saturating_mul(100));
    Ok(())
}

fn processors(call: &Call, items: &mut Items) -> Result<(), String> {
    items.add("processors.count", number(call, "Count")?);
    items.add("processors.limit", number(call, "Maximum")?.saturating_mul(1000));
    items.add("processors.reserve", number(call, "Reserve")?.saturating_mul(1000));
    items.add("processors.weight", number(call, "RelativeWeight")?);
    let limits = [
        ("MaximumCountPerNumaNode", "numa.processors-per-node"),
        ("MaximumCountPerNumaSocket", "numa.nodes-per-socket"),
    ];
    for (parameter, item) in limits {
        if call.arg(parameter).is_some() {
            items.add(item, number(call, parameter)?);
        }
    }
    items.add("processors.compatibility-for-migration", boolean(call, "CompatibilityForMigrationEnabled")?);
    let older = boolean(call, "CompatibilityForOlderOperatingSystemsEnabled")?;
    items.add("processors.compatibility-for-older-systems", older);
    if call.arg("ExposeVirtualizationExtensions").is_some() {
        items.add("processors.nested-virtualization", boolean(call, "ExposeVirtualizationExtensions")?);
    }
    Ok(())
}

fn secure_boot(call: &Call, items: &mut Items) -> Result<(), String> {
    if call.arg("EnableSecureBoot").is_some() {
        items.add("firmware.secure-boot", words(call, "EnableSecureBoot")? == ["On"]);
    }
    template(call, items)
}

fn template(call: &Call, items: &mut Items) -> Result<(), String> {
    if call.arg("SecureBootTemplateId").is_some() {
        items.add("firmware.secure-boot-template", text(call, "SecureBootTemplateId")?);
    }
    Ok(())
}

fn boot_order(words: &[String]) -> Result<String, String> {
    let known = |word: &String| match word.as_str() {
        "Floppy" => Ok("floppy"),
        "CD" => Ok("optical"),
        "IDE" => Ok("hard-drive"),
        "LegacyNetworkAdapter" => Ok("network"),
        other => Err(format!("-StartupOrder of Set-VMBios has the word {other}")),
    };
    let order: Result<Vec<&str>, String> = words.iter().map(known).collect();
    Ok(order?.join(" "))
}

fn firmware(call: &Call, items: &mut Items) -> Result<(), String> {
    let parameters = [
        ("BiosGuid", "firmware.bios-guid"),
        ("BiosSerialNumber", "firmware.bios-serial-number"),
        ("BaseBoardSerialNumber", "firmware.base-board-serial-number"),
        ("ChassisSerialNumber", "firmware.chassis-serial-number"),
        ("ChassisAssetTag", "firmware.chassis-asset-tag"),
    ];
    for (parameter, item) in parameters {
        if call.arg(parameter).is_some() {
            items.add(item, text(call, parameter)?);
        }
    }
    Ok(())
}

fn drive(call: &Call, items: &mut Items) -> Result<(), String> {
    let place =
        || Ok::<_, String>(format!("{}-{}", number(call, "ControllerNumber")?, number(call, "ControllerLocation")?));
    match call.name.as_str() {
        "Add-VMHardDiskDrive" | "Set-KitDisk" => {
            let kind = match call.name.as_str() {
                "Set-KitDisk" => text(call, "ControllerType")?.to_lowercase(),
                _ => words(call, "ControllerType")?.join(",").to_lowercase(),
            };
            items.add(format!("drive.{kind}{}", place()?), format!("disk {}", kit_path(call, "Path")?));
        }
        "Add-KitPhysicalDisk" => {
            let kind = text(call, "ControllerType")?.to_lowercase();
            let disk = format!("physical disk {} {}", text(call, "By")?, text(call, "Value")?);
            items.add(format!("drive.{kind}{}", place()?), disk);
        }
        "Set-VMFloppyDiskDrive" => items.add("drive.floppy0-0", format!("image {}", kit_path(call, "Path")?)),
        _ if call.arg("Path").is_some() => {
            items.add(format!("drive.{}{}", items.optical, place()?), format!("image {}", kit_path(call, "Path")?));
        }
        _ => items.add(format!("drive.{}{}", items.optical, place()?), "empty dvd"),
    }
    Ok(())
}

fn adapter(call: &Call, items: &mut Items) -> Result<(), String> {
    match call.name.as_str() {
        "Add-VMNetworkAdapter" | "Get-KitAdapter" => {
            items.adapters += 1;
            items.of_adapter("name", text(call, "Name")?);
            items.of_adapter("kind", if boolean(call, "IsLegacy")? { "Legacy" } else { "Synthetic" });
            if call.name != "Get-KitAdapter" {
                address(call, items)?;
            }
        }
        "Connect-KitAdapter" if call.arg("SwitchName").is_some() => {
            items.of_adapter("switch", text(call, "SwitchName")?);
        }
        "Set-VMNetworkAdapterVlan" => items.of_adapter("vlan", vlan(call)?),
        "Set-VMNetworkAdapter" => port_settings(call, items)?,
        _ => {}
    }
    Ok(())
}

fn address(call: &Call, items: &mut Items) -> Result<(), String> {
    let fixed = call.arg("StaticMacAddress").is_some();
    items.of_adapter("mac-is-static", fixed);
    if fixed {
        items.of_adapter("mac", mac(text(call, "StaticMacAddress")?)?);
    }
    Ok(())
}

fn port_settings(call: &Call, items: &mut Items) -> Result<(), String> {
    if call.arg("StaticMacAddress").is_some() || call.arg("DynamicMacAddress").is_some() {
        address(call, items)?;
    }
    let flags = [
        ("MacAddressSpoofing", "mac-spoofing"),
        ("DhcpGuard", "dhcp-guard"),
        ("RouterGuard", "router-guard"),
        ("AllowTeaming", "teaming"),
        ("IeeePriorityTag", "priority-tag"),
    ];
    for (parameter, item) in flags {
        if call.arg(parameter).is_some() {
            items.of_adapter(item, words(call, parameter)? == ["On"]);
        }
    }
    let numbers = [
        ("VmqWeight", "vmq-weight"),
        ("IovWeight", "iov-weight"),
        ("IPsecOffloadMaximumSecurityAssociation", "ipsec-offload-limit"),
        ("MinimumBandwidthAbsolute", "minimum-bandwidth"),
        ("MinimumBandwidthWeight", "minimum-bandwidth-weight"),
        ("MaximumBandwidth", "maximum-bandwidth"),
    ];
    for (parameter, item) in numbers {
        if call.arg(parameter).is_some() {
            items.of_adapter(item, number(call, parameter)?);
        }
    }
    Ok(())
}

/// The name of the integration service with this class, as settings write it.
fn service_name(class: &str) -> String {
    let known = SERVICES.iter().find(|(_, found)| found.eq_ignore_ascii_case(class));
    known.map_or_else(|| class.to_owned(), |(service, _)| format!("{service:?}"))
}
