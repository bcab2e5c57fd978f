//! Reading CLIXML. Objects that stand in several places are shared, never copied, so that a small text cannot become a
//! large value.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roxmltree::Node;

use super::name::unescape;
use super::value::{Base, ListKind, Object, Value};
use crate::limits;
use crate::soap::xml;

type Outcome<T> = Result<T, String>;

/// Reads one value, as it is the data of a message (MS-PSRP 2.2.1), or the only one inside of `<Objs>`.
///
/// # Errors
/// A sentence, when it is no CLIXML or nested too deeply.
pub fn read(text: &str) -> Outcome<Value> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let is_wrapped = root.tag_name().name() == "Objs";
    let node = if is_wrapped { root.first_element_child().unwrap_or(root) } else { root };
    Reader::default().value(node, limits::DEPTH)
}

/// What was read so far and can be referred to.
#[derive(Default)]
struct Reader {
    objects: HashMap<String, Arc<Object>>,
    types: HashMap<String, Vec<String>>,
    /// How many names of types were copied, which references could otherwise make many of.
    copied: usize,
}

impl Reader {
    fn value(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<Value> {
        match node.tag_name().name() {
            "Obj" => self.object(node, depth),
            "Ref" => {
                let id = node.attribute("RefId").unwrap_or_default();
                let known = self.objects.get(id).cloned();
                Ok(known.map_or_else(|| Value::Dangling(id.to_owned()), Value::Object))
            }
            name => primitive(name, xml::text(node)),
        }
    }

    fn object(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<Value> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("it nests objects deeper than {}", limits::DEPTH))?;
        let mut object = Object::default();
        for part in node.children().filter(Node::is_element) {
            match part.tag_name().name() {
                "TN" => object.types = self.types(part),
                "TNRef" => object.types = self.known_types(part)?,
                "ToString" => object.text = Some(unescape(&xml::text(part))),
                "Props" => object.adapted = self.properties(part, depth)?,
                "MS" => object.extended = self.properties(part, depth)?,
                "LST" => object.base = Base::List(ListKind::List, self.values(part, depth)?),
                "IE" => object.base = Base::List(ListKind::Enumerable, self.values(part, depth)?),
                "STK" => object.base = Base::List(ListKind::Stack, self.values(part, depth)?),
                "QUE" => object.base = Base::List(ListKind::Queue, self.values(part, depth)?),
                "DCT" => object.base = Base::Dictionary(self.entries(part, depth)?),
                _ => object.base = Base::Value(self.value(part, depth)?),
            }
        }
        let object = Arc::new(object);
        if let Some(id) = node.attribute("RefId") {
            self.objects.insert(id.to_owned(), Arc::clone(&object));
        }
        Ok(Value::Object(object))
    }

    fn types(&mut self, node: Node<'_, '_>) -> Vec<String> {
        let names = node.children().filter(|part| part.tag_name().name() == "T").map(|part| unescape(&xml::text(part)));
        let types: Vec<String> = names.collect();
        if let Some(id) = node.attribute("RefId") {
            self.types.insert(id.to_owned(), types.clone());
        }
        types
    }

    fn known_types(&mut self, node: Node<'_, '_>) -> Outcome<Vec<String>> {
        let id = node.attribute("RefId").unwrap_or_default();
        let types = self.types.get(id).cloned().unwrap_or_default();
        self.copied += types.iter().map(String::len).sum::<usize>();
        if self.copied > limits::MESSAGE { Err("it repeats names of types too often".to_owned()) } else { Ok(types) }
    }

    fn properties(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<Vec<(String, Value)>> {
        let parts = node.children().filter(Node::is_element);
        parts.map(|part| Ok((name(part), self.value(part, depth)?))).collect()
    }

    fn values(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<Vec<Value>> {
        node.children().filter(Node::is_element).map(|part| self.value(part, depth)).collect()
    }

    fn entries(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<Vec<(Value, Value)>> {
        let entries = node.children().filter(|part| part.tag_name().name() == "En");
        entries.map(|entry| self.entry(entry, depth)).collect()
    }

    fn entry(&mut self, node: Node<'_, '_>, depth: usize) -> Outcome<(Value, Value)> {
        let (mut key, mut value) = (Value::Null, Value::Null);
        for part in node.children().filter(Node::is_element) {
            match part.attribute("N") {
                Some("Key") => key = self.value(part, depth)?,
                Some("Value") => value = self.value(part, depth)?,
                _ => return Err("an entry of a dictionary is neither key nor value".to_owned()),
            }
        }
        Ok((key, value))
    }
}

fn name(node: Node<'_, '_>) -> String {
    unescape(node.attribute("N").unwrap_or_default())
}

fn primitive(element: &str, text: String) -> Outcome<Value> {
    fn number<T: std::str::FromStr>(element: &str, text: &str) -> Outcome<T> {
        text.trim().parse().map_err(|_| format!("'{}' is no value of the type {element}", short(text)))
    }
    Ok(match element {
        "Nil" => Value::Null,
        "S" => Value::Text(unescape(&text)),
        "B" => Value::Bool(number(element, &text)?),
        "C" => Value::Char(number(element, &text)?),
        "By" => Value::U8(number(element, &text)?),
        "SB" => Value::I8(number(element, &text)?),
        "U16" => Value::U16(number(element, &text)?),
        "I16" => Value::I16(number(element, &text)?),
        "U32" => Value::U32(number(element, &text)?),
        "I32" => Value::I32(number(element, &text)?),
        "U64" => Value::U64(number(element, &text)?),
        "I64" => Value::I64(number(element, &text)?),
        "Sg" => Value::F32(number(element, &text)?),
        "Db" => Value::F64(number(element, &text)?),
        "D" => Value::Decimal(text),
        "BA" => Value::Bytes(bytes(&text)?),
        "G" => Value::Guid(text),
        "DT" => Value::DateTime(text),
        "TS" => Value::Duration(text),
        "URI" => Value::Uri(unescape(&text)),
        "Version" => Value::Version(text),
        "XD" => Value::Xml(unescape(&text)),
        "SBK" => Value::Script(unescape(&text)),
        "SS" => Value::Secure(text),
        other => Value::Unknown { element: other.to_owned(), text },
    })
}

fn bytes(text: &str) -> Outcome<Vec<u8>> {
    let digits: String = text.split_whitespace().collect();
    BASE64_STANDARD.decode(digits).map_err(|_| "bytes in it are not base64".to_owned())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
