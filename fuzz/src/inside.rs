//! What lies inside of disks, and texts of a host: tables, volumes, settings and hives of guests, the authorization store.

use hvm_formats::guestfs::HiveReading;
use hvm_formats::io::SharedFile;

use crate::oracles::subjects::Subject;
use crate::oracles::{Watched, inside, small};
use crate::{BOUND, FILE, SEALED, changes, seal};

/// Changes to one of the subjects, which the upper half of the first byte says, or a whole file behind it.
fn file(subjects: &[Subject], data: &[u8]) -> Option<SharedFile> {
    let (first, rest) = data.split_first()?;
    if first & FILE != 0 {
        let base = crate::oracles::memory("input.img", rest);
        return Some(Watched::lenient("input.img", base, Vec::new(), BOUND));
    }
    let subject = &subjects[usize::from(first >> 4) % subjects.len()];
    Some(Watched::lenient(subject.name, subject.base.clone(), changes(subject, data), BOUND))
}

/// A disk with an MBR or a GPT.
pub fn tables(data: &[u8]) {
    thread_local!(static SUBJECTS: Vec<Subject> = small::tables());
    let sector = if data.first().is_some_and(|first| first & 8 != 0) { 4096 } else { 512 };
    if let Some(file) = SUBJECTS.with(|subjects| file(subjects, data)) {
        inside::disk_contents(&file, sector);
    }
}

/// An ext volume.
pub fn ext(data: &[u8]) {
    thread_local!(static SUBJECTS: Vec<Subject> = small::exts());
    if let Some(file) = SUBJECTS.with(|subjects| file(subjects, data)) {
        inside::ext(&file);
    }
}

/// A volume that is only recognised, and FAT.
pub fn marks(data: &[u8]) {
    thread_local!(static SUBJECTS: Vec<Subject> = small::marked());
    if let Some(file) = SUBJECTS.with(|subjects| file(subjects, data)) {
        inside::marks(&file);
    }
}

/// An authorization store.
pub fn store(data: &[u8]) {
    inside::store(data);
}

/// A settings file of a Linux, whose place the first byte says.
pub fn settings(data: &[u8]) {
    if let Some((first, text)) = data.split_first() {
        inside::settings(usize::from(*first), text);
    }
}

/// A hive as both of those that tell what a Windows is, whole or cell by cell (bit 1).
pub fn guest(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if first & SEALED != 0 {
        seal::hive(&mut bytes);
    }
    let reading = if first & 2 == 0 { HiveReading::Whole } else { HiveReading::Cells };
    // Two hives of at most 262,144 cells, each of two reads.
    inside::guest_hives(&bytes, reading, 4 * (1 << 18) + 100);
}
