//! SIDs and descriptors: both ways, and cut or changed at every byte.

use super::*;

fn dcom_like() -> SecurityDescriptor {
    let ace = |mask, sid| AclEntry::Ace(Ace { kind: AceKind::Allow, flags: 0, mask, sid, extra: Vec::new() });
    SecurityDescriptor {
        resource_control: 0,
        control: 0x8004,
        owner: Some(Sid::builtin(544)),
        group: Some(Sid::builtin(544)),
        sacl: AclPart::Absent,
        dacl: AclPart::List(Acl {
            revision: 2,
            entries: vec![ace(7, Sid::new(1, &[0])), ace(3, Sid::new(5, &[7])), ace(0x1F, Sid::builtin(562))],
        }),
    }
}

#[test]
fn sid_text_goes_both_ways() {
    for text in ["S-1-5-32-544", "S-1-1-0", "S-1-5-21-4294967295-0-1-500", "S-1-0x010000000000-1", "S-1-5"] {
        let sid: Sid = text.parse().unwrap();
        assert_eq!(sid.to_string(), text);
        assert_eq!(Sid::read(&sid.to_bytes(), 0).unwrap(), sid);
        assert_eq!(sid.to_bytes().len(), sid.len());
    }
    for text in
        ["", "S-1", "S-2-5-1", "S-1-", "S-1-5-", "S-1-5-+1", "S-1-5--1", "S-1-5-4294967296", "S-1-0x1000000000000"]
    {
        assert!(matches!(text.parse::<Sid>(), Err(SecurityError::SidText { .. })), "{text}");
    }
    let long = format!("S-1-5{}", "-1".repeat(16));
    assert!(long.parse::<Sid>().is_err());
    assert_eq!(Sid::builtin(578).well_known_name(), Some("BUILTIN\\Hyper-V Administrators"));
    assert_eq!(Sid::builtin(544).rid(), Some(544));
}

#[test]
fn descriptor_goes_both_ways_and_reads_as_sddl() {
    let descriptor = dcom_like();
    let bytes = descriptor.to_bytes().unwrap();
    assert_eq!(SecurityDescriptor::parse(&bytes).unwrap(), descriptor);
    assert_eq!(descriptor.to_sddl(), "O:BAG:BAD:(A;;CCDCLC;;;WD)(A;;CCDC;;;AN)(A;;CCDCLCSWRP;;;S-1-5-32-562)");
}

#[test]
fn null_and_absent_lists_are_different() {
    let mut descriptor = dcom_like();
    descriptor.dacl = AclPart::Null;
    descriptor.sacl = AclPart::List(Acl {
        revision: 4,
        entries: vec![
            AclEntry::Ace(Ace {
                kind: AceKind::Audit,
                flags: 0xC2,
                mask: 0x200,
                sid: Sid::new(5, &[18]),
                extra: vec![1],
            }),
            AclEntry::Unknown { kind: 5, flags: 0, body: vec![1, 2, 3, 4] },
        ],
    });
    descriptor.control |= 0x1010;
    let read = SecurityDescriptor::parse(&descriptor.to_bytes().unwrap()).unwrap();
    assert_eq!(read, descriptor);
    assert_eq!(read.to_sddl(), "O:BAG:BAD:PNO_ACCESS_CONTROLS:(AU;CISAFA;0x200;;;SY;?)(?;0x05;0x00;4 bytes)");
    descriptor.dacl = AclPart::Absent;
    assert_eq!(SecurityDescriptor::parse(&descriptor.to_bytes().unwrap()).unwrap().dacl, AclPart::Absent);
    assert_eq!(descriptor.dacl_aces().count(), 0);
}

#[test]
fn cut_and_flipped_descriptors_never_panic() {
    let bytes = dcom_like().to_bytes().unwrap();
    for len in 0..bytes.len() {
        assert!(SecurityDescriptor::parse(&bytes[..len]).is_err(), "cut at {len}");
    }
    let mut refused = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            match SecurityDescriptor::parse(&broken) {
                Ok(read) => assert_eq!(SecurityDescriptor::parse(&read.to_bytes().unwrap()).unwrap().dacl, read.dacl),
                Err(e) => refused += usize::from(!e.to_string().is_empty()),
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn errors_name_the_place() {
    let mut bytes = dcom_like().to_bytes().unwrap();
    bytes[20 + 8 + 8] = 2;
    let error = SecurityDescriptor::parse(&bytes).unwrap_err();
    assert_eq!(error, SecurityError::Revision { what: "The SID", offset: 36, expected: "1", found: 2 });
    bytes[3] = 0;
    assert_eq!(SecurityDescriptor::parse(&bytes).unwrap_err(), SecurityError::NotSelfRelative { found: 4 });
}

#[test]
fn too_long_lists_are_refused() {
    let mut descriptor = dcom_like();
    let AclPart::List(acl) = &mut descriptor.dacl else { panic!() };
    acl.entries = acl.entries.iter().cycle().take(4000).cloned().collect();
    assert!(matches!(descriptor.to_bytes(), Err(SecurityError::TooLarge { .. })));
}
