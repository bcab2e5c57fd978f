//! The machines with what becomes of each.

use hvm_model::plan::Verdict;
use hvm_model::report::Report;
use hvm_model::vm::{Machine, MachineState};

use crate::render::page::Page;
use crate::render::words::{count, duration, verdict};

/// Writes the section.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"machines\"><h2>Virtual machines</h2>\n<div class=\"wide\"><table><thead><tr>");
    page.raw("<th scope=\"col\">Machine</th><th scope=\"col\">State on the source</th><th scope=\"col\" class=\"n\">Processors</th>");
    page.raw("<th scope=\"col\" class=\"n\">Memory</th><th scope=\"col\">Disks</th><th scope=\"col\">Verdict</th>");
    page.raw("<th scope=\"col\" class=\"n\">Downtime, estimated</th></tr></thead><tbody>\n");
    for machine in &report.inventory.machines {
        row(page, report, machine);
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

fn row(page: &mut Page, report: &Report, machine: &Machine) {
    page.wrap("<tr><td><strong>", &machine.name, "</strong><br>").wrap("<code>", machine.id.as_str(), "</code></td>");
    page.cell(state(machine));
    let planned = report.plan.iter().flat_map(|plan| &plan.role.machines).find(|planned| planned.id == machine.id);
    let now = &machine.configuration;
    let then = planned.map_or(now, |planned| &planned.configuration);
    changed(page, now.processors.count.to_string(), then.processors.count.to_string());
    changed(page, format!("{} MiB", now.memory.startup_mib), format!("{} MiB", then.memory.startup_mib));
    page.raw("<td>");
    for disk in planned.iter().flat_map(|planned| &planned.disks) {
        let checkpoint = disk.checkpoint_name.as_ref().map(|name| format!(" (checkpoint {name})")).unwrap_or_default();
        let line =
            format!("{}{}-{}{checkpoint}: {} → ", disk.controller, disk.number, disk.slot, disk.source.file_name());
        page.text(line).wrap("<code>", &disk.target, "</code> ").text(disk.size.to_string()).raw("<br>");
    }
    if planned.is_none() {
        page.text(count(report.inventory.leaf_disks(machine).count(), "disk"));
    }
    page.raw("</td>");
    verdict_cell(page, report, machine);
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

/// A cell that shows a value, and the value before when an answer changed it.
fn changed(page: &mut Page, before: String, after: String) {
    let text = if before == after { after } else { format!("{before} → {after}") };
    page.wrap("<td class=\"n\">", text, "</td>");
}

fn verdict_cell(page: &mut Page, report: &Report, machine: &Machine) {
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
    page.raw("</td>");
}
