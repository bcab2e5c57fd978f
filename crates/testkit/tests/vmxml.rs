//! The writer's bytes follow the rules that were read off real files.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::vmxml::{MachineXml, Node};

fn decode(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}

#[test]
fn a_small_tree_has_exactly_these_bytes() {
    let node = Node::new("configuration")
        .with(Node::text("b", "x & <y> \"z\""))
        .with(Node::text("a", ""))
        .with(Node::boolean("B", true))
        .with(Node::new("_g_").with(Node::bytes("d", &[0xAB; 50])))
        .with(Node::integer("c", -5));
    let expected = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\r\n\
        <configuration>\r\n  <B type=\"bool\">True</B>\r\n  <_g_>\r\n    \
        <d type=\"bytes\">q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6ur\r\nq6s=\r\n</d>\r\n  </_g_>\r\n  \
        <a type=\"string\"></a>\r\n  <b type=\"string\">x &amp; &lt;y&gt; \"z\"</b>\r\n  \
        <c type=\"integer\">-5</c>\r\n</configuration>";
    assert_eq!(decode(&node.to_utf16()), expected);
}

#[test]
fn a_machine_has_a_dense_manifest_and_sorted_sections() {
    let text = decode(&MachineXml::new("8B1A1A60-0000-4000-8000-000000000001", "Bäcker & Söhne").to_bytes());
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("  <_") && line.ends_with("_>")).collect();
    let mut sorted = sections.clone();
    sorted.sort_unstable();
    assert_eq!(sections, sorted);
    assert_eq!(text.matches("<vdev0").count(), sections.len());
    assert!(text.contains(&format!("<size type=\"integer\">{}</size>", sections.len())));
    assert!(text.contains("<name type=\"string\">Bäcker &amp; Söhne</name>"));
}
