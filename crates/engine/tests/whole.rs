#![allow(clippy::unwrap_used, missing_docs)]
//! A whole host through all phases, to both kinds of destinations.

mod common;

use common::{ANSWERS, Case, KINDS, StopAt, tree, tree_with_times};
use hvm_engine::{DataChoice, EngineError, MigrateOptions, MigrateState, PlanRequest, Quiet, VerifyOptions};
use hvm_model::choices::Choices;
use hvm_model::plan::{Action, Phase, Plan, Verdict};
use hvm_model::report::Observed;
use hvm_model::setting::Setting;
use hvm_testkit::sample::{Variant, ids};

#[test]
fn from_the_plan_to_the_end_and_the_source_stays_as_it_was() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Default);
        let before = tree_with_times(&case.host.folder);
        let plan = case.plan(&ANSWERS).unwrap();
        assert_eq!(plan.blocked, Vec::<String>::new());
        assert!(plan.machines.iter().all(|machine| machine.verdict == Verdict::Migrate), "{:?}", plan.machines);
        assert!(!case.root().exists(), "planning makes nothing on the destination");
        case.migrate_all();
        let verification = case.verify();
        assert_eq!(verification.differences, [], "{kind}");
        assert!(verification.settings > 50 && verification.files > 5 && verification.disks >= 11, "{verification:?}");
        contents_are_those_of_the_model(&case, &plan);
        let options = || MigrateOptions { confirm: vec![], confirmed_by: "tester".to_owned() };
        let waiting = hvm_engine::finish(&case.work(), options(), &Quiet).unwrap().state;
        assert!(matches!(waiting, MigrateState::WaitingFor(steps) if steps.len() > 4));
        let all = MigrateOptions { confirm: vec!["all".to_owned()], ..options() };
        assert_eq!(hvm_engine::finish(&case.work(), all, &Quiet).unwrap().state, MigrateState::Done);
        let report = hvm_engine::report(&case.work()).unwrap();
        assert!(
            report.steps.iter().all(|step| step.state == "done" || step.state == "confirmed"),
            "{:?}",
            report.steps
        );
        assert_eq!(report.remaining.len(), 1, "{:?}", report.remaining);
        assert_eq!(tree_with_times(&case.host.folder), before, "the source was touched");
    }
}

/// Each copied disk has the hash that the sample's own model of its content gives.
fn contents_are_those_of_the_model(case: &Case, plan: &hvm_model::plan::Plan) {
    let mut compared = 0;
    for machine in &plan.role.machines {
        for disk in &machine.disks {
            let same = |sample: &&hvm_testkit::sample::SampleDisk| {
                sample.machine == machine.id.as_str()
                    && sample.checkpoint.as_deref() == disk.checkpoint.as_ref().map(|id| id.as_str())
                    && sample.windows_path.eq_ignore_ascii_case(disk.source.as_str())
            };
            let sample = case.host.disks.iter().find(same).unwrap_or_else(|| panic!("{}", disk.target));
            let (path, options) = (case.root().join(&disk.target), hvm_engine::ChainOptions::default());
            let hash = hvm_engine::disk_hash(&path, hvm_engine::HashKind::Plain, &options, &Quiet).unwrap();
            assert_eq!(hash, sample.blake3, "{}", disk.target);
            compared += 1;
        }
    }
    assert_eq!(compared, case.host.disks.len(), "every disk of every state is there");
}

#[test]
fn what_is_not_answered_stays_and_what_is_excluded_too() {
    let case = Case::new(KINDS[0], Variant::Default);
    let plan = case.plan(&["machine.memory-exceeds=exclude"]).unwrap();
    let verdict = |id: &str| plan.machines.iter().find(|one| one.id.as_str() == id).unwrap().verdict.clone();
    assert!(
        matches!(verdict(ids::SAVED.0), Verdict::Blocked { findings } if findings[0].starts_with("machine.saved-state@"))
    );
    assert!(matches!(verdict(ids::PROCESSORS.0), Verdict::Blocked { .. }));
    assert_eq!(verdict(ids::MEMORY.0), Verdict::Excluded);
    assert_eq!(verdict(ids::TREE.0), Verdict::Migrate);
    for id in [ids::SAVED.0, ids::PROCESSORS.0, ids::MEMORY.0] {
        assert!(!plan.steps.iter().any(|step| step.id.contains(id)), "no step for {id}");
    }
    let answered = case.plan(&ANSWERS).unwrap();
    let machine = |id: &str| answered.role.machines.iter().find(|one| one.id.as_str() == id).unwrap();
    assert_eq!(machine(ids::PROCESSORS.0).configuration.processors.count, 2);
    assert_eq!(machine(ids::MEMORY.0).configuration.memory.startup_mib, 8192);
}

#[test]
fn the_steps_are_in_the_order_of_the_guide_and_name_its_clauses() {
    let case = Case::new(KINDS[0], Variant::Default);
    let plan = case.plan(&ANSWERS).unwrap();
    for step in &plan.steps {
        assert!(hvm_engine::rules::clause(&step.clause).is_some(), "{}: no clause {}", step.id, step.clause);
        assert_eq!(plan.steps.iter().filter(|other| other.id == step.id).count(), 1, "{}", step.id);
    }
    assert!(plan.steps.windows(2).all(|pair| pair[0].phase <= pair[1].phase));
    let at = |id: &str| plan.steps.iter().position(|step| step.id.starts_with(id)).unwrap_or_else(|| panic!("{id}"));
    let order = [
        "confirm.backup",
        "confirm.access-rights",
        "confirm.downtime",
        "confirm.domain-controller",
        "confirm.destination-role",
        "check.source",
        "check.destination",
        "copy-disk.",
        "confirm.source-off",
        "check.source-again",
        "apply-settings",
        "create-switch.",
        "create-management-adapter.",
        "register-machine.",
        "complete",
        "confirm.external-network.",
        "confirm.firewall",
        "confirm.remote-administration",
        "confirm.images.",
        "confirm.clients",
        "confirm.source-role-removed",
    ];
    for of_machine in ["confirm.pass-through.", "confirm.images.", "confirm.vlan."] {
        assert!(at("confirm.remote-administration") < at(of_machine) && at(of_machine) < at("confirm.clients"));
    }
    for pair in order.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{} before {}", pair[0], pair[1]);
    }
    let off = at("confirm.source-off");
    let makes = |action: &Action| matches!(action, Action::RegisterMachine { .. } | Action::CreateSwitch { .. });
    assert!(
        plan.steps[..off].iter().all(|step| !makes(&step.action)),
        "nothing is registered before the source is off"
    );
}

#[test]
fn a_person_is_waited_for() {
    let case = Case::new(KINDS[1], Variant::Clean);
    case.plan(&[]).unwrap();
    let MigrateState::WaitingFor(steps) = case.migrate_with(&[], &Quiet).unwrap().state else { panic!("it must wait") };
    assert!(steps.iter().all(|step| step.phase == Phase::Prepare) && steps.len() >= 3);
    assert!(!case.root().exists());
    let error = case.migrate_with(&["confirm.nothing"], &Quiet).unwrap_err();
    assert!(error.hint().unwrap().contains("confirm.backup"), "{:?}", error.hint());
    let MigrateState::WaitingFor(steps) = case.migrate_with(&["prepare"], &Quiet).unwrap().state else { panic!() };
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].id, "confirm.source-off");
    assert!(matches!(
        hvm_engine::verify(&case.work(), VerifyOptions::default(), &Quiet),
        Err(EngineError::NotMigrated { .. })
    ));
    assert_eq!(case.migrate_with(&["confirm.source-off"], &Quiet).unwrap().state, MigrateState::Done);
    let finish = MigrateOptions { confirm: vec!["all".to_owned()], confirmed_by: "tester".to_owned() };
    let blocked = hvm_engine::finish(&case.work(), finish, &Quiet).unwrap().state;
    assert!(matches!(blocked, MigrateState::Blocked(_)), "not before it is verified");
}

#[test]
fn nothing_is_written_into_the_source() {
    let case = Case::new(KINDS[1], Variant::Clean);
    let before = tree_with_times(&case.host.folder);
    let inside = case.host.folder.join("D");
    let link = case.folder.path().join("link");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    let elsewhere = case.folder.path().join("elsewhere");
    for (root, work) in [
        (inside.join("new/kit"), case.work()),
        (inside.clone(), case.work()),
        (link.join("kit"), case.work()),
        (elsewhere.clone(), inside.join("work")),
        (elsewhere, link.join("a/../work")),
    ] {
        let to = format!("libvirt-files:{}", root.display());
        let request = PlanRequest { from: case.from(), to, choices: Choices::default(), work };
        let error = hvm_engine::plan(request, &Quiet).unwrap_err();
        assert!(matches!(&error, EngineError::InsideSource { .. }), "{error}");
        assert!(error.to_string().contains("drive D:") && error.hint().unwrap().contains("choose a folder"), "{error}");
        assert!(tree_with_times(&case.host.folder) == before && !case.work().exists());
    }
}

#[test]
fn a_source_that_was_used_since_is_told_by_the_verification() {
    let case = Case::new(KINDS[1], Variant::Clean);
    case.plan(&[]).unwrap();
    case.migrate_all();
    assert_eq!(case.verify().differences, []);
    let disk = &case.host.disks[0].path;
    std::fs::File::options().append(true).open(disk).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let differences = case.verify().differences;
    assert_eq!(differences.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["the source"]);
    let alone = VerifyOptions { against_source: false, observed: None };
    assert_eq!(hvm_engine::verify(&case.work(), alone, &Quiet).unwrap().differences, []);
}

#[test]
fn a_blocked_plan_is_neither_verified_nor_finished() {
    let case = Case::new(KINDS[0], Variant::Cluster);
    let plan = case.plan(&[]).unwrap();
    assert!(!plan.blocked.is_empty());
    let error = hvm_engine::verify(&case.work(), VerifyOptions::default(), &Quiet).unwrap_err();
    assert!(matches!(&error, EngineError::Blocked { reasons } if *reasons == plan.blocked), "{error}");
    let finish = MigrateOptions { confirm: vec!["all".to_owned()], confirmed_by: "tester".to_owned() };
    let outcome = hvm_engine::finish(&case.work(), finish, &Quiet).unwrap();
    assert_eq!(outcome.state, MigrateState::Blocked(plan.blocked));
}

#[test]
fn a_changed_source_or_plan_or_a_second_run_is_refused() {
    let case = Case::new(KINDS[1], Variant::Clean);
    case.plan(&[]).unwrap();
    let plan = case.work().join("plan.json");
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("Einfach", "Anders")).unwrap();
    assert!(matches!(case.migrate(&Quiet), Err(EngineError::PlanChanged { .. })));
    std::fs::write(&plan, text).unwrap();
    let lock = std::fs::File::options().write(true).open(case.work().join(".lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(case.migrate(&Quiet), Err(EngineError::Locked { .. })));
    lock.unlock().unwrap();
    let disk = &case.host.disks[0].path;
    std::fs::File::options().append(true).open(disk).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    assert!(matches!(case.migrate(&Quiet), Err(EngineError::SourceChanged { .. })));
    assert!(!case.root().exists());
    case.plan(&[]).unwrap();
    case.migrate_all();
    assert!(matches!(case.plan(&[]), Err(EngineError::UnderWay { .. })));
    case.rollback(DataChoice::Keep);
    case.plan(&[]).unwrap();
}

#[test]
fn somebody_elses_files_are_never_touched() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Clean);
        let plan = case.plan(&[]).unwrap();
        let disk = plan.role.machines[0].disks[0].target.clone();
        let theirs = case.root().join(&disk);
        std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        std::fs::write(&theirs, b"theirs").unwrap();
        let before = case.tree();
        assert!(matches!(case.migrate(&Quiet), Err(EngineError::InTheWay { .. })));
        assert_eq!(case.tree(), before);
        case.rollback(DataChoice::Discard);
        assert_eq!(case.tree(), before);
        std::fs::remove_file(&theirs).unwrap();
        std::fs::write(case.root().join("note.txt"), b"a note of theirs").unwrap();
        let before = case.tree();
        case.migrate_all();
        let outcome = case.rollback(DataChoice::Discard);
        assert_eq!(case.tree(), before);
        assert_eq!(outcome.left, Vec::<String>::new());
    }
}

#[test]
fn stopped_anywhere_and_run_again_gives_the_same_bytes() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Clean);
        case.plan(&[]).unwrap();
        let counting = StopAt::question(u64::MAX);
        assert_eq!(case.migrate(&counting).unwrap().state, MigrateState::Done);
        let expected = case.tree();
        let questions = counting.asked.get();
        assert!(questions > 40, "{questions}");
        let mut stopped = 0;
        for stop in (1..questions).step_by(1 + questions as usize / 30) {
            case.rollback(DataChoice::Discard);
            // While blocks are moved the question is asked from time to time, so that a faster run asks less often.
            if let Err(error) = case.migrate(&StopAt::question(stop)) {
                assert!(error.is_cancelled(), "{error}");
                stopped += 1;
            }
            case.migrate_all();
            assert_eq!(case.tree(), expected, "{kind} stopped at {stop} of {questions}");
        }
        assert!(stopped > 10, "{stopped} of {questions}");
        assert_eq!(case.verify().differences, []);
    }
}

#[test]
fn a_rollback_after_a_stop_anywhere_leaves_the_folder_as_it_was() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Clean);
        let new = case.folder.path().join("new");
        std::fs::create_dir_all(&new).unwrap();
        std::fs::write(new.join("other"), b"theirs").unwrap();
        let before = tree(&new);
        case.plan(&[]).unwrap();
        for stop in (1..60).step_by(4) {
            let _ = case.migrate(&StopAt::question(stop));
            let first = case.rollback(DataChoice::Keep);
            let after = tree(&new);
            let files = after.keys().filter(|name| !name.ends_with('/') && *name != "other");
            let left: Vec<String> = files.map(|name| name.replace("destination/", "")).collect();
            let mut kept = first.kept.clone();
            kept.sort();
            assert_eq!(left, kept, "{kind} stopped at {stop}: only what is said to be kept");
            let second = case.rollback(DataChoice::Keep);
            assert_eq!((second.removed, second.kept), (Vec::new(), first.kept), "twice is once");
            assert_eq!(tree(&new), after);
            case.rollback(DataChoice::Discard);
            assert_eq!(tree(&new), before, "{kind} stopped at {stop}");
            assert_eq!(case.rollback(DataChoice::Discard).removed, Vec::<String>::new());
        }
    }
}

#[test]
fn kept_data_is_taken_over_and_damaged_data_copied_again() {
    let case = Case::new(KINDS[1], Variant::Clean);
    let plan = case.plan(&[]).unwrap();
    case.migrate_all();
    let expected = case.tree();
    let outcome = case.rollback(DataChoice::Keep);
    assert!(!outcome.kept.is_empty() && outcome.remaining.len() >= 4, "{outcome:?}");
    case.plan(&[]).unwrap();
    case.migrate_all();
    let report = hvm_engine::report(&case.work()).unwrap();
    let text = serde_json::to_string(&report.journal).unwrap();
    assert!(text.contains("was there already and every byte of it was checked"), "nothing was copied again");
    case.rollback(DataChoice::Keep);
    let disk = case.root().join(&plan.role.machines[0].disks[0].target);
    flip(&disk, 70_000);
    case.plan(&[]).unwrap();
    case.migrate_all();
    let disks = |tree: std::collections::BTreeMap<String, String>| {
        tree.into_iter().filter(|(name, _)| name.starts_with("disks/")).collect::<Vec<_>>()
    };
    assert_eq!(disks(case.tree()), disks(expected));
    assert_eq!(case.verify().differences, []);
    case.rollback(DataChoice::Discard);
    assert!(!case.root().exists() && !case.folder.path().join("new").exists());
}

#[test]
fn a_flipped_byte_in_any_file_is_found_and_named() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Clean);
        case.plan(&[]).unwrap();
        case.migrate_all();
        let files: Vec<String> = case.tree().into_keys().filter(|name| !name.ends_with('/')).collect();
        assert!(files.len() >= 6, "{files:?}");
        for name in &files {
            let path = case.root().join(name);
            let at = path.metadata().unwrap().len() / 3;
            flip(&path, at);
            let found = case.verify().differences;
            let named = found.iter().any(|one| one.subject.contains(name.as_str()));
            assert!(named, "{kind}: byte {at} of {name}: {found:?}");
            flip(&path, at);
        }
        assert_eq!(case.verify().differences, []);
        std::fs::remove_file(case.root().join(&files[0])).unwrap();
        assert!(!case.verify().differences.is_empty());
    }
}

#[test]
fn a_flipped_byte_of_content_is_named_with_machine_disk_and_offset() {
    let case = Case::new("libvirt-files:DIR?format=raw", Variant::Default);
    let others = all_but_boot();
    let plan = case.plan(&others.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    case.migrate_all();
    let machine = plan.role.machines.iter().find(|machine| machine.id.as_str() == ids::BOOT.0).unwrap();
    let target = &machine.disks[0].target;
    let at = 3_333_333;
    flip(&case.root().join(target), at);
    let found = case.verify().differences;
    let one = found
        .iter()
        .find(|one| one.place.starts_with(&format!("virtual offset {at} ")))
        .unwrap_or_else(|| panic!("{found:?}"));
    assert!(one.subject.contains(ids::BOOT.1) && one.subject.contains(target.as_str()), "{one:?}");
    let without =
        hvm_engine::verify(&case.work(), VerifyOptions { against_source: false, ..VerifyOptions::default() }, &Quiet)
            .unwrap();
    assert!(without.differences.iter().any(|one| one.subject.contains(target.as_str())));
}

#[test]
fn what_is_left_as_the_destination_has_it_is_neither_planned_nor_compared() {
    let case = Case::new("kit:DIR?os=2019&processors=2&memory=16GiB&free=500GiB", Variant::Default);
    let others = all_but_boot();
    let planned = |more: &[&str]| {
        let answers: Vec<&str> = others.iter().map(String::as_str).chain(more.iter().copied()).collect();
        case.plan(&answers).unwrap()
    };
    let rules = |plan: &Plan| plan.role.firewall.iter().map(|change| change.id.clone()).collect::<Vec<_>>();
    let whole = planned(&[]);
    assert!(rules(&whole).len() > 1 && !whole.role.dcom.is_empty());
    let one = planned(&["firewall.changed@VIRT-REMOTEDESKTOP-In-TCP-NoScope=leave"]);
    let mut wanted = rules(&whole);
    wanted.retain(|id| id != "VIRT-REMOTEDESKTOP-In-TCP-NoScope");
    assert_eq!(rules(&one), wanted);
    let none = planned(&["firewall.changed=leave", "remote.dcom-widened=leave"]);
    assert!(none.role.firewall.is_empty() && none.role.dcom.is_empty());
    assert!(whole.role.wmi_namespaces.is_empty(), "files alone do not tell them");
    hvm_testkit::sample::answers::write(&case.host.folder, Variant::Default).unwrap();
    let told = planned(&[]).role.wmi_namespaces;
    let [rights] = &told[..] else { panic!("one namespace: {told:?}") };
    assert_eq!((rights.namespace.as_str(), rights.added.len()), (r"root\virtualization\v2", 1));
    assert!(planned(&["remote.wmi-changed=leave"]).role.wmi_namespaces.is_empty());
    assert!(!none.steps.iter().any(|step| step.id == "confirm.firewall"));
}

#[test]
fn what_was_seen_on_the_destination_is_compared_with_the_plan() {
    let kind = "kit:DIR?os=2019&processors=2&memory=16GiB&free=500GiB&language=0407&edition=standard";
    let case = Case::new(kind, Variant::Default);
    let others = all_but_boot();
    let plan = case.plan(&others.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    case.migrate_all();
    let mut settings = hvm_destinations::select::open(&case.to()).unwrap().observe().unwrap();
    settings.extend(hvm_model::firewall::firewall_settings(&plan.role));
    let file = case.work().join("observed.json");
    let verify = |settings: &[Setting], source_host: &str| {
        let at = "2026-01-01T00:00:00Z".to_owned();
        let (host, source_host) = ("HV-NEW-01".to_owned(), source_host.to_owned());
        let observed = Observed { schema: 1, host, source_host, at, settings: settings.to_vec() };
        std::fs::write(&file, serde_json::to_vec(&observed).unwrap()).unwrap();
        let options = VerifyOptions { observed: Some(file.clone()), ..VerifyOptions::default() };
        hvm_engine::verify(&case.work(), options, &Quiet)
    };
    let host = &case.host.computer_name;
    // A kit that was imported, and whose DCOM entry nobody merged yet; then somebody merged a part of it, and then all.
    let (subject, item) = ("DCOM restriction MachineLaunchRestriction", format!("{}.allow", ids::DCOM_GROUP_SID));
    for (found, value) in [("nothing", None), ("'0x8'", Some("0x8"))] {
        let merged = value.map(|value| Setting::new(subject, &item, value));
        let seen: Vec<Setting> = settings.iter().cloned().chain(merged).collect();
        let [one] = <[_; 1]>::try_from(verify(&seen, host).unwrap().differences).unwrap();
        assert_eq!((one.subject.as_str(), &one.place), (subject, &item));
        assert_eq!((one.expected.as_str(), one.found.as_str()), ("'0x1f'", found));
    }
    settings.push(Setting::new(subject, &item, "0x1f"));
    assert_eq!(verify(&settings, host).unwrap().differences, []);
    // A firewall rule that somebody changed there.
    let mut opened = settings.clone();
    let rule = opened.iter_mut().find(|setting| setting.item == "enabled" && setting.value == "False").unwrap();
    rule.value = "True".to_owned();
    let subject = rule.subject.clone();
    let [one] = <[_; 1]>::try_from(verify(&opened, host).unwrap().differences).unwrap();
    assert_eq!((one.subject, one.place.as_str()), (subject, "enabled"));
    let mut changed = settings.clone();
    let count = changed.iter_mut().find(|setting| setting.item == "processors.count").unwrap();
    let before = std::mem::replace(&mut count.value, "7".to_owned());
    changed.retain(|setting| setting.item != "memory.startup-mib");
    let found = verify(&changed, host).unwrap().differences;
    let told: Vec<_> = found.iter().map(|one| (one.place.as_str(), one.expected.clone(), one.found.as_str())).collect();
    let memory = settings.iter().find(|setting| setting.item == "memory.startup-mib").unwrap();
    let wanted = [
        ("memory.startup-mib", format!("'{}'", memory.value), "nothing"),
        ("processors.count", format!("'{before}'"), "'7'"),
    ];
    assert_eq!(told, wanted);
    let error = verify(&settings, "ANOTHER").unwrap_err();
    assert!(error.to_string().contains("ANOTHER") && error.hint().unwrap().contains("observed.json"), "{error}");
    std::fs::write(&file, b"{").unwrap();
    let options = VerifyOptions { observed: Some(file.clone()), ..VerifyOptions::default() };
    assert!(hvm_engine::verify(&case.work(), options, &Quiet).is_err());
}

fn flip(path: &std::path::Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
}

/// Answers that leave out all machines but the one that boots.
fn all_but_boot() -> Vec<String> {
    let others = [ids::TREE, ids::FILES, ids::MEDIA, ids::MEMORY, ids::PROCESSORS, ids::SAVED];
    others.iter().map(|(id, _)| format!("machine.left-out@{id}=exclude")).collect()
}
