//! The real configuration file: byte-faithful round trip, damage of every kind.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use hvm_formats::vmxml::{Document, Node};

const SAMPLE: &str = "vm-config/D351C151-DAC7-4042-B434-B72D522C1E4A.xml";

fn sample() -> Option<Vec<u8>> {
    let samples = std::env::var_os("HVM_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"), PathBuf::from);
    match std::fs::read(samples.join(SAMPLE)) {
        Ok(bytes) => Some(bytes),
        Err(e) => {
            eprintln!("SKIPPED: {}: {e}", samples.join(SAMPLE).display());
            None
        }
    }
}

#[test]
fn sample_survives_byte_for_byte() {
    let Some(bytes) = sample() else { return };
    let document = Document::parse(&bytes, "sample.xml").unwrap();
    assert!(document.to_bytes() == bytes);
    assert!(document.remarks().is_empty(), "{:?}", document.remarks());
    assert_eq!(document.str("/configuration/properties/name").unwrap(), Some("Default Generation 2"));
    assert_eq!(document.i64("/configuration/properties/version").unwrap(), Some(0x0500));
    assert!(document.leaves().count() > 200);
}

/// Building the same tree anew must give the same bytes: the writer spells like Hyper-V.
#[test]
fn sample_built_anew_is_the_same() {
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
