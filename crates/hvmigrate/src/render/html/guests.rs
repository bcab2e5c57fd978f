//! The switched-off guests with their systems, host names and addresses.

use hvm_model::report::Report;

use crate::render::guests;
use crate::render::page::Page;
use crate::render::words::count;

/// Writes the section.
pub fn section(page: &mut Page, report: &Report) {
    page.raw("<section id=\"guests\"><h2>Guests</h2>\n");
    page.raw("<p class=\"dim\">What the disks of the machines tell, read while the machines were off.</p>\n");
    let known = guests::known(&report.inventory);
    if !known.is_empty() {
        page.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">Machine</th><th scope=\"col\">System</th>");
        page.raw("<th scope=\"col\">Host name</th><th scope=\"col\">Addresses</th><th scope=\"col\">Volumes</th>");
        page.raw("</tr></thead><tbody>\n");
        for (name, guest, system) in known {
            page.raw("<tr>").wrap("<td><strong>", name, "</strong></td>").wrap("<td>", guests::system(system), "");
            page.wrap("<br><span class=\"dim\">Drivers ", guests::drivers(system), "</span></td>");
            page.cell(guests::host_name(system)).raw("<td>");
            for adapter in &system.adapters {
                page.wrap("<div>", guests::adapter(adapter), "</div>");
            }
            page.raw("</td><td>");
            for (_, volume) in guest.volumes() {
                page.wrap("<div>", guests::volume(volume), "</div>");
            }
            for remark in &guest.remarks {
                page.wrap("<div class=\"dim\">", remark, "</div>");
            }
            page.raw("</td></tr>\n");
        }
        page.raw("</tbody></table></div>\n");
    }
    for (reason, names) in guests::not_known(&report.inventory) {
        let machines = format!("Not known of {}: {}. ", count(names.len(), "machine"), names.join(", "));
        page.wrap("<p>", machines, "").text(reason).raw("</p>\n");
    }
    if report.inventory.guests.is_empty() {
        page.raw("<p>Nobody looked into them.</p>\n");
    }
    page.raw("</section>\n");
}
