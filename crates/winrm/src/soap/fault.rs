//! Faults of a server (SOAP 1.2 part 1, 5.4; MS-WSMV 2.2.4.42 `WSManFault`).

use std::fmt;

use roxmltree::Node;

use super::names::{FAULT, SOAP};
use super::xml::{child, text};

/// What a server answers when it does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// The address of the service.
    pub endpoint: String,
    /// What was asked.
    pub action: String,
    /// `Code` of `WSManFault`, or of a WMI error: the number that Windows documents.
    pub code: Option<u32>,
    /// The subcode of SOAP, such as `w:InvalidSelectors`.
    pub subcode: String,
    /// The reason of SOAP, in the server's words.
    pub reason: String,
    /// The message of `WSManFault` with those of its providers: often more exact than the reason.
    pub detail: String,
}

/// The faults that a program can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Nothing came within `OperationTimeout` (2150858793, 0x80338029): ask again.
    TimedOut,
    /// The shell does not exist (2150858843, 0x8033805B; disconnected: 2150859204, 2150859230): it expired, was closed, or the
    /// service or the host was started anew, which ends what was asked of it (995 `ERROR_OPERATION_ABORTED`, 1223
    /// `ERROR_CANCELLED`).
    NoShell,
    /// Access is denied (5, or 0x80070005, or the WMI code 0x80041003).
    AccessDenied,
    /// The class, the namespace or the instance does not exist (WMI 0x80041002, 0x8004100E, 0x80041010; 2150858752).
    NotFound,
    /// The request is larger than the server takes, or its answer larger than the request or the server allows (2150858790,
    /// 2150858823 to 2150858825).
    TooLarge,
    /// Too many shells, users or requests (2150859173 to 2150859176, 2150859179, and those of a plug-in, 2150859236 to
    /// 2150859241).
    Quota,
    /// Any other.
    Other,
}

impl Fault {
    /// What can be done about it.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        let name = self.subcode.rsplit(':').next().unwrap_or_default();
        match (self.code, name) {
            (Some(2_150_858_793), _) | (None, "TimedOut") => FaultKind::TimedOut,
            (Some(2_150_858_843 | 2_150_859_204 | 2_150_859_230 | 995 | 1223), _) => FaultKind::NoShell,
            (Some(5 | 0x8007_0005 | 0x8004_1003), _) | (_, "AccessDenied") => FaultKind::AccessDenied,
            (Some(0x8004_1002 | 0x8004_100E | 0x8004_1010 | 2_150_858_752), _) => FaultKind::NotFound,
            (Some(2_150_858_790 | 2_150_858_823..=2_150_858_825), _) | (None, "EncodingLimit") => FaultKind::TooLarge,
            (Some(2_150_859_173..=2_150_859_176 | 2_150_859_179 | 2_150_859_236..=2_150_859_241), _)
            | (_, "QuotaLimit") => FaultKind::Quota,
            _ => FaultKind::Other,
        }
    }

    const fn next(kind: FaultKind) -> &'static str {
        match kind {
            FaultKind::TimedOut => " Ask again.",
            FaultKind::NoShell => {
                " The shell expired or the host was started anew: look at what the command has made, then run it again."
            }
            FaultKind::AccessDenied => " Use a user who is a member of Administrators there.",
            FaultKind::NotFound => " Look whether the Hyper-V role is installed there and the name is right.",
            FaultKind::TooLarge => " Ask for less at a time.",
            FaultKind::Quota => " Close other remote sessions of this user there, or wait until they expire.",
            FaultKind::Other => "",
        }
    }

    /// Reads `s:Fault`.
    pub(crate) fn read(node: Node<'_, '_>) -> Self {
        let code = child(node, SOAP, "Code");
        let subcode = inside(inside(code, "Subcode"), "Value").or_else(|| inside(code, "Value"));
        let reason = inside(child(node, SOAP, "Reason"), "Text");
        let detail = child(node, SOAP, "Detail");
        let wsman = detail.and_then(|detail| child(detail, FAULT, "WSManFault"));
        Self {
            code: wsman.and_then(|node| number(node.attribute("Code")?)).or_else(|| wmi_code(detail?)),
            subcode: subcode.map(text).unwrap_or_default().trim().to_owned(),
            reason: reason.map(text).unwrap_or_default().trim().to_owned(),
            detail: detail.map(messages).unwrap_or_default(),
            ..Self::default()
        }
    }
}

fn inside<'a, 'i>(parent: Option<Node<'a, 'i>>, name: &str) -> Option<Node<'a, 'i>> {
    parent.and_then(|node| child(node, SOAP, name))
}

fn number(text: &str) -> Option<u32> {
    // Windows writes it without a sign; codes of WMI may come as a negative number.
    text.trim().parse().ok().or_else(|| text.trim().parse::<i32>().ok().map(i32::cast_unsigned))
}

/// `error_Code` of an `MSFT_WmiError` (MS-WSMV 2.2.4.43).
fn wmi_code(detail: Node<'_, '_>) -> Option<u32> {
    let node = detail.descendants().take(256).find(|node| node.tag_name().name() == "error_Code")?;
    number(&text(node))
}

/// All texts of the detail, one after the other; providers nest theirs.
fn messages(detail: Node<'_, '_>) -> String {
    let texts = detail.descendants().take(256).filter(|node| node.is_text()).filter_map(|node| node.text());
    let mut all: Vec<&str> = texts.map(str::trim).filter(|text| !text.is_empty()).collect();
    all.dedup();
    all.join(" ").chars().take(4096).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused {}", self.endpoint, self.action)?;
        if let Some(code) = self.code {
            write!(f, " with fault {code} (0x{code:08X})")?;
        }
        let words = if self.detail.is_empty() { &self.reason } else { &self.detail };
        let words = if words.is_empty() { &self.subcode } else { words };
        write!(f, ": {}.{}", words.trim_end_matches(['.', ' ']), Self::next(self.kind()))
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::xml::parse;

    #[test]
    fn a_fault_of_windows_is_read() {
        let xml = "<s:Fault xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>\
                   <s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en-US'>Too late. </s:Text>\
                   </s:Reason><s:Detail><f:WSManFault xmlns:f='http://schemas.microsoft.com/wbem/wsman/1/wsmanfault' \
                   Code='2150858793' Machine='hv1'><f:Message>No answer within the time.</f:Message></f:WSManFault></s:Detail>\
                   </s:Fault>";
        let document = parse(xml).unwrap();
        let mut fault = Fault::read(document.root_element());
        assert_eq!((fault.kind(), fault.code), (FaultKind::TimedOut, Some(2_150_858_793)));
        (fault.endpoint, fault.action) = ("http://hv1:5985/wsman".to_owned(), "Receive".to_owned());
        let text = "http://hv1:5985/wsman refused Receive with fault 2150858793 (0x80338029): No answer within the time. Ask again.";
        assert_eq!(fault.to_string(), text);
    }

    /// As `wsmerror.h` and `winerror.h` of the Windows SDK name them.
    #[test]
    fn numbers_are_those_of_windows() {
        for (code, kind) in [
            (2_150_858_793, FaultKind::TimedOut),
            (2_150_858_843, FaultKind::NoShell),
            (995, FaultKind::NoShell),
            (2_150_859_230, FaultKind::NoShell),
            (2_150_858_752, FaultKind::NotFound),
            (2_150_858_790, FaultKind::TooLarge),
            (2_150_858_824, FaultKind::TooLarge),
            (2_150_859_176, FaultKind::Quota),
            (2_150_859_240, FaultKind::Quota),
            // Selectors that are ambiguous, and a class that has no keys and is no singleton.
            (2_150_858_846, FaultKind::Other),
            (2_150_859_002, FaultKind::Other),
        ] {
            assert_eq!(Fault { code: Some(code), ..Fault::default() }.kind(), kind, "{code}");
        }
    }

    #[test]
    fn negative_codes_are_those_of_com() {
        assert_eq!(number("-2147217406"), Some(0x8004_1002));
        assert_eq!(number("x"), None);
    }
}
