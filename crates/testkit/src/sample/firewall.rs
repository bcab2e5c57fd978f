//! Firewall rules: the defaults of Hyper-V, two of them changed, and one that an administrator made.
//!
//! Rule ids are those of 2012; that 2008 R2 has the same, and the literal text of its rules, is made up from the
//! grammar of real rules of version 2.10.

use super::{Variant, ids};
use crate::hive::HiveKey;

/// The rule that is turned off.
pub(super) const DISABLED_RULE: &str = "VIRT-REMOTEDESKTOP-In-TCP-NoScope";
/// The rule that only some addresses may use.
pub(super) const RESTRICTED_RULE: &str = "VIRT-WMI-RPCSS-In-TCP-NoScope";

const SVCHOST: &str = r"%SystemRoot%\system32\svchost.exe";
const VMMS: &str = r"%SystemRoot%\system32\vmms.exe";
const UNSECAPP: &str = r"%SystemRoot%\system32\wbem\unsecapp.exe";

/// Id, direction, local port, program, service, number of the name.
const DEFAULTS: [(&str, &str, &str, &str, &str, u32); 11] = [
    ("VIRT-WMI-RPCSS-In-TCP-NoScope", "In", "135", SVCHOST, "RPCSS", 200),
    ("VIRT-WMI-WINMGMT-In-TCP-NoScope", "In", "RPC", SVCHOST, "winmgmt", 203),
    ("VIRT-WMI-WINMGMT-Out-TCP-NoScope", "Out", "", SVCHOST, "winmgmt", 206),
    ("VIRT-WMI-ASYNC-In-TCP-NoScope", "In", "RPC", UNSECAPP, "", 209),
    ("VIRT-VMMS-RPC-EPMAP-In-NoScope", "In", "RPC-EPMap", SVCHOST, "RPCSS", 212),
    ("VIRT-VMMS-RPC-In-NoScope", "In", "RPC", VMMS, "", 215),
    ("VIRT-REMOTEDESKTOP-In-TCP-NoScope", "In", "2179", VMMS, "", 218),
    ("VIRTCL-WMI-RPCSS-In-TCP-NoScope", "In", "135", SVCHOST, "RPCSS", 221),
    ("VIRTCL-WMI-WINMGMT-In-TCP-NoScope", "In", "RPC", SVCHOST, "winmgmt", 224),
    ("VIRTCL-WMI-WINMGMT-Out-TCP-NoScope", "Out", "", SVCHOST, "winmgmt", 227),
    ("VIRTCL-WMI-ASYNC-In-TCP-NoScope", "In", "RPC", UNSECAPP, "", 230),
];

/// The key `FirewallPolicy`.
pub(super) fn policy(variant: Variant) -> HiveKey {
    let (number, prefix) = if variant == Variant::Source2012 { (0x214, "v2.20") } else { (0x20a, "v2.10") };
    let mut rules = HiveKey::new("FirewallRules");
    for (id, direction, port, program, service, name) in DEFAULTS {
        let changed = variant != Variant::Clean;
        let active = if changed && id == DISABLED_RULE { "FALSE" } else { "TRUE" };
        let restriction = if changed && id == RESTRICTED_RULE { "RA4=10.20.0.0/255.255.0.0|" } else { "" };
        let port = if port.is_empty() { String::new() } else { format!("LPort={port}|") };
        let service = if service.is_empty() { String::new() } else { format!("Svc={service}|") };
        let group = if id.starts_with("VIRTCL") { 110 } else { 100 };
        let text = format!(
            "{prefix}|Action=Allow|Active={active}|Dir={direction}|Protocol=6|{port}{restriction}App={program}|\
             {service}Name=@%systemroot%\\system32\\vmms.exe,-{name}|Desc=@%systemroot%\\system32\\vmms.exe,-{}|\
             EmbedCtxt=@%systemroot%\\system32\\vmms.exe,-{group}|",
            name + 1
        );
        rules = rules.sz(id, &text);
    }
    let other = format!(
        "{prefix}|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=445|App=System|Name=@netlogon.dll,-1003|\
         Desc=@netlogon.dll,-1006|EmbedCtxt=@netlogon.dll,-1010|"
    );
    rules = rules.sz("Netlogon-NamedPipe-In", &other);
    if variant != Variant::Clean {
        let text = format!(
            "{prefix}|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|LPort=2179|RA4=10.20.30.40|\
             App={VMMS}|Name=Konsole für \"Leitstand\"|Desc=von Hand angelegt|"
        );
        rules = rules.sz(ids::USER_RULE, &text);
    }
    let profile = |name: &str| HiveKey::new(name).dword("EnableFirewall", 1).dword("DisableNotifications", 0);
    HiveKey::new("FirewallPolicy")
        .dword("PolicyVersion", number)
        .child(profile("DomainProfile"))
        .child(profile("StandardProfile"))
        .child(profile("PublicProfile"))
        .child(rules)
}
