//! Whole migrations to a host that runs, over Windows Remote Management: to its end, with connections that break, killed and
//! run again, and what is said when the host does not let in.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

mod common;
mod live_support;

use std::time::Duration;

use common::Scene;
use hvm_testkit::hyperv_host::{Data, Host, Release, Vlan};
use hvm_testkit::powershell::{Descriptor, End, Value};
use hvm_testkit::sample::{Variant, ids};
use hvm_testkit::sample_2016::{self, OLD, WEB};
use live_support::{KIT, Lab, MIGRATE, PASSWORD, Setting, kit_files, secret};

const HTTP: &str = "&transport=http";

fn lab(setting: Setting) -> Option<Lab> {
    let scene = Scene::new();
    scene.sample(Variant::Clean);
    Lab::start(scene, setting)
}

/// Everything that was written here, as bytes.
fn written(scene: &Scene) -> Vec<u8> {
    let mut all = Vec::new();
    let mut waiting = vec![scene.dir.join("work")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.metadata().unwrap().len() < 1 << 20 {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

fn descriptor(text: &str) -> Descriptor {
    Descriptor::of_sddl(text).unwrap()
}

#[test]
fn a_migration_to_its_end_and_back() {
    let Some(lab) = lab(Setting::default()) else { return };
    let planned = lab.plan(HTTP, &[]);
    assert!(planned.stdout.contains("127.0.0.1"), "{}", planned.stdout);
    let migrated = lab.expect(0, &MIGRATE);
    assert!(migrated.stderr.contains("All steps are done."), "{}", migrated.stderr);
    let machines = lab.host.look(|host| host.state.machines.len()).unwrap();
    assert!(machines > 0);
    assert_eq!(lab.host.look(|host| host.state.tasks.len()), Some(0), "no task stays behind");
    // What the host saw was fetched, and is enough when the host cannot be asked.
    let verified = lab.scene.expect(0, &["verify", "--work", "work"]);
    assert!(
        verified.stdout.contains("nothing differs") && verified.stderr.contains("could not be asked"),
        "{}",
        verified.stderr
    );
    // A host that refuses is no host that cannot be asked.
    secret(&lab.scene.dir.join("wrong"), "geheim");
    let refused = lab.scene.expect(1, &["verify", "--work", "work", "--password-file", "wrong"]);
    assert!(!refused.stdout.contains("nothing differs"), "{}", refused.stdout);
    lab.expect(0, &["verify", "--work", "work"]);
    // Changed by hand, named by its name.
    lab.host.look(|host| host.state.machines[0].processors.count = 13).unwrap();
    let verified = lab.expect(4, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("processors.count") && verified.stdout.contains("13"), "{}", verified.stdout);
    let report = lab.scene.expect(0, &["report", "--work", "work"]);
    for text in [migrated.stdout, migrated.stderr, verified.stdout, verified.stderr, report.stdout, report.stderr] {
        assert!(!text.contains(PASSWORD));
    }
    let bytes = written(&lab.scene);
    assert!(bytes.len() > 1000 && !bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    assert_eq!(lab.asked(PASSWORD), 0);
    // And back: first with what was carried kept, then without.
    let back = lab.expect(0, &["rollback", "--work", "work"]);
    assert!(back.stdout.contains("what was carried to 127.0.0.1"), "{}", back.stdout);
    assert_eq!(lab.host.look(|host| (host.state.machines.len(), host.state.switches.len())), Some((0, 0)));
    assert!(lab.host.look(|host| kit_files(host).len()).unwrap() > 10);
    // A removal that was cut off in the middle goes on.
    lab.host.look(|host| {
        host.files.remove(&format!("{KIT}\\Invoke-KitJob.ps1"));
        host.files.remove_folder(&format!("{KIT}\\live"));
    });
    lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| kit_files(host)), Some(Vec::new()));
    assert_eq!(lab.host.look(|host| host.files.has_folder(KIT)), Some(false));
}

/// Configurations that the host imports are registered there: over the network, and taken back again.
#[test]
fn machines_keep_their_ids_where_the_host_imports_their_configurations() {
    let scene = Scene::new();
    sample_2016::write(&scene.dir.join("source")).unwrap();
    sample_2016::write_template(&scene.dir.join("source")).unwrap();
    let Some(lab) = Lab::start(scene, Setting::default()) else { return };
    let planned = lab.plan(HTTP, &sample_2016::ANSWERS.map(|answer| ["--answer", answer]).concat());
    assert!(
        planned.stdout.contains("Registered in place from its own configuration (version 9.0)"),
        "{}",
        planned.stdout
    );
    lab.expect(0, &MIGRATE);
    let ids = || lab.host.look(|host| host.state.machines.iter().map(|machine| machine.id.clone()).collect::<Vec<_>>());
    let ids = ids().unwrap();
    assert!(ids.len() == 3 && [WEB, OLD].iter().all(|id| ids.iter().any(|found| found == id)), "{ids:?}");
    let second = |host: &mut Host| {
        let machine = host.state.machines.iter().find(|machine| machine.generation == 2).unwrap();
        (machine.secure_boot_template.clone(), machine.processors.nested)
    };
    assert_eq!(lab.host.look(second), Some((sample_2016::AUTHORITY.to_owned(), true)));
    let verified = lab.expect(0, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("nothing differs"), "{}", verified.stdout);
    lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| (host.state.machines.len(), host.files.has_folder(KIT))), Some((0, false)));
}

#[test]
fn what_was_changed_on_the_host_is_named() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    // A release whose Hyper-V takes the authorization store, and so no accounts that this host would have to know.
    let setting = Setting { release: Some(Release::Server2012), ..Setting::default() };
    let Some(lab) = Lab::start(scene, setting) else { return };
    // Only the file server, whose adapter is in a VLAN.
    let others = [ids::BOOT, ids::TREE, ids::MEDIA, ids::MEMORY, ids::PROCESSORS, ids::SAVED];
    let left_out: Vec<String> = others.iter().map(|(id, _)| format!("machine.left-out@{id}=exclude")).collect();
    let mut answers: Vec<&str> = left_out.iter().flat_map(|answer| ["--answer", answer]).collect();
    let vlan = format!("machine.vlan-unknown@{}=access:12", ids::FILES.1);
    answers.extend(["--answer", &vlan]);
    lab.plan(HTTP, &answers);
    lab.expect(0, &MIGRATE);
    let differences = |wanted: &[&[&str]]| {
        let verified =
            lab.expect(if wanted.is_empty() { 0 } else { 4 }, &["verify", "--work", "work", "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
        let found = found["differences"].as_array().unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|one| ["subject", "place", "expected", "found"].map(|key| one[key].as_str().unwrap()).join(" | "))
            .collect();
        for words in wanted {
            assert!(shown.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {shown:#?}");
        }
        shown.len()
    };
    // What a person does afterwards is not done yet: the merged access, and the firewall rules.
    let before = differences(&[
        &["DCOM restriction MachineLaunchRestriction"],
        &["firewall rule VIRT-REMOTEDESKTOP", "enabled"],
    ]);
    assert!(before > 2);
    for script in ["Merge-DcomRestriction.ps1", "Set-HyperVFirewall.ps1"] {
        let script = format!("{KIT}\\{script}");
        let outcome = lab.host.look(move |host| host.run(&script, &[("Confirm", Value::Bool(false))]));
        assert_eq!(outcome.unwrap().end, End::Code(0));
    }
    assert_eq!(differences(&[]), 0);
    // A VLAN, a MAC address, a firewall rule, an entry of an access list, and one byte of a disk.
    let flipped = lab.host.look(|host| {
        let adapter = &mut host.state.machines[0].adapters[0];
        adapter.vlan = Vlan::Access(77);
        adapter.mac = Some("00155DEEEEEE".to_owned());
        let rule = host.state.firewall.get_mut("VIRT-REMOTEDESKTOP-In-TCP-NoScope").unwrap();
        rule.insert("Enabled".to_owned(), "True".to_owned());
        let key = host.state.registry.get_mut(r"HKLM:\SOFTWARE\MICROSOFT\OLE").unwrap();
        let Some(Data::Bytes(bytes)) = key.get_mut("MachineLaunchRestriction") else { panic!("no descriptor") };
        // The mask of the last entry, which the merge added; its account is behind it.
        let mask = bytes.len() - 28 - 4;
        bytes[mask] &= !0x10;
        let path = kit_files(host).into_iter().find(|path| path.contains("Freigaben")).unwrap();
        let byte = host.files.read(&path).unwrap()[1_234_567];
        host.files.write_at(&path, 1_234_567, &[byte ^ 1]).unwrap();
        path
    });
    assert!(flipped.is_some());
    let found = differences(&[
        &["virtual machine", ".vlan", "'access 12'", "'access 77'"],
        &["virtual machine", ".mac", "EE-EE-EE"],
        &["firewall rule VIRT-REMOTEDESKTOP-In-TCP-NoScope", "enabled", "'False'", "'True'"],
        &["DCOM restriction MachineLaunchRestriction", ids::DCOM_GROUP_SID, "'0x1f'", "'0xf'"],
        &[ids::FILES.1, "Freigaben", "on 127.0.0.1", "file offset 1232896 to 1236991"],
    ]);
    assert_eq!(found, 5);
}

#[test]
fn connections_that_break_are_made_anew() {
    let Some(lab) = lab(Setting { drop_every: 45, ..Setting::default() }) else { return };
    lab.plan("&transport=http&fetch=no", &[]);
    let migrated = lab.expect(0, &MIGRATE);
    assert!(migrated.stderr.contains("was lost and is made anew"), "{}", migrated.stderr);
    assert_eq!(lab.host.look(|host| host.state.task_starts), Some(2), "one import and one test");
    lab.expect(0, &["verify", "--work", "work"]);
}

#[test]
fn a_host_fetches_its_disks_and_goes_on_where_it_was() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    let source = lab.scene.look("source");
    lab.host.look(|host| host.break_after(1_500_000)).unwrap();
    let migrated = lab.expect(0, &MIGRATE);
    assert!(
        migrated.stderr.contains("could not go on fetching 'D:") && !migrated.stderr.contains("slow"),
        "{}",
        migrated.stderr
    );
    lab.scene.expect(0, &["report", "--work", "work"]);
    let report = std::fs::read_to_string(lab.scene.dir.join("work/report.json")).unwrap();
    assert!(report.contains("was fetched by the host over TLS."), "{report}");
    lab.expect(0, &["verify", "--work", "work"]);
    assert_eq!(lab.scene.look("source"), source);
}

#[test]
fn a_host_that_cannot_fetch_is_sent_its_files() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    lab.host.look(|host| host.forbid_connections(true)).unwrap();
    let migrated = lab.expect(0, &MIGRATE);
    let told = migrated.stderr.matches("127.0.0.1 cannot fetch from 127.0.0.1 TCP port").count();
    assert!(told == 1 && migrated.stderr.contains("a firewall may forbid it"), "{}", migrated.stderr);
    lab.expect(0, &["verify", "--work", "work"]);
}

#[test]
fn kerberos_carries_a_whole_migration() {
    let Some(mut lab) = lab(Setting { kerberos: true, drop_every: 45, ..Setting::default() }) else { return };
    lab.plan(HTTP, &[]);
    let migrated = lab.expect(0, &MIGRATE);
    // Each new connection shows a ticket again.
    assert!(migrated.stderr.contains("was lost and is made anew"), "{}", migrated.stderr);
    assert!(lab.host.look(|host| host.state.machines.len()).unwrap() > 0);
    lab.expect(0, &["verify", "--work", "work"]);
    assert!(lab.realm.as_ref().unwrap().tickets().unwrap() > 1);
    assert_eq!(lab.asked(PASSWORD), 0);
    // Without its centre nobody is let in, and nothing else is tried.
    lab.realm.as_mut().unwrap().stop().unwrap();
    let centre = format!("the key distribution centre {} cannot be reached", lab.realm.as_ref().unwrap().centre());
    for verb in [&["verify", "--work", "work"][..], &["rollback", "--work", "work", "--discard-data"]] {
        let told = lab.expect(1, verb).stderr;
        assert!(told.contains(&centre), "{told}");
    }
    assert!(lab.host.look(|host| host.state.machines.len()).unwrap() > 0);
}

#[test]
fn a_migration_that_is_killed_goes_on_where_it_was() {
    let Some(lab) = lab(Setting { pause: Duration::from_millis(15), ..Setting::default() }) else { return };
    lab.plan("&transport=http&limit=1MiB", &[]);
    let source = lab.scene.look("source");
    // While a disk is carried: a piece of it is there.
    let mut first = lab.migrate();
    lab.wait("the carriage of a disk", |host| {
        host.files.iter().any(|file| file.path.ends_with(".carrying") && file.bytes.len() > 512 << 10)
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let there = |host: &mut hvm_testkit::hyperv_host::Host| {
        let unfinished = host.files.iter().filter(|file| file.path.ends_with(".carrying"));
        unfinished.map(|file| file.bytes.len()).sum::<usize>()
    };
    assert!(lab.host.look(there).unwrap() > 512 << 10);
    // While the host imports.
    let mut second = lab.migrate();
    lab.wait("the import", |host| host.state.tasks.iter().any(|task| task.state == "Running"));
    second.kill().unwrap();
    second.wait().unwrap();
    let last = lab.expect(0, &MIGRATE);
    assert!(last.stderr.contains("All steps are done."), "{}", last.stderr);
    assert_eq!(lab.host.look(|host| host.state.task_starts), Some(2), "one import and one test, whatever was killed");
    lab.scene.expect(0, &["report", "--work", "work"]);
    let journal = std::fs::read_to_string(lab.scene.dir.join("work/report.json")).unwrap();
    assert!(journal.contains("went on at offset"), "the second run sent the first pieces again");
    lab.expect(0, &["verify", "--work", "work"]);
    assert_eq!(lab.scene.look("source"), source);
}

#[test]
fn pieces_of_an_earlier_run_that_are_not_of_the_file_are_carried_anew() {
    let Some(lab) = lab(Setting { pause: Duration::from_millis(5), ..Setting::default() }) else { return };
    lab.plan("&transport=http&limit=1MiB&fetch=no", &[]);
    let mut first = lab.migrate();
    let is_cut = |host: &mut Host| {
        host.files.iter().any(|file| file.path.ends_with(".carrying") && file.bytes.len() > 512 << 10)
    };
    lab.wait("the carriage of a disk", is_cut);
    first.kill().unwrap();
    first.wait().unwrap();
    let changed = lab.host.look(|host| {
        let unfinished = host.files.iter().find(|file| file.path.ends_with(".carrying")).unwrap();
        let (path, mut bytes) = (unfinished.path.clone(), unfinished.bytes.clone());
        bytes[1000] ^= 0xFF;
        host.files.write(&path, bytes).unwrap();
        path.trim_end_matches(".carrying").to_owned()
    });
    let changed = changed.unwrap();
    lab.expect(0, &MIGRATE);
    let here = changed[KIT.len() + 1..].replace('\\', "/");
    let wanted = std::fs::read(lab.scene.dir.join("work/live/kit").join(here)).unwrap();
    let there = lab.host.look(move |host| host.files.read(&changed).map(<[u8]>::to_vec)).unwrap();
    assert!(there == Some(wanted), "the file on the host is another one");
    lab.expect(0, &["verify", "--work", "work"]);
}

#[test]
fn a_certificate_is_believed_by_its_authority_or_its_thumbprint_only() {
    let Some(lab) = lab(Setting { tls: true, ..Setting::default() }) else { return };
    let uri = lab.uri("");
    let refused = lab.expect(1, &["assess", "--from", "folder:source", "--to", &uri]);
    assert!(refused.stderr.contains("certificate") && refused.stderr.contains("Hint: "), "{}", refused.stderr);
    assert!(refused.stderr.contains("pin=THUMBPRINT"), "{}", refused.stderr);
    let pin = refused.stderr.split("thumbprint ").nth(1).unwrap().split('.').next().unwrap().to_owned();
    for more in ["&ca=ca.pem".to_owned(), format!("&pin={pin}")] {
        lab.expect(0, &["assess", "--from", "folder:source", "--to", &lab.uri(&more)]);
    }
    let wrong = format!("&pin={}", "0".repeat(64));
    lab.expect(1, &["assess", "--from", "folder:source", "--to", &lab.uri(&wrong)]);
}

#[test]
fn who_is_not_let_in_is_told_why_and_what_to_do() {
    let Some(lab) = lab(Setting::default()) else { return };
    let assess = |uri: &str, file: &str| {
        let ran = lab.scene.expect(1, &["assess", "--from", "folder:source", "--to", uri, "--password-file", file]);
        assert!(ran.stderr.contains("Hint: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains(PASSWORD) && !ran.stderr.contains("geheim"), "{}", ran.stderr);
        ran.stderr
    };
    secret(&lab.scene.dir.join("wrong"), "geheim");
    let told = assess(&lab.uri(HTTP), "wrong");
    assert!(told.contains("does not accept the user HVNEW\\Administrator"), "{told}");
    // A port at which nobody listens, and a host that there is not.
    let told = assess("winrm://127.0.0.1:1/D:/Kit?user=a&transport=http", "password");
    assert!(told.contains("There is no connection to http://127.0.0.1:1/wsman"), "{told}");
    let told = assess("winrm://nowhere.invalid/D:/Kit?user=a", "password");
    assert!(told.contains("nowhere.invalid"), "{told}");
    // No password at all, and one that others can read.
    let told = lab.scene.expect(1, &["assess", "--from", "folder:source", "--to", &lab.uri(HTTP)]).stderr;
    assert!(told.contains("nobody gave it") && told.contains("--password-file"), "{told}");
    std::fs::write(lab.scene.dir.join("open"), PASSWORD).unwrap();
    std::fs::set_permissions(lab.scene.dir.join("open"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let args = ["assess", "--from", "folder:source", "--to", &lab.uri(HTTP), "--password-file", "open"];
    let told = lab.scene.expect(1, &args).stderr;
    assert!(told.contains("chmod 600") && !told.contains(PASSWORD), "{told}");
}

#[test]
fn what_no_windows_says_of_itself_is_shown() {
    let Some(lab) = lab(Setting { echo: true, ..Setting::default() }) else { return };
    let told = lab.expect(1, &["assess", "--from", "folder:source", "--to", &lab.uri(HTTP)]).stderr;
    assert!(told.contains("127.0.0.1 was to say what it is, and the answer '"), "{told}");
    assert!(told.contains("cannot be understood") && told.contains("Hint: "), "{told}");
}

#[test]
fn what_lies_on_the_host_already_is_not_touched() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    let theirs = format!("{KIT}\\role.json");
    let path = theirs.clone();
    lab.host.look(move |host| {
        host.files.create_folder(KIT);
        host.files.write(&path, b"theirs".to_vec()).unwrap();
    });
    let refused = lab.expect(1, &MIGRATE);
    assert!(
        refused.stderr.contains("is not of this migration") && refused.stderr.contains("Hint: "),
        "{}",
        refused.stderr
    );
    lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| kit_files(host)), Some(vec![theirs.clone()]));
    assert_eq!(lab.host.look(move |host| host.files.read(&theirs).map(<[u8]>::to_vec)), Some(Some(b"theirs".to_vec())));
}

#[test]
fn nobody_but_administrators_can_change_what_the_system_runs() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    // A folder of somebody else, who could change its rights whatever they are made.
    lab.host.look(|host| {
        host.files.create_folder(KIT);
        host.files.secure(KIT, descriptor("O:BUG:BUD:(A;OICI;FA;;;BU)"));
    });
    lab.expect(0, &MIGRATE);
    let closed = "O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
    assert_eq!(lab.host.look(|host| host.files.security(KIT).cloned()), Some(Some(descriptor(closed))));
    let others = |host: &mut Host| {
        let entries =
            host.files.iter().filter(|file| file.path.starts_with(KIT)).flat_map(|file| &file.security.entries);
        entries.filter(|entry| !["S-1-5-18", "S-1-5-32-544"].contains(&entry.account.as_str())).count()
    };
    assert_eq!(lab.host.look(others), Some(0));
    // Somebody is let in: nothing is started any more.
    let starts = lab.host.look(|host| host.state.task_starts);
    lab.host.look(|host| {
        host.files.secure(KIT, descriptor("O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;BU)"));
    });
    for verb in ["verify", "rollback"] {
        let told = lab.expect(1, &[verb, "--work", "work"]).stderr;
        assert!(told.contains(KIT) && told.contains(r"VORDEFINIERT\Benutzer (S-1-5-32-545)"), "{told}");
        assert!(told.contains("Hint: ") && told.contains("/remove '*S-1-5-32-545'"), "{told}");
    }
    assert_eq!(lab.host.look(|host| host.state.task_starts), starts);
    lab.host.look(move |host| host.files.secure(KIT, descriptor(closed)));
    lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| host.files.has_folder(KIT)), Some(false));
}

#[test]
fn a_link_or_a_folder_that_others_can_replace_is_refused_before_anything_is_copied() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    lab.host.look(|host| {
        host.files.create_folder(KIT);
        host.files.make_link(KIT);
    });
    let told = lab.expect(1, &MIGRATE).stderr;
    assert!(told.contains("is a junction or a link") && told.contains("Hint: "), "{told}");
    lab.host.look(|host| {
        host.files.remove_folder(KIT);
        host.files.secure("D:", descriptor("O:SYG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)"));
    });
    let told = lab.expect(1, &MIGRATE).stderr;
    assert!(told.contains("Jeder (S-1-1-0) can rename, delete or give rights on 'D:\\'"), "{told}");
    assert_eq!(lab.host.look(|host| (kit_files(host).len(), host.state.task_starts)), Some((0, 0)));
    assert!(!lab.scene.dir.join("work/live/kit/disks").exists());
    lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
}

#[test]
fn a_kit_that_is_gone_from_the_host_is_said_and_nothing_else_is_run() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    lab.expect(0, &MIGRATE);
    let starts = lab.host.look(|host| host.state.task_starts);
    // Somebody else's folder has the name now.
    lab.host.look(|host| {
        host.files.remove_folder(KIT);
        host.files.create_folder(KIT);
        host.files.write(&format!("{KIT}\\Invoke-KitJob.ps1"), b"theirs".to_vec()).unwrap();
    });
    let verified = lab.expect(0, &["verify", "--work", "work"]);
    assert!(verified.stderr.contains("is not there any more"), "{}", verified.stderr);
    let back = lab.expect(0, &["rollback", "--work", "work", "--discard-data"]);
    assert!(back.stdout.contains("What it imported there was not taken back."), "{}", back.stdout);
    assert_eq!(lab.host.look(|host| (host.state.task_starts, kit_files(host).len())), starts.map(|starts| (starts, 1)));
}

#[test]
fn what_the_host_refuses_is_told_with_its_warnings() {
    let Some(lab) = lab(Setting::default()) else { return };
    lab.plan(HTTP, &[]);
    lab.host.look(|host| host.hardware.administrator = false).unwrap();
    let failed = lab.expect(1, &MIGRATE);
    assert!(
        failed.stderr.contains("Import-HyperVRole.ps1 failed on 127.0.0.1: Nothing was changed"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("started as administrator"), "{}", failed.stderr);
    lab.host.look(|host| host.hardware.administrator = true).unwrap();
    lab.expect(0, &MIGRATE);
    lab.expect(0, &["verify", "--work", "work"]);
}
