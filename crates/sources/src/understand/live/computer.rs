//! Memory and free space of the host, which no file of it has: Windows' own classes tell them.

use hvm_model::found::Found;
use hvm_model::host::HostVolume;
use hvm_model::names::ByteSize;

use super::super::Reading;
use super::place;
use crate::reach::answers::{Answer, CIMV2, Question};

/// `DriveType` of a fixed drive (Win32_LogicalDisk).
const FIXED: u64 = 3;

/// `TotalPhysicalMemory` of Win32_ComputerSystem, bytes.
pub(in super::super) fn memory(reading: &Reading<'_>) -> Found<ByteSize> {
    const CLASS: &str = "Win32_ComputerSystem";
    let found = match reading.ask(Question::Instances(CIMV2, CLASS)) {
        Answer::Objects(objects) => objects.first().and_then(|object| object.number("TotalPhysicalMemory")),
        Answer::Silent => return Found::unknown("The amount of memory is not written to a file that is read."),
        Answer::Failed(reason) => return Found::Unknown { reason },
    };
    match found {
        Some(bytes) => {
            Found::Read { value: ByteSize(bytes), place: place(CIMV2, format!("{CLASS}: TotalPhysicalMemory")) }
        }
        None => Found::unknown(format!("The host has no {CLASS} with TotalPhysicalMemory.")),
    }
}

/// The fixed drives, as they were when the host was asked.
pub(in super::super) fn volumes(reading: &Reading<'_>) -> Found<Vec<HostVolume>> {
    const CLASS: &str = "Win32_LogicalDisk";
    let objects = match reading.ask(Question::Instances(CIMV2, CLASS)) {
        Answer::Objects(objects) => objects,
        Answer::Silent => return Found::unknown("A folder does not tell which volume it was copied from."),
        Answer::Failed(reason) => return Found::Unknown { reason },
    };
    let fixed = objects.iter().filter(|object| object.number("DriveType") == Some(FIXED));
    let volume = |object: &hvm_formats::cim::Object| {
        Some(HostVolume {
            letter: object.text("DeviceID")?.to_ascii_uppercase(),
            file_system: object.text("FileSystem").unwrap_or_default().to_owned(),
            size: ByteSize(object.number("Size")?),
            free: ByteSize(object.number("FreeSpace")?),
        })
    };
    let mut volumes: Vec<HostVolume> = fixed.filter_map(volume).collect();
    volumes.sort_by(|one, other| one.letter.cmp(&other.letter));
    match volumes.is_empty() {
        true => Found::unknown(format!("The host told of no {CLASS} with Size and FreeSpace.")),
        false => Found::Read { value: volumes, place: place(CIMV2, format!("{CLASS}: Size, FreeSpace")) },
    }
}
