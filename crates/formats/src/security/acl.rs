//! Access control lists: [MS-DTYP] 2.4.4 and 2.4.5.

use super::{SecurityError, Sid};

/// Head of an ACL.
const ACL_HEAD: usize = 8;
/// Head of an entry: type, flags, size.
const ACE_HEAD: usize = 4;

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AceKind {
    /// 0: allows.
    Allow,
    /// 1: denies.
    Deny,
    /// 2: is written to the log.
    Audit,
    /// 0x11: mandatory integrity label.
    Label,
    /// 9: allows under a condition, which stands in [`Ace::extra`].
    AllowCallback,
    /// 10: denies under a condition.
    DenyCallback,
}

impl AceKind {
    fn from_number(number: u8) -> Option<AceKind> {
        Some(match number {
            0 => AceKind::Allow,
            1 => AceKind::Deny,
            2 => AceKind::Audit,
            9 => AceKind::AllowCallback,
            10 => AceKind::DenyCallback,
            0x11 => AceKind::Label,
            _ => return None,
        })
    }

    /// The number in the file.
    pub fn number(self) -> u8 {
        match self {
            AceKind::Allow => 0,
            AceKind::Deny => 1,
            AceKind::Audit => 2,
            AceKind::AllowCallback => 9,
            AceKind::DenyCallback => 10,
            AceKind::Label => 0x11,
        }
    }
}

/// An entry of a kind that is a mask and a SID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ace {
    /// Offset 0: what it does.
    pub kind: AceKind,
    /// Offset 1: inheritance and audit flags (1 objects, 2 containers, 4 no further, 8 only inherit, 0x10 inherited).
    pub flags: u8,
    /// Offset 4: rights.
    pub mask: u32,
    /// Offset 8: for whom.
    pub sid: Sid,
    /// Behind the SID: a condition, or nothing.
    pub extra: Vec<u8>,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AclEntry {
    /// A mask and a SID.
    Ace(Ace),
    /// A kind that is not understood (object entries and such), kept as it is.
    Unknown {
        /// Offset 0: the kind.
        kind: u8,
        /// Offset 1.
        flags: u8,
        /// Everything behind the head.
        body: Vec<u8>,
    },
}

/// An access control list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acl {
    /// Offset 0: 2, or 4 with object entries.
    pub revision: u8,
    /// The entries in order; the order matters.
    pub entries: Vec<AclEntry>,
}

impl Acl {
    /// The entries that are a mask and a SID.
    pub fn aces(&self) -> impl Iterator<Item = &Ace> {
        self.entries.iter().filter_map(|entry| match entry {
            AclEntry::Ace(ace) => Some(ace),
            AclEntry::Unknown { .. } => None,
        })
    }

    /// Reads the list at `offset` of `bytes`. Offset 0 revision, 2 size, 4 number of entries, 8 entries.
    pub(super) fn read(bytes: &[u8], offset: usize) -> Result<Acl, SecurityError> {
        let past_end =
            |expected| SecurityError::PastEnd { what: "An access control list", offset, expected, found: bytes.len() };
        let rest = bytes.get(offset..).ok_or_else(|| past_end(ACL_HEAD))?;
        let [revision, _, size_low, size_high, count_low, count_high, _, _] =
            *rest.first_chunk::<ACL_HEAD>().ok_or_else(|| past_end(ACL_HEAD))?;
        if !matches!(revision, 2..=4) {
            let what = "The access control list";
            return Err(SecurityError::Revision { what, offset, expected: "2 to 4", found: revision });
        }
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        let all = rest.get(..size).ok_or_else(|| past_end(size))?;
        let mut at = ACL_HEAD;
        let mut entries = Vec::new();
        for _ in 0..u16::from_le_bytes([count_low, count_high]) {
            let (entry, len) = read_entry(all, at, offset)?;
            entries.push(entry);
            at += len;
        }
        Ok(Acl { revision, entries })
    }

    /// The binary form; sizes and numbers are 16 bits.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, SecurityError> {
        let mut body = Vec::new();
        for entry in &self.entries {
            let (kind, flags, content) = match entry {
                AclEntry::Ace(ace) => {
                    let content = [&ace.mask.to_le_bytes()[..], &ace.sid.to_bytes(), &ace.extra].concat();
                    (ace.kind.number(), ace.flags, content)
                }
                AclEntry::Unknown { kind, flags, body } => (*kind, *flags, body.clone()),
            };
            body.extend([kind, flags]);
            body.extend(size16(ACE_HEAD + content.len())?);
            body.extend(content);
        }
        let mut bytes = vec![self.revision, 0];
        bytes.extend(size16(ACL_HEAD + body.len())?);
        bytes.extend(size16(self.entries.len())?);
        bytes.extend([0, 0]);
        bytes.extend(body);
        Ok(bytes)
    }
}

fn size16(size: usize) -> Result<[u8; 2], SecurityError> {
    u16::try_from(size).map(u16::to_le_bytes).map_err(|_| SecurityError::TooLarge { found: size })
}

fn read_entry(acl: &[u8], at: usize, base: usize) -> Result<(AclEntry, usize), SecurityError> {
    let what = "An access control entry";
    let past_end = |expected| SecurityError::PastEnd { what, offset: base + at, expected, found: base + acl.len() };
    let rest = acl.get(at..).ok_or_else(|| past_end(ACE_HEAD))?;
    let [number, flags, size_low, size_high] = *rest.first_chunk::<ACE_HEAD>().ok_or_else(|| past_end(ACE_HEAD))?;
    let size = usize::from(u16::from_le_bytes([size_low, size_high]));
    if size < ACE_HEAD {
        return Err(SecurityError::EntrySize { offset: base + at, expected: ACE_HEAD, found: size });
    }
    let body = rest.get(ACE_HEAD..size).ok_or_else(|| past_end(size))?;
    let Some(kind) = AceKind::from_number(number) else {
        return Ok((AclEntry::Unknown { kind: number, flags, body: body.to_vec() }, size));
    };
    let Some((mask, rest)) = body.split_first_chunk::<4>() else {
        return Err(SecurityError::EntrySize { offset: base + at, expected: ACE_HEAD + 4 + 8, found: size });
    };
    let sid = Sid::read(rest, 0).map_err(|e| e.moved(base + at + ACE_HEAD + 4))?;
    let extra = rest.get(sid.len()..).unwrap_or_default().to_vec();
    Ok((AclEntry::Ace(Ace { kind, flags, mask: u32::from_le_bytes(*mask), sid, extra }), size))
}

impl SecurityError {
    /// The same error of a part that starts at `start`.
    fn moved(self, start: usize) -> SecurityError {
        match self {
            SecurityError::PastEnd { what, offset, expected, found } => {
                SecurityError::PastEnd { what, offset: offset + start, expected, found: found + start }
            }
            SecurityError::Revision { what, offset, expected, found } => {
                SecurityError::Revision { what, offset: offset + start, expected, found }
            }
            SecurityError::SubAuthorities { offset, found } => {
                SecurityError::SubAuthorities { offset: offset + start, found }
            }
            other => other,
        }
    }
}
