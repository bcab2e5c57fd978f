//! The files for libvirt as a whole.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::*;
use hvm_destinations::destination::Destination;
use hvm_destinations::select;
use hvm_model::capabilities::DiskFormat;

fn files(root: &Path, query: &str) -> Box<dyn Destination> {
    select::open(&format!("libvirt-files:{}{query}", root.display())).unwrap()
}

fn qcow2_plan() -> hvm_model::plan::Plan {
    let mut role = role();
    for disk in role.machines.iter_mut().flat_map(|machine| &mut machine.disks) {
        disk.format = DiskFormat::Qcow2;
        disk.target = disk.target.replace(".vhd", ".qcow2");
    }
    role.switches[0].adapter = Some("br0".to_owned());
    // Told as lost, with what to do on the host.
    role.machines[1].nested_virtualization = true;
    plan(role)
}

fn xml(root: &Path) -> Vec<PathBuf> {
    tree(root)
        .keys()
        .filter(|name| name.ends_with(".xml") && !name.starts_with("auth"))
        .map(|name| root.join(name))
        .collect()
}

/// True when the program is there; says aloud when it is not.
fn have(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

#[test]
fn the_files_conform() {
    for query in ["", "?kvm=no&format=raw"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new 'host' & <co> 日本");
        std::fs::create_dir(&root).unwrap();
        conforms(files(&root, query).as_ref(), &qcow2_plan());
    }
}

fn made(root: &Path, query: &str) {
    let plan = qcow2_plan();
    copy(root, &plan);
    perform_all(files(root, query).as_ref(), &plan);
}

#[test]
fn libvirt_takes_the_xml() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "");
    let xml = xml(folder.path());
    assert_eq!(xml.len(), 6);
    if have("virt-xml-validate") && have("xmllint") {
        for path in &xml {
            let output = Command::new("virt-xml-validate").arg(path).output().unwrap();
            assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
    if have("virsh") {
        for path in &xml {
            let network = path.parent().unwrap().ends_with("networks");
            let mut virsh = Command::new("virsh");
            virsh.args(["-c", "test:///default"]);
            virsh.args(if network { vec!["net-define"] } else { vec!["define", "--validate"] });
            let output = virsh.arg(path).output().unwrap();
            assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A `virsh` that passes everything on to libvirt's test driver, where each call starts afresh.
fn fake_virsh(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("virsh");
    let log = folder.join("log");
    std::fs::write(&path, format!("#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >> '{}'\n", log.display()))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_shell_scripts_run_where_they_were_made_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("it's $HOME \"x\"");
    std::fs::create_dir(&root).unwrap();
    made(&root, "");
    fake_virsh(folder.path());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let run = |script: &Path| Command::new("sh").arg(script).env("PATH", &path).output().unwrap();
    let output = run(&root.join("define.sh"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let defined: Vec<&str> = log.lines().filter(|line| line.ends_with(".xml")).collect();
    assert_eq!(defined.len(), 6);
    assert!(defined.iter().all(|path| Path::new(path).is_file()), "{defined:?}");
    assert_eq!(log.lines().filter(|line| *line == "autostart").count(), 1);
    assert!(run(&root.join("undefine.sh")).status.success());
    let moved = folder.path().join("moved");
    std::fs::rename(&root, &moved).unwrap();
    let output = run(&moved.join("define.sh"));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Move the folder back"));
}

#[test]
fn names_and_ids_are_what_guests_and_libvirt_need() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "?type=qemu");
    let sql = std::fs::read_to_string(folder.path().join("machines/SQL_1.xml")).unwrap();
    assert!(sql.contains("<name>SQL_1</name>") && sql.contains("<title>SQL/1</title>"));
    assert!(sql.contains("<domain type=\"qemu\">") && !sql.contains("host-model") && !sql.contains("vpindex"));
    assert!(sql.contains("<quota>75000</quota>") && sql.contains("<shares>250</shares>"));
    assert!(sql.contains(&format!("<uuid>{}</uuid>", SQL.to_lowercase())));
    let web = std::fs::read_to_string(folder.path().join("machines/Müllers Web 日本.xml")).unwrap();
    assert!(web.contains("<uuid>d19a1b2c-0000-4000-8000-00000000abcd</uuid>"));
    assert!(web.contains("dev=\"sdc\" bus=\"sata\"") && web.contains("dev=\"hda\" bus=\"ide\""));
    assert!(web.contains("00:15:5d:01:07:dc") && web.contains("52:54:00"));
    let readme = std::fs::read_to_string(folder.path().join("README.txt")).unwrap();
    assert!(readme.contains("'SQL/1' is called 'SQL_1'") && readme.contains("networks/ext_2.xml"));
}

#[test]
fn files_that_were_changed_by_hand_are_named() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "");
    let files = files(folder.path(), "");
    let path = folder.path().join("machines/SQL_1.xml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("unit=\"MiB\"", "unit=\"KiB\"")).unwrap();
    assert!(files.observe().unwrap_err().to_string().contains("MiB"));
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(files.observe().unwrap_err().to_string().contains("SQL_1.xml"));
    std::fs::write(&path, text.replace("urn:hvmigrate", "urn:other")).unwrap();
    assert!(files.observe().unwrap_err().to_string().contains("metadata"));
}

#[test]
fn what_a_domain_cannot_hold_is_told() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "");
    let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let lost = r#"<hvm:lost item="processors.nested-virtualization" value="true"/>"#;
    assert_eq!(xml(folder.path()).iter().filter(|path| text(path).contains(lost)).count(), 1);
    let told = tree(folder.path()).into_values().filter(|bytes| String::from_utf8_lossy(bytes).contains("nested=1"));
    assert_eq!(told.count(), 1, "a page says it");
}

#[test]
fn the_description_tells_the_owner_and_a_change_of_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), "");
    let line = format!("Owner: {OWNER}</description>");
    let path =
        xml(folder.path()).into_iter().find(|path| std::fs::read_to_string(path).unwrap().contains(&line)).unwrap();
    let files = files(folder.path(), "");
    let owners = || -> Vec<String> {
        let seen = files.observe().unwrap().into_iter().filter(|setting| setting.item == "owner");
        seen.map(|setting| setting.value).collect()
    };
    assert_eq!(owners(), [OWNER]);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(OWNER, "S-1-5-21-1-2-3-9")).unwrap();
    assert_eq!(owners(), ["S-1-5-21-1-2-3-9"]);
}
