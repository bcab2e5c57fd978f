//! A system volume with the Hyper-V role, and the other volumes of the same host.

use hvm_model::names::WindowsPath;

use super::hives;
use super::host::Layout;
use crate::error::SourceError;
use crate::fingerprint;
use crate::reach::ReadOnlyTree;
use crate::reach::variables::Variables;
use crate::understand::registry::Registry;

/// Folder of the registry hives on the system drive.
const CONFIG: &str = r"Windows\System32\config";
/// Folder of Hyper-V's own data on the system drive.
const HYPER_V: &str = r"ProgramData\Microsoft\Windows\Hyper-V";

/// A host as its volumes show it.
pub(crate) struct Role {
    system_drive: char,
}

impl Role {
    /// Finds the system volume among the drives: the one with the hives, or else with Hyper-V's data.
    pub(crate) fn find(tree: &dyn ReadOnlyTree) -> Result<Role, SourceError> {
        let letters: Vec<char> = tree.drives().iter().map(|(letter, _)| *letter).collect();
        let holds = |folder: &str| {
            let is_there = |letter: &&char| tree.exists(&WindowsPath::new(&format!("{letter}:\\{folder}")));
            letters.iter().find(is_there).copied()
        };
        let found = holds(&format!("{CONFIG}\\SYSTEM")).or_else(|| holds(CONFIG)).or_else(|| holds(HYPER_V));
        let system_drive = found.ok_or_else(|| SourceError::NoSystem {
            drives: letters.iter().map(|letter| format!("{letter}:")).collect::<Vec<_>>().join(", "),
        })?;
        Ok(Role { system_drive })
    }

    fn hive_path(&self, name: &str) -> WindowsPath {
        WindowsPath::new(&format!("{}:\\{CONFIG}\\{name}", self.system_drive))
    }
}

impl Layout for Role {
    fn word(&self) -> &'static str {
        "role"
    }

    fn variables(&self) -> Variables {
        Variables::usual(self.system_drive)
    }

    fn registry(&self, tree: &dyn ReadOnlyTree, name: &str) -> Registry {
        let path = self.hive_path(name);
        Registry::new(name, path.clone(), hives::read(tree, &path))
    }

    fn roots(&self) -> Vec<WindowsPath> {
        Vec::new()
    }

    fn own(&self) -> fingerprint::Own {
        let names = ["SYSTEM", "SOFTWARE"].into_iter();
        let ends = || std::iter::once("").chain(hives::LOGS);
        let files = names.flat_map(|name| ends().map(move |end| format!("{name}{end}")));
        let hyper_v = WindowsPath::new(&format!("{}:\\{HYPER_V}", self.system_drive));
        fingerprint::Own {
            files: files.map(|name| self.hive_path(&name)).chain([hyper_v.join("data.vmcx")]).collect(),
            folders: ["Virtual Machines", "Snapshots"].map(|name| hyper_v.join(name)).to_vec(),
        }
    }
}
