//! `disk convert --keep-chain` killed at many moments: there never is a leaf whose parents are missing, and the same command
//! again ends with the whole chain.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};

/// Three layers with some data; the BLAKE3 of the leaf's content.
fn chain(folder: &Path) -> String {
    let size = 96 << 20;
    let mut whole = ContentModel::new(size);
    let mut below: Option<VhdSpec> = None;
    for number in 0..3u8 {
        let mut own = ContentModel::new(size);
        for run in 0..24u64 {
            own.fill((run * 7919 + u64::from(number) * 3001) % 190_000, 900, u64::from(number) + 1);
        }
        let kind = match &below {
            None => VhdKind::Dynamic(Blocks::default()),
            Some(parent) => {
                let name = format!("layer{}.vhd", number - 1);
                let locators = vec![Locator::new(b"W2ru", &format!(".\\{name}"))];
                let (unique_id, timestamp) = (parent.unique_id, parent.timestamp);
                VhdKind::Differencing(Blocks::default(), Parent { unique_id, timestamp, name, locators, stale: None })
            }
        };
        let spec = VhdSpec::new(kind, [number + 1; 16]);
        spec.image(&own).write_to(&folder.join(format!("layer{number}.vhd"))).unwrap();
        whole = own.over(&whole);
        below = Some(spec);
    }
    whole.blake3()
}

fn command(source: &Path, out: &Path, to: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hvmigrate"));
    command.args(["disk", "convert", "--keep-chain", "--to", to]).arg(source.join("layer2.vhd"));
    command.arg(out.join("leaf")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn hash(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hvmigrate")).args(["disk", "hash"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_killed_conversion_never_leaves_a_leaf_alone_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let expected = chain(folder.path());
    for to in ["vhd", "vhdx", "qcow2"] {
        let started = Instant::now();
        let once = folder.path().join(format!("once-{to}"));
        std::fs::create_dir(&once).unwrap();
        assert!(command(folder.path(), &once, to).status().unwrap().success());
        let whole = started.elapsed();
        let (mut killed, mut finished) = (0, 0);
        for moment in 1..=8u32 {
            let out = folder.path().join(format!("{to}-{moment}"));
            std::fs::create_dir(&out).unwrap();
            let mut child = command(folder.path(), &out, to).spawn().unwrap();
            std::thread::sleep(whole * moment / 9 + Duration::from_micros(u64::from(moment) * 137));
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            if ended.success() {
                finished += 1;
            } else {
                killed += 1;
            }
            let leaf = out.join("leaf");
            if leaf.exists() {
                assert_eq!(hash(&leaf), expected, "a leaf is there only with its parents");
            } else {
                assert!(command(folder.path(), &out, to).status().unwrap().success());
                assert_eq!(hash(&leaf), expected);
            }
            let hidden = std::fs::read_dir(&out)
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
            assert!(ended.success() || hidden.count() <= 1, "nothing but a record may be left over");
            std::fs::remove_dir_all(&out).unwrap();
        }
        println!("{to}: {killed} killed, {finished} finished before");
    }
}
