//! Puts files of the host in their places.

use super::{SampleHost, SampleMachine, Variant, ids};
use crate::vmxml::{MachineXml, Node};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A host that is being written.
pub(super) struct HostWriter {
    pub(super) host: SampleHost,
}

impl HostWriter {
    pub(super) fn new(folder: &Path, variant: Variant) -> io::Result<Self> {
        let drives: Vec<(char, PathBuf)> = ['C', 'D'].map(|letter| (letter, folder.join(letter.to_string()))).to_vec();
        for (_, path) in &drives {
            fs::create_dir_all(path)?;
        }
        let host = SampleHost {
            folder: folder.to_owned(),
            variant,
            computer_name: ids::COMPUTER_NAME.to_owned(),
            drives,
            machines: Vec::new(),
            disks: Vec::new(),
            networks: Vec::new(),
            expected_serial: String::new(),
            planted: Vec::new(),
        };
        Ok(Self { host })
    }

    pub(super) fn variant(&self) -> Variant {
        self.host.variant
    }

    pub(super) fn into_host(self) -> SampleHost {
        self.host
    }

    /// The place of a file, its folder made.
    pub(super) fn place(&self, windows_path: &str) -> io::Result<PathBuf> {
        let path = map_path(&self.host.folder, windows_path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(path)
    }

    /// Writes a file.
    pub(super) fn file(&self, windows_path: &str, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.place(windows_path)?, bytes)
    }

    /// Writes the configuration of a machine into the default folder and lists the machine.
    pub(super) fn machine(&mut self, machine: &MachineXml) -> io::Result<()> {
        let registered_as = format!(r"{}\Virtual Machines\{}.xml", ids::HYPER_V_ROOT, machine.id);
        self.configuration(machine, &machine.to_node(), registered_as.clone(), registered_as)
    }

    /// The same for a machine whose configuration lies elsewhere: the default folder gets a symbolic link to it.
    pub(super) fn linked_machine(&mut self, machine: &MachineXml, config_windows_path: &str) -> io::Result<()> {
        let registered_as = format!(r"{}\Virtual Machines\{}.xml", ids::HYPER_V_ROOT, machine.id);
        link(&self.place(&registered_as)?, config_windows_path)?;
        self.configuration(machine, &machine.to_node(), registered_as, config_windows_path.to_owned())
    }

    fn configuration(&mut self, xml: &MachineXml, node: &Node, registered_as: String, at: String) -> io::Result<()> {
        let config = self.place(&at)?;
        fs::write(&config, node.to_utf16())?;
        self.host.machines.push(SampleMachine {
            id: xml.id.clone(),
            name: xml.name.clone(),
            registered_as,
            config_windows_path: at,
            config,
        });
        Ok(())
    }
}

/// `C:\x\y` as `folder/C/x/y`.
pub(super) fn map_path(folder: &Path, windows_path: &str) -> PathBuf {
    windows_path
        .split('\\')
        .map(|part| part.trim_end_matches(':'))
        .fold(folder.to_owned(), |path, part| path.join(part))
}

/// Makes a symbolic link whose text is a Windows path, as a mounted NTFS volume shows it.
fn link(at: &Path, target: &str) -> io::Result<()> {
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, at);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(target, at);
}
