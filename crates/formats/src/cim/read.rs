//! Elements to objects. What an object may not hold is listed, with its line.

use super::object::{Object, Value};
use super::path::Reference;
use crate::vmxml::{Document, Node, VmXmlError};

/// Most sentences about unknown things.
const MAX_UNKNOWN: usize = 100;

/// The objects of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// Every object that is not inside another one, in the order of the file.
    pub objects: Vec<Object>,
    /// What was found inside of objects and not understood, as whole sentences with lines.
    pub unknown: Vec<String>,
}

/// Reads all objects of a file, at whatever depth they stand.
///
/// # Errors
/// When the file is no XML that can be read.
pub fn read(bytes: &[u8], file: &str) -> Result<Objects, VmXmlError> {
    let document = Document::parse(bytes, file)?;
    let mut reader = Reader::default();
    reader.look(document.root());
    Ok(reader.found)
}

#[derive(Default)]
struct Reader {
    found: Objects,
}

impl Reader {
    /// Recursion is bounded by the depth of the document.
    fn look(&mut self, node: &Node) {
        if node.name() == "INSTANCE" {
            let object = self.object(node);
            self.found.objects.push(object);
        } else {
            node.children().iter().for_each(|child| self.look(child));
        }
    }

    fn object(&mut self, node: &Node) -> Object {
        let mut object = Object { class: attribute(node, "CLASSNAME").to_owned(), properties: Vec::new() };
        for child in node.children() {
            match child.name() {
                "PROPERTY" | "PROPERTY.ARRAY" | "PROPERTY.REFERENCE" | "PROPERTY.OBJECT" | "PROPERTY.OBJECTARRAY" => {
                    let value = self.property(child);
                    object.properties.push((attribute(child, "NAME").to_owned(), value));
                }
                "QUALIFIER" => {}
                _ => self.unknown(child, node),
            }
        }
        object
    }

    fn property(&mut self, node: &Node) -> Value {
        let mut value = Value::Null;
        for child in node.children().iter().filter(|child| child.name() != "QUALIFIER") {
            match self.value(child) {
                Some(read) => value = read,
                None => self.unknown(child, node),
            }
        }
        value
    }

    fn value(&mut self, node: &Node) -> Option<Value> {
        Some(match node.name() {
            "VALUE" => match node.children() {
                // An embedded object stands there as itself, or as the text of its XML.
                [inner] if inner.name() == "INSTANCE" => Value::Object(self.object(inner)),
                [] => Value::Text(text(node)),
                _ => return None,
            },
            "VALUE.NULL" => Value::Null,
            "VALUE.ARRAY" | "VALUE.REFARRAY" | "VALUE.OBJECTARRAY" => {
                let mut values = Vec::new();
                for child in node.children() {
                    match self.value(child) {
                        Some(value) => values.push(value),
                        None => self.unknown(child, node),
                    }
                }
                Value::List(values)
            }
            "VALUE.OBJECT" => Value::Object(self.object(node.child("INSTANCE")?)),
            "VALUE.REFERENCE" => reference(node)?,
            _ => return None,
        })
    }

    fn unknown(&mut self, node: &Node, parent: &Node) {
        if self.found.unknown.len() < MAX_UNKNOWN {
            let sentence = format!(
                "Line {}: element '{}' in '{}' of '{}' is unknown.",
                node.line(),
                node.name(),
                parent.name(),
                attribute(parent, "NAME")
            );
            self.found.unknown.push(sentence);
        }
    }
}

/// The name of an instance, however much of its path stands around it; or the path as text.
fn reference(node: &Node) -> Option<Value> {
    if node.children().is_empty() {
        let text = text(node);
        return Some(text.parse().map_or(Value::Text(text), Value::Reference));
    }
    let mut namespace = Vec::new();
    names(node, &mut namespace);
    let name = instance_name(node)?;
    let key = |binding: &Node| {
        let value = match binding.child("VALUE.REFERENCE") {
            Some(inner) => {
                instance_name(inner).map(|inner| attribute(inner, "CLASSNAME").to_owned()).unwrap_or_default()
            }
            None => binding.child("KEYVALUE").map(text).unwrap_or_default(),
        };
        (attribute(binding, "NAME").to_owned(), value)
    };
    Some(Value::Reference(Reference {
        namespace: namespace.join("\\"),
        class: attribute(name, "CLASSNAME").to_owned(),
        keys: name.children_named("KEYBINDING").map(key).collect(),
    }))
}

/// The parts of the namespace, in order.
fn names(node: &Node, into: &mut Vec<String>) {
    match node.name() {
        "NAMESPACE" => into.push(attribute(node, "NAME").to_owned()),
        "INSTANCENAME" => {}
        _ => node.children().iter().for_each(|child| names(child, into)),
    }
}

fn instance_name(node: &Node) -> Option<&Node> {
    match node.name() {
        "INSTANCENAME" => Some(node),
        _ => node.children().iter().find_map(instance_name),
    }
}

fn attribute<'a>(node: &'a Node, name: &str) -> &'a str {
    node.attributes().iter().find(|attribute| attribute.name == name).map_or("", |attribute| &attribute.value)
}

fn text(node: &Node) -> String {
    node.value().map(|value| value.as_str().to_owned()).unwrap_or_default()
}
