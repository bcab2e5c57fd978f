//! Which volume of a dead host has which drive letter: `MountedDevices` in the SYSTEM hive of its Windows names volumes by the
//! signature of their disk and their place on it, or by the GUID of their partition.

use std::collections::BTreeMap;

use hvm_formats::regf::{Hive, RegfError};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::WindowsPath;

use super::hives;
use crate::error::SourceError;
use crate::reach::volumes::VolumeId;
use crate::reach::{ImageTree, ReadOnlyTree};

const HIVE: &str = r"Windows\System32\config\SYSTEM";
const ROLE: &str = r"ProgramData\Microsoft\Windows\Hyper-V";
const KEY: &str = "MountedDevices";
const LETTER: &str = r"\DosDevices\";
const VOLUME: &str = r"\??\Volume{";
/// Before the GUID of a partition.
const PARTITION: &[u8] = b"DMIO:ID:";

/// Gives the volumes the letters that the operator named, and beside those the ones that they had.
pub(crate) fn assign(tree: &mut ImageTree, named: &BTreeMap<char, (usize, u32)>) -> Result<(), SourceError> {
    let system = system(tree);
    let devices = system.map(|volume| mounted(tree, volume)).unwrap_or_default();
    for device in &devices {
        let Some(volume) = find(tree, &device.id) else { continue };
        if let Some(letter) = device.letter() {
            tree.set_letter(letter, volume);
        }
        if let Some(guid) = device.guid() {
            tree.set_guid(guid, volume);
        }
    }
    for (letter, (disk, partition)) in named {
        let (letter, disk, partition) = (*letter, *disk, *partition);
        let wrong = || SourceError::NoSuchVolume { letter, disk, partition, volumes: tree.disks().list() };
        let volume = tree.disks().find(disk, partition).ok_or_else(wrong)?;
        tree.set_letter(letter, volume);
    }
    match system {
        // As Windows itself is installed by default.
        Some(volume) if tree.letter_of(volume).is_none() => tree.set_letter('C', volume),
        None if !tree.has_letters() => {
            return Err(SourceError::NoLetters { example: "?c=1:2".to_owned(), volumes: tree.disks().list() });
        }
        _ => {}
    }
    Ok(())
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

/// The volume that Windows was started from: of several, the one with the role.
fn system(tree: &mut ImageTree) -> Option<usize> {
    let mut found = None;
    for volume in 0..tree.disks().volumes.len() {
        tree.set_letter('C', volume);
        let has = |path: &str| tree.exists(&WindowsPath::new(&format!(r"C:\{path}")));
        let (is_system, has_role) = (has(HIVE), has(ROLE));
        if is_system && has_role {
            found = Some(volume);
            break;
        }
        if is_system && found.is_none() {
            found = Some(volume);
        }
    }
    tree.clear_letters();
    found
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

fn find(tree: &ImageTree, id: &VolumeId) -> Option<usize> {
    tree.disks().volumes.iter().position(|volume| volume.id == *id)
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
