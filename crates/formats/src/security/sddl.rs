//! Descriptors as SDDL text, [MS-DTYP] 2.5.1, for display. Entries that SDDL cannot say stand as `(?;kind;bytes)`.

use std::fmt::Write as _;

use super::{Ace, AceKind, Acl, AclEntry, AclPart, SecurityDescriptor, Sid};

/// Letters of the rights; a mask with any other bit is written as a number.
const RIGHTS: [(u32, &str); 17] = [
    (0x8000_0000, "GR"),
    (0x4000_0000, "GW"),
    (0x2000_0000, "GX"),
    (0x1000_0000, "GA"),
    (0x0000_0001, "CC"),
    (0x0000_0002, "DC"),
    (0x0000_0004, "LC"),
    (0x0000_0008, "SW"),
    (0x0000_0010, "RP"),
    (0x0000_0020, "WP"),
    (0x0000_0040, "DT"),
    (0x0000_0080, "LO"),
    (0x0000_0100, "CR"),
    (0x0001_0000, "SD"),
    (0x0002_0000, "RC"),
    (0x0004_0000, "WD"),
    (0x0008_0000, "WO"),
];
/// Letters of the entry flags.
const FLAGS: [(u8, &str); 7] =
    [(0x01, "OI"), (0x02, "CI"), (0x04, "NP"), (0x08, "IO"), (0x10, "ID"), (0x40, "SA"), (0x80, "FA")];
/// Letters of the control bits of a DACL and, one bit further, of a SACL.
const ACL_FLAGS: [(u16, u16, &str); 3] = [(0x1000, 0x2000, "P"), (0x0100, 0x0200, "AR"), (0x0400, 0x0800, "AI")];

pub(super) fn text(descriptor: &SecurityDescriptor) -> String {
    let mut out = String::new();
    for (letter, sid) in [("O:", &descriptor.owner), ("G:", &descriptor.group)] {
        if let Some(sid) = sid {
            out.push_str(letter);
            out.push_str(&sid_text(sid));
        }
    }
    let control = descriptor.control;
    list(&mut out, "D:", &descriptor.dacl, ACL_FLAGS.map(|(dacl, _, letters)| (control & dacl != 0, letters)));
    list(&mut out, "S:", &descriptor.sacl, ACL_FLAGS.map(|(_, sacl, letters)| (control & sacl != 0, letters)));
    out
}

fn list(out: &mut String, letter: &str, part: &AclPart, flags: [(bool, &str); 3]) {
    if *part == AclPart::Absent {
        return;
    }
    out.push_str(letter);
    flags.iter().filter(|(set, _)| *set).for_each(|(_, letters)| out.push_str(letters));
    match part {
        AclPart::List(Acl { entries, .. }) => entries.iter().for_each(|entry| write_entry(out, entry)),
        AclPart::Absent | AclPart::Null => out.push_str("NO_ACCESS_CONTROL"),
    }
}

fn write_entry(out: &mut String, entry: &AclEntry) {
    // Writing to a String cannot fail.
    let _ = match entry {
        AclEntry::Ace(ace) => {
            let (kind, flags, rights) = (kind(ace.kind), flags(ace.flags), rights(ace));
            let condition = if ace.extra.is_empty() { "" } else { ";?" };
            write!(out, "({kind};{flags};{rights};;;{}{condition})", sid_text(&ace.sid))
        }
        AclEntry::Unknown { kind, flags, body } => {
            write!(out, "(?;0x{kind:02X};0x{flags:02X};{} bytes)", body.len())
        }
    };
}

fn kind(kind: AceKind) -> &'static str {
    match kind {
        AceKind::Allow => "A",
        AceKind::Deny => "D",
        AceKind::Audit => "AU",
        AceKind::Label => "ML",
        AceKind::AllowCallback => "XA",
        AceKind::DenyCallback => "XD",
    }
}

fn flags(flags: u8) -> String {
    FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letters)| *letters).collect()
}

fn rights(ace: &Ace) -> String {
    let known = RIGHTS.iter().fold(0, |all, (bit, _)| all | bit);
    // The bits of an integrity label have letters of their own.
    if ace.mask & !known != 0 || ace.kind == AceKind::Label {
        return format!("0x{:x}", ace.mask);
    }
    RIGHTS.iter().filter(|(bit, _)| ace.mask & bit != 0).map(|(_, letters)| *letters).collect()
}

fn sid_text(sid: &Sid) -> String {
    sid.sddl_alias().map_or_else(|| sid.to_string(), str::to_owned)
}
