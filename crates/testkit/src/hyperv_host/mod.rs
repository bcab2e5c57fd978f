//! A model of a Hyper-V host at the level of its cmdlets: state that can be looked at, and commands that change it.
//!
//! It is written from Microsoft's documentation of the cmdlets and of the WMI classes, release by release, and shares nothing
//! with what writes the scripts. What is not documented is not invented: the stricter of the possible answers is taken and
//! the place says so. No real host was ever compared with it.

mod accounts;
mod adapters;
mod computer;
mod configuration;
mod drives;
mod files;
mod firewall;
mod machines;
mod mirror;
mod network;
#[cfg(test)]
mod network_tests;
mod objects;
mod parts;
mod registration;
mod registry;
mod release;
mod served;
mod signature;
mod snapshots;
mod sockets;
mod state;
mod streams;
mod switches;
mod tasks;
#[cfg(test)]
mod tests;
mod windows;
mod wmi;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::powershell::{Cache, Outcome, Run, Shell, Signature, Stop, Value, thrown};

pub use files::{File, Files};
pub use mirror::Mirror;
pub use release::Release;
pub use served::Served;
pub(crate) use served::argument;
pub use signature::FUNCTION_MODULES;
pub use state::*;

/// What happens on a host while one of its scripts runs.
type Meanwhile = Box<dyn FnMut(&mut Host)>;

/// What does not change on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// Logical processors.
    pub processors: i64,
    /// Memory, bytes.
    pub memory: i64,
    /// Free space of each volume, bytes.
    pub free: i64,
    /// Whether the user is an administrator.
    pub administrator: bool,
}

/// A host.
pub struct Host {
    /// Its release.
    pub release: Release,
    /// Its hardware.
    pub hardware: Hardware,
    /// Everything that scripts can change, other than files.
    pub state: State,
    /// Its files.
    pub files: Files,
    commands: Rc<BTreeMap<String, Rc<Signature>>>,
    cache: Cache,
    next: u64,
    changes: u64,
    cut: Option<u64>,
    meanwhile: Option<Meanwhile>,
    refused: Option<String>,
    sockets: sockets::Sockets,
}

impl Clone for Host {
    fn clone(&self) -> Host {
        Host {
            release: self.release,
            hardware: self.hardware.clone(),
            state: self.state.clone(),
            files: self.files.clone(),
            commands: self.commands.clone(),
            cache: self.cache.clone(),
            next: self.next,
            changes: 0,
            cut: None,
            meanwhile: None,
            refused: self.refused.clone(),
            sockets: sockets::Sockets::default(),
        }
    }
}

/// The disk that Windows is on, and two that it leaves alone.
fn disks() -> Vec<Disk> {
    let guid = "{6F1D2C3B-4A59-4687-9012-3456789ABCDE}".to_owned();
    vec![
        Disk { number: 0, guid: "{00000000-1111-4222-8333-444444444444}".to_owned(), ..Disk::default() },
        Disk {
            number: 1,
            signature: Some(0x0A2B_3C4D),
            serial: " WD-1 ".to_owned(),
            is_offline: true,
            ..Disk::default()
        },
        Disk { number: 2, guid, serial: "WD-2".to_owned(), is_offline: true, ..Disk::default() },
    ]
}

impl Host {
    /// A host with the role installed, nothing on it, and physical network adapters of these names.
    pub fn new(release: Release, adapters: &[&str]) -> Host {
        let mut host = Host {
            release,
            hardware: Hardware { processors: 16, memory: 64 << 30, free: 1 << 40, administrator: true },
            state: State::default(),
            files: Files::default(),
            commands: Rc::new(signature::commands(release)),
            cache: Cache::default(),
            next: 1,
            changes: 0,
            cut: None,
            meanwhile: None,
            refused: None,
            sockets: sockets::Sockets::default(),
        };
        for folder in
            [r"C:\ProgramData\Microsoft\Windows\Hyper-V", r"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks", "D:"]
        {
            host.files.create_folder(folder);
        }
        host.state.settings = HostSettings {
            mac_minimum: "00155D0A0B00".to_owned(),
            mac_maximum: "00155D0A0BFF".to_owned(),
            disk_path: r"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks".to_owned(),
            machine_path: r"C:\ProgramData\Microsoft\Windows\Hyper-V".to_owned(),
            numa_spanning: true,
            enhanced_session: false,
        };
        registry::prepare(&mut host.state, release);
        host.state.disks = disks();
        for name in adapters {
            let (index, id) = (host.next_number(), host.new_id());
            let mut interface = Interface::new(index as i64, &format!("{{{id}}}"), name);
            interface.physical = true;
            interface.description = format!("Example Gigabit Adapter #{index}");
            interface.properties =
                ["*VMQ", "*RSS", "EnableRSS"].map(|keyword| (keyword.to_owned(), "1".to_owned())).into();
            host.state.interfaces.push(interface);
        }
        host
    }

    /// Runs a script file with parameters.
    pub fn run(&mut self, path: &str, arguments: &[(&str, Value)]) -> Outcome {
        let cache = self.cache.clone();
        Shell::new(self, &cache).run(path, arguments)
    }

    /// Runs lines of a script.
    pub fn run_text(&mut self, text: &str) -> Result<Vec<Value>, Stop> {
        let cache = self.cache.clone();
        let text = format!("Set-StrictMode -Version 2\n$ErrorActionPreference = 'Stop'\n{text}");
        Shell::new(self, &cache).run_text(&text).0
    }

    /// The host goes off before this change, counted from 0 since it was made or cloned.
    pub fn cut_at(&mut self, change: u64) {
        self.cut = Some(change);
    }

    /// From now on every call of this command fails, or of none.
    pub fn refuse(&mut self, command: Option<&str>) {
        self.refused = command.map(str::to_owned);
    }

    /// How many changes there were since it was made or cloned.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Runs a script that is given as text with parameters. Gives its output and its warnings.
    pub fn run_script(&mut self, text: &str, arguments: Vec<(String, Value)>) -> (Run<Vec<Value>>, Vec<String>) {
        let cache = self.cache.clone();
        Shell::new(self, &cache).run_script(text, arguments)
    }

    /// Called before each change of state or files.
    fn change(&mut self) -> Run<()> {
        // Taken away while it runs, since it may run scripts that change something.
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile(self);
            self.meanwhile = Some(meanwhile);
        }
        if self.cut.is_some_and(|cut| self.changes >= cut) {
            return Err(Stop::Cut);
        }
        self.changes += 1;
        Ok(())
    }

    fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// An id that no other thing of this host has.
    fn new_id(&mut self) -> String {
        let number = self.next_number();
        format!("{number:08X}-5DAB-4C0E-9B61-0000{number:08X}")
    }

    /// The place of the machine with an id.
    fn machine(&mut self, id: &str) -> Run<&mut Machine> {
        let found = self.state.machines.iter_mut().find(|machine| machine.id == id);
        found.map_or_else(|| thrown(format!("The virtual machine {id} is not there any more.")), Ok)
    }

    /// The virtual network with an id.
    fn switch(&self, id: &str) -> Option<&Switch> {
        self.state.switches.iter().find(|switch| switch.id == id)
    }
}
