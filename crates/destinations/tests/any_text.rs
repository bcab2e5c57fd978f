//! Whatever the operators called their machines and networks: both kinds of destination keep it, or say that they do not.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use hvm_destinations::destination::Destination;
use hvm_destinations::select;
use hvm_model::capabilities::DestinationKind;
use hvm_model::role::Role;
use proptest::prelude::*;

fn named(destination: &dyn Destination, name: &str, notes: &str) -> Role {
    let mut role = role();
    let folder = destination.safe_name(name);
    let machine = &mut role.machines[0];
    machine.name = name.to_owned();
    machine.notes = notes.to_owned();
    machine.configuration.firmware.chassis_asset_tag = Some(notes.to_owned());
    machine.configuration.adapters[0].name = notes.to_owned();
    machine.folder = format!("{folder}-1");
    machine.disks.truncate(1);
    machine.disks[0].target = format!("machines/{folder}-1/{folder}.vhd");
    let mut own = registered_machine(0x400, 1);
    own.name = format!("{name} 2");
    own.notes = notes.to_owned();
    own.folder = format!("{folder}-2");
    own.configuration.adapters[1].name = notes.to_owned();
    own.disks[1].target = format!("machines/{folder}-2/{folder}.vhd");
    if destination.capabilities().unwrap().kind != DestinationKind::Libvirt {
        role.machines.push(own);
    }
    role.switches[1].name = name.to_owned();
    for machine in &mut role.machines {
        for adapter in &mut machine.configuration.adapters {
            if let hvm_model::vm::Connection::Switch { name: found, .. } = &mut adapter.connection
                && found.as_deref() == Some("internal")
            {
                *found = Some(name.to_owned());
            }
        }
    }
    role
}

fn texts() -> impl Strategy<Value = String> {
    let nasty: Vec<char> =
        "'\"`$(){}[]<>&#@\r\n\t ./\\:;,\u{2018}\u{2019}\u{201A}\u{201B}\u{FEFF}\u{1}\u{FFFE}日ü-".chars().collect();
    let one = prop_oneof![2 => prop::sample::select(nasty), 1 => any::<char>().prop_filter("refused", |c| *c != '\0')];
    prop::collection::vec(one, 0..16).prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]
    #[test]
    fn every_name_is_kept_or_reported(name in texts(), notes in texts()) {
        for scheme in ["kit", "libvirt-files"] {
            let folder = tempfile::tempdir().unwrap();
            let destination = select::open(&format!("{scheme}:{}", folder.path().display())).unwrap();
            conforms(destination.as_ref(), &plan(named(destination.as_ref(), &name, &notes)));
        }
    }
}
