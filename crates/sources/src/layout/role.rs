//! A system volume with the Hyper-V role, and the other volumes of the same host.

use hvm_model::names::WindowsPath;

use super::hives;
use super::host::Layout;
use crate::error::{ReachError, SourceError};
use crate::fingerprint;
use crate::reach::ReadOnlyTree;
use crate::reach::variables::Variables;
use crate::understand::registry::Registry;

/// Folder of the registry hives on the system drive.
const CONFIG: &str = r"Windows\System32\config";
/// Folder of Hyper-V's own data on the system drive.
const HYPER_V: &str = r"ProgramData\Microsoft\Windows\Hyper-V";

/// What to do where this user may not read.
const DENIED: &str = "Read the source as a user who may: root for a mounted volume or a device, an administrator of the host for its \
                      shares. Of a copy, give yourself the right to read all of it.";
/// What to do where something is damaged.
const DAMAGED: &str = "Copy the volume again, or let Windows check it (chkdsk) and copy it then.";

/// A host as its volumes show it.
pub(crate) struct Role {
    system_drive: char,
}

impl Role {
    /// Finds the system volume among the drives: the one with the hives, or else with Hyper-V's data.
    pub(crate) fn find(tree: &dyn ReadOnlyTree) -> Result<Role, SourceError> {
        let letters: Vec<char> = tree.drives().iter().map(|(letter, _)| *letter).collect();
        let mut unreadable = None;
        let mut holds = |folder: &str| {
            letters.iter().copied().find(|letter| {
                match tree.metadata(&WindowsPath::new(&format!("{letter}:\\{folder}"))) {
                    Ok(_) => true,
                    Err(error) => {
                        if !error.is_missing() && !matches!(error, ReachError::WrongKind { .. }) {
                            unreadable.get_or_insert(error);
                        }
                        false
                    }
                }
            })
        };
        let hive = format!("{CONFIG}\\SYSTEM");
        let found = [hive.as_str(), CONFIG, HYPER_V].into_iter().find_map(&mut holds);
        let none = || match unreadable {
            Some(error) => {
                let hint = if error.is_denied() { DENIED } else { DAMAGED };
                SourceError::SystemUnreadable { reason: Box::new(error), hint }
            }
            None => SourceError::NoSystem {
                drives: letters.iter().map(|letter| format!("{letter}:")).collect::<Vec<_>>().join(", "),
                how: tree.how_to_map('C'),
            },
        };
        let system_drive = found.ok_or_else(none)?;
        Ok(Role { system_drive })
    }

    fn hive_path(&self, name: &str) -> WindowsPath {
        WindowsPath::new(&format!("{}:\\{CONFIG}\\{name}", self.system_drive))
    }
}

impl Layout for Role {
    fn word(&self) -> &'static str {
        "role"
    }

    fn variables(&self) -> Variables {
        Variables::usual(self.system_drive)
    }

    fn registry(&self, tree: &dyn ReadOnlyTree, name: &str) -> Registry {
        let path = self.hive_path(name);
        Registry::new(name, path.clone(), hives::read(tree, &path))
    }

    fn roots(&self) -> Vec<WindowsPath> {
        Vec::new()
    }

    fn own(&self) -> fingerprint::Own {
        let names = ["SYSTEM", "SOFTWARE"].into_iter();
        let ends = || std::iter::once("").chain(hives::LOGS);
        let files = names.flat_map(|name| ends().map(move |end| format!("{name}{end}")));
        let hyper_v = WindowsPath::new(&format!("{}:\\{HYPER_V}", self.system_drive));
        fingerprint::Own {
            files: files.map(|name| self.hive_path(&name)).chain([hyper_v.join("data.vmcx")]).collect(),
            folders: ["Virtual Machines", "Snapshots"].map(|name| hyper_v.join(name)).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use hvm_formats::io::SharedFile;

    use hvm_model::inventory::Inventory;
    use hvm_testkit::sample::{self, Variant, ids};

    use super::*;
    use crate::layout::host::HostSource;
    use crate::reach::{Entry, FolderTree, Metadata};
    use crate::source::Source;

    /// A drive of which nothing can be read, for this reason.
    struct Closed(io::ErrorKind);

    impl Closed {
        fn error(&self, path: &WindowsPath) -> ReachError {
            ReachError::Io { path: path.to_string(), source: self.0.into() }
        }
    }

    impl ReadOnlyTree for Closed {
        fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
            Err(self.error(path))
        }

        fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
            Err(self.error(path))
        }

        fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
            Err(self.error(path))
        }

        fn drives(&self) -> Vec<(char, String)> {
            vec![('C', "/mnt/c".to_owned())]
        }

        fn refresh(&self) {}
    }

    #[test]
    fn a_drive_that_cannot_be_read_is_not_said_to_be_no_system_volume() {
        let told = |kind| Role::find(&Closed(kind)).err().unwrap().to_string();
        let denied = told(io::ErrorKind::PermissionDenied);
        assert!(
            denied.contains(r"'C:\Windows\System32\config\SYSTEM' could not be read: permission denied"),
            "{denied}"
        );
        assert!(denied.contains("as a user who may"), "{denied}");
        assert!(told(io::ErrorKind::InvalidData).contains("chkdsk"));
        assert!(told(io::ErrorKind::NotFound).contains("this is no system volume"));
    }

    /// Folders of which this user may not read what ends so.
    struct Guarded(FolderTree, Vec<String>);

    impl Guarded {
        fn check(&self, path: &WindowsPath) -> Result<(), ReachError> {
            match self.1.iter().any(|end| path.as_str().ends_with(end.as_str())) {
                true => Closed(io::ErrorKind::PermissionDenied).open(path).map(drop),
                false => Ok(()),
            }
        }
    }

    impl ReadOnlyTree for Guarded {
        fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
            self.check(path).and_then(|()| self.0.read_dir(path))
        }

        fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
            self.0.metadata(path)
        }

        fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
            self.check(path).and_then(|()| self.0.open(path))
        }

        fn drives(&self) -> Vec<(char, String)> {
            self.0.drives()
        }

        fn refresh(&self) {}
    }

    fn guarded(closed: &[&str]) -> Inventory {
        let folder = tempfile::tempdir().unwrap();
        let host = sample::write(folder.path(), Variant::Default).unwrap();
        let drives = host.drives.iter().map(|(letter, path)| (*letter, path.canonicalize().unwrap()));
        let source = HostSource {
            uri: String::new(),
            reach: "folder",
            tree: Box::new(Guarded(
                FolderTree::new(drives.collect()),
                closed.iter().map(ToString::to_string).collect(),
            )),
            layout: Box::new(Role { system_drive: 'C' }),
            answers: None,
            link: None,
        };
        source.inventory().unwrap()
    }

    #[test]
    fn what_this_user_may_not_read_is_not_said_to_be_damaged() {
        let machine = format!("{}.xml", ids::MEMORY.0);
        let inventory = guarded(&["SYSTEM", "SOFTWARE", &machine, r"Hyper-V\Snapshots"]);
        let problems = inventory.problems.iter().map(|problem| (problem.kind.as_str(), problem));
        let (kinds, problems): (Vec<&str>, Vec<_>) = problems.unzip();
        let wanted = ["hive.unreadable", "hive.unreadable", "machine.unreadable", "machine.folder-unreadable"];
        assert_eq!(kinds, wanted, "{problems:#?}");
        for problem in problems {
            assert!(problem.message.contains("could not be read: permission denied"), "{problem:?}");
            assert!(problem.hint.starts_with("Read the source as a user who may read the file"), "{problem:?}");
        }
        assert_eq!(inventory.machines.len(), 6);
    }
}
