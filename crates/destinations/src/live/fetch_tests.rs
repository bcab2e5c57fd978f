//! What the host fetches: by its script on the model of a host, and by curl and OpenSSL, which know nothing of us.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hvm_testkit::hyperv_host::{Host, Release};
use hvm_testkit::powershell::{Stop, Value};

use crate::live::depot::{Depot, Spot, way_to};

const PATH: &str = r"D:\Kit 'x'\disks\a b.vhdx";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn content() -> Vec<u8> {
    (0..3_000_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn depot(folder: &Path, limit: Option<u64>) -> Depot {
    let path = folder.join("a.vhdx");
    std::fs::write(&path, content()).unwrap();
    let files = vec![PathBuf::from("/nowhere/none"), path];
    Depot::open(HERE, Spot { address: None, port: 0 }, files, limit).unwrap()
}

fn fetch(host: &mut Host, depot: &Depot, (certificate, name): (&str, &str), parts: &str) -> Result<String, String> {
    let arguments = [
        ("Path", Value::from(PATH)),
        ("Address", Value::from(depot.address.to_string())),
        ("Port", Value::Int(i32::from(depot.port))),
        ("Certificate", Value::from(certificate)),
        ("Name", Value::from(name)),
        ("Parts", Value::from(parts)),
    ];
    let arguments = arguments.map(|(name, value)| (name.to_owned(), value)).to_vec();
    match host.run_script(include_str!("scripts/Fetch.ps1"), arguments).0 {
        Ok(values) => Ok(values.iter().map(|value| value.text().unwrap()).collect::<Vec<_>>().join(" ")),
        Err(Stop::Throw(message)) => Err(message),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn each_release_fetches_parts_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let depot = depot(folder.path(), None);
    for release in [Release::Server2012, Release::Server2025] {
        let mut host = Host::new(release, &["Ethernet"]);
        let name = depot.name(1);
        let whom = (depot.certificate.as_str(), name.as_str());
        assert_eq!(fetch(&mut host, &depot, whom, "").unwrap(), "reached");
        assert!(host.files.read(PATH).is_none() && !host.files.has_folder(r"D:\Kit 'x'\disks"));
        let said = fetch(&mut host, &depot, whom, "0-99,1000000-2499999,2999999-2999999").unwrap();
        assert_eq!(said, "at 100 at 2500000 at 3000000");
        let mut wanted = content();
        wanted[100..1_000_000].fill(0);
        wanted[2_500_000..2_999_999].fill(0);
        assert!(host.files.read(&format!("{PATH}.carrying")).unwrap() == wanted);
    }
}

#[test]
fn nothing_is_fetched_from_somebody_else_or_by_a_wrong_name() {
    let folder = tempfile::tempdir().unwrap();
    let (depot, other) = (depot(folder.path(), None), depot(folder.path(), None));
    let mut host = Host::new(Release::Server2019, &["Ethernet"]);
    let name = depot.name(1);
    let told = fetch(&mut host, &depot, (&other.certificate, &name), "0-99").unwrap_err();
    assert!(told.starts_with("Somebody else answers at 127.0.0.1 port "), "{told}");
    assert!(told.contains(&depot.certificate) && told.contains(&other.certificate) && !told.contains(&name), "{told}");
    assert!(host.files.read(&format!("{PATH}.carrying")).is_none());
    let certificate = depot.certificate.as_str();
    for (name, parts, wanted) in [
        (other.name(1), "0-99", "does not give the bytes 0-99: 'HTTP/1.1 404 Not Found'"),
        (depot.name(0), "0-99", "does not give the bytes 0-99: 'HTTP/1.1 404 Not Found'"),
        (depot.name(2), "0-99", "'HTTP/1.1 404 Not Found'"),
        (depot.name(1), "3000000-3000009", "'HTTP/1.1 416 Range Not Satisfiable'"),
        (depot.name(1), "9-5", "'HTTP/1.1 400 Bad Request'"),
    ] {
        let told = fetch(&mut host, &depot, (certificate, &name), parts);
        assert!(told.as_ref().is_err_and(|told| told.contains(wanted)), "{name} {parts}: {told:?}");
    }
    // Nobody is there any more.
    let (address, port) = (depot.address, depot.port);
    drop(depot);
    assert!(std::net::TcpStream::connect((address, port)).is_err());
}

#[test]
fn a_connection_that_breaks_is_said_and_what_came_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let depot = depot(folder.path(), None);
    let mut host = Host::new(Release::Server2019, &["Ethernet"]);
    host.break_after(700_000);
    let name = depot.name(1);
    let told = fetch(&mut host, &depot, (&depot.certificate, &name), "0-2999999").unwrap_err();
    assert!(told.contains("before the end of a part") || told.contains("\"Read\""), "{told}");
    let there = host.files.read(&format!("{PATH}.carrying")).unwrap();
    assert!(there.len() >= 700_000 && there == &content()[..there.len()]);
    // A firewall.
    host.forbid_connections(true);
    assert!(fetch(&mut host, &depot, (&depot.certificate, &name), "").unwrap_err().contains("\"Connect\""));
}

#[test]
fn a_rate_is_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let depot = depot(folder.path(), Some(2_000_000));
    let mut host = Host::new(Release::Server2019, &["Ethernet"]);
    let (name, start) = (depot.name(1), Instant::now());
    fetch(&mut host, &depot, (&depot.certificate, &name), "0-2999999").unwrap();
    assert!(start.elapsed() > Duration::from_millis(1400), "{:?}", start.elapsed());
}

#[test]
fn the_way_to_a_host_is_found() {
    assert_eq!(way_to("127.0.0.1").unwrap(), HERE);
    assert!(way_to("nowhere.invalid").is_err());
}

fn output(program: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let command =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = command else {
        println!("SKIPPED: {program} is not installed");
        return None;
    };
    let mut pipe = child.stdin.take().unwrap();
    // It may have ended without reading.
    let _ = pipe.write_all(input);
    drop(pipe);
    Some(child.wait_with_output().unwrap().stdout)
}

#[test]
fn curl_reads_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let depot = depot(folder.path(), None);
    let url = |name: &str| format!("https://127.0.0.1:{}{name}", depot.port);
    let file = url(&depot.name(1));
    for (more, wanted) in [
        (&[][..], &content()[..]),
        (&["-r", "5-1000004"], &content()[5..1_000_005]),
        (&["-r", "2999990-"], &content()[2_999_990..]),
        (&["-r", "2999990-9999999"], &content()[2_999_990..]),
        // Twice over one connection.
        (&["-r", "0-9", &file], &[&content()[..10], &content()[..10]].concat()[..]),
    ] {
        let Some(read) = output("curl", &[&["-sk", "--http1.1", &file], more].concat(), b"") else { return };
        assert!(read == wanted, "{more:?}");
    }
    let status = ["-sk", "-o", "/dev/null", "-w", "%{http_code}"];
    for (more, wanted) in [
        (vec![url("/")], "404"),
        (vec![url("/etc/passwd")], "404"),
        (vec![url(&format!("{}/../0", depot.name(1))), "--path-as-is".to_owned()], "404"),
        (vec![file.clone(), "-I".to_owned()], "405"),
        (vec![file.clone(), "-r".to_owned(), "3000000-".to_owned()], "416"),
    ] {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let said = output("curl", &[&status, more.as_slice()].concat(), b"").unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), wanted, "{more:?}");
    }
}

/// With what Windows Server 2012 has: TLS 1.2, ECDSA on P-256, AES with 128 bits in GCM.
#[test]
fn openssl_finds_the_certificate_with_the_means_of_2012() {
    let folder = tempfile::tempdir().unwrap();
    let depot = depot(folder.path(), None);
    let at = format!("127.0.0.1:{}", depot.port);
    let suite = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-sigalgs", "ECDSA+SHA256", "-groups", "P-256"];
    let Some(seen) = output("openssl", &[&["s_client", "-connect", &at], suite.as_slice()].concat(), b"") else {
        return;
    };
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains("ECDHE-ECDSA-AES128-GCM-SHA256"), "{text}");
    let print = output("openssl", &["x509", "-noout", "-fingerprint", "-sha256"], &seen).unwrap();
    let print = String::from_utf8(print).unwrap().replace(':', "");
    assert!(print.contains(&depot.certificate), "{print}");
    // Nothing older.
    let old = output("openssl", &["s_client", "-connect", &at, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], b"").unwrap();
    assert!(!String::from_utf8_lossy(&old).contains("BEGIN CERTIFICATE"));
}
