//! Which volume of a dead host has which drive letter: `MountedDevices` in the SYSTEM hive of its Windows names volumes by the
//! signature of their disk and their place on it, or by the GUID of their partition.

use std::collections::BTreeMap;

use hvm_formats::regf::{Hive, RegfError};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::WindowsPath;

use super::hives;
use crate::error::{ReachError, SourceError};
use crate::reach::volumes::VolumeId;
use crate::reach::{ImageTree, ReadOnlyTree};

const HIVE: &str = r"Windows\System32\config\SYSTEM";
const ROLE: &str = r"ProgramData\Microsoft\Windows\Hyper-V";
const KEY: &str = "MountedDevices";
const LETTER: &str = r"\DosDevices\";
const VOLUME: &str = r"\??\Volume{";
/// Before the GUID of a partition.
const PARTITION: &[u8] = b"DMIO:ID:";

/// What to do where a volume is damaged.
const AGAIN: &str = "Copy the disk again, or let Windows check the volume (chkdsk) and copy it then.";

/// The drive map of the URI: letters, each with the number of a disk and of a partition.
type Named = BTreeMap<char, (usize, u32)>;

/// Gives the volumes the letters that the operator named, and beside those the ones that they had. Where two volumes may be meant, such
/// as a disk and its clone, only the operator can say which; the order of the disks never decides.
pub(crate) fn assign(tree: &mut ImageTree, named: &Named) -> Result<(), SourceError> {
    let mut chosen = BTreeMap::new();
    for (letter, (disk, partition)) in named {
        let (letter, disk, partition) = (*letter, *disk, *partition);
        let wrong = || SourceError::NoSuchVolume { letter, disk, partition, volumes: tree.disks().list() };
        chosen.insert(letter, tree.disks().find(disk, partition).ok_or_else(wrong)?);
    }
    let Found { system, unreadable } = system(tree, &chosen)?;
    let devices = system.map(|volume| mounted(tree, volume)).unwrap_or_default();
    for (letter, volume) in &chosen {
        tree.set_letter(*letter, *volume);
    }
    let letters: Vec<(char, &VolumeId)> =
        devices.iter().filter_map(|device| Some((device.letter()?, &device.id))).collect();
    for (letter, id) in &letters {
        if chosen.contains_key(letter) {
            continue;
        }
        match tree.disks().by_id(id)[..] {
            [] => tree.lacks(*letter, id),
            [volume] => tree.set_letter(*letter, volume),
            // The hive speaks of its own disk.
            [..] if system.is_some_and(|system| tree.disks().is(system, id)) => {
                system.into_iter().for_each(|system| tree.set_letter(*letter, system));
            }
            [first, second, ..] => {
                let drive = format!("drive {letter}: of this Windows");
                return Err(twins(tree, &drive, *letter, (first, second)));
            }
        }
    }
    for device in &devices {
        let Some(guid) = device.guid() else { continue };
        let own = letters.iter().filter(|(_, id)| **id == device.id).find_map(|(letter, _)| chosen.get(letter));
        match (&tree.disks().by_id(&device.id)[..], own) {
            ([], None) => {}
            // A copy with another id, of which the operator says that it is the drive.
            ([], Some(volume)) => tree.set_guid(guid, *volume),
            ([volume], _) => tree.set_guid(guid, *volume),
            (candidates, own) => match meant(tree, candidates, (own, &chosen, system)) {
                Some(volume) => tree.set_guid(guid, volume),
                None => tree.add_problem(two_mounted(tree, guid, candidates)),
            },
        }
    }
    match system {
        // As Windows itself is installed by default.
        Some(volume) if tree.letter_of(volume).is_none() => tree.set_letter('C', volume),
        None if !tree.has_letters() => {
            let (example, volumes) = ("?c=1:2".to_owned(), tree.disks().list());
            return Err(SourceError::NoLetters { example, volumes, unreadable: unreadable.join("") });
        }
        _ => {}
    }
    Ok(())
}

/// Which of several volumes is meant: that with the drive's own letter by the operator, else the only one that the operator gave a letter
/// or Windows was started from.
fn meant(
    tree: &ImageTree,
    candidates: &[usize],
    (own, chosen, system): (Option<&usize>, &BTreeMap<char, usize>, Option<usize>),
) -> Option<usize> {
    let is = |volume: usize, other: usize| tree.disks().are_one(volume, other);
    let mut with_letter = candidates.iter().copied().filter(|volume| own.is_some_and(|own| is(*volume, *own)));
    if let Some(volume) = with_letter.next() {
        return Some(volume);
    }
    let is_meant =
        |volume: &usize| chosen.values().copied().chain(system).any(|other| tree.disks().are_one(*volume, other));
    let mut found = candidates.iter().copied().filter(is_meant);
    found.next().filter(|_| found.next().is_none())
}

fn twins(tree: &ImageTree, what: &str, letter: char, (first, second): (usize, usize)) -> SourceError {
    let (first, second) = (tree.disks().told(first), tree.disks().told(second));
    let small = letter.to_ascii_lowercase();
    SourceError::Twins {
        what: what.to_owned(),
        how: format!("'?{small}={}' or '?{small}={}'", first.place, second.place),
        first: first.name,
        second: second.name,
    }
}

fn two_mounted(tree: &ImageTree, guid: &str, candidates: &[usize]) -> Problem {
    let told: Vec<String> = candidates.iter().map(|volume| format!("'{}'", tree.disks().told(*volume).name)).collect();
    let taken: Vec<char> = tree.drives().into_iter().map(|(letter, _)| letter).collect();
    let free = ('D'..='Z').find(|letter| !taken.contains(letter)).unwrap_or('Z').to_ascii_lowercase();
    let place = candidates.first().map(|volume| tree.disks().told(*volume).place).unwrap_or_default();
    Problem {
        kind: "volume.twins".to_owned(),
        subject: Subject::Host,
        message: format!(
            "Each of {} may be the volume {{{guid}}} of this Windows: they have the same id, as a disk and its clone do. None of them \
             is taken.",
            told.join(" and ")
        ),
        place: Place::new(HIVE, KEY),
        hint: format!(
            "Leave the disk away that is not current, or say which one it is by giving it a letter that is free, such as \
             '?{free}={place}'."
        ),
    }
}

/// The letters of the drives of a tree by the GUIDs under which Windows mounts their volumes in folders, in small letters: the hive
/// of the first drive that has one names both for each volume.
pub(crate) fn guids(tree: &dyn ReadOnlyTree) -> BTreeMap<String, char> {
    let hive = |letter: &char| hives::read(tree, &WindowsPath::new(&format!(r"{letter}:\{HIVE}"))).ok();
    let letters: Vec<char> = tree.drives().into_iter().map(|(letter, _)| letter).collect();
    let hive = letters.iter().find_map(hive);
    let devices = hive.and_then(|hive| devices(&hive).ok()).unwrap_or_default();
    let letter_of = |id: &VolumeId| devices.iter().filter(|device| device.id == *id).find_map(Device::letter);
    let guids = devices.iter().filter_map(|device| Some((device.guid()?.to_ascii_lowercase(), letter_of(&device.id)?)));
    guids.collect()
}

/// The volume that Windows was started from, and what could not be read on the search for it, as sentences with a space before each.
struct Found {
    system: Option<usize>,
    unreadable: Vec<String>,
}

/// Of several with a Windows the one that the operator named, else the one with the role.
fn system(tree: &mut ImageTree, chosen: &BTreeMap<char, usize>) -> Result<Found, SourceError> {
    let (mut systems, mut with_role, mut unreadable): (Vec<usize>, Vec<usize>, _) =
        (Vec::new(), Vec::new(), Vec::new());
    for volume in 0..tree.disks().volumes.len() {
        if systems.iter().any(|known| tree.disks().are_one(*known, volume)) {
            continue;
        }
        tree.set_letter('C', volume);
        let has = |path: &str| tree.metadata(&WindowsPath::new(&format!(r"C:\{path}")));
        let (hive, role) = (has(HIVE), has(ROLE));
        if hive.is_ok() {
            systems.push(volume);
        }
        if hive.is_ok() && role.is_ok() {
            with_role.push(volume);
        }
        let error =
            [hive, role].into_iter().filter_map(Result::err).find(|error| matches!(error, ReachError::Io { .. }));
        if let Some(error) = error.filter(|error| !error.is_missing()) {
            let name = tree.disks().told(volume).name;
            unreadable.push(format!(" On '{name}' it was not found because {} {AGAIN}", reason(&error)));
            tree.add_problem(damaged(&name, &error));
        }
    }
    tree.clear_letters();
    let named = chosen.values().find(|volume| systems.iter().any(|system| tree.disks().are_one(*system, **volume)));
    let best = if with_role.is_empty() { systems } else { with_role };
    let system = match (named, &best[..]) {
        (Some(volume), _) => Some(*volume),
        (None, [first, second, ..]) => {
            return Err(twins(tree, "the volume that Windows was started from", 'C', (*first, *second)));
        }
        (None, alone) => alone.first().copied(),
    };
    Ok(Found { system, unreadable })
}

fn reason(error: &ReachError) -> String {
    error.to_string().replacen("C:\\", "\\", 1)
}

fn damaged(name: &str, error: &ReachError) -> Problem {
    Problem {
        kind: "volume.unreadable".to_owned(),
        subject: Subject::File { path: name.to_owned() },
        message: format!("On '{name}' something cannot be read: {}", reason(error)),
        place: Place::new(name, ""),
        hint: AGAIN.to_owned(),
    }
}

/// A value of the key.
struct Device {
    name: String,
    id: VolumeId,
}

impl Device {
    fn letter(&self) -> Option<char> {
        let letter = self.name.strip_prefix(LETTER)?.strip_suffix(':')?;
        let mut characters = letter.chars();
        let first = characters.next().filter(char::is_ascii_alphabetic)?;
        characters.next().is_none().then(|| first.to_ascii_uppercase())
    }

    fn guid(&self) -> Option<&str> {
        self.name.strip_prefix(VOLUME)?.strip_suffix('}')
    }
}

/// What the hive on a volume says; a hive that cannot be read becomes a problem.
fn mounted(tree: &mut ImageTree, volume: usize) -> Vec<Device> {
    tree.set_letter('C', volume);
    let hive = hives::read(&*tree, &WindowsPath::new(&format!(r"C:\{HIVE}")));
    tree.clear_letters();
    let (devices, wrong) = match hive {
        Ok(hive) => match devices(&hive) {
            Ok(devices) => (devices, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
        Err(error) => (Vec::new(), Some(error.reason)),
    };
    if let Some(message) = wrong {
        let hint = "Name the volumes in the URI, such as '?d=2:1', if drives are missing.";
        tree.add_problem(Problem {
            kind: "volume.letters-unknown".to_owned(),
            subject: Subject::Host,
            message: format!("It cannot be read which volume has which drive letter: {message}"),
            place: Place::new(HIVE, KEY),
            hint: hint.to_owned(),
        });
    }
    devices
}

fn devices(hive: &Hive) -> Result<Vec<Device>, RegfError> {
    let Some(key) = hive.key(KEY)? else { return Ok(Vec::new()) };
    let mut devices = Vec::new();
    for value in key.values() {
        let value = value?;
        if let Some(id) = id(value.data()) {
            devices.push(Device { name: value.name().to_owned(), id });
        }
    }
    Ok(devices)
}

/// Other values are paths of devices, such as a DVD drive.
fn id(data: &[u8]) -> Option<VolumeId> {
    if let Some(guid) = data.strip_prefix(PARTITION) {
        return <[u8; 16]>::try_from(guid).ok().map(|bytes| VolumeId::Gpt { partition: guid_text(bytes) });
    }
    let bytes = <[u8; 12]>::try_from(data).ok()?;
    let [s0, s1, s2, s3, start @ ..] = bytes;
    Some(VolumeId::Mbr { signature: u32::from_le_bytes([s0, s1, s2, s3]), start: u64::from_le_bytes(start) })
}

/// A GUID as partition tables hold it: three little-endian numbers, then bytes.
fn guid_text(bytes: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, rest @ ..] = bytes;
    let (a, b, c) = (u32::from_le_bytes([a0, a1, a2, a3]), u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{a:08x}-{b:04x}-{c:04x}-{d0:02x}{d1:02x}-{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_device() {
        let mut data = 0x4F2A_91C3_u32.to_le_bytes().to_vec();
        data.extend(1_048_576_u64.to_le_bytes());
        assert_eq!(id(&data), Some(VolumeId::Mbr { signature: 0x4F2A_91C3, start: 1_048_576 }));
        let mut data = PARTITION.to_vec();
        data.extend([0x10, 0xAA, 0x11, 0x0A, 0x5C, 0x5F, 0xE0, 0x11, 0x8C, 0x26, 0x80, 0x6E, 0x6F, 0x6E, 0x69, 0x63]);
        let partition = "0a11aa10-5f5c-11e0-8c26-806e6f6e6963".to_owned();
        assert_eq!(id(&data), Some(VolumeId::Gpt { partition }));
        for other in [&b"\\\0?\0?\0\\\0"[..], b"DMIO:ID:short", b""] {
            assert_eq!(id(other), None);
        }
        let device = |name: &str| Device { name: name.to_owned(), id: VolumeId::None };
        assert_eq!(device(r"\DosDevices\d:").letter(), Some('D'));
        assert_eq!(device(r"\DosDevices\DD:").letter(), None);
        assert_eq!(device(r"\??\Volume{0a11aa10-x}").guid(), Some("0a11aa10-x"));
    }
}
