//! The Authorization Manager store that Hyper-V uses: where it is, and who has which role in it.

use hvm_formats::azman::{Assignment, Store};
use hvm_formats::io::read_whole;
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::host::{AuthorizationStore, RoleAssignment, WindowsRelease};
use hvm_model::names::WindowsPath;

use super::hyperv::VIRTUALIZATION;
use super::{Reading, os};

/// Largest store that is read, bytes; the one that Hyper-V installs has some 10 KiB.
const MAX_STORE: u64 = 64 << 20;
/// Prefix of a location that is a file.
const FILE_SCHEME: &str = "msxml://";
/// What Hyper-V installs: this role with this member.
const DEFAULT: (&str, &str) = ("Administrator", "S-1-5-32-544");

pub(super) fn read(reading: &Reading<'_>) -> AuthorizationStore {
    let default = reading.variables.program_data().join(r"Microsoft\Windows\Hyper-V\InitialStore.xml");
    let location = reading
        .software
        .text(VIRTUALIZATION, "StoreLocation")
        .or_default(format!("{FILE_SCHEME}{default}"), "the store that Hyper-V installs is used.");
    // When the registry cannot be read, the usual place is still worth a look.
    let file = match location.value() {
        Some(location) => file_of(reading, location),
        None => Some(default).filter(|_| reading.software.should_be_here()),
    };
    let lower = location.value().map(|location| location.to_lowercase()).unwrap_or_default();
    let mut store = AuthorizationStore {
        managed_by_scvmm: lower.contains("virtual machine manager") || lower.contains("hypervauthstore"),
        location,
        file,
        assignments: Vec::new(),
        scopes: Vec::new(),
        operations: 0,
    };
    if store.location.written().is_none() && is_without_stores(reading) {
        store.file = store.file.take().filter(|path| reading.tree.exists(path));
    }
    if let Some(path) = store.file.clone() {
        fill(reading, &mut store, &path);
    }
    store
}

/// From 2012 R2 on Hyper-V asks the group Hyper-V Administrators alone. Whether 2016 and later still install a store that nobody
/// asks is not known: one that is missing is no loss.
fn is_without_stores(reading: &Reading<'_>) -> bool {
    let release = os::read(reading).release;
    release.value().is_some_and(|release| *release >= WindowsRelease::Server2016 && *release != WindowsRelease::Other)
}

fn file_of(reading: &Reading<'_>, location: &str) -> Option<WindowsPath> {
    let scheme = location.get(..FILE_SCHEME.len())?;
    scheme.eq_ignore_ascii_case(FILE_SCHEME).then(|| {
        let path = location.get(FILE_SCHEME.len()..).unwrap_or_default();
        reading.variables.path(path.trim_start_matches('/'))
    })
}

fn fill(reading: &Reading<'_>, store: &mut AuthorizationStore, path: &WindowsPath) {
    match parse(reading, path) {
        Ok(parsed) => {
            store.assignments = parsed.assignments().iter().map(|assignment| role(assignment, path)).collect();
            let scopes = parsed.applications.iter().flat_map(|application| &application.scopes);
            store.scopes = scopes.map(|scope| scope.name.clone()).collect();
            let operations = parsed.applications.iter().map(|application| application.operations.len()).sum::<usize>();
            store.operations = u32::try_from(operations).unwrap_or(u32::MAX);
        }
        Err(message) => reading.problem(Problem {
            kind: "authorization.unreadable".to_owned(),
            subject: Subject::Setting { name: "InitialStore.xml".to_owned() },
            message,
            place: Place::new(path.as_str(), ""),
            hint:
                "On the host, look the roles up with azman.msc, and give the people their roles on the destination by \
                   hand."
                    .to_owned(),
        }),
    }
}

fn parse(reading: &Reading<'_>, path: &WindowsPath) -> Result<Store, String> {
    let file = reading.tree.open(path).map_err(|error| error.to_string())?;
    let bytes = read_whole(&*file, MAX_STORE).map_err(|error| format!("'{path}' could not be read: {error}."))?;
    Store::parse(&bytes, path.as_str()).map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error} {source}"),
        None => error.to_string(),
    })
}

fn role(assignment: &Assignment<'_>, path: &WindowsPath) -> RoleAssignment {
    let mut members: Vec<String> = assignment.members.iter().map(ToString::to_string).collect();
    members.extend(assignment.odd_members.iter().cloned());
    members.extend(assignment.groups.iter().map(|group| format!("group '{group}'")));
    let is_default =
        assignment.scope.is_none() && assignment.role == DEFAULT.0 && members.iter().all(|member| member == DEFAULT.1);
    let at = match assignment.scope {
        Some(scope) => format!("AzRole '{}' in AzScope '{scope}'", assignment.role),
        None => format!("AzRole '{}'", assignment.role),
    };
    RoleAssignment {
        scope: assignment.scope.map(str::to_owned),
        role: assignment.role.to_owned(),
        members,
        is_default,
        place: Place::new(path.as_str(), at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_one_role_with_one_member() {
        let administrators: hvm_formats::security::Sid = "S-1-5-32-544".parse().unwrap();
        let members = [administrators];
        let assignment = Assignment {
            application: "Hyper-V services",
            scope: None,
            role: "Administrator",
            members: &members,
            odd_members: &[],
            groups: Vec::new(),
            definitions: Vec::new(),
        };
        let path = WindowsPath::new(r"C:\x.xml");
        assert!(role(&assignment, &path).is_default);
        assert!(!role(&Assignment { groups: vec!["g"], ..assignment.clone() }, &path).is_default);
        assert!(!role(&Assignment { scope: Some("s"), ..assignment }, &path).is_default);
    }
}
