//! The one list of destinations.

use crate::access::{Access, PasswordWanted};
use crate::destination::Destination;
use crate::error::DestinationError;
use crate::hyperv::Kit;
use crate::libvirt::LibvirtFiles;
use crate::live::LiveHost;
use crate::uri::Uri;

/// Forms of the URIs, for messages and help.
pub const FORMS: [&str; 4] = [
    "kit:DIR?os=2012|2012R2|2016|2019|2022|2025",
    "libvirt-files:DIR",
    "winrm://HOST[:PORT]/DRIVE:/FOLDER?user=USER",
    "local:DRIVE:/FOLDER",
];

/// Opens the destination that a URI names, when it needs nothing beside; nothing is written yet.
pub fn open(uri: &str) -> Result<Box<dyn Destination>, DestinationError> {
    open_with(uri, &Access::default())
}

/// Opens the destination that a URI names; nothing is written yet, and no host is asked.
pub fn open_with(uri: &str, access: &Access) -> Result<Box<dyn Destination>, DestinationError> {
    let unknown = || DestinationError::UnknownScheme { uri: uri.to_owned(), known: FORMS.join(", ") };
    let parsed = Uri::parse(uri)?.ok_or_else(unknown)?;
    match parsed.scheme.as_str() {
        "kit" => Ok(Box::new(Kit::open(&parsed)?)),
        "libvirt-files" => Ok(Box::new(LibvirtFiles::open(&parsed)?)),
        "winrm" => Ok(Box::new(LiveHost::open(parsed, access)?)),
        "local" => Ok(Box::new(LiveHost::open_here(parsed, access)?)),
        _ => Err(unknown()),
    }
}

/// Whose password the destination of a URI wants; `None` when it wants none.
pub fn password_wanted(uri: &str) -> Result<Option<PasswordWanted>, DestinationError> {
    match Uri::parse(uri)? {
        Some(parsed) if parsed.scheme == "winrm" => LiveHost::password_wanted(&parsed).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use hvm_model::capabilities::DiskFormat;
    use hvm_model::names::ByteSize;

    use super::*;

    fn message(uri: &str) -> String {
        open(uri).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn parameters_reach_the_capabilities() {
        let uri = "kit:/new%20kit?os=2012&processors=8&memory=32GiB&free=500GiB&language=0409&edition=standard\
                   &adapters=Ethernet,Ethernet 2,a%2Cb";
        let kit = open(uri).unwrap();
        assert_eq!(kit.root().to_str(), Some("/new kit"));
        let has = kit.capabilities().unwrap();
        assert_eq!(has.logical_processors, Some(8));
        assert_eq!(has.memory, Some(ByteSize(32 << 30)));
        assert_eq!(has.adapters, Some(vec!["Ethernet".to_owned(), "Ethernet 2".to_owned(), "a,b".to_owned()]));
        assert_eq!(has.max_disk_size, ByteSize(64 << 40));
        let raw = open("libvirt-files:/x?format=raw").unwrap().capabilities().unwrap();
        assert_eq!((raw.disk_format, raw.logical_processors, raw.adapters), (DiskFormat::Raw, None, None));
    }

    #[test]
    fn mistakes_are_answered_with_what_there_is() {
        assert!(message("hyperv:/x").contains("kit:DIR"));
        assert!(message("x").contains("libvirt-files:DIR"));
        assert!(message("kit:/x?procesors=8").contains("processors, memory"));
        assert!(message("kit:/x?os=2008").contains("2012, 2012R2, 2016"));
        assert!(message("kit:/x?memory=lots").contains("'lots'"));
        assert!(message("kit:/x?language=german").contains("0409"));
        assert!(message("libvirt-files:/x?format=vhd").contains("qcow2, raw"));
        assert!(message("kit:/x%zz").contains("hex digits"));
        assert!(message("kit:").contains("folder"));
        assert!(message("kit:/x?facts=/nowhere/facts.json").contains("/nowhere/facts.json"));
    }

    #[test]
    fn facts_of_the_destination_are_read_and_parameters_win() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.json");
        let json = r#"{"os":"2012","processors":16,"memory":34359738368,"free":1000,"language":"0409","edition":"datacenter",
            "adapters":["LAN 1"],"machines":["Web"],"switches":[],"macs":["00155D010203"]}"#;
        std::fs::write(&path, format!("\u{feff}{json}")).unwrap();
        let has = open(&format!("kit:/x?processors=4&facts={}", path.display())).unwrap().capabilities().unwrap();
        assert_eq!((has.logical_processors, has.memory), (Some(4), Some(ByteSize(32 << 30))));
        assert_eq!(has.machines, ["Web"]);
        assert_eq!(has.mac_addresses.len(), 1);
        std::fs::write(&path, r#"{"cpus":1}"#).unwrap();
        assert!(message(&format!("kit:/x?facts={}", path.display())).contains("cpus"));
    }
}
