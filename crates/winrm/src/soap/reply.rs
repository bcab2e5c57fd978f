//! The envelope of an answer.

use roxmltree::{Document, Node};

use super::fault::Fault;
use super::names::{ADDRESSING, SOAP};
use super::xml::{child, parse, text};
use crate::guid::Guid;

/// A parsed answer whose envelope is as it should be.
pub(crate) struct Reply<'a> {
    document: Document<'a>,
}

impl<'a> Reply<'a> {
    /// Reads an answer. `asked` is the identifier of the request: an answer to another one is refused.
    pub fn read(xml: &'a str, asked: Option<Guid>) -> Result<Self, String> {
        let document = parse(xml)?;
        let root = document.root_element();
        if !root.has_tag_name((SOAP, "Envelope")) {
            return Err(format!("it is <{}>, not an envelope of SOAP 1.2", root.tag_name().name()));
        }
        let relates = child(root, SOAP, "Header").and_then(|header| child(header, ADDRESSING, "RelatesTo")).map(text);
        match (relates, asked) {
            // A fault about a request that could not be read relates to nothing.
            (Some(other), Some(asked)) if !other.is_empty() && !is_answer(&other, asked) => {
                Err(format!("it is the answer to another request ({other})"))
            }
            _ if child(root, SOAP, "Body").is_none() => Err("it has no body".to_owned()),
            _ => Ok(Self { document }),
        }
    }

    pub fn body(&self) -> Node<'_, 'a> {
        let root = self.document.root_element();
        child(root, SOAP, "Body").unwrap_or(root)
    }

    /// The fault, if it is one.
    pub fn fault(&self) -> Option<Fault> {
        child(self.body(), SOAP, "Fault").map(Fault::read)
    }

    /// The first element of the body with this name.
    pub fn element(&self, namespace: &str, name: &str) -> Result<Node<'_, 'a>, String> {
        child(self.body(), namespace, name).ok_or_else(|| {
            let found = self.body().first_element_child().map_or("nothing", |node| node.tag_name().name());
            format!("its body should hold {name} and holds {found}")
        })
    }
}

fn is_answer(relates: &str, asked: Guid) -> bool {
    let text = relates.trim();
    Guid::parse(text.strip_prefix("uuid:").or_else(|| text.strip_prefix("urn:uuid:")).unwrap_or(text)) == Some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' \
                        xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing'><s:Header>\
                        <a:RelatesTo>uuid:00112233-4455-6677-8899-AABBCCDDEEFF</a:RelatesTo></s:Header>\
                        <s:Body><s:x/></s:Body></s:Envelope>";

    #[test]
    fn an_answer_belongs_to_its_request() {
        let guid = Guid::parse("00112233-4455-6677-8899-aabbccddeeff");
        assert!(Reply::read(GOOD, guid).is_ok() && Reply::read(GOOD, Some(Guid::NONE)).is_err());
        let reply = Reply::read(GOOD, guid).unwrap();
        assert_eq!(reply.element(SOAP, "y").unwrap_err(), "its body should hold y and holds x");
        assert!(reply.element(SOAP, "x").is_ok() && reply.fault().is_none());
    }

    proptest! {
        #[test]
        fn a_changed_answer_is_read_or_refused(at in 0usize..300, byte in any::<u8>()) {
            let mut bytes = GOOD.as_bytes().to_vec();
            let end = bytes.len();
            bytes[at % end] = byte;
            if let Ok(reply) = Reply::read(&String::from_utf8_lossy(&bytes), None) {
                let _ = reply.fault();
            }
        }
    }
}
