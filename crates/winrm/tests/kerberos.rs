//! Logging in by Kerberos: MIT's key distribution centre on loopback, and a server whose tickets and sealed messages MIT's
//! library opens. What is missing is said aloud.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod support;

use hvm_testkit::realm::{Realm, USER};
use hvm_winrm::{Client, Credentials, Endpoint, Flow, Kdc, Login, Mechanism, Options, Secret, ShellOptions, Transport};
use support::{PASSWORD, Peer, Way};

/// A realm and a server of it.
struct Lab {
    realm: Realm,
    peer: Peer,
    _folder: tempfile::TempDir,
}

impl Lab {
    /// Starts them, or says why not.
    fn start() -> Option<Lab> {
        let python = support::python();
        let missing = python.map_or_else(|| Some(support::NO_PYTHON.to_owned()), |python| Realm::missing(&python));
        if let Some(missing) = missing {
            println!("SKIPPED: {missing}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let realm = Realm::start(folder.path(), PASSWORD).unwrap();
        let variables = realm.variables();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_path())).collect();
        let peer = Peer::start_with(Way::Http, &["--kerberos"], &variables)?;
        Some(Lab { realm, peer, _folder: folder })
    }

    fn client(&self, password: &str) -> Client {
        let endpoint = Endpoint::new("localhost", Some(self.peer.port), Transport::SealedHttp).unwrap();
        let credentials = Credentials { user: USER.to_owned(), password: Secret::new(password.to_owned()) };
        let mechanism = Mechanism::Kerberos(Kdc::At(self.realm.centre()));
        Client::new(endpoint, Login { credentials, mechanism }, Options::default())
    }
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
    let Some(lab) = Lab::start() else { return };
    assert_eq!(echo(&mut lab.client(PASSWORD)).unwrap(), "echo Größe\r\n");
    assert!(lab.peer.record().iter().all(|(_, xml)| !xml.contains(PASSWORD)));
    assert!(lab.realm.tickets().unwrap() > 0);
}

#[test]
fn a_wrong_password_and_a_centre_that_is_away_are_told_and_nothing_else_is_tried() {
    let Some(mut lab) = Lab::start() else { return };
    let error = echo(&mut lab.client("wrong")).unwrap_err().to_string();
    assert!(error.contains("does not accept this password for Kerberos"), "{error}");
    lab.realm.stop().unwrap();
    let error = echo(&mut lab.client(PASSWORD)).unwrap_err().to_string();
    assert!(
        error.contains(&format!("the key distribution centre {} cannot be reached", lab.realm.centre())),
        "{error}"
    );
    assert!(lab.peer.record().is_empty(), "nobody was let in");
}
