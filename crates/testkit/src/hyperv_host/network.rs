//! Network interfaces as Windows sees them: bindings, advanced properties, addresses, routes, DNS.

use std::net::IpAddr;

use super::Host;
use super::state::Interface;
use crate::powershell::{Call, Object, Run, Value, is_like, thrown};

/// The server and the router that DHCP gives.
const OF_DHCP: &str = "198.51.100.53";

fn family_word(six: bool) -> Value {
    if six { Value::word("AddressFamily", "IPv6", 23) } else { Value::word("AddressFamily", "IPv4", 2) }
}

fn address(call: &Call, parameter: &str) -> Run<Option<IpAddr>> {
    match call.text(parameter).map(|text| (text.parse(), text)) {
        None => Ok(None),
        Some((Ok(address), _)) => Ok(Some(address)),
        Some((Err(_), text)) => thrown(format!("{} -{parameter} '{text}': this is no IP address.", call.name)),
    }
}

/// The class of advanced properties.
const PROPERTY: &str = "MSFT_NetAdapterAdvancedPropertySettingData";

/// Advanced properties that a driver has beside those of its page in the Device Manager: only `-AllProperties` shows them.
const HIDDEN: [&str; 1] = ["*RssOrVmqPreference"];

/// What is no pattern fits nothing.
fn fits_any(patterns: Option<&Vec<String>>, text: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| is_like(text, pattern) == Some(true)))
}

/// The error of a function whose query found nothing.
pub(super) fn no_match<T>(call: &Call, class: &str) -> Run<T> {
    thrown(format!("No matching {class} objects found by CIM query of {}.", call.name))
}

impl Host {
    /// The interfaces that are seen by now.
    fn seen(&self) -> impl Iterator<Item = &Interface> {
        self.state.interfaces.iter().filter(|interface| interface.appears_in == 0)
    }

    fn interface(&mut self, call: &Call) -> Run<&mut Interface> {
        let indexes = call.numbers("InterfaceIndex").unwrap_or_default();
        let [index] = indexes.as_slice() else {
            return thrown(format!("{} -InterfaceIndex: one index is wanted.", call.name));
        };
        let mut seen = self.state.interfaces.iter_mut().filter(|interface| interface.appears_in == 0);
        match seen.find(|interface| interface.index == *index) {
            Some(interface) if interface.ip_in > 0 => thrown(format!("{}: Element not found.", call.name)),
            Some(interface) => Ok(interface),
            None => thrown(format!("{}: no interface has the index {index}.", call.name)),
        }
    }

    fn wanted<'h>(&'h self, call: &Call) -> Vec<&'h Interface> {
        let (indexes, names) = (call.numbers("InterfaceIndex"), call.texts("Name"));
        let physical = call.has("Physical");
        let fits = |interface: &&Interface| {
            indexes.as_ref().is_none_or(|indexes| indexes.contains(&interface.index))
                && fits_any(names.as_ref(), &interface.name)
                && (interface.physical || !physical)
        };
        self.seen().filter(fits).collect()
    }

    /// The interfaces of a call that TCP/IP knows.
    fn wanted_ip<'h>(&'h self, call: &Call) -> Vec<&'h Interface> {
        self.wanted(call).into_iter().filter(|interface| interface.ip_in == 0).collect()
    }

    /// The interfaces whose names fit a call.
    fn named(&self, call: &Call, class: &str) -> Run<Vec<i64>> {
        let found: Vec<i64> = self.wanted(call).iter().map(|interface| interface.index).collect();
        if found.is_empty() { no_match(call, class) } else { Ok(found) }
    }

    pub(super) fn get_net_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let object = |interface: &Interface| {
            Object::new("MSFT_NetAdapter", &interface.id)
                .with("Name", &interface.name)
                .with("InterfaceDescription", &interface.description)
                .with("InterfaceIndex", interface.index)
                .with("InterfaceGuid", &interface.id)
                .with("Status", "Up")
                .with("MacAddress", format!("00-50-56-00-00-{:02X}", interface.index.clamp(0, 255)).as_str())
                .value()
        };
        // The newest first: no order is promised.
        Ok(self.wanted(call).into_iter().rev().map(object).collect())
    }

    /// Where the devices sit; the others have no place.
    pub(super) fn get_hardware(&mut self, call: &Call) -> Run<Vec<Value>> {
        let mut found = self.wanted(call);
        found.retain(|interface| interface.physical);
        if found.is_empty() {
            return no_match(call, "MSFT_NetAdapterHardwareInfoSettingData");
        }
        let object = |interface: &Interface| {
            Object::new("MSFT_NetAdapterHardwareInfoSettingData", &interface.id)
                .with("Name", &interface.name)
                .with("BusNumber", interface.index)
                .with("DeviceNumber", 0i64)
                .with("FunctionNumber", 0i64)
                .value()
        };
        Ok(found.into_iter().map(object).collect())
    }

    pub(super) fn get_binding(&mut self, call: &Call) -> Run<Vec<Value>> {
        let components = call.texts("ComponentID");
        let mut all = Vec::new();
        for interface in self.wanted(call) {
            for (component, on) in &interface.bindings {
                if components
                    .as_ref()
                    .is_none_or(|known| known.iter().any(|known| known.eq_ignore_ascii_case(component)))
                {
                    let object =
                        Object::new("MSFT_NetAdapterBindingSettingData", &format!("{}|{component}", interface.id))
                            .with("Name", &interface.name)
                            .with("ComponentID", component)
                            .with("Enabled", *on);
                    all.push(object.value());
                }
            }
        }
        Ok(all)
    }

    fn bind(&mut self, call: &Call, on: bool) -> Run<Vec<Value>> {
        let pairs: Vec<(String, String)> = match call.objects("InputObject") {
            Some(objects) => {
                let split = |(_, id): &(String, String)| {
                    id.split_once('|').map(|(id, component)| (id.to_owned(), component.to_owned()))
                };
                objects.iter().filter_map(split).collect()
            }
            None => {
                self.named(call, "MSFT_NetAdapterBindingSettingData")?;
                let components = call.texts("ComponentID").unwrap_or_default();
                let interfaces = self.wanted(call);
                let pair = |interface: &&Interface| {
                    components.iter().map(|component| (interface.id.clone(), component.clone())).collect::<Vec<_>>()
                };
                interfaces.iter().flat_map(pair).collect()
            }
        };
        for (id, component) in pairs {
            self.change()?;
            let interface = self.state.interfaces.iter_mut().find(|interface| interface.id == id);
            match interface.and_then(|interface| interface.bindings.get_mut(&component)) {
                Some(place) => *place = on,
                None => return thrown(format!("{}: there is no component '{component}'.", call.name)),
            }
        }
        Ok(Vec::new())
    }

    pub(super) fn enable_binding(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.bind(call, true)
    }

    pub(super) fn disable_binding(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.bind(call, false)
    }

    pub(super) fn get_advanced(&mut self, call: &Call) -> Run<Vec<Value>> {
        let found = self.properties(call, call.has("AllProperties"));
        // Without a name all are asked for by a query, too.
        if found.is_empty() {
            return no_match(call, PROPERTY);
        }
        let object = |(interface, keyword, value): (&Interface, &String, &String)| {
            Object::new(PROPERTY, &format!("{}|{keyword}", interface.id))
                .with("Name", &interface.name)
                .with("RegistryKeyword", keyword)
                .with("RegistryValue", Value::texts([value]))
                .value()
        };
        Ok(found.into_iter().map(object).collect())
    }

    /// The properties whose keywords, and the names of whose adapters, fit a call.
    fn properties(&self, call: &Call, all: bool) -> Vec<(&Interface, &String, &String)> {
        let keywords = call.texts("RegistryKeyword");
        let of = |interface| {
            let interface: &Interface = interface;
            interface.properties.iter().map(move |(keyword, value)| (interface, keyword, value))
        };
        let properties = self.wanted(call).into_iter().flat_map(of);
        properties
            .filter(|(_, keyword, _)| fits_any(keywords.as_ref(), keyword))
            .filter(|(_, keyword, _)| all || !HIDDEN.contains(&keyword.as_str()))
            .collect()
    }

    /// Sets what is given, or all that fits the patterns of name and keyword.
    pub(super) fn set_advanced(&mut self, call: &Call) -> Run<Vec<Value>> {
        let values = call.texts("RegistryValue").unwrap_or_default();
        let [value] = values.as_slice() else {
            return thrown("Set-NetAdapterAdvancedProperty: one value is wanted.");
        };
        let places: Vec<(String, String)> = match call.objects("InputObject") {
            Some(objects) => {
                let place = |(_, id): &(String, String)| {
                    id.split_once('|').map(|(id, keyword)| (id.to_owned(), keyword.to_owned()))
                };
                objects.iter().filter_map(place).collect()
            }
            None => {
                let found = self.properties(call, false).into_iter();
                found.map(|(interface, keyword, _)| (interface.id.clone(), keyword.clone())).collect()
            }
        };
        if places.is_empty() {
            return no_match(call, PROPERTY);
        }
        for (id, keyword) in places {
            self.change()?;
            let interface = self.state.interfaces.iter_mut().find(|interface| interface.id == id);
            match interface.and_then(|interface| interface.properties.get_mut(&keyword)) {
                Some(place) => *place = value.clone(),
                None => return thrown(format!("Set-NetAdapterAdvancedProperty: there is no keyword '{keyword}'.")),
            }
        }
        Ok(Vec::new())
    }

    pub(super) fn get_ip_interface(&mut self, call: &Call) -> Run<Vec<Value>> {
        let families = call.texts("AddressFamily");
        let mut all = Vec::new();
        for interface in self.wanted_ip(call) {
            for (six, name) in [(true, "IPv6"), (false, "IPv4")] {
                if families.as_ref().is_some_and(|families| !families.iter().any(|family| family == name)) {
                    continue;
                }
                let dhcp = if interface.dhcp || six { ("Enabled", 1) } else { ("Disabled", 0) };
                let object = Object::new("MSFT_NetIPInterface", &format!("{}|{name}", interface.id))
                    .with("InterfaceIndex", interface.index)
                    .with("InterfaceAlias", &interface.name)
                    .with("AddressFamily", family_word(six))
                    .with("Dhcp", Value::word("Dhcp", dhcp.0, dhcp.1));
                all.push(object.value());
            }
        }
        Ok(all)
    }

    pub(super) fn set_ip_interface(&mut self, call: &Call) -> Run<Vec<Value>> {
        if call.texts("AddressFamily").unwrap_or_default() != ["IPv4"] {
            return thrown("Set-NetIPInterface: what is done for other families than IPv4 is not said.");
        }
        self.interface(call)?;
        self.change()?;
        let dhcp = call.text("Dhcp");
        let interface = self.interface(call)?;
        interface.dhcp = dhcp.map_or(interface.dhcp, |word| word == "Enabled");
        Ok(Vec::new())
    }

    pub(super) fn new_ip_address(&mut self, call: &Call) -> Run<Vec<Value>> {
        let Some(new) = address(call, "IPAddress")? else { return thrown("New-NetIPAddress: an address is wanted.") };
        let gateway = address(call, "DefaultGateway")?;
        let most = if new.is_ipv6() { 128 } else { 32 };
        let prefix = call.number("PrefixLength").unwrap_or(most);
        if prefix > most {
            return thrown(format!("New-NetIPAddress -PrefixLength {prefix}: {most} is the most."));
        }
        if gateway.is_some_and(|gateway| gateway.is_ipv6() != new.is_ipv6()) {
            return thrown("New-NetIPAddress: address and gateway are of different families.");
        }
        let text = new.to_string();
        if self.state.interfaces.iter().any(|interface| interface.addresses.iter().any(|(known, _)| *known == text)) {
            return thrown(format!("New-NetIPAddress: the address {text} is there already."));
        }
        let interface = self.interface(call)?;
        // What becomes of DHCP when an address is set is not said; a script switches it off first.
        if interface.dhcp && !new.is_ipv6() {
            return thrown("New-NetIPAddress: DHCP is on.");
        }
        let all = if new.is_ipv6() { "::/0" } else { "0.0.0.0/0" };
        if gateway.is_some() && interface.routes.iter().any(|(prefix, _)| prefix == all) {
            return thrown("New-NetIPAddress: there is a default gateway already.");
        }
        self.change()?;
        let interface = self.interface(call)?;
        interface.addresses.push((text.clone(), prefix));
        interface.routes.extend(gateway.map(|gateway| (all.to_owned(), gateway.to_string())));
        let index = interface.index;
        Ok(vec![ip_object(index, &text, prefix, "Manual")])
    }

    /// In an order of its own, with the addresses that Windows makes itself.
    pub(super) fn get_ip_address(&mut self, call: &Call) -> Run<Vec<Value>> {
        let families = call.texts("AddressFamily");
        let wanted = call.texts("IPAddress");
        let fits = |text: &str| {
            let family = if text.contains(':') { "IPv6" } else { "IPv4" };
            families.as_ref().is_none_or(|families| families.iter().any(|known| known == family))
                && wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|known| known == text))
        };
        let mut all = Vec::new();
        for interface in self.wanted_ip(call) {
            let own = format!("fe80::{:x}", interface.index);
            let made = [(own.as_str(), 64, "WellKnown")];
            let set = interface.addresses.iter().rev().map(|(text, prefix)| (text.as_str(), *prefix, "Manual"));
            let found = made.into_iter().chain(set).filter(|(text, ..)| fits(text));
            all.extend(found.map(|(text, prefix, origin)| ip_object(interface.index, text, prefix, origin)));
        }
        Ok(all)
    }

    pub(super) fn new_route(&mut self, call: &Call) -> Run<Vec<Value>> {
        let prefix = call.text("DestinationPrefix").unwrap_or_default();
        let (network, length) = prefix.split_once('/').unwrap_or_default();
        let network: Option<IpAddr> = network.parse().ok();
        let hop = address(call, "NextHop")?;
        match (network, hop, length.parse::<u8>()) {
            (Some(network), Some(hop), Ok(_)) if network.is_ipv6() == hop.is_ipv6() => {}
            _ => return thrown("New-NetRoute: a prefix and a next hop of one family are wanted."),
        }
        let route = (prefix, hop.map(|hop| hop.to_string()).unwrap_or_default());
        if self.interface(call)?.routes.contains(&route) {
            return thrown("New-NetRoute: the route is there already.");
        }
        self.change()?;
        self.interface(call)?.routes.push(route);
        Ok(Vec::new())
    }

    pub(super) fn get_route(&mut self, call: &Call) -> Run<Vec<Value>> {
        let prefixes = call.texts("DestinationPrefix");
        let mut all = Vec::new();
        for interface in self.wanted_ip(call) {
            // Beside what was set: the own network, a router that told of itself, and what DHCP gave.
            let mut told = vec![("fe80::/64", "::"), ("::/0", "fe80::1")];
            told.extend(interface.dhcp.then_some(("0.0.0.0/0", OF_DHCP)));
            let told: Vec<_> = told.into_iter().map(|(prefix, hop)| (prefix.to_owned(), hop.to_owned())).collect();
            for (prefix, hop) in told.iter().chain(interface.routes.iter().rev()) {
                if prefixes.as_ref().is_none_or(|prefixes| prefixes.contains(prefix)) {
                    let object = Object::new("MSFT_NetRoute", &format!("{}|{prefix}|{hop}", interface.id))
                        .with("InterfaceIndex", interface.index)
                        .with("DestinationPrefix", prefix)
                        .with("NextHop", hop);
                    all.push(object.value());
                }
            }
        }
        Ok(all)
    }

    pub(super) fn set_dns_servers(&mut self, call: &Call) -> Run<Vec<Value>> {
        let servers = call.texts("ServerAddresses").unwrap_or_default();
        if let Some(wrong) = servers.iter().find(|server| server.parse::<IpAddr>().is_err()) {
            return thrown(format!("Set-DnsClientServerAddress: '{wrong}' is no IP address."));
        }
        self.interface(call)?;
        self.change()?;
        self.interface(call)?.dns = servers;
        Ok(Vec::new())
    }

    /// One object for each family.
    pub(super) fn get_dns_servers(&mut self, call: &Call) -> Run<Vec<Value>> {
        let families = call.texts("AddressFamily");
        let mut all = Vec::new();
        for interface in self.wanted_ip(call) {
            for (six, name) in [(false, "IPv4"), (true, "IPv6")] {
                if families.as_ref().is_none_or(|families| families.iter().any(|family| family == name)) {
                    let set = interface.dns.iter().filter(|server| server.contains(':') == six);
                    let mut servers: Vec<String> = set.cloned().collect();
                    if servers.is_empty() && six {
                        // What Windows names where nothing was set.
                        servers.extend((1..=3).map(|number| format!("fec0:0:0:ffff::{number}")));
                    } else if servers.is_empty() && interface.dhcp {
                        servers.push(OF_DHCP.to_owned());
                    }
                    let object = Object::new("MSFT_DNSClientServerAddress", &format!("{}|{name}", interface.id))
                        .with("InterfaceIndex", interface.index)
                        .with("AddressFamily", family_word(six))
                        .with("ServerAddresses", Value::texts(&servers));
                    all.push(object.value());
                }
            }
        }
        Ok(all)
    }

    pub(super) fn set_dns_client(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.interface(call)?;
        self.change()?;
        let (suffix, register) =
            (call.text("ConnectionSpecificSuffix"), call.boolean("RegisterThisConnectionsAddress"));
        let interface = self.interface(call)?;
        if let Some(suffix) = suffix {
            interface.suffix = suffix;
        }
        interface.register = register.unwrap_or(interface.register);
        Ok(Vec::new())
    }

    pub(super) fn get_dns_client(&mut self, call: &Call) -> Run<Vec<Value>> {
        let object = |interface: &Interface| {
            Object::new("MSFT_DNSClient", &interface.id)
                .with("InterfaceIndex", interface.index)
                .with("ConnectionSpecificSuffix", &interface.suffix)
                .with("RegisterThisConnectionsAddress", interface.register)
                .value()
        };
        Ok(self.wanted_ip(call).into_iter().map(object).collect())
    }
}

fn ip_object(index: i64, text: &str, prefix: i64, origin: &str) -> Value {
    let number = if origin == "Manual" { 1 } else { 2 };
    Object::new("MSFT_NetIPAddress", &format!("{index}|{text}"))
        .with("InterfaceIndex", index)
        .with("IPAddress", text)
        .with("PrefixLength", prefix)
        .with("AddressFamily", family_word(text.contains(':')))
        .with("PrefixOrigin", Value::word("PrefixOrigin", origin, number))
        .value()
}
