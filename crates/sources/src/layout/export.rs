//! Folders that Hyper-V exported machines into: `Virtual Machines`, `Snapshots` and `Virtual Hard Disks` for each machine, the
//! configuration as plain XML (2012, 2012 R2), in tables (`.vmcx`, 2016 and later) or as objects of WMI (`.exp`, 2008, 2008 R2).
//! Nothing of the host is in them.

use hvm_model::names::WindowsPath;

use super::NoHive;
use super::hives::Absence;
use super::host::Layout;
use crate::fingerprint;
use crate::reach::ReadOnlyTree;
use crate::reach::variables::Variables;
use crate::understand::registry::Registry;

/// Exported machines.
pub(crate) struct Export {
    letter: char,
    roots: Vec<WindowsPath>,
}

impl Export {
    /// The machines in these folders of a drive.
    pub(crate) fn new(letter: char, roots: Vec<WindowsPath>) -> Export {
        Export { letter, roots }
    }
}

impl Layout for Export {
    fn word(&self) -> &'static str {
        "export"
    }

    fn variables(&self) -> Variables {
        Variables::usual(self.letter)
    }

    fn registry(&self, _: &dyn ReadOnlyTree, name: &str) -> Registry {
        let path = WindowsPath::new(&format!("{}:\\", self.letter));
        let reason = format!("An export of machines does not hold the hive {name} of their host.");
        Registry::new(name, path, Err(NoHive { absence: Absence::NotHere, reason }))
    }

    fn roots(&self) -> Vec<WindowsPath> {
        self.roots.clone()
    }

    fn own(&self) -> fingerprint::Own {
        let folders = |root: &WindowsPath| ["Virtual Machines", "Snapshots"].map(|name| root.join(name));
        fingerprint::Own { files: Vec::new(), folders: self.roots.iter().flat_map(folders).collect() }
    }
}
