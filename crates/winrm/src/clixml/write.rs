//! Writing CLIXML. Each object is written where it stands, with an identifier of its own; the amount is bounded, because a
//! value that shares objects can be larger as a text than in memory.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::name::escape;
use super::value::{Base, ListKind, Object, Value};
use crate::error::{Error, Result};
use crate::limits;
use crate::soap::xml::Writer;

/// The text of a value, as it is the data of a message.
///
/// # Errors
/// When it is too large or nested too deeply.
pub fn write(value: &Value) -> Result<String> {
    let mut out = Output { xml: Writer::default(), next: 0 };
    out.value(value, None, limits::DEPTH)?;
    Ok(out.xml.finish())
}

struct Output {
    xml: Writer,
    next: u32,
}

impl Output {
    fn value(&mut self, value: &Value, name: Option<&str>, depth: usize) -> Result<()> {
        let oversized = || Error::Oversized { what: "value for PowerShell", limit: limits::WRITTEN };
        let depth = depth.checked_sub(1).filter(|_| self.xml.len() <= limits::WRITTEN).ok_or_else(oversized)?;
        let name = name.map(escape);
        let attribute = name.as_ref().map(|name| [("N", name.as_str())]);
        let attributes = attribute.as_ref().map_or(&[][..], |attribute| attribute.as_slice());
        match value {
            Value::Object(object) => return self.object(object, attributes, depth),
            Value::Null => {
                self.xml.empty("Nil", attributes);
            }
            Value::Dangling(id) => {
                self.xml.empty("Ref", &[attributes, &[("RefId", id.as_str())]].concat());
            }
            other => {
                let (element, text) = primitive(other);
                self.xml.leaf(element, attributes, &text);
            }
        }
        Ok(())
    }

    fn object(&mut self, object: &Object, attributes: &[(&str, &str)], depth: usize) -> Result<()> {
        let id = self.next.to_string();
        self.next += 1;
        self.xml.open("Obj", &[attributes, &[("RefId", id.as_str())]].concat());
        if !object.types.is_empty() {
            self.xml.open("TN", &[("RefId", &id)]);
            for name in &object.types {
                self.xml.leaf("T", &[], &escape(name));
            }
            self.xml.close("TN");
        }
        if let Some(text) = &object.text {
            self.xml.leaf("ToString", &[], &escape(text));
        }
        self.base(&object.base, depth)?;
        self.properties("Props", &object.adapted, depth)?;
        self.properties("MS", &object.extended, depth)?;
        self.xml.close("Obj");
        Ok(())
    }

    fn base(&mut self, base: &Base, depth: usize) -> Result<()> {
        match base {
            Base::None => Ok(()),
            Base::Value(value) => self.value(value, None, depth),
            Base::List(kind, values) => {
                let element = match kind {
                    ListKind::List => "LST",
                    ListKind::Enumerable => "IE",
                    ListKind::Stack => "STK",
                    ListKind::Queue => "QUE",
                };
                self.xml.open(element, &[]);
                for value in values {
                    self.value(value, None, depth)?;
                }
                self.xml.close(element);
                Ok(())
            }
            Base::Dictionary(entries) => {
                self.xml.open("DCT", &[]);
                for (key, value) in entries {
                    self.xml.open("En", &[]);
                    self.value(key, Some("Key"), depth)?;
                    self.value(value, Some("Value"), depth)?;
                    self.xml.close("En");
                }
                self.xml.close("DCT");
                Ok(())
            }
        }
    }

    fn properties(&mut self, element: &str, properties: &[(String, Value)], depth: usize) -> Result<()> {
        if properties.is_empty() {
            return Ok(());
        }
        self.xml.open(element, &[]);
        for (name, value) in properties {
            self.value(value, Some(name), depth)?;
        }
        self.xml.close(element);
        Ok(())
    }
}

/// The element of a primitive value and its text.
fn primitive(value: &Value) -> (&'static str, String) {
    match value {
        Value::Text(text) => ("S", escape(text)),
        Value::Bool(value) => ("B", value.to_string()),
        Value::Char(unit) => ("C", unit.to_string()),
        Value::U8(number) => ("By", number.to_string()),
        Value::I8(number) => ("SB", number.to_string()),
        Value::U16(number) => ("U16", number.to_string()),
        Value::I16(number) => ("I16", number.to_string()),
        Value::U32(number) => ("U32", number.to_string()),
        Value::I32(number) => ("I32", number.to_string()),
        Value::U64(number) => ("U64", number.to_string()),
        Value::I64(number) => ("I64", number.to_string()),
        Value::F32(number) => ("Sg", number.to_string()),
        Value::F64(number) => ("Db", number.to_string()),
        Value::Bytes(bytes) => ("BA", BASE64_STANDARD.encode(bytes)),
        Value::Decimal(text) => ("D", escape(text)),
        Value::Guid(text) => ("G", escape(text)),
        Value::DateTime(text) => ("DT", escape(text)),
        Value::Duration(text) => ("TS", escape(text)),
        Value::Uri(text) => ("URI", escape(text)),
        Value::Version(text) => ("Version", escape(text)),
        Value::Xml(text) => ("XD", escape(text)),
        Value::Script(text) => ("SBK", escape(text)),
        Value::Secure(text) => ("SS", escape(text)),
        Value::Unknown { text, .. } => ("S", escape(text)),
        Value::Null | Value::Object(_) | Value::Dangling(_) => ("Nil", String::new()),
    }
}
