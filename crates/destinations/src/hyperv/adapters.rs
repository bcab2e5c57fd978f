//! The step that makes a virtual adapter of the management operating system with its MAC address, VLAN, IP settings and
//! bindings.

use std::net::IpAddr;

use hvm_model::network::{IpSettings, Vlan};
use hvm_model::role::RoleManagementAdapter;

use crate::hyperv::cmdlet::{Arg, Call, StepScript};

/// Bindings of the source that the kit sets: service or protocol, and its component.
const COMPONENTS: [(&str, &str); 3] = [("Tcpip6", "ms_tcpip6"), ("lltdio", "ms_lltdio"), ("rspndr", "ms_rspndr")];

/// Services that sit above the protocols and are therefore only ever switched on.
const SERVICES: [(&str, &str); 3] =
    [("LanmanServer", "ms_server"), ("LanmanWorkstation", "ms_msclient"), ("Psched", "ms_pacer")];

/// The calls for one adapter.
pub(crate) fn script(adapter: &RoleManagementAdapter) -> StepScript {
    let name = adapter.name.as_str();
    let add = Call::new("Add-KitManagementAdapter").text("Name", name).text("SwitchId", adapter.switch.as_str());
    let mut add = add.text("SwitchName", &adapter.switch_name);
    if let Some(mac) = adapter.mac {
        add = add.text("StaticMacAddress", &mac.plain());
    }
    // Only adapters on the kit's own network are ever looked at: this host may have one of the same name elsewhere.
    let own = |cmdlet: &str| Call::new(cmdlet).text("Name", name).text("SwitchId", adapter.switch.as_str());
    let mut perform = vec![own("Remove-KitManagementAdapter"), add.into_variable("adapter")];
    if let Some(vlan) = &adapter.vlan {
        let call = Call::new("Set-VMNetworkAdapterVlan").variable("VMNetworkAdapter", "adapter");
        perform.extend(with_vlan(call, vlan));
    }
    perform.push(own("Wait-KitInterface").into_variable("index"));
    ip_calls(&adapter.ip, &mut perform);
    binding_calls(&adapter.bindings, &mut perform);
    StepScript {
        test: vec![own("Test-KitManagementAdapter")],
        perform,
        undo: vec![own("Remove-KitManagementAdapter")],
        ..StepScript::default()
    }
}

/// A call of `Set-VMNetworkAdapterVlan` with its mode; `None` for a trunk that lets nothing through, which the cmdlet refuses.
pub(crate) fn with_vlan(call: Call, vlan: &Vlan) -> Option<Call> {
    Some(match vlan {
        Vlan::Untagged => call.switch("Untagged"),
        Vlan::Access { id } => call.switch("Access").number("VlanId", *id),
        Vlan::Trunk { allowed, .. } if allowed.is_empty() => return None,
        Vlan::Trunk { native, allowed } => {
            let ids: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            call.switch("Trunk").number("NativeVlanId", *native).with("AllowedVlanIdList", Arg::text(ids.join(",")))
        }
    })
}

fn family(address: &str) -> &'static str {
    match address.split('/').next().unwrap_or(address).parse() {
        Ok(IpAddr::V6(_)) => "IPv6",
        _ => "IPv4",
    }
}

fn ip_calls(ip: &IpSettings, calls: &mut Vec<Call>) {
    let dhcp = if ip.dhcp { "Enabled" } else { "Disabled" };
    let interface = Call::new("Set-NetIPInterface").variable("InterfaceIndex", "index");
    calls.push(interface.word("AddressFamily", "IPv4").word("Dhcp", dhcp));
    let mut gateways = ip.gateways.as_slice();
    for address in if ip.dhcp { &[] } else { ip.addresses.as_slice() } {
        let (host, prefix) = address.split_once('/').unwrap_or((address, "32"));
        let call = Call::new("New-NetIPAddress").variable("InterfaceIndex", "index").text("IPAddress", host);
        let mut call = call.number("PrefixLength", prefix.parse::<u8>().unwrap_or(32));
        if let [gateway, rest @ ..] = gateways
            && family(gateway) == family(address)
        {
            call = call.text("DefaultGateway", gateway);
            gateways = rest;
        }
        calls.push(call);
    }
    for gateway in gateways {
        let all = if family(gateway) == "IPv6" { "::/0" } else { "0.0.0.0/0" };
        let call = Call::new("New-NetRoute").variable("InterfaceIndex", "index");
        calls.push(call.text("DestinationPrefix", all).text("NextHop", gateway));
    }
    if !ip.dns_servers.is_empty() {
        let call = Call::new("Set-DnsClientServerAddress").variable("InterfaceIndex", "index");
        calls.push(call.with("ServerAddresses", Arg::Texts(ip.dns_servers.clone())));
    }
    name_calls(ip, calls);
}

fn name_calls(ip: &IpSettings, calls: &mut Vec<Call>) {
    if !ip.dns_suffix.is_empty() || ip.register_in_dns.is_some() {
        let mut call = Call::new("Set-DnsClient").variable("InterfaceIndex", "index");
        if !ip.dns_suffix.is_empty() {
            call = call.text("ConnectionSpecificSuffix", &ip.dns_suffix);
        }
        if let Some(register) = ip.register_in_dns {
            call = call.boolean("RegisterThisConnectionsAddress", register);
        }
        calls.push(call);
    }
    if !ip.wins_servers.is_empty() || ip.netbios.is_some() {
        let mut call = Call::new("Set-KitNetbios").variable("InterfaceIndex", "index");
        if !ip.wins_servers.is_empty() {
            call = call.with("WinsServers", Arg::Texts(ip.wins_servers.clone()));
        }
        if let Some(mode) = ip.netbios {
            call = call.number("Mode", mode);
        }
        calls.push(call);
    }
}

fn binding_calls(bindings: &[String], calls: &mut Vec<Call>) {
    if bindings.is_empty() {
        return;
    }
    let bound = |name: &str| bindings.iter().any(|binding| binding.eq_ignore_ascii_case(name));
    let set = |component: &str, enabled: bool| {
        let call = Call::new("Set-KitBinding").variable("InterfaceIndex", "index");
        call.text("ComponentID", component).boolean("Enabled", enabled)
    };
    for (name, component) in COMPONENTS {
        calls.push(set(component, bound(name)));
    }
    for (_, component) in SERVICES.iter().filter(|(name, _)| bound(name)) {
        calls.push(set(component, true));
    }
}
