//! The Hyper-V role and other server roles, by the services that they install and that start by themselves, and by the features that
//! a host tells.

use hvm_model::found::{Found, Place};
use hvm_model::host::ServerRole;

use super::registry::{Looked, RegKey};
use super::{Reading, live};

/// Service and the role that it shows. Services that every Windows has are not here.
const ROLES: [(&str, &str); 20] = [
    ("ADAM_*", "Active Directory Lightweight Directory Services"),
    ("adfssrv", "Active Directory Federation Services"),
    ("CertSvc", "Active Directory Certificate Services"),
    ("DFSR", "DFS Replication"),
    ("DHCPServer", "DHCP Server"),
    ("DNS", "DNS Server"),
    ("FTPSVC", "FTP Server"),
    ("IAS", "Network Policy and Access Services"),
    ("MSExchange*", "Microsoft Exchange Server"),
    ("MSMQ", "Message Queuing"),
    ("MSSQL*", "Microsoft SQL Server"),
    ("RemoteAccess", "Routing and Remote Access"),
    ("SMTPSVC", "SMTP Server"),
    ("SPTimerV4", "Microsoft SharePoint"),
    ("TermServLicensing", "Remote Desktop Licensing"),
    ("VMMService", "System Center Virtual Machine Manager"),
    ("W3SVC", "Web Server (IIS)"),
    ("WDSServer", "Windows Deployment Services"),
    ("WINS", "WINS Server"),
    ("WsusService", "Windows Server Update Services"),
];

/// `ID` of a role in `Win32_ServerFeature` (WMI SDK, Windows Server 2008 to 2012), and its name as above.
const FEATURES: [(u64, &str); 18] = [
    (1, "Application Server"),
    (2, "Web Server (IIS)"),
    (3, "Streaming Media Services"),
    (5, "Fax Server"),
    (6, "File Services"),
    (7, "Print Services"),
    (8, "Active Directory Federation Services"),
    (9, "Active Directory Lightweight Directory Services"),
    (10, "Active Directory Domain Services"),
    (11, "UDDI Services"),
    (12, "DHCP Server"),
    (13, "DNS Server"),
    (14, "Network Policy and Access Services"),
    (16, "Active Directory Certificate Services"),
    (17, "Active Directory Rights Management Services"),
    (18, "Remote Desktop Services"),
    (19, "Windows Deployment Services"),
    (21, "Windows Server Update Services"),
];

/// `Start` up to this value means that the service starts by itself: boot, system, automatic.
const AUTOMATIC: u32 = 2;

pub(super) fn hyper_v(reading: &Reading<'_>) -> Found<bool> {
    match reading.system.key(r"Services\vmms") {
        Looked::Here(_, place) => Found::Read { value: true, place },
        Looked::Absent(place) => Found::Read { value: false, place },
        Looked::Unreadable(reason) => Found::Unknown { reason },
    }
}

pub(super) fn others(reading: &Reading<'_>) -> Vec<ServerRole> {
    let mut roles: Vec<ServerRole> = domain_controller(reading).into_iter().collect();
    let services = reading.system.existing("Services").map(|key| key.subkeys()).unwrap_or_default();
    for service in &services {
        let Some((_, name)) = ROLES.iter().find(|(pattern, _)| fits(pattern, service.name())) else { continue };
        if roles.iter().any(|role| role.name == *name) {
            continue;
        }
        if let Some(place) = starts(service) {
            roles.push(ServerRole { name: (*name).to_owned(), service: service.name().to_owned(), place });
        }
    }
    for (id, place) in live::installed(reading) {
        let Some((_, name)) = FEATURES.iter().find(|(known, _)| *known == id) else { continue };
        if roles.iter().all(|role| role.name != *name) {
            roles.push(ServerRole { name: (*name).to_owned(), service: format!("Win32_ServerFeature {id}"), place });
        }
    }
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    roles
}

fn starts(service: &RegKey<'_>) -> Option<Place> {
    match service.dword("Start") {
        Looked::Here(start, place) if start <= AUTOMATIC => Some(place),
        _ => None,
    }
}

fn domain_controller(reading: &Reading<'_>) -> Option<ServerRole> {
    match reading.system.text(r"Control\ProductOptions", "ProductType") {
        Looked::Here(product, place) if product.eq_ignore_ascii_case("LanmanNT") => {
            Some(ServerRole { name: "Active Directory Domain Services".to_owned(), service: "NTDS".to_owned(), place })
        }
        _ => None,
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_without_case() {
        assert!(fits("MSSQL*", "mssql$ONE") && fits("DNS", "dns"));
        assert!(!fits("DNS", "Dnscache") && !fits("MSSQL*", "MSS") && !fits("DHCPServer", "Dhcp"));
        assert!(!fits("MSSQL*", "MSSQä"));
    }
}
