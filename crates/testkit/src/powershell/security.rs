//! Security identifiers, access lists and descriptors, as the classes of .NET below `System.Security` show them.
//!
//! A descriptor is really read from its bytes and written as bytes ([MS-DTYP] 2.4.2, 2.4.4, 2.4.5, 2.4.6). Only what
//! the restrictions of DCOM hold is known: an owner, a group, and a list of plain entries that allow or deny.

use std::cell::RefCell;
use std::rc::Rc;

use super::computer::{Run, Stop, fault, thrown};
use super::descriptor;
use super::methods::void;
use super::value::{List, ListKind, Object, Value};

/// Length of the head of a descriptor, of a list, and of an entry with its mask.
const HEAD: usize = 20;
const LIST_HEAD: usize = 8;
const ENTRY_HEAD: usize = 8;

/// Control bits: a list is there, a list for the log is there, the byte of a resource manager counts, offsets instead of
/// pointers.
const LIST_PRESENT: usize = 0x0004;
const LOG_PRESENT: usize = 0x0010;
const MANAGER_BYTE: usize = 0x4000;
const SELF_RELATIVE: usize = 0x8000;

/// Longest list, bytes.
const LONGEST_LIST: usize = 0xffff;

const TOO_SHORT: &str = "Destination array is not long enough to copy all the items in the collection.";

type Words = &'static [(&'static str, i64)];

/// Enumerations with their words; the last two are made of bits.
const ENUMERATIONS: [(&str, Words); 4] = [
    ("System.Security.AccessControl.AceType", &[("AccessAllowed", 0), ("AccessDenied", 1)]),
    (
        "System.Security.AccessControl.AceQualifier",
        &[("AccessAllowed", 0), ("AccessDenied", 1), ("SystemAudit", 2), ("SystemAlarm", 3)],
    ),
    (
        "System.Security.AccessControl.AceFlags",
        &[
            ("None", 0),
            ("ObjectInherit", 0x01),
            ("ContainerInherit", 0x02),
            ("NoPropagateInherit", 0x04),
            ("InheritOnly", 0x08),
            ("Inherited", 0x10),
        ],
    ),
    (
        "System.Security.AccessControl.ControlFlags",
        &[
            ("None", 0),
            ("OwnerDefaulted", 0x0001),
            ("GroupDefaulted", 0x0002),
            ("DiscretionaryAclPresent", 0x0004),
            ("DiscretionaryAclDefaulted", 0x0008),
            ("DiscretionaryAclAutoInherited", 0x0400),
            ("DiscretionaryAclProtected", 0x1000),
            ("SelfRelative", 0x8000),
        ],
    ),
];

/// Classes by the names that scripts write, in small letters, and as objects here have them.
const CLASSES: [(&str, &str); 4] = [
    ("security.accesscontrol.directorysecurity", descriptor::CLASS),
    ("security.principal.securityidentifier", "SecurityIdentifier"),
    ("security.accesscontrol.commonace", "CommonAce"),
    ("security.accesscontrol.rawsecuritydescriptor", "RawSecurityDescriptor"),
];

fn enumeration(name: &str) -> Option<(&'static str, Words)> {
    ENUMERATIONS.iter().find(|(known, _)| known.rsplit('.').next() == Some(name)).copied()
}

/// A word of an enumeration by its number; of one that is made of bits, the words of all of them.
fn word(name: &str, number: usize) -> Run<Value> {
    let Some((kind, words)) = enumeration(name) else { return fault(format!("the enumeration {name}")) };
    let number = number as i64;
    if let Some((word, _)) = words.iter().find(|(_, known)| *known == number) {
        return Ok(Value::word(kind, word, number));
    }
    let bits: Vec<&(&str, i64)> = words.iter().filter(|(_, bit)| number & bit != 0).collect();
    if !name.ends_with("Flags") || bits.iter().fold(0, |all, (_, bit)| all | bit) != number {
        return fault(format!("the number {number} in {kind}"));
    }
    let names: Vec<&str> = bits.iter().map(|(word, _)| *word).collect();
    Ok(Value::word(kind, &names.join(", "), number))
}

/// A word of one of the enumerations; `None` when the type is none of them.
pub(super) fn static_member(kind: &str, name: &str) -> Option<Run<Value>> {
    let (kind, words) =
        ENUMERATIONS.iter().find(|(known, _)| known.to_ascii_lowercase() == format!("system.{kind}"))?;
    Some(match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)) {
        Some((word, number)) => Ok(Value::word(kind, word, *number)),
        None => fault(format!("[{kind}]::{name}")),
    })
}

/// True when the value is of the type already.
pub(super) fn is_a(kind: &str, value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            CLASSES.iter().any(|(name, class)| *name == kind && object.borrow().class.as_str() == *class)
        }
        Value::List(list) => list.kind == ListKind::Acl && kind == "security.accesscontrol.rawacl",
        Value::Word(word) => word.kind.to_ascii_lowercase() == format!("system.{kind}"),
        _ => false,
    }
}

/// An object of one of the classes; `None` when the class is none of them.
pub(super) fn construct(kind: &str, arguments: &[Value]) -> Option<Run<Value>> {
    let (_, class) = CLASSES.iter().find(|(name, _)| *name == kind)?;
    Some(match (*class, arguments) {
        ("SecurityIdentifier", [Value::Text(text)]) => security_identifier(text),
        (descriptor::CLASS, []) => Ok(Object::new(descriptor::CLASS, "").value()),
        ("RawSecurityDescriptor", [bytes, Value::Int(0)]) => match bytes.as_bytes() {
            Some(bytes) => raw(&bytes),
            None => fault(format!("a descriptor from {}", bytes.kind())),
        },
        ("CommonAce", [flags, qualifier, Value::Int(mask), sid, Value::Bool(false), Value::Null]) => {
            let are_words = is_a("security.accesscontrol.aceflags", flags)
                && is_a("security.accesscontrol.acequalifier", qualifier)
                && is_a("security.principal.securityidentifier", sid);
            match (are_words, qualifier.integer()) {
                (true, Ok(kind @ 0..=1)) => entry(kind as usize, flags.clone(), *mask, sid.clone()),
                _ => fault("an entry of an access list from these arguments"),
            }
        }
        _ => fault(format!("an object of the class {class} from these arguments")),
    })
}

/// A security identifier.
fn security_identifier(text: &str) -> Run<Value> {
    if identifier_bytes(text).is_none() {
        return thrown(format!("Value was invalid. '{text}' is no security identifier."));
    }
    Ok(Object { text: Some(text.to_owned()), ..Object::new("SecurityIdentifier", text) }.with("Value", text).value())
}

/// The bytes of an identifier whose authority fits into 32 bits.
pub(super) fn identifier_bytes(text: &str) -> Option<Vec<u8>> {
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let mut parts = text.strip_prefix("S-1-")?.split('-');
    let authority = number(parts.next()?)?;
    let numbers: Vec<u32> = parts.map(number).collect::<Option<_>>()?;
    let count = u8::try_from(numbers.len()).ok().filter(|count| (1..=15).contains(count))?;
    let mut bytes = vec![1, count, 0, 0];
    bytes.extend(authority.to_be_bytes());
    numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    Some(bytes)
}

/// A field of the head of something.
fn field(bytes: &[u8], at: usize, length: usize) -> Run<usize> {
    match bytes.get(at..at.saturating_add(length)) {
        Some(part) => Ok(part.iter().rev().fold(0, |all, byte| (all << 8) | usize::from(*byte))),
        None => thrown(TOO_SHORT),
    }
}

/// The identifier at an offset, and its length.
fn identifier_at(bytes: &[u8], at: usize) -> Run<(Value, usize)> {
    let count = field(bytes, at.saturating_add(1), 1)?;
    if field(bytes, at, 1)? != 1 || !(1..=15).contains(&count) {
        return thrown("The value is no security identifier.");
    }
    let authority = bytes.get(at + 2..at + 8).unwrap_or_default();
    let authority = authority.iter().fold(0u64, |all, byte| (all << 8) | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for number in 0..count {
        text.push_str(&format!("-{}", field(bytes, at + 8 + 4 * number, 4)?));
    }
    Ok((security_identifier(&text)?, 8 + 4 * count))
}

/// An entry.
fn entry(kind: usize, flags: Value, mask: i32, sid: Value) -> Run<Value> {
    Ok(Object::new("CommonAce", "")
        .with("AceType", word("AceType", kind)?)
        .with("AceQualifier", word("AceQualifier", kind)?)
        .with("AceFlags", flags)
        .with("AccessMask", Value::Int(mask))
        .with("SecurityIdentifier", sid)
        .with("IsCallback", false)
        .value())
}

/// The list at an offset.
fn list_at(bytes: &[u8], at: usize) -> Run<Value> {
    let (revision, length, count) = (field(bytes, at, 1)?, field(bytes, at + 2, 2)?, field(bytes, at + 4, 2)?);
    if revision != 2 {
        return fault(format!("an access list of the revision {revision}"));
    }
    let Some(list) = bytes.get(at..at + length) else { return thrown(TOO_SHORT) };
    let mut items = Vec::new();
    let mut at = LIST_HEAD;
    for _ in 0..count {
        let (kind, flags, length) = (field(list, at, 1)?, field(list, at + 1, 1)?, field(list, at + 2, 2)?);
        if kind > 1 {
            return fault(format!("an entry of the type {kind} in an access list"));
        }
        let mask = field(list, at + 4, 4)? as u32 as i32;
        let (sid, used) = identifier_at(list, at + ENTRY_HEAD)?;
        if length != ENTRY_HEAD + used {
            return thrown("The binary form of an ACE object is invalid.");
        }
        items.push(entry(kind, word("AceFlags", flags)?, mask, sid)?);
        at += length;
    }
    Ok(Value::list(ListKind::Acl, items))
}

/// A descriptor from its bytes.
fn raw(bytes: &[u8]) -> Run<Value> {
    if bytes.len() < HEAD {
        return thrown(TOO_SHORT);
    }
    let (revision, control) = (field(bytes, 0, 1)?, field(bytes, 2, 2)?);
    if revision != 1 {
        return thrown("The revision of the security descriptor is unknown.");
    }
    if control & SELF_RELATIVE == 0 {
        return thrown("The security descriptor must be in the self-relative form.");
    }
    if control & (LOG_PRESENT | MANAGER_BYTE) != 0 {
        return fault(format!("a descriptor with the control bits {control:#06x}"));
    }
    let identifier = |at: usize| match at {
        0 => Ok(Value::Null),
        at => identifier_at(bytes, at).map(|(sid, _)| sid),
    };
    let list = match field(bytes, 16, 4)? {
        at if at != 0 && control & LIST_PRESENT != 0 => list_at(bytes, at)?,
        _ => Value::Null,
    };
    Ok(Object::new("RawSecurityDescriptor", "")
        .with("ControlFlags", word("ControlFlags", control)?)
        .with("Owner", identifier(field(bytes, 4, 4)?)?)
        .with("Group", identifier(field(bytes, 8, 4)?)?)
        .with("SystemAcl", Value::Null)
        .with("DiscretionaryAcl", list)
        .value())
}

/// The bytes of an identifier in a property; none for `$null`.
fn identifier_part(value: &Value) -> Run<Vec<u8>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(sid) => identifier_bytes(&sid.borrow().id).map_or_else(|| fault("a security identifier"), Ok),
        other => fault(format!("{} for a security identifier", other.kind())),
    }
}

/// The bytes of a list; none for `$null`.
fn list_part(value: &Value) -> Run<Vec<u8>> {
    let Value::List(list) = value else { return Ok(Vec::new()) };
    let items = list.items.borrow();
    let mut entries = Vec::new();
    for item in items.iter() {
        let Value::Object(entry) = item else { return fault(format!("{} in an access list", item.kind())) };
        let entry = entry.borrow();
        let number = |name: &str| match entry.get(name) {
            Some(value) => value.integer().map_err(Stop::Fault),
            None => fault(format!("an entry without {name}")),
        };
        let sid = identifier_part(&entry.get("SecurityIdentifier").cloned().unwrap_or(Value::Null))?;
        entries.extend([number("AceType")? as u8, number("AceFlags")? as u8]);
        entries.extend(((ENTRY_HEAD + sid.len()) as u16).to_le_bytes());
        entries.extend((number("AccessMask")? as i32).to_le_bytes());
        entries.extend(sid);
    }
    let length = LIST_HEAD + entries.len();
    if length > LONGEST_LIST {
        return thrown("The length of the access control list exceed the allowed maximum.");
    }
    let mut bytes = vec![2, 0];
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend((items.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(entries);
    Ok(bytes)
}

/// The bytes of a descriptor in the order of .NET: head, owner, group, list. Windows itself puts the list first.
fn binary_form(descriptor: &Object) -> Run<Vec<u8>> {
    let property = |name: &str| descriptor.get(name).cloned().unwrap_or(Value::Null);
    let control = property("ControlFlags").integer().map_err(Stop::Fault)? as u16;
    let parts = [
        identifier_part(&property("Owner"))?,
        identifier_part(&property("Group"))?,
        Vec::new(),
        list_part(&property("DiscretionaryAcl"))?,
    ];
    let mut bytes = vec![1, 0];
    bytes.extend(control.to_le_bytes());
    let mut at = HEAD;
    for part in &parts {
        let offset = if part.is_empty() { 0 } else { at as u32 };
        bytes.extend(offset.to_le_bytes());
        at += part.len();
    }
    bytes.extend(parts.concat());
    Ok(bytes)
}

/// A property that is worked out; the name is in small letters.
pub(super) fn computed(object: &Object, name: &str) -> Option<Run<Value>> {
    match (object.class.as_str(), name) {
        ("RawSecurityDescriptor", "binarylength") => {
            Some(binary_form(object).map(|bytes| Value::number(bytes.len() as i64)))
        }
        (descriptor::CLASS, _) => Some(fault(format!("the property {name} of {}", descriptor::CLASS))),
        _ => None,
    }
}

/// The value as the property takes it. Of the objects here only the mask of an entry can be set.
pub(super) fn settable(object: &Object, name: &str, value: Value) -> Run<Value> {
    if !CLASSES.iter().any(|(_, class)| *class == object.class.as_str()) {
        return Ok(value);
    }
    match (object.class.as_str(), name.to_ascii_lowercase().as_str(), &value) {
        ("CommonAce", "accessmask", Value::Int(_)) => Ok(value),
        ("CommonAce", "accessmask", Value::Long(_)) => thrown(format!("'{name}' takes a number of 32 bits.")),
        ("CommonAce", "acetype" | "acequalifier" | "iscallback", _) => {
            thrown(format!("'{name}' is a ReadOnly property."))
        }
        (class, ..) => fault(format!("the property {name} of the class {class} is set to {}", value.kind())),
    }
}

/// A method of an access list; the name is in small letters.
pub(super) fn list_method(list: &Rc<List>, name: &str, arguments: &[Value]) -> Run<Value> {
    let (place, new) = match (name, arguments) {
        ("insertace", [Value::Int(place), new]) if is_a("security.accesscontrol.commonace", new) => (*place, new),
        _ => return fault(format!("the method {name} of an access list with these arguments")),
    };
    let mut items = list.items.borrow_mut();
    match usize::try_from(place).ok().filter(|place| *place <= items.len()) {
        Some(place) => {
            items.insert(place, new.clone());
            Ok(void())
        }
        None => thrown("Index must be within the bounds of the List."),
    }
}

/// A method of one of the objects that needs no computer; the name is in small letters.
pub(super) fn method(target: &Rc<RefCell<Object>>, name: &str, arguments: &[Value]) -> Option<Run<Value>> {
    if target.borrow().class == descriptor::CLASS {
        return Some(descriptor::method(target, name, arguments));
    }
    let object = target.borrow();
    if object.class != "RawSecurityDescriptor" {
        return None;
    }
    Some(match (name, arguments) {
        // Another list would be copied into an array of bytes, and the copy would be filled.
        ("getbinaryform", [Value::List(list), Value::Int(0)]) if list.kind == ListKind::Bytes => {
            binary_form(&object).and_then(|form| fill(list, &form))
        }
        _ => fault(format!("the method {name} of a descriptor with these arguments")),
    })
}

fn fill(list: &Rc<List>, form: &[u8]) -> Run<Value> {
    let mut items = list.items.borrow_mut();
    if items.len() < form.len() {
        return thrown(TOO_SHORT);
    }
    for (item, byte) in items.iter_mut().zip(form) {
        *item = Value::Int(i32::from(*byte));
    }
    Ok(void())
}
