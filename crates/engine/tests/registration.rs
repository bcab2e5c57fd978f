#![allow(clippy::unwrap_used, missing_docs)]
//! Machines whose configuration the destination imports keep their ids: planned, migrated to a kit, imported on the model of a host,
//! and what was seen there compared with the plan.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Case, tree, tree_with_times};
use hvm_engine::{Quiet, VerifyOptions};
use hvm_model::names::TemplateId;
use hvm_model::plan::Plan;
use hvm_model::role::PutBack;
use hvm_testkit::hvs::{HvsSpec, Key, Value as Stored};
use hvm_testkit::hyperv_host::{Host, Release};
use hvm_testkit::powershell::{End, Value};
use hvm_testkit::sample::{self, Variant};
use hvm_testkit::sample_2016::{self, ANSWERS, AUTHORITY, DATABASE, HYPER_V, OLD, WEB, place};
use hvm_testkit::vhdx::{Kind, LayerContent, VhdxSpec};

const KIT_2012: &str = "kit:DIR?os=2012&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";
const KIT_2019: &str = "kit:DIR?os=2019&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";
const KIT_2022: &str = "kit:DIR?os=2022&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";
const ON_HOST: &str = r"D:\Kit";

fn case(kind: &'static str) -> Case {
    let case = Case::new(kind, Variant::Clean);
    fs::remove_dir_all(&case.host.folder).unwrap();
    sample_2016::write(&case.host.folder).unwrap();
    sample_2016::write_template(&case.host.folder).unwrap();
    case
}

/// How a machine is put back: its version where it is registered, else the reason.
fn way(plan: &Plan, id: &str) -> Result<(u16, u16), String> {
    let machine = plan.role.machines.iter().find(|machine| machine.id.as_str() == id).unwrap();
    match machine.put_back.clone().unwrap() {
        PutBack::Registered { version, .. } => Ok(version),
        PutBack::Anew { reason } => Err(reason),
    }
}

/// The kit on a host of a release, imported and looked at there.
fn imported(case: &Case, release: &str) -> Host {
    let mut host = Host::new(Release::of(release).unwrap(), &["Ethernet"]);
    let root = case.root();
    for (name, _) in tree(&root).into_iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = format!("{ON_HOST}\\{}", name.replace('/', "\\"));
        host.files.create_folder(path.rsplit_once('\\').unwrap().0);
        host.files.write(&path, fs::read(root.join(&name)).unwrap()).unwrap();
    }
    let outcome = host.run(&format!("{ON_HOST}\\Import-HyperVRole.ps1"), &[("SourceIsOff", Value::Bool(true))]);
    assert_eq!(outcome.end, End::Code(0), "{outcome:#?}");
    let outcome = host.run(&format!("{ON_HOST}\\Test-HyperVRole.ps1"), &[]);
    assert_eq!(outcome.end, End::Code(0), "{outcome:#?}");
    host
}

/// Nothing that was seen on the host differs from the plan.
fn as_planned(case: &Case, host: &Host) {
    let seen = case.work().join("observed.json");
    fs::write(&seen, host.files.read(&format!("{ON_HOST}\\state\\observed.json")).unwrap()).unwrap();
    let options = VerifyOptions { observed: Some(seen), ..VerifyOptions::default() };
    assert_eq!(hvm_engine::verify(&case.work(), options, &Quiet).unwrap().differences, []);
}

fn ids(host: &Host) -> Vec<&str> {
    let mut ids: Vec<&str> = host.state.machines.iter().map(|machine| machine.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_the_release_imports_keeps_its_id() {
    let case = case(KIT_2019);
    let before = tree_with_times(&case.host.folder);
    let plan = case.plan(&ANSWERS).unwrap();
    assert_eq!((way(&plan, WEB), way(&plan, OLD)), (Ok((9, 0)), Ok((5, 0))));
    assert!(way(&plan, DATABASE).unwrap_err().contains("checkpoints"));
    let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
    let title = |start: &str| titles.iter().filter(|title| title.starts_with(start)).count();
    assert_eq!((title("Register the virtual machine"), title("Make the virtual machine")), (2, 1));
    assert!(plan.steps.iter().any(|step| step.id == format!("copy-file.{WEB}.vmrs")));
    case.migrate_all();
    let host = imported(&case, "2019");
    assert!(ids(&host).contains(&WEB) && ids(&host).contains(&OLD) && !ids(&host).contains(&DATABASE));
    as_planned(&case, &host);
    let readme = fs::read_to_string(case.root().join("README.txt")).unwrap();
    assert!(readme.contains(&format!("({WEB})")) && readme.contains("'Datenbank': It has checkpoints"), "{readme}");
    assert_eq!(tree_with_times(&case.host.folder), before, "the source was touched");
}

#[test]
fn what_it_does_not_import_or_nobody_wants_is_made_anew() {
    let case = case(KIT_2022);
    let plan = case.plan(&ANSWERS).unwrap();
    assert_eq!(way(&plan, WEB), Ok((9, 0)));
    assert!(way(&plan, OLD).unwrap_err().contains("and this one has 5.0"));
    let wanted = format!("machine.configuration@{WEB}=new");
    let plan = case.plan(&[&ANSWERS[..], &[&wanted]].concat()).unwrap();
    assert!(way(&plan, WEB).unwrap_err().contains("The operator chose it"));
    case.migrate_all();
    let host = imported(&case, "2022");
    assert!(host.state.machines.len() == 3 && [WEB, OLD, DATABASE].iter().all(|id| !ids(&host).contains(id)));
    as_planned(&case, &host);
}

/// The template of Secure Boot and nested virtualization of a machine that is made anew, with its checkpoint.
#[test]
fn what_2016_brought_is_set_where_the_host_has_it() {
    const KIT_2012_R2: &str = "kit:DIR?os=2012R2&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";
    for (kind, release, there) in [(KIT_2012_R2, "2012R2", false), (KIT_2019, "2019", true)] {
        let case = case(kind);
        let plan = case.plan(&ANSWERS).unwrap();
        let database = plan.role.machines.iter().find(|machine| machine.id.as_str() == DATABASE).unwrap();
        assert_eq!(database.secure_boot_template.as_ref().map(TemplateId::as_str), Some(AUTHORITY));
        assert!(database.nested_virtualization);
        case.migrate_all();
        let host = imported(&case, release);
        as_planned(&case, &host);
        let machine = host.state.machines.iter().find(|machine| machine.generation == 2).unwrap();
        let states = machine.snapshots.iter().map(|snapshot| &snapshot.machine).chain([machine]);
        let states: Vec<_> =
            states.map(|state| (state.secure_boot_template == AUTHORITY, state.processors.nested)).collect();
        assert_eq!(states, [(there, there); 2], "{release}");
        let readme = fs::read_to_string(case.root().join("README.txt")).unwrap();
        assert_eq!(readme.contains("has no templates of Secure Boot"), !there, "{readme}");
        assert_eq!(readme.contains("has no nested virtualization"), !there, "{readme}");
        let told = readme.split_whitespace().collect::<Vec<_>>().join(" ");
        let of_checkpoints = "its checkpoints get the template of Secure Boot and nested virtualization as the present";
        assert_eq!(told.contains(of_checkpoints), there, "{told}");
    }
}

/// Machines of version 4.0 with all that they have, among them a physical disk, images, and disks that cannot be read.
#[test]
fn a_host_of_2012_goes_to_the_same_release() {
    let case = Case::new(KIT_2012, Variant::Source2012);
    // What a person does afterwards is left out here.
    let answers = ["machine.memory-exceeds=reduce:8GiB", "firewall.changed=leave", "remote.dcom-widened=leave"];
    let plan = case.plan(&[&ANSWERS[..], &answers].concat()).unwrap();
    let ways = plan.role.machines.iter().map(|machine| (machine.id.as_str(), way(&plan, machine.id.as_str())));
    let registered: Vec<&str> = ways.filter(|(_, way)| *way == Ok((4, 0))).map(|(id, _)| id).collect();
    assert!(registered.contains(&sample::ids::MEDIA.0) && !registered.contains(&sample::ids::TREE.0), "{registered:?}");
    case.migrate_all();
    let host = imported(&case, "2012");
    let kept: Vec<&str> = ids(&host).into_iter().filter(|id| registered.contains(id)).collect();
    assert_eq!(kept.len(), registered.len());
    as_planned(&case, &host);
    // The owner is in the configuration that is registered; nothing else tells it.
    let files = plan.role.machines.iter().find(|machine| machine.id.as_str() == sample::ids::FILES.0).unwrap();
    assert_eq!((way(&plan, files.id.as_str()), &files.owner), (Ok((4, 0)), &None));
    let file = fs::read(case.root().join(&files.original_configuration.as_ref().unwrap().target)).unwrap();
    assert!(String::from_utf8_lossy(&file).replace('\0', "").contains("-682003330-1105</sid>"));
}

/// The last line of the notes tells the owner of a machine that is made anew, also when an earlier migration wrote that line, unless
/// the operator wants the notes as they are.
#[test]
fn whose_a_machine_is_its_notes_tell() {
    const OWNER: &str = "S-1-5-21-1004336348-1177238915-682003330-1105";
    let case = Case::new(KIT_2012, Variant::Default);
    let owner = |plan: &Plan| {
        let files = plan.role.machines.iter().find(|machine| machine.id.as_str() == sample::ids::FILES.0).unwrap();
        (files.owner.clone(), files.notes.clone())
    };
    let answers = [
        "machine.saved-state=discard",
        "machine.memory-exceeds=reduce:8GiB",
        "firewall.changed=leave",
        "remote.dcom-widened=leave",
    ];
    let (left, notes) = owner(&case.plan(&[&answers[..], &["machine.owner=leave"]].concat()).unwrap());
    assert!(left.is_none() && notes.ends_with("日本語"));
    let plan = case.plan(&answers).unwrap();
    assert_eq!(owner(&plan), (Some(OWNER.to_owned()), notes.clone()));
    case.migrate_all();
    let host = imported(&case, "2012");
    as_planned(&case, &host);
    let machine = host.state.machines.iter().find(|machine| machine.name == sample::ids::FILES.1).unwrap();
    assert_eq!(machine.notes, format!("{notes}\r\nOwner: {OWNER}"));
    // The same machine, as it is read from a host that it was migrated to.
    let text = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let name = format!("{}.xml", sample::ids::FILES.0);
    let paths = tree(&case.host.folder).into_keys().filter(|path| path.ends_with(&name));
    let path = paths.map(|path| case.host.folder.join(path)).find(|path| path.is_file()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for (old, new) in [(OWNER, "S-1-5-18"), ("日本語", "日本語\nOwner: S-1-5-21-1-2-3-4")] {
        let (old, new) = (text(old), text(new));
        let at = bytes.windows(old.len()).position(|part| part == old).unwrap();
        bytes.splice(at..at + old.len(), new);
    }
    fs::write(&path, bytes).unwrap();
    let again = Case { folder: tempfile::tempdir().unwrap(), ..case };
    assert_eq!(owner(&again.plan(&answers).unwrap()), (Some("S-1-5-21-1-2-3-4".to_owned()), notes));
}

/// A file of the samples; they lie beside the repository or where the variable says.
fn real(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let path = std::env::var_os("HVM_SAMPLES").map_or(beside, PathBuf::from).join("vm-config").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: real configurations cannot be registered, there is no {}", path.display());
    None
}

#[test]
fn real_configurations_are_registered() {
    let (second, first) = ("D351C151-DAC7-4042-B434-B72D522C1E4A", "EC04F346-DB96-4700-AF5B-77B3C56C38BD");
    let (Some(xml), Some(tables)) = (real(&format!("{second}.xml")), real(&format!("{first}.vmcx"))) else {
        return;
    };
    let case = case(KIT_2019);
    let at = |path: &str| place(&case.host.folder, path);
    fs::copy(xml, at(&format!(r"{HYPER_V}\Virtual Machines\{second}.xml"))).unwrap();
    let path = format!(r"{HYPER_V}\Virtual Machines\{first}.vmcx");
    fs::copy(tables, at(&path)).unwrap();
    let listed = Key::node("VirtualMachines").with(Key::text(&format!("_{first}_"), &path));
    let list = Key::node("Configurations").with(Key::new("FormatVersion", Stored::Int(2))).with(listed);
    fs::write(at(&format!(r"{HYPER_V}\data.vmcx")), HvsSpec::default().write(&[list])).unwrap();
    fs::create_dir_all(at(r"C:\Disks")).unwrap();
    for (seed, generation) in [(1, 1), (2, 2)] {
        let spec = VhdxSpec { seed, ..VhdxSpec::new(Kind::Dynamic, 0x30 + seed as u8) };
        let image = spec.image(&LayerContent::new(4 << 20, 1 << 20, 512));
        image.write_to(&at(&format!(r"C:\Disks\Default Generation {generation}.vhdx"))).unwrap();
    }
    let plan = case.plan(&ANSWERS).unwrap();
    assert_eq!((way(&plan, first), way(&plan, second)), (Ok((9, 0)), Ok((5, 0))));
    case.migrate_all();
    let host = imported(&case, "2019");
    assert_eq!(ids(&host), [OLD, second, first]);
    as_planned(&case, &host);
}
