//! Objects of WMI as WS-Management sends them, in the form in which a collection has them.

use hvm_formats::cim::{Object, Reference, Value};
use hvm_winrm::{Instance, Property, Resource};

/// Begin of the addresses of WMI (MS-WSMV 2.2.1.4); what follows is namespace and class.
const WMI: &str = "/wbem/wsman/1/wmi/";
/// The selector with the namespace, which is no key.
const NAMESPACE: &str = "__cimnamespace";

/// An object: properties that come several times are arrays.
pub(super) fn object(instance: &Instance) -> Object {
    let mut properties: Vec<(String, Value)> = Vec::new();
    let mut last: Option<&str> = None;
    for (name, property) in &instance.properties {
        let value = value(property);
        match properties.last_mut().filter(|_| last.is_some_and(|last| last.eq_ignore_ascii_case(name))) {
            Some((_, Value::List(values))) => values.push(value),
            Some((_, first)) => {
                let before = std::mem::replace(first, Value::Null);
                *first = Value::List(vec![before, value]);
            }
            None => properties.push((name.clone(), value)),
        }
        last = Some(name);
    }
    Object { class: instance.class.clone(), properties }
}

fn value(property: &Property) -> Value {
    match property {
        Property::Null => Value::Null,
        Property::Text(text) => Value::Text(text.clone()),
        Property::Reference(resource) => Value::Reference(reference(resource)),
        Property::Object(inner) => Value::Object(object(inner)),
    }
}

fn reference(resource: &Resource) -> Reference {
    let own = resource.uri.split_once(WMI).map_or(resource.uri.as_str(), |(_, own)| own);
    let (namespace, class) = own.rsplit_once('/').unwrap_or(("", own));
    let is_namespace = |name: &str| name.eq_ignore_ascii_case(NAMESPACE);
    let said = resource.selectors.iter().find(|(name, _)| is_namespace(name)).map(|(_, value)| value.as_str());
    let keys = resource.selectors.iter().filter(|(name, _)| !is_namespace(name)).cloned().collect();
    let namespace = said.unwrap_or(namespace).replace('/', "\\");
    Reference { namespace, class: class.to_owned(), keys }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_references_are_those_of_a_collection() {
        let text = |text: &str| Property::Text(text.to_owned());
        let class = Resource::class(r"root\virtualization", "Msvm_SwitchPort");
        let port = class.with("__cimnamespace", "root/virtualization").with("Name", "P1");
        let instance = Instance {
            class: "Msvm_X".to_owned(),
            properties: vec![
                ("SD".to_owned(), text("1")),
                ("SD".to_owned(), text("20")),
                ("SD".to_owned(), text("255")),
                ("Name".to_owned(), text("a")),
                ("None".to_owned(), Property::Null),
                ("Antecedent".to_owned(), Property::Reference(port)),
            ],
        };
        let object = object(&instance);
        assert_eq!(object.bytes("SD"), Some(vec![1, 20, 255]));
        assert_eq!((object.text("name"), object.get("None")), (Some("a"), Some(&Value::Null)));
        let keys = vec![("Name".to_owned(), "P1".to_owned())];
        let (namespace, class) = (r"root\virtualization".to_owned(), "Msvm_SwitchPort".to_owned());
        assert_eq!(object.reference("antecedent"), Some(Reference { namespace, class, keys }));
    }
}
