//! The machines with what becomes of each.

use hvm_model::names::ByteSize;
use hvm_model::plan::Verdict;
use hvm_model::report::Report;
use hvm_model::role::RoleMachine;
use hvm_model::vm::{Machine, MachineConfiguration, MachineState};

use crate::render::page::Page;
use crate::render::words::{count, duration, verdict};

/// Writes the section.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"machines\"><h2>Virtual machines</h2>\n<div class=\"wide\"><table><thead><tr>");
    page.raw("<th scope=\"col\" class=\"w22\">Machine</th><th scope=\"col\" class=\"w14\">Source → destination</th>");
    page.raw("<th scope=\"col\">Disks</th><th scope=\"col\">Verdict</th>");
    page.raw("<th scope=\"col\" class=\"n\">Off for,<br>estimated</th></tr></thead><tbody>\n");
    for machine in &report.inventory.machines {
        row(page, report, machine);
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

fn row(page: &mut Page, report: &Report, machine: &Machine) {
    page.wrap("<tr><td><strong>", &machine.name, "</strong><br>").wrap("<code>", machine.id.as_str(), "</code></td>");
    let planned = report.plan.iter().flat_map(|plan| &plan.role.machines).find(|planned| planned.id == machine.id);
    let now = &machine.configuration;
    let then = planned.map_or(now, |planned| &planned.configuration);
    page.wrap("<td>", state(machine), "<br>");
    let processors = |configuration: &MachineConfiguration| count(configuration.processors.count as usize, "processor");
    page.text(changed(processors(now), processors(then))).raw("<br>");
    page.text(changed(memory(now), memory(then))).raw("</td>");
    page.raw("<td>");
    for disk in planned.iter().flat_map(|planned| &planned.disks) {
        let checkpoint = disk.checkpoint_name.as_ref().map(|name| format!(" (checkpoint {name})")).unwrap_or_default();
        let slot = format!("{}{}-{}{checkpoint}, {}: ", disk.controller, disk.number, disk.slot, disk.size);
        page.wrap("<div class=\"disk\">", slot, "").text(disk.source.file_name());
        page.wrap(" → <code>", &disk.target, "</code></div>");
    }
    if planned.is_none() {
        page.text(count(report.inventory.leaf_disks(machine).count(), "disk"));
    }
    page.raw("</td>");
    verdict_cell(page, report, machine, planned);
    let estimate = report.plan.iter().flat_map(|plan| &plan.estimate.machines).find(|known| known.id == machine.id);
    let downtime = estimate.map(|known| duration(known.downtime_seconds)).unwrap_or_default();
    page.wrap("<td class=\"n\">", downtime, "</td></tr>\n");
}

fn state(machine: &Machine) -> String {
    let state = match machine.state {
        MachineState::Off => "off",
        MachineState::Saved { .. } => "saved",
    };
    match machine.checkpoints.len() {
        0 => state.to_owned(),
        checkpoints => format!("{state}, {}", count(checkpoints, "checkpoint")),
    }
}

fn memory(configuration: &MachineConfiguration) -> String {
    ByteSize::from_mib(configuration.memory.startup_mib).to_string()
}

/// A value, with the value before when an answer changed it.
fn changed(before: String, after: String) -> String {
    if before == after { after } else { format!("{before} → {after}") }
}

fn verdict_cell(page: &mut Page, report: &Report, machine: &Machine, planned: Option<&RoleMachine>) {
    let found = report.plan.iter().flat_map(|plan| &plan.machines).find(|known| known.id == machine.id);
    page.raw("<td>");
    if let Some(found) = found {
        page.raw(match found.verdict {
            Verdict::Migrate => "<span class=\"tag good\">",
            Verdict::Blocked { .. } => "<span class=\"tag bad\">",
            Verdict::Excluded => "<span class=\"tag plain\">",
        });
        page.text(verdict(&found.verdict)).raw("</span>");
        if let Verdict::Blocked { findings } = &found.verdict {
            for finding in findings {
                page.wrap("<br><code>", finding, "</code>");
            }
        }
    }
    if let Some(text) = planned.and_then(RoleMachine::put_back_text) {
        page.wrap("<br>", text, "");
    }
    page.raw("</td>");
}
