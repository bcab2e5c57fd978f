//! The authorization store `InitialStore.xml` ([MS-AZMP]): one application, all operations in one role.

use super::writer::HostWriter;
use super::{Variant, ids};
use std::fmt::Write;
use std::io;

/// Operations; the names of the first nine are documented, their numbers are made up after what is told of them.
const OPERATIONS: [(u32, &str); 12] = [
    (100, "Read Service Configuration"),
    (105, "Reconfigure Service"),
    (200, "Create Virtual Switch"),
    (210, "Create Virtual Switch Port"),
    (265, "View Switches"),
    (300, "Create Virtual Machine"),
    (315, "Start Virtual Machine"),
    (320, "Stop Virtual Machine"),
    (335, "View Virtual Machine Configuration"),
    (330, "Reconfigure Virtual Machine"),
    (340, "Allow Input to Virtual Machine"),
    (345, "Allow Output from Virtual Machine"),
];

/// Role definition "Administrator".
const TASK: &str = "a2f00003-1c6b-4a52-8a5e-2f0bb81d0001";

/// Writes the file.
pub(super) fn write(writer: &HostWriter) -> io::Result<()> {
    let extra = (writer.variant() != Variant::Clean).then_some(ids::STORE_MEMBER_SID);
    writer.file(&format!(r"{}\InitialStore.xml", ids::HYPER_V_ROOT), store(extra).as_bytes())
}

fn store(extra_member: Option<&str>) -> String {
    let guid = |number: u32| format!("a2f00003-1c6b-4a52-8a5e-2f0bb81d1{number:03}");
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
        <AzAdminManager MajorVersion=\"1\" MinorVersion=\"0\" Guid=\"a2f00003-1c6b-4a52-8a5e-2f0bb81d0000\" Description=\"\">\r\n\
        <AzApplication Guid=\"a2f00003-1c6b-4a52-8a5e-2f0bb81d0002\" Name=\"Hyper-V services\" Description=\"\" \
        ApplicationVersion=\"\">\r\n"
        .to_owned();
    let mut line = |line: String| writeln!(text, "{line}\r").expect("writing to a text cannot fail");
    for (number, name) in OPERATIONS {
        let id = guid(number);
        line(format!(
            "<AzOperation Guid=\"{id}\" Name=\"{name}\" Description=\"\"><OperationID>{number}</OperationID></AzOperation>"
        ));
    }
    line(format!(
        "<AzTask Guid=\"{TASK}\" Name=\"Administrator\" Description=\"\" BizRuleImportedPath=\"\" RoleDefinition=\"True\">"
    ));
    OPERATIONS.iter().for_each(|(number, _)| line(format!("<OperationLink>{}</OperationLink>", guid(*number))));
    line("</AzTask>".to_owned());
    line("<AzRole Guid=\"a2f00003-1c6b-4a52-8a5e-2f0bb81d0004\" Name=\"Administrator\" Description=\"Verwaltung für Hyper-V &amp; Netze\">".to_owned());
    line(format!("<TaskLink>{TASK}</TaskLink>"));
    line("<Member>S-1-5-32-544</Member>".to_owned());
    extra_member.iter().for_each(|sid| line(format!("<Member>{sid}</Member>")));
    line("</AzRole>\r\n</AzApplication>\r\n</AzAdminManager>".to_owned());
    text
}
