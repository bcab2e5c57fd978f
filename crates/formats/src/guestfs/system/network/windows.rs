//! The network settings that Windows keeps in the hive `SYSTEM`. IPv6 addresses that somebody set are not among them: where
//! they are kept is not documented.

use super::{GuestAdapter, MOST, listed, mac};
use crate::guestfs::system::windows::{Key, Values};

const INTERFACES: &str = r"Services\Tcpip\Parameters\Interfaces";
/// The class of network adapters.
const CLASS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
/// After as many values that could not be read the rest is left.
const MOST_REMARKS: usize = 16;

/// The adapters that the control set `set` names: those that have a connection or addresses.
pub(in crate::guestfs::system) fn adapters(values: &mut Values<'_, '_>, set: &str) -> Vec<GuestAdapter> {
    let (interfaces, connections, class) = (
        values.key(&format!(r"{set}\{INTERFACES}")),
        values.key(&format!(r"{set}\Control\Network\{CLASS}")),
        values.key(&format!(r"{set}\Control\Class\{CLASS}")),
    );
    let Some(interfaces) = interfaces else { return Vec::new() };
    let macs = class.map(|class| set_macs(values, &class)).unwrap_or_default();
    let mut all = Vec::new();
    for id in values.names(&interfaces).into_iter().take(MOST) {
        if values.remarks.len() > MOST_REMARKS {
            break;
        }
        let Some(key) = values.below(&interfaces, &id) else { continue };
        let mut adapter = of_interface(values, &key);
        adapter.place = format!(r"\{set}\{INTERFACES}\{id}");
        let connection = connections.as_ref().and_then(|connections| values.below(connections, &id));
        if let Some(connection) = connection.and_then(|adapter| values.below(&adapter, "Connection")) {
            adapter.name = values.one(&connection, "Name");
            adapter.device = values.one(&connection, "PnpInstanceID");
        }
        let set_mac = macs.iter().find(|(known, _)| known.eq_ignore_ascii_case(&id));
        adapter.mac = set_mac.map(|(_, mac)| mac.clone()).unwrap_or_default();
        id.trim_matches(['{', '}']).clone_into(&mut adapter.id);
        if !adapter.name.is_empty() || !adapter.addresses.is_empty() {
            all.push(adapter);
        }
    }
    all
}

fn of_interface(values: &mut Values<'_, '_>, key: &Key<'_>) -> GuestAdapter {
    let dhcp = match values.one(key, "EnableDHCP").as_str() {
        "" => None,
        number => Some(number != "0"),
    };
    let mut adapter = GuestAdapter { dhcp, ..GuestAdapter::default() };
    // With DHCP on, addresses written earlier by hand may still stand there.
    let lease = if dhcp == Some(true) { "Dhcp" } else { "" };
    let mut texts = |name: &str| values.texts(key, &format!("{lease}{name}"));
    let masks = texts("SubnetMask");
    for (number, address) in texts("IPAddress").iter().enumerate() {
        adapter.address(address, masks.get(number).map_or("", String::as_str));
    }
    adapter.gateways = texts("DefaultGateway").iter().flat_map(|text| listed(text)).collect();
    // Name servers that somebody set win over those of DHCP.
    let set: Vec<String> = listed(&values.one(key, "NameServer")).collect();
    adapter.dns_servers = if set.is_empty() { listed(&values.one(key, "DhcpNameServer")).collect() } else { set };
    adapter
}

/// The hardware addresses that somebody set, by the id of the interface.
fn set_macs<'h>(values: &mut Values<'h, '_>, class: &Key<'h>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    // Beside the adapters there is a key that only the system may read.
    for name in values.names(class).into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).take(MOST)
    {
        let Some(key) = values.below(class, &name) else { continue };
        let address = mac(&values.one(&key, "NetworkAddress"));
        if !address.is_empty() {
            all.push((values.one(&key, "NetCfgInstanceId"), address));
        }
    }
    all
}
