//! Deterministic changes of small good files, a million of each format in the test command (`HVM_MUTATIONS` sets the
//! number; a quarter of it of HyperVStorage), and every byte of every structure flipped: no panic, no hang, no read outside the file, no other content where
//! a checksum covers it or where nothing that matters was touched.
#![allow(clippy::unwrap_used, missing_docs)]

mod oracles;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use hvm_formats::disk::open_with;
use hvm_formats::guestfs::HiveReading;
use hvm_formats::io::SharedFile;
use hvm_testkit::vhdx::Dice;
use oracles::subjects::{self, Patches, Seal, Subject};
use oracles::{Watched, any_disk, inside, options, small};

/// How many changes of each format.
fn rounds() -> u64 {
    std::env::var("HVM_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(4000)
}

/// What came of the changes.
#[derive(Default)]
struct Score {
    read: AtomicU64,
    refused: AtomicU64,
    idle: AtomicU64,
}

impl Score {
    fn add(&self, counter: impl Fn(&Score) -> &AtomicU64) {
        counter(self).fetch_add(1, Ordering::Relaxed);
    }

    /// Both answers must come often enough for the changes to mean something.
    fn report(&self, name: &str, rounds: u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (read, refused, idle) = (get(&self.read), get(&self.refused), get(&self.idle));
        println!("{name}: {rounds} changes, {read} read, {refused} refused, {idle} of what does not matter");
        assert_eq!(read + refused, rounds, "{name}");
        assert!(read > rounds / 50 && refused > rounds / 50, "{name}: {read} read, {refused} refused");
    }
}

/// Runs `each` for all numbers below `rounds` on two threads; a panic names the number.
fn run(name: &str, rounds: u64, each: impl Fn(u64) + Sync) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            let each = &each;
            scope.spawn(move || {
                for number in (half..rounds).step_by(2) {
                    if catch_unwind(AssertUnwindSafe(|| each(number))).is_err() {
                        panic!("{name}: change {number} fails, see above");
                    }
                }
            });
        }
    });
}

/// A quick look: open, the first extents, two pieces, which must be right if nothing that means anything was touched.
fn glance(subject: &Subject, file: &SharedFile, idle: bool) -> bool {
    let disk = match open_with(file.clone(), &subject.gate, &options(Some(subject.format))) {
        Ok(disk) => disk,
        Err(error) => {
            assert!(!idle, "{error}");
            return false;
        }
    };
    let mut at = 0;
    for _ in 0..8 {
        let Ok(extent) = disk.extent(at) else { break };
        assert!(extent.start == at && extent.len > 0 && extent.len <= disk.size() - at);
        at += extent.len;
    }
    let len = disk.size().min(8192);
    for start in [0, disk.size() - len] {
        let mut piece = vec![0; len as usize];
        let read = disk.read_at(start, &mut piece);
        assert!(!idle || (read.is_ok() && piece == subject.expected[start as usize..][..len as usize]), "at {start}");
    }
    true
}

fn disks(name: &str, subjects: &[Subject], rare: u64) {
    let score = Score::default();
    run(name, rounds(), |number| {
        let subject = &subjects[(number % subjects.len() as u64) as usize];
        let mut dice = Dice::new(number ^ 0x5EED_0000);
        let (patches, idle) = subject.mutate(&mut dice);
        let file: SharedFile = Watched::new(subject.name, subject.base.clone(), patches.clone(), subject.bound * 4);
        let read = if dice.below(rare) == 0 {
            let found = any_disk(&file, &subject.gate, subject.format);
            assert!(!idle || found.as_ref() == Some(&subject.expected), "{}: {}", subject.name, shown(&patches));
            found.is_some()
        } else {
            glance(subject, &file, idle)
        };
        if idle {
            score.add(|score| &score.idle);
        }
        score.add(|score| if read { &score.read } else { &score.refused });
    });
    score.report(name, rounds());
}

fn shown(patches: &Patches) -> String {
    patches.iter().map(|(at, bytes)| format!("{at}: {bytes:02x?} ")).collect()
}

#[test]
fn changed_vhds_never_panic_and_never_read_wrong() {
    disks("VHD", &subjects::vhd(), 2);
}

#[test]
fn changed_vhdxs_never_panic_and_never_read_wrong() {
    disks("VHDX", &subjects::vhdx(), 40);
}

#[test]
fn changed_qcow2s_never_panic_and_never_read_wrong() {
    disks("qcow2", &subjects::qcow2(), 8);
}

#[test]
fn changed_ntfs_volumes_never_panic_and_never_read_wrong() {
    let subject = subjects::ntfs();
    let whole: SharedFile = Watched::lenient("volume.img", subject.base.clone(), Patches::new(), subject.bound);
    let expected = oracles::ntfs(&whole).unwrap();
    assert!(expected.0 > 25);
    let score = Score::default();
    run("NTFS", rounds(), |number| {
        let (patches, idle) = subject.mutate(&mut Dice::new(number ^ 0x17F5));
        let file: SharedFile = Watched::lenient("volume.img", subject.base.clone(), patches.clone(), subject.bound);
        let found = if number % 8 == 0 { oracles::ntfs(&file) } else { oracles::ntfs_files(&file) };
        assert!(!idle || found == Some(expected), "{expected:?} {found:?}: {}", shown(&patches));
        if idle {
            score.add(|score| &score.idle);
        }
        // A volume is nearly always opened; what counts is whether all of it is still there.
        score.add(|score| if found == Some(expected) { &score.read } else { &score.refused });
    });
    score.report("NTFS", rounds());
}

#[test]
fn changed_hives_never_panic_and_never_read_wrong() {
    let (subject, log) = subjects::hive();
    let mut primary = vec![0; subject.base.len() as usize];
    subject.base.read_exact_at(&mut primary, 0).unwrap();
    let expected = oracles::hive(primary.clone(), &[("HIVE.LOG1", &log)]).unwrap();
    assert!(expected.0 > 6);
    let score = Score::default();
    run("hive", rounds(), |number| {
        let mut dice = Dice::new(number ^ 0x4EF);
        let (patches, idle) = subject.mutate(&mut dice);
        let (mut bytes, mut log) = (primary.clone(), log.clone());
        patches.iter().for_each(|(at, patch)| bytes[*at as usize..*at as usize + patch.len()].copy_from_slice(patch));
        let spare_log = !idle && dice.below(2) == 0;
        if spare_log && dice.below(2) == 0 {
            let at = dice.below(log.len() as u64) as usize;
            log[at] ^= 1 << dice.below(8);
        }
        let logs: &[(&str, &[u8])] = if spare_log && dice.below(2) == 0 { &[] } else { &[("HIVE.LOG1", &log)] };
        let found = oracles::hive(bytes, logs);
        assert!(!idle || found == Some(expected), "{}", shown(&patches));
        if idle {
            score.add(|score| &score.idle);
        }
        score.add(|score| if found == Some(expected) { &score.read } else { &score.refused });
    });
    score.report("hive", rounds());
}

#[test]
fn changed_configurations_in_tables_never_panic_and_never_read_wrong() {
    let subjects = subjects::hvs();
    let whole = |subject: &Subject| {
        let file: SharedFile = Watched::new(subject.name, subject.base.clone(), Patches::new(), subject.bound);
        oracles::hvs(&file).unwrap()
    };
    let expected = whole(&subjects[0]);
    assert!(expected.0 > 100 && whole(&subjects[1]) == expected);
    let score = Score::default();
    // Every table and every key has its checksum: each takes as long as four of the others.
    let rounds = rounds().div_ceil(4);
    run("HVS", rounds, |number| {
        let subject = &subjects[(number % 2) as usize];
        let (patches, idle) = subject.mutate(&mut Dice::new(number ^ 0x4856));
        let file: SharedFile = Watched::new(subject.name, subject.base.clone(), patches.clone(), subject.bound);
        let found = oracles::hvs(&file);
        assert!(!idle || found == Some(expected), "{}: {}", subject.name, shown(&patches));
        if idle {
            score.add(|score| &score.idle);
        }
        score.add(|score| if found.is_some() { &score.read } else { &score.refused });
    });
    score.report("HVS", rounds);
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>\r\n<configuration>\r\n  <properties>\r\n    \
    <creation_time type=\"bytes\">j3iz2977zwE=\r\n</creation_time>\r\n    <name type=\"string\">A &amp; B &#x41;</name>\r\n    \
    <subtype type=\"integer\">-1</subtype>\r\n    <highly_available type=\"bool\">False</highly_available>\r\n  </properties>\r\n  \
    <_83f8638b-8dca-4152-9eda-2ca8b33039b4_>\r\n    <drive0><pathname type=\"string\"></pathname></drive0>\r\n    <!-- note -->\r\n  \
    </_83f8638b-8dca-4152-9eda-2ca8b33039b4_>\r\n  <empty/>\r\n</configuration>";

const PIECES: [&str; 24] = [
    "<",
    ">",
    "/",
    "&",
    ";",
    "\"",
    "'",
    "=",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&#0;",
    "&#x110000;",
    "&b;",
    "]]>",
    "<![CDATA[",
    "<!--",
    "--",
    "<?x ?>",
    "\0",
    "\u{FFFE}",
    " xmlns=\"u\"",
    "<a:b/>",
    "<x>",
    "</x>",
    " type=\"bytes\"",
];

/// Deletes, doubles, moves or inserts a piece of the text, or nothing but white space.
fn changed_text(dice: &mut Dice, text: &str) -> (String, bool) {
    let chars: Vec<char> = text.chars().collect();
    if text == XML && dice.below(8) == 0 {
        // A space of the indentation becomes a tab.
        let spaces: Vec<usize> = (1..chars.len()).filter(|at| chars[*at] == ' ' && chars[at - 1] == '\n').collect();
        let mut changed = chars;
        changed[spaces[dice.below(spaces.len() as u64) as usize]] = '\t';
        return (changed.into_iter().collect(), true);
    }
    let mut text = chars;
    for _ in 0..=dice.below(3) {
        let at = dice.below(text.len() as u64) as usize;
        let end = (at + 1 + dice.below(30) as usize).min(text.len());
        let part: Vec<char> = text[at..end].to_vec();
        match dice.below(4) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, part)),
            2 => {
                let count = [1, 3, 600][dice.below(3) as usize];
                let piece = PIECES[dice.below(PIECES.len() as u64) as usize].repeat(count);
                drop(text.splice(at..at, piece.chars()));
            }
            _ => {
                text.drain(at..end);
                let place = dice.below(text.len() as u64 + 1) as usize;
                drop(text.splice(place..place, part));
            }
        }
        if text.is_empty() {
            break;
        }
    }
    (text.into_iter().collect(), false)
}

#[test]
fn changed_configurations_never_panic_and_are_written_as_they_were_read() {
    let score = Score::default();
    run("XML", rounds(), |number| {
        let mut dice = Dice::new(number ^ 0x0071_7E57);
        let (text, idle) = changed_text(&mut dice, XML);
        let mut bytes = if dice.below(2) == 0 {
            [&[0xFF, 0xFE], text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>().as_slice()].concat()
        } else {
            text.into_bytes()
        };
        if !idle && dice.below(4) == 0 && !bytes.is_empty() {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] = dice.roll() as u8;
        }
        let read = oracles::xml(&bytes);
        assert!(read || !idle, "white space");
        if idle {
            score.add(|score| &score.idle);
        }
        score.add(|score| if read { &score.read } else { &score.refused });
    });
    score.report("XML", rounds());
}

#[test]
fn changed_objects_of_wmi_never_panic() {
    let score = Score::default();
    run("WMI", rounds(), |number| {
        let mut dice = Dice::new(number ^ 0x00C1_3000);
        let whole = dice.below(2) == 0;
        let text = if whole { oracles::OBJECTS.to_owned() } else { changed_text(&mut dice, oracles::OBJECTS).0 };
        let mut bytes = text.into_bytes();
        if (whole || dice.below(4) == 0) && !bytes.is_empty() {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] = dice.roll() as u8;
        }
        let read = oracles::objects(&bytes);
        score.add(|score| if read { &score.read } else { &score.refused });
    });
    score.report("WMI", rounds());
}

/// Changes of subjects whose answer is a number: it is still the one of the good file, or another one.
fn told<T: PartialEq + Send + Sync>(
    name: &str,
    rounds: u64,
    subjects: &[Subject],
    read: impl Fn(&SharedFile) -> T + Sync,
) {
    let whole = |subject: &Subject| {
        read(&(Watched::lenient(subject.name, subject.base.clone(), Patches::new(), subject.bound) as _))
    };
    let expected: Vec<T> = subjects.iter().map(whole).collect();
    let score = Score::default();
    run(name, rounds, |number| {
        let at = (number % subjects.len() as u64) as usize;
        let subject = &subjects[at];
        let (patches, _) = subject.mutate(&mut Dice::new(number ^ 0x00D1_5C00));
        let file: SharedFile = Watched::lenient(subject.name, subject.base.clone(), patches, subject.bound);
        let is_same = read(&file) == expected[at];
        score.add(|score| if is_same { &score.read } else { &score.refused });
    });
    score.report(name, rounds);
}

#[test]
fn changed_partition_tables_never_panic() {
    told("tables", rounds().div_ceil(64), &small::tables(), |file| inside::disk_contents(file, 512));
}

#[test]
fn changed_ext_volumes_never_panic() {
    told("ext", rounds().div_ceil(32), &small::exts(), inside::ext);
}

#[test]
fn changed_volumes_that_are_only_recognised_never_panic() {
    told("marks", rounds().div_ceil(16), &small::marked(), inside::marks);
}

#[test]
fn small_volumes_are_cut_anywhere() {
    for subject in small::tables().iter().chain(&small::exts()).chain(&small::marked()) {
        for len in (0..4096).step_by(61).chain((4096..subject.base.len()).step_by(32_749)) {
            let slice = hvm_formats::guestfs::Slice::new(subject.base.clone(), 0, len, "cut.img");
            let file: SharedFile = std::sync::Arc::new(slice);
            let _ = (inside::disk_contents(&file, 512), inside::disk_contents(&file, 4096));
            let _ = (inside::ext(&file), inside::marks(&file));
        }
    }
}

/// Changes of texts: pieces moved about, or a byte that is any.
fn texts(name: &str, rounds: u64, all: &[&str], read: impl Fn(usize, &[u8]) -> bool + Sync) {
    let score = Score::default();
    all.iter().enumerate().for_each(|(at, text)| assert!(read(at, text.as_bytes()), "{text}"));
    run(name, rounds, |number| {
        let mut dice = Dice::new(number ^ 0x7E87);
        let at = (number % all.len() as u64) as usize;
        let mut bytes = match dice.below(2) {
            0 => all[at].as_bytes().to_vec(),
            _ => changed_text(&mut dice, all[at]).0.into_bytes(),
        };
        for _ in 0..dice.below(4) {
            if !bytes.is_empty() {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = [dice.roll() as u8, b' ', b'-', b'\n'][dice.below(4) as usize];
            }
        }
        let is_read = read(at, &bytes);
        score.add(|score| if is_read { &score.read } else { &score.refused });
    });
    score.report(name, rounds);
}

#[test]
fn changed_settings_of_guests_never_panic() {
    let all = inside::SETTINGS.map(|(_, text)| text);
    // Only what is no YAML is refused: of the others it counts whether they still name as many adapters.
    let expected = all.iter().enumerate().map(|(at, text)| inside::settings(at, text.as_bytes()));
    let expected: Vec<_> = expected.collect();
    texts("settings", rounds().div_ceil(8), &all, |at, bytes| inside::settings(at, bytes) == expected[at]);
}

#[test]
fn changed_authorization_stores_never_panic_and_are_written_as_they_were_read() {
    texts("store", rounds().div_ceil(16), &[inside::STORE], |_, bytes| inside::store(bytes));
}

#[test]
fn changed_hives_of_guests_never_panic() {
    let good = small::guest_hive();
    let expected = inside::guest_hives(&good, HiveReading::Whole, u64::MAX);
    assert_eq!((expected, expected.1), (inside::guest_hives(&good, HiveReading::Cells, u64::MAX), 0));
    let (score, rounds) = (Score::default(), rounds().div_ceil(32));
    run("guest hives", rounds, |number| {
        let mut dice = Dice::new(number ^ 0x04E7);
        let mut bytes = good.clone();
        for _ in 0..=dice.below(3) {
            // A cell's size, a reference or a count: words that are not zero.
            let at = (4096 + dice.below(good.len() as u64 - 4096)) as usize & !3;
            let old = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let new = match dice.below(5) {
                0 => old ^ 1 << dice.below(32),
                1 => u32::MAX,
                2 => 0x7FFF_FFFF,
                3 => dice.below(good.len() as u64) as u32 & !7,
                _ => dice.roll() as u32,
            };
            bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        let reading = if number % 2 == 0 { HiveReading::Whole } else { HiveReading::Cells };
        let is_same = inside::guest_hives(&bytes, reading, 20_000) == expected;
        score.add(|score| if is_same { &score.read } else { &score.refused });
    });
    score.report("guest hives", rounds);
}

/// Every byte of the structures, each with bits flipped in three ways; large tables that are nearly all reserved in one.
fn flips(subject: &Subject) -> u64 {
    let all = std::env::var_os("HVM_MUTATIONS").is_some();
    let places: Vec<(u64, u8)> = subject
        .structures
        .iter()
        .flat_map(|(start, end)| {
            let (step, masks) = match end - start {
                // Nearly all of it is reserved and under one checksum: open and look, read all only now and then.
                8192.. if all => (1, &[0x10u8][..]),
                8192.. => (97, &[0x10u8][..]),
                4096.. => (if all { 1 } else { 7 }, &[0x81][..]),
                _ if all => (1, &[0x01, 0x80, 0xFF][..]),
                _ => (1, &[0x11][..]),
            };
            (*start..*end).step_by(step).flat_map(move |at| masks.iter().map(move |mask| (at, *mask)))
        })
        .collect();
    run(subject.name, places.len() as u64, |number| {
        let (at, mask) = places[number as usize];
        let mut byte = [0];
        subject.base.read_exact_at(&mut byte, at).unwrap();
        let patches = vec![(at, vec![byte[0] ^ mask])];
        let file: SharedFile = Watched::new(subject.name, subject.base.clone(), patches, subject.bound * 4);
        if at % 65536 > 256 && mask == 0x10 && at % 64 != 0 {
            assert!(glance(subject, &file, true), "{}: byte {at} ^ {mask:#x}", subject.name);
            return;
        }
        let found = any_disk(&file, &subject.gate, subject.format);
        // A log that lost its newest entry tells of an earlier state; that is looked at in `vhdx_damage`.
        let log = |seal: &Seal| subject.name == "child.avhdx" && seal.range().0 >= 1 << 20;
        let sealed = |seal: &Seal| seal.range().0 <= at && at < seal.range().1 && !log(seal);
        if subject.seals.iter().any(sealed) {
            assert!(found.is_none_or(|found| found == subject.expected), "{}: byte {at} ^ {mask:#x}", subject.name);
        }
    });
    places.len() as u64
}

#[test]
fn each_flipped_byte_of_the_structures_of_disks_is_noticed_or_harmless() {
    let mut count = 0;
    for subject in subjects::vhd().iter().chain(&subjects::vhdx()).chain(&subjects::qcow2()) {
        count += flips(subject);
    }
    println!("{count} flips");
    assert!(count > 10_000);
}

#[test]
fn each_flipped_byte_of_ntfs_records_never_panics() {
    let subject = subjects::ntfs();
    let places: Vec<u64> = subject.structures.iter().flat_map(|(start, end)| *start..*end).collect();
    run("NTFS flips", places.len() as u64, |number| {
        let at = places[number as usize];
        let mut byte = [0];
        subject.base.read_exact_at(&mut byte, at).unwrap();
        for mask in [0x01, 0xFF] {
            let patches = vec![(at, vec![byte[0] ^ mask])];
            let file: SharedFile = Watched::lenient("volume.img", subject.base.clone(), patches, subject.bound);
            oracles::ntfs(&file);
        }
    });
    assert!(places.len() > 10_000, "{}", places.len());
}

#[test]
fn each_length_of_a_cut_disk_is_an_error_or_the_right_content() {
    for subject in subjects::vhd().iter().chain(&subjects::qcow2()) {
        for len in (0..subject.base.len()).step_by(211) {
            let file: SharedFile = Watched::cut(subject.name, subject.base.clone(), len, subject.bound);
            let found = any_disk(&file, &subject.gate, subject.format);
            assert!(found.is_none_or(|found| found == subject.expected), "{} cut to {len}", subject.name);
        }
    }
}
