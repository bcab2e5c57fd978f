//! Accounts and local groups as .NET and the provider WinNT of ADSI show them.

use super::Host;
use crate::powershell::{Object, Run, Value, fault, thrown};

/// Accounts that the host knows: security identifier, and name as this Windows, a German one, writes it.
const ACCOUNTS: [(&str, &str); 14] = [
    ("S-1-5-18", r"NT-AUTORITÄT\SYSTEM"),
    ("S-1-5-32-545", r"VORDEFINIERT\Benutzer"),
    ("S-1-5-32-578", r"VORDEFINIERT\Hyper-V-Administratoren"),
    ("S-1-5-32-544", r"VORDEFINIERT\Administratoren"),
    ("S-1-5-32-559", r"VORDEFINIERT\Leistungsprotokollbenutzer"),
    ("S-1-5-32-562", r"VORDEFINIERT\Distributed COM-Benutzer"),
    ("S-1-5-32-580", r"VORDEFINIERT\Remoteverwaltungsbenutzer"),
    ("S-1-1-0", "Jeder"),
    ("S-1-5-7", r"NT-AUTORITÄT\ANONYMOUS-ANMELDUNG"),
    ("S-1-5-11", r"NT-AUTORITÄT\Authentifizierte Benutzer"),
    ("S-1-15-2-1", r"ZERTIFIZIERUNGSSTELLE FÜR ANWENDUNGSPAKETE\ALLE ANWENDUNGSPAKETE"),
    ("S-1-5-21-1-2-3-1105", r"CORP\Müller, Jörg"),
    ("S-1-5-21-7-7-7-1001", r"HV-NEW-01\berta"),
    (crate::sample::ids::DCOM_GROUP_SID, r"CORP\HV-Verwaltung"),
];

/// The identifier of `WinNT://DOMAIN/name`.
fn by_path(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix("WinNT://")?.replace('/', "\\");
    ACCOUNTS.iter().find(|(_, known)| known.eq_ignore_ascii_case(&name)).map(|(sid, _)| *sid)
}

impl Host {
    pub(super) fn translated(sid: &str) -> Run<Value> {
        match ACCOUNTS.iter().find(|(known, _)| *known == sid) {
            Some((_, name)) => Ok(Object::new("NTAccount", sid).with("Value", *name).value()),
            None => thrown("Some or all identity references could not be translated."),
        }
    }

    /// `[ADSI]'WinNT://./name,group'`.
    pub(super) fn directory_entry(path: &str) -> Run<Value> {
        let name = path.strip_prefix("WinNT://./").and_then(|rest| rest.strip_suffix(",group"));
        let Some(name) = name else { return fault(format!("[ADSI]'{path}'")) };
        let local =
            |known: &str| known.strip_prefix("VORDEFINIERT\\").is_some_and(|known| known.eq_ignore_ascii_case(name));
        match ACCOUNTS.iter().find(|(_, known)| local(known)) {
            Some((sid, _)) => Ok(Object::new("DirectoryEntry", sid).value()),
            None => thrown(format!("The group name '{name}' could not be found.")),
        }
    }

    /// A method of a group.
    pub(super) fn group_method(&mut self, group: &str, method: &str, path: &str) -> Run<Value> {
        let Some(sid) = by_path(path) else {
            return thrown(format!(
                "A member could not be added to or removed from the group: '{path}' does not exist."
            ));
        };
        let is_member = self.state.groups.get(group).is_some_and(|members| members.iter().any(|known| known == sid));
        match (method, is_member) {
            ("ismember", is_member) => return Ok(Value::Bool(is_member)),
            ("add", true) => return thrown("The specified account name is already a member of the group."),
            ("remove", false) => return thrown("The specified account name is not a member of the group."),
            ("add" | "remove", _) => {}
            _ => return fault(format!("the method {method} of a group")),
        }
        self.change()?;
        let members = self.state.groups.entry(group.to_owned()).or_default();
        if is_member {
            members.retain(|known| known != sid);
        } else {
            members.push(sid.to_owned());
        }
        if members.is_empty() {
            self.state.groups.remove(group);
        }
        Ok(Value::Type("void".into()))
    }
}
