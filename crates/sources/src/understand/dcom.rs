//! Machine-wide DCOM restrictions, compared entry by entry with what Windows has when nobody changed them.

use hvm_formats::security::{Ace, AceKind, SecurityDescriptor, Sid};
use hvm_model::found::{Found, Place, Problem};
use hvm_model::host::{AccessEntry, DcomRestriction};

use super::Reading;
use super::registry::Looked;

pub(super) const OLE: &str = r"Microsoft\Ole";

/// Value name and the entries that allow something by default: SID and mask.
const DEFAULTS: [(&str, [(&str, u32); 4]); 2] = [
    ("MachineAccessRestriction", [("S-1-1-0", 0x7), ("S-1-5-7", 0x3), ("S-1-5-32-562", 0x7), ("S-1-5-32-559", 0x7)]),
    (
        "MachineLaunchRestriction",
        [("S-1-5-32-544", 0x1f), ("S-1-1-0", 0x0b), ("S-1-5-32-562", 0x1f), ("S-1-5-32-559", 0x1f)],
    ),
];

/// Entries that 2012 and later add by themselves: all application packages, Remote Management Users.
const LATER: [&str; 2] = ["S-1-15-2-1", "S-1-5-32-580"];

/// The restrictions that are written; one that is absent is the built-in default.
pub(super) fn read(reading: &Reading<'_>) -> Vec<DcomRestriction> {
    DEFAULTS.iter().filter_map(|(name, defaults)| restriction(reading, name, defaults)).collect()
}

fn restriction(reading: &Reading<'_>, name: &str, defaults: &[(&str, u32)]) -> Option<DcomRestriction> {
    let Looked::Here(bytes, place) = reading.software.binary(OLE, name) else { return None };
    let descriptor = match SecurityDescriptor::parse(&bytes) {
        Ok(descriptor) => descriptor,
        Err(error) => {
            unreadable(reading, name, &place, &error.to_string());
            return None;
        }
    };
    let later =
        !matches!(super::os::version_of(reading), Found::Read { value, .. } if value == "6.0" || value == "6.1");
    let (added, removed) = compare(&descriptor, defaults, later);
    Some(DcomRestriction { name: name.to_owned(), sddl: descriptor.to_sddl(), added, removed, place })
}

fn unreadable(reading: &Reading<'_>, name: &str, place: &Place, error: &str) {
    reading.problem(Problem {
        kind: "setting.unreadable".to_owned(),
        subject: hvm_model::finding::Subject::Setting { name: name.to_owned() },
        message: format!("{place} is no security descriptor that can be read: {error}"),
        place: place.clone(),
        hint: "On the host, look it up with dcomcnfg: Component Services > Computers > My Computer > Properties > COM \
               Security > Edit Limits."
            .to_owned(),
    });
}

fn compare(
    descriptor: &SecurityDescriptor,
    defaults: &[(&str, u32)],
    later: bool,
) -> (Vec<AccessEntry>, Vec<AccessEntry>) {
    let usual = |sid: &str| defaults.iter().find(|(known, _)| *known == sid).map_or(0, |(_, mask)| *mask);
    let mut added = Vec::new();
    for ace in descriptor.dacl_aces() {
        let sid = ace.sid.to_string();
        if later && LATER.contains(&sid.as_str()) {
            continue;
        }
        let more = match ace.kind {
            AceKind::Allow | AceKind::AllowCallback => ace.mask & !usual(&sid),
            _ => ace.mask,
        };
        if more != 0 {
            added.push(entry(ace));
        }
    }
    let allowed = |sid: &str| {
        let own = descriptor.dacl_aces().filter(|ace| ace.kind == AceKind::Allow && ace.sid.to_string() == sid);
        own.fold(0, |mask, ace| mask | ace.mask)
    };
    let removed = defaults.iter().filter_map(|(sid, mask)| {
        let missing = mask & !allowed(sid);
        (missing != 0).then(|| AccessEntry {
            sid: (*sid).to_owned(),
            name: sid.parse::<Sid>().ok().and_then(|sid| sid.well_known_name()).map(str::to_owned),
            effect: "allow".to_owned(),
            mask: missing,
        })
    });
    (added, removed.collect())
}

pub(super) fn entry(ace: &Ace) -> AccessEntry {
    let effect = match ace.kind {
        AceKind::Allow | AceKind::AllowCallback => "allow",
        AceKind::Deny | AceKind::DenyCallback => "deny",
        AceKind::Audit => "audit",
        AceKind::Label => "label",
    };
    AccessEntry {
        sid: ace.sid.to_string(),
        name: ace.sid.well_known_name().map(str::to_owned),
        effect: effect.to_owned(),
        mask: ace.mask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hvm_formats::security::{Acl, AclEntry, AclPart};

    fn descriptor(aces: &[(AceKind, &str, u32)]) -> SecurityDescriptor {
        let ace = |(kind, sid, mask): &(AceKind, &str, u32)| {
            AclEntry::Ace(Ace { kind: *kind, flags: 0, mask: *mask, sid: sid.parse().unwrap(), extra: Vec::new() })
        };
        let list = Acl { revision: 2, entries: aces.iter().map(ace).collect() };
        SecurityDescriptor {
            resource_control: 0,
            control: 0,
            owner: None,
            group: None,
            sacl: AclPart::Absent,
            dacl: AclPart::List(list),
        }
    }

    #[test]
    fn added_and_narrowed_entries_are_told_apart() {
        let defaults = &DEFAULTS[1].1;
        let same: Vec<_> = defaults.iter().map(|(sid, mask)| (AceKind::Allow, *sid, *mask)).collect();
        assert_eq!(compare(&descriptor(&same), defaults, false), (Vec::new(), Vec::new()));
        let changed = [
            (AceKind::Allow, "S-1-5-32-544", 0x1f),
            (AceKind::Allow, "S-1-1-0", 0x1f),
            (AceKind::Allow, "S-1-5-32-562", 0x0b),
            (AceKind::Allow, "S-1-5-32-559", 0x1f),
            (AceKind::Allow, "S-1-5-32-580", 0x1f),
        ];
        let (added, removed) = compare(&descriptor(&changed), defaults, false);
        assert_eq!(added.iter().map(|e| e.sid.as_str()).collect::<Vec<_>>(), ["S-1-1-0", "S-1-5-32-580"]);
        assert_eq!(removed.iter().map(|e| (e.sid.as_str(), e.mask)).collect::<Vec<_>>(), [("S-1-5-32-562", 0x14)]);
        assert_eq!(compare(&descriptor(&changed), defaults, true).0.len(), 1);
    }
}
