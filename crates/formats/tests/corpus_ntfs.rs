//! The corpus of odd and broken NTFS volumes, and the good volume beside what ntfs-3g reads of it.
#![allow(clippy::unwrap_used, missing_docs)]

mod oracles;

use std::collections::BTreeMap;
use std::process::Command;

use hvm_formats::guestfs::Ntfs;
use hvm_formats::io::SharedFile;
use hvm_testkit::corpus::{NtfsAnswer, NtfsCase, ntfs};
use hvm_testkit::ntfs::Volume;
use oracles::{Watched, memory};

/// The content of a file by its path, or the reason why there is none.
fn read(ntfs: &Ntfs, path: &str) -> Result<Vec<u8>, String> {
    let (path, stream) = path.split_once(':').unwrap_or((path, ""));
    let text = |error: hvm_formats::guestfs::GuestFsError| error.to_string();
    let entry = ntfs.find(path).map_err(text)?.ok_or_else(|| format!("'{path}' was not found"))?;
    let content = ntfs.open_file(entry.reference, stream).map_err(text)?;
    hvm_formats::io::read_whole(&*content, 1 << 24).map_err(|error| error.to_string())
}

/// Reads all files; those that begin with `missed` must fail for `reason`.
fn files(name: &str, ntfs: &Ntfs, files: &BTreeMap<String, Vec<u8>>, (missed, reason): (&str, &str)) {
    for (path, expected) in files {
        let found = read(ntfs, path);
        if !missed.is_empty() && path.starts_with(missed) {
            let error = found.err().unwrap_or_else(|| panic!("{name}: {path} was read, expected '{reason}'"));
            assert!(error.contains(reason), "{name}: {path}: not by '{reason}': {error}");
        } else {
            assert!(found.as_ref() == Ok(expected), "{name}: {path}: {:?}", found.err());
        }
    }
}

fn judge(case: &NtfsCase) {
    let name = &case.name;
    let file: SharedFile = Watched::lenient(name, memory(name, &case.volume.bytes), Vec::new(), 20_000);
    oracles::ntfs(&file);
    let ntfs = match (Ntfs::open(file), case.answer) {
        (Err(error), NtfsAnswer::Refuses(reason)) => {
            assert!(error.to_string().contains(reason), "{name}: not by '{reason}': {error}");
            return;
        }
        (Err(error), _) => panic!("{name}: {error}"),
        (Ok(_), NtfsAnswer::Refuses(reason)) => panic!("{name}: opened, expected '{reason}'"),
        (Ok(ntfs), _) => ntfs,
    };
    let doubts = ntfs.doubts().map_err(|error| error.to_string());
    let said = match case.answer {
        NtfsAnswer::Says(word) => word,
        _ => "",
    };
    let remarks = ntfs.remarks();
    assert_eq!(remarks.iter().any(|remark| remark.contains(said)), !said.is_empty() || !remarks.is_empty(), "{name}");
    match case.answer {
        NtfsAnswer::Misses(path, reason) => files(name, &ntfs, &case.volume.files, (path, reason)),
        NtfsAnswer::Says("are there") => return,
        NtfsAnswer::NoNames(folder, reason) => {
            files(name, &ntfs, &case.volume.files, ("", ""));
            let folder = ntfs.find(folder).unwrap().unwrap();
            let names: Result<Vec<_>, _> = ntfs.read_dir(folder.reference).unwrap().collect();
            assert!(names.unwrap_err().to_string().contains(reason), "{name}");
        }
        _ => files(name, &ntfs, &case.volume.files, ("", "")),
    }
    match (case.answer, ntfs.bitmap()) {
        (NtfsAnswer::NoBitmap(reason), Err(error)) => assert!(error.to_string().contains(reason), "{name}: {error}"),
        (NtfsAnswer::NoBitmap(reason), Ok(_)) => panic!("{name}: the bitmap was read, expected '{reason}'"),
        (_, bitmap) => {
            let free = bitmap.unwrap().free_runs().map(Result::unwrap).next().unwrap();
            assert_eq!(free, 3..4, "{name}");
        }
    }
    match case.answer {
        NtfsAnswer::Doubts(reason) => {
            let doubts = doubts.unwrap_or_else(|error| vec![error]);
            assert!(doubts.iter().any(|doubt| doubt.contains(reason)), "{name}: '{reason}': {doubts:?}");
        }
        _ => assert_eq!(doubts, Ok(Vec::new()), "{name}"),
    }
}

#[test]
fn each_ntfs_volume_is_answered_as_the_format_demands() {
    let cases = ntfs();
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(panic) = std::panic::catch_unwind(|| judge(case)) {
            let text = panic.downcast_ref::<String>().cloned();
            wrong.push(text.unwrap_or_else(|| format!("{}: panic", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 50);
    println!("{} cases", cases.len());
}

#[test]
fn ntfs_3g_reads_the_good_volume_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.img");
    let volume = Volume::new();
    std::fs::write(&path, &volume.bytes).unwrap();
    for (name, expected) in &volume.files {
        let (file, stream) = name.split_once(':').unwrap_or((name, ""));
        let mut command = Command::new("ntfscat");
        if !stream.is_empty() {
            command.args(["-n", stream]);
        }
        let Ok(output) = command.arg(&path).arg(file.replace('\\', "/")).output() else {
            eprintln!("SKIPPED: ntfscat is not installed");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout == *expected, "{name}: {said}");
    }
}
