//! Logging in by Kerberos: MIT's key distribution centre on loopback, and a server whose tickets and sealed messages MIT's
//! library opens. What is missing is said aloud.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod support;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hvm_winrm::{Client, Credentials, Endpoint, Flow, Kdc, Login, Mechanism, Options, Secret, ShellOptions, Transport};
use support::{PASSWORD, Peer, Way};

const REALM: &str = "EXAMPLE.TEST";
const USER: &str = r"EXAMPLE.TEST\Administrator";
/// Where Debian keeps the modules that speak to MIT's library.
const MODULES: &str = "/usr/lib/python3/dist-packages";

/// A realm with one user and one service.
struct Realm {
    folder: tempfile::TempDir,
    kdc: Child,
    port: u16,
}

impl Realm {
    /// Starts its centre, or says why not.
    fn start() -> Option<Realm> {
        let missing = ["krb5kdc", "kdb5_util", "kadmin.local"].into_iter().find(|program| !tool(program).exists());
        if let Some(program) = missing {
            println!("SKIPPED: {program} is not installed (apt-get install krb5-kdc krb5-admin-server)");
            return None;
        }
        let modules = support::python().map(|python| {
            let mut command = Command::new(python);
            command.args(["-c", "import gssapi"]).env("PYTHONPATH", MODULES).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        if modules != Some(true) {
            println!("SKIPPED: gssapi for Python is missing (apt-get install python3-gssapi)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        configure(folder.path(), port);
        run(folder.path(), "kdb5_util", &["create", "-r", REALM, "-s", "-P", "of the database"]);
        let keytab = folder.path().join("keytab").display().to_string();
        for line in [
            format!("addprinc +requires_preauth -pw {PASSWORD} Administrator"),
            "addprinc -randkey HTTP/localhost".to_owned(),
            format!("ktadd -k {keytab} HTTP/localhost"),
        ] {
            run(folder.path(), "kadmin.local", &["-r", REALM, "-q", &line]);
        }
        let kdc = command(folder.path(), "krb5kdc").args(["-n", "-r", REALM]).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the key distribution centre does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Realm { folder, kdc, port })
    }

    /// A server of the realm.
    fn peer(&self, way: Way) -> Peer {
        let file = |name: &str| self.folder.path().join(name);
        let (configuration, keytab) = (file("krb5.conf"), file("keytab"));
        let variables =
            [("KRB5_CONFIG", configuration.as_path()), ("KRB5_KTNAME", &keytab), ("PYTHONPATH", Path::new(MODULES))];
        Peer::start_with(way, &["--kerberos"], &variables).expect("what it takes was looked for")
    }

    fn client(&self, peer: &Peer, transport: Transport, password: &str) -> Client {
        let endpoint = Endpoint::new("localhost", Some(peer.port), transport).unwrap();
        let credentials = Credentials { user: USER.to_owned(), password: Secret::new(password.to_owned()) };
        let mechanism = Mechanism::Kerberos(Kdc::At(format!("127.0.0.1:{}", self.port)));
        Client::new(endpoint, Login { credentials, mechanism }, Options::default())
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

fn tool(name: &str) -> PathBuf {
    Path::new("/usr/sbin").join(name)
}

fn command(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(tool(name));
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(folder: &Path, name: &str, args: &[&str]) {
    let output = command(folder, name).args(args).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn configure(folder: &Path, port: u16) {
    let at = |name: &str| folder.join(name).display().to_string();
    let client = format!(
        "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
         dns_canonicalize_hostname = false\nrdns = false\n\
         [realms]\n{REALM} = {{\n kdc = 127.0.0.1:{port}\n}}\n"
    );
    let centre = format!(
        "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n{REALM} = {{\n database_name = {}\n key_stash_file = {}\n acl_file = {}\n \
         supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal\n}}\n\
         [logging]\nkdc = FILE:{}\n",
        at("principal"),
        at("stash"),
        at("acl"),
        at("kdc.log")
    );
    std::fs::write(folder.join("krb5.conf"), client).unwrap();
    std::fs::write(folder.join("kdc.conf"), centre).unwrap();
}

fn echo(client: &mut Client) -> Result<String, hvm_winrm::Error> {
    let mut shell = client.open_shell(&ShellOptions::default())?;
    let mut out = Vec::new();
    shell.run("echo", &["Größe"], &mut |_, bytes| {
        out.extend(bytes);
        Flow::GoOn
    })?;
    shell.close()?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_ticket_lets_in_and_its_key_seals_the_messages() {
    let Some(realm) = Realm::start() else { return };
    let peer = realm.peer(Way::Http);
    let mut client = realm.client(&peer, Transport::SealedHttp, PASSWORD);
    assert_eq!(echo(&mut client).unwrap(), "echo Größe\r\n");
    assert!(peer.record().iter().all(|(_, xml)| !xml.contains(PASSWORD)));
    let log = std::fs::read_to_string(realm.folder.path().join("kdc.log")).unwrap();
    assert!(log.contains("ISSUE") && log.contains("HTTP/localhost@EXAMPLE.TEST"), "{log}");
}

#[test]
fn a_wrong_password_and_a_centre_that_is_away_are_told_and_nothing_else_is_tried() {
    let Some(mut realm) = Realm::start() else { return };
    let peer = realm.peer(Way::Http);
    let error = echo(&mut realm.client(&peer, Transport::SealedHttp, "wrong")).unwrap_err().to_string();
    assert!(error.contains("does not accept this password for Kerberos"), "{error}");
    realm.kdc.kill().unwrap();
    realm.kdc.wait().unwrap();
    let error = echo(&mut realm.client(&peer, Transport::SealedHttp, PASSWORD)).unwrap_err().to_string();
    assert!(
        error.contains(&format!("the key distribution centre 127.0.0.1:{} cannot be reached", realm.port)),
        "{error}"
    );
    assert!(peer.record().is_empty(), "nobody was let in");
}
