//! The security of folders and files: owner, group and list of entries as text (SDDL, [MS-DTYP] 2.5.1.1), as bytes
//! ([MS-DTYP] 2.4.6), as what a new folder or file takes over from its folder (2.5.3.4), and as the class
//! `System.Security.AccessControl.DirectorySecurity`.

use std::cell::RefCell;
use std::rc::Rc;

use super::computer::{Run, fault, thrown};
use super::methods::void;
use super::security::identifier_bytes;
use super::value::{Object, Value};

/// The class of .NET.
pub(super) const CLASS: &str = "DirectorySecurity";

/// Bits of an entry: what files and folders in the folder take over, not further, not for the folder itself, taken over.
const OBJECTS: u8 = 0x01;
const CONTAINERS: u8 = 0x02;
const NOT_FURTHER: u8 = 0x04;
const NOT_HERE: u8 = 0x08;
const INHERITED: u8 = 0x10;

const FLAGS: [(&str, u8); 5] =
    [("OI", OBJECTS), ("CI", CONTAINERS), ("NP", NOT_FURTHER), ("IO", NOT_HERE), ("ID", INHERITED)];

/// Everything that can be done with a file, and the generic right that stands for it.
const ALL: u32 = 0x001f_01ff;
const ALL_GENERIC: u32 = 0x1000_0000;
const GENERIC: u32 = 0xf000_0000;

const RIGHTS: [(&str, u32); 5] =
    [("FA", ALL), ("FR", 0x0012_0089), ("FW", 0x0012_0116), ("FX", 0x0012_00a0), ("GA", ALL_GENERIC)];

/// The group of the administrators, to which belongs what one of them makes.
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// Stands for the owner of what takes the entry over.
const CREATOR: &str = "S-1-3-0";

const ACCOUNTS: [(&str, &str); 6] = [
    ("SY", "S-1-5-18"),
    ("BA", ADMINISTRATORS),
    ("BU", "S-1-5-32-545"),
    ("CO", CREATOR),
    ("WD", "S-1-1-0"),
    ("AU", "S-1-5-11"),
];

const INVALID: &str = "The SDDL form of a security descriptor object is invalid.";

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whether it allows or denies.
    pub allows: bool,
    /// Bits of `AceFlags`.
    pub flags: u8,
    /// Rights.
    pub mask: u32,
    /// Security identifier of the account.
    pub account: String,
}

/// The security of a folder or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Security identifier of the owner.
    pub owner: String,
    /// That of the group.
    pub group: String,
    /// Whether nothing is taken over from above.
    pub is_protected: bool,
    /// The entries in their order.
    pub entries: Vec<Entry>,
}

/// What takes over entries of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    /// A folder.
    Folder,
    /// A file.
    File,
}

impl Descriptor {
    /// Reads `O:…G:…D:…`.
    pub fn of_sddl(text: &str) -> Run<Descriptor> {
        let parts = text.strip_prefix("O:").and_then(|rest| rest.split_once("G:"));
        let Some((owner, rest)) = parts else { return fault(format!("the descriptor {text}")) };
        let Some((group, list)) = rest.split_once("D:") else { return fault(format!("the descriptor {text}")) };
        let (flags, entries) = list.split_at(list.find('(').unwrap_or(list.len()));
        if !["", "P", "AI", "PAI"].contains(&flags) {
            return fault(format!("the flags {flags} in the descriptor {text}"));
        }
        if !entries.is_empty() && !entries.ends_with(')') {
            return thrown(INVALID);
        }
        let mut all = Vec::new();
        for entry in entries.split_terminator(')') {
            match entry.strip_prefix('(') {
                Some(entry) => all.push(Entry::of_sddl(entry)?),
                None => return thrown(INVALID),
            }
        }
        let is_protected = flags.starts_with('P');
        Ok(Descriptor { owner: account(owner)?, group: account(group)?, is_protected, entries: all })
    }

    /// The same as text, with identifiers and numbers.
    pub fn sddl(&self) -> String {
        let entries: String = self.entries.iter().map(Entry::sddl).collect();
        let flags = if self.is_protected { "P" } else { "" };
        format!("O:{}G:{}D:{flags}{entries}", self.owner, self.group)
    }

    /// What an administrator makes in a folder with this security.
    pub fn inherited(&self, child: Child) -> Descriptor {
        let owner = ADMINISTRATORS.to_owned();
        let entries = self.entries.iter().flat_map(|entry| entry.inherited(child, &owner)).collect();
        Descriptor { group: owner.clone(), owner, is_protected: false, entries }
    }

    /// The bytes in the order of .NET: head, owner, group, list.
    fn bytes(&self) -> Run<Vec<u8>> {
        let identifier = |text: &str| identifier_bytes(text).map_or_else(|| fault(format!("the account {text}")), Ok);
        let mut entries = Vec::new();
        for entry in &self.entries {
            let account = identifier(&entry.account)?;
            entries.extend([u8::from(!entry.allows), entry.flags]);
            entries.extend((8 + account.len() as u16).to_le_bytes());
            entries.extend(entry.mask.to_le_bytes());
            entries.extend(account);
        }
        let (owner, group) = (identifier(&self.owner)?, identifier(&self.group)?);
        // Self-relative, with a list, and perhaps protected.
        let control: u16 = if self.is_protected { 0x9004 } else { 0x8004 };
        let mut bytes = vec![1, 0];
        bytes.extend(control.to_le_bytes());
        for offset in [20, 20 + owner.len(), 0, 20 + owner.len() + group.len()] {
            bytes.extend((offset as u32).to_le_bytes());
        }
        bytes.extend([owner, group].concat());
        bytes.extend([2, 0]);
        bytes.extend((8 + entries.len() as u16).to_le_bytes());
        bytes.extend((self.entries.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(entries);
        Ok(bytes)
    }

    /// As an object of .NET.
    pub fn value(&self) -> Value {
        Object::new(CLASS, &self.sddl()).value()
    }

    /// What such an object holds. One that nothing was set in would let in nobody; no script means that.
    pub fn of(value: &Value) -> Run<Descriptor> {
        match value {
            Value::Object(object) if object.borrow().class == CLASS => Descriptor::of_sddl(&object.borrow().id),
            other => fault(format!("{} for the security of a folder", other.kind())),
        }
    }
}

impl Entry {
    fn of_sddl(text: &str) -> Run<Entry> {
        let parts: Vec<&str> = text.split(';').collect();
        let [kind, flags, rights, "", "", name] = parts.as_slice() else { return thrown(INVALID) };
        let allows = match *kind {
            "A" => true,
            "D" => false,
            _ => return fault(format!("an entry of the kind {kind} in a descriptor")),
        };
        let (mut flags, mut bits) = (*flags, 0);
        while !flags.is_empty() {
            let known = FLAGS.iter().find_map(|(word, bit)| flags.strip_prefix(word).map(|rest| (rest, bit)));
            let Some((rest, bit)) = known else { return thrown(INVALID) };
            (flags, bits) = (rest, bits | bit);
        }
        let mask = match rights.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).or_else(|_| thrown(INVALID))?,
            None => match RIGHTS.iter().find(|(word, _)| word == rights) {
                Some((_, mask)) => *mask,
                None => return fault(format!("the rights {rights} in a descriptor")),
            },
        };
        Ok(Entry { allows, flags: bits, mask, account: account(name)? })
    }

    fn sddl(&self) -> String {
        let kind = if self.allows { "A" } else { "D" };
        let flags: String = FLAGS.iter().filter(|(_, bit)| self.flags & bit != 0).map(|(word, _)| *word).collect();
        format!("({kind};{flags};{:#x};;;{})", self.mask, self.account)
    }

    /// What a new folder or file of this owner takes over: nothing, the entry, or one for itself and one for what is in it.
    fn inherited(&self, child: Child, owner: &str) -> Vec<Entry> {
        let (objects, containers) = (self.flags & OBJECTS != 0, self.flags & CONTAINERS != 0);
        let is_here = if child == Child::File { objects } else { containers };
        let goes_on = child == Child::Folder && self.flags & NOT_FURTHER == 0;
        let further = if goes_on { self.flags & (OBJECTS | CONTAINERS) } else { 0 };
        if !is_here && further == 0 {
            return Vec::new();
        }
        let on = Entry { flags: further | INHERITED | if is_here { 0 } else { NOT_HERE }, ..self.clone() };
        if !is_here || (self.account != CREATOR && self.mask & GENERIC == 0) {
            return vec![on];
        }
        // What means something else for each owner, or each kind of thing, is settled for this one and kept for the others.
        let account = if self.account == CREATOR { owner.to_owned() } else { self.account.clone() };
        let mask = if self.mask & ALL_GENERIC != 0 { ALL } else { self.mask };
        let here = Entry { allows: self.allows, flags: INHERITED, mask, account };
        let on = Entry { flags: on.flags | NOT_HERE, ..on };
        if further == 0 { vec![here] } else { vec![here, on] }
    }
}

fn account(text: &str) -> Run<String> {
    match ACCOUNTS.iter().find(|(word, _)| *word == text) {
        Some((_, sid)) => Ok((*sid).to_owned()),
        None if identifier_bytes(text).is_some() => Ok(text.to_owned()),
        None => fault(format!("the account {text} in a descriptor")),
    }
}

/// A method of the class; the name is in small letters.
pub(super) fn method(target: &Rc<RefCell<Object>>, name: &str, arguments: &[Value]) -> Run<Value> {
    match (name, arguments) {
        ("setsecuritydescriptorsddlform", [Value::Text(text)]) => {
            let descriptor = Descriptor::of_sddl(text)?;
            target.borrow_mut().id = descriptor.sddl();
            Ok(void())
        }
        ("getsecuritydescriptorbinaryform", []) => {
            let descriptor = Descriptor::of_sddl(&target.borrow().id)?;
            Ok(Value::bytes(&descriptor.bytes()?))
        }
        _ => fault(format!("the method {name} of {CLASS} with these arguments")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Descriptor {
        Descriptor::of_sddl(text).unwrap()
    }

    #[test]
    fn text_is_read_and_written() {
        let closed = of("O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)");
        assert!(closed.is_protected && closed.entries.len() == 2);
        assert_eq!(of(&closed.sddl()), closed);
        for wrong in ["", "D:P", "O:BAG:BAD:P(A;OICI;FA;;;SY", "O:BAG:BAD:(A;XX;FA;;;SY)", "O:BAG:BAD:(A;;FA;;SY)"] {
            assert!(Descriptor::of_sddl(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn folders_and_files_take_over_what_they_should() {
        let root = of("O:SYG:SYD:(A;OICI;FA;;;BA)(A;OICIIO;GA;;;CO)(A;CI;0x4;;;BU)(A;OI;FR;;;AU)(A;CINP;FX;;;WD)");
        let folder = of("O:BAG:BAD:(A;OICIID;FA;;;BA)(A;ID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;CIID;0x4;;;BU)\
                         (A;OIIOID;FR;;;AU)(A;ID;FX;;;WD)");
        assert_eq!(root.inherited(Child::Folder), folder);
        let file = of("O:BAG:BAD:(A;ID;FA;;;BA)(A;ID;FA;;;BA)(A;ID;FR;;;AU)");
        assert_eq!(root.inherited(Child::File), file);
        assert_eq!(folder.inherited(Child::File), file);
        let closed = of("O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)");
        assert_eq!(closed.inherited(Child::Folder), of("O:BAG:BAD:(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)"));
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        let bytes = of("O:BAG:SYD:P(A;OICI;FA;;;SY)").bytes().unwrap();
        let wanted = [
            &[1, 0, 0x04, 0x90, 20, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0][..],
            &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0],
            &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
            &[2, 0, 28, 0, 1, 0, 0, 0, 0, 3, 20, 0, 0xff, 1, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
        ];
        assert_eq!(bytes, wanted.concat());
    }
}
