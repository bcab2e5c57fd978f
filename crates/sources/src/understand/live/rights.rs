//! Who may reach the host from elsewhere, as far as only the running host tells it: members of Distributed COM Users, and
//! rights on WMI namespaces beyond those that Windows gives (Microsoft's "Access to WMI Namespaces").

use hvm_formats::cim::Object;
use hvm_formats::security::{Ace, AceKind, SecurityDescriptor};
use hvm_model::found::Found;
use hvm_model::host::{AccessEntry, GroupMember, NamespaceEntry, NamespaceRights};

use super::super::{Reading, dcom, unknowns};
use super::place;
use crate::reach::answers::{Answer, CIMV2, Question, V1, V2};

/// The group Distributed COM Users.
const DCOM_USERS: &str = "S-1-5-32-562";
/// Whoever may do everything by default: Administrators, the system.
const ALL: [&str; 2] = ["S-1-5-32-544", "S-1-5-18"];
/// Whoever may use a namespace on the host itself by default: Authenticated Users, LOCAL SERVICE, NETWORK SERVICE.
const USERS: [&str; 3] = ["S-1-5-11", "S-1-5-19", "S-1-5-20"];
/// Enable Account, Execute Methods, Full Write, Partial Write, Provider Write.
const USUAL: u32 = 0x1f;
/// The entry holds for namespaces below too.
const CONTAINERS: u8 = 0x2;

pub(in super::super) fn dcom_users(reading: &Reading<'_>) -> Found<Vec<GroupMember>> {
    match reading.ask(Question::Members(DCOM_USERS)) {
        Answer::Objects(accounts) => Found::Read {
            value: accounts.iter().filter_map(account).collect(),
            place: place(CIMV2, format!("Win32_GroupUser of the group {DCOM_USERS}")),
        },
        Answer::Silent => unknowns::dcom_users(),
        Answer::Failed(reason) => Found::Unknown { reason },
    }
}

fn account(object: &Object) -> Option<GroupMember> {
    let text = |name: &str| object.text(name).unwrap_or_default().to_owned();
    let sid = object.text("SID").filter(|sid| !sid.is_empty()).map(str::to_owned);
    let member = GroupMember { domain: text("Domain"), name: text("Name"), sid };
    (member.sid.is_some() || !member.name.is_empty()).then_some(member)
}

pub(in super::super) fn namespaces(reading: &Reading<'_>) -> Found<Vec<NamespaceRights>> {
    let mut rights = Vec::new();
    let mut silent = 0;
    let namespaces = [CIMV2, V1, V2];
    for namespace in namespaces {
        let object = match reading.ask(Question::Security(namespace)) {
            Answer::Objects(objects) => objects.into_iter().next(),
            Answer::Silent => {
                silent += 1;
                continue;
            }
            Answer::Failed(reason) => return Found::Unknown { reason },
        };
        let bytes = object.and_then(|object| object.bytes("SD")).unwrap_or_default();
        match SecurityDescriptor::parse(&bytes) {
            Ok(descriptor) => {
                let added: Vec<_> = descriptor.dacl_aces().filter_map(added).collect();
                if !added.is_empty() {
                    rights.push(NamespaceRights { namespace: namespace.to_owned(), added });
                }
            }
            Err(error) => {
                return Found::unknown(format!("The rights on the namespace {namespace} cannot be read: {error}"));
            }
        }
    }
    if silent == namespaces.len() {
        return unknowns::wmi_namespaces();
    }
    let place = place(r"root", "__SystemSecurity of root\\CIMV2 and of Hyper-V's namespaces: GetSD".to_owned());
    Found::Read { value: rights, place }
}

/// What an entry gives or takes beyond the usual.
fn added(ace: &Ace) -> Option<NamespaceEntry> {
    let sid = ace.sid.to_string();
    let usual = match () {
        () if ALL.contains(&sid.as_str()) => u32::MAX,
        () if USERS.contains(&sid.as_str()) => USUAL,
        () => 0,
    };
    let more = match ace.kind {
        AceKind::Allow | AceKind::AllowCallback => ace.mask & !usual,
        _ => ace.mask,
    };
    let entry = AccessEntry { mask: more, ..dcom::entry(ace) };
    (more != 0).then_some(NamespaceEntry { entry, subnamespaces: ace.flags & CONTAINERS != 0 })
}
