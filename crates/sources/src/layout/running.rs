//! A host that runs, as it describes itself.

use std::sync::Arc;

use hvm_model::names::WindowsPath;

use super::host::Layout;
use crate::error::SourceError;
use crate::fingerprint;
use crate::reach::ReadOnlyTree;
use crate::reach::running::Link;
use crate::reach::running::registry::LiveRegistry;
use crate::reach::variables::Variables;
use crate::understand::registry::Registry;

/// Folder of Hyper-V's own data on the system drive.
const HYPER_V: &str = r"ProgramData\Microsoft\Windows\Hyper-V";

/// A host that runs.
pub(crate) struct Running {
    link: Arc<Link>,
    system_drive: char,
}

impl Running {
    /// Asks a host which of its drives Windows is on.
    pub(crate) fn find(link: Arc<Link>) -> Result<Running, SourceError> {
        let found = link.query("root/cimv2", "SELECT * FROM Win32_OperatingSystem");
        link.lost().map_or(Ok(()), Err)?;
        let unknown = |reason: String| SourceError::NoSystemDrive { host: link.host().to_owned(), reason };
        let found = found.map_err(unknown)?;
        let drive = found.first().and_then(|system| system.text("SystemDrive")?.chars().next());
        let letter = drive.filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase());
        let system_drive =
            letter.ok_or_else(|| unknown("Win32_OperatingSystem has no letter in SystemDrive.".to_owned()))?;
        Ok(Running { link, system_drive })
    }
}

impl Layout for Running {
    fn word(&self) -> &'static str {
        "role"
    }

    fn variables(&self) -> Variables {
        Variables::usual(self.system_drive)
    }

    fn registry(&self, _: &dyn ReadOnlyTree, name: &str) -> Registry {
        Registry::live(name, Box::new(LiveRegistry::new(Arc::clone(&self.link))))
    }

    fn roots(&self) -> Vec<WindowsPath> {
        Vec::new()
    }

    /// The files of the hives change all the time while Windows runs, and say nothing.
    fn own(&self) -> fingerprint::Own {
        let hyper_v = WindowsPath::new(&format!("{}:\\{HYPER_V}", self.system_drive));
        fingerprint::Own {
            files: Vec::new(),
            folders: ["Virtual Machines", "Snapshots"].map(|name| hyper_v.join(name)).to_vec(),
        }
    }
}
