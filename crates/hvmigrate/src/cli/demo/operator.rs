//! What the operator of the demo decides: the answers to what blocks, and the confirmations.

use hvm_model::choices::{Answer, Choices};
use hvm_testkit::sample::ids;

/// The account that confirms the steps of the demo.
pub const NAME: &str = "the demo's operator";

/// The answers to the findings of the sample host; its first external network is connected to `adapter`.
pub fn answers(adapter: &str) -> Choices {
    let adapter = format!("adapter:{adapter}");
    let given = [
        ("machine.saved-state", ids::SAVED.1, "discard"),
        ("machine.processors-exceed", ids::PROCESSORS.1, "reduce:2"),
        ("machine.memory-exceeds", ids::MEMORY.1, "reduce:8GiB"),
        ("machine.vlan-unknown", ids::FILES.1, "access:12"),
        ("switch.external", ids::EXTERN_1.1, adapter.as_str()),
    ];
    choices(&given)
}

/// The answers to the findings of the host of Windows Server 2019. Windows Server 2012 has no machines of its generation.
pub fn newer_answers() -> Choices {
    choices(&[
        ("machine.saved-state", "*", "discard"),
        ("source.problem", "*", "accept"),
        ("machine.virtual-tpm", "*", "accept"),
        ("machine.generation", "*", "exclude"),
    ])
}

fn choices(given: &[(&str, &str, &str)]) -> Choices {
    let answer = |(rule, subject, value): &(&str, &str, &str)| Answer {
        rule: (*rule).to_owned(),
        subject: (*subject).to_owned(),
        value: (*value).to_owned(),
    };
    Choices { answers: given.iter().map(answer).collect(), ..Choices::default() }
}
