//! Virtual hard disks as Hyper-V describes them, for those whose content cannot be read: of a collection, which has none, and those
//! that a running machine holds. `GetVirtualHardDiskInfo` of the first version of its classes gives `Msvm_VirtualHardDiskInfo`,
//! `GetVirtualHardDiskSettingData` of the second `Msvm_VirtualHardDiskSettingData`.

use std::collections::HashMap;

use hvm_formats::cim::Object;
use hvm_model::disk::DiskFile;
use hvm_model::names::{ByteSize, WindowsPath};

use super::super::Reading;
use super::place;
use crate::reach::answers::{Answer, Question, V1, V2};

/// `Type` of a disk, and the end of its name in the inventory.
const TYPES: [(u64, &str); 3] = [(2, "fixed"), (3, "dynamic"), (4, "differencing")];
/// `Format` of the second version, and the begin of the name.
const FORMATS: [(u64, &str); 3] = [(2, "vhd"), (3, "vhdx"), (4, "vhds")];

/// What the host tells of disks.
pub(in super::super) struct ToldDisks {
    /// By their paths without regard to case; `None` for one of which nothing is told.
    known: HashMap<String, Option<DiskFile>>,
}

impl ToldDisks {
    /// With those of which the host told when it was asked for all.
    pub(in super::super) fn new(reading: &Reading<'_>) -> ToldDisks {
        let objects = match reading.ask(Question::Disks) {
            Answer::Objects(objects) => objects,
            Answer::Silent | Answer::Failed(_) => Vec::new(),
        };
        let disks = objects.iter().filter_map(|object| disk(reading, object));
        ToldDisks { known: disks.map(|disk| (disk.path.key(), Some(disk))).collect() }
    }

    /// One disk; a host that runs is asked for it.
    pub(in super::super) fn of(&mut self, reading: &Reading<'_>, path: &WindowsPath) -> Option<DiskFile> {
        let ask = || match reading.ask(Question::Disk(path.as_str())) {
            Answer::Objects(objects) => disk(reading, objects.first()?),
            Answer::Silent | Answer::Failed(_) => None,
        };
        self.known.entry(path.key()).or_insert_with(ask).clone()
    }
}

fn disk(reading: &Reading<'_>, object: &Object) -> Option<DiskFile> {
    let path = WindowsPath::new(object.text("Path")?);
    let word = |words: &[(u64, &'static str)], number: u64| {
        words
            .iter()
            .find(|(known, _)| *known == number)
            .map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned())
    };
    let is_second = object.is("Msvm_VirtualHardDiskSettingData");
    let format = if is_second { word(&FORMATS, object.number("Format")?) } else { "vhd".to_owned() };
    let kind = word(&TYPES, object.number("Type")?);
    // The second version tells the length of the file elsewhere; its folder tells it as well.
    let listed = || reading.tree.metadata(&path).ok().map(|metadata| metadata.size);
    let file_size = ByteSize(object.number("FileSize").or_else(listed)?);
    let parent = object.text("ParentPath").filter(|parent| !parent.is_empty()).map(WindowsPath::new);
    let (namespace, method) =
        if is_second { (V2, "GetVirtualHardDiskSettingData") } else { (V1, "GetVirtualHardDiskInfo") };
    Some(DiskFile {
        format: format!("{format}-{kind}"),
        virtual_size: ByteSize(object.number("MaxInternalSize")?),
        file_size,
        // What the file has at most.
        allocated: file_size,
        unique_id: String::new(),
        parent,
        geometry_size: None,
        remarks: Vec::new(),
        place: place(namespace, format!("Msvm_ImageManagementService.{method}('{path}')")),
        path,
    })
}
