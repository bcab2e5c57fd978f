//! The sample host as one whose drives are shared: by Samba on loopback, as the administrative shares are. Samba shows no links of
//! Windows, so that files stand where the host has links. What is missing is said aloud.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::PathBuf;

use hvm_smb::{Client, Credentials, Endpoint, Login, Mechanism, Options};
use hvm_sources::{Source, SourceError};
use hvm_testkit::samba::{PASSWORD, Samba, USER, files_for_links};
use hvm_testkit::sample::{self, SampleHost, Variant};
use hvm_winrm::Secret;

/// A host whose drives are shared.
pub struct Shared {
    pub samba: Samba,
    /// Its drives, as a source `folder:`.
    pub folder: PathBuf,
    pub host: SampleHost,
    _root: tempfile::TempDir,
}

impl Shared {
    /// Starts it, with these lines in the configuration of the server, or says why not.
    pub fn start(variant: Variant, global: &str) -> Option<Shared> {
        if let Some(missing) = Samba::missing() {
            println!("SKIPPED: {missing}");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("host");
        let host = sample::write(&folder, variant).unwrap();
        files_for_links(&folder).unwrap();
        let own = root.path().join("samba");
        fs::create_dir(&own).unwrap();
        let (c, d) = (folder.join("C"), folder.join("D"));
        // Where shadow copies are, when the server is told to show some.
        let [of_c, of_d] = [&c, &d].map(|path| {
            let path = path.canonicalize().unwrap();
            format!("shadow:mountpoint = {}\nshadow:snapdir = .snapshots", path.display())
        });
        let samba =
            Samba::start(&own, global, &[("C$", &c, &of_c), ("D$", &d, &of_d), ("whole", &folder, "")]).unwrap();
        Some(Shared { samba, folder, host, _root: root })
    }

    /// The host as a source; `drives` is what stands behind its name.
    pub fn open(&self, drives: &str) -> Result<Box<dyn Source>, SourceError> {
        let uri = format!("smb://{USER}@127.0.0.1:{}/{drives}", self.samba.port);
        hvm_sources::select::open_with(&uri, Some(Secret::new(PASSWORD.to_owned())))
    }

    /// The serial number of the volume that a share is on.
    pub fn serial(&self, share: &str) -> u32 {
        let endpoint = Endpoint::new("127.0.0.1", Some(self.samba.port)).unwrap();
        let credentials = Credentials { user: USER.to_owned(), password: Secret::new(PASSWORD.to_owned()) };
        let login = Login { credentials, mechanism: Mechanism::Ntlm };
        let client = Client::connect(endpoint, login, Options::default()).unwrap();
        client.share(share).unwrap().volume().unwrap().serial
    }

    /// A disk on the drive `D:`.
    pub fn a_disk(&self) -> String {
        let d = self.folder.join("D");
        let disk = self.host.disks.iter().find_map(|disk| disk.path.strip_prefix(&d).ok()).unwrap();
        format!(r"D:\{}", disk.display().to_string().replace('/', r"\"))
    }

    /// Makes a shadow copy of each drive.
    pub fn make_shadows(&self, name: &str) {
        for drive in ["C", "D"] {
            let (drive, copy) = (self.folder.join(drive), self.folder.join(drive).join(".snapshots").join(name));
            let names: Vec<_> = fs::read_dir(&drive).unwrap().map(|entry| entry.unwrap().path()).collect();
            fs::create_dir_all(&copy).unwrap();
            let copied = std::process::Command::new("cp").arg("-a").args(&names).arg(&copy).status().unwrap();
            assert!(copied.success());
        }
    }

    /// Ends the server.
    pub fn go_away(&mut self) {
        self.samba.stop().unwrap();
    }
}
