//! HyperVStorage files: what the testkit writes is read as it was meant, every kind of damage is noticed, and real files are read as
//! dissect.hypervisor reads them.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;
mod peers_support;

use hvm_formats::hvs::{HvsError, HvsFile, Wanted};
use hvm_formats::io::MemoryFile;
use hvm_formats::vmxml::{Content, Document, Node, Position, ValueKind};
use hvm_testkit::bytes::base64;
use hvm_testkit::hvs::{HvsSpec, Key, Value, leave_dirty};
use hvm_testkit::vmxml::MachineXml;
use proptest::prelude::*;

const VMCX: &str = "vm-config/EC04F346-DB96-4700-AF5B-77B3C56C38BD.vmcx";
const DATA: &str = "vm-config/data.vmcx";
const ID: &str = "0F0E0D0C-0B0A-0908-0706-050403020100";

fn open(bytes: &[u8]) -> Result<HvsFile, HvsError> {
    HvsFile::open(&MemoryFile::new("a.vmcx", bytes), Wanted::Everything)
}

/// The tree as the reader gives it, in plain words.
fn shown(node: &Node) -> Key {
    let value = match node.content() {
        Content::Children(children) => Value::Node(children.iter().map(shown).collect()),
        Content::Value(value) => match &value.kind {
            ValueKind::Integer => Value::Int(value.as_i64().unwrap()),
            ValueKind::Bool => Value::Flag(value.as_bool().unwrap()),
            ValueKind::String => Value::Text(value.text.clone()),
            ValueKind::Bytes => Value::Bytes(value.as_bytes().unwrap()),
            ValueKind::Other(kind) if kind == "unsigned" => Value::Uint(value.text.parse().unwrap()),
            ValueKind::Other(kind) if kind == "double" => Value::Double(value.text.parse().unwrap()),
            ValueKind::Other(kind) => panic!("{kind}"),
        },
    };
    Key::new(node.name(), value)
}

fn read(bytes: &[u8]) -> Vec<Key> {
    open(bytes).unwrap_or_else(|error| panic!("{error}")).roots().iter().map(shown).collect()
}

/// A tree with every type, values outside of the tables, equal names, and more than one table.
fn sample() -> Vec<Key> {
    let list = (0..60).fold(Key::node("list"), |list, number| list.with(Key::text("Id", &format!("Nr. {number} – ü"))));
    let all = Key::node("configuration")
        .with(Key::new("int", Value::Int(i64::MIN)))
        .with(Key::new("uint", Value::Uint(u64::MAX)))
        .with(Key::new("double", Value::Double(-0.125)))
        .with(Key::new("on", Value::Flag(true)))
        .with(Key::new("off", Value::Flag(false)))
        .with(Key::text("empty", ""))
        .with(Key::new("nothing", Value::Bytes(Vec::new())))
        .with(Key::new("inside", Value::Bytes(vec![7; 2047])))
        .with(Key::new("outside", Value::Bytes((0..=255).cycle().take(5000).collect())))
        .with(Key::text("long", &"ä".repeat(1024)))
        .with(Key::node("_8BE4DF61-93CA-11D2-AA0D-00E098032B8CBoot0000"))
        .with(list);
    vec![all, Key::text("second", "top")]
}

#[test]
fn a_machine_is_read_as_the_same_machine_in_xml() {
    let tree = MachineXml::new(ID, "Müller & Söhne <\"1\">").to_node();
    let document = Document::parse(&tree.to_utf16(), "a.xml").unwrap();
    let bytes = HvsSpec::default().write(&[Key::of_xml(&tree)]);
    let found = open(&bytes).unwrap().into_document("configuration").unwrap();
    // XML has its siblings in the order of their names, this format in that of their insertion.
    let leaves = |document: &Document| {
        let mut all: Vec<_> = document
            .leaves()
            .map(|(path, _, value)| (path, value.kind.clone(), value.text.replace('\n', "")))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    };
    assert!(leaves(&document).len() > 100);
    assert_eq!(leaves(&found), leaves(&document));
    assert_eq!(found.str("/configuration/properties/name").unwrap(), Some("Müller & Söhne <\"1\">"));
    let place = found.place("/configuration/properties/name");
    assert!(place.contains("(byte offset "), "{place}");
}

#[test]
fn every_way_to_lay_a_tree_out_gives_the_tree() {
    let tree = sample();
    for objects in [2, 3, 8, 227] {
        for (stale, second) in [(false, false), (true, true)] {
            for slack in [0, 12] {
                let spec = HvsSpec { objects, stale, second, slack, ..HvsSpec::default() };
                let (bytes, places) = spec.write_with_places(&tree);
                assert!(places.tables.len() > 1 && (objects > 3 || places.objects.len() > 1), "{spec:?}");
                assert_eq!(read(&bytes), tree, "{spec:?}");
            }
        }
    }
}

#[test]
fn only_the_top_is_read_where_only_the_top_is_wanted() {
    let file = MemoryFile::new("a.vmrs", HvsSpec::default().write(&sample()).as_slice());
    let top = HvsFile::open(&file, Wanted::Top).unwrap();
    assert_eq!(top.roots().iter().map(Node::name).collect::<Vec<_>>(), ["configuration", "second"]);
    assert!(top.root("configuration").unwrap().children().is_empty() && top.root("savedstate").is_none());
    assert!(matches!(top.roots()[1].position(), Position::Offset(_)));
}

/// Each part of a commit that was not finished lies in the log: key tables, an entry of the object table, what was to be appended.
#[test]
fn a_log_that_was_not_applied_is_applied_in_memory() {
    let tree = sample();
    let (good, places) = HvsSpec::default().write_with_places(&tree);
    let last = good.len() - 4096;
    let parts = [(places.tables[0], 4096), (places.tables[1] + 100, 1000), (places.objects[0] + 8, 18), (last, 4096)];
    for count in 1..=parts.len() {
        let mut dirty = good.clone();
        leave_dirty(&mut dirty, &places, &parts[..count]);
        let before = dirty.clone();
        let file = open(&dirty).unwrap_or_else(|error| panic!("{count}: {error}"));
        assert_eq!(file.replayed(), count);
        assert!(file.remarks().iter().any(|remark| remark.contains("replay log")), "{:?}", file.remarks());
        assert_eq!(file.roots().iter().map(shown).collect::<Vec<_>>(), tree);
        assert!(dirty == before);
        // Without the log the same file cannot be read.
        dirty[places.log + 8..places.log + 12].fill(0);
        let sum = hvm_testkit::hvs::crc32(
            &[&dirty[places.log..places.log + 4], &[0; 4], &dirty[places.log + 8..places.log + 34]].concat(),
        );
        dirty[places.log + 4..places.log + 8].copy_from_slice(&sum.to_le_bytes());
        assert!(open(&dirty).is_err(), "{count}");
    }
    // A later entry counts: the second one holds what the first had spoilt.
    let mut dirty = good.clone();
    leave_dirty(&mut dirty, &places, &[(places.tables[0], 4096), (places.tables[0] + 100, 50)]);
    assert!(matches!(open(&dirty), Err(HvsError::Checksum { .. })));
}

#[test]
fn each_flipped_byte_is_noticed_or_means_nothing() {
    let tree = vec![sample().remove(0), Key::node("end")];
    let spec = HvsSpec { stale: true, log: 0x2000, objects: 30, ..HvsSpec::default() };
    let (good, places) = spec.write_with_places(&tree);
    let mut dirty = good.clone();
    leave_dirty(&mut dirty, &places, &[(places.tables[0], 2000), (places.objects[0] + 8, 90)]);
    // Values outside of tables carry no checksum in this format; they are the three pages at the end.
    let values = |at: usize| at >= good.len() - 3 * 4096;
    assert!(places.tables.iter().all(|table| !values(*table)));
    let (mut noticed, mut idle) = (0, 0);
    for file in [&good, &dirty] {
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= [0x01, 0x80, 0xFF][at % 3];
            match open(&flipped) {
                Err(error) => {
                    assert!(error.to_string().ends_with('.') && error.to_string().contains("'a.vmcx'"), "{error}");
                    noticed += 1;
                }
                Ok(_) if values(at) => {}
                Ok(found) => {
                    assert_eq!(found.roots().iter().map(shown).collect::<Vec<_>>(), tree, "byte {at}");
                    idle += 1;
                }
            }
        }
    }
    assert!(noticed > 5000 && idle > 5000, "{noticed} {idle}");
}

#[test]
fn each_cut_file_is_an_error() {
    let bytes = HvsSpec { log: 0x1000, ..HvsSpec::default() }.write(&sample());
    let whole = bytes.len() - 4096 + 5000 % 4096;
    for len in (0..whole).step_by(61) {
        let error = open(&bytes[..len]).map(|_| ()).unwrap_err();
        assert!(matches!(error, HvsError::PastEnd { .. }), "{len}: {error}");
    }
}

/// Changes a field and writes the checksum of its structure anew.
fn sealed(bytes: &[u8], (start, len, sum): (usize, usize, usize), at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes[start + sum..start + sum + 4].fill(0);
    let new = hvm_testkit::hvs::crc32(&bytes[start..start + len]);
    bytes[start + sum..start + sum + 4].copy_from_slice(&new.to_le_bytes());
    bytes
}

#[test]
fn what_checksums_do_not_tell_is_noticed_too() {
    let tree = vec![Key::node("configuration").with(Key::node("a").with(Key::text("b", "text")))];
    let (good, places) = HvsSpec::default().write_with_places(&tree);
    let table = places.tables[0];
    let sums = |at: usize| *places.sums.iter().find(|(start, ..)| *start == at).unwrap();
    let (first, second) = (table + 10, table + 10 + 59);
    assert_eq!(&good[second + 21..second + 22], b"a");
    let third = second + 21 + 2 + 12 + 12;
    let log = sums(places.log);
    for (what, bytes, expected) in [
        (
            "circle",
            sealed(&sealed(&good, sums(first), first + 6, &[1, 0]), sums(first), first + 8, &[69]),
            "below itself",
        ),
        ("orphan", sealed(&good, sums(third), third + 8, &[99]), "where none is"),
        ("root", sealed(&good, sums(first), first + 8, &[1]), "where none is"),
        ("type", sealed(&good, sums(third), third, &[2]), "the type of a key is 2"),
        ("name", sealed(&good, sums(third), third + 22, b"x"), "without the zero"),
        ("slash", sealed(&good, sums(third), third + 21, b"/"), "slash"),
        ("utf", sealed(&good, sums(third), third + 21, &[0xFF]), "no UTF-8"),
        ("surrogate", sealed(&good, sums(third), third + 27, &[0, 0xD8]), "no UTF-16"),
        ("size", sealed(&good, sums(third), third + 2, &[5]), "the length of a key's entry is 5"),
        ("entries", sealed(&good, log, places.log + 8, &[200]), "the number of entries of the replay log is 200"),
        ("table", sealed(&good, sums(table), table, &[3]), "a key table was expected (0x2), found 0x3"),
        ("free", sealed(&good, (third, 21, 0), third + 4, &[0]), "length of a key's entry"),
    ] {
        let error = open(&bytes).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
    let mut hidden = good.clone();
    hidden[third] = 1;
    let error = open(&hidden).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the type of a key is 1; 6, by its checksum, was expected"), "{error}");
}

#[test]
fn files_of_other_kinds_and_versions_are_told_apart() {
    let good = HvsSpec::default().write(&sample());
    let other = vec![0x4D; 9000];
    let error = open(&other).map(|_| ()).unwrap_err();
    assert!(matches!(error, HvsError::NotHvs { found: 0x4D4D_4D4D, .. }), "{error}");
    let both = [(0, 46, 4), (4096, 46, 4)]
        .into_iter()
        .fold(good.clone(), |bytes, (start, len, sum)| sealed(&bytes, (start, len, sum), start + 10, &[1, 3]));
    let error = open(&both).map(|_| ()).unwrap_err();
    assert!(matches!(error, HvsError::Version { found: 0x0301, offset: 10, .. }), "{error}");
    // One whole header is enough, and the other is told.
    let mut half = good.clone();
    half[..46].fill(0);
    let file = open(&half).unwrap();
    assert!(file.remarks()[0].contains("One of the two headers is not used"), "{:?}", file.remarks());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| (1..depth).fold(Key::node("x"), |key, _| Key::node("x").with(key));
    let deepest = HvsSpec::default().write(&[nested(hvm_formats::hvs::MAX_DEPTH)]);
    assert_eq!(open(&deepest).unwrap().roots().len(), 1);
    let error = open(&HvsSpec::default().write(&[nested(hvm_formats::hvs::MAX_DEPTH + 1)])).map(|_| ()).unwrap_err();
    assert!(matches!(error, HvsError::Key { .. }) && error.to_string().contains("nested deeper than 64"), "{error}");
}

fn any_tree() -> impl Strategy<Value = Vec<Key>> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Uint),
        (-1.0e9..1.0e9f64).prop_map(Value::Double),
        any::<bool>().prop_map(Value::Flag),
        "[^\0]{0,40}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..3000).prop_map(Value::Bytes),
    ];
    let name = "[A-Za-z_][A-Za-z0-9_-]{0,60}";
    let leaf = (name, value).prop_map(|(name, value)| Key::new(&name, value));
    let node = leaf.prop_recursive(5, 60, 12, move |inner| {
        (name, proptest::collection::vec(inner, 0..12)).prop_map(|(name, keys)| Key::new(&name, Value::Node(keys)))
    });
    proptest::collection::vec(node, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_tree_survives_any_layout(
        tree in any_tree(),
        objects in 2u32..227,
        slack in 0usize..30,
        stale in any::<bool>(),
        second in any::<bool>(),
        sequence in 1u16..u16::MAX,
    ) {
        let spec = HvsSpec { objects, slack, stale, second, sequence, ..HvsSpec::default() };
        prop_assert_eq!(read(&spec.write(&tree)), tree);
    }
}

#[test]
fn real_files_are_read() {
    let (Some(machine), Some(host)) = (config_samples::read(VMCX), config_samples::read(DATA)) else { return };
    let file = open(&machine).unwrap();
    assert!(file.remarks().is_empty() && file.replayed() == 0, "{:?}", file.remarks());
    let document = file.into_document("configuration").unwrap();
    assert_eq!(document.str("/configuration/properties/name").unwrap(), Some("Default Generation 1"));
    assert_eq!(document.i64("/configuration/properties/version").unwrap(), Some(0x0900));
    assert_eq!(document.bytes("/configuration/properties/creation_time").unwrap().unwrap().len(), 8);
    assert_eq!(document.leaves().count(), 303);
    let document = open(&host).unwrap().into_document("Configurations").unwrap();
    assert_eq!(document.children("/Configurations/VirtualMachines").len(), 4);
    assert_eq!(document.i64("/Configurations/FormatVersion").unwrap(), Some(2));
}

/// Of the real files, whose free space is made of one byte and whose old log entries are still there.
#[test]
fn flipped_real_files_never_panic_and_never_read_wrong() {
    for bytes in [VMCX, DATA].into_iter().filter_map(config_samples::read) {
        let right = read(&bytes);
        for at in (0..bytes.len()).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            if let Ok(found) = open(&flipped) {
                assert_eq!(found.roots().iter().map(shown).collect::<Vec<_>>(), right, "byte {at}");
            }
        }
    }
}

/// The leaves as the peer prints them: path, a tab, type and value, those of one name behind each other.
fn printed(roots: &[Node]) -> Vec<String> {
    let mut lines = Vec::new();
    for root in roots {
        print(root, "", &mut lines);
    }
    lines.sort();
    lines
}

fn print(node: &Node, parent: &str, lines: &mut Vec<String>) {
    let path = format!("{parent}/{}", node.name());
    let Some(value) = node.value() else {
        node.children().iter().for_each(|child| print(child, &path, lines));
        return;
    };
    let text = match value.kind {
        ValueKind::Bytes => format!("bytes {}", base64(&value.as_bytes().unwrap())),
        ValueKind::String => format!("text {}", base64(value.text.as_bytes())),
        ValueKind::Bool => format!("bool {}", value.text),
        _ => format!("number {}", value.text),
    };
    lines.push(format!("{path}\t{text}"));
}

#[test]
fn files_are_read_as_dissect_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let tree = MachineXml::new(ID, "Größe").to_node();
    let spec = HvsSpec { stale: true, second: true, objects: 227, ..HvsSpec::default() };
    let mut files = vec![("made.vmcx", spec.write(&[Key::of_xml(&tree)]))];
    files.extend(config_samples::read(VMCX).map(|bytes| ("machine.vmcx", bytes)));
    files.extend(config_samples::read(DATA).map(|bytes| ("data.vmcx", bytes)));
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let Some(theirs) = peers_support::dissect_keys(&path) else { return };
        let mut theirs: Vec<String> = theirs.lines().map(str::to_owned).collect();
        theirs.sort();
        assert!(theirs.len() > 20, "{name}: {theirs:?}");
        assert_eq!(printed(open(&bytes).unwrap().roots()), theirs, "{name}");
    }
}
