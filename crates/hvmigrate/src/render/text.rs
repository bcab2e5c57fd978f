//! A plan, a verification, a rollback and the report's summary as text.

use std::fmt::Write;

use hvm_model::plan::{Action, Phase, Plan, Step, Verdict};
use hvm_model::report::{Report, Verification};
use hvm_model::role::RoleMachine;

use super::assessment::wrapped;
use super::html::status;
use super::words::{count, duration, rate, verdict};
use hvm_model::names::ByteSize;

/// A plan: verdicts, steps, times.
pub fn plan(plan: &Plan) -> String {
    let mut out = format!("Plan for {}\n  from  {}\n  to    {}\n\n", plan.host, plan.source, plan.destination);
    for reason in &plan.blocked {
        let _ = writeln!(out, "BLOCKED  {reason}");
    }
    out.push_str("MACHINES\n");
    for machine in &plan.machines {
        let _ = writeln!(out, "  {:<9} {}", verdict(&machine.verdict), machine.name);
        if let Verdict::Blocked { findings } = &machine.verdict {
            for finding in findings {
                let _ = writeln!(out, "            {finding}");
            }
        }
    }
    put_back(&mut out, plan);
    let _ = writeln!(out, "\nSTEPS ({})", plan.steps.len());
    for step in &plan.steps {
        let mark = if matches!(step.action, Action::Confirm { .. }) { "you" } else { "   " };
        let _ = writeln!(out, "  {:<8} {mark}  {}", step.phase.to_string(), step.title);
    }
    out.push('\n');
    estimate(&mut out, plan);
    out
}

/// What becomes of the ids of the machines and why, each reason once.
fn put_back(out: &mut String, plan: &Plan) {
    let mut known: Vec<(String, Vec<&str>)> = Vec::new();
    for machine in &plan.role.machines {
        let Some(text) = machine.put_back_text() else { continue };
        match known.iter_mut().find(|(other, _)| *other == text) {
            Some((_, names)) => names.push(&machine.name),
            None => known.push((text, vec![&machine.name])),
        }
    }
    if !known.is_empty() {
        out.push_str("\nPUT BACK\n");
    }
    for (text, names) in known {
        wrapped(out, 2, &names.join(", "));
        wrapped(out, 4, &text);
    }
}

fn estimate(out: &mut String, plan: &Plan) {
    let estimate = &plan.estimate;
    out.push_str("ESTIMATE\n");
    for machine in &estimate.machines {
        let (bytes, copy) = (machine.bytes.to_string(), duration(machine.seconds));
        let _ = writeln!(
            out,
            "  {bytes:>10}  {copy:>12} to copy  {:>12} off  {}",
            duration(machine.downtime_seconds),
            machine.name
        );
    }
    let _ = writeln!(out, "  {:>10}  {:>12} in total", estimate.bytes.to_string(), duration(estimate.seconds));
    let _ = writeln!(out, "  read at {}, written at {}", rate(estimate.read_rate), rate(estimate.write_rate));
    wrapped(out, 2, &estimate.basis);
}

/// Steps that wait for a person, with what to do and the command that confirms them.
pub fn waiting(steps: &[Step], verb: &str, work: &str) -> String {
    let mut out = format!("{} for you:\n", if steps.len() == 1 { "1 step waits" } else { "Steps wait" });
    for step in steps {
        let _ = writeln!(out, "  {}", step.title);
        if let Action::Confirm { instructions } = &step.action {
            wrapped(&mut out, 6, instructions);
        }
    }
    out.push_str("When it is done, confirm it:\n");
    let confirms: Vec<String> = match steps.iter().all(|step| step.phase == Phase::Prepare) {
        true => vec!["--confirm prepare".to_owned()],
        false => steps.iter().map(|step| format!("--confirm {}", quoted(&step.id))).collect(),
    };
    let _ = writeln!(out, "  hvmigrate {verb} --work {} {}", quoted(work), confirms.join(" "));
    out
}

fn quoted(text: &str) -> String {
    crate::messages::shell_quote(text)
}

/// A verification.
pub fn verification(verification: &Verification) -> String {
    let mut out = format!(
        "Compared {} ({} of content), {} and {}: ",
        count(verification.disks as usize, "disk"),
        ByteSize(verification.bytes),
        count(verification.settings as usize, "setting"),
        count(verification.files as usize, "file"),
    );
    if verification.differences.is_empty() {
        out.push_str("nothing differs.\n");
        return out;
    }
    let _ = writeln!(out, "{}.", count(verification.differences.len(), "difference"));
    for difference in &verification.differences {
        let _ = writeln!(out, "  {}, {}", difference.subject, difference.place);
        let _ = writeln!(out, "      expected {}", difference.expected);
        let _ = writeln!(out, "      found    {}", difference.found);
    }
    out
}

/// The summary of a report.
pub fn report(report: &Report) -> String {
    let (_, sentence) = status(report);
    let mut out = format!("{sentence}\n");
    if let Some(plan) = &report.plan {
        for machine in &plan.machines {
            let _ = writeln!(out, "  {:<9} {}", verdict(&machine.verdict), machine.name);
            let planned = plan.role.machines.iter().find(|planned| planned.id == machine.id);
            if let Some(text) = planned.and_then(RoleMachine::put_back_text) {
                wrapped(&mut out, 12, &text);
            }
        }
    }
    let spent: f64 = report.steps.iter().filter_map(|step| step.seconds).sum();
    if let Some(plan) = &report.plan
        && spent > 0.0
    {
        let _ = writeln!(out, "Spent {}; {} estimated for copying.", duration(spent), duration(plan.estimate.seconds));
    }
    if let Some(found) = &report.verification {
        out.push_str(&verification(found));
    }
    remaining(&mut out, &report.remaining);
    out
}

/// What remains for a person.
pub fn remaining(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("What remains for a person:\n");
    for (index, line) in lines.iter().enumerate() {
        let mut wrapped_line = String::new();
        wrapped(&mut wrapped_line, 5, line);
        let _ = write!(out, "{:>3}. {}", index + 1, wrapped_line.trim_start());
    }
}
