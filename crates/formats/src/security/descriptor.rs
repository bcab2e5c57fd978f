//! A self-relative security descriptor: [MS-DTYP] 2.4.6.

use super::{Ace, Acl, SecurityError, Sid};

/// Length of the head.
const HEAD: usize = 20;
/// Control bits: a DACL is there, a SACL is there, offsets instead of pointers.
const DACL_PRESENT: u16 = 0x0004;
const SACL_PRESENT: u16 = 0x0010;
const SELF_RELATIVE: u16 = 0x8000;

/// A list that may be missing in two ways.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AclPart {
    /// The descriptor has no such list.
    Absent,
    /// It has a null list: as a DACL it allows everything to everybody.
    Null,
    /// A list.
    List(Acl),
}

impl AclPart {
    fn to_bytes(&self) -> Result<Option<Vec<u8>>, SecurityError> {
        match self {
            AclPart::Absent | AclPart::Null => Ok(None),
            AclPart::List(acl) => acl.to_bytes().map(Some),
        }
    }
}

/// A security descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecurityDescriptor {
    /// Offset 1: for resource managers; 0 but with the bit 0x4000 of `control`.
    pub resource_control: u8,
    /// Offset 2: control bits, as read. Writing sets the bits of the lists and of the self-relative form.
    pub control: u16,
    /// Offset 4.
    pub owner: Option<Sid>,
    /// Offset 8.
    pub group: Option<Sid>,
    /// Offset 12.
    pub sacl: AclPart,
    /// Offset 16.
    pub dacl: AclPart,
}

impl SecurityDescriptor {
    /// Reads a descriptor; offsets 0 revision, then as at the fields.
    pub fn parse(bytes: &[u8]) -> Result<SecurityDescriptor, SecurityError> {
        let what = "A security descriptor";
        let head = bytes.first_chunk::<HEAD>();
        let head = head.ok_or(SecurityError::PastEnd { what, offset: 0, expected: HEAD, found: bytes.len() })?;
        let [revision, resource_control, control_low, control_high, offsets @ ..] = *head;
        if revision != 1 {
            let what = "The security descriptor";
            return Err(SecurityError::Revision { what, offset: 0, expected: "1", found: revision });
        }
        let control = u16::from_le_bytes([control_low, control_high]);
        if control & SELF_RELATIVE == 0 {
            return Err(SecurityError::NotSelfRelative { found: control });
        }
        let mut offsets = offsets.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word) as usize);
        let mut offset = || offsets.next().unwrap_or(0);
        let (owner, group, sacl, dacl) = (offset(), offset(), offset(), offset());
        let sid = |at: usize| if at == 0 { Ok(None) } else { Sid::read(bytes, at).map(Some) };
        let acl = |bit: u16, at: usize| match (control & bit, at) {
            (0, _) => Ok(AclPart::Absent),
            (_, 0) => Ok(AclPart::Null),
            (_, at) => Acl::read(bytes, at).map(AclPart::List),
        };
        Ok(SecurityDescriptor {
            resource_control,
            control,
            owner: sid(owner)?,
            group: sid(group)?,
            sacl: acl(SACL_PRESENT, sacl)?,
            dacl: acl(DACL_PRESENT, dacl)?,
        })
    }

    /// The self-relative form: head, SACL, DACL, owner, group, as Windows stores the DCOM restrictions.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SecurityError> {
        let mut control = self.control & !(DACL_PRESENT | SACL_PRESENT) | SELF_RELATIVE;
        for (part, bit) in [(&self.sacl, SACL_PRESENT), (&self.dacl, DACL_PRESENT)] {
            control |= if *part == AclPart::Absent { 0 } else { bit };
        }
        let mut body = Vec::new();
        let mut add = |part: Option<Vec<u8>>| {
            let Some(part) = part else { return Ok(0) };
            let at = HEAD + body.len();
            body.extend(part);
            u32::try_from(at).map_err(|_| SecurityError::TooLarge { found: at })
        };
        let sacl = add(self.sacl.to_bytes()?)?;
        let dacl = add(self.dacl.to_bytes()?)?;
        let owner = add(self.owner.as_ref().map(Sid::to_bytes))?;
        let group = add(self.group.as_ref().map(Sid::to_bytes))?;
        let mut bytes = vec![1, self.resource_control];
        bytes.extend(control.to_le_bytes());
        bytes.extend([owner, group, sacl, dacl].iter().flat_map(|offset| offset.to_le_bytes()));
        bytes.extend(body);
        Ok(bytes)
    }

    /// The entries of the DACL that are a mask and a SID; none without a DACL.
    pub fn dacl_aces(&self) -> impl Iterator<Item = &Ace> {
        match &self.dacl {
            AclPart::List(acl) => Some(acl.aces()),
            AclPart::Absent | AclPart::Null => None,
        }
        .into_iter()
        .flatten()
    }

    /// The descriptor as SDDL text, for people: `O:BAG:BAD:(A;;CCDCLC;;;WD)`.
    pub fn to_sddl(&self) -> String {
        super::sddl::text(self)
    }
}
