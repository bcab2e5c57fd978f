//! A host of the model behind a server of Windows Remote Management that is made of independent Python parts, and the program
//! that migrates to it. What is missing is said aloud.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hvm_testkit::hyperv_host::{Host, Release, Served};
use hvm_testkit::realm::{self, Realm};

use crate::common::{Ran, Scene, python};

/// The folder of the kit on the host, as the host has it and as the URI does.
pub const KIT: &str = r"D:\Umzug 'HV' für Müller";
const KIT_IN_URI: &str = "D:/Umzug%20'HV'%20für%20Müller";
/// The password of the one user.
pub const PASSWORD: &str = "Passw0rd!";

/// How the server is reached, and how it fails.
#[derive(Default)]
pub struct Setting {
    /// Whether it is HTTPS.
    pub tls: bool,
    /// Every how many messages the connection breaks; 0 for never.
    pub drop_every: u32,
    /// How long each change of the host takes while a task is at work.
    pub pause: Duration,
    /// The release of the host; 2019 when it is not said.
    pub release: Option<Release>,
    /// Whether users log in by Kerberos, and in no other way.
    pub kerberos: bool,
    /// Whether what runs scripts there only repeats them.
    pub echo: bool,
}

/// Everything that a migration to a host wants.
pub struct Lab {
    pub scene: Scene,
    pub host: Served,
    pub realm: Option<Realm>,
    peer: Child,
    port: u16,
}

impl Lab {
    /// Starts it, or says why not.
    pub fn start(scene: Scene, setting: Setting) -> Option<Lab> {
        let Some(python) = python() else {
            println!("SKIPPED: pyspnego and psrpcore are not in target/peers (`cargo xtask test` installs them)");
            return None;
        };
        let mut realm = None;
        if setting.kerberos {
            if let Some(missing) = Realm::missing(&python) {
                println!("SKIPPED: {missing}");
                return None;
            }
            let folder = scene.dir.join("realm");
            std::fs::create_dir(&folder).unwrap();
            realm = Some(Realm::start(&folder, PASSWORD).unwrap());
        }
        let release = setting.release.unwrap_or(Release::Server2019);
        let make = move || Host::new(release, &["Ethernet", "Ethernet 2"]);
        let host = Served::start(make, setting.pause).unwrap();
        let users = scene.dir.join("users");
        std::fs::write(&users, format!("HVNEW:Administrator:{PASSWORD}\n")).unwrap();
        secret(&scene.dir.join("password"), PASSWORD);
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../winrm/tests/peer/server.py");
        let mut command = Command::new(python);
        command.arg(server);
        if !setting.echo {
            command.arg("--host").arg(host.port().to_string());
        }
        command.arg("--drop-every").arg(setting.drop_every.to_string()).arg("--record").arg(scene.dir.join("record"));
        if setting.tls {
            let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
            std::fs::write(scene.dir.join("ca.pem"), made.cert.pem()).unwrap();
            std::fs::write(scene.dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
            command.arg("--cert").arg(scene.dir.join("ca.pem")).arg("--key").arg(scene.dir.join("key.pem"));
        }
        match &realm {
            Some(realm) => command.arg("--kerberos").envs(realm.variables()),
            None => command.env("NTLM_USER_FILE", &users),
        };
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut peer = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(peer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server prints its port");
        Some(Lab { scene, host, realm, peer, port })
    }

    /// The URI of the host, with more parameters.
    pub fn uri(&self, more: &str) -> String {
        let (host, user, centre) = match &self.realm {
            Some(realm) => ("localhost", realm::USER, format!("&kerberos={}", realm.centre())),
            None => ("127.0.0.1", r"HVNEW\Administrator", String::new()),
        };
        let user = user.replace('\\', "%5C");
        format!("winrm://{host}:{}/{KIT_IN_URI}?user={user}{centre}{more}", self.port)
    }

    /// Plans with the clean sample host, or with more arguments for another one.
    pub fn plan(&self, more: &str, answers: &[&str]) -> Ran {
        let uri = self.uri(more);
        let mut args = vec!["plan", "--from", "folder:source", "--to", &uri, "--work", "work"];
        args.extend(answers);
        self.expect(0, &args)
    }

    /// Runs the program with the password and requires an exit code.
    pub fn expect(&self, code: i32, args: &[&str]) -> Ran {
        self.scene.expect(code, &with_password(args))
    }

    /// Starts a migration in the background.
    pub fn migrate(&self) -> Child {
        let mut command = self.scene.command(&with_password(&MIGRATE));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until something is so on the host.
    pub fn wait(&self, what: &str, is_so: impl Fn(&mut Host) -> bool + Send + Copy + 'static) {
        let until = Instant::now() + Duration::from_secs(120);
        while !self.host.look(is_so).unwrap() {
            assert!(Instant::now() < until, "{what} does not happen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Requests that the server got and that hold a text.
    pub fn asked(&self, text: &str) -> usize {
        let record = std::fs::read_to_string(self.scene.dir.join("record")).unwrap();
        record.lines().filter(|line| line.contains(text)).count()
    }
}

/// The whole migration.
pub const MIGRATE: [&str; 5] = ["migrate", "--work", "work", "--confirm", "all"];

fn with_password<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(["--password-file", "password"]).collect()
}

/// A file that only its owner can read.
pub fn secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Files of the kit on the host.
pub fn kit_files(host: &Host) -> Vec<String> {
    host.files.iter().map(|file| file.path.clone()).filter(|path| path.starts_with(KIT)).collect()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.peer.kill();
        let _ = self.peer.wait();
    }
}
