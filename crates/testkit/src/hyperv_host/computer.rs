//! The host as the interpreter sees it: which command does what.

use std::cell::RefCell;
use std::rc::Rc;

use super::network::no_match;
use super::{Host, Release, signature};
use crate::powershell::{Call, Computer, Object, Run, Signature, Value, fault, thrown};

/// The folder of the system.
pub(super) const SYSTEM: &str = r"C:\Windows\system32";

type Command = fn(&mut Host, &Call) -> Run<Vec<Value>>;

/// The commands; each one that `signatures.txt` has stands here.
const COMMANDS: [(&str, Command); 107] = [
    ("Get-VM", Host::get_vm),
    ("New-VM", Host::new_vm),
    ("Set-VM", Host::set_vm),
    ("Remove-VM", Host::remove_vm),
    ("Compare-VM", Host::compare_vm),
    ("Import-VM", Host::import_vm),
    ("Start-VM", Host::start_vm),
    ("Checkpoint-VM", Host::checkpoint_vm),
    ("Get-VMSnapshot", Host::get_snapshot),
    ("Restore-VMSnapshot", Host::restore_snapshot),
    ("Rename-VMSnapshot", Host::rename_snapshot),
    ("Remove-VMSnapshot", Host::remove_snapshot),
    ("Get-VMHost", Host::get_vm_host),
    ("Set-VMHost", Host::set_vm_host),
    ("Get-VMSwitch", Host::get_switch),
    ("New-VMSwitch", Host::new_switch),
    ("Set-VMSwitch", Host::set_switch),
    ("Remove-VMSwitch", Host::remove_switch),
    ("Get-VMNetworkAdapter", Host::get_adapter),
    ("Add-VMNetworkAdapter", Host::add_adapter),
    ("Remove-VMNetworkAdapter", Host::remove_adapter),
    ("Set-VMNetworkAdapter", Host::set_adapter),
    ("Rename-VMNetworkAdapter", Host::rename_adapter),
    ("Connect-VMNetworkAdapter", Host::connect_adapter),
    ("Disconnect-VMNetworkAdapter", Host::disconnect_adapter),
    ("Get-VMNetworkAdapterVlan", Host::get_vlan),
    ("Set-VMNetworkAdapterVlan", Host::set_vlan),
    ("Get-VMDvdDrive", Host::get_dvd),
    ("Add-VMDvdDrive", Host::add_dvd),
    ("Set-VMDvdDrive", Host::set_dvd),
    ("Remove-VMDvdDrive", Host::remove_dvd),
    ("Get-VMHardDiskDrive", Host::get_disk),
    ("Add-VMHardDiskDrive", Host::add_disk),
    ("Set-VMHardDiskDrive", Host::set_disk),
    ("Remove-VMHardDiskDrive", Host::remove_disk),
    ("Get-Disk", Host::get_physical_disk),
    ("Get-VMFloppyDiskDrive", Host::get_floppy),
    ("Set-VMFloppyDiskDrive", Host::set_floppy),
    ("Get-VMScsiController", Host::get_scsi),
    ("Add-VMScsiController", Host::add_scsi),
    ("Remove-VMScsiController", Host::remove_scsi),
    ("Get-VMIdeController", Host::get_ide),
    ("Get-VMMemory", Host::get_memory),
    ("Set-VMMemory", Host::set_memory),
    ("Get-VMProcessor", Host::get_processor),
    ("Set-VMProcessor", Host::set_processor),
    ("Get-VMBios", Host::get_bios),
    ("Set-VMBios", Host::set_bios),
    ("Set-VMKeyProtector", Host::set_key_protector),
    ("Enable-VMTPM", Host::enable_tpm),
    ("Disable-VMTPM", Host::disable_tpm),
    ("Get-VMFirmware", Host::get_firmware),
    ("Set-VMFirmware", Host::set_firmware),
    ("Get-VMComPort", Host::get_com_port),
    ("Set-VMComPort", Host::set_com_port),
    ("Get-VMIntegrationService", Host::get_service_of),
    ("Enable-VMIntegrationService", Host::enable_service_of),
    ("Disable-VMIntegrationService", Host::disable_service_of),
    ("Get-NetAdapter", Host::get_net_adapter),
    ("Get-NetAdapterHardwareInfo", Host::get_hardware),
    ("Get-NetAdapterBinding", Host::get_binding),
    ("Enable-NetAdapterBinding", Host::enable_binding),
    ("Disable-NetAdapterBinding", Host::disable_binding),
    ("Get-NetAdapterAdvancedProperty", Host::get_advanced),
    ("Set-NetAdapterAdvancedProperty", Host::set_advanced),
    ("Get-NetIPInterface", Host::get_ip_interface),
    ("Set-NetIPInterface", Host::set_ip_interface),
    ("New-NetIPAddress", Host::new_ip_address),
    ("Get-NetIPAddress", Host::get_ip_address),
    ("New-NetRoute", Host::new_route),
    ("Get-NetRoute", Host::get_route),
    ("Set-DnsClientServerAddress", Host::set_dns_servers),
    ("Get-DnsClientServerAddress", Host::get_dns_servers),
    ("Set-DnsClient", Host::set_dns_client),
    ("Get-DnsClient", Host::get_dns_client),
    ("Get-NetFirewallRule", Host::get_rule),
    ("Set-NetFirewallRule", Host::set_rule),
    ("New-NetFirewallRule", Host::new_rule),
    ("Remove-NetFirewallRule", Host::remove_rule),
    ("Get-NetFirewallAddressFilter", Host::get_rule_addresses),
    ("Get-NetFirewallPortFilter", Host::get_rule_ports),
    ("Get-NetFirewallApplicationFilter", Host::get_rule_program),
    ("Get-NetFirewallServiceFilter", Host::get_rule_service),
    ("Get-WindowsFeature", Host::get_feature),
    ("Get-Service", Host::get_service),
    ("Restart-Service", Host::restart_service),
    ("Start-Sleep", Host::sleep),
    ("Start-Transcript", Host::start_transcript),
    ("Stop-Transcript", Host::nothing),
    ("Import-Module", Host::import_module),
    ("Get-Module", Host::get_module),
    ("Test-Path", Host::test_path),
    ("Get-Item", Host::get_item),
    ("New-Item", Host::new_item),
    ("New-ItemProperty", Host::new_item_property),
    ("Remove-ItemProperty", Host::remove_item_property),
    ("Get-WmiObject", Host::get_wmi),
    ("Add-LocalGroupMember", Host::add_member),
    ("Get-LocalGroupMember", Host::get_members),
    ("Remove-LocalGroupMember", Host::remove_member),
    ("New-ScheduledTaskAction", Host::new_task_action),
    ("New-ScheduledTaskPrincipal", Host::new_task_principal),
    ("New-ScheduledTaskSettingsSet", Host::new_task_settings),
    ("Register-ScheduledTask", Host::register_task),
    ("Start-ScheduledTask", Host::start_task),
    ("Get-ScheduledTask", Host::get_task),
    ("Unregister-ScheduledTask", Host::unregister_task),
];

/// Names of all commands.
#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    COMMANDS.iter().map(|(name, _)| *name).collect()
}

impl Host {
    /// Does nothing.
    pub(super) fn nothing(&mut self, _: &Call) -> Run<Vec<Value>> {
        Ok(Vec::new())
    }
}

impl Computer for Host {
    fn signature(&self, name: &str) -> Option<Rc<Signature>> {
        self.commands.get(&name.to_lowercase()).cloned()
    }

    fn words(&self, kind: &str) -> Option<&'static [(&'static str, i64)]> {
        signature::words(kind)
    }

    fn fits(&self, kind: &str, class: &str) -> bool {
        match kind {
            "VMNetworkAdapterBase" => ["VMNetworkAdapter", "VMInternalNetworkAdapter"].contains(&class),
            "VMComponentObject" => ["VMBootSource", "VMNetworkAdapter", "HardDiskDrive", "DvdDrive"].contains(&class),
            "CimInstance" => class.starts_with("MSFT_"),
            _ => kind == class,
        }
    }

    /// Which commands ask is said by none of the pages; these two do on every host that was seen, so they count as asking. Those
    /// of CDXML modules all count as asking.
    fn asks(&self, call: &Call) -> bool {
        call.name == "Restore-VMSnapshot" && self.release >= Release::Server2012R2
            || ["Remove-VM", "Remove-VMSwitch"].contains(&call.name.as_str()) && !call.has("Force")
    }

    fn run(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.check_planned(call)?;
        let Some((_, command)) = COMMANDS.iter().find(|(name, _)| *name == call.name) else {
            return fault(format!("the model does not do {}", call.name));
        };
        if self.refused.as_ref() == Some(&call.name) {
            return thrown(format!("{}: Access is denied.", call.name));
        }
        let found = command(self, call)?;
        // A getter of a CDXML module that is asked for something and finds nothing answers with an error. For some queries it
        // gives nothing, without an error; scripts have to be right with both, so the error is what they get here.
        let is_function = self.signature(&call.name).is_some_and(|signature| signature.is_function);
        match call.name.strip_prefix("Get-") {
            Some(noun) if is_function && found.is_empty() && !call.arguments.is_empty() => {
                no_match(call, &format!("MSFT_{noun}"))
            }
            _ => Ok(found),
        }
    }

    fn call_static(&mut self, kind: &str, method: &str, arguments: &[Value]) -> Run<Value> {
        self.static_call(kind, &method.to_ascii_lowercase(), arguments)
    }

    fn static_member(&mut self, kind: &str, member: &str) -> Run<Value> {
        match (kind, member.to_ascii_lowercase().as_str()) {
            ("datetime", "utcnow") => {
                let seconds = self.next_number() % 60;
                let text = format!("2026-01-01T00:00:{seconds:02}.0000000Z");
                Ok(Object { text: Some(text), ..Object::new("System.DateTime", "") }.value())
            }
            ("security.principal.windowsbuiltinrole", "administrator") => {
                Ok(Value::word("WindowsBuiltInRole", "Administrator", 544))
            }
            ("environment", "systemdirectory") => Ok(Value::from(SYSTEM)),
            ("io.fileattributes", "reparsepoint") => Ok(Value::word("System.IO.FileAttributes", "ReparsePoint", 0x400)),
            ("io.filemode" | "io.fileaccess" | "io.fileshare", _) => Ok(Value::word(kind, member, 0)),
            ("security.authentication.sslprotocols", "tls12") => Ok(Value::word("SslProtocols", "Tls12", 0xC00)),
            ("management.textformat", "wmidtd20") => Ok(Value::word("TextFormat", "WmiDtd20", 2)),
            _ => fault(format!("[{kind}]::{member}")),
        }
    }

    fn call_method(&mut self, target: &Rc<RefCell<Object>>, method: &str, arguments: &[Value]) -> Run<Value> {
        self.object_method(target, &method.to_ascii_lowercase(), arguments)
    }

    fn construct(&mut self, kind: &str, arguments: &[Value]) -> Run<Value> {
        self.make_object(kind, arguments)
    }

    fn environment(&self, name: &str) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "computername" => Some("HV-NEW-01".to_owned()),
            "programdata" => Some(r"C:\ProgramData".to_owned()),
            "systemroot" => Some(r"C:\Windows".to_owned()),
            _ => None,
        }
    }

    fn script(&mut self, path: &str) -> Run<Rc<str>> {
        let Some(bytes) = self.files.read(path) else { return thrown(format!("The script '{path}' is not there.")) };
        let Ok(text) = std::str::from_utf8(bytes) else { return fault(format!("{path} is no UTF-8")) };
        // Windows PowerShell reads a file without a mark in the code page of the system.
        if !text.is_ascii() && !text.starts_with('\u{feff}') {
            return fault(format!("{path} has other characters than ASCII and no byte order mark"));
        }
        Ok(Rc::from(text))
    }
}
