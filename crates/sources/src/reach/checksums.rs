//! The checksums of a collection: whether its files are as they were when the host was collected.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::collected::decode;

/// The list: lines of algorithm, digits and path with tabs between them, and `end`.
const LIST: &str = "checksums.txt";
/// Largest list that is read, bytes.
const MAX_LIST: u64 = 256 << 20;
/// Most problems that are told; behind them it is one that says how many more there are.
const MAX_TOLD: usize = 20;

/// What is not as it was.
pub(super) fn check(base: &Path) -> Vec<Problem> {
    let list = base.join(LIST);
    let lines = match read(&list) {
        Ok(lines) => lines,
        Err(error) => {
            return vec![problem(&list, format!("The checksums '{}' cannot be read: {error}.", list.display()))];
        }
    };
    let mut problems = Vec::new();
    let mut ended = false;
    for line in lines.lines() {
        ended = line == "end";
        if ended {
            break;
        }
        if let Err(reason) = check_line(base, line) {
            problems.push(problem(&list, reason));
        }
    }
    if !ended {
        let reason = format!("The checksums '{}' do not end with the line 'end': they were cut.", list.display());
        problems.push(problem(&list, reason));
    }
    if problems.len() > MAX_TOLD {
        let more = problems.len() - MAX_TOLD;
        problems.truncate(MAX_TOLD);
        problems.push(problem(&list, format!("{more} more files of the collection are not as they were.")));
    }
    problems
}

fn read(list: &Path) -> io::Result<String> {
    if fs::metadata(list)?.len() > MAX_LIST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(decode(&fs::read(list)?))
}

fn check_line(base: &Path, line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [algorithm, expected, name] = parts[..] else {
        return Err(format!("'{line}' is no line of algorithm, checksum and path."));
    };
    let algorithm = match algorithm {
        "SHA256" => &SHA256,
        "SHA1" => &SHA1_FOR_LEGACY_USE_ONLY,
        other => return Err(format!("The checksum of '{name}' is of the unknown algorithm '{other}'.")),
    };
    let path: PathBuf = name.split('\\').collect();
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("The path '{name}' leads out of the collection."));
    }
    let found = sum(&base.join(path), algorithm)
        .map_err(|error| format!("'{name}' of the collection cannot be read: {error}."))?;
    match found.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(format!(
            "'{name}' was changed after the host was collected: its checksum should be {expected}, it is {found}."
        )),
    }
}

fn sum(path: &Path, algorithm: &'static Algorithm) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(algorithm);
    let mut piece = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut piece)?;
        if len == 0 {
            let digest = context.finish();
            return Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        context.update(piece.get(..len).unwrap_or_default());
    }
}

fn problem(list: &Path, message: String) -> Problem {
    let list = list.display().to_string();
    Problem {
        kind: "collection.changed".to_owned(),
        subject: Subject::File { path: list.clone() },
        message,
        place: Place::new(list, ""),
        hint: "Copy the whole folder again from the host, or run 'collect.cmd' there again.".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_cut_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("C")).unwrap();
        fs::write(folder.path().join("C").join("a"), "abc").unwrap();
        let sha1 = "SHA1\ta9993e364706816aba3e25717850c26c9cd0d89d\tC\\a";
        let sha256 = "SHA256\tBA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\tC\\a";
        for (lines, told) in [
            (format!("{sha1}\r\n{sha256}\r\nend\r\n"), ""),
            (format!("{sha1}\n"), "were cut"),
            (format!("{}0\nend", sha1.replace("C\\a", "C\\b")), "C\\b0' of the collection cannot be read"),
            (format!("{}\nend", sha1.replace("a99", "b99")), "should be b99"),
            (format!("{}\nend", sha1.replace("C\\a", "..\\a")), "leads out"),
            ("MD5\t0\tC\\a\nend".to_owned(), "algorithm 'MD5'"),
            ("x\nend".to_owned(), "no line of"),
        ] {
            fs::write(folder.path().join(LIST), &lines).unwrap();
            let problems = check(folder.path());
            match problems.first() {
                None => assert_eq!(told, "", "{lines}"),
                Some(problem) => {
                    assert!(!told.is_empty() && problem.message.contains(told), "{lines}: {}", problem.message);
                }
            }
        }
        fs::remove_file(folder.path().join(LIST)).unwrap();
        assert!(check(folder.path())[0].message.contains("cannot be read"));
        fs::write(folder.path().join(LIST), "x\n".repeat(100)).unwrap();
        assert_eq!(check(folder.path()).len(), MAX_TOLD + 1);
    }
}
