//! VHDX files whose log was not applied: what counts in it, and which logs must be refused.

use super::vhdx_odd::{MIB, SPEC, changed, dynamic};
use super::{Case, Content, Expect};
use crate::vhdx::edit::HEADERS;
use crate::vhdx::{Change, Dice, Dirt, SparseImage, leave_dirty, put_log_entry, set_log_guid};

use Expect::{Refused, Said};

type Row = (&'static str, &'static str, &'static str, fn(&mut SparseImage), Expect);

const APPLIED: Expect = Said("The log was not applied", "");
const TORN: Expect = Said("The log was not applied", "is not whole");
const EMPTY: Expect = Refused("no complete sequence");

/// Offset in the file of the first page of a block.
fn page(image: &SparseImage, block: u64) -> u64 {
    image.entry(block) >> 20 << 20
}

/// Spoils the first page of a block; the change that puts it right.
fn spoil(image: &mut SparseImage, block: u64) -> Change {
    let at = page(image, block);
    let good = image.get(at, 4096);
    image.put(at, &[0xEE; 4096]);
    Change::Page(at, good)
}

/// A page that must not be applied.
fn poison(image: &SparseImage, block: u64) -> Change {
    Change::Page(page(image, block), vec![0xDD; 4096])
}

/// One entry at the sector `at` that puts block 0 right.
fn one(image: &mut SparseImage, at: u64, sequence: u64) {
    let (log, change) = (image.places().log, spoil(image, 0));
    put_log_entry(image, (log, at), (sequence, at), &[change]);
    set_log_guid(image);
}

/// The same, then a field of the entry is changed (offset in its two sectors) and its checksum written anew.
fn forged(image: &mut SparseImage, at: u64, value: &[u8]) {
    let log = image.places().log;
    one(image, 0, 5);
    image.put(log + at, value);
    image.seal(log, 8192);
}

fn three(image: &mut SparseImage) -> u64 {
    let log = image.places().log;
    let mut at = 10;
    for (sequence, block) in (5..).zip(0..3) {
        let change = spoil(image, block);
        at = put_log_entry(image, (log, at), (sequence, 10), &[change]);
    }
    set_log_guid(image);
    at
}

/// Logs that are read.
const READ: [Row; 19] = [
    ("first-sector", "an entry in the first sector of the log", SPEC, |i| one(i, 0, 5), APPLIED),
    ("round-the-end", "an entry that goes round the end of the ring", SPEC, |i| one(i, 255, 5), APPLIED),
    ("sequence-1", "an entry with the sequence number 1", SPEC, |i| one(i, 3, 1), APPLIED),
    ("sequence-max", "an entry with the sequence number 2^64 - 1", SPEC, |i| one(i, 3, u64::MAX), APPLIED),
    (
        "three-entries",
        "a sequence of three entries",
        SPEC,
        |i| {
            three(i);
        },
        APPLIED,
    ),
    (
        "torn-behind",
        "an entry behind the newest one was not written whole",
        "host crash",
        |i| {
            let at = three(i);
            let log = i.places().log;
            let bad = poison(i, 1);
            put_log_entry(i, (log, at), (8, 10), &[bad]);
            i.flip(log + at * 4096 + 6000, 1)
        },
        TORN,
    ),
    (
        "older-sequence",
        "an older complete sequence lies elsewhere in the ring",
        SPEC,
        |i| {
            three(i);
            let log = i.places().log;
            let bad = poison(i, 2);
            put_log_entry(i, (log, 100), (2, 100), &[bad]);
        },
        APPLIED,
    ),
    (
        "before-the-tail",
        "an entry before the tail was applied already",
        SPEC,
        |i| {
            let (log, bad, good) = (i.places().log, poison(i, 1), spoil(i, 0));
            let at = put_log_entry(i, (log, 0), (5, 0), &[bad]);
            put_log_entry(i, (log, at), (6, at), &[good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "same-page-twice",
        "a page is changed twice, the later change counts",
        SPEC,
        |i| {
            let (log, bad, good) = (i.places().log, poison(i, 0), spoil(i, 0));
            let at = put_log_entry(i, (log, 0), (5, 0), &[bad]);
            put_log_entry(i, (log, at), (6, 0), &[good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "twice-in-one-entry",
        "a page is changed twice in one entry",
        SPEC,
        |i| {
            let (log, bad, good) = (i.places().log, poison(i, 0), spoil(i, 0));
            put_log_entry(i, (log, 0), (5, 0), &[bad, good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "zeros",
        "a zero descriptor over rubbish",
        SPEC,
        |i| {
            let (log, at) = (i.places().log, page(i, 1) + 65536);
            i.put(at, &[0xEE; 20000]);
            put_log_entry(i, (log, 0), (5, 0), &[Change::Zeros(at, 32768)]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "zeros-under-page",
        "zeros over a page, then the page itself",
        SPEC,
        |i| {
            let (log, at, good) = (i.places().log, page(i, 0), spoil(i, 0));
            put_log_entry(i, (log, 0), (5, 0), &[Change::Zeros(at, 4096), good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "many-descriptors",
        "an entry with more descriptors than fit into a sector",
        SPEC,
        |i| {
            let (log, at, good) = (i.places().log, page(i, 1) + 8192, spoil(i, 0));
            let mut all: Vec<Change> = (0..200).map(|n| Change::Zeros(at + n % 200 * 4096, 4096)).collect();
            all.push(good);
            put_log_entry(i, (log, 0), (5, 0), &all);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "no-descriptors",
        "an entry without changes behind one with some",
        SPEC,
        |i| {
            let (log, good) = (i.places().log, spoil(i, 0));
            let at = put_log_entry(i, (log, 0), (5, 0), &[good]);
            put_log_entry(i, (log, at), (6, 0), &[]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "block-table",
        "the block table lies in the log; the one in the file is zeros",
        "QEMU iotest-dirtylog",
        |i| {
            let (log, at) = (i.places().log, i.places().table);
            let good = Change::Page(at, i.get(at, 4096));
            i.put(at, &[0; 4096]);
            put_log_entry(i, (log, 0), (5, 0), &[good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "metadata",
        "the metadata table lies in the log",
        SPEC,
        |i| {
            let (log, at) = (i.places().log, i.places().metadata);
            let good = Change::Page(at, i.get(at, 4096));
            i.put(at, &[0; 4096]);
            put_log_entry(i, (log, 0), (5, 0), &[good]);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "region-table",
        "both region tables lie in the log",
        SPEC,
        |i| {
            let log = i.places().log;
            let goods: Vec<Change> = [192 << 10, 256 << 10].map(|at| Change::Page(at, i.get(at, 4096))).to_vec();
            for at in [192 << 10, 256 << 10] {
                i.put(at, &[0; 4096]);
            }
            put_log_entry(i, (log, 0), (5, 0), &goods);
            set_log_guid(i)
        },
        APPLIED,
    ),
    (
        "clean-with-rests",
        "entries of an earlier log, which was applied",
        SPEC,
        |i| {
            let (log, bad) = (i.places().log, poison(i, 0));
            put_log_entry(i, (log, 0), (5, 0), &[bad]);
        },
        Expect::Same,
    ),
    (
        "growing",
        "the file was being made longer: its last offset lies behind the end",
        SPEC,
        |i| {
            let log = i.places().log;
            one(i, 0, 5);
            let more = i.len + 4 * MIB;
            i.put(log + 56, &more.to_le_bytes());
            i.seal(log, 8192)
        },
        APPLIED,
    ),
];

/// Logs that are refused.
const NOT_READ: [Row; 31] = [
    (
        "guid-without-entries",
        "the header has a log GUID, the log is empty",
        "medo64/VhdAttach#11",
        |i| set_log_guid(i),
        EMPTY,
    ),
    (
        "checksum",
        "the only entry has a wrong checksum",
        SPEC,
        |i| {
            one(i, 0, 5);
            let log = i.places().log;
            i.flip(log + 5000, 1)
        },
        EMPTY,
    ),
    ("guid", "the only entry has another log GUID", SPEC, |i| forged(i, 32, &[1; 16]), EMPTY),
    ("signature", "the only entry has another mark", SPEC, |i| forged(i, 0, b"logf"), EMPTY),
    ("length-0", "an entry of length 0: an endless loop", "CVE-2014-0148 family", |i| forged(i, 8, &[0; 4]), EMPTY),
    ("length-odd", "an entry of 8193 bytes", SPEC, |i| forged(i, 8, &8193u32.to_le_bytes()), EMPTY),
    ("length-max", "an entry of 4 GiB", "CVE-2014-0144 family", |i| forged(i, 8, &[0, 0xF0, 0xFF, 0xFF]), EMPTY),
    (
        "length-more",
        "an entry that is longer than its descriptors say",
        SPEC,
        |i| forged(i, 8, &12288u32.to_le_bytes()),
        EMPTY,
    ),
    ("tail-odd", "a tail at no multiple of 4 KiB", SPEC, |i| forged(i, 12, &[1]), EMPTY),
    ("tail-outside", "a tail behind the log", SPEC, |i| forged(i, 12, &(2u32 << 20).to_le_bytes()), EMPTY),
    ("tail-nowhere", "a tail at which no entry lies", SPEC, |i| forged(i, 12, &0x8000u32.to_le_bytes()), EMPTY),
    ("sequence-0", "an entry with the sequence number 0", SPEC, |i| one(i, 0, 0), EMPTY),
    (
        "descriptors-max",
        "2^32 - 1 descriptors: the size of their table overflows 32 bits",
        "qemu-project work_item 3860",
        |i| forged(i, 24, &[0xFF; 4]),
        EMPTY,
    ),
    (
        "descriptors-2-27",
        "2^27 descriptors: times 32 they are 2^32",
        "qemu-project work_item 3860",
        |i| forged(i, 24, &(1u32 << 27).to_le_bytes()),
        EMPTY,
    ),
    ("descriptors-more", "two descriptors, one is there", SPEC, |i| forged(i, 24, &[2]), EMPTY),
    ("descriptors-none", "no descriptors, a data sector is there", SPEC, |i| forged(i, 24, &[0]), EMPTY),
    ("descriptor-mark", "a descriptor with another mark", SPEC, |i| forged(i, 64, b"dexc"), EMPTY),
    ("descriptor-sequence", "a descriptor with another sequence number", SPEC, |i| forged(i, 64 + 24, &[9]), EMPTY),
    (
        "descriptor-odd",
        "a page at no multiple of 4 KiB",
        SPEC,
        |i| {
            let at = page(i, 0) + 512;
            forged(i, 64 + 16, &at.to_le_bytes())
        },
        EMPTY,
    ),
    ("descriptor-headers", "a page over the headers", SPEC, |i| forged(i, 64 + 16, &HEADERS[0].to_le_bytes()), EMPTY),
    (
        "descriptor-log",
        "a page over the log itself",
        SPEC,
        |i| {
            let log = i.places().log;
            forged(i, 64 + 16, &(log + 65536).to_le_bytes())
        },
        EMPTY,
    ),
    (
        "descriptor-max",
        "a page in the last 4 KiB of 2^64",
        "CVE-2014-0148 family",
        |i| forged(i, 64 + 16, &(u64::MAX - 4095).to_le_bytes()),
        EMPTY,
    ),
    (
        "zeros-odd",
        "zeros of 100 bytes",
        SPEC,
        |i| {
            let (log, at) = (i.places().log, page(i, 1));
            put_log_entry(i, (log, 0), (5, 0), &[Change::Zeros(at, 100)]);
            set_log_guid(i)
        },
        EMPTY,
    ),
    (
        "zeros-overflow",
        "zeros whose end overflows 64 bits",
        "CVE-2014-0148 family",
        |i| {
            let (log, at) = (i.places().log, page(i, 1));
            put_log_entry(i, (log, 0), (5, 0), &[Change::Zeros(at, u64::MAX - 4095)]);
            set_log_guid(i)
        },
        EMPTY,
    ),
    ("data-mark", "a data sector with another mark", SPEC, |i| forged(i, 4096, b"dada"), EMPTY),
    (
        "data-sequence-high",
        "a data sector with another upper half of its number",
        SPEC,
        |i| forged(i, 4100, &[1]),
        EMPTY,
    ),
    (
        "data-sequence-low",
        "a data sector with another lower half of its number",
        SPEC,
        |i| forged(i, 8188, &[1]),
        EMPTY,
    ),
    (
        "first-lost",
        "the first of three entries is damaged: what it changed is lost",
        SPEC,
        |i| {
            three(i);
            let log = i.places().log;
            i.flip(log + 10 * 4096 + 100, 1)
        },
        EMPTY,
    ),
    (
        "file-cut",
        "the file is shorter than it was when the log was written",
        "interrupted copy",
        |i| {
            let log = i.places().log;
            one(i, 0, 5);
            let more = i.len + MIB;
            i.put(log + 48, &more.to_le_bytes());
            i.seal(log, 8192)
        },
        Refused("it was cut short"),
    ),
    (
        "version",
        "a log to be replayed of another version",
        SPEC,
        |i| {
            one(i, 0, 5);
            i.put_headers(64, &[1, 0])
        },
        Refused("the log is to be replayed and has version 1"),
    ),
    (
        "huge",
        "a log of 128 MiB",
        "CVE-2014-0144 family",
        |i| {
            let start = i.len.next_multiple_of(MIB);
            i.set_len(start + (128 << 20));
            i.put_headers(68, &(128u32 << 20).to_le_bytes());
            i.put_headers(72, &start.to_le_bytes());
            i.put_headers(48, &[1; 16])
        },
        Refused("at most 67108864 are read"),
    ),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, from, change, expect) in READ.into_iter().chain(NOT_READ) {
        let (mut image, content) = dynamic();
        change(&mut image);
        cases.push(changed(&format!("log-{name}"), what, from, (image, content), expect));
    }
    for (dirt, name, what, expect) in [
        (Dirt::Plain, "plain", "only what is needed", APPLIED),
        (Dirt::Crowded, "crowded", "entries of other times, another log, and one that was cut off", TORN),
        (Dirt::Shortened, "shortened", "the same, in a file that was being made longer", TORN),
    ] {
        for seed in 0..3 {
            let (image, content): (SparseImage, Content) = dynamic();
            let mut image = image;
            leave_dirty(&mut image, dirt, &mut Dice::new(seed));
            let what = format!("a log with {what} (seed {seed})");
            cases.push(changed(&format!("log-{name}-{seed}"), &what, "QEMU iotest-dirtylog", (image, content), expect));
        }
    }
    cases
}
