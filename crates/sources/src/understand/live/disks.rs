//! Virtual hard disks as Hyper-V describes them (`GetVirtualHardDiskInfo` of the first version of its classes), for a collection
//! that has no content of disks.

use std::collections::HashMap;

use hvm_formats::cim::Object;
use hvm_model::disk::DiskFile;
use hvm_model::names::{ByteSize, WindowsPath};

use super::super::Reading;
use super::place;
use crate::reach::answers::{Answer, Question, V1};

/// `Type` of a disk and its name in the inventory.
const TYPES: [(u64, &str); 3] = [(2, "vhd-fixed"), (3, "vhd-dynamic"), (4, "vhd-differencing")];

/// The disks that the host told of, by their paths without regard to case.
pub(in super::super) fn disks(reading: &Reading<'_>) -> HashMap<String, DiskFile> {
    let Answer::Objects(objects) = reading.ask(Question::Disks) else { return HashMap::new() };
    objects.iter().filter_map(disk).map(|disk| (disk.path.key(), disk)).collect()
}

fn disk(object: &Object) -> Option<DiskFile> {
    let path = WindowsPath::new(object.text("Path")?);
    let kind = object.number("Type")?;
    let file_size = ByteSize(object.number("FileSize")?);
    let parent = object.text("ParentPath").filter(|parent| !parent.is_empty()).map(WindowsPath::new);
    Some(DiskFile {
        format: TYPES
            .iter()
            .find(|(number, _)| *number == kind)
            .map_or_else(|| format!("vhd-{kind}"), |(_, name)| (*name).to_owned()),
        virtual_size: ByteSize(object.number("MaxInternalSize")?),
        file_size,
        // What the file has at most.
        allocated: file_size,
        unique_id: String::new(),
        parent,
        geometry_size: None,
        remarks: Vec::new(),
        place: place(V1, format!("Msvm_ImageManagementService.GetVirtualHardDiskInfo('{path}')")),
        path,
    })
}
