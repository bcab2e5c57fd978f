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
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path(), plan);
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

pub fn good(outcome: &Outcome) {
    assert_eq!(outcome.end, End::Code(0), "{outcome:#?}");
}
