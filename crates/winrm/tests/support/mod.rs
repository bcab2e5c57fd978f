//! The server made of independent parts (`tests/peer`), started on loopback with a free port and ended by its process. What
//! is missing is said aloud.

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hvm_winrm::{Client, Credentials, Endpoint, Login, Mechanism, Options, Secret, Transport, Trust};

/// The user that the server knows.
pub const USER: &str = "HVSRC\\Administrator";
/// The password of that user.
pub const PASSWORD: &str = "Passw0rd!";

/// Why there is no [`python`].
pub const NO_PYTHON: &str =
    "pyspnego, psrpcore, pypsrp and pywinrm are not in target/peers (`cargo xtask test` installs them)";

/// The Python that has the packages: of the folder `peers` beside the test's own in the target folder.
pub fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let python = target.join("peers").join("bin").join("python");
    let check = Command::new(&python).args(["-c", "import spnego, psrpcore, pypsrp, winrm"]).output().ok()?;
    check.status.success().then_some(python)
}

/// A server that runs.
pub struct Peer {
    child: Child,
    /// Its port.
    pub port: u16,
    folder: tempfile::TempDir,
    certificate: Option<Vec<u8>>,
    pem: String,
}

/// How the server is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Http,
    Https,
}

impl Peer {
    /// Starts a server, or says why not.
    pub fn start(way: Way) -> Option<Self> {
        Self::start_with(way, &[], &[])
    }

    /// Starts a server with more arguments and with these variables in its environment, or says why not.
    pub fn start_with(way: Way, more: &[&str], variables: &[(&str, &Path)]) -> Option<Self> {
        let Some(python) = python() else {
            println!("SKIPPED: {NO_PYTHON}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users"), format!("HVSRC:Administrator:{PASSWORD}\n")).unwrap();
        let mut command = Command::new(python);
        command.arg(script("server.py")).args(["--record", &folder.path().join("record").display().to_string()]);
        let (certificate, pem) = match way {
            Way::Http => (None, String::new()),
            Way::Https => certificate(folder.path(), &mut command),
        };
        command.env("NTLM_USER_FILE", folder.path().join("users")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.args(more).envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server prints its port");
        Some(Self { child, port, folder, certificate, pem })
    }

    /// Each request that it got: who sent it, and its text.
    pub fn record(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.folder.path().join("record")).unwrap();
        let entry = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let part = |name: &str| value[name].as_str().unwrap().to_owned();
            (part("client"), part("xml"))
        };
        text.lines().map(entry).collect()
    }

    /// Its certificate, in DER.
    pub fn der(&self) -> &[u8] {
        self.certificate.as_deref().unwrap_or_default()
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.pem.clone().into_bytes()
    }

    /// A client of it, over HTTP or with this trust over HTTPS.
    pub fn client(&self, trust: Option<Trust>) -> Client {
        self.client_as(trust, PASSWORD, Options::default())
    }

    /// A client with a password and options.
    pub fn client_as(&self, trust: Option<Trust>, password: &str, options: Options) -> Client {
        let transport = trust.map_or(Transport::SealedHttp, Transport::Https);
        let endpoint = Endpoint::new("127.0.0.1", Some(self.port), transport).unwrap();
        Client::new(endpoint, login(password), options)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A login of the user.
pub fn login(password: &str) -> Login {
    let credentials = Credentials { user: USER.to_owned(), password: Secret::new(password.to_owned()) };
    Login { credentials, mechanism: Mechanism::Ntlm }
}

/// The place of a script of the server.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("peer").join(name)
}

fn certificate(folder: &Path, command: &mut Command) -> (Option<Vec<u8>>, String) {
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (cert, key) = (folder.join("cert"), folder.join("key"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    command.arg("--cert").arg(cert).arg("--key").arg(key);
    (Some(made.cert.der().to_vec()), made.cert.pem())
}
