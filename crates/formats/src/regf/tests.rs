//! Logs of the new format and hives made to hurt; the rest is in `tests/config_regf.rs`.

use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};

use super::base::checksum;
use super::marvin::marvin32;
use super::*;

const PAGE: usize = 4096;

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn seal(bytes: &mut [u8]) {
    let sum = checksum(&bytes[..512]);
    put(bytes, 508, sum);
}

fn tree(number: u32, keys: u32) -> HiveKey {
    let mut root = HiveKey::new("ROOT");
    root.at("A").set("n", HiveValue::Dword(number));
    for i in 0..keys {
        root.at(&format!("K{i}")).set("v", HiveValue::Binary(vec![i as u8; 300]));
    }
    root
}

fn stamped(root: &HiveKey) -> Vec<u8> {
    hive_bytes(root, &HiveStamp { sequence: 9, ..HiveStamp::default() })
}

/// One entry that turns `old` into `new`.
fn entry(old: &[u8], new: &[u8], sequence: u32) -> Vec<u8> {
    let same = |at: &usize| old.get(*at..at + PAGE) != new.get(*at..at + PAGE);
    let pages: Vec<usize> = (PAGE..new.len()).step_by(PAGE).filter(same).collect();
    let mut bytes = b"HvLE".to_vec();
    bytes.resize(40, 0);
    for at in &pages {
        bytes.extend(((at - PAGE) as u32).to_le_bytes());
        bytes.extend((PAGE as u32).to_le_bytes());
    }
    pages.iter().for_each(|at| bytes.extend(&new[*at..at + PAGE]));
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let size = bytes.len() as u32;
    put(&mut bytes, 4, size);
    put(&mut bytes, 12, sequence);
    put(&mut bytes, 16, (new.len() - PAGE) as u32);
    put(&mut bytes, 20, pages.len() as u32);
    let hash = marvin32(&bytes[40..]).to_le_bytes();
    bytes[24..32].copy_from_slice(&hash);
    let hash = marvin32(&bytes[..32]).to_le_bytes();
    bytes[32..40].copy_from_slice(&hash);
    bytes
}

fn log(hive: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let mut head = hive[..512].to_vec();
    put(&mut head, 28, 6);
    seal(&mut head);
    [head, entries.concat()].concat()
}

/// Three states, the dirty primary with the first one, and one entry for each step.
struct Steps {
    primary: Vec<u8>,
    second: Vec<u8>,
    third: Vec<u8>,
    entries: [Vec<u8>; 2],
}

fn steps() -> Steps {
    let (first, second, third) = (stamped(&tree(1, 3)), stamped(&tree(2, 3)), stamped(&tree(3, 60)));
    let entries = [entry(&first, &second, 10), entry(&second, &third, 11)];
    let mut primary = first;
    put(&mut primary, 4, 10);
    seal(&mut primary);
    Steps { primary, second, third, entries }
}

fn number(hive: &Hive) -> u32 {
    hive.value("A", "n").unwrap().unwrap().as_dword().unwrap()
}

#[test]
fn new_logs_are_replayed_in_the_order_of_their_numbers() {
    let Steps { primary, second, third, entries: [one, two] } = steps();
    let (log1, log2) = (log(&primary, std::slice::from_ref(&two)), log(&primary, std::slice::from_ref(&one)));
    let hive = Hive::open(primary.clone(), &[("LOG1", &log1), ("LOG2", &log2)], "SYSTEM").unwrap();
    let HiveState::Replayed { logs, pages } = hive.state() else { panic!("{:?}", hive.remarks()) };
    assert_eq!((&logs[..], *pages > 3), (&["LOG2".to_owned(), "LOG1".to_owned()][..], true));
    assert_eq!((number(&hive), hive.root().subkeys().filter_map(Result::ok).count()), (3, 61));
    assert!(hive.bins() == &third[PAGE..]);
    let both = log(&primary, &[one.clone(), two]);
    assert_eq!(number(&Hive::open(primary.clone(), &[("LOG1", &both)], "SYSTEM").unwrap()), 3);
    let first_only = Hive::open(primary, &[("LOG1", &log2), ("LOG2", &log2)], "SYSTEM").unwrap();
    assert_eq!((number(&first_only), first_only.bins() == &second[PAGE..]), (2, true));
}

#[test]
fn new_log_of_a_torn_base_block_is_replayed() {
    let Steps { mut primary, entries, .. } = steps();
    let mut whole = log(&primary, &entries);
    put(&mut whole, 8, 10);
    seal(&mut whole);
    primary[..512].fill(0xEE);
    let hive = Hive::open(primary, &[("LOG1", &whole)], "SYSTEM").unwrap();
    assert_eq!(number(&hive), 3, "{:?}", hive.remarks());
}

#[test]
fn old_gapped_or_damaged_entries_are_not_used() {
    let Steps { primary, third, entries: [one, two], .. } = steps();
    let with = |entries: &[Vec<u8>]| {
        let bytes = log(&primary, entries);
        let hive = Hive::open(primary.clone(), &[("LOG1", &bytes)], "SYSTEM").unwrap();
        (number(&hive), hive.state().clone() == HiveState::Stale)
    };
    let old = entry(&primary, &third, 9);
    assert_eq!(with(std::slice::from_ref(&old)), (1, true));
    assert_eq!(with(&[]), (1, true));
    assert_eq!(with(&[old, one.clone(), two]), (3, false));
    let gap = entry(&primary, &third, 12);
    assert_eq!(with(&[one.clone(), gap]), (2, false));
    for at in (0..one.len()).step_by(101) {
        let mut broken = one.clone();
        broken[at] ^= 4;
        assert_eq!(with(&[broken]), (1, true), "flip at {at}");
    }
}

#[test]
fn log_cannot_make_the_hive_huge() {
    let Steps { primary, entries: [mut one, _], .. } = steps();
    put(&mut one, 16, 0x7FFF_F000);
    let hash = marvin32(&one[..32]).to_le_bytes();
    one[32..40].copy_from_slice(&hash);
    let bytes = log(&primary, &[one]);
    assert_eq!(Hive::open(primary.clone(), &[("LOG1", &bytes)], "x").unwrap().state(), &HiveState::Stale);
    let mut old = primary[..512].to_vec();
    put(&mut old, 28, 1);
    put(&mut old, 8, 10);
    put(&mut old, 40, 0x1000_0000);
    seal(&mut old);
    old.extend(b"DIRT");
    old.resize(512 + (4 + 0x1000_0000 / 4096_usize).next_multiple_of(512) + 512, 0);
    old[512 + 4 + 0x1000_0000 / 4096 - 1] = 0x80;
    let hive = Hive::open(primary, &[("LOG1", &old)], "x").unwrap();
    assert!(hive.remarks()[0].contains("of which most are missing"), "{:?}", hive.remarks());
}

/// `ROOT\A\B\C` as bytes, and the file offsets of the four keys.
fn chain() -> (Vec<u8>, [usize; 4]) {
    let mut root = HiveKey::new("ROOT");
    root.at(r"A\B\C").set("one", HiveValue::Dword(1));
    root.at(r"A\B\C").set("two", HiveValue::Dword(2));
    root.at("D");
    let bytes = stamped(&root);
    let hive = Hive::open(bytes.clone(), &[], "x").unwrap();
    let offsets = ["", "A", r"A\B", r"A\B\C"].map(|path| hive.key(path).unwrap().unwrap().offset() as usize);
    (bytes, offsets)
}

fn field(bytes: &[u8], key: usize, at: usize) -> u32 {
    super::base::u32_at(bytes, key + 4 + at).unwrap()
}

fn open(bytes: &[u8]) -> Hive {
    Hive::open(bytes, &[], "x").unwrap()
}

#[test]
fn circles_of_keys_end() {
    let (bytes, [root, _, b, c]) = chain();
    // B lists what the root lists.
    let mut shared = bytes.clone();
    put(&mut shared, b + 4 + 28, field(&bytes, root, 28));
    put(&mut shared, b + 4 + 20, 2);
    let hive = open(&shared);
    let key = hive.key(r"A\B").unwrap().unwrap();
    assert!(key.subkeys().all(|k| matches!(k, Err(RegfError::Parent { .. }))));
    assert!(matches!(hive.key(r"A\B\A"), Err(RegfError::Parent { .. })));
    // C lists B's list, in which C is; then the root is made a child of B.
    let mut own = bytes.clone();
    put(&mut own, c + 4 + 28, field(&bytes, b, 28));
    put(&mut own, c + 4 + 20, 1);
    assert!(matches!(open(&own).key(r"A\B\C\C"), Err(RegfError::Parent { .. })));
    let mut above = bytes.clone();
    put(&mut above, field(&bytes, b, 28) as usize + PAGE + 4 + 4, (root - PAGE) as u32);
    put(&mut above, root + 4 + 16, (b - PAGE) as u32);
    assert!(matches!(open(&above).key(r"A\B\C"), Err(RegfError::Parent { .. })));
}

#[test]
fn lists_that_repeat_or_lie_are_refused() {
    let (bytes, [root, _, b, c]) = chain();
    let list = field(&bytes, root, 28) as usize + PAGE + 4;
    let mut twice = bytes.clone();
    let first = bytes[list + 4..list + 8].to_vec();
    twice[list + 12..list + 16].copy_from_slice(&first);
    let errors: Vec<_> = open(&twice).root().subkeys().filter_map(Result::err).collect();
    assert!(matches!(errors[..], [RegfError::Repeated { .. }]), "{errors:?}");
    let mut more = bytes.clone();
    put(&mut more, root + 4 + 20, u32::MAX);
    let errors: Vec<_> = open(&more).root().subkeys().filter_map(Result::err).collect();
    assert!(matches!(errors[..], [RegfError::SubkeyCount { .. }]), "{errors:?}");
    let mut fewer = bytes.clone();
    put(&mut fewer, root + 4 + 20, 1);
    let hive = open(&fewer);
    assert_eq!(hive.root().subkeys().filter(Result::is_err).count(), 1);
    assert!(hive.key("A").unwrap().is_some());
    let values = field(&bytes, c, 40) as usize + PAGE + 4;
    let mut same = bytes.clone();
    let first = bytes[values..values + 4].to_vec();
    same[values + 4..values + 8].copy_from_slice(&first);
    assert!(matches!(open(&same).value(r"A\B\C", "one"), Err(RegfError::Repeated { .. })));
    let mut many = bytes.clone();
    put(&mut many, c + 4 + 36, u32::MAX);
    assert!(matches!(open(&many).value(r"A\B\C", "one"), Err(RegfError::CellShort { .. })));
    let mut gone = bytes.clone();
    put(&mut gone, b + 4 + 28, u32::MAX);
    assert!(matches!(open(&gone).key(r"A\B\C"), Err(RegfError::SubkeyCount { .. })));
}

#[test]
fn deep_keys_end_at_the_limit() {
    let mut root = HiveKey::new("ROOT");
    root.at(&vec!["k"; MAX_DEPTH + 1].join("\\"));
    let hive = open(&stamped(&root));
    assert!(hive.key(&vec!["k"; MAX_DEPTH].join("\\")).unwrap().is_some());
    assert!(matches!(hive.key(&vec!["k"; MAX_DEPTH + 1].join("\\")), Err(RegfError::TooDeep { .. })));
}

#[test]
fn values_cannot_claim_more_than_there_is() {
    let mut root = HiveKey::new("ROOT");
    root.at("A").set("big", HiveValue::Binary(vec![7; 60_000]));
    let bytes = stamped(&root);
    let value = open(&bytes).value("A", "big").unwrap().unwrap().offset().unwrap() as usize + 4;
    let with = |at: usize, number: u32| {
        let mut bytes = bytes.clone();
        put(&mut bytes, value + at, number);
        open(&bytes).value("A", "big").map(|v| v.unwrap().data().len())
    };
    assert_eq!(with(4, 50_000), Ok(50_000));
    assert!(matches!(with(4, 0x7FFF_FFFF), Err(RegfError::DataSize { .. })));
    assert!(matches!(with(4, 66_000), Err(RegfError::DataSize { .. })));
    assert!(matches!(with(4, 0x8000_0005), Err(RegfError::DataSize { found: 5, .. })));
    assert!(matches!(with(8, 0xFFFF_FFF0), Err(RegfError::PastEnd { .. })));
    assert!(matches!(with(8, 3), Err(RegfError::CellSize { .. } | RegfError::FreeCell { .. })));
    assert!(matches!(with(0, 0xFFFF_6B76), Err(RegfError::CellShort { .. })));
}

#[test]
fn a_value_that_lies_in_no_file_is_read_like_one_of_a_hive() {
    let text: Vec<u8> = "Ü1\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let value = |kind, data: &[u8]| RegValue::of(("the registry of hv1", r"\SYSTEM\A"), "x", kind, data.to_vec());
    assert_eq!(value(RegValueKind::Sz, &text).as_string().unwrap(), "Ü1");
    assert_eq!(value(RegValueKind::Dword, &[7, 0, 0, 0]).as_dword().unwrap(), 7);
    let error = value(RegValueKind::Dword, &[7, 0]).as_dword().unwrap_err().to_string();
    let expected = r"'the registry of hv1', \SYSTEM\A, value 'x': expected a number of 4 bytes (REG_DWORD), found REG_DWORD of 2 bytes.";
    assert_eq!(error, expected);
}
