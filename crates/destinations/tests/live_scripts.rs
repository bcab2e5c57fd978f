//! The scripts that a live destination runs on its host, on the model of a host: pieces of files, jobs, what is removed.
#![allow(clippy::unwrap_used, missing_docs)]

mod cmdlets;
mod common;
mod on_host;

use std::path::Path;

use common::*;
use hvm_testkit::hyperv_host::{Host, Release, ScheduledTask};
use hvm_testkit::powershell::{Descriptor, Stop, Value};
use on_host::{KIT, RELEASES, host_with_kit};

const FILE: &str = r"D:\Kit 'x'\disks\a b.vhd";

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/live/scripts").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn run(host: &mut Host, name: &str, arguments: &[(&str, Value)]) -> Result<Vec<String>, Stop> {
    let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (result, _) = host.run_script(&script(name), arguments);
    result.map(|values| values.iter().map(|value| value.text().unwrap()).collect())
}

fn sha(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn look(host: &mut Host, length: usize) -> String {
    let length = Value::Long(length as i64);
    run(host, "Look.ps1", &[("Path", Value::from(FILE)), ("Length", length)]).unwrap().join("|")
}

fn write(
    host: &mut Host,
    (offset, bytes): (usize, &[u8]),
    hash: &str,
    (length, whole): (usize, &str),
) -> Result<Vec<String>, Stop> {
    let arguments = [
        ("Path", Value::from(FILE)),
        ("Offset", Value::Long(offset as i64)),
        ("Bytes", Value::bytes(bytes)),
        ("Hash", Value::from(hash)),
        ("Length", Value::Long(length as i64)),
        ("Whole", Value::from(whole)),
    ];
    run(host, "Write.ps1", &arguments)
}

#[test]
fn a_file_arrives_in_pieces_and_gets_its_name_at_the_end() {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    let whole = [b"abc".as_slice(), &[0; 4], b"xyz"].concat();
    assert_eq!(look(&mut host, whole.len()), "-1 -1 -");
    assert_eq!(write(&mut host, (0, b"abc"), &sha(b"abc"), (10, "")).unwrap(), ["written"]);
    assert_eq!(look(&mut host, whole.len()), "-1 3 -");
    let wrong = write(&mut host, (3, b"abc"), &sha(b"abd"), (10, "")).unwrap_err();
    assert!(matches!(&wrong, Stop::Throw(message) if message.contains("offset 3")), "{wrong:?}");
    // The zeros between are not sent.
    assert_eq!(write(&mut host, (7, b"xyz"), &sha(b"xyz"), (10, &sha(&whole))).unwrap(), ["equal"]);
    assert_eq!(host.files.read(FILE), Some(whole.as_slice()));
    assert_eq!(look(&mut host, whole.len()), format!("10 -1 {}", sha(&whole)));
    assert_eq!(look(&mut host, 9), "10 -1 -");
}

#[test]
fn a_file_that_is_another_one_in_the_end_is_given_up() {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    write(&mut host, (0, b"old old old"), &sha(b"old old old"), (11, "")).unwrap();
    let answer = write(&mut host, (3, b"new"), &sha(b"new"), (6, &sha(b"newnew"))).unwrap();
    assert_eq!(answer, ["different"]);
    assert_eq!(look(&mut host, 6), "-1 -1 -");
    // An empty file, over one that is there.
    assert_eq!(write(&mut host, (0, b"x"), &sha(b"x"), (1, &sha(b"x"))).unwrap(), ["equal"]);
    assert_eq!(write(&mut host, (0, b""), &sha(b""), (0, &sha(b""))).unwrap(), ["equal"]);
    assert_eq!(look(&mut host, 0), format!("0 -1 {}", sha(b"")));
}

/// A host with a kit and with what a live destination adds to it.
#[test]
fn pieces_of_a_file_are_hashed_from_an_offset_on() {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    host.files.create_folder(r"D:\Kit 'x'\disks");
    host.files.write(FILE, b"abcdefgh".to_vec()).unwrap();
    let mut pieces = |offset: i64, count: i32| {
        let arguments = [
            ("Path", Value::from(FILE)),
            ("Offset", Value::Long(offset)),
            ("Piece", Value::Int(3)),
            ("Count", Value::Int(count)),
        ];
        run(&mut host, "Pieces.ps1", &arguments)
    };
    assert_eq!(pieces(0, 2).unwrap(), [sha(b"abc"), sha(b"def")]);
    // The last one is short, and behind the end there is none.
    assert_eq!(pieces(3, 64).unwrap(), [sha(b"def"), sha(b"gh")]);
    assert_eq!(pieces(8, 1).unwrap(), Vec::<String>::new());
    host.files.hold(FILE, true);
    let held = run(
        &mut host,
        "Pieces.ps1",
        &[("Path", Value::from(FILE)), ("Offset", Value::Long(0)), ("Piece", Value::Int(3)), ("Count", Value::Int(1))],
    );
    assert!(matches!(&held, Err(Stop::Throw(message)) if message.contains("used by another process")), "{held:?}");
}

fn host_with_jobs(release: &str) -> Host {
    let (_, mut host) = host_with_kit(release, &plan(role()));
    let text = format!("\u{feff}{}", script("Invoke-KitJob.ps1").replace('\n', "\r\n"));
    host.files.write(&format!("{KIT}\\Invoke-KitJob.ps1"), text.into_bytes()).unwrap();
    host
}

fn start(host: &mut Host, job: &str, run_id: &str) -> String {
    use base64::Engine;
    let kit = KIT.replace('\'', "''");
    let command = format!("& '{kit}\\Invoke-KitJob.ps1' -Job '{job}' -Run '{run_id}'");
    let bytes: Vec<u8> = command.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encoded = base64::prelude::BASE64_STANDARD.encode(bytes);
    let argument = format!("-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {encoded}");
    let arguments = [
        ("Folder", Value::from(KIT)),
        ("Name", Value::from("hvmigrate test")),
        ("Runner", Value::from(format!("{KIT}\\Invoke-KitJob.ps1"))),
        ("Argument", Value::from(argument)),
        ("Job", Value::from(job)),
        ("Run", Value::from(run_id)),
    ];
    run(host, "Start.ps1", &arguments).unwrap().join("|")
}

fn poll(host: &mut Host, job: &str) -> Vec<String> {
    let arguments = [
        ("Folder", Value::from(KIT)),
        ("Name", Value::from("hvmigrate test")),
        ("Job", Value::from(job)),
        ("From", Value::Int(0)),
    ];
    run(host, "Poll.ps1", &arguments).unwrap()
}

fn result(seen: &[String]) -> serde_json::Value {
    let text = seen.iter().find_map(|line| line.strip_prefix("result:")).unwrap_or_else(|| panic!("{seen:#?}"));
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_job_imports_tests_and_undoes() {
    for release in RELEASES {
        let mut host = host_with_jobs(release);
        let before = host.state.without_ids();
        assert_eq!(start(&mut host, "Import", "1"), "started");
        assert_eq!(start(&mut host, "Import", "1"), "running", "{release}");
        assert_eq!(poll(&mut host, "Import"), ["state:Queued"]);
        assert_eq!(host.run_task(), Some(Ok(())));
        let seen = poll(&mut host, "Import");
        assert_eq!(seen[0], "state:Ready");
        assert!(seen.iter().any(|line| line.starts_with("line:All steps are done.")), "{seen:#?}");
        assert!(seen.iter().any(|line| line.starts_with("line:Warning: ")), "{seen:#?}");
        assert_eq!(result(&seen)["succeeded"], true, "{seen:#?}");
        assert_eq!(start(&mut host, "Import", "1"), "ended");
        assert!(!host.state.machines.is_empty());
        // A test that finds differences is no failure of the job.
        assert_eq!(start(&mut host, "Test", "2"), "started");
        assert_eq!(host.run_task(), Some(Ok(())));
        assert_eq!(result(&poll(&mut host, "Test"))["succeeded"], true);
        assert!(host.files.read(&format!("{KIT}\\state\\observed.json")).is_some());
        assert_eq!(start(&mut host, "Undo", "3"), "started");
        assert_eq!(host.run_task(), Some(Ok(())));
        assert_eq!(result(&poll(&mut host, "Undo"))["succeeded"], true);
        // What was undone can be imported again under the same name.
        assert_eq!(start(&mut host, "Import", "1"), "started");
        host.state.tasks.clear();
        run(&mut host, "Forget.ps1", &[("Name", Value::from("hvmigrate test"))]).unwrap();
        let mut after = host.state.without_ids();
        after.task_starts = 0;
        assert!(after == before, "{release}");
    }
}

#[test]
fn a_job_with_errors_that_did_not_end_it_tells_them_and_has_not_succeeded() {
    let mut host = host_with_jobs("2019");
    let step = host.files.iter().find(|file| file.path.ends_with("-management-adapter.ps1")).unwrap().path.clone();
    let text = String::from_utf8(host.files.read(&step).unwrap().to_vec()).unwrap();
    host.files.write(&step, text.replace(" -ErrorAction Stop", "").into_bytes()).unwrap();
    host.refuse(Some("Set-DnsClientServerAddress"));
    assert_eq!(start(&mut host, "Import", "1"), "started");
    assert_eq!(host.run_task(), Some(Ok(())));
    let seen = poll(&mut host, "Import");
    let error = "Set-DnsClientServerAddress: Access is denied.";
    assert!(seen.contains(&format!("line:Error: {error}")), "{seen:#?}");
    assert_eq!(result(&seen)["succeeded"], false);
    assert_eq!(result(&seen)["message"], format!("It went on after 1 errors, the first of which was: {error}"));
}

#[test]
fn an_error_that_did_not_end_a_script_is_told_here_too() {
    use base64::Engine;
    let encode = |bytes: &[u8]| base64::prelude::BASE64_STANDARD.encode(bytes);
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    let utf16: Vec<u8> = script("Here.ps1").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut said = |text: &str| host.run_powershell(&encode(&utf16), &encode(text.as_bytes())).unwrap();
    let on = format!("output {}", encode(b"on"));
    assert_eq!(said("'on'"), [on.clone(), "end ".to_owned()]);
    let lines = said("'on'\nGet-NetIPAddress -InterfaceIndex 99");
    let [output, error] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(*output, on);
    assert!(error.starts_with("error "), "{error}");
}

#[test]
fn a_task_that_cannot_be_taken_away_or_made_is_an_error() {
    for command in ["Get-ScheduledTask", "Unregister-ScheduledTask", "Register-ScheduledTask", "Start-ScheduledTask"] {
        let mut host = host_with_jobs("2012");
        let theirs = ScheduledTask { name: "hvmigrate test".to_owned(), ..ScheduledTask::default() };
        host.state.tasks.push(theirs);
        host.refuse(Some(command));
        let arguments = ["Folder", "Name", "Runner", "Argument", "Job", "Run"].map(|name| {
            let value = match name {
                "Folder" => KIT.to_owned(),
                "Name" => "hvmigrate test".to_owned(),
                "Runner" => format!("{KIT}\\Invoke-KitJob.ps1"),
                _ => "Test".to_owned(),
            };
            (name, Value::from(value))
        });
        let told = run(&mut host, "Start.ps1", &arguments);
        assert!(matches!(&told, Err(Stop::Throw(message)) if message.contains(command)), "{command}: {told:?}");
        let told = run(&mut host, "Forget.ps1", &[("Name", Value::from("hvmigrate test"))]);
        assert_eq!(
            told.is_err(),
            command.starts_with("Get") || command.starts_with("Unregister"),
            "{command}: {told:?}"
        );
    }
}

#[test]
fn a_job_that_fails_says_why() {
    let mut host = host_with_jobs("2019");
    host.hardware.administrator = false;
    assert_eq!(start(&mut host, "Import", "1"), "started");
    assert_eq!(host.run_task(), Some(Ok(())));
    let seen = poll(&mut host, "Import");
    assert_eq!(result(&seen)["succeeded"], false);
    assert!(result(&seen)["message"].as_str().unwrap().starts_with("Nothing was changed"), "{seen:#?}");
    assert!(seen.iter().any(|line| line.starts_with("line:Warning: Run this script in a PowerShell")), "{seen:#?}");
    host.hardware.administrator = true;
    // The failure is no answer to the next run, also under the same name.
    assert_eq!(start(&mut host, "Import", "1"), "started");
    assert!(!poll(&mut host, "Import").iter().any(|line| line.starts_with("result:")));
}

#[test]
fn the_second_of_two_jobs_changes_nothing_and_leaves_no_result() {
    let mut host = host_with_jobs("2016");
    let lock = format!("{KIT}\\live\\job.lock");
    host.files.create_folder(&format!("{KIT}\\live"));
    host.files.hold(&lock, true);
    assert_eq!(start(&mut host, "Import", "1"), "started");
    let before = host.state.without_ids();
    let ended = host.run_task().unwrap().unwrap_err();
    assert!(ended.contains("being used by another process"), "{ended}");
    assert!(host.state.without_ids().machines == before.machines && host.state.machines.is_empty());
    assert!(poll(&mut host, "Import").iter().all(|line| line.starts_with("state:")));
    // The first has ended: the same run can be started.
    host.files.hold(&lock, false);
    assert_eq!(start(&mut host, "Import", "1"), "started");
    assert_eq!(host.run_task(), Some(Ok(())));
    assert_eq!(result(&poll(&mut host, "Import"))["succeeded"], true);
}

#[test]
fn what_was_carried_is_removed_and_nothing_else() {
    let mut host = host_with_jobs("2012");
    host.files.write(&format!("{KIT}\\steps\\theirs.txt"), b"x".to_vec()).unwrap();
    let inside = |host: &Host| -> Vec<String> {
        host.files.iter().map(|file| file.path.clone()).filter(|path| path.starts_with(KIT)).collect()
    };
    let files: Vec<String> = inside(&host).iter().map(|path| path[KIT.len() + 1..].to_owned()).collect();
    let ours: Vec<&String> = files.iter().filter(|name| !name.ends_with("theirs.txt")).collect();
    start(&mut host, "Import", "1");
    host.run_task().unwrap().unwrap();
    start(&mut host, "Undo", "2");
    host.run_task().unwrap().unwrap();
    let names = serde_json::json!({"files": ours, "trees": ["live", "state"], "folders": ["steps", "switches"]});
    let left = run(&mut host, "Remove.ps1", &[("Folder", Value::from(KIT)), ("Names", Value::from(names.to_string()))]);
    assert_eq!(left.unwrap(), [format!("{KIT}\\steps")]);
    assert_eq!(inside(&host), [format!("{KIT}\\steps\\theirs.txt")]);
    assert!(!host.files.has_folder(&format!("{KIT}\\switches")));
}

const CLOSED: &str = "O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

fn of(text: &str) -> Descriptor {
    Descriptor::of_sddl(text).unwrap()
}

fn on_folder(host: &mut Host, name: &str, more: &[(&str, Value)]) -> Result<String, Stop> {
    let arguments = [&[("Folder", Value::from(KIT))], more].concat();
    run(host, name, &arguments).map(|lines| lines.join("\n"))
}

#[test]
fn a_folder_of_somebody_else_is_not_taken() {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    let call = |host: &mut Host, name: &str, mark: &str| on_folder(host, name, &[("Mark", Value::from(mark))]).unwrap();
    assert_eq!(call(&mut host, "Claim.ps1", "owner-a"), "free");
    assert!(!host.files.has_folder(KIT));
    on_folder(&mut host, "Make.ps1", &[]).unwrap();
    // Cut off here, it is still nobody's, and is made again.
    assert_eq!(call(&mut host, "Claim.ps1", "owner-a"), "free");
    on_folder(&mut host, "Make.ps1", &[]).unwrap();
    call(&mut host, "Mark.ps1", "owner-a");
    host.files.write(&format!("{KIT}\\x"), b"x".to_vec()).unwrap();
    assert_eq!(call(&mut host, "Claim.ps1", "owner-a"), "ours");
    assert_eq!(call(&mut host, "Claim.ps1", "owner-b"), "theirs");
    let refused = on_folder(&mut host, "Make.ps1", &[]).unwrap_err();
    assert!(matches!(&refused, Stop::Throw(message) if message.contains("not empty")), "{refused:?}");
    host.files.remove_folder(KIT);
    host.files.write(KIT, b"x".to_vec()).unwrap();
    assert_eq!(call(&mut host, "Claim.ps1", "owner-a"), "theirs");
}

#[test]
fn the_folder_and_all_in_it_is_closed_to_others_from_the_beginning() {
    for release in RELEASES {
        for before in ["none", "empty"] {
            let mut host = Host::new(Release::of(release).unwrap(), &["Ethernet"]);
            if before == "empty" {
                host.files.create_folder(KIT);
                assert_ne!(host.files.security(KIT), Some(&of(CLOSED)));
            }
            // Whenever the host goes off, there is no folder that is open and new.
            let mut cut = host.clone();
            cut.cut_at(1);
            let _ = on_folder(&mut cut, "Make.ps1", &[]);
            assert!(cut.files.security(KIT).is_none_or(|security| *security == of(CLOSED)), "{release}, {before}");
            on_folder(&mut host, "Make.ps1", &[]).unwrap();
            assert_eq!(host.files.security(KIT), Some(&of(CLOSED)), "{release}, {before}");
            write(&mut host, (0, b"x"), &sha(b"x"), (1, &sha(b"x"))).unwrap();
        }
    }
    // What is carried takes the rights over.
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    on_folder(&mut host, "Make.ps1", &[]).unwrap();
    let path = format!("{KIT}\\steps\\1.ps1");
    let arguments = [
        ("Path", Value::from(path.as_str())),
        ("Offset", Value::Long(0)),
        ("Bytes", Value::bytes(b"x")),
        ("Hash", Value::from(sha(b"x"))),
        ("Length", Value::Long(1)),
        ("Whole", Value::from(sha(b"x"))),
    ];
    assert_eq!(run(&mut host, "Write.ps1", &arguments).unwrap(), ["equal"]);
    let taken_over = of("O:BAG:BAD:(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)");
    assert_eq!(host.files.security(&format!("{KIT}\\steps")), Some(&taken_over));
    let file = host.files.iter().find(|file| file.path == path).unwrap();
    assert_eq!(file.security, of("O:BAG:BAD:(A;ID;FA;;;SY)(A;ID;FA;;;BA)"));
}

/// What `Guard.ps1` finds when a folder of a host that is safe has another security.
fn guarded(folder: &str, security: &str) -> String {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    on_folder(&mut host, "Make.ps1", &[]).unwrap();
    host.files.secure(folder, of(security));
    let taken = [("Taken", Value::Bool(true))];
    on_folder(&mut host, "Guard.ps1", &taken).unwrap()
}

#[test]
fn who_could_change_what_is_run_is_named() {
    let own = |security: &str| guarded(KIT, security);
    assert_eq!(own(CLOSED), "safe");
    assert_eq!(own(&CLOSED.replace("O:BA", "O:SY")), "safe");
    let users = r"S-1-5-32-545|VORDEFINIERT\Benutzer";
    for rights in ["(A;OICI;0x1301bf;;;BU)", "(A;;FR;;;BU)", "(A;CIIO;GA;;;BU)"] {
        assert_eq!(own(&format!("{CLOSED}{rights}")), format!("open|{KIT}|{users}"), "{rights}");
    }
    assert_eq!(own(&format!("{CLOSED}(D;OICI;FA;;;BU)")), "safe");
    assert_eq!(own(&CLOSED.replace("O:BA", "O:BU")), format!("owner|{KIT}|{users}"));
    assert_eq!(own(&CLOSED.replace("D:P", "D:")), format!("inherits|{KIT}||"));
    let nobody_knows = "S-1-5-21-9-9-9-9";
    let both = own(&format!("O:{nobody_knows}G:BAD:(A;OICI;FA;;;WD)"));
    assert_eq!(both, format!("owner|{KIT}|{nobody_knows}|\ninherits|{KIT}||\nopen|{KIT}|S-1-1-0|Jeder"));
    // The account of a virtual machine, as Hyper-V gives it rights where its files lie.
    assert_eq!(own(&format!("{CLOSED}(A;;0x1200a9;;;S-1-5-83-0)")), "safe");
    assert_eq!(own(&format!("{CLOSED}(A;;0x2;;;S-1-5-83-0)")), format!("open|{KIT}|S-1-5-83-0|"));
    // Above it, what lets it be replaced. Everybody may make folders at the root of a volume, and lose them again.
    let root = |rights: &str| guarded("D:", &format!("O:SYG:SYD:(A;OICI;FA;;;BA){rights}"));
    for rights in ["", "(A;OICI;0x1301bf;;;BU)", "(A;OICIIO;GA;;;CO)", "(D;;FA;;;BU)", "(A;;0x40000000;;;BU)"] {
        assert_eq!(root(rights), "safe", "{rights}");
    }
    for rights in ["(A;;FA;;;BU)", "(A;;0x40;;;BU)", "(A;;0x40000;;;BU)", "(A;;0x80000;;;BU)", "(A;OICI;GA;;;BU)"] {
        assert_eq!(root(rights), format!(r"open|D:\|{users}"), "{rights}");
    }
    assert_eq!(guarded("D:", "O:BUG:BUD:P"), format!(r"owner|D:\|{users}"));
}

#[test]
fn what_lies_above_the_folder_counts_before_it_is_there() {
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    let guard = |host: &mut Host, taken: bool| {
        let arguments = [("Folder", Value::from(r"D:\a\b\Kit")), ("Taken", Value::Bool(taken))];
        run(host, "Guard.ps1", &arguments).unwrap().join("\n")
    };
    assert_eq!(guard(&mut host, false), "safe");
    host.files.create_folder(r"D:\a\b\Kit");
    assert_eq!(guard(&mut host, false), "safe");
    let administrator = "S-1-5-21-1-2-3-1105";
    host.files.secure(r"D:\a", of(&format!("O:{administrator}G:BAD:(A;OICI;0x1301bf;;;{administrator})")));
    let told = guard(&mut host, false);
    let who = format!(r"D:\a|{administrator}|CORP\Müller, Jörg");
    assert_eq!(told, format!("owner|{who}\nopen|{who}"));
    // A member of the group Administrators is none of the others.
    host.state.groups.insert("S-1-5-32-544".to_owned(), vec![administrator.to_owned()]);
    assert_eq!(guard(&mut host, false), "safe");
    // Links, wherever they are.
    host.files.create_folder(r"D:\a\b\Kit\live");
    host.files.secure(r"D:\a\b\Kit", of(CLOSED));
    for path in [r"D:\a", r"D:\a\b\Kit", r"D:\a\b\Kit\live"] {
        let mut host = host.clone();
        host.files.make_link(path);
        assert_eq!(guard(&mut host, true), format!("link|{path}||"));
    }
    assert_eq!(guard(&mut host, true), "safe");
}

#[test]
fn a_task_of_somebody_else_is_not_taken_over() {
    let mut host = host_with_jobs("2012");
    let theirs =
        ScheduledTask { name: "hvmigrate test".to_owned(), state: "Ready".to_owned(), ..ScheduledTask::default() };
    host.state.tasks.push(theirs);
    assert_eq!(start(&mut host, "Test", "1"), "started");
    assert_eq!(host.state.tasks.len(), 1);
    let program = r"C:\Windows\system32\WindowsPowerShell\v1.0\powershell.exe";
    assert_eq!((host.state.tasks[0].execute.as_str(), host.state.tasks[0].user.as_str()), (program, "S-1-5-18"));
    // Without a kit none is registered.
    let mut host = Host::new(Release::Server2012, &["Ethernet"]);
    assert_eq!(start(&mut host, "Test", "1"), "gone");
    assert!(host.state.tasks.is_empty() && !host.files.has_folder(KIT));
}

#[test]
fn the_scripts_call_only_what_each_release_has() {
    let names = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/live/scripts")).unwrap();
    let names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() >= 10, "{names:?}");
    let texts: Vec<String> = names.iter().map(|name| script(name)).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (name, text) in names.iter().zip(&texts) {
        assert!(!cmdlets::parse(text).root_node().has_error(), "{name} does not parse");
    }
    for release in RELEASES {
        let Some(table) = cmdlets::table(release) else { return };
        let known = cmdlets::Known::new(&table, &all);
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(known.faults(text), Vec::<String>::new(), "{release}, {name}");
        }
    }
}
