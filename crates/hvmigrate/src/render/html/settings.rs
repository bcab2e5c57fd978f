//! Networks from source to destination, and every setting: carried, or not and why.

use hvm_model::network::{SwitchKind, VirtualSwitch};
use hvm_model::report::Report;
use hvm_model::role::RoleSwitch;
use hvm_model::setting::{Setting, settings_of};

use crate::render::page::Page;
use crate::render::words::count;

/// Writes the map of networks.
pub fn networks(page: &mut Page, report: &Report) {
    page.raw("<section id=\"networks\"><h2>Virtual networks</h2>\n<div class=\"wide\"><table><thead><tr>");
    page.raw(
        "<th scope=\"col\">Network</th><th scope=\"col\">On the source</th><th scope=\"col\">On the destination</th>",
    );
    page.raw("<th scope=\"col\">Connected machines</th></tr></thead><tbody>\n");
    for switch in &report.inventory.switches {
        let planned = report.plan.iter().flat_map(|plan| &plan.role.switches).find(|planned| planned.id == switch.id);
        page.wrap("<tr><td><strong>", &switch.name, "</strong></td>").cell(on_source(report, switch));
        page.cell(planned.map_or_else(|| "not planned".to_owned(), on_destination));
        page.cell(connected(report, switch)).raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if report.inventory.switches.is_empty() {
        page.raw("<p>None.</p>\n");
    }
    page.raw("</section>\n");
}

fn on_source(report: &Report, switch: &VirtualSwitch) -> String {
    let kind = switch.kind.value().map_or_else(|| "kind unknown".to_owned(), SwitchKind::to_string);
    let uplink = switch.uplink.value();
    match uplink.and_then(|id| report.inventory.adapters.iter().find(|adapter| adapter.id == *id)) {
        Some(adapter) => format!("{kind}, on '{}' ({})", adapter.connection, adapter.description),
        None => kind,
    }
}

fn on_destination(switch: &RoleSwitch) -> String {
    let mut text = match &switch.adapter {
        Some(adapter) => format!("→ {}, on '{adapter}'", switch.kind),
        None => format!("→ {}", switch.kind),
    };
    if switch.reconnect {
        text.push_str("; a person connects it to a physical adapter");
    }
    text
}

fn connected(report: &Report, switch: &VirtualSwitch) -> String {
    use hvm_model::vm::Connection;
    let uses = |connection: &Connection| match connection {
        Connection::Switch { switch: id, .. } => id.trim_matches(['{', '}']).eq_ignore_ascii_case(switch.id.as_str()),
        Connection::None => false,
    };
    let machines = report.inventory.machines.iter();
    let names: Vec<&str> = machines
        .filter(|machine| machine.configuration.adapters.iter().any(|adapter| uses(&adapter.connection)))
        .map(|machine| machine.name.as_str())
        .collect();
    names.join(", ")
}

/// Writes the settings.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"settings\"><h2>Settings</h2>\n");
    let Some(plan) = &report.plan else {
        page.raw("<p>There is no plan yet.</p>\n</section>\n");
        return;
    };
    let lost: Vec<&Setting> = report.not_carried.iter().map(|lost| &lost.setting).collect();
    let carried: Vec<Setting> =
        settings_of(&plan.role).into_iter().filter(|setting| !lost.contains(&setting)).collect();
    let line = format!("{} carried, {} without a counterpart.", carried.len(), lost.len());
    page.wrap("<p>", line, "</p>\n");
    not_carried(page, report);
    other_releases(page, report);
    carried_tables(page, report, &carried);
    page.raw("</section>\n");
}

/// One row for each reason, so that a reason that many machines share is read once.
fn not_carried(page: &mut Page, report: &Report) {
    if report.not_carried.is_empty() {
        return;
    }
    let mut reasons: Vec<&str> = Vec::new();
    for item in &report.not_carried {
        if !reasons.contains(&item.reason.as_str()) {
            reasons.push(&item.reason);
        }
    }
    page.raw("<h3>Not carried</h3>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\" class=\"w40\">Why</th>");
    page.raw("<th scope=\"col\">Settings</th></tr></thead><tbody>\n");
    for reason in reasons {
        page.raw("<tr>").cell(reason).raw("<td>");
        for item in report.not_carried.iter().filter(|item| item.reason == reason) {
            let Setting { subject, item, value } = &item.setting;
            page.wrap("<div>", subject_name(report, subject), " <code>").text(item).raw("</code> ");
            page.text(if value.is_empty() { "none" } else { value }).raw("</div>");
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

/// What another release would do otherwise.
fn other_releases(page: &mut Page, report: &Report) {
    if report.other_releases.is_empty() {
        return;
    }
    page.raw("<h3>On other releases</h3>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">Release</th>");
    page.raw(
        "<th scope=\"col\">Would be carried too</th><th scope=\"col\">Would not be carried</th></tr></thead><tbody>\n",
    );
    for other in &report.other_releases {
        page.raw("<tr>").cell(other.release.to_string());
        for (lost, with_reason) in [(&other.gained, false), (&other.lost, true)] {
            page.raw("<td>");
            for item in lost {
                page.wrap("<div>", subject_name(report, &item.setting.subject), " <code>");
                page.text(&item.setting.item).raw("</code>");
                if with_reason {
                    page.raw(": ").text(&item.reason);
                }
                page.raw("</div>");
            }
            page.raw(if lost.is_empty() { "nothing</td>" } else { "</td>" });
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

fn carried_tables(page: &mut Page, report: &Report, carried: &[Setting]) {
    page.raw("<h3>Carried</h3>\n");
    for group in carried.chunk_by(|one, two| one.subject == two.subject) {
        let Some(first) = group.first() else { continue };
        let heading = format!("{} ({})", subject_name(report, &first.subject), count(group.len(), "setting"));
        page.wrap("<details><summary>", heading, "</summary><table><thead><tr><th scope=\"col\">Setting</th>");
        page.raw("<th scope=\"col\">Value</th></tr></thead><tbody>\n");
        for setting in group {
            page.raw("<tr>").code_cell(&setting.item).cell(&setting.value).raw("</tr>\n");
        }
        page.raw("</tbody></table></details>\n");
    }
}

/// `machine <id>` as `machine 'name'`.
fn subject_name(report: &Report, subject: &str) -> String {
    let id = subject.strip_prefix("machine ");
    let planned = report.plan.iter().flat_map(|plan| &plan.role.machines);
    let mut names = planned.map(|machine| (&machine.id, &machine.name));
    let name = id.and_then(|id| names.find(|(known, _)| known.as_str() == id));
    name.map_or_else(|| subject.to_owned(), |(_, name)| format!("machine '{name}'"))
}
