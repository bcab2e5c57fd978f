//! What a host says about itself when it is asked through WMI. An administrator's collection has the answers as files: a folder
//! `wmi` beside the drives, in it a folder for each namespace (`root.cimv2`) and in that `CLASS.xml`, `CLASS.2.xml` … with the
//! objects as WMI writes them, or `CLASS.error.txt` with the reason why there is no answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hvm_formats::cim::{self, Object};
use hvm_formats::vmxml::MAX_FILE;
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};

use super::collected::decode;

/// Namespace of the first version of Hyper-V's classes, Windows Server 2008 to 2012.
pub(crate) const V1: &str = r"root\virtualization";
/// Namespace of the second version, from Windows Server 2012 on.
pub(crate) const V2: &str = r"root\virtualization\v2";
/// Namespace of Windows' own classes.
pub(crate) const CIMV2: &str = r"root\cimv2";

/// Most files of answers that are looked at.
const MAX_FILES: usize = 20_000;
/// Longest reason that is read, bytes.
const MAX_REASON: u64 = 4096;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// All instances of a class: namespace and name.
    Instances(&'a str, &'a str),
    /// The accounts in the local group with this SID.
    Members(&'a str),
    /// The descriptor of a namespace: one object with the bytes in `SD`.
    Security(&'a str),
    /// What Hyper-V says of virtual hard disks: `Msvm_VirtualHardDiskSettingData` of the second version of its classes, which
    /// knows all formats, or `Msvm_VirtualHardDiskInfo` of the first, with their `Path`.
    Disks,
    /// The same of the one with this path, which a host that runs can be asked for.
    Disk(&'a str),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The objects; there may be none.
    Objects(Vec<Object>),
    /// Nobody asked.
    Silent,
    /// The host was asked and could not answer, or the answer cannot be read: why.
    Failed(String),
}

/// A host that was asked, or can be.
pub(crate) trait Answers: Send + Sync {
    /// The answer to a question.
    fn ask(&self, question: Question<'_>) -> Answer;
    /// What could not be read of the answers so far.
    fn problems(&self) -> Vec<Problem>;
    /// True when the host answers now, and not when it was collected.
    fn is_now(&self) -> bool {
        false
    }
    /// Forgets what was answered, so that later questions see the host as it is then.
    fn refresh(&self) {}
}

impl Question<'_> {
    /// Folder and file of its answers, without what ends the name; the first that is there counts.
    fn files(self) -> Vec<String> {
        let file = |namespace: &str, name: &str| format!("{}/{name}", namespace.replace('\\', "."));
        match self {
            Question::Instances(namespace, class) => vec![file(namespace, class)],
            Question::Members(sid) => vec![file(CIMV2, &format!("members-{sid}"))],
            Question::Security(namespace) => vec![file(namespace, "security")],
            Question::Disks | Question::Disk(_) => vec![file(V2, "disks"), file(V1, "disks")],
        }
    }
}

/// The files of one answer, by their numbers.
#[derive(Debug, Default)]
struct Files {
    parts: BTreeMap<u32, PathBuf>,
    error: Option<PathBuf>,
}

/// Answers that were collected into files.
#[derive(Debug)]
pub(crate) struct Recorded {
    files: BTreeMap<String, Files>,
    problems: Mutex<Vec<Problem>>,
}

impl Recorded {
    /// The answers in a collection, when it has any.
    pub(crate) fn find(collection: &Path) -> Option<Recorded> {
        let folders = |path: &Path| entries(path).into_iter().filter(|path| path.is_dir());
        let folder = folders(collection).find(|path| name_of(path) == "wmi")?;
        let mut files: BTreeMap<String, Files> = BTreeMap::new();
        for namespace in folders(&folder) {
            for path in entries(&namespace) {
                let name = name_of(&path);
                let of = |class: &str| format!("{}/{class}", name_of(&namespace));
                if let Some(class) = name.strip_suffix(".error.txt") {
                    files.entry(of(class)).or_default().error = Some(path);
                } else if let Some(name) = name.strip_suffix(".xml") {
                    let numbered = name.rsplit_once('.').and_then(|(class, part)| Some((class, part.parse().ok()?)));
                    let (class, part) = numbered.unwrap_or((name, 1));
                    files.entry(of(class)).or_default().parts.insert(part, path);
                }
            }
        }
        Some(Recorded { files, problems: Mutex::default() })
    }

    fn read(&self, path: &Path) -> Result<Vec<Object>, String> {
        let name = path.display().to_string();
        let failed = |reason: String| format!("'{name}' could not be read: {reason}");
        let len = fs::metadata(path).map_err(|error| failed(format!("{error}.")))?.len();
        if len > MAX_FILE as u64 {
            return Err(failed(format!("it has {len} bytes, at most {MAX_FILE} were expected.")));
        }
        let bytes = fs::read(path).map_err(|error| failed(format!("{error}.")))?;
        let found = cim::read(&bytes, &name).map_err(|error| error.to_string())?;
        if !found.unknown.is_empty() {
            self.note(
                "wmi.unknown",
                &name,
                format!("'{name}' holds what is not understood. {}", found.unknown.join(" ")),
            );
        }
        Ok(found.objects)
    }

    fn note(&self, kind: &str, file: &str, message: String) {
        let problem = Problem {
            kind: kind.to_owned(),
            subject: Subject::File { path: file.to_owned() },
            message,
            place: Place::new(file, ""),
            hint: "Collect the host again; what this file would have told is listed as unknown.".to_owned(),
        };
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

impl Answers for Recorded {
    fn ask(&self, question: Question<'_>) -> Answer {
        // Disks were asked for all at once.
        if matches!(question, Question::Disk(_)) {
            return Answer::Silent;
        }
        let known = |name: String| self.files.get(&name.to_lowercase()).map(|files| (name, files));
        let Some((name, files)) = question.files().into_iter().find_map(known) else { return Answer::Silent };
        if let Some(error) = &files.error {
            let mut reason = Vec::new();
            let read = fs::File::open(error).and_then(|file| {
                use std::io::Read as _;
                file.take(MAX_REASON).read_to_end(&mut reason)
            });
            let reason = decode(&reason).trim().to_owned();
            let reason = read.map_or_else(|error| error.to_string(), |_| reason);
            return Answer::Failed(format!("The host could not answer when it was collected: {reason}"));
        }
        // A part that is missing in the middle would make the answer look whole.
        let missing = (1..).zip(files.parts.keys()).find(|(expected, part)| expected != *part);
        let read = match missing {
            Some((expected, _)) => Err(format!("Part {expected} of the answer '{name}' is missing in the collection.")),
            None => files.parts.values().map(|path| self.read(path)).collect::<Result<Vec<_>, _>>(),
        };
        match read {
            Ok(objects) => Answer::Objects(objects.into_iter().flatten().collect()),
            Err(reason) => {
                let file = files.parts.values().next().map(|path| path.display().to_string()).unwrap_or_default();
                self.note("wmi.unreadable", &file, reason.clone());
                Answer::Failed(reason)
            }
        }
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is in a folder, links left out; nothing when it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    entries.map(|entry| entry.path()).take(MAX_FILES).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PORT: &str =
        r#"<INSTANCE CLASSNAME="Msvm_SwitchPort"><PROPERTY NAME="Name"><VALUE>P</VALUE></PROPERTY></INSTANCE>"#;

    fn collection(files: &[(&str, &str)]) -> (tempfile::TempDir, Recorded) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join("WMI").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let recorded = Recorded::find(folder.path()).unwrap();
        (folder, recorded)
    }

    #[test]
    fn answers_are_found_whatever_the_case_of_their_names() {
        let (_folder, recorded) = collection(&[
            ("Root.Virtualization/msvm_switchport.xml", PORT),
            ("Root.Virtualization/msvm_switchport.2.xml", &format!("<A>{PORT}{PORT}</A>")),
            ("root.cimv2/Win32_X.error.txt", "0x80041010: no such class\r\n"),
            ("root.cimv2/members-S-1-5-32-562.xml", "<A/>"),
        ]);
        let Answer::Objects(ports) = recorded.ask(Question::Instances(V1, "Msvm_SwitchPort")) else {
            panic!("objects")
        };
        assert_eq!(ports.len(), 3);
        let Answer::Failed(reason) = recorded.ask(Question::Instances(CIMV2, "Win32_X")) else { panic!("a failure") };
        assert!(reason.ends_with("0x80041010: no such class"), "{reason}");
        assert_eq!(recorded.ask(Question::Members("S-1-5-32-562")), Answer::Objects(Vec::new()));
        assert_eq!(recorded.ask(Question::Security(V1)), Answer::Silent);
        assert!(recorded.problems().is_empty());
    }

    #[test]
    fn of_disks_the_second_version_is_heard_before_the_first() {
        let disk = |class: &str| {
            format!(
                "<A><INSTANCE CLASSNAME=\"{class}\"><PROPERTY NAME=\"Path\"><VALUE>D:\\a.vhdx</VALUE></PROPERTY>\
                 <PROPERTY NAME=\"Path\"><VALUE>D:\\A~1.vhdx</VALUE></PROPERTY></INSTANCE></A>"
            )
        };
        let old = ("root.virtualization/disks.xml", disk("Msvm_VirtualHardDiskInfo"));
        let new = ("root.virtualization.v2/disks.xml", disk("Msvm_VirtualHardDiskSettingData"));
        for (files, class) in [
            (vec![(old.0, old.1.as_str())], "Msvm_VirtualHardDiskInfo"),
            (vec![(old.0, old.1.as_str()), (new.0, &new.1)], "Msvm_VirtualHardDiskSettingData"),
        ] {
            let (_folder, recorded) = collection(&files);
            let Answer::Objects(disks) = recorded.ask(Question::Disks) else { panic!("objects") };
            assert!(disks.len() == 1 && disks[0].is(class), "{disks:?}");
            assert_eq!(disks[0].text("Path"), Some(r"D:\a.vhdx"), "the path that was asked for, which comes first");
        }
    }

    #[test]
    fn damaged_and_missing_parts_are_told() {
        let (_folder, recorded) = collection(&[
            ("root.cimv2/A.xml", "<A"),
            ("root.cimv2/B.xml", PORT),
            ("root.cimv2/B.3.xml", PORT),
            ("root.cimv2/C.xml", "<INSTANCE CLASSNAME='C'><X/></INSTANCE>"),
        ]);
        for (class, part) in [("A", "XML"), ("B", "Part 2 of the answer")] {
            let Answer::Failed(reason) = recorded.ask(Question::Instances(CIMV2, class)) else { panic!("a failure") };
            assert!(reason.contains(part), "{reason}");
        }
        assert!(matches!(recorded.ask(Question::Instances(CIMV2, "C")), Answer::Objects(found) if found.len() == 1));
        let kinds: Vec<String> = recorded.problems().into_iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["wmi.unreadable", "wmi.unreadable", "wmi.unknown"]);
        assert!(Recorded::find(&std::env::temp_dir().join("nothing-here")).is_none());
    }
}
