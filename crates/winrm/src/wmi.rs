//! WMI over WS-Management (DSP0227, MS-WSMV 2.2.4 and 3.1.4.1): queries in WQL, one instance, methods.

use std::collections::BTreeMap;

use roxmltree::Node;

use crate::client::{Client, transfer};
use crate::error::{Error, Result};
use crate::limits;
use crate::options::Flow;
use crate::soap::envelope::Request;
use crate::soap::fault::FaultKind;
use crate::soap::names::{ADDRESSING, ANONYMOUS, ENUMERATION, WMI, WQL, WSMAN, XSI};
use crate::soap::reply::Reply;
use crate::soap::resource::Resource;
use crate::soap::xml::{Writer, child, text, writable};

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The namespace, such as `root/virtualization/v2`.
    pub namespace: String,
    /// The query, such as `SELECT * FROM Msvm_ComputerSystem`.
    pub wql: String,
    /// How many instances are asked for at a time, 1 at least; the server may send fewer.
    pub batch: u32,
}

impl Query {
    /// A query with the usual size of a batch.
    #[must_use]
    pub fn new(namespace: &str, wql: &str) -> Self {
        Self { namespace: namespace.replace('\\', "/"), wql: wql.to_owned(), batch: 50 }
    }
}

/// An object of WMI: an instance, the answer of a method, or an object inside of another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instance {
    /// The name of its element, which is its class.
    pub class: String,
    /// Its properties in their order; an array is the same name several times.
    pub properties: Vec<(String, Property)>,
}

/// The value of a property. WS-Management sends all of them as text; the class says what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// No value (`xsi:nil`).
    Null,
    /// A number, a truth value, a text; times in the form of XML Schema.
    Text(String),
    /// Where another instance is (DSP0227 7.2.6).
    Reference(Resource),
    /// An object inside.
    Object(Instance),
}

/// A value for a parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// No value.
    Null,
    /// A number, a truth value, a text, or an embedded instance as text (MOF or CIM-XML).
    Text(String),
    /// Where another instance is.
    Reference(Resource),
    /// Several values.
    Array(Vec<Self>),
}

impl Instance {
    /// The first value of a property.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.all(name).next()
    }

    /// All values of a property.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Property> + use<'a, 'n> {
        self.properties.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of a property; `None` when it is missing, null or no text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Property::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads an element whose children are properties.
    fn read(node: Node<'_, '_>, depth: usize) -> std::result::Result<Self, String> {
        if depth == 0 {
            return Err(format!("it nests objects deeper than {}", limits::DEPTH));
        }
        let properties = node.children().filter(Node::is_element).map(|node| {
            let value = property(node, depth - 1)?;
            Ok((node.tag_name().name().to_owned(), value))
        });
        Ok(Self {
            class: node.tag_name().name().to_owned(),
            properties: properties.collect::<std::result::Result<_, String>>()?,
        })
    }
}

fn property(node: Node<'_, '_>, depth: usize) -> std::result::Result<Property, String> {
    if matches!(node.attribute((XSI, "nil")), Some("true" | "1")) {
        return Ok(Property::Null);
    }
    let Some(first) = node.first_element_child() else { return Ok(Property::Text(text(node))) };
    if let Some(reference) = child(node, ADDRESSING, "ReferenceParameters") {
        return Ok(Property::Reference(resource(reference)));
    }
    // A date is an element inside of the property (DSP0230, `cim:cimDateTime`), and the only one there.
    let is_date = matches!(first.tag_name().name(), "Datetime" | "Date" | "Time" | "Interval" | "CIM_DateTime");
    if is_date && first.first_element_child().is_none() && first.next_sibling_element().is_none() {
        return Ok(Property::Text(text(first)));
    }
    Instance::read(node, depth).map(Property::Object)
}

/// The resource inside of an endpoint reference (DSP0226 5.1).
fn resource(parameters: Node<'_, '_>) -> Resource {
    let uri = child(parameters, WSMAN, "ResourceURI").map(text).unwrap_or_default().trim().to_owned();
    let set = child(parameters, WSMAN, "SelectorSet");
    let selectors =
        set.into_iter().flat_map(|set| set.children().filter(|node| node.has_tag_name((WSMAN, "Selector"))));
    let pair = |node: Node<'_, '_>| (node.attribute("Name").unwrap_or_default().to_owned(), text(node));
    Resource { uri, selectors: selectors.map(pair).collect() }
}

/// One part of the answer to a query.
struct Batch {
    items: Vec<Instance>,
    context: Option<String>,
}

impl Client {
    /// Runs a query and gives each instance to `each` as it comes, so that memory holds one batch.
    ///
    /// # Errors
    /// When the query cannot be sent, or the server refuses it or stops in the middle.
    pub fn query(&mut self, query: &Query, each: &mut dyn FnMut(Instance) -> Flow) -> Result<()> {
        let resource = Resource::new(format!("{WMI}/{}/*", query.namespace));
        let mut body = Writer::default();
        body.open("n:Enumerate", &[])
            .empty("w:OptimizeEnumeration", &[])
            .leaf("w:MaxElements", &[], &query.batch.max(1).to_string())
            .leaf("w:Filter", &[("Dialect", WQL)], writable("query", &query.wql)?)
            .close("n:Enumerate");
        let mut batch = self.patiently("Enumerate", &resource, &body)?;
        loop {
            for instance in batch.items {
                if each(instance) == Flow::Stop {
                    return batch.context.map_or(Ok(()), |context| self.release(&resource, &context));
                }
            }
            let Some(context) = batch.context else { return Ok(()) };
            let mut body = Writer::default();
            body.open("n:Pull", &[])
                .leaf("n:EnumerationContext", &[], writable("context of the query", &context)?)
                .leaf("n:MaxElements", &[], &query.batch.max(1).to_string())
                .close("n:Pull");
            batch = self.patiently("Pull", &resource, &body)?;
        }
    }

    /// Asks again where nothing came within the server's time, which may be shorter than the one that was asked for (its
    /// `MaxTimeoutms`, 60 seconds usually): an enumeration goes on from where it is (DSP0226, 8.4).
    fn patiently(&mut self, verb: &str, resource: &Resource, body: &Writer) -> Result<Batch> {
        let mut left = limits::SILENT_PULLS;
        loop {
            match self.enumeration(verb, resource, body.clone()) {
                Err(Error::Fault(fault)) if fault.kind() == FaultKind::TimedOut && left > 0 => left -= 1,
                other => return other,
            }
        }
    }

    /// Runs a query and collects its instances.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub fn query_all(&mut self, query: &Query) -> Result<Vec<Instance>> {
        let mut all = Vec::new();
        self.query(query, &mut |instance| {
            all.push(instance);
            Flow::GoOn
        })?;
        Ok(all)
    }

    fn enumeration(&mut self, verb: &str, resource: &Resource, body: Writer) -> Result<Batch> {
        let action = format!("{ENUMERATION}/{verb}");
        let request = Request { action: &action, resource, choices: &[], body };
        let answer = format!("{verb}Response");
        self.call(&request, |reply| batch(reply, &answer))
    }

    fn release(&mut self, resource: &Resource, context: &str) -> Result<()> {
        let mut body = Writer::default();
        body.open("n:Release", &[]).leaf("n:EnumerationContext", &[], context).close("n:Release");
        let action = format!("{ENUMERATION}/Release");
        self.call(&Request { action: &action, resource, choices: &[], body }, |_| Ok(()))
    }

    /// Reads one instance (WS-Transfer Get).
    ///
    /// # Errors
    /// When the server refuses it or its answer holds none.
    pub fn get(&mut self, resource: &Resource) -> Result<Instance> {
        check(resource)?;
        let request = Request { action: &transfer("Get"), resource, choices: &[], body: Writer::default() };
        self.call(&request, first_object)
    }

    /// Calls a method of a class or of an instance (DSP0227 9.3); the answer has the outputs and `ReturnValue`.
    ///
    /// # Errors
    /// When an argument cannot be sent, or the server refuses the call. A `ReturnValue` other than 0 is no error here.
    pub fn invoke(&mut self, resource: &Resource, method: &str, arguments: &[(&str, Argument)]) -> Result<Instance> {
        check(resource)?;
        let name = format!("m:{}_INPUT", element("method", method)?);
        let mut body = Writer::default();
        body.open(&name, &[("xmlns:m", &resource.uri), ("xmlns:xsi", XSI)]);
        for (key, value) in arguments {
            write_argument(&format!("m:{}", element("parameter of a method", key)?), value, &mut body)?;
        }
        body.close(&name);
        let action = format!("{}/{method}", resource.uri);
        self.call(&Request { action: &action, resource, choices: &[], body }, first_object)
    }
}

fn check(resource: &Resource) -> Result<()> {
    writable("resource", &resource.uri)?;
    for (name, value) in &resource.selectors {
        writable("selector", name)?;
        writable("selector", value)?;
    }
    Ok(())
}

/// Names of methods and parameters become names of elements, so they are checked, not quoted.
fn element<'a>(what: &'static str, name: &'a str) -> Result<&'a str> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !name.is_empty() && is_name(name) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(name);
    }
    Err(crate::Error::Input { what, found: name.to_owned(), expected: "a name of letters, digits and _" })
}

fn write_argument(name: &str, value: &Argument, into: &mut Writer) -> Result<()> {
    match value {
        Argument::Null => {
            into.empty(name, &[("xsi:nil", "true")]);
        }
        Argument::Text(text) => {
            into.leaf(name, &[], writable("parameter of a method", text)?);
        }
        Argument::Reference(resource) => {
            check(resource)?;
            into.open(name, &[]).leaf("a:Address", &[], ANONYMOUS).open("a:ReferenceParameters", &[]);
            into.leaf("w:ResourceURI", &[], &resource.uri);
            resource.write_selectors(into);
            into.close("a:ReferenceParameters").close(name);
        }
        Argument::Array(values) => {
            for value in values.iter().filter(|value| !matches!(value, Argument::Array(_))) {
                write_argument(name, value, into)?;
            }
        }
    }
    Ok(())
}

fn first_object(reply: &Reply<'_>) -> std::result::Result<Instance, String> {
    let node = reply.body().first_element_child().ok_or("its body is empty")?;
    Instance::read(node, limits::DEPTH)
}

/// The instances of one answer. `Items` of an optimised Enumerate belongs to WS-Management, that of Pull to
/// WS-Enumeration (DSP0226 8.3).
fn batch(reply: &Reply<'_>, name: &str) -> std::result::Result<Batch, String> {
    let node = reply.element(ENUMERATION, name)?;
    let either = |name: &str| child(node, ENUMERATION, name).or_else(|| child(node, WSMAN, name));
    let items = either("Items").into_iter().flat_map(|items| items.children().filter(Node::is_element));
    let items = items.map(|node| Instance::read(node, limits::DEPTH)).collect::<std::result::Result<Vec<_>, _>>()?;
    let context = child(node, ENUMERATION, "EnumerationContext").map(text).filter(|context| !context.is_empty());
    let context = context.filter(|_| either("EndOfSequence").is_none());
    if context.is_none() && either("EndOfSequence").is_none() && name == "PullResponse" && items.is_empty() {
        return Err("it neither ends the query nor goes on with it".to_owned());
    }
    Ok(Batch { items, context })
}

/// Reads a reply as every answer of WMI, for tests.
pub(crate) fn answers(reply: &Reply<'_>) {
    let _ = (first_object(reply), batch(reply, "EnumerateResponse"), batch(reply, "PullResponse"));
}

/// Properties by name, for comparing and showing; of an array the last value.
impl From<&Instance> for BTreeMap<String, Property> {
    fn from(instance: &Instance) -> Self {
        instance.properties.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::xml::parse;

    const XML: &str = "<p:Msvm_X xmlns:p='http://x' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' \
        xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing' xmlns:w='http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd' \
        xmlns:cim='http://schemas.dmtf.org/wbem/wscim/1/common'><p:Name>Ü &amp; 1</p:Name><p:None xsi:nil='true'/>\
        <p:List>a</p:List><p:List>b</p:List><p:When><cim:Datetime>2012-01-01T00:00:00Z</cim:Datetime></p:When>\
        <p:Ref><a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>http://y/Z</w:ResourceURI><w:SelectorSet>\
        <w:Selector Name='Id'>7</w:Selector></w:SelectorSet></a:ReferenceParameters></p:Ref>\
        <p:Inner><p:A>1</p:A><p:B/></p:Inner></p:Msvm_X>";

    #[test]
    fn an_instance_is_read_whole() {
        let document = parse(XML).unwrap();
        let instance = Instance::read(document.root_element(), 8).unwrap();
        assert_eq!((instance.class.as_str(), instance.text("name")), ("Msvm_X", Some("Ü & 1")));
        assert_eq!(instance.get("None"), Some(&Property::Null));
        assert_eq!(instance.all("List").count(), 2);
        assert_eq!(instance.text("When"), Some("2012-01-01T00:00:00Z"));
        assert_eq!(instance.get("Ref"), Some(&Property::Reference(Resource::new("http://y/Z").with("Id", "7"))));
        let Some(Property::Object(inner)) = instance.get("Inner") else { panic!("an object") };
        assert_eq!((inner.text("A"), inner.text("B")), (Some("1"), Some("")));
        assert!(Instance::read(document.root_element(), 1).unwrap_err().contains("deeper"));
    }

    #[test]
    fn names_cannot_become_xml() {
        for name in ["", "a b", "a><b", "1a", "a:b"] {
            assert!(element("method", name).is_err(), "{name}");
        }
        assert!(element("method", "GetStringValue").is_ok());
    }
}
