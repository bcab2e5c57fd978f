//! What the commands take in each release, read from `signatures.txt`, and the words of the enumerations.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::release::Release;
use crate::powershell::{Accepted, Signature};

/// The modules of Windows that are made from CDXML, in small letters: their commands are functions. `(Get-Command NAME).CommandType`
/// says it, and the names of their help files on the pages of the documentation end in `.cdxml-help.xml`.
pub const FUNCTION_MODULES: [&str; 12] = [
    "dnsclient",
    "netadapter",
    "netlbfo",
    "netnat",
    "netqos",
    "netsecurity",
    "netswitchteam",
    "nettcpip",
    "scheduledtasks",
    "smbshare",
    "storage",
    "vmdirectstorage",
];

const TEXT: &str = include_str!("signatures.txt");

/// Words of an enumeration with their numbers. Numbers are those of the documentation where it tells them; the order else.
type Words = &'static [(&'static str, i64)];

const WORDS: [(&str, Words); 18] = [
    ("StartAction", &[("Nothing", 2), ("StartIfRunning", 3), ("Start", 4)]),
    ("StopAction", &[("TurnOff", 2), ("Save", 3), ("ShutDown", 4)]),
    (
        "BootDevice",
        &[("Floppy", 0), ("CD", 1), ("IDE", 2), ("LegacyNetworkAdapter", 3), ("NetworkAdapter", 4), ("VHD", 5)],
    ),
    ("ControllerType", &[("IDE", 0), ("SCSI", 1)]),
    ("VMSwitchType", &[("Private", 0), ("Internal", 1), ("External", 2)]),
    ("VMSwitchBandwidthMode", &[("Default", 0), ("Weight", 1), ("Absolute", 2), ("None", 3)]),
    ("OnOffState", &[("On", 0), ("Off", 1)]),
    ("CheckpointType", &[("Disabled", 2), ("Production", 3), ("ProductionOnly", 4), ("Standard", 5)]),
    ("AddressFamily", &[("IPv4", 2), ("IPv6", 23)]),
    ("Dhcp", &[("Disabled", 0), ("Enabled", 1)]),
    ("Direction", &[("Inbound", 1), ("Outbound", 2)]),
    ("Action", &[("NotConfigured", 0), ("Allow", 2), ("Block", 4)]),
    ("Enabled", &[("True", 1), ("False", 2)]),
    ("InterfaceType", &[("Any", 0), ("Wired", 1), ("Wireless", 2), ("RemoteAccess", 4)]),
    ("EdgeTraversal", &[("Block", 0), ("Allow", 1), ("DeferToUser", 2), ("DeferToApp", 3)]),
    (
        "LogonTypeEnum",
        &[
            ("None", 0),
            ("Password", 1),
            ("S4U", 2),
            ("Interactive", 3),
            ("Group", 4),
            ("ServiceAccount", 5),
            ("InteractiveOrPassword", 6),
        ],
    ),
    ("RunLevelEnum", &[("Limited", 0), ("Highest", 1)]),
    ("Profile", &[("Any", 0), ("Domain", 1), ("Private", 2), ("Public", 4), ("NotApplicable", 65_536)]),
];

/// The words of an enumeration.
pub(super) fn words(kind: &str) -> Option<Words> {
    WORDS.iter().find(|(known, _)| *known == kind).map(|(_, words)| *words)
}

/// The commands of a release by their names in small letters.
pub(super) fn commands(release: Release) -> BTreeMap<String, Rc<Signature>> {
    let mut all: BTreeMap<String, Signature> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
        let Some(part) = line.strip_prefix("  ") else {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            let rest: Vec<&str> = words.collect();
            current = rest.contains(&release.name()).then(|| name.to_lowercase());
            if let Some(key) = &current {
                let signature = all.entry(key.clone()).or_default();
                signature.name = name.to_owned();
                signature.should_process = rest.contains(&"whatif");
                signature.is_function = rest.contains(&"function");
            }
            continue;
        };
        let Some(signature) = current.as_ref().and_then(|key| all.get_mut(key)) else { continue };
        let (mark, rest) = part.split_at(1);
        let words = rest.split_ascii_whitespace();
        if mark == "=" {
            let pairs = words.filter_map(|word| word.split_once(':'));
            signature.aliases.extend(pairs.map(|(alias, name)| (alias.to_owned(), name.to_owned())));
        } else {
            signature.sets.push(words.map(accepted).collect());
        }
    }
    all.into_iter().map(|(name, signature)| (name, Rc::new(signature))).collect()
}

fn accepted(text: &str) -> Accepted {
    let (mandatory, text) = text.strip_prefix('!').map_or((false, text), |text| (true, text));
    let (name, kind) = text.split_once(':').unwrap_or((text, "Switch"));
    Accepted { name: name.to_owned(), kind: kind.to_owned(), mandatory }
}
