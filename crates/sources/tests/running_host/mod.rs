//! The sample host as one that runs: a server of Windows Remote Management made of independent Python parts has its recorded answers
//! and its registry, and runs the scripts that read its files. What is missing is said aloud.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hvm_model::inventory::Inventory;
use hvm_sources::{Source, SourceError};
use hvm_testkit::running_host::FilesOfHost;
use hvm_testkit::sample::{self, SampleHost, Variant, answers, answers::DiskInfo, live};
use hvm_winrm::Secret;

pub const PASSWORD: &str = "Passw0rd!";

/// A host that runs.
pub struct Running {
    child: Child,
    pub port: u16,
    pub files: FilesOfHost,
    /// The drives of the host, as a source `folder:`.
    pub host: SampleHost,
    /// What it answers.
    pub recorded: PathBuf,
    folder: tempfile::TempDir,
}

/// The Python that has the packages.
pub fn python(packages: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let python = target.join("peers").join("bin").join("python");
    let check = Command::new(&python).args(["-c", &format!("import {packages}")]).output().ok()?;
    check.status.success().then_some(python)
}

impl Running {
    /// Starts it, or says why not.
    pub fn start(
        variant: Variant,
        more: &[&str],
        told_disks: impl FnOnce(&Inventory) -> Vec<DiskInfo>,
    ) -> Option<Running> {
        let Some(python) = python("spnego, psrpcore") else {
            println!("SKIPPED: pyspnego and psrpcore are not in target/peers (`cargo xtask test` installs them)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let host = sample::write(&root.join("host"), variant).unwrap();
        let of_files = hvm_sources::open(&format!("folder:{}", host.folder.display())).unwrap().inventory().unwrap();
        let recorded = root.join("recorded");
        live::write(&recorded, variant, &told_disks(&of_files)).unwrap();
        let files = FilesOfHost::start(&host.folder).unwrap();
        let users = root.join("users");
        fs::write(&users, format!("HVOLD:Administrator:{PASSWORD}\n")).unwrap();
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../winrm/tests/peer/server.py");
        let mut command = Command::new(python);
        command.arg(server).arg("--host").arg(files.port().to_string()).arg("--recorded").arg(&recorded).args(more);
        command.arg("--record").arg(root.join("record"));
        command.env("NTLM_USER_FILE", &users).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server prints its port");
        Some(Running { child, port, files, host, recorded, folder })
    }

    /// What it is called.
    pub fn uri(&self) -> String {
        format!("winrm://127.0.0.1:{}?user=HVOLD%5CAdministrator&transport=http", self.port)
    }

    /// The host as a source.
    pub fn open(&self) -> Result<Box<dyn Source>, SourceError> {
        self.open_files("winrm")
    }

    /// The host as a source whose files are read in this way.
    pub fn open_files(&self, way: &str) -> Result<Box<dyn Source>, SourceError> {
        let uri = format!("{}&files={way}", self.uri());
        hvm_sources::select::open_with(&uri, Some(Secret::new(PASSWORD.to_owned())))
    }

    /// The host says which serial number the volume of a drive has.
    pub fn number_volume(&self, letter: char, serial: &str) {
        let path = self.recorded.join("wmi").join("root.cimv2").join("Win32_LogicalDisk.xml");
        let bytes = fs::read(&path).unwrap();
        let units: Vec<u16> =
            bytes.chunks_exact(2).skip(1).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16(&units).unwrap();
        let property = "<PROPERTY NAME=\"VolumeSerialNumber\" TYPE=\"string\">";
        let disk = format!("<VALUE>{letter}:</VALUE></PROPERTY>");
        let (before, after) = text.split_once(&disk).unwrap();
        let after = match after.strip_prefix(property) {
            Some(old) => old.split_once("</PROPERTY>").unwrap().1,
            None => after,
        };
        let text = format!("{before}{disk}{property}<VALUE>{serial}</VALUE></PROPERTY>{after}");
        fs::write(path, answers::utf16(&text)).unwrap();
    }

    /// The host has a drive that is locked.
    pub fn add_locked_drive(&self, letter: char) {
        let path = self.recorded.join("wmi").join("root.cimv2").join("Win32_LogicalDisk.xml");
        let bytes = fs::read(&path).unwrap();
        let units: Vec<u16> =
            bytes.chunks_exact(2).skip(1).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16(&units).unwrap();
        let property = |name: &str, kind: &str, value: &str| {
            format!("<PROPERTY NAME=\"{name}\" TYPE=\"{kind}\"><VALUE>{value}</VALUE></PROPERTY>")
        };
        let (id, kind) = (property("DeviceID", "string", &format!("{letter}:")), property("DriveType", "uint32", "3"));
        let locked = format!("<INSTANCE CLASSNAME=\"Win32_LogicalDisk\">{id}{kind}</INSTANCE>");
        fs::write(path, answers::utf16(&text.replacen("<INSTANCE", &format!("{locked}<INSTANCE"), 1))).unwrap();
    }

    /// The requests that it got.
    pub fn record(&self) -> String {
        fs::read_to_string(self.folder.path().join("record")).unwrap()
    }

    /// Ends the server.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
