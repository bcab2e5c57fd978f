//! The real configuration file: byte-faithful round trip, damage of every kind.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;

use hvm_formats::vmxml::{Document, Node};
use hvm_testkit::vmxml::MachineXml;

const SAMPLE: &str = "vm-config/D351C151-DAC7-4042-B434-B72D522C1E4A.xml";

fn sample() -> Option<Vec<u8>> {
    config_samples::read(SAMPLE)
}

#[test]
fn sample_survives_byte_for_byte() {
    let Some(bytes) = sample() else { return };
    let document = Document::parse(&bytes, "sample.xml").unwrap();
    assert!(document.to_bytes() == bytes);
    assert!(document.remarks().is_empty(), "{:?}", document.remarks());
    assert_eq!(document.str("/configuration/properties/name").unwrap(), Some("Default Generation 2"));
    assert_eq!(document.i64("/configuration/properties/version").unwrap(), Some(0x0500));
    assert_eq!(document.leaves().count(), 247);
}

/// The same tree, made anew.
fn rebuild(node: &Node) -> Node {
    match node.value() {
        Some(value) => Node::leaf(node.name(), value.kind.clone(), value.text.clone()).unwrap(),
        None => {
            // Inserted from the greatest name down so that only the ordinal order can bring them back.
            let mut children: Vec<_> = node.children().iter().collect();
            children.sort_by(|a, b| b.name().cmp(a.name()));
            children.iter().fold(Node::container(node.name()).unwrap(), |n, child| n.with(rebuild(child)))
        }
    }
}

/// Building the same tree anew must give the same bytes: the writer spells like Hyper-V.
#[test]
fn sample_built_anew_is_the_same() {
    let Some(bytes) = sample() else { return };
    let document = Document::parse(&bytes, "sample.xml").unwrap();
    assert!(Document::new("new.xml", rebuild(document.root())).to_bytes() == bytes);
}

#[test]
fn flipped_and_cut_samples_never_panic_and_stay_faithful() {
    let Some(bytes) = sample() else { return };
    let mut read = 0;
    for at in (0..bytes.len()).step_by(47) {
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (at % 8);
        if let Ok(document) = Document::parse(&broken, "broken.xml") {
            assert!(document.to_bytes() == broken, "flip at {at}");
            read += 1;
        }
        if at % 5 == 0 {
            assert!(Document::parse(&bytes[..at], "cut.xml").is_err(), "cut at {at}");
        }
    }
    assert!(read > 100);
}

/// Files of the test kit, whose writer is another one.
#[test]
fn built_machine_survives_byte_for_byte() {
    let id = "0F0E0D0C-0B0A-0908-0706-050403020100";
    let mut tree = MachineXml::new(id, "Müller & Söhne <\"1\">").to_node();
    tree.push(hvm_testkit::vmxml::Node::new("extra").with(hvm_testkit::vmxml::Node::bytes("blob", &[9; 1000])));
    let bytes = tree.to_utf16();
    let document = Document::parse(&bytes, "built.xml").unwrap();
    assert!(document.to_bytes() == bytes);
    assert_eq!(document.str("/configuration/properties/name").unwrap(), Some("Müller & Söhne <\"1\">"));
    assert_eq!(document.bytes("/configuration/extra/blob").unwrap().unwrap(), vec![9; 1000]);
    assert!(Document::new("new.xml", rebuild(document.root())).to_bytes() == bytes);
}
