//! A machine as libvirt XML.
//!
//! Only devices whose drivers every guest has are used (IDE, SATA, e1000, rtl8139): which drivers a guest holds is not known
//! from outside, and a guest that cannot see its disk does not start.

use hvm_model::owner;
use hvm_model::plan::Plan;
use hvm_model::role::RoleMachine;
use hvm_model::setting::{Carry, settings_of};
use hvm_model::vm::{BootDevice, StartAction};

use crate::libvirt::network::NAMESPACE;
use crate::libvirt::xml::Element;
use crate::libvirt::{DomainType, carries, devices, naming};

/// Everything that a domain is made from.
pub(crate) struct Writer<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The machine.
    pub machine: &'a RoleMachine,
    /// Absolute path of the root.
    pub root: &'a str,
    /// Who runs it.
    pub domain_type: DomainType,
}

/// Items that hold under libvirt without anything being written for them. The metadata keeps them, and those that are lost.
fn is_neutral(item: &str) -> bool {
    let items = [
        "memory.dynamic",
        "processors.reserve",
        "processors.compatibility-for-migration",
        "processors.compatibility-for-older-systems",
    ];
    items.contains(&item)
        || (item.starts_with("adapter") && (item.ends_with(".vlan") || item.ends_with(".mac-spoofing")))
}

impl Writer<'_> {
    /// The XML.
    pub fn document(&self) -> Element {
        let machine = self.machine;
        let configuration = &machine.configuration;
        let role = &self.plan.role;
        let mut domain = Element::new("domain").attribute("type", self.domain_type.word());
        domain.push(Element::new("name").text(naming::domain(role, machine)));
        domain.push(Element::new("uuid").text(naming::uuid(role, machine)));
        if !machine.name.is_empty() {
            domain.push(Element::new("title").text(one_line(&machine.name)));
        }
        let notes = owner::join(&machine.notes, machine.owner.as_deref(), "\n");
        if !notes.is_empty() {
            domain.push(Element::new("description").text(notes));
        }
        domain.push(Element::new("metadata").child(self.metadata()));
        let memory = Element::new("memory").attribute("unit", "MiB");
        domain.push(memory.text(configuration.memory.startup_mib));
        domain.push(Element::new("vcpu").attribute("placement", "static").text(configuration.processors.count));
        domain.push(self.tuning());
        if let Some(identity) = self.identity() {
            domain.push(identity);
        }
        domain.push(self.operating_system());
        domain.push(self.features());
        if self.domain_type == DomainType::Kvm {
            domain.push(Element::new("cpu").attribute("mode", "host-model").attribute("check", "partial"));
        }
        domain.push(self.clock());
        domain.push(Element::new("on_poweroff").text("destroy"));
        domain.push(Element::new("on_reboot").text("restart"));
        let crash = if configuration.actions.recovery == 0 { "destroy" } else { "restart" };
        domain.push(Element::new("on_crash").text(crash));
        domain.push(devices::devices(self));
        domain
    }

    fn metadata(&self) -> Element {
        let machine = self.machine;
        let mut source = Element::new("hvm:source")
            .attribute("xmlns:hvm", NAMESPACE)
            .attribute("id", &machine.id)
            .attribute("host", &self.plan.host)
            .attribute("tool", &self.plan.tool)
            .attribute(
                "uuid",
                if naming::keeps_bios_guid(&self.plan.role, machine) { "bios-guid" } else { "machine-id" },
            )
            .attribute(
                "start",
                if machine.configuration.actions.start == StartAction::Start { "Start" } else { "Nothing" },
            );
        let subject = format!("machine {}", machine.id);
        for setting in settings_of(&self.plan.role).into_iter().filter(|setting| setting.subject == subject) {
            let name = match carries::carries(&setting) {
                Carry::NotCarried { .. } => "hvm:lost",
                Carry::Carried if is_neutral(&setting.item) => "hvm:neutral",
                Carry::Carried => continue,
            };
            let element = Element::new(name).attribute("item", &setting.item);
            source.push(element.attribute("value", &setting.value));
        }
        for (target, slot) in devices::slots(machine) {
            source.push(Element::new("hvm:drive").attribute("target", target).attribute("slot", slot));
        }
        for adapter in &machine.configuration.adapters {
            let kind = format!("{:?}", adapter.kind);
            let element = Element::new("hvm:adapter").attribute("name", &adapter.name).attribute("kind", kind);
            source.push(element.attribute("mac-is-static", adapter.mac_is_static));
        }
        source
    }

    /// The weight is the share against other domains: both count 100 for an ordinary machine. The limit holds for each virtual
    /// processor, as on Hyper-V: with a period of 100000 microseconds, a thousandth of a percent is a microsecond.
    fn tuning(&self) -> Element {
        let processors = &self.machine.configuration.processors;
        let mut tuning = Element::new("cputune").child(Element::new("shares").text(processors.weight.max(2)));
        if (1000..100_000).contains(&processors.limit) {
            tuning.push(Element::new("period").text(100_000));
            tuning.push(Element::new("quota").text(processors.limit));
        }
        tuning
    }

    fn identity(&self) -> Option<Element> {
        let firmware = &self.machine.configuration.firmware;
        let entry = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| Element::new("entry").attribute("name", name).text(text))
        };
        let groups = [
            ("system", vec![entry("serial", &firmware.bios_serial_number)]),
            ("baseBoard", vec![entry("serial", &firmware.base_board_serial_number)]),
            (
                "chassis",
                vec![entry("serial", &firmware.chassis_serial_number), entry("asset", &firmware.chassis_asset_tag)],
            ),
        ];
        let mut sysinfo = Element::new("sysinfo").attribute("type", "smbios");
        let mut any = false;
        for (name, entries) in groups {
            let mut group = Element::new(name);
            let entries: Vec<Element> = entries.into_iter().flatten().collect();
            if !entries.is_empty() {
                any = true;
                entries.into_iter().for_each(|entry| group.push(entry));
                sysinfo.push(group);
            }
        }
        any.then_some(sysinfo)
    }

    fn operating_system(&self) -> Element {
        let firmware = &self.machine.configuration.firmware;
        let uefi = self.machine.generation >= 2;
        let mut os = Element::new("os");
        if uefi {
            os = os.attribute("firmware", "efi");
        }
        let kind = Element::new("type").attribute("arch", "x86_64");
        os.push(kind.attribute("machine", if uefi { "q35" } else { "pc" }).text("hvm"));
        for device in firmware.boot_order.iter().filter_map(boot_device) {
            os.push(Element::new("boot").attribute("dev", device));
        }
        if self.identity().is_some() {
            os.push(Element::new("smbios").attribute("mode", "sysinfo"));
        }
        os
    }

    /// Only enlightenments that every kernel offers; `vpindex` is not among them.
    fn features(&self) -> Element {
        let on = |name: &'static str| Element::new(name).attribute("state", "on");
        let hyperv = Element::new("hyperv").attribute("mode", "custom").child(on("relaxed")).child(on("vapic"));
        let hyperv = hyperv.child(on("spinlocks").attribute("retries", 8191));
        Element::new("features").child(Element::new("acpi")).child(Element::new("apic")).child(hyperv)
    }

    /// Hyper-V's clock shows local time, and which guest runs is not known from outside.
    fn clock(&self) -> Element {
        let timer = |name: &str| Element::new("timer").attribute("name", name);
        let mut clock = Element::new("clock").attribute("offset", "localtime");
        clock.push(timer("rtc").attribute("tickpolicy", "catchup"));
        clock.push(timer("pit").attribute("tickpolicy", "delay"));
        clock.push(timer("hpet").attribute("present", "no"));
        if self.domain_type == DomainType::Kvm {
            clock.push(timer("hypervclock").attribute("present", "yes"));
        }
        clock
    }
}

/// libvirt's word for a kind of device to boot from.
fn boot_device(device: &BootDevice) -> Option<&'static str> {
    match device {
        BootDevice::Floppy => Some("fd"),
        BootDevice::Optical => Some("cdrom"),
        BootDevice::HardDrive => Some("hd"),
        BootDevice::Network => Some("network"),
        BootDevice::Other(_) => None,
    }
}

/// A title is one line.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
