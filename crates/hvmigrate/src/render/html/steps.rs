//! The steps with their states and times, estimated and actual.

use hvm_model::plan::{Action, Plan, Step};
use hvm_model::report::{Report, StepState};

use super::is_over;
use crate::render::page::Page;
use crate::render::words::{duration, rate};

/// Writes the section.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"steps\"><h2>Steps</h2>\n");
    if let Some(plan) = &report.plan {
        let estimate = &plan.estimate;
        let line = format!(
            "Estimated before: {} to read at {}, written at {}: {} for copying ({}).",
            estimate.bytes,
            rate(estimate.read_rate),
            rate(estimate.write_rate),
            duration(estimate.seconds),
            estimate.basis
        );
        page.wrap("<p class=\"dim\">", line, "</p>\n");
    }
    page.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">Phase</th><th scope=\"col\">Step</th>");
    page.raw("<th scope=\"col\">State</th><th scope=\"col\" class=\"n\">Estimated</th>");
    page.raw("<th scope=\"col\" class=\"n\">Actual</th></tr></thead><tbody>\n");
    for state in &report.steps {
        let step = report.plan.as_ref().and_then(|plan| plan.step(&state.id));
        row(page, report.plan.as_ref(), state, step);
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

fn row(page: &mut Page, plan: Option<&Plan>, state: &StepState, step: Option<&Step>) {
    page.raw("<tr>").wrap("<td class=\"nw\">", &state.phase, "</td>").wrap("<td>", &state.title, "");
    page.wrap("<br><code>", &state.id, "</code>");
    if let Some(step) = step {
        page.wrap(" <span class=\"dim\">clause ", &step.clause, "</span>");
    }
    page.raw("</td>");
    page.raw(match state.state.as_str() {
        over if is_over(over) => "<td><span class=\"tag good\">",
        "failed" => "<td><span class=\"tag bad\">",
        "begun" => "<td><span class=\"tag warn\">",
        _ => "<td><span class=\"tag plain\">",
    });
    page.text(&state.state).raw("</span></td>");
    let estimate = plan.zip(step).and_then(|(plan, step)| estimated(plan, step)).map(duration).unwrap_or_default();
    page.wrap("<td class=\"n\">", estimate, "</td>");
    page.wrap("<td class=\"n\">", state.seconds.map(duration).unwrap_or_default(), "</td></tr>\n");
}

/// Seconds that a copy was expected to take: its share of the machine's bytes.
fn estimated(plan: &Plan, step: &Step) -> Option<f64> {
    let Action::CopyDisk { disk, .. } = &step.action else { return None };
    let total = plan.estimate.bytes.0;
    (total > 0).then(|| plan.estimate.seconds * disk.stored.0 as f64 / total as f64)
}
