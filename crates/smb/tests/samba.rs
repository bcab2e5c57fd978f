//! The client against Samba, which shares nothing with it: every version of the protocol, signed and sealed, refusals, and
//! connections that break. What is missing is said aloud.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hvm_smb::{Client, Credentials, Dialect, Encryption, Endpoint, Error, Kdc, Login, Mechanism, Options, Secret};
use hvm_testkit::realm::Realm;
use hvm_testkit::samba::{PASSWORD, Samba, USER};

/// A folder with files, and where Samba may have its own.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Option<Lab> {
        if let Some(missing) = Samba::missing() {
            println!("SKIPPED: {missing}");
            return None;
        }
        let lab = Lab { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(lab.share().join("Größe Ω/leer")).unwrap();
        fs::write(lab.share().join("Größe Ω/ä.txt"), "Inhalt").unwrap();
        fs::write(lab.share().join("large"), content(LARGE)).unwrap();
        Some(lab)
    }

    fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// A server with the share `C$`.
    fn serve(&self, name: &str, global: &str, more: &str) -> Samba {
        let own = self.folder.path().join(name);
        fs::create_dir(&own).unwrap();
        let folder = self.share();
        let shares = [("C$", &*folder, more), ("other", &*folder, ""), ("closed", &*folder, "valid users = nobody")];
        Samba::start(&own, global, &shares).unwrap()
    }
}

const LARGE: usize = 5 * (1 << 20) + 4321;

/// Bytes that say where they lie.
fn content(len: usize) -> Vec<u8> {
    (0..len.div_ceil(8) as u64)
        .flat_map(|word| word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(len)
        .collect()
}

fn connect_with(port: u16, password: &str, options: Options) -> Result<Client, Error> {
    let credentials = Credentials { user: USER.to_owned(), password: Secret::new(password.to_owned()) };
    let login = Login { credentials, mechanism: Mechanism::Ntlm };
    Client::connect(Endpoint::new("127.0.0.1", Some(port)).unwrap(), login, options)
}

/// As demanded by the server.
fn connect(port: u16) -> Client {
    let options = Options { encryption: Encryption::WhereDemanded, ..Options::default() };
    connect_with(port, PASSWORD, options).unwrap()
}

/// Everything that can be asked of the share, and in several ways.
fn look(client: &Client) -> String {
    let share = client.share("C$").unwrap();
    let mut names: Vec<String> = share.list("").unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    assert_eq!(names, ["Größe Ω", "large"]);
    let inside = share.list("Größe Ω").unwrap();
    let file = inside.iter().find(|entry| entry.name == "ä.txt").unwrap();
    assert!(file.attributes.size == 6 && !file.attributes.is_folder());
    assert!(share.attributes(r"Größe Ω\leer").unwrap().is_folder());
    let mut bytes = [0; 6];
    share.open_file(r"größe ω\Ä.TXT").unwrap().read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"Inhalt");
    let file = share.open_file("large").unwrap();
    assert_eq!(file.len(), LARGE as u64);
    let expected = content(LARGE);
    let mut whole = vec![0; LARGE];
    file.read_exact_at(&mut whole, 0).unwrap();
    assert!(whole == expected, "all at once");
    whole.fill(0);
    for (part, at) in whole.chunks_mut(100_000).zip((0..).step_by(100_000)) {
        file.read_exact_at(part, at).unwrap();
    }
    assert!(whole == expected, "one after the other");
    for at in [LARGE - 10, 3, 2_000_000, 1_048_570] {
        let mut part = [0; 10];
        file.read_exact_at(&mut part, at as u64).unwrap();
        assert_eq!(part, expected[at..at + 10]);
    }
    assert!(matches!(file.read_exact_at(&mut [0; 2], LARGE as u64 - 1), Err(Error::End { .. })));
    assert!(!share.volume().unwrap().label.is_empty());
    share.protection().unwrap()
}

#[test]
fn every_version_is_signed() {
    let Some(lab) = Lab::new() else { return };
    for (number, dialect, signature) in [
        ("SMB2_02", Dialect::Smb202, "HmacSha256"),
        ("SMB2_10", Dialect::Smb210, "HmacSha256"),
        ("SMB3_00", Dialect::Smb300, "AesCmac"),
        ("SMB3_02", Dialect::Smb302, "AesCmac"),
        ("SMB3_11", Dialect::Smb311, "AesGmac"),
    ] {
        let samba = lab.serve(number, &format!("server max protocol = {number}"), "");
        let client = connect(samba.port);
        assert_eq!((client.dialect().unwrap(), look(&client).as_str()), (dialect, signature));
        let usual = connect_with(samba.port, PASSWORD, Options::default()).unwrap().share("C$").unwrap();
        let fast = if dialect == Dialect::Smb311 { "AES-128-GCM" } else { signature };
        assert_eq!(usual.protection().unwrap(), fast);
    }
}

#[test]
fn what_a_server_or_a_share_demands_is_sealed() {
    let Some(lab) = Lab::new() else { return };
    let always = || Options { encryption: Encryption::Always, ..Options::default() };
    let gcm = lab.serve("gcm", "smb encrypt = required", "");
    assert_eq!(look(&connect(gcm.port)), "AES-128-GCM");
    for (name, cipher) in
        [("AES-128-CCM", "AES-128-CCM"), ("AES-256-GCM", "AES-256-GCM"), ("AES-256-CCM", "AES-256-CCM")]
    {
        let only = lab.serve(name, &format!("server smb3 encryption algorithms = {name}\nsmb encrypt = required"), "");
        assert_eq!(look(&connect(only.port)), cipher);
    }
    let old = lab.serve("3.0", "server max protocol = SMB3_00", "smb encrypt = required");
    let client = connect(old.port);
    assert_eq!(look(&client), "AES-128-CCM", "the share alone demands it");
    assert_eq!(client.share("other").unwrap().protection().unwrap(), "AesCmac");
    assert_eq!(look(&connect_with(old.port, PASSWORD, always()).unwrap()), "AES-128-CCM");
    let never = lab.serve("2.1", "server max protocol = SMB2_10", "");
    let error = connect_with(never.port, PASSWORD, always()).err().unwrap();
    assert!(error.to_string().contains("cannot encrypt (SMB 2.1), which was asked for here"), "{error}");
    let off = lab.serve("off", "smb encrypt = off", "");
    assert!(matches!(connect_with(off.port, PASSWORD, always()), Err(Error::NoEncryption { .. })));
}

#[test]
fn who_or_what_is_refused_is_told_with_the_reason() {
    let Some(lab) = Lab::new() else { return };
    let samba = lab.serve("one", "server signing = mandatory", "");
    let told = |error: Error| error.to_string();
    let wrong = told(connect_with(samba.port, "geheim", Options::default()).err().unwrap());
    assert!(wrong.contains("does not accept the user Administrator") && !wrong.contains("geheim"), "{wrong}");
    let client = connect(samba.port);
    let missing = client.share("D$").err().unwrap();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(told(missing).contains(r"'\\127.0.0.1\D$' is refused: there is no such share"));
    assert!(matches!(client.share("IPC$"), Err(Error::Input { .. })));
    use std::os::unix::fs::PermissionsExt;
    fs::write(lab.share().join("closed"), "x").unwrap();
    fs::set_permissions(lab.share().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(lab.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let server = lab.serve("poor", "", "force user = nobody");
    let poor = connect(server.port);
    let error = poor.share("C$").unwrap().open_file("closed").err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
    let error = poor.share("closed").err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
    let share = client.share("C$").unwrap();
    for (path, kind) in [("nothing", std::io::ErrorKind::NotFound), (r"nothing\at\all", std::io::ErrorKind::NotFound)] {
        assert_eq!(share.open_file(path).err().unwrap().kind(), kind, "{path}");
    }
    assert!(told(share.open_file("Größe Ω").err().unwrap()).contains("it is a folder"));
    assert!(share.list("large").is_err());
    let error = told(share.reparse_point("large").err().unwrap());
    assert!(error.contains("it is no link"), "{error}");
    let guest = lab.serve("guest", "map to guest = bad user", "guest ok = yes");
    let credentials = Credentials { user: "nobody at all".to_owned(), password: Secret::new("x".to_owned()) };
    let login = Login { credentials, mechanism: Mechanism::Ntlm };
    let endpoint = Endpoint::new("127.0.0.1", Some(guest.port)).unwrap();
    let error = Client::connect(endpoint, login, Options::default()).err().unwrap();
    assert!(matches!(error, Error::Guest { .. }), "{error}");
    let old = lab.serve("old", "server max protocol = NT1\nserver min protocol = NT1", "");
    let error = connect_with(old.port, PASSWORD, Options::default()).err().unwrap();
    assert!(matches!(error, Error::NoDialect { .. }), "{error}");
    let mut samba = samba;
    let port = samba.port;
    samba.stop().unwrap();
    let error = connect_with(port, PASSWORD, Options::default()).err().unwrap();
    assert!(matches!(error, Error::Connect { .. }) && told(error).contains("TCP 445"));
}

#[test]
fn many_names_long_files_and_streams() {
    let Some(lab) = Lab::new() else { return };
    let many = lab.share().join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..2000 {
        fs::write(many.join(format!("Datei mit einem längeren Namen {number:05}")), []).unwrap();
    }
    let sparse = fs::File::create(lab.share().join("sparse")).unwrap();
    let end = 5 * (1u64 << 30);
    sparse.set_len(end).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"the end", end - 7).unwrap();
    let samba = lab.serve("one", "", "");
    let share = connect(samba.port).share("C$").unwrap();
    let names = share.list("many").unwrap();
    assert_eq!(names.len(), 2000);
    assert!(names.iter().any(|entry| entry.name.ends_with(" 01999")));
    let file = share.open_file("sparse").unwrap();
    let mut bytes = [0; 7];
    file.read_exact_at(&mut bytes, end - 7).unwrap();
    assert_eq!((file.len(), &bytes), (end, b"the end"));
    let found = share.streams("large").unwrap();
    assert_eq!((found.len(), found[0].name.as_str(), found[0].size), (1, "::$DATA", LARGE as u64));
}

#[test]
fn a_shadow_copy_shows_what_was() {
    let Some(lab) = Lab::new() else { return };
    let names = ["@GMT-2026.11.29-10.00.00", "@GMT-2026.11.30-09.30.00"];
    for name in names {
        let copy = lab.share().join(".snapshots").join(name);
        fs::create_dir_all(copy.join("Größe Ω")).unwrap();
        fs::write(copy.join("Größe Ω/ä.txt"), format!("Inhalt von {name}")).unwrap();
    }
    let volume = lab.share().canonicalize().unwrap().display().to_string();
    let vfs = format!("vfs objects = shadow_copy2\nshadow:mountpoint = {volume}\nshadow:snapdir = .snapshots");
    let samba = lab.serve("one", "", &vfs);
    let client = connect(samba.port);
    let share = client.share("C$").unwrap();
    let found = share.snapshots().unwrap();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [names[1], names[0]]);
    for (snapshot, name) in found.into_iter().zip([names[1], names[0]]) {
        let copy = share.at(snapshot);
        assert_eq!(copy.list("").unwrap().len(), 1);
        let file = copy.open_file(r"Größe Ω\ä.txt").unwrap();
        let mut bytes = vec![0; file.len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("Inhalt von {name}"));
        let missing = copy.open_file("large").err().unwrap().to_string();
        assert!(missing.contains(&format!(r"\\127.0.0.1\C$\{name}\large")), "{missing}");
    }
    assert_eq!(share.open_file(r"Größe Ω\ä.txt").unwrap().len(), 6);
    assert_eq!(client.share("other").unwrap().snapshots().unwrap(), []);
}

#[test]
fn a_ticket_of_kerberos_lets_in() {
    let Some(lab) = Lab::new() else { return };
    if let Some(missing) = Realm::missing_centre() {
        println!("SKIPPED: {missing}");
        return;
    }
    let folder = lab.folder.path().join("realm");
    fs::create_dir(&folder).unwrap();
    let realm = Realm::start(&folder, PASSWORD).unwrap();
    let keytab = folder.join("keytab").display().to_string();
    let global = format!(
        "realm = EXAMPLE.TEST\nkerberos method = dedicated keytab\ndedicated keytab file = {keytab}\nsmb encrypt = desired"
    );
    let own = lab.folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let (share, variables) = (lab.share(), realm.variables());
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_path())).collect();
    let samba = Samba::start_with(&own, &global, &[("C$", &share, "")], &variables).unwrap();
    let connect = |password: &str| {
        let credentials =
            Credentials { user: hvm_testkit::realm::USER.to_owned(), password: Secret::new(password.to_owned()) };
        let login = Login { credentials, mechanism: Mechanism::Kerberos(Kdc::At(realm.centre())) };
        Client::connect(Endpoint::new("localhost", Some(samba.port)).unwrap(), login, Options::default())
    };
    assert_eq!(look(&connect(PASSWORD).unwrap()), "AES-128-GCM");
    assert!(realm.tickets().unwrap() > 0);
    let error = connect("wrong").err().unwrap().to_string();
    assert!(error.contains("does not accept this password for Kerberos"), "{error}");
    // A session ends with its ticket; another one is asked for then.
    realm.limit_tickets(2).unwrap();
    let file = connect(PASSWORD).unwrap().share("C$").unwrap().open_file("large").unwrap();
    let before = realm.tickets().unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let mut bytes = vec![0; LARGE];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == content(LARGE));
    assert!(realm.tickets().unwrap() > before, "the session went on without a ticket");
}

/// What a relay does to the bytes of a server.
#[derive(Clone, Copy)]
enum Harm {
    /// It cuts both ways after so many.
    Cut(u64),
    /// It changes the one at this place.
    Change(u64),
    /// It lets only so many through in a second.
    Slow(u64),
}

/// Passes bytes on to a server, and does harm to those of so many connections.
struct Relay {
    port: u16,
    cuts: Arc<AtomicU64>,
}

impl Relay {
    fn start(to: u16, harm: Harm, cuts: u64) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicU64::new(cuts));
        let cuts = Arc::clone(&left);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, Ok(server)) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to))) else { return };
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let left = Arc::clone(&left);
                std::thread::spawn(move || pass(server, client, harm, &left));
            }
        });
        Relay { port, cuts }
    }
}

fn pass(mut server: TcpStream, mut client: TcpStream, harm: Harm, left: &AtomicU64) {
    let (mut passed, mut piece) = (0, vec![0; 64 << 10]);
    while let Ok(count) = server.read(&mut piece) {
        let range = passed..passed + count as u64;
        passed = range.end;
        let is_due = left.load(Ordering::SeqCst) > 0;
        if let Harm::Change(at) = harm
            && is_due
            && range.contains(&at)
        {
            left.fetch_sub(1, Ordering::SeqCst);
            piece[(at - range.start) as usize] ^= 0x41;
        }
        if let Harm::Slow(rate) = harm {
            std::thread::sleep(Duration::from_millis(count as u64 * 1000 / rate));
        }
        if count == 0 || client.write_all(&piece[..count]).is_err() {
            break;
        }
        if matches!(harm, Harm::Cut(after) if is_due && passed > after) {
            left.fetch_sub(1, Ordering::SeqCst);
            break;
        }
    }
    let _ = (server.shutdown(Shutdown::Both), client.shutdown(Shutdown::Both));
}

/// A client with little patience, whose messages are signed.
fn impatient(port: u16) -> Result<Client, Error> {
    let (answer, patience) = (Duration::from_secs(1), Duration::ZERO);
    let encryption = Encryption::WhereDemanded;
    connect_with(port, PASSWORD, Options { answer, patience, encryption, ..Options::default() })
}

/// The content of the large file.
fn read_large(client: Client) -> Result<Vec<u8>, Error> {
    let file = client.share("C$")?.open_file("large")?;
    let mut bytes = vec![0; LARGE];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[test]
fn what_was_changed_on_the_way_is_never_used() {
    let Some(lab) = Lab::new() else { return };
    let expected = content(LARGE);
    for (name, global) in
        [("3.1.1", ""), ("3.0", "server max protocol = SMB3_00"), ("sealed", "smb encrypt = required")]
    {
        let samba = lab.serve(name, global, "");
        assert!(read_large(connect(samba.port)).unwrap() == expected, "{name}");
        // The first messages byte by byte in steps, then those of the authentication, of the share and of the file.
        let places = (0..700).step_by(37).chain([900, 1200, 1500, 5000, 1 << 20, 3 << 20]);
        let mut refused = 0;
        for at in places {
            let relay = Relay::start(samba.port, Harm::Change(at), 1);
            match impatient(relay.port).and_then(read_large) {
                Ok(bytes) => assert!(bytes == expected, "{name}: byte {at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 15, "{name}: {refused} were noticed at once");
    }
}

#[test]
fn a_connection_that_breaks_is_made_anew_and_nothing_is_lost() {
    let Some(lab) = Lab::new() else { return };
    let samba = lab.serve("one", "", "");
    let relay = Relay::start(samba.port, Harm::Cut(1_500_000), 4);
    // Read last before it was written: reading it changes the oldest of its times, which Samba calls that of its making.
    let large = fs::File::options().write(true).open(lab.share().join("large")).unwrap();
    let written = large.metadata().unwrap().modified().unwrap();
    large.set_times(fs::FileTimes::new().set_accessed(written - Duration::from_secs(9)).set_modified(written)).unwrap();
    assert_eq!(look(&connect(relay.port)), "AesGmac");
    assert_eq!(relay.cuts.load(Ordering::SeqCst), 0, "all cuts were made");
}

#[test]
fn a_slow_line_is_no_silent_server() {
    let Some(lab) = Lab::new() else { return };
    let samba = lab.serve("one", "", "");
    let relay = Relay::start(samba.port, Harm::Slow(1_500_000), 0);
    let share = impatient(relay.port).unwrap().share("C$").unwrap();
    let file = share.open_file("large").unwrap();
    for at in 0..4 {
        file.read_exact_at(&mut vec![0; 500_000], at * 500_000).unwrap();
    }
    // The rest of the file is under way, which takes more than a second; the answer to this comes behind it.
    let begin = Instant::now();
    assert_eq!(share.attributes("large").unwrap().size, LARGE as u64);
    assert!(begin.elapsed() > Duration::from_millis(300), "nothing was under way");
}

#[test]
fn a_file_that_was_changed_while_the_connection_was_away_is_an_error() {
    let Some(lab) = Lab::new() else { return };
    let mut samba = lab.serve("one", "", "");
    let relay = Relay::start(samba.port, Harm::Cut(700_000), 1);
    let client = connect(relay.port);
    let file = client.share("C$").unwrap().open_file("large").unwrap();
    fs::write(lab.share().join("large"), content(LARGE - 1)).unwrap();
    let error = file.read_exact_at(&mut vec![0; LARGE], 0).err().unwrap();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    samba.stop().unwrap();
    let options = Options { patience: Duration::from_millis(500), ..Options::default() };
    let samba = lab.serve("two", "", "");
    let relay = Relay::start(samba.port, Harm::Cut(700_000), u64::MAX);
    let file = connect_with(relay.port, PASSWORD, options).unwrap().share("C$").unwrap().open_file("large").unwrap();
    drop(samba);
    let error = file.read_exact_at(&mut vec![0; 4 << 20], 0).err().unwrap();
    assert!(error.is_lost(), "{error}");
}

#[test]
fn a_file_that_another_program_keeps_for_itself_is_told_as_in_use() {
    let Some(lab) = Lab::new() else { return };
    let samba = lab.serve("one", "", "read only = no");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("peers").join("bin").join("python");
    let check = std::process::Command::new(&python).args(["-c", "import smbprotocol"]).output();
    if !check.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: smbprotocol is not in target/peers (`cargo xtask test` installs it)");
        return;
    }
    let held = samba.hold(&python, "C$", &["large"]).unwrap();
    let share = connect(samba.port).share("C$").unwrap();
    let error = share.open_file("large").err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy, "{error}");
    assert_eq!(share.attributes("large").unwrap().size, LARGE as u64, "it may still be asked about");
    drop(held);
    for _ in 0..1000 {
        if share.open_file("large").is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody has it open any more");
}
