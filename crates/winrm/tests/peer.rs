//! Conversations with a server made of independent parts: shells, queries, methods, PowerShell, and what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod support;

use std::time::Duration;

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::{Outcome, Record, Script};
use hvm_winrm::{
    Argument, Error, FaultKind, Flow, Options, Progress, Property, Query, Resource, ShellOptions, Signal, Stream,
    Thumbprint, Trust,
};
use support::{Peer, Way};

/// Runs a command and gives its exit code and both streams.
fn run(peer: &Peer, trust: Option<Trust>, command: &str, arguments: &[&str]) -> (Option<u32>, String, String) {
    let mut client = peer.client(trust);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = shell.run(command, arguments, &mut |stream, bytes| {
        if stream == Stream::Out {
            out.extend(bytes)
        } else {
            err.extend(bytes)
        }
        Flow::GoOn
    });
    shell.close().unwrap();
    (code.unwrap(), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Runs a script and gives its outcome and all that it said.
fn script(peer: &Peer, script: &Script) -> (Result<Outcome, Error>, Vec<Record>) {
    let mut client = peer.client(None);
    let mut pool = client.open_pool().unwrap();
    let mut records = Vec::new();
    let outcome = pool.run(script, &mut |record| {
        records.push(record);
        Flow::GoOn
    });
    let _ = pool.close();
    (outcome, records)
}

#[test]
fn a_command_runs_over_sealed_http() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let (code, out, err) = run(&peer, None, "echo", &["Größe", "<&>\"'", "\u{1F600}"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "echo Größe <&>\"' \u{1F600}\r\n", ""));
    assert_eq!(run(&peer, None, "fail", &[]), (Some(3), String::new(), "Fehler: ü\r\n".to_owned()));
    // Twice the service says that there is nothing yet (2150858793).
    assert_eq!(run(&peer, None, "wait", &[]).1, "wait\r\n");
    let identity = peer.client(None).identify().unwrap();
    assert_eq!(identity.vendor, "Microsoft Corporation");
    assert!(peer.record().iter().all(|(_, xml)| !xml.contains(support::PASSWORD)));
}

#[test]
fn a_command_runs_over_https_with_its_authority_or_its_pin() {
    let Some(peer) = Peer::start(Way::Https) else { return };
    let digest = |algorithm| ring::digest::digest(algorithm, peer.der()).as_ref().to_vec();
    let sha256 = Thumbprint::Sha256(digest(&ring::digest::SHA256).try_into().unwrap());
    let sha1 = Thumbprint::Sha1(digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY).try_into().unwrap());
    for trust in [Trust::Authorities(peer.pem()), Trust::Pin(sha256), Trust::Pin(sha1)] {
        let (code, out, _) = run(&peer, Some(trust), "echo", &["ü"]);
        assert_eq!((code, out.as_str()), (Some(0), "echo ü\r\n"));
    }
}

#[test]
fn a_certificate_that_is_not_believed_ends_the_conversation() {
    let Some(peer) = Peer::start(Way::Https) else { return };
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let wrong = Thumbprint::Sha256([7; 32]);
    for trust in [Trust::System, Trust::Authorities(other.cert.pem().into_bytes()), Trust::Pin(wrong)] {
        let error = peer.client(Some(trust)).identify().unwrap_err();
        let Error::Certificate { found, reason, .. } = &error else { panic!("{error}") };
        assert!(Thumbprint::parse(found).unwrap().is_of(peer.der()), "{error}");
        assert!(!reason.is_empty());
    }
    // A name that the certificate does not have.
    let transport = hvm_winrm::Transport::Https(Trust::Authorities(peer.pem()));
    let endpoint = hvm_winrm::Endpoint::new("127.0.0.2", Some(peer.port), transport).unwrap();
    let mut client = hvm_winrm::Client::new(endpoint, support::login("x"), Options::default());
    assert!(matches!(client.identify(), Err(Error::Certificate { .. } | Error::Connect { .. })));
    // Nothing was said to the service.
    assert!(peer.record().is_empty());
}

#[test]
fn a_wrong_password_is_refused() {
    for (way, trust) in [(Way::Http, false), (Way::Https, true)] {
        let Some(peer) = Peer::start(way) else { return };
        let trust = trust.then(|| Trust::Authorities(peer.pem()));
        let error = peer.client_as(trust, "wrong", Options::default()).identify().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(error.to_string().contains("Administrator") && !error.to_string().contains("wrong"));
    }
}

#[test]
fn a_query_takes_several_pulls() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let query = Query { batch: 10, ..Query::new("root\\virtualization\\v2", "SELECT * FROM Msvm_ComputerSystem") };
    let all = client.query_all(&query).unwrap();
    assert_eq!(all.len(), 25);
    assert_eq!(all[24].text("ElementName"), Some("Wäbserver & 24"));
    assert_eq!(all[0].get("InstallDate"), Some(&Property::Null));
    assert_eq!(all[0].all("OperationalStatus").count(), 2);
    let verbs = |peer: &Peer, verb: &str| {
        peer.record().iter().filter(|(_, xml)| xml.contains(&format!("enumeration/{verb}<"))).count()
    };
    assert_eq!((verbs(&peer, "Enumerate"), verbs(&peer, "Pull")), (1, 2));
    // A query that is left early is given back.
    let mut seen = 0;
    client
        .query(&query, &mut |_| {
            seen += 1;
            if seen == 3 { Flow::Stop } else { Flow::GoOn }
        })
        .unwrap();
    assert_eq!((seen, verbs(&peer, "Release")), (3, 1));
    let wrong = client.query_all(&Query::new("root/virtualization/v2", "SELECT * FROM NoSuchClass")).unwrap_err();
    assert_eq!(wrong.fault().map(hvm_winrm::Fault::kind), Some(FaultKind::NotFound), "{wrong}");
}

#[test]
fn a_query_for_which_there_is_no_time_is_asked_again() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let slow = "SELECT * FROM Msvm_ComputerSystem WHERE OnTimeInMilliseconds > 0";
    let query = Query { batch: 10, ..Query::new("root\\virtualization\\v2", slow) };
    let all = peer.client(None).query_all(&query).unwrap();
    assert_eq!((all.len(), all[24].text("ElementName")), (25, Some("Wäbserver & 24")));
    let verbs =
        |verb: &str| peer.record().iter().filter(|(_, xml)| xml.contains(&format!("enumeration/{verb}<"))).count();
    assert_eq!((verbs("Enumerate"), verbs("Pull")), (2, 4));
}

#[test]
fn an_instance_and_a_method() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let machine = Resource::class("root/virtualization/v2", "Msvm_ComputerSystem").with("Name", "7");
    assert_eq!(client.get(&machine).unwrap().text("ElementName"), Some("Wäbserver & 07"));
    let registry = Resource::class("root/default", "StdRegProv");
    let arguments = [
        ("hDefKey", Argument::Text("2147483650".to_owned())),
        ("sSubKeyName", Argument::Text("SOFTWARE\\<ü> & Söhne".to_owned())),
        ("sValueName", Argument::Text(String::new())),
    ];
    let answer = client.invoke(&registry, "GetStringValue", &arguments).unwrap();
    assert_eq!((answer.text("ReturnValue"), answer.text("sValue")), (Some("0"), Some("SOFTWARE\\<ü> & Söhne|")));
    assert!(matches!(client.invoke(&registry, "a b", &[]), Err(Error::Input { .. })));
}

#[test]
fn ten_megabytes_of_a_command() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    let (mut total, mut largest) = (0, 0);
    let code = shell.run("big", &["10485760"], &mut |_, bytes| {
        total += bytes.len();
        largest = largest.max(bytes.len());
        Flow::GoOn
    });
    assert_eq!((code.unwrap(), total), (Some(0), 10_485_760));
    assert!(largest <= 100_000, "{largest} bytes were held at a time");
}

#[test]
fn input_and_signals() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    let id = shell.start("cat", &[]).unwrap();
    shell.send(&id, "Füße\n".as_bytes()).unwrap();
    let mut out: Vec<u8> = Vec::new();
    shell
        .receive(&id, &mut |_, bytes| {
            out.extend(bytes);
            Flow::GoOn
        })
        .unwrap();
    assert_eq!(out, "Füße\n".as_bytes());
    shell.signal(&id, Signal::CtrlC).unwrap();
    shell.close().unwrap();
}

#[test]
fn an_expired_shell_is_said() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    let error = shell.run("expire", &[], &mut |_, _| Flow::GoOn).unwrap_err();
    assert_eq!(error.fault().map(hvm_winrm::Fault::kind), Some(FaultKind::NoShell));
    assert!(error.to_string().contains("run it again"), "{error}");
}

#[test]
fn a_dropped_connection_of_a_command_is_said_and_can_be_mended() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let mut shell = client.open_shell(&ShellOptions::default()).unwrap();
    let id = shell.start("drop", &["x"]).unwrap();
    let mut out: Vec<u8> = Vec::new();
    let error = shell.receive(&id, &mut |_, _| Flow::GoOn).unwrap_err();
    assert!(error.is_lost() && matches!(error, Error::Dropped { known: Progress::Unknown, .. }), "{error}");
    shell
        .receive(&id, &mut |_, bytes| {
            out.extend(bytes);
            Flow::GoOn
        })
        .unwrap();
    assert_eq!(out, b"drop x\r\n");
    let error = shell.run("vanish", &[], &mut |_, _| Flow::GoOn).unwrap_err();
    assert!(matches!(error, Error::Dropped { known: Progress::WasRunning, .. }), "{error}");
}

#[test]
fn a_script_gets_values_and_gives_values() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let text = "echo 'Größe' _x000A_ \u{1F600}\r\n\t<&>\u{7}".to_owned();
    let given = Script::new(text.clone()).with("Name", Value::Text("a\u{0}b; rm \u{1F600} _x0041_".to_owned()));
    let (outcome, records) = script(&peer, &given.with("Count", Value::I32(-5)));
    assert_eq!(outcome.unwrap(), Outcome::Completed);
    let expected = ["Name=a\u{0}b; rm \u{1F600} _x0041_".to_owned(), "Count=-5".to_owned(), text];
    assert_eq!(records, expected.map(|text| Record::Output(Value::Text(text))));
}

#[test]
fn a_long_script_travels_in_fragments() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let text = format!("echo {}", "Ü".repeat(300_000));
    let (outcome, records) = script(&peer, &Script::new(text.clone()));
    assert_eq!(outcome.unwrap(), Outcome::Completed);
    assert_eq!(records, [Record::Output(Value::Text(text))]);
    let sent = peer.record().iter().filter(|(_, xml)| xml.contains("shell/Send<")).count();
    assert!(sent >= 4 && peer.record().iter().all(|(_, xml)| xml.len() <= 153_600), "{sent} were sent");
}

#[test]
fn all_streams_of_a_script() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let (outcome, records) = script(&peer, &Script::new("streams"));
    assert_eq!(outcome.unwrap(), Outcome::Completed);
    assert_eq!(records.len(), 8, "{records:#?}");
    let Record::Error(error) = &records[1] else { panic!("{records:#?}") };
    assert_eq!(error.to_string(), "Nicht gefunden: ü (NotFound,Get-Thing)");
    assert_eq!(records[2], Record::Warning("Achtung \u{1F600}".to_owned()));
    assert_eq!(records[3], Record::Verbose("more words\nin two lines".to_owned()));
    assert_eq!(records[4], Record::Debug("debug".to_owned()));
    let Record::Progress(progress) = &records[5] else { panic!("{records:#?}") };
    assert_eq!((progress.activity.as_str(), progress.percent, progress.is_done), ("Copying", Some(50), false));
    assert!(matches!(&records[6], Record::Progress(progress) if progress.is_done && progress.percent.is_none()));
    assert!(matches!(&records[7], Record::Information(value) if value.get("MessageData").is_some()));
}

#[test]
fn ten_megabytes_of_a_script() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let mut client = peer.client(None);
    let mut pool = client.open_pool().unwrap();
    let (mut count, mut bytes) = (0, 0);
    let outcome = pool.run(&Script::new("big"), &mut |record| {
        if let Record::Output(Value::Text(text)) = record {
            assert_eq!(text.get(..3), Some(format!("{count:03}").as_str()));
            count += 1;
            bytes += text.len();
        }
        Flow::GoOn
    });
    assert_eq!((outcome.unwrap(), count, bytes), (Outcome::Completed, 100, 10_400_300));
    pool.close().unwrap();
}

#[test]
fn failed_stopped_and_asking_scripts() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let (outcome, _) = script(&peer, &Script::new("fail"));
    let Outcome::Failed(error) = outcome.unwrap() else { panic!("it fails") };
    assert_eq!(error.to_string(), "It is broken (Broken)");
    let (outcome, records) = script(&peer, &Script::new("ask"));
    assert_eq!(outcome.unwrap(), Outcome::Completed);
    let said = |record: &Record| matches!(record, Record::Output(text) if text.to_string().contains("ReadLine"));
    assert!(records.contains(&Record::HostCall(11)) && records.iter().any(said), "{records:#?}");
    let mut client = peer.client(None);
    let mut pool = client.open_pool().unwrap();
    let mut seen = Vec::new();
    let outcome = pool.run(&Script::new("forever"), &mut |record| {
        seen.push(record.clone());
        if record == Record::StillRunning { Flow::Stop } else { Flow::GoOn }
    });
    assert_eq!(outcome.unwrap(), Outcome::Stopped);
    assert_eq!(seen, [Record::Output(Value::Text("begun".to_owned())), Record::StillRunning]);
    // The pool is good for another one.
    assert_eq!(pool.run(&Script::new("echo again"), &mut |_| Flow::GoOn).unwrap(), Outcome::Completed);
}

#[test]
fn a_script_is_listened_to_again_after_the_connection_broke() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    for word in ["drop", "leave"] {
        let (outcome, records) = script(&peer, &Script::new(word));
        assert_eq!(outcome.unwrap(), Outcome::Completed);
        let numbers: Vec<String> = records
            .iter()
            .map(
                |record| {
                    if let Record::Output(value) = record { value.to_string()[..3].to_owned() } else { String::new() }
                },
            )
            .collect();
        assert_eq!(numbers, (0..40).map(|number| format!("{number:03}")).collect::<Vec<_>>(), "{word}");
    }
    assert!(peer.record().iter().any(|(_, xml)| xml.contains("shell/Reconnect<")));
}

#[test]
fn output_that_was_lost_is_never_passed_over() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let (outcome, _) = script(&peer, &Script::new("lose"));
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Remoting { known: Progress::WasRunning, .. }), "{error}");
    let (outcome, _) = script(&peer, &Script::new("vanish"));
    let error = outcome.unwrap_err();
    assert_eq!(error.fault().map(hvm_winrm::Fault::kind), Some(FaultKind::NoShell), "{error}");
}

#[test]
fn a_server_that_goes_away_is_said() {
    let Some(peer) = Peer::start(Way::Http) else { return };
    let options = Options { connect: Duration::from_secs(2), ..Options::default() };
    let mut client = peer.client_as(None, support::PASSWORD, options);
    client.identify().unwrap();
    drop(peer);
    let error = client.identify().unwrap_err();
    assert!(matches!(error, Error::Connect { .. } | Error::Dropped { .. }), "{error}");
}
