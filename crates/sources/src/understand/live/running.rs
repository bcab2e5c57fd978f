//! Machines that run while their host is read: their files change meanwhile, and what they have in memory is in none of them.

use std::collections::HashMap;

use hvm_model::finding::Subject;
use hvm_model::found::Problem;
use hvm_model::names::VmId;
use hvm_model::vm::Machine;

use super::super::Reading;
use super::place;
use crate::reach::answers::{Answer, Question, V1, V2};

const CLASS: &str = "Msvm_ComputerSystem";
/// `EnabledState` of a machine that is off, and of one that is saved (version 2 and version 1 of the classes).
const AT_REST: [u64; 3] = [3, 6, 32769];

/// Tells each machine that is not off and not saved; only of a host that answers now.
pub(in super::super) fn running(reading: &Reading<'_>, machines: &[Machine]) {
    if !reading.is_live() {
        return;
    }
    // The second version where it is there: a release that has both has it for the same machines.
    let told = [V2, V1].into_iter().find_map(|namespace| match reading.ask(Question::Instances(namespace, CLASS)) {
        Answer::Objects(objects) => Some((namespace, objects)),
        Answer::Silent | Answer::Failed(_) => None,
    });
    let Some((namespace, objects)) = told else { return };
    let state = |name: &str| name.parse::<VmId>().ok();
    let states: HashMap<VmId, u64> = objects
        .iter()
        .filter_map(|object| Some((state(object.text("Name")?)?, object.number("EnabledState")?)))
        .collect();
    for machine in machines {
        let Some(state) = states.get(&machine.id).filter(|state| !AT_REST.contains(state)) else { continue };
        reading.problem(Problem {
            kind: "machine.running".to_owned(),
            subject: Subject::Machine { id: machine.id.clone(), name: machine.name.clone() },
            message: format!(
                "The virtual machine '{}' was neither off nor saved when the host was read (EnabledState {state}): its files change \
                 meanwhile.",
                machine.name
            ),
            place: place(namespace, format!("{CLASS}.Name=\"{}\": EnabledState", machine.id)),
            hint: "Shut it down on the host, then read the source again.".to_owned(),
        });
    }
}
