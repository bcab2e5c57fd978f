//! Security identifiers and self-relative security descriptors ([MS-DTYP] 2.4.2, 2.4.5, 2.4.6).

use crate::bytes::{put16, put32};

/// One access-allowed entry.
#[derive(Debug, Clone)]
pub struct Ace {
    /// Inheritance flags.
    pub flags: u8,
    /// Access mask.
    pub mask: u32,
    /// Binary SID, see [`sid`].
    pub sid: Vec<u8>,
}

/// Binary form of a SID text such as `S-1-5-32-544`.
///
/// Panics when the text is none: SIDs here are constants of the code.
#[must_use]
pub fn sid(text: &str) -> Vec<u8> {
    let mut parts = text.strip_prefix("S-1-").expect("a SID begins with S-1-").split('-');
    let authority: u64 = parts.next().and_then(|part| part.parse().ok()).expect("a SID has an authority");
    let sub: Vec<u32> = parts.map(|part| part.parse().expect("a sub-authority is a number")).collect();
    let mut bytes = vec![1, u8::try_from(sub.len()).expect("few sub-authorities")];
    bytes.extend(&authority.to_be_bytes()[2..]);
    sub.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes
}

/// A self-relative descriptor with owner and group Administrators and a DACL of access-allowed entries; the DACL lies
/// before the owner, as in the values that Windows writes below `Microsoft\Ole`.
#[must_use]
pub fn descriptor(aces: &[Ace]) -> Vec<u8> {
    let acl_size = 8 + aces.iter().map(|ace| 8 + ace.sid.len()).sum::<usize>();
    let owner = sid("S-1-5-32-544");
    let size = |number: usize| u32::try_from(number).expect("a descriptor is small");
    let mut bytes = vec![0u8; 20];
    bytes[0] = 1; // revision
    put16(&mut bytes, 2, 0x8004); // self-relative, DACL present
    put32(&mut bytes, 4, size(20 + acl_size));
    put32(&mut bytes, 8, size(20 + acl_size + owner.len()));
    put32(&mut bytes, 16, 20);
    bytes.extend([2, 0]);
    bytes.extend(u16::try_from(acl_size).expect("an ACL is small").to_le_bytes());
    bytes.extend(u16::try_from(aces.len()).expect("an ACL is small").to_le_bytes());
    bytes.extend([0, 0]);
    for ace in aces {
        bytes.extend([0, ace.flags]);
        bytes.extend(u16::try_from(8 + ace.sid.len()).expect("a SID is small").to_le_bytes());
        bytes.extend(ace.mask.to_le_bytes());
        bytes.extend(&ace.sid);
    }
    bytes.extend(&owner);
    bytes.extend(&owner);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_launch_restriction_has_the_bytes_of_a_real_export() {
        let entries = [("S-1-5-32-544", 0x1f), ("S-1-1-0", 0x0b), ("S-1-5-32-562", 0x1f), ("S-1-5-32-559", 0x1f)];
        let aces: Vec<Ace> = entries.map(|(text, mask)| Ace { flags: 0, mask, sid: sid(text) }).to_vec();
        let real = "0100048078000000880000000000000014000000020064000400000000001800\
                    1f00000001020000000000052000000020020000000014000b00000001010000\
                    000000010000000000001800 1f0000000102000000000005200000003202000000001800\
                    1f000000010200000000000520000000 2f020000 01020000000000052000000020020000\
                    01020000000000052000000020020000";
        assert_eq!(crate::bytes::hex(&descriptor(&aces)), real.replace([' ', '\n'], ""));
    }
}
