//! How it is proved that what moved is what was there: the verification, and the hash of each disk.

use std::collections::BTreeMap;

use hvm_model::names::ByteSize;
use hvm_model::plan::Action;
use hvm_model::record::{Event, Evidence};
use hvm_model::report::{Report, Verification};

use super::card;
use crate::render::page::Page;
use crate::render::words::count;

/// Writes the cards of the summary.
pub fn cards(page: &mut Page, report: &Report) {
    let copied: u64 = evidence(report).values().map(|evidence| evidence.bytes_written).sum();
    if copied > 0 {
        card(page, ByteSize(copied).to_string(), "written at the destination");
    }
    if let Some(verification) = &report.verification {
        let label = format!("of {} compared with the source", count(verification.disks as usize, "disk"));
        card(page, ByteSize(verification.bytes).to_string(), label);
        let label = format!("and {} compared with the plan", count(verification.files as usize, "file"));
        card(page, count(verification.settings as usize, "setting"), label);
        if !verification.differences.is_empty() {
            card(page, verification.differences.len().to_string(), "differences");
        }
    }
}

/// The last evidence of each step that is still done.
fn evidence(report: &Report) -> BTreeMap<&str, &Evidence> {
    let mut last = BTreeMap::new();
    for record in &report.journal {
        match &record.event {
            Event::Done { step, evidence } => {
                last.insert(step.as_str(), evidence);
            }
            Event::Undone { step, .. } => {
                last.remove(step.as_str());
            }
            _ => {}
        }
    }
    last
}

/// Writes the section.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"proof\"><h2>Verification</h2>\n");
    match &report.verification {
        Some(verification) => result(page, verification),
        None => {
            page.raw("<p>Not verified yet.</p>\n");
        }
    }
    disks(page, report);
    page.raw("</section>\n");
}

fn result(page: &mut Page, verification: &Verification) {
    let line = format!(
        "On {}: {} with {} of content, {} and {} were compared.",
        verification.at,
        count(verification.disks as usize, "disk"),
        ByteSize(verification.bytes),
        count(verification.settings as usize, "setting"),
        count(verification.files as usize, "file"),
    );
    page.wrap("<p>", line, "</p>\n");
    if verification.differences.is_empty() {
        page.raw("<p class=\"banner good\">✓ Nothing differs.</p>\n");
        return;
    }
    page.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">What differs</th><th scope=\"col\">Where</th>");
    page.raw("<th scope=\"col\">Expected</th><th scope=\"col\">Found</th></tr></thead><tbody>\n");
    for difference in &verification.differences {
        page.raw("<tr>").cell(&difference.subject).code_cell(&difference.place);
        page.code_cell(&difference.expected).code_cell(&difference.found).raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

fn disks(page: &mut Page, report: &Report) {
    let Some(plan) = &report.plan else { return };
    let evidence = evidence(report);
    page.raw("<h3>Disks</h3>\n<p class=\"dim\">BLAKE3 tree of the content that a machine sees, independent of the file's format; ");
    page.raw("<code>hvmigrate disk hash --tree FILE</code> prints the same for the source and for the copy.</p>\n");
    page.raw(
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">Disk</th><th scope=\"col\" class=\"n\">Size</th>",
    );
    page.raw("<th scope=\"col\">BLAKE3 tree of the content</th></tr></thead><tbody>\n");
    for step in &plan.steps {
        let Action::CopyDisk { disk, .. } = &step.action else { continue };
        let hash = evidence.get(step.id.as_str()).and_then(|evidence| evidence.content.as_deref());
        page.raw("<tr>").code_cell(&disk.target).wrap("<td class=\"n\">", disk.size.to_string(), "</td>");
        match hash {
            Some(hash) => page.code_cell(hash),
            None => page.cell("not copied"),
        };
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}
