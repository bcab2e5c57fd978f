//! All rules, one small file for each family.

use std::sync::LazyLock;

use crate::rule::Rule;

macro_rules! families {
    ($($family:ident),* $(,)?) => {
        $(mod $family;)*

        fn families() -> Vec<&'static [Rule]> {
            vec![$($family::RULES),*]
        }

        /// Of each family: a sample on which each of its rules fires and one on which it is quiet.
        #[cfg(test)]
        pub(crate) fn examples() -> Vec<&'static crate::tests_support::Example> {
            let families: Vec<&'static [crate::tests_support::Example]> = vec![$($family::EXAMPLES),*];
            families.into_iter().flatten().collect()
        }
    };
}

families![
    answers,
    authorization,
    authorization_place,
    by_hand,
    checkpoints,
    cluster,
    configuration,
    dcom,
    destination_edition,
    destination_machines,
    destination_system,
    disk_size,
    firewall,
    free_space,
    generation,
    guest,
    guest_network,
    images,
    left_out,
    mac_addresses,
    mac_range,
    machine_name,
    management_adapter,
    memory,
    memory_sum,
    network_missing,
    os_edition,
    os_language,
    os_newer,
    os_role,
    os_server_core,
    os_source,
    owner,
    pass_through,
    processors,
    put_back,
    saved_state,
    several_roles,
    shared_disk,
    source_problem,
    switch_external,
    switch_kind,
    switch_name,
    virtual_tpm,
    vlan,
    vmq,
    wmi,
];

pub(crate) use answers::{INVALID, UNUSED};
pub use owner::owner_subject;

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut all: Vec<Rule> = families().into_iter().flatten().copied().collect();
    all.sort_by_key(|rule| rule.id);
    all
});

/// All rules, by id.
pub fn rules() -> &'static [Rule] {
    &ALL
}

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}
