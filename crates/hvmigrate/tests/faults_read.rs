//! The n-th read of a disk fails, or its file ends before its time, for every n: each command that only reads says which file,
//! where and why, and a server tells its client and goes on.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use common::{Ran, Scene};
use faults_support::{Call, Fault, Shim, calls, count};
use hvm_testkit::sample::Variant;

const CHAIN: &str = "source/D/Hyper-V/Baum 日本語/Baum 日本語_C1C10000-0000-4000-8000-0000000000C1.avhd";

fn sample() -> Scene {
    let scene = Scene::in_memory();
    scene.sample(Variant::Default);
    scene
}

/// Faults that end a command that only reads, and what it says of them.
const FAULTS: [(&str, &str); 2] = [("errno 5", "Input/output error"), ("end", "failed to fill whole buffer")];

/// A scene with the sample host and copies of its chain.
fn with_copies() -> Scene {
    let scene = sample();
    scene.expect(0, &["disk", "convert", CHAIN, "copy.vhdx", "--to", "vhdx", "--manifest", "copy.json"]);
    scene.expect(0, &["disk", "convert", CHAIN, "copy.qcow2", "--to", "qcow2", "--compress"]);
    scene
}

/// Every read of these commands fails, ends early, moves one byte, or is interrupted.
fn each_read_is_answered(commands: &[&[&str]]) {
    let Some(shim) = Shim::compile() else { return };
    let scene = with_copies();
    let before = scene.look("source");
    for args in commands {
        let (whole, list) = shim.run(&scene, args, None);
        assert_eq!(whole.code, 0, "{args:?}: {}", whole.stderr);
        let mut failed = 0;
        for number in 1..=count(&list, "read") {
            for (how, reason) in FAULTS {
                let (ran, list) = shim.run(&scene, args, Some(&Fault::new("read", number, how)));
                let Some(call) = list.iter().find(|call| call.injected) else { continue };
                // A manifest is a text that is read until it ends.
                if how == "end" && call.path.ends_with("copy.json") {
                    continue;
                }
                judge(args, call, &ran, reason);
                failed += 1;
            }
            let (ran, _) = shim.run(&scene, args, Some(&Fault::new("read", number, "short 1")));
            assert!(ran.code == 0 && ran.stdout == whole.stdout, "{args:?} {number}: {}", ran.stderr);
        }
        for kind in ["open", "read"] {
            let (ran, _) = shim.run(&scene, args, Some(&Fault::new(kind, 1, "each 4")));
            assert!(ran.code == 0 && ran.stdout == whole.stdout, "{args:?}: {}", ran.stderr);
        }
        println!("{args:?}: {failed} failed");
        assert!(failed >= count(&list, "read"), "{args:?}: only {failed}");
    }
    assert_eq!(scene.look("source"), before);
}

/// The message names the file and the place, and the exit code says that it failed.
fn judge(args: &[&str], call: &Call, ran: &Ran, reason: &str) {
    let told = format!("{}{}", ran.stdout, ran.stderr);
    let what = format!("{args:?} {call:?}\n{told}");
    // To verify, what cannot be read is a range that is not as it should be.
    assert!(ran.code == 1 || ran.code == 4 && args[1] == "verify", "{what}");
    assert!(!told.contains("panicked"), "{what}");
    assert!(told.contains(call.path.file_name().unwrap().to_str().unwrap()), "{what}");
    assert!(told.contains(reason), "{what}");
    let place = told.contains("at offset ") || told.contains(", offset ");
    assert!(place || call.path.ends_with("copy.json"), "{what}");
}

#[test]
fn info_and_extents_name_the_file_and_the_place() {
    each_read_is_answered(&[&["disk", "info", CHAIN, "--headers"], &["disk", "extents", CHAIN]]);
}

#[test]
fn hash_and_manifest_name_the_file_and_the_place() {
    each_read_is_answered(&[
        &["disk", "hash", CHAIN],
        &["disk", "hash", "copy.qcow2"],
        &["disk", "manifest", CHAIN],
        &["disk", "manifest", "copy.vhdx"],
    ]);
}

#[test]
fn check_names_the_file_and_the_place() {
    let check = |file| ["disk", "check", file];
    each_read_is_answered(&[&check(CHAIN), &check("copy.vhdx"), &check("copy.qcow2")]);
}

#[test]
fn compare_and_verify_name_the_file_and_the_place() {
    each_read_is_answered(&[
        &["disk", "compare", CHAIN, "copy.vhdx"],
        &["disk", "compare", "copy.qcow2", "copy.vhdx"],
        &["disk", "verify", "copy.vhdx", "copy.json"],
        &["disk", "verify", "copy.qcow2", "copy.json"],
    ]);
}

/// What is inside a disk is told as far as it can be read, and what cannot be read is named.
#[test]
fn info_says_what_it_could_not_read() {
    let Some(shim) = Shim::compile() else { return };
    let scene = sample();
    let args = ["disk", "info", CHAIN, "--format", "json"];
    let (whole, list) = shim.run(&scene, &args, None);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    for number in 1..=count(&list, "read") {
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
