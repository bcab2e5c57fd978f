//! Why an answer that is well formed cannot be taken for this source and this destination.

use hvm_model::finding::{Finding, Subject};
use hvm_model::names::ByteSize;

use crate::case::{Case, of_switch};
use crate::decision::Decision;

/// A whole sentence, or `None` when the answer can be taken.
pub(crate) fn objection(case: &Case<'_>, finding: &Finding, decision: &Decision) -> Option<String> {
    match decision {
        Decision::Adapter(name) => no_adapter(case, name).or_else(|| adapter_twice(case, &finding.subject, name)),
        Decision::ReduceProcessors(count) => too_many_processors(case, *count),
        Decision::ReduceMemory(size) => too_much_memory(case, *size),
        Decision::Rename(name) => name_taken(case, &finding.subject, name),
        _ => None,
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn no_adapter(case: &Case<'_>, name: &str) -> Option<String> {
    let adapters = case.destination?.adapters.as_ref()?;
    if adapters.iter().any(|adapter| same(adapter, name)) {
        return None;
    }
    let names: Vec<String> = adapters.iter().map(|adapter| format!("'{adapter}'")).collect();
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Some(format!("The destination has no network adapter '{name}'; it has {there}."))
}

/// One adapter carries one external network; the first network in the order of the source keeps it.
fn adapter_twice(case: &Case<'_>, subject: &Subject, name: &str) -> Option<String> {
    let earlier = case.inventory.switches.iter().map(of_switch).take_while(|other| other != subject);
    let other = earlier.into_iter().find(|other| {
        ["switch.external", "switch.kind-unknown"]
            .iter()
            .any(|rule| matches!(case.decision(rule, other), Some(Decision::Adapter(taken)) if same(&taken, name)))
    })?;
    Some(format!("The network adapter '{name}' is already the answer for {other}; an adapter carries one network."))
}

fn too_many_processors(case: &Case<'_>, count: u32) -> Option<String> {
    let limit = case.processor_limit()?;
    (count > limit).then(|| format!("{count} virtual processors are more than the destination can give: {limit}."))
}

fn too_much_memory(case: &Case<'_>, size: ByteSize) -> Option<String> {
    let limit = case.memory_limit()?;
    (size > limit).then(|| format!("{size} of memory is more than the destination can give: {limit}."))
}

fn name_taken(case: &Case<'_>, subject: &Subject, name: &str) -> Option<String> {
    let there = case.destination.is_some_and(|destination| destination.machines.iter().any(|other| same(other, name)));
    let here = case.machines().any(|machine| Some(&machine.id) != subject.machine() && same(&machine.name, name));
    let renamed = case.machines().filter(|machine| Some(&machine.id) != subject.machine()).any(|machine| {
        let other = crate::case::of_machine(machine);
        ["machine.name-taken", "machine.name-twice"]
            .iter()
            .any(|rule| matches!(case.decision(rule, &other), Some(Decision::Rename(new)) if same(&new, name)))
    });
    (there || here || renamed).then(|| format!("The name '{name}' is taken by another machine."))
}
