//! Which machines a release of Hyper-V gets back by registering their own configuration in place.
//!
//! Sources: "Upgrade virtual machine version in Hyper-V on Windows or Windows Server" (the table of supported configuration versions,
//! and "You can only import a virtual machine if the Hyper-V host supports that configuration version"); "Mastering Windows Server
//! 2016 Hyper-V", table 2.1, for 2012 and 2012 R2. That a release imports a live configuration of 2008 or 2008 R2 is written nowhere.

use hvm_model::host::WindowsRelease;
use hvm_model::vm::{Machine, MachineState};

/// A configuration version as (major, minor).
type Version = (u16, u16);

/// The versions that a release imports, oldest first.
const IMPORTED: [(WindowsRelease, &[Version]); 6] = [
    (WindowsRelease::Server2012, &[(4, 0)]),
    (WindowsRelease::Server2012R2, &[(4, 0), (5, 0)]),
    (WindowsRelease::Server2016, &[(5, 0), (6, 2), (7, 0), (7, 1), (8, 0)]),
    (WindowsRelease::Server2019, &[(5, 0), (6, 2), (7, 0), (7, 1), (8, 0), (8, 1), (8, 2), (8, 3), (9, 0)]),
    (WindowsRelease::Server2022, &[(8, 0), (8, 1), (8, 2), (8, 3), (9, 0), (9, 1), (9, 2), (9, 3), (10, 0)]),
    (
        WindowsRelease::Server2025,
        &[(8, 0), (8, 1), (8, 2), (8, 3), (9, 0), (9, 1), (9, 2), (9, 3), (10, 0), (11, 0), (12, 0)],
    ),
];

/// The last version that is XML; later ones are `.vmcx`.
const LAST_XML: Version = (5, 0);

/// The configuration versions that `release` imports, oldest first; none of a release that is no destination.
fn imported_versions(release: WindowsRelease) -> &'static [(u16, u16)] {
    IMPORTED.iter().find(|(known, _)| *known == release).map_or(&[], |(_, versions)| versions)
}

/// Why a machine is made anew on `release` instead of being registered from its own configuration, whole sentences; `None` when it
/// can be registered.
pub fn registration_obstacle(machine: &Machine, release: WindowsRelease) -> Option<String> {
    let file = machine.configuration_file.file_name().to_ascii_lowercase();
    if file.ends_with(".exp") {
        return Some(
            "Its configuration is an export of Windows Server 2008 or 2008 R2 (.exp), of which only the whole folder that Hyper-V \
             exported can be imported, and only by Windows Server 2012."
                .to_owned(),
        );
    }
    let Some(version) = machine.version else {
        return Some("The version of its configuration is not known.".to_owned());
    };
    version_obstacle(version, release)
        .or_else(|| {
            let ending = if version <= LAST_XML { ".xml" } else { ".vmcx" };
            (!file.ends_with(ending))
                .then(|| format!("Its configuration ('{file}') is no {ending} file, as version {} is.", shown(version)))
        })
        .or_else(|| state_obstacle(machine))
}

fn shown((major, minor): Version) -> String {
    format!("{major}.{minor}")
}

fn version_obstacle(version: Version, release: WindowsRelease) -> Option<String> {
    let versions = imported_versions(release);
    if versions.contains(&version) {
        return None;
    }
    if version < (4, 0) {
        return Some(format!(
            "No documentation says that {release} registers a configuration of Windows Server 2008 or 2008 R2 (version {}) in place.",
            shown(version)
        ));
    }
    let known: Vec<String> = versions.iter().copied().map(shown).collect();
    Some(format!(
        "{release} imports configurations of the versions {}, and this one has {}.",
        known.join(", "),
        shown(version)
    ))
}

fn state_obstacle(machine: &Machine) -> Option<String> {
    let obstacle = if !machine.checkpoints.is_empty() {
        "It has checkpoints, and whether their disks can be given other places before they are registered is not documented."
    } else if machine.state != MachineState::Off {
        "Its configuration refers to a saved state, which is not carried."
    } else if machine.highly_available {
        "Its configuration belongs to a cluster."
    } else if machine.configuration.firmware.tpm == Some(true) {
        "Its virtual TPM is protected by a key of the old host, which is not carried."
    } else {
        return None;
    };
    Some(obstacle.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;
    use hvm_model::names::WindowsPath;

    #[test]
    fn each_release_imports_what_is_documented() {
        let imports = |release| move |version: Version| version_obstacle(version, release).is_none();
        for (version, wanted) in [
            ((3, 0), [false; 6]),
            ((4, 0), [true, true, false, false, false, false]),
            ((5, 0), [false, true, true, true, false, false]),
            ((8, 0), [false, false, true, true, true, true]),
            ((9, 0), [false, false, false, true, true, true]),
            ((10, 0), [false, false, false, false, true, true]),
            ((12, 0), [false, false, false, false, false, true]),
            ((13, 0), [false; 6]),
        ] {
            assert_eq!(IMPORTED.map(|(release, _)| imports(release)(version)), wanted, "{version:?}");
        }
        assert!(imported_versions(WindowsRelease::Server2008R2).is_empty());
        for (release, versions) in IMPORTED {
            assert!(versions.is_sorted(), "{release}");
        }
    }

    #[test]
    fn what_hinders_it_is_said() {
        let mut sample = Sample::new();
        let machine = &mut sample.inventory.machines[0];
        (machine.version, machine.configuration_file) = (Some((5, 0)), WindowsPath::new(r"D:\x.XML"));
        let release = WindowsRelease::Server2016;
        assert_eq!(registration_obstacle(machine, release), None);
        let with = |change: &dyn Fn(&mut Machine)| {
            let mut changed = machine.clone();
            change(&mut changed);
            registration_obstacle(&changed, release).unwrap()
        };
        assert!(with(&|machine| machine.version = None).contains("not known"));
        assert!(
            with(&|machine| machine.version = Some((9, 0))).contains("5.0, 6.2, 7.0, 7.1, 8.0, and this one has 9.0")
        );
        assert!(with(&|machine| machine.version = Some((2, 0))).contains("No documentation"));
        assert!(with(&|machine| machine.version = Some((8, 0))).contains("no .vmcx file"));
        assert!(with(&|machine| machine.configuration_file = WindowsPath::new(r"D:\x.exp")).contains("export"));
        assert!(with(&|machine| machine.highly_available = true).contains("cluster"));
        assert!(with(&|machine| machine.configuration.firmware.tpm = Some(true)).contains("TPM"));
        sample.save_state();
        assert!(registration_obstacle(&sample.inventory.machines[0], release).unwrap().contains("saved state"));
        sample.add_checkpoint();
        assert!(registration_obstacle(&sample.inventory.machines[0], release).unwrap().contains("checkpoints"));
    }
}
