//! A virtual network as libvirt XML.
//!
//! Internal and private networks are isolated bridges without an address of the host; an external one uses the bridge that
//! the operator named as its adapter.

use hvm_model::network::SwitchKind;
use hvm_model::role::{Role, RoleSwitch};

use crate::libvirt::naming;
use crate::libvirt::xml::{Element, is_xml};

/// Namespace of the metadata that hvmigrate writes.
pub(crate) const NAMESPACE: &str = "urn:hvmigrate:source:1";

/// The XML of a network.
pub(crate) fn document(role: &Role, switch: &RoleSwitch) -> Element {
    let source = Element::new("hvm:source")
        .attribute("xmlns:hvm", NAMESPACE)
        .attribute("id", &switch.id)
        .attribute("name", &switch.name)
        .attribute("name-is-kept", switch.name.chars().all(is_xml))
        .attribute("kind", switch.kind)
        .attribute("source-kind", switch.source_kind);
    let mut network = Element::new("network")
        .child(Element::new("name").text(naming::network(role, switch)))
        .child(Element::new("uuid").text(switch.id.as_str().to_lowercase()))
        .child(Element::new("metadata").child(source));
    match (switch.kind, &switch.adapter) {
        (SwitchKind::External, Some(adapter)) => {
            network.push(Element::new("forward").attribute("mode", "bridge"));
            network.push(Element::new("bridge").attribute("name", adapter));
        }
        _ => {
            let bridge = Element::new("bridge").attribute("name", naming::bridge(switch));
            network.push(bridge.attribute("stp", "on").attribute("delay", "0"));
        }
    }
    network
}
