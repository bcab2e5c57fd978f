//! The n-th read of a source fails, or the file ends before its time: each command that only reads says which file, where
//! and why, a server tells its client and goes on, and a migration goes on when it is run again.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use common::{ANSWERS, Scene, copy_folder};
use faults_support::{Call, Fault, Shim, calls, numbers};
use hvm_testkit::sample::Variant;

const CHAIN: &str = "source/D/Hyper-V/Baum 日本語/Baum 日本語_C1C10000-0000-4000-8000-0000000000C1.avhd";

fn sample() -> Scene {
    let scene = Scene::in_memory();
    scene.sample(Variant::Default);
    scene
}

/// Numbers of the calls of one kind, some of many.
fn some(calls: &[Call], kind: &str, most: u64) -> Vec<u64> {
    numbers(calls, most).into_iter().filter(|(found, _)| found == kind).map(|(_, number)| number).collect()
}

#[test]
fn commands_that_read_name_the_file_and_the_place() {
    let Some(shim) = Shim::compile() else { return };
    let scene = sample();
    scene.expect(0, &["disk", "convert", CHAIN, "copy.vhdx", "--to", "vhdx", "--manifest", "copy.json"]);
    let before = scene.look("source");
    let mut failed = 0;
    let commands: [&[&str]; 7] = [
        &["disk", "info", CHAIN, "--headers"],
        &["disk", "hash", CHAIN],
        &["disk", "check", CHAIN],
        &["disk", "check", "copy.vhdx"],
        &["disk", "extents", CHAIN],
        &["disk", "compare", CHAIN, "copy.vhdx"],
        &["disk", "verify", "copy.vhdx", "copy.json"],
    ];
    for args in commands {
        let (ran, list) = shim.run(&scene, args, None);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        for number in some(&list, "read", 16) {
            for (how, reason) in [("errno 5", "Input/output error"), ("end", "failed to fill whole buffer")] {
                let (ran, list) = shim.run(&scene, args, Some(&Fault::new("read", number, how)));
                let Some(call) = list.iter().find(|call| call.injected) else { continue };
                if call.path.ends_with("copy.json") {
                    continue;
                }
                let told = format!("{}{}", ran.stdout, ran.stderr);
                let what = format!("{args:?} {number} {call:?}\n{told}");
                // To verify, what cannot be read is a range that is not as it should be.
                assert!(ran.code == 1 || ran.code == 4 && args[1] == "verify", "{what}");
                assert!(!told.contains("panicked") && told.contains(reason), "{what}");
                assert!(told.contains(call.path.file_name().unwrap().to_str().unwrap()), "{what}");
                assert!(told.contains("at offset ") || told.contains(", offset "), "{what}");
                failed += 1;
            }
        }
    }
    assert!(failed > 100, "{failed}");
    assert_eq!(scene.look("source"), before);
}

/// What is inside a disk is told as far as it can be read, and what cannot be read is named.
#[test]
fn info_says_what_it_could_not_read() {
    let Some(shim) = Shim::compile() else { return };
    let scene = sample();
    let args = ["disk", "info", CHAIN, "--format", "json"];
    let (whole, list) = shim.run(&scene, &args, None);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    for number in some(&list, "read", 24) {
        let (ran, _) = shim.run(&scene, &args, Some(&Fault::new("read", number, "errno 5")));
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(matches!(ran.code, 0 | 1) && !told.contains("panicked"), "{number}: {told}");
        assert!(ran.stdout == whole.stdout || told.contains("Input/output error"), "{number}: it is not told: {told}");
    }
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A connection in the transmission phase, by the option that every server has, and the size of the export.
fn connect(uri: &str) -> (TcpStream, u64) {
    let mut stream = TcpStream::connect(uri.strip_prefix("nbd://").unwrap().split('/').next().unwrap()).unwrap();
    let mut hello = [0; 18];
    stream.read_exact(&mut hello).unwrap();
    assert!(hello.starts_with(b"NBDMAGICIHAVEOPT"));
    stream
        .write_all(&[&3u32.to_be_bytes()[..], b"IHAVEOPT", &1u32.to_be_bytes(), &0u32.to_be_bytes()].concat())
        .unwrap();
    let mut export = [0; 10];
    stream.read_exact(&mut export).unwrap();
    (stream, u64::from_be_bytes(export[..8].try_into().unwrap()))
}

/// Reads; the error number of the answer and the bytes.
fn ask(stream: &mut TcpStream, offset: u64, len: u32) -> (u32, Vec<u8>) {
    let request = [&0x2560_9513u32.to_be_bytes()[..], &[0; 4], &[7; 8], &offset.to_be_bytes(), &len.to_be_bytes()];
    stream.write_all(&request.concat()).unwrap();
    let mut head = [0; 16];
    stream.read_exact(&mut head).unwrap();
    assert!(head[..4] == 0x6744_6698u32.to_be_bytes() && head[8..] == [7; 8]);
    let error = u32::from_be_bytes(head[4..8].try_into().unwrap());
    let mut bytes = vec![0; if error == 0 { len as usize } else { 0 }];
    stream.read_exact(&mut bytes).unwrap();
    (error, bytes)
}

#[test]
fn a_server_tells_its_client_and_goes_on() {
    let Some(shim) = Shim::compile() else { return };
    let scene = sample();
    let hash = scene.expect(0, &["disk", "hash", CHAIN]).stdout;
    let (_, opening) = shim.run(&scene, &["disk", "info", CHAIN, "--headers"], None);
    let opened = opening.iter().filter(|call| call.kind == "read").count() as u64;
    for later in [1, 2, 20] {
        let fault = Fault::new("read", opened + later, "errno 5");
        let (mut command, list) = shim.command(&scene, &["disk", "serve", CHAIN, "--port", "0"], Some(&fault));
        let mut server = Server(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut uri = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut uri).unwrap();
        let (mut stream, size) = connect(uri.trim_end());
        let (mut content, mut errors) = (Vec::new(), 0);
        while (content.len() as u64) < size {
            let at = content.len() as u64;
            let (error, bytes) = ask(&mut stream, at, (size - at).min(1 << 20) as u32);
            if error != 0 {
                assert_eq!(error, 5, "EIO");
                errors += 1;
            }
            content.extend(bytes);
        }
        assert_eq!(errors, 1, "the fault comes once, and the next read of the same place is right");
        assert!(hash.starts_with(&blake3::hash(&content).to_hex().to_string()));
        drop((stream, server));
        assert!(calls(&list).iter().any(|call| call.injected));
    }
}

#[test]
fn a_migration_goes_on_after_a_fault() {
    let Some(shim) = Shim::compile() else { return };
    let scene = sample();
    std::fs::create_dir(scene.dir.join("to")).unwrap();
    let mut plan = vec!["plan", "--from", "folder:source", "--work", "work", "--to"];
    plan.push("libvirt-files:to?processors=2&memory=32GiB");
    plan.extend(ANSWERS);
    scene.expect(0, &plan);
    copy_folder(&scene.dir.join("work"), &scene.dir.join("work as planned"));
    let migrate = ["migrate", "--work", "work", "--confirm", "all"];
    let source = scene.look("source");
    let (ran, list) = shim.run(&scene, &migrate, None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let undisturbed = scene.content("to");
    let mut failed = 0;
    for (kind, number) in numbers(&list, 5) {
        for how in ["errno 5", "from 28"] {
            if how == "from 28" && kind != "write" {
                continue;
            }
            for folder in ["to", "work"] {
                std::fs::remove_dir_all(scene.dir.join(folder)).unwrap();
            }
            std::fs::create_dir(scene.dir.join("to")).unwrap();
            copy_folder(&scene.dir.join("work as planned"), &scene.dir.join("work"));
            let (ran, list) = shim.run(&scene, &migrate, Some(&Fault::new(&kind, number, how)));
            let what = format!("{kind} {number} {how} {:?}\n{}", list.iter().find(|call| call.injected), ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{what}");
            for (name, seen) in scene.content("to") {
                let file = name.rsplit('/').next().unwrap();
                let hidden = file.starts_with('.') && file.contains(".partial");
                assert!(hidden || undisturbed.contains(&(name.clone(), seen)), "'{name}' is not whole: {what}");
            }
            if ran.code != 0 {
                assert!(ran.code == 1 && ran.stderr.contains("Error: ") && ran.stderr.contains("\nHint: "), "{what}");
                failed += 1;
            }
            scene.expect(0, &migrate);
            assert_eq!(scene.content("to"), undisturbed, "{what}");
        }
    }
    assert!(failed > 15, "{failed}");
    assert_eq!(scene.look("source"), source);
}
