//! The program reads a host that runs, over Windows Remote Management or over its shares: it says of it what it says of its files,
//! and migrates a machine of it whose disks nobody holds.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{Ran, Scene, python};
use hvm_testkit::realm::{self, Realm};
use hvm_testkit::running_host::FilesOfHost;
use hvm_testkit::samba::{self, Samba};
use hvm_testkit::sample::{Variant, answers, live};

const PASSWORD: &str = "Passw0rd!";

/// The sample host in the scene's folder `source`, and as one that runs.
struct Lab {
    scene: Scene,
    peer: Child,
    uri: String,
    _files: FilesOfHost,
    _realm: Option<Realm>,
}

impl Lab {
    fn start(variant: Variant) -> Option<Lab> {
        Lab::start_with(variant, "http")
    }

    /// Over `http`, sealed, over `https`, or over `http` sealed by Kerberos.
    fn start_with(variant: Variant, transport: &str) -> Option<Lab> {
        let Some(python) = python() else {
            println!("SKIPPED: pyspnego and psrpcore are not in target/peers (`cargo xtask test` installs them)");
            return None;
        };
        if transport == "kerberos"
            && let Some(missing) = Realm::missing(&python)
        {
            println!("SKIPPED: {missing}");
            return None;
        }
        let scene = Scene::new();
        let host = scene.sample(variant);
        live::write(&scene.dir.join("recorded"), variant, &[]).unwrap();
        let files = FilesOfHost::start(&host.folder).unwrap();
        std::fs::write(scene.dir.join("users"), format!("HVOLD:Administrator:{PASSWORD}\n")).unwrap();
        for (name, text) in [("password", PASSWORD), ("wrong", "geheim")] {
            std::fs::write(scene.dir.join(name), text).unwrap();
            std::fs::set_permissions(scene.dir.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../winrm/tests/peer/server.py");
        let mut command = Command::new(python);
        command.arg(server).arg("--host").arg(files.port().to_string());
        command.arg("--recorded").arg(scene.dir.join("recorded")).arg("--record").arg(scene.dir.join("record"));
        command.env("NTLM_USER_FILE", scene.dir.join("users")).env("PYTHONDONTWRITEBYTECODE", "1");
        if transport == "https" {
            let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
            std::fs::write(scene.dir.join("ca.pem"), made.cert.pem()).unwrap();
            std::fs::write(scene.dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
            command.arg("--cert").arg(scene.dir.join("ca.pem")).arg("--key").arg(scene.dir.join("key.pem"));
        }
        let realm = (transport == "kerberos").then(|| {
            let folder = scene.dir.join("realm");
            std::fs::create_dir(&folder).unwrap();
            Realm::start(&folder, PASSWORD).unwrap()
        });
        if let Some(realm) = &realm {
            command.arg("--kerberos").envs(realm.variables()).env_remove("NTLM_USER_FILE");
        }
        let mut peer = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(peer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim();
        let uri = match &realm {
            Some(realm) => {
                let user = realm::USER.replace('\\', "%5C");
                format!("winrm://localhost:{port}?user={user}&transport=http&kerberos={}", realm.centre())
            }
            None => format!("winrm://127.0.0.1:{port}?user=HVOLD%5CAdministrator&transport={transport}"),
        };
        Some(Lab { scene, peer, uri, _files: files, _realm: realm })
    }

    /// Runs the program with a password for the source.
    fn expect(&self, code: i32, args: &[&str]) -> Ran {
        let with: Vec<&str> = args.iter().copied().chain(["--source-password-file", "password"]).collect();
        self.scene.expect(code, &with)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.peer.kill();
        let _ = self.peer.wait();
    }
}

#[test]
fn what_is_said_of_a_host_is_what_is_said_of_its_files() {
    let Some(lab) = Lab::start(Variant::Default) else { return };
    answers::write(&lab.scene.dir.join("source"), Variant::Default).unwrap();
    let before = lab.scene.look("source");
    let of_files = lab.scene.expect(3, &["assess", "--from", "folder:source"]);
    let running = lab.expect(3, &["assess", "--from", &lab.uri]);
    let plain = |text: &str| {
        let hives = [r"C:\Windows\System32\config\SYSTEM", r"C:\Windows\System32\config\SOFTWARE"];
        let text = hives.iter().fold(text.to_owned(), |text, hive| text.replace(hive, "the registry of 127.0.0.1"));
        text.replace("ControlSet001", "CurrentControlSet").to_lowercase()
    };
    let lines = |text: &str| plain(text).lines().map(str::to_owned).collect::<Vec<String>>();
    let (one, mut other) = (lines(&of_files.stdout), lines(&running.stdout));
    assert!(one.len() > 40, "{}", of_files.stdout);
    // Only of a host that runs it is said how its files are read.
    let way = other.iter().position(|line| line.starts_with("  files        through powershell")).unwrap();
    other.remove(way);
    let differ: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
    // How the source was reached.
    assert!(one.len() == other.len() && differ.len() <= 2, "{differ:#?}");
    assert_eq!(lab.scene.look("source"), before);
}

#[test]
fn a_machine_is_migrated_from_a_host_that_runs() {
    let Some(lab) = Lab::start(Variant::Clean) else { return };
    let before = lab.scene.look("source");
    let planned = lab.expect(0, &["plan", "--from", &lab.uri, "--to", "libvirt-files:new", "--work", "work"]);
    assert!(!planned.stdout.contains(PASSWORD) && !planned.stderr.contains(PASSWORD));
    let migrated = lab.expect(0, &["migrate", "--work", "work", "--confirm", "all"]);
    assert!(migrated.stderr.contains("Next: hvmigrate verify"), "{}", migrated.stderr);
    let verified = lab.expect(0, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("nothing differs"), "{}", verified.stdout);
    // Without the password the new files are still compared with what was written down of the old ones.
    let verified = lab.scene.expect(0, &["verify", "--work", "work"]);
    assert!(verified.stderr.contains("The source cannot be reached"), "{}", verified.stderr);
    assert_eq!(lab.scene.look("source"), before);
    for file in ["work/plan.json", "work/inventory.json"] {
        let text = std::fs::read_to_string(lab.scene.dir.join(file)).unwrap();
        assert!(text.contains("winrm://") && !text.contains(PASSWORD), "{file}");
    }
    let asked = std::fs::read_to_string(lab.scene.dir.join("record")).unwrap();
    assert!(asked.contains("StdRegProv") && !asked.contains(PASSWORD));
}

#[test]
fn who_is_not_let_in_is_told_what_to_do() {
    let Some(lab) = Lab::start(Variant::Clean) else { return };
    let told = |args: &[&str]| {
        let all: Vec<&str> = ["assess", "--from", &lab.uri].iter().chain(args).copied().collect();
        let ran = lab.scene.expect(1, &all);
        assert!(ran.stderr.contains("The source could not be read."), "{}", ran.stderr);
        ran.stderr
    };
    let nobody = told(&[]);
    assert!(nobody.contains("nobody gave it") && nobody.contains("--source-password-file"), "{nobody}");
    // That of the destination is another one.
    assert_eq!(told(&["--password-file", "password"]), nobody);
    let wrong = told(&["--source-password-file", "wrong"]);
    assert!(wrong.contains("does not accept the user") && wrong.contains("Hint: check 'user='"), "{wrong}");
    assert!(!wrong.contains("geheim"), "{wrong}");
    let missing = told(&["--source-password-file", "nowhere"]);
    assert!(missing.contains("nowhere"), "{missing}");
}

#[test]
fn a_password_is_taken_from_the_keyring() {
    let Some(lab) = Lab::start(Variant::Clean) else { return };
    // All that run as this user have one keyring.
    let user = format!("Administrator{}", std::process::id());
    std::fs::write(lab.scene.dir.join("users"), format!("HVOLD:{user}:{PASSWORD}\n")).unwrap();
    let uri = lab.uri.replace("Administrator", &user);
    let assess = |code| lab.scene.expect(code, &["assess", "--from", &uri, "--source-password-keyring"]).stderr;
    let told = assess(1);
    let entry = &format!(r"hvmigrate:HVOLD\{user}@127.0.0.1");
    let put = format!("keyctl padd user '{entry}' @u < FILE");
    if told.contains("ENOSYS") || Command::new("keyctl").arg("--version").output().is_err() {
        println!("SKIPPED: the kernel keeps no keys, or keyctl is not installed");
        return;
    }
    assert!(told.contains("there is none of that name") && told.contains(&put), "{told}");
    let keyctl = |args: &[&str], input: &str| {
        let mut child = Command::new("keyctl").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let key = keyctl(&["padd", "user", entry, "@u"], &format!("{PASSWORD}\n"));
    let known = assess(0);
    keyctl(&["update", &key, "geheim"], "");
    let wrong = assess(1);
    keyctl(&["unlink", &key, "@u"], "");
    assert!(!known.contains(PASSWORD), "{known}");
    assert!(wrong.contains("does not accept the user") && !wrong.contains("geheim"), "{wrong}");
}

#[test]
fn kerberos_opens_a_host_that_runs() {
    let Some(lab) = Lab::start_with(Variant::Clean, "kerberos") else { return };
    answers::write(&lab.scene.dir.join("source"), Variant::Clean).unwrap();
    let assessed = lab.expect(0, &["assess", "--from", &lab.uri]).stdout;
    let of_files = lab.scene.expect(0, &["assess", "--from", "folder:source"]).stdout;
    assert_eq!(assessed.lines().last(), of_files.lines().last(), "{assessed}");
    let wrong = lab.scene.expect(1, &["assess", "--from", &lab.uri, "--source-password-file", "wrong"]);
    assert!(wrong.stderr.contains("Hint:") && !wrong.stderr.contains("geheim"), "{}", wrong.stderr);
}

#[test]
fn a_certificate_is_believed_by_its_authority_or_its_thumbprint_only() {
    let Some(lab) = Lab::start_with(Variant::Clean, "https") else { return };
    let assess = |code, more: &str| {
        let uri = format!("{}{more}", lab.uri);
        lab.expect(code, &["assess", "--from", &uri]).stderr
    };
    let refused = assess(1, "");
    assert!(refused.contains("certificate") && refused.contains("pin=THUMBPRINT"), "{refused}");
    let pin = refused.split("thumbprint ").nth(1).unwrap().split('.').next().unwrap();
    for more in ["&ca=ca.pem".to_owned(), format!("&pin={pin}")] {
        assess(0, &more);
    }
    assess(1, &format!("&pin={}", "0".repeat(64)));
}

/// The sample host in the scene's folder `source`, and its drives as shares.
fn shares(variant: Variant) -> Option<(Scene, Samba, String)> {
    if let Some(missing) = Samba::missing() {
        println!("SKIPPED: {missing}");
        return None;
    }
    let scene = Scene::new();
    let host = scene.sample(variant).folder;
    samba::files_for_links(&host).unwrap();
    for (name, text) in [("password", samba::PASSWORD), ("wrong", "geheim")] {
        std::fs::write(scene.dir.join(name), text).unwrap();
        std::fs::set_permissions(scene.dir.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let samba = served(&scene);
    let uri = format!("smb://{}@127.0.0.1:{}/", samba::USER, samba.port);
    Some((scene, samba, uri))
}

/// A server of the drives of the host in the scene.
fn served(scene: &Scene) -> Samba {
    let own = scene.dir.join("samba");
    std::fs::create_dir(&own).unwrap();
    let host = scene.dir.join("source");
    let drives = [("C$", host.join("C")), ("D$", host.join("D"))];
    let drives: Vec<_> = drives.iter().map(|(name, path)| (*name, path.as_path(), "")).collect();
    Samba::start(&own, "smb encrypt = required", &drives).unwrap()
}

#[test]
fn the_content_of_a_host_that_runs_comes_from_its_shares() {
    if let Some(missing) = Samba::missing() {
        println!("SKIPPED: {missing}");
        return;
    }
    let Some(lab) = Lab::start(Variant::Clean) else { return };
    samba::files_for_links(&lab.scene.dir.join("source")).unwrap();
    let mut samba = served(&lab.scene);
    let before = lab.scene.look("source");
    let uri = format!("{}&files=smb:{}", lab.uri, samba.port);
    lab.expect(0, &["plan", "--from", &uri, "--to", "libvirt-files:new", "--work", "work"]);
    lab.expect(0, &["migrate", "--work", "work", "--confirm", "all"]);
    let verified = lab.expect(0, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("nothing differs"), "{}", verified.stdout);
    assert_eq!(lab.scene.look("source"), before);
    // Without a share for their drive nothing of files is read.
    let without = lab.expect(3, &["assess", "--from", &format!("{uri}/D=D$")]).stdout;
    assert!(without.contains("  files        over its shares \\\\127.0.0.1\\D$\n"), "{without}");
    assert!(!without.contains(" 0 problems with reading"), "{without}");
    samba.stop().unwrap();
    let gone = lab.expect(1, &["assess", "--from", &uri]).stderr;
    assert!(gone.contains("The source could not be read.") && gone.contains(&samba.port.to_string()), "{gone}");
    // The rest of the host still answers.
    let other = lab.expect(0, &["assess", "--from", &lab.uri]).stdout;
    assert!(
        other.contains("  files        through PowerShell, which is slow; '&files=smb' reads its shares\n"),
        "{other}"
    );
}

#[test]
fn what_is_said_of_the_shares_of_a_host_is_what_is_said_of_its_files() {
    let Some((scene, _samba, uri)) = shares(Variant::Default) else { return };
    let before = scene.look("source");
    let of_files = scene.expect(3, &["assess", "--from", "folder:source"]);
    let shared = scene.expect(3, &["assess", "--from", &uri, "--source-password-file", "password"]);
    // What only a share does not tell is said at one place more.
    let (start, end) = ("\n  Symbolic links that the server hides\n", "as 'folder:' or 'image:'.");
    let (before_it, rest) = shared.stdout.split_once(start).unwrap();
    let (_, behind_it) = rest.split_once(end).unwrap();
    let alike = format!("{before_it}{behind_it}");
    let (one, other): (Vec<&str>, Vec<&str>) = (of_files.stdout.lines().collect(), alike.lines().collect());
    assert!(one.len() > 40, "{}", of_files.stdout);
    let differ: Vec<_> = one.iter().zip(&other).filter(|(one, other)| one != other).collect();
    // How the source was reached, and how much is not known.
    assert!(one.len() == other.len() && differ.len() <= 3, "{differ:#?}\n{alike}");
    assert_eq!(scene.look("source"), before);
    let nobody = scene.expect(1, &["assess", "--from", &uri]).stderr;
    assert!(nobody.contains("nobody gave it") && nobody.contains("--source-password-file"), "{nobody}");
    let wrong = scene.expect(1, &["assess", "--from", &uri, "--source-password-file", "wrong"]).stderr;
    assert!(wrong.contains("does not accept the user") && wrong.contains("Hint: check the user"), "{wrong}");
    assert!(!wrong.contains("geheim"), "{wrong}");
}

#[test]
fn a_machine_is_migrated_from_the_shares_of_a_host() {
    let Some((scene, _samba, uri)) = shares(Variant::Clean) else { return };
    let before = scene.look("source");
    let expect = |args: &[&str]| {
        let all: Vec<&str> = args.iter().copied().chain(["--source-password-file", "password"]).collect();
        scene.expect(0, &all)
    };
    let planned = expect(&["plan", "--from", &uri, "--to", "libvirt-files:new", "--work", "work"]);
    assert!(!planned.stdout.contains(samba::PASSWORD) && !planned.stderr.contains(samba::PASSWORD));
    expect(&["migrate", "--work", "work", "--confirm", "all"]);
    let verified = expect(&["verify", "--work", "work"]);
    assert!(verified.stdout.contains("nothing differs"), "{}", verified.stdout);
    assert_eq!(scene.look("source"), before);
    for file in ["work/plan.json", "work/inventory.json"] {
        let text = std::fs::read_to_string(scene.dir.join(file)).unwrap();
        assert!(text.contains("smb://") && !text.contains(samba::PASSWORD), "{file}");
    }
}
