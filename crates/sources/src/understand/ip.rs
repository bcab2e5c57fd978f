//! IPv4 settings of an adapter, as TCP/IP and NetBT keep them.

use hvm_formats::guestfs::prefix_length;
use hvm_model::names::AdapterId;
use hvm_model::network::IpSettings;

use super::Reading;

const INTERFACES: &str = r"Services\Tcpip\Parameters\Interfaces";
const NETBT: &str = r"Services\NetBT\Parameters\Interfaces";
const ROUTES: &str = r"Services\Tcpip\Parameters\PersistentRoutes";
/// What an unset address is written as.
const NO_ADDRESS: &str = "0.0.0.0";

pub(super) fn settings(reading: &Reading<'_>, id: &AdapterId) -> IpSettings {
    let Some(key) = reading.system.existing(&format!("{INTERFACES}\\{{{id}}}")) else { return IpSettings::default() };
    let multi = |name: &str| -> Vec<String> {
        let texts = key.multi(name).into_value().unwrap_or_default();
        texts.into_iter().filter(|text| !text.is_empty() && text != NO_ADDRESS).collect()
    };
    let masks = key.multi("SubnetMask").into_value().unwrap_or_default();
    let addresses = multi("IPAddress");
    let with_prefix = |(index, address): (usize, &String)| match masks.get(index).and_then(|mask| prefix_length(mask)) {
        Some(bits) => format!("{address}/{bits}"),
        None => address.clone(),
    };
    let netbt = reading.system.existing(&format!("{NETBT}\\Tcpip_{{{id}}}"));
    let wins = netbt.as_ref().and_then(|key| key.multi("NameServerList").into_value()).unwrap_or_default();
    let dhcp = key.dword("EnableDHCP").into_value().is_some_and(|value| value != 0);
    IpSettings {
        dhcp,
        // With DHCP on, addresses written earlier by hand may still stand there.
        addresses: if dhcp { Vec::new() } else { addresses.iter().enumerate().map(with_prefix).collect() },
        gateways: if dhcp { Vec::new() } else { multi("DefaultGateway") },
        dns_servers: servers(&key.text("NameServer").into_value().unwrap_or_default()),
        dns_suffix: key.text("Domain").into_value().unwrap_or_default(),
        wins_servers: wins.into_iter().filter(|server| !server.is_empty()).collect(),
        netbios: netbt.and_then(|key| key.dword("NetbiosOptions").into_value()),
        register_in_dns: key.dword("RegistrationEnabled").into_value().map(|value| value != 0),
        place: key.place(),
    }
}

pub(super) fn persistent_routes(reading: &Reading<'_>) -> Vec<String> {
    let values = reading.system.existing(ROUTES).map(|key| key.values()).unwrap_or_default();
    let mut routes: Vec<String> = values.iter().map(|value| value.name().to_owned()).collect();
    routes.retain(|route| !route.is_empty());
    routes.sort();
    routes
}

fn servers(text: &str) -> Vec<String> {
    text.split([',', ' ']).map(str::trim).filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_stand_behind_spaces_or_commas() {
        assert_eq!(servers("192.0.2.1,192.0.2.2 192.0.2.3"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    }
}
