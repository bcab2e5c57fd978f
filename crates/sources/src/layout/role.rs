//! A system volume with the Hyper-V role, and the other volumes of the same host.

use hvm_formats::disk::{self, SharedDisk};
use hvm_formats::io::SharedFile;
use hvm_model::inventory::{Inventory, SourceDescription};
use hvm_model::names::WindowsPath;

use super::hives;
use crate::error::SourceError;
use crate::fingerprint;
use crate::gate::TreeGate;
use crate::reach::ReadOnlyTree;
use crate::reach::variables::Variables;
use crate::source::Source;
use crate::understand::registry::Registry;
use crate::understand::{self, Reading};

/// Folder of the registry hives on the system drive.
const CONFIG: &str = r"Windows\System32\config";
/// Folder of Hyper-V's own data on the system drive.
const HYPER_V: &str = r"ProgramData\Microsoft\Windows\Hyper-V";

/// A host as its volumes show it.
pub(crate) struct RoleSource {
    uri: String,
    reach: &'static str,
    tree: Box<dyn ReadOnlyTree>,
    system_drive: char,
}

impl RoleSource {
    /// Finds the system volume among the drives: the one with the hives, or else with Hyper-V's data.
    pub(crate) fn find(uri: &str, reach: &'static str, tree: Box<dyn ReadOnlyTree>) -> Result<RoleSource, SourceError> {
        let letters: Vec<char> = tree.drives().iter().map(|(letter, _)| *letter).collect();
        let holds = |folder: &str| {
            let is_there = |letter: &&char| tree.exists(&WindowsPath::new(&format!("{letter}:\\{folder}")));
            letters.iter().find(is_there).copied()
        };
        let found = holds(&format!("{CONFIG}\\SYSTEM")).or_else(|| holds(CONFIG)).or_else(|| holds(HYPER_V));
        let system_drive = found.ok_or_else(|| SourceError::NoSystem {
            drives: letters.iter().map(|letter| format!("{letter}:")).collect::<Vec<_>>().join(", "),
        })?;
        Ok(RoleSource { uri: uri.to_owned(), reach, tree, system_drive })
    }

    fn hive_path(&self, name: &str) -> WindowsPath {
        WindowsPath::new(&format!("{}:\\{CONFIG}\\{name}", self.system_drive))
    }

    fn registry(&self, name: &str) -> Registry {
        let path = self.hive_path(name);
        Registry::new(name, path.clone(), hives::read(&*self.tree, &path))
    }

    /// Files that are used whatever the inventory holds, and folders whose names count.
    fn own_files(&self) -> fingerprint::Own {
        let names = ["SYSTEM", "SOFTWARE"].into_iter();
        let ends = || std::iter::once("").chain(hives::LOGS);
        let files = names.flat_map(|name| ends().map(move |end| format!("{name}{end}")));
        let hyper_v = WindowsPath::new(&format!("{}:\\{HYPER_V}", self.system_drive));
        fingerprint::Own {
            files: files.map(|name| self.hive_path(&name)).collect(),
            folders: ["Virtual Machines", "Snapshots"].map(|name| hyper_v.join(name)).to_vec(),
        }
    }
}

impl Source for RoleSource {
    fn describe(&self) -> SourceDescription {
        let drives = self.tree.drives().into_iter().map(|(letter, path)| (format!("{letter}:"), path));
        SourceDescription {
            uri: self.uri.clone(),
            reach: self.reach.to_owned(),
            layout: "role".to_owned(),
            drives: drives.collect(),
        }
    }

    fn inventory(&self) -> Result<Inventory, SourceError> {
        self.tree.refresh();
        let variables = Variables::usual(self.system_drive);
        let reading = Reading::new(&*self.tree, variables, self.registry("SYSTEM"), self.registry("SOFTWARE"));
        let mut inventory = understand::inventory(reading, self.describe());
        inventory.problems.extend(self.tree.problems());
        Ok(inventory)
    }

    fn open_disk(&self, path: &WindowsPath) -> Result<SharedDisk, SourceError> {
        Ok(disk::open(self.tree.open(path)?, &TreeGate::new(&*self.tree))?)
    }

    fn open_file(&self, path: &WindowsPath) -> Result<SharedFile, SourceError> {
        Ok(self.tree.open(path)?)
    }

    fn fingerprint(&self, inventory: &Inventory) -> Result<String, SourceError> {
        self.tree.refresh();
        Ok(fingerprint::of(&*self.tree, &self.own_files(), inventory))
    }
}
