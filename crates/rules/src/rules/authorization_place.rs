//! Authorization stores that are not the host's own file.

use hvm_model::finding::Level;

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "settings.authorization-scvmm",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "beyond.settings.authorization-store",
        title: "System Center Virtual Machine Manager keeps the authorization store.",
        answers: &[],
        check: scvmm,
    },
    Rule {
        id: "settings.authorization-elsewhere",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "beyond.settings.authorization-store",
        title: "The authorization store is not a file of the source.",
        answers: &[],
        check: elsewhere,
    },
];

fn scvmm(case: &Case<'_>) -> Vec<Seen> {
    let store = &case.inventory.host.settings.authorization;
    if !store.managed_by_scvmm {
        return Vec::new();
    }
    let message = "System Center Virtual Machine Manager manages the source and rewrites its authorization store. \
                   That store is not migrated: remove the source from Virtual Machine Manager and add the \
                   destination, which writes it anew.";
    vec![Seen::new(of_setting("StoreLocation"), message).at_all(store.location.place())]
}

fn elsewhere(case: &Case<'_>) -> Vec<Seen> {
    let store = &case.inventory.host.settings.authorization;
    let location = store.location.written().filter(|_| store.file.is_none() && !store.managed_by_scvmm);
    let seen = location.map(|location| {
        let message = format!(
            "The authorization store of the source is '{location}', not a file. It is not copied; point \
             StoreLocation of the destination to it where the rights shall stay the same."
        );
        Seen::new(of_setting("StoreLocation"), message).at_all(store.location.place())
    });
    seen.into_iter().collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "settings.authorization-scvmm",
        fires: |sample| sample.inventory.host.settings.authorization.managed_by_scvmm = true,
        quiet: |sample| sample.inventory.host.settings.authorization.managed_by_scvmm = false,
    },
    Example {
        rule: "settings.authorization-elsewhere",
        fires: |sample| {
            let store = &mut sample.inventory.host.settings.authorization;
            (store.location, store.file) = (read("msldap://CN=Store".to_owned()), None);
        },
        quiet: |sample| {
            let store = &mut sample.inventory.host.settings.authorization;
            store.location = read(r"msxml://C:\ProgramData\InitialStore.xml".to_owned());
        },
    },
];
