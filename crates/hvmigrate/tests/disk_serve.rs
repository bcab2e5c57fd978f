#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]
//! Disks served to other programs, and manifests that are signed and checked with a key.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use common::Scene;
use hvm_testkit::sample::Variant;

const CHAIN: &str = "source/D/Hyper-V/Baum 日本語/Baum 日本語_C1C10000-0000-4000-8000-0000000000C1.avhd";

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn serve(scene: &Scene, args: &[&str]) -> (Server, String) {
    let mut command = scene.command(&[&["disk", "serve", CHAIN], args].concat());
    let mut server = Server(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut uri = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut uri).unwrap();
    (server, uri.trim_end().to_owned())
}

#[test]
fn other_programs_read_a_served_chain_as_we_do() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    let hash = scene.expect(0, &["disk", "hash", CHAIN]).stdout.split(' ').next().unwrap().to_owned();
    for (number, place) in [["--socket", "a socket"], ["--port", "0"]].into_iter().enumerate() {
        let (_server, uri) = serve(&scene, &place);
        let (nbdcopy, qemu) = (format!("{number}.nbdcopy"), format!("{number}.qemu"));
        let peers: [(&str, &[&str], &str); 2] = [
            ("nbdcopy", &[&uri, &nbdcopy], &nbdcopy),
            ("qemu-img", &["convert", "-f", "raw", "-O", "raw", &uri, &qemu], &qemu),
        ];
        for (program, args, copy) in peers {
            match Command::new(program).args(args).current_dir(&scene.dir).output() {
                Err(_) => eprintln!("SKIPPED: {program} is not installed"),
                Ok(output) => {
                    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
                    let bytes = std::fs::read(scene.dir.join(copy)).unwrap();
                    assert_eq!(blake3::hash(&bytes).to_hex().to_string(), hash, "{program} {place:?}");
                }
            }
        }
    }
}

#[test]
fn a_signed_manifest_is_believed_with_its_key_and_refused_with_another() {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    let manifest = |name: &str, key: [&str; 2]| {
        let ran = scene.expect(0, &[&["disk", "manifest", CHAIN, "--output", name], key.as_slice()].concat());
        let line = ran.stderr.lines().find_map(|line| line.strip_prefix("Signed; the public key is ")).unwrap();
        let secret = std::fs::read_to_string(scene.dir.join(key[1])).unwrap();
        let secret = secret.lines().nth(1).unwrap();
        assert!(!(ran.stdout + &ran.stderr).contains(secret), "the private key was shown");
        line.to_owned()
    };
    let ours = manifest("m1", ["--new-key", "key"]);
    assert_eq!(manifest("m2", ["--key", "key"]), ours);
    let other = manifest("m3", ["--new-key", "other"]);
    assert_ne!(ours, other);
    let mode = std::fs::metadata(scene.dir.join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = |name: &str| std::fs::read_to_string(scene.dir.join(name)).unwrap();
    assert_eq!(read("m1"), read("m2"));
    scene.expect(1, &["disk", "manifest", CHAIN, "--output", "m4", "--new-key", "key"]);

    let believed = scene.expect(0, &["disk", "verify", CHAIN, "m1", "--public-key", &ours]).stdout;
    assert!(believed.contains("nothing differs") && believed.contains("the expected key"), "{believed}");
    let refused = scene.expect(1, &["disk", "verify", CHAIN, "m3", "--public-key", &ours]);
    assert!(refused.stderr.contains(&other) && refused.stdout.is_empty(), "{}", refused.stderr);
    let forged = read("m1").replace(".avhd", ".vhd");
    std::fs::write(scene.dir.join("forged"), forged).unwrap();
    for args in [["--public-key", &ours].as_slice(), &[]] {
        let refused = scene.expect(1, &[&["disk", "verify", CHAIN, "forged"], args].concat());
        assert!(refused.stderr.contains("was changed"), "{}", refused.stderr);
    }
    scene.expect(0, &["disk", "convert", CHAIN, "flat.qcow2", "--to", "qcow2"]);
    scene.expect(0, &["disk", "verify", "flat.qcow2", "m1", "--public-key", &ours]);
    scene.expect(0, &["disk", "check", "flat.qcow2"]);
}
