//! Files for KVM under libvirt: disks, domain and network XML, and scripts that define them.
//!
//! Layout: `networks/NAME.xml`, `machines/FOLDER.xml`, and at the end `define.sh`, `undefine.sh` and `README.txt`. The format of
//! the XML is that of <https://libvirt.org/formatdomain.html> and <https://libvirt.org/formatnetwork.html>.

mod carries;
mod complete;
mod devices;
mod domain;
mod naming;
mod network;
mod observe;
mod sh;
mod xml;

use std::path::{Path, PathBuf};

use hvm_model::capabilities::{Capabilities, DestinationKind, DiskFormat};
use hvm_model::names::ByteSize;
use hvm_model::plan::{Action, Plan, Step};
use hvm_model::setting::{Carry, Setting};

use crate::destination::Destination;
use crate::error::DestinationError;
use crate::hyperv::{find_machine, find_switch};
use crate::uri::Uri;
use crate::{files, names};

const PARAMETERS: [&str; 9] =
    ["format", "type", "kvm", "processors", "memory", "free", "adapters", "machines", "switches"];

/// Who runs the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DomainType {
    /// The processor, with KVM.
    Kvm,
    /// QEMU's own emulation.
    Qemu,
}

impl DomainType {
    /// The word in the XML.
    pub fn word(self) -> &'static str {
        match self {
            DomainType::Kvm => "kvm",
            DomainType::Qemu => "qemu",
        }
    }
}

/// Files in a folder.
#[derive(Debug)]
pub struct LibvirtFiles {
    root: PathBuf,
    domain_type: DomainType,
    capabilities: Capabilities,
}

impl LibvirtFiles {
    /// Opens the folder; it need not exist yet.
    pub(crate) fn open(uri: &Uri) -> Result<LibvirtFiles, DestinationError> {
        uri.check(&PARAMETERS)?;
        let format = uri.word("format", &["qcow2", "raw"])?;
        let kind = uri.word("type", &["kvm", "qemu"])?;
        let kvm = uri.word("kvm", &["yes", "no"])?;
        let emulated = kind.as_deref() == Some("qemu") || (kind.is_none() && kvm.as_deref() == Some("no"));
        let raw = format.as_deref() == Some("raw");
        let size = "a size such as 32GiB is wanted";
        let capabilities = Capabilities {
            uri: uri.text.clone(),
            kind: DestinationKind::Libvirt,
            disk_format: if raw { DiskFormat::Raw } else { DiskFormat::Qcow2 },
            // What 64 KiB clusters and a level-1 table of 32 MiB can address; plain files end at the largest offset.
            max_disk_size: if raw { ByteSize(i64::MAX as u64) } else { ByteSize(1 << 61) },
            max_processors: 255,
            max_memory: ByteSize(4 << 40),
            keeps_checkpoints: false,
            logical_processors: uri.value("processors", "a whole number is wanted")?,
            memory: uri.value("memory", size)?,
            free_space: uri.value("free", size)?,
            ui_language: None,
            edition: None,
            adapters: uri.list("adapters")?,
            adapter_details: Vec::new(),
            machines: uri.list("machines")?.unwrap_or_default(),
            switches: uri.list("switches")?.unwrap_or_default(),
            mac_addresses: Vec::new(),
            machine_ids: Vec::new(),
        };
        let domain_type = if emulated { DomainType::Qemu } else { DomainType::Kvm };
        Ok(LibvirtFiles { root: uri.folder.clone(), domain_type, capabilities })
    }

    /// The absolute path of the root, as it stands in the XML.
    fn absolute_root(&self) -> Result<String, DestinationError> {
        std::fs::create_dir_all(&self.root).map_err(DestinationError::io(&self.root, "create the folder"))?;
        let absolute = std::fs::canonicalize(&self.root).map_err(DestinationError::io(&self.root, "resolve"))?;
        absolute.to_str().map(str::to_owned).ok_or_else(|| DestinationError::Impossible {
            what: format!("'{}'", absolute.display()),
            destination: "libvirt XML".to_owned(),
            reason: "the path is not UTF-8".to_owned(),
        })
    }
}

impl Destination for LibvirtFiles {
    fn capabilities(&self) -> Result<Capabilities, DestinationError> {
        Ok(self.capabilities.clone())
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn safe_name(&self, text: &str) -> String {
        names::safe(text)
    }

    fn outputs(&self, plan: &Plan, step: &Step) -> Vec<String> {
        match &step.action {
            Action::CreateSwitch { switch } => {
                let found = plan.role.switches.iter().find(|found| found.id == *switch);
                found.map(|found| naming::network_file(&plan.role, found)).into_iter().collect()
            }
            Action::RegisterMachine { machine } => {
                let found = plan.role.machines.iter().find(|found| found.id == *machine);
                found.map(naming::machine_file).into_iter().collect()
            }
            Action::CopyDisk { disk, .. } => vec![disk.target.clone()],
            Action::CopyFile { file } => vec![file.target.clone()],
            Action::Complete => complete::OUTPUTS.map(str::to_owned).to_vec(),
            Action::ApplySettings
            | Action::CreateManagementAdapter { .. }
            | Action::Confirm { .. }
            | Action::CheckSource
            | Action::CheckDestination
            | Action::CreateCheckpoint { .. }
            | Action::TakeFolder
            | Action::CarryOver { .. }
            | Action::ImportOnHost
            | Action::ObserveOnHost => Vec::new(),
        }
    }

    fn perform(&self, plan: &Plan, step: &Step) -> Result<Vec<String>, DestinationError> {
        let role = &plan.role;
        match &step.action {
            // They have no counterpart here; what was lost is in the README and in the report.
            Action::ApplySettings | Action::CreateManagementAdapter { .. } => {}
            Action::CreateSwitch { switch } => {
                let switch = find_switch(plan, step, switch)?;
                let document = network::document(role, switch).document();
                files::write(&self.root, &naming::network_file(role, switch), &document)?;
            }
            Action::RegisterMachine { machine } => {
                let machine = find_machine(plan, step, machine)?;
                let root = self.absolute_root()?;
                let document = domain::Writer { plan, machine, root: &root, domain_type: self.domain_type }.document();
                files::write(&self.root, &naming::machine_file(machine), &document.document())?;
            }
            Action::Complete => complete::perform(&self.root, &self.absolute_root()?, plan)?,
            _ => return Err(DestinationError::NotMine { step: step.id.clone() }),
        }
        Ok(self.outputs(plan, step))
    }

    fn observe(&self) -> Result<Vec<Setting>, DestinationError> {
        observe::settings(&self.root)
    }

    fn carries(&self, setting: &Setting) -> Carry {
        carries::carries(setting)
    }
}
