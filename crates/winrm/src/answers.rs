//! Every reader of what a server sends, for tests that give it any bytes.

use crate::clixml::{Base, Value};
use crate::psrp::answers as messages;
use crate::soap::names;
use crate::soap::reply::Reply;
use crate::{clixml, http, seal, shell, wmi};

/// What bytes are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer of HTTP, and the sealed message in it.
    Http,
    /// An envelope of SOAP with any of its bodies.
    Soap,
    /// A value of PowerShell.
    Clixml,
    /// Fragments of messages of PowerShell remoting.
    Fragments,
    /// One such message.
    Message,
}

impl Kind {
    /// All.
    pub const ALL: [Kind; 5] = [Kind::Http, Kind::Soap, Kind::Clixml, Kind::Fragments, Kind::Message];
}

/// Reads bytes as one kind of answer; whether it is one. What is refused says why.
pub fn read(kind: Kind, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let read = match kind {
        Kind::Http => over_http(bytes),
        Kind::Soap => soap(&text),
        Kind::Clixml => clixml::read(&text).map(|value| look(&value, 0)),
        Kind::Fragments => messages::fragments(bytes),
        Kind::Message => messages::message(bytes),
    };
    read.map_err(|reason| assert!(!reason.is_empty())).is_ok()
}

fn over_http(mut bytes: &[u8]) -> Result<(), String> {
    let all = bytes.len();
    let answer = http::read(&mut bytes).map_err(|failure| format!("{failure:?}"))?;
    assert!(answer.body.len() <= all);
    let kind = answer.first("Content-Type");
    let _ = (answer.closes(), seal::is_sealed(kind), seal::read(&answer.body, kind));
    Ok(())
}

fn soap(text: &str) -> Result<(), String> {
    let reply = Reply::read(text, None)?;
    if let Some(fault) = reply.fault() {
        assert!(fault.to_string().len() <= text.len() + 1024, "{:?} grew", fault.kind());
    }
    wmi::answers(&reply);
    shell::answers(&reply);
    Ok(())
}

/// Looks at a value as callers do.
pub(crate) fn look(value: &Value, depth: usize) {
    let _ = (value.as_text(), value.as_integer(), value.as_bool(), value.as_list(), value.get("Message"));
    if depth > 8 {
        return;
    }
    if let Value::Object(object) = value {
        match &object.base {
            Base::Value(value) => look(value, depth + 1),
            Base::List(_, values) => values.iter().take(100).for_each(|value| look(value, depth + 1)),
            _ => {}
        }
    }
}

/// Good answers, for changes of them.
pub fn samples() -> Vec<(Kind, Vec<u8>)> {
    const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
    let soap = |body: &str| {
        let text = format!(
            "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:a='{}' xmlns:w='{}' xmlns:n='{}' \
             xmlns:r='{}' xmlns:x='{XSI}'><s:Header><a:RelatesTo>uuid:1</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>",
            names::ADDRESSING,
            names::WSMAN,
            names::ENUMERATION,
            names::SHELL
        );
        (Kind::Soap, text.into_bytes())
    };
    let object = "<p:Msvm_X xmlns:p='u'><p:Name>&#252; &amp; 1</p:Name><p:None x:nil='true'/><p:L>a</p:L><p:L>b</p:L><p:R>\
                  <a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>http://y/Z</w:ResourceURI><w:SelectorSet>\
                  <w:Selector Name='Id'>7</w:Selector></w:SelectorSet></a:ReferenceParameters></p:R><p:I><p:A>1</p:A></p:I></p:Msvm_X>";
    let list = format!("<n:Items>{object}{object}</n:Items><n:EnumerationContext>uuid:2</n:EnumerationContext>");
    let value = "<Objs><Obj RefId='0'><TN RefId='0'><T>System.X</T></TN><ToString>a_x000A_b</ToString><I32>7</I32><Props><S N='A'>x</S>\
                 <Obj N='B' RefId='1'><TNRef RefId='0'/><LST><B>true</B><By>1</By><BA>AAE=</BA><Ref RefId='0'/></LST></Obj></Props>\
                 <MS><Obj N='Message' RefId='2'><DCT><En><S N='Key'>k</S><Nil N='Value'/></En></DCT></Obj></MS></Obj></Objs>";
    let mut message = vec![2, 0, 0, 0, 0x05, 0x10, 4, 0];
    message.extend([7; 32]);
    message.extend(value.as_bytes());
    let fragment = |number: u8, (part, flags): (u8, u8), bytes: &[u8]| {
        let len = u32::try_from(bytes.len()).expect("some hundred bytes").to_be_bytes();
        [&[0, 0, 0, 0, 0, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, part, flags][..], &len, bytes].concat()
    };
    let (one, two) = message.split_at(100);
    let fragments = [fragment(1, (0, 1), one), fragment(1, (1, 2), two), fragment(2, (0, 3), &message)].concat();
    let sealed = hvm_login::Sealed { signature: vec![7; 16], data: b"sealed".to_vec(), length: 6 };
    let (kind, body) = (seal::CONTENT_TYPE, seal::write(&sealed));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    let chunked = "HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate oQ==\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: x\r\n\r\n";
    vec![
        soap(object),
        soap(&format!("<n:EnumerateResponse>{list}</n:EnumerateResponse>")),
        soap(&format!("<n:PullResponse>{list}<n:EndOfSequence/></n:PullResponse>")),
        soap("<r:Shell><r:ShellId>5</r:ShellId></r:Shell>"),
        soap(
            "<r:ReceiveResponse><r:Stream Name='stdout' CommandId='0'>AAEC</r:Stream><r:CommandState State='x/Done'><r:ExitCode>-1\
             </r:ExitCode></r:CommandState></r:ReceiveResponse>",
        ),
        soap(
            "<s:Fault><s:Code><s:Value>s:R</s:Value><s:Subcode><s:Value>w:T</s:Value></s:Subcode></s:Code><s:Reason><s:Text>No.\
             </s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f='http://schemas.microsoft.com/wbem/wsman/1/wsmanfault' \
             Code='2150858793'><f:Message>Late.</f:Message></f:WSManFault></s:Detail></s:Fault>",
        ),
        (Kind::Clixml, value.as_bytes().to_vec()),
        (Kind::Message, message),
        (Kind::Fragments, fragments),
        (Kind::Http, [head.into_bytes(), body].concat()),
        (Kind::Http, chunked.as_bytes().to_vec()),
    ]
}
