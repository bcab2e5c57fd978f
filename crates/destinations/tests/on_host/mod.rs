//! A host of the model with a kit on it, and the scripts of the kit that are run there.

#![allow(dead_code, reason = "each test uses its part")]

use hvm_destinations::destination::Destination;
use hvm_destinations::select;
use hvm_model::plan::Plan;
use hvm_testkit::hyperv_host::{Host, Release};
use hvm_testkit::powershell::{End, Outcome, Value};

use crate::common::{copy, perform_all, tree};

/// Where the kit lies on the host.
pub const KIT: &str = r"D:\Umzug 'HV' für Müller";

/// The releases for which kits are written.
pub const RELEASES: &[&str] = &["2012", "2012R2", "2016", "2019", "2022", "2025"];

/// A kit of the plan, and a host with the files of the kit.
pub fn host_with_kit(os: &str, plan: &Plan) -> (Box<dyn Destination>, Host) {
    host_with_files(os, plan, &[])
}

/// The same, where some of the copied files hold what they should.
pub fn host_with_files(os: &str, plan: &Plan, files: &[(String, Vec<u8>)]) -> (Box<dyn Destination>, Host) {
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path(), plan);
    for (path, bytes) in files {
        std::fs::write(folder.path().join(path), bytes).unwrap();
    }
    let kit = select::open(&format!("kit:{}?os={os}", folder.path().display())).unwrap();
    perform_all(kit.as_ref(), plan);
    let mut host = Host::new(Release::of(os).unwrap(), &["Ethernet", "Ethernet 2"]);
    for (name, bytes) in tree(folder.path()) {
        let path = format!("{KIT}\\{}", name.replace('/', "\\"));
        host.files.create_folder(path.rsplit_once('\\').unwrap().0);
        host.files.write(&path, bytes).unwrap();
    }
    (kit, host)
}

pub fn import(host: &mut Host) -> Outcome {
    host.run(&format!("{KIT}\\Import-HyperVRole.ps1"), &[("SourceIsOff", Value::Bool(true))])
}

/// Tests the host, which must not change by it.
pub fn test(host: &mut Host) -> Outcome {
    let seen = format!("{KIT}\\state\\observed.json");
    host.files.remove(&seen);
    let before = (host.state.without_ids(), host.files.clone());
    let outcome = host.run(&format!("{KIT}\\Test-HyperVRole.ps1"), &[]);
    let mut after = host.files.clone();
    after.remove(&seen);
    assert!(before == (host.state.without_ids(), after), "Test-HyperVRole.ps1 changes something");
    outcome
}

pub fn undo(host: &mut Host) -> Outcome {
    host.run(&format!("{KIT}\\Undo-HyperVRole.ps1"), &[("Confirm", Value::Bool(false))])
}

/// The steps of the kit on a host, but for the one of a script of its own.
pub fn steps_of(host: &Host) -> Vec<String> {
    let names = host.files.iter().filter_map(|file| file.path.strip_prefix(&format!("{KIT}\\steps\\")));
    let mut steps: Vec<String> = names.filter(|name| *name != "firewall.ps1").map(str::to_owned).collect();
    steps.sort();
    steps
}

/// One step alone, with the scripts that hold its functions.
pub fn run_step(host: &mut Host, parts: &[&str], step: &str, mode: &str) -> Vec<Value> {
    let quoted = KIT.replace('\'', "''");
    let load: String = parts.iter().map(|part| format!(". '{quoted}\\{part}.ps1'\n")).collect();
    // The scripts that run the steps have asked for the step as a whole.
    host.run_text(&format!("$ConfirmPreference = 'None'\n{load}& '{quoted}\\steps\\{step}' -Mode '{mode}'"))
        .unwrap_or_else(|stop| panic!("{step} {mode}: {stop:?}"))
}

/// Each step of the kit alone: not done, done, taken back twice, done twice. `undone` is called after each undoing.
pub fn each_step(host: &mut Host, parts: &[&str], undone: impl Fn(&mut Host)) {
    for step in &steps_of(host) {
        let before = host.state.without_ids();
        assert!(run_step(host, parts, step, "Test").contains(&Value::Bool(false)), "{step}");
        run_step(host, parts, step, "Perform");
        let after = host.state.without_ids();
        let tested = run_step(host, parts, step, "Test");
        assert!(!tested.is_empty() && tested.iter().all(|answer| *answer == Value::Bool(true)), "{step}: {tested:?}");
        for _ in 0..2 {
            run_step(host, parts, step, "Undo");
            assert_eq!(host.state.without_ids(), before, "{step}");
            undone(host);
        }
        run_step(host, parts, step, "Perform");
        run_step(host, parts, step, "Perform");
        assert_eq!(host.state.without_ids(), after, "{step}");
    }
}

pub fn good(outcome: &Outcome) {
    assert_eq!(outcome.end, End::Code(0), "{outcome:#?}");
    assert!(outcome.errors.is_empty(), "{outcome:#?}");
}

/// Cuts `run` off at each change that it makes to a host like `start`: the next run then does the rest, and undoing takes all
/// back, after the cut and after the next run.
pub fn cut_anywhere(start: &Host, run: fn(&mut Host) -> Outcome, least: u64) {
    let mut whole = start.clone();
    good(&run(&mut whole));
    assert!(whole.changes() >= least, "{}", whole.changes());
    for at in 0..whole.changes() {
        let mut host = start.clone();
        host.cut_at(at);
        assert_eq!(run(&mut host).end, End::Cut, "change {at}");
        let (mut again, mut undone) = (host.clone(), host.clone());
        good(&run(&mut again));
        assert_eq!(again.state, whole.state, "change {at}");
        for host in [&mut again, &mut undone] {
            undone_to(host, start, at);
        }
    }
}

/// Cuts undoing off at each change that it makes to a host on which `run` was run, and undoes again.
pub fn cut_while_undoing(start: &Host, run: fn(&mut Host) -> Outcome) {
    let mut done = start.clone();
    good(&run(&mut done));
    let mut whole = done.clone();
    good(&undo(&mut whole));
    for at in 0..whole.changes() {
        let mut host = done.clone();
        host.cut_at(at);
        assert_eq!(undo(&mut host).end, End::Cut, "change {at}");
        let (mut undone, mut again) = (host.clone(), host.clone());
        undone_to(&mut undone, start, at);
        good(&run(&mut again));
        assert_eq!(again.state, done.state, "change {at}");
        undone_to(&mut again, start, at);
    }
}

fn undone_to(host: &mut Host, start: &Host, at: u64) {
    let outcome = undo(host);
    good(&outcome);
    assert!(outcome.warnings.is_empty(), "change {at}: {:?}", outcome.warnings);
    assert_eq!(host.state, start.state, "change {at}");
    // What was begun and has not got its name yet may stay.
    let kept = host.files.entries(&format!("{KIT}\\state")).into_iter().filter(|path| !path.ends_with(".new"));
    assert_eq!(kept.collect::<Vec<String>>(), Vec::<String>::new(), "change {at}");
}
