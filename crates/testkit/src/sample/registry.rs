//! The hives: SYSTEM (dirty, with a log), SOFTWARE, and CLUSDB of a cluster member.

use super::writer::HostWriter;
use super::{Variant, firewall, ids, network};
use crate::hive::{HiveKey, HiveStamp, HiveValue, dirty_pair, hive_bytes};
use crate::security::{Ace, descriptor, sid};
use std::io;

/// Windows path of the SYSTEM hive.
const SYSTEM: &str = r"C:\Windows\System32\config\SYSTEM";
/// Windows path of the SOFTWARE hive.
pub(super) const SOFTWARE: &str = r"C:\Windows\System32\config\SOFTWARE";
/// Name of the cluster in the cluster variant.
pub(super) const CLUSTER_NAME: &str = "HV-CLUSTER";

/// Keys that hives of a server have beside those that matter here: about 12 MiB of SYSTEM and 60 MiB of SOFTWARE.
const MORE_OF_SYSTEM: usize = 24_000;
const MORE_OF_SOFTWARE: usize = 120_000;

/// Writes all hives.
pub(super) fn write(writer: &HostWriter) -> io::Result<()> {
    write_with(writer, (0, 0))
}

/// Writes all hives as large as a server has them.
pub(super) fn write_large(writer: &HostWriter) -> io::Result<()> {
    write_with(writer, (MORE_OF_SYSTEM, MORE_OF_SOFTWARE))
}

fn write_with(writer: &HostWriter, (of_system, of_software): (usize, usize)) -> io::Result<()> {
    let variant = writer.variant();
    let stamp = HiveStamp { sequence: 4711, ..HiveStamp::default() };
    let (mut old, mut new) = (system(variant, ids::STALE_COMPUTER_NAME), system(variant, ids::COMPUTER_NAME));
    let mut software = software(variant);
    if of_software > 0 {
        let root = "ControlSet001\\Enum\\ACPI";
        [&mut old, &mut new].into_iter().for_each(|hive| more(hive.at(root), of_system));
        more(software.at("Classes\\CLSID"), of_software);
    }
    let pair = dirty_pair(&old, &new, &stamp);
    writer.file(SYSTEM, &pair.primary)?;
    writer.file(&format!("{SYSTEM}.LOG1"), &pair.log)?;
    writer.file(&format!("{SYSTEM}.LOG2"), &[])?;
    let named = |name: &str| HiveStamp { file_name: name.to_owned(), ..HiveStamp::default() };
    writer.file(SOFTWARE, &hive_bytes(&software, &named("emRoot\\System32\\Config\\SOFTWARE")))?;
    if variant == Variant::Cluster {
        let cluster = HiveKey::new("Cluster").sz("ClusterName", CLUSTER_NAME).dword("ClusterInstanceID", 1);
        writer.file(r"C:\Windows\Cluster\CLUSDB", &hive_bytes(&cluster, &named("Windows\\Cluster\\CLUSDB")))?;
    }
    Ok(())
}

/// Keys as a class of COM has them.
fn more(root: &mut HiveKey, count: usize) {
    root.children.extend((0..count).map(|number| {
        let server = HiveKey::new("InprocServer32")
            .sz("", &format!(r"C:\Windows\System32\component{}.dll", number % 900))
            .sz("ThreadingModel", "Apartment");
        HiveKey::new(format!("{{{number:08X}-90AB-4CDE-8F01-234567890ABC}}"))
            .sz("", &format!("Class {number} of a component"))
            .child(server)
    }));
}

/// The hives as the host has them while it runs.
pub(super) fn hives(variant: Variant) -> [(&'static str, HiveKey); 2] {
    [("SYSTEM", system(variant, ids::COMPUTER_NAME)), ("SOFTWARE", software(variant))]
}

fn system(variant: Variant, computer_name: &str) -> HiveKey {
    let mut root = HiveKey::new("CMI-CreateHive{2A7FB991-7BBE-4F9D-B91E-7CB51D4737F5}");
    root.at("Select").children.clear();
    for (name, number) in [("Current", 1), ("Default", 1), ("Failed", 0), ("LastKnownGood", 2)] {
        root.at("Select").set(name, HiveValue::Dword(number));
    }
    mounted_devices(root.at("MountedDevices"));
    let set = root.at("ControlSet001");
    control(set.at("Control"), computer_name);
    network::adapters(set, variant);
    let services = set.at("services");
    let domain = if variant == Variant::Clean { "" } else { "muster.example" };
    tcpip_parameters(services.at(r"Tcpip\Parameters"), computer_name, domain);
    services.at(r"SharedAccess\Parameters").children.push(firewall::policy(variant));
    for name in ["vmms", "nvspwmi", "vhdsvc"] {
        service(services, name, 2, 0x10);
    }
    if variant != Variant::Clean {
        service(services, "DHCPServer", 2, 0x20);
    }
    if variant == Variant::Cluster {
        service(services, "ClusSvc", 2, 0x10);
        services.at(r"ClusSvc\Parameters").set("ClusterName", HiveValue::sz(CLUSTER_NAME));
    }
    network::virtual_networks(services, variant);
    root
}

fn service(services: &mut HiveKey, name: &str, start: u32, kind: u32) {
    let key = services.at(name);
    key.set("Start", HiveValue::Dword(start));
    key.set("Type", HiveValue::Dword(kind));
    key.set("ErrorControl", HiveValue::Dword(1));
    key.set("ImagePath", HiveValue::ExpandSz(format!(r"%SystemRoot%\system32\{name}.exe")));
}

/// Drive letters as disk signature and partition offset; the system disk has a small partition before `C:`.
fn mounted_devices(key: &mut HiveKey) {
    let device = |signature: u32, offset: u64| {
        let mut bytes = signature.to_le_bytes().to_vec();
        bytes.extend(offset.to_le_bytes());
        HiveValue::Binary(bytes)
    };
    key.set(r"\DosDevices\C:", device(0x4F2A_91C3, 105_906_176));
    key.set(r"\DosDevices\D:", device(0x77D0_13E5, 1_048_576));
    key.set(r"\??\Volume{0a11aa10-5f5c-11e0-8c26-806e6f6e6963}", device(0x4F2A_91C3, 1_048_576));
    key.set(r"\??\Volume{0a11aa11-5f5c-11e0-8c26-806e6f6e6963}", device(0x4F2A_91C3, 105_906_176));
    key.set(r"\??\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}", device(0x77D0_13E5, 1_048_576));
}

fn control(control: &mut HiveKey, computer_name: &str) {
    for place in ["ComputerName", "ActiveComputerName"] {
        control.at(&format!(r"ComputerName\{place}")).set("ComputerName", HiveValue::sz(computer_name));
    }
    let language = control.at(r"Nls\Language");
    language.set("InstallLanguage", HiveValue::sz("0407"));
    language.set("Default", HiveValue::sz("0407"));
    let mui = control.at(r"MUI\UILanguages\de-DE");
    mui.set("LCID", HiveValue::Dword(0x407));
    mui.set("Type", HiveValue::Dword(0x111));
    control.at("ProductOptions").set("ProductType", HiveValue::sz("ServerNT"));
    let environment = control.at(r"Session Manager\Environment");
    environment.set("NUMBER_OF_PROCESSORS", HiveValue::sz("8"));
    environment.set("PROCESSOR_ARCHITECTURE", HiveValue::sz("AMD64"));
    environment.set("PROCESSOR_IDENTIFIER", HiveValue::sz("Intel64 Family 6 Model 26 Stepping 5, GenuineIntel"));
    environment.set("PROCESSOR_LEVEL", HiveValue::sz("6"));
    environment.set("PROCESSOR_REVISION", HiveValue::sz("1a05"));
    control.at("Windows").set("CSDVersion", HiveValue::Dword(0x100));
}

/// An empty domain is a workgroup.
fn tcpip_parameters(key: &mut HiveKey, computer_name: &str, domain: &str) {
    key.set("NV Hostname", HiveValue::sz(computer_name));
    key.set("Hostname", HiveValue::sz(computer_name));
    key.set("NV Domain", HiveValue::sz(domain));
    key.set("Domain", HiveValue::sz(domain));
}

fn software(variant: Variant) -> HiveKey {
    let mut root = HiveKey::new("CMI-CreateHive{199DAFC2-6F16-4946-BF90-5A3FC3A60902}");
    current_version(root.at(r"Microsoft\Windows NT\CurrentVersion"), variant);
    virtualization(root.at(r"Microsoft\Windows NT\CurrentVersion\Virtualization"), variant);
    restrictions(root.at(r"Microsoft\Ole"), variant);
    updates(root.at(r"Microsoft\Windows\CurrentVersion\Uninstall"));
    root
}

/// So many subkeys that their list is split, as a host of some years has them.
fn updates(key: &mut HiveKey) {
    for number in 0..640 {
        let name = format!("KB{}", 2_080_000 + number * 311);
        key.children.push(HiveKey::new(&name).sz("DisplayName", &format!("Sicherheitsupdate für Windows ({name})")));
    }
}

fn current_version(key: &mut HiveKey, variant: Variant) {
    let (product, edition) = match variant {
        Variant::HyperVServer => ("Hyper-V Server 2008 R2", "ServerHyper"),
        Variant::Source2012 => ("Windows Server 2012 Datacenter", "ServerDatacenter"),
        _ => ("Windows Server 2008 R2 Enterprise", "ServerEnterprise"),
    };
    let (version, build, lab) = match variant {
        Variant::Source2012 => ("6.2", "9200", "9200.16384.amd64fre.win8_rtm.120725-1247"),
        _ => ("6.1", "7601", "7601.17514.amd64fre.win7sp1_rtm.101119-1850"),
    };
    let installation = if variant == Variant::HyperVServer { "Server Core" } else { "Server" };
    for (name, text) in [
        ("CurrentVersion", version),
        ("CurrentBuild", build),
        ("CurrentBuildNumber", build),
        ("ProductName", product),
        ("EditionID", edition),
        ("InstallationType", installation),
        ("BuildLabEx", lab),
        ("CurrentType", "Multiprocessor Free"),
        ("SystemRoot", r"C:\Windows"),
        ("RegisteredOrganization", "Müller & Söhne <Test>"),
    ] {
        key.set(name, HiveValue::sz(text));
    }
    if variant != Variant::Source2012 {
        key.set("CSDVersion", HiveValue::sz("Service Pack 1"));
    }
}

/// The spelling of `DefaultVirtualHardDiskPath` in the registry is made up after the WMI property.
fn virtualization(key: &mut HiveKey, variant: Variant) {
    let store = format!("msxml://{}\\InitialStore.xml", ids::HYPER_V_ROOT);
    key.set("StoreLocation", HiveValue::sz(store));
    key.set("ServiceApplication", HiveValue::sz("Hyper-V services"));
    key.set("Version", HiveValue::sz("6.1.7601.17514"));
    if variant == Variant::Clean {
        return;
    }
    key.set("DefaultVirtualHardDiskPath", HiveValue::sz(r"D:\Hyper-V\Festplatten"));
    key.set("DefaultExternalDataRoot", HiveValue::sz(r"C:\ProgramData\Microsoft\Windows\Hyper-V"));
    key.set("MinimumMacAddress", HiveValue::Binary(vec![0x00, 0x15, 0x5D, 0x0A, 0x00, 0x00]));
    key.set("MaximumMacAddress", HiveValue::Binary(vec![0x00, 0x15, 0x5D, 0x0A, 0x00, 0xFF]));
}

/// DCOM restrictions: the defaults, and in the launch restriction one more entry.
fn restrictions(key: &mut HiveKey, variant: Variant) {
    let entries = |list: &[(&str, u32)]| {
        let aces: Vec<Ace> = list.iter().map(|(text, mask)| Ace { flags: 0, mask: *mask, sid: sid(text) }).collect();
        HiveValue::Binary(descriptor(&aces))
    };
    let mut launch = vec![("S-1-5-32-544", 0x1f), ("S-1-1-0", 0x0b), ("S-1-5-32-562", 0x1f), ("S-1-5-32-559", 0x1f)];
    if variant != Variant::Clean {
        launch.push((ids::DCOM_GROUP_SID, 0x1f));
    }
    let access = [("S-1-1-0", 7), ("S-1-5-7", 3), ("S-1-5-32-562", 7), ("S-1-5-32-559", 7)];
    key.set("EnableDCOM", HiveValue::sz("Y"));
    key.set("MachineLaunchRestriction", entries(&launch));
    key.set("MachineAccessRestriction", entries(&access));
}
