//! The envelope of a request (DSP0226 5 and 6, MS-WSMV 3.1.4.1).

use super::names::{ADDRESSING, ANONYMOUS, ENUMERATION, IDENTITY, SHELL, SOAP, TRANSFER, WSMAN, WSMV};
use super::resource::Resource;
use super::xml::Writer;
use crate::guid::Guid;
use crate::options::Options;

/// An option of a request (DSP0226 6.4).
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub name: &'static str,
    pub value: String,
    pub duty: Duty,
}

/// Whether a server that does not know an option must refuse the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    MustComply,
    MayIgnore,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub action: &'a str,
    pub resource: &'a Resource,
    pub choices: &'a [Choice],
    pub body: Writer,
}

const REQUIRED: (&str, &str) = ("s:mustUnderstand", "true");
const OPTIONAL: (&str, &str) = ("s:mustUnderstand", "false");

/// The text of a request. `message` is its own identifier, `session` that of this client.
pub(crate) fn write(request: &Request<'_>, to: &str, message: Guid, session: Guid, options: &Options) -> String {
    let mut xml = begin();
    let language = ("xml:lang", "en-US");
    xml.open("s:Header", &[])
        .leaf("a:Action", &[REQUIRED], request.action)
        .empty("p:DataLocale", &[OPTIONAL, language])
        .empty("w:Locale", &[OPTIONAL, language])
        .leaf("w:MaxEnvelopeSize", &[REQUIRED], &options.envelope.to_string())
        .leaf("a:MessageID", &[], &format!("uuid:{message}"))
        .leaf("w:OperationTimeout", &[], &format!("PT{}S", options.operation.as_secs().max(1)))
        .open("a:ReplyTo", &[])
        .leaf("a:Address", &[REQUIRED], ANONYMOUS)
        .close("a:ReplyTo")
        .leaf("w:ResourceURI", &[REQUIRED], &request.resource.uri)
        .leaf("p:SessionId", &[OPTIONAL], &format!("uuid:{session}"))
        .leaf("a:To", &[], to);
    write_choices(request.choices, &mut xml);
    request.resource.write_selectors(&mut xml);
    xml.close("s:Header").open("s:Body", &[]).raw(&request.body).close("s:Body").close("s:Envelope");
    xml.finish()
}

/// The text of Identify, which has no header (DSP0226 11).
pub(crate) fn identify() -> String {
    let mut xml = begin();
    xml.empty("s:Header", &[]).open("s:Body", &[]).empty("i:Identify", &[("xmlns:i", IDENTITY)]);
    xml.close("s:Body").close("s:Envelope");
    xml.finish()
}

fn begin() -> Writer {
    let mut xml = Writer::default();
    xml.open(
        "s:Envelope",
        &[
            ("xmlns:s", SOAP),
            ("xmlns:a", ADDRESSING),
            ("xmlns:w", WSMAN),
            ("xmlns:p", WSMV),
            ("xmlns:x", TRANSFER),
            ("xmlns:n", ENUMERATION),
            ("xmlns:rsp", SHELL),
        ],
    );
    xml
}

fn write_choices(choices: &[Choice], xml: &mut Writer) {
    if choices.is_empty() {
        return;
    }
    xml.open("w:OptionSet", &[REQUIRED]);
    for choice in choices {
        let must = [("Name", choice.name), ("MustComply", "true")];
        let attributes = if choice.duty == Duty::MustComply { &must[..] } else { &must[..1] };
        xml.leaf("w:Option", attributes, &choice.value);
    }
    xml.close("w:OptionSet");
}
