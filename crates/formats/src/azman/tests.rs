//! Stores as [MS-AZMP] describes them: untouched, changed, odd, broken.

use hvm_testkit::busy::busy;

use super::*;
use crate::security::Sid;

const DEFAULT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<AzAdminManager MajorVersion="1" MinorVersion="0" Guid="g0" Description="">
	<AzApplication Guid="g1" Name="Hyper-V services" Description="" ApplicationVersion="">
		<AzOperation Guid="g2" Name="Read Service Configuration" Description="Reads"><OperationID>100</OperationID></AzOperation>
		<AzTask Guid="{G3}" Name="Administrator" Description="" BizRuleImportedPath="" RoleDefinition="True">
			<OperationLink>g2</OperationLink>
		</AzTask>
		<AzRole Guid="g4" Name="Administrator" Description=""><TaskLink>g3</TaskLink><Member>S-1-5-32-544</Member></AzRole>
	</AzApplication>
</AzAdminManager>
"#;

fn parse(text: &str) -> Store {
    Store::parse(text.as_bytes(), "InitialStore.xml").unwrap()
}

#[test]
fn default_store_is_default() {
    let store = parse(DEFAULT);
    assert_eq!(store.customisations(), [] as [String; 0]);
    assert!(store.is_default());
    assert_eq!(store.to_bytes(), DEFAULT.as_bytes());
    let assignments = store.assignments();
    assert_eq!(assignments.len(), 1);
    assert_eq!((assignments[0].role, assignments[0].scope), ("Administrator", None));
    assert_eq!(
        (assignments[0].members, &assignments[0].definitions[..]),
        (&[Sid::builtin(544)][..], &["Administrator"][..])
    );
    assert_eq!(store.applications[0].operations[0].id, Some(100));
    assert!(store.applications[0].tasks[0].is_role_definition);
    let utf16: Vec<u8> = [0xFEFF].into_iter().chain(DEFAULT.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wide = Store::parse(&utf16, "InitialStore.xml").unwrap();
    assert_eq!((wide.applications == store.applications, wide.to_bytes() == utf16), (true, true));
}

#[test]
fn every_change_is_named() {
    let member =
        DEFAULT.replace("</Member>", "</Member><Member>S-1-5-21-1-2-3-1001</Member><Member>CORP\\bob</Member>");
    let found = parse(&member).customisations();
    assert_eq!(found[0], "S-1-5-21-1-2-3-1001 is a member of the role 'Administrator'.");
    assert_eq!(found[1], "'CORP\\bob', which is no SID, is a member of the role 'Administrator'.");
    let gone = parse(&DEFAULT.replace("<Member>S-1-5-32-544</Member>", "")).customisations();
    assert_eq!(gone, ["S-1-5-32-544 is not a member of the role 'Administrator'."]);
    let renamed =
        parse(&DEFAULT.replace("Guid=\"g4\" Name=\"Administrator\"", "Guid=\"g4\" Name=\"Ops\"")).customisations();
    assert!(renamed.iter().any(|s| s == "The role assignment 'Administrator' is missing."), "{renamed:?}");
    assert!(!parse("<AzAdminManager MajorVersion=\"1\"/>").is_default());
}

#[test]
fn scopes_and_groups_are_listed() {
    let scope = r#"<AzScope Guid="s" Name="01_Scope" Description=""><AzTask Guid="t" Name="Viewer" RoleDefinition="True"/>
        <AzApplicationGroup Guid="p" Name="Night shift" GroupType="Basic"><Member>S-1-5-32-545</Member>
        <NonMember>S-1-5-7</NonMember></AzApplicationGroup>
        <AzRole Guid="r" Name="View" Description=""><TaskLink>T</TaskLink><AppMemberLink>{P}</AppMemberLink>
        <AppMemberLink>q</AppMemberLink></AzRole></AzScope></AzApplication>"#;
    let store = parse(&DEFAULT.replace("</AzApplication>", scope));
    let assignments = store.assignments();
    assert_eq!((assignments[1].scope, assignments[1].role), (Some("01_Scope"), "View"));
    assert_eq!(
        (&assignments[1].groups[..], &assignments[1].definitions[..]),
        (&["Night shift", "q"][..], &["Viewer"][..])
    );
    let group = &store.applications[0].scopes[0].groups[0];
    assert_eq!((&group.members[..], &group.non_members[..]), (&[Sid::builtin(545)][..], &[Sid::new(5, &[7])][..]));
    let found = store.customisations();
    assert!(found.contains(&"The application 'Hyper-V services' has the scope '01_Scope'.".to_owned()), "{found:?}");
    assert!(found.contains(&"The group 'Night shift' is a member of the role 'View' in scope '01_Scope'.".to_owned()));
}

#[test]
fn unknown_things_are_listed_and_kept() {
    let odd = DEFAULT
        .replace("ApplicationVersion=\"\"", "ApplicationVersion=\"\" Tenant=\"x\"")
        .replace("<OperationID>100</OperationID>", "<OperationID>many</OperationID><Cost>1</Cost>");
    let store = parse(&odd);
    assert_eq!(
        store.unknown,
        [
            "Line 3: element 'AzApplication' has the unknown attribute 'Tenant' = 'x'.",
            "Line 4: the operation id 'many' is no number.",
            "Line 4: element 'Cost' in 'AzOperation' is unknown.",
        ]
    );
    assert_eq!(store.to_bytes(), odd.as_bytes());
    assert!(!store.is_default());
}

#[test]
fn broken_stores_are_refused_or_read() {
    assert!(matches!(Store::parse(b"<configuration/>", "x.xml"), Err(AzManError::Root { .. })));
    assert!(matches!(Store::parse(b"", "x.xml"), Err(AzManError::Xml(_))));
    let bytes = DEFAULT.as_bytes();
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut broken = bytes.to_vec();
        broken[at] ^= 1 << (at % 8);
        match Store::parse(&broken, "x.xml") {
            Ok(store) => assert_eq!(store.to_bytes(), broken),
            Err(_) => refused += 1,
        }
        assert!(at > bytes.len() - 2 || Store::parse(&bytes[..at], "x.xml").is_err(), "cut at {at}");
    }
    assert!(refused > 300, "{refused}");
}

#[test]
fn many_links_to_many_groups_are_resolved_soon() {
    let groups: String = (0..3000).map(|n| format!("<AzApplicationGroup Guid=\"{{g{n}}}\" Name=\"n{n}\"/>")).collect();
    let links: String = (0..3000).map(|_| "<AppMemberLink>G2999</AppMemberLink>").collect();
    let text = format!(
        "<AzAdminManager>{groups}<AzApplication><AzRole Name=\"r\">{links}</AzRole></AzApplication></AzAdminManager>"
    );
    let (store, begun) = (parse(&text), busy());
    assert_eq!(store.assignments()[0].groups, vec!["n2999"; 3000]);
    let needed = busy() - begun;
    assert!(needed.as_secs() < 5, "{needed:?}");
}
