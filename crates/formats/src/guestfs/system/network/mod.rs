//! The network adapters of a guest, by what its own settings say.

#[cfg(test)]
mod cases;
mod glob;
mod ifcfg;
mod ini;
mod interfaces;
mod keyfile;
pub(super) mod linux;
mod netplan;
mod networkd;
mod shell;
pub(super) mod windows;
mod yaml;

pub use linux::adapters_of as linux_adapters;
use serde::Serialize;

/// More adapters than this are not read, nor more addresses of one: no machine has them.
const MOST: usize = 1024;

/// A network adapter as the settings of a guest know it, whether the machine still has it or not. What they do not say is
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GuestAdapter {
    /// Name of the connection or interface: `Local Area Connection`, `eth0`; of Linux also what settings match in place of
    /// one: `en*`, `Type=ether`.
    pub name: String,
    /// Id of the interface (Windows) or the connection (NetworkManager), without braces.
    pub id: String,
    /// The instance of its device, such as `VMBUS\{…}\5&…` (Windows only).
    pub device: String,
    /// The hardware address that the settings name: `00:15:5d:01:02:03`. Of Linux the one that they are bound to: `HWADDR` of
    /// ifcfg, `match` of netplan, `mac-address` of NetworkManager, `[Match]` of systemd. Windows names one only where somebody
    /// set it.
    pub mac: String,
    /// The hardware address that the settings give the adapter in place of its own, which tells nothing of which one it is
    /// (Linux only): `hwaddress` of interfaces(5), `macaddress` of netplan, `MACADDR` and `LLADDR` of ifcfg,
    /// `cloned-mac-address` of NetworkManager.
    pub set_mac: String,
    /// Whether the settings go by the name of an interface, its driver or its path, any of which other hardware may change
    /// (Linux only).
    pub by_name: bool,
    /// Whether the addresses come by DHCP, or another automatic way. Of Linux `Some(false)` as soon as the settings hold an
    /// address, of whatever family: it has to be carried, though another family may be automatic all the same; `Some(true)`
    /// where they only say automatic, `None` where they say nothing.
    pub dhcp: Option<bool>,
    /// Addresses with the length of their prefix, `192.0.2.10/24`; with DHCP the last that Windows was given.
    pub addresses: Vec<String>,
    /// Gateways of the default route.
    pub gateways: Vec<String>,
    /// Name servers.
    pub dns_servers: Vec<String>,
    /// The file or registry key that says so.
    pub place: String,
}

impl GuestAdapter {
    fn address(&mut self, address: &str, mask: &str) {
        let is_new = |address: &String| self.addresses.len() < MOST && !self.addresses.contains(address);
        if let Some(address) = with_prefix(address, mask).filter(is_new) {
            self.addresses.push(address);
        }
    }

    /// Makes an address that is set win over what is automatic.
    fn settle(&mut self) {
        if !self.addresses.is_empty() {
            self.dhcp = Some(false);
        }
    }
}

/// Of adapters, each with whether software makes it (a bond, a bridge, a VLAN, an alias): such a one has the name that the
/// settings give it, and goes by a name only where one of the others does, or none is known.
fn with_members(all: Vec<(GuestAdapter, bool)>) -> Vec<GuestAdapter> {
    let mut members = all.iter().filter(|(_, is_made)| !is_made).peekable();
    let are_by_name = members.peek().is_none() || members.any(|(member, _)| member.by_name);
    let settled = |(adapter, is_made): (GuestAdapter, bool)| GuestAdapter {
        by_name: if is_made { are_by_name } else { adapter.by_name },
        ..adapter
    };
    all.into_iter().map(settled).collect()
}

/// An address with the length of its prefix, which stands behind it, or in `mask`, as a mask or a number. `None` for an unset
/// address.
fn with_prefix(address: &str, mask: &str) -> Option<String> {
    let (address, mask) = (address.trim(), mask.trim());
    // A mask may stand behind the address, too.
    let (address, mask) = address.split_once('/').filter(|(_, mask)| mask.contains('.')).unwrap_or((address, mask));
    if matches!(address.split('/').next(), None | Some("" | "0.0.0.0" | "::")) {
        return None;
    }
    Some(match mask.parse().ok().filter(|bits| *bits <= 128).or_else(|| prefix_length(mask)) {
        Some(bits) if !address.contains('/') => format!("{address}/{bits}"),
        _ => address.to_owned(),
    })
}

/// Length of the prefix of a mask such as `255.255.255.0`; a mask with holes has none.
pub fn prefix_length(mask: &str) -> Option<u32> {
    let bits = u32::from(mask.trim().parse::<std::net::Ipv4Addr>().ok()?);
    (bits.leading_ones() + bits.trailing_zeros() == 32 || bits == u32::MAX).then_some(bits.leading_ones())
}

/// A hardware address in the one spelling; empty for what is none.
fn mac(text: &str) -> String {
    let digits: Vec<char> =
        text.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_lowercase()).collect();
    let plain = text.trim().chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '-' | '.'));
    if digits.len() != 12 || !plain {
        return String::new();
    }
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    pairs.join(":")
}

/// The addresses of a list that spaces, commas or semicolons part.
fn listed(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split([' ', ',', ';', '\t']).filter(|word| !word.is_empty() && *word != "0.0.0.0").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        for (mask, bits) in [("255.255.255.0", Some(24)), ("255.255.255.255", Some(32)), ("0.0.0.0", Some(0))] {
            assert_eq!(prefix_length(mask), bits, "{mask}");
        }
        assert_eq!((prefix_length("255.0.255.0"), prefix_length("banana")), (None, None));
        let all = [
            ("192.0.2.1", "255.255.254.0", Some("192.0.2.1/23")),
            ("192.0.2.1/24", "255.0.0.0", Some("192.0.2.1/24")),
            (" 2001:db8::1 ", "64", Some("2001:db8::1/64")),
            ("192.0.2.1", "", Some("192.0.2.1")),
            ("192.0.2.1", "999", Some("192.0.2.1")),
            ("192.0.2.1/255.255.255.0", "255.0.0.0", Some("192.0.2.1/24")),
            ("0.0.0.0", "0.0.0.0", None),
            ("::/64", "", None),
            ("", "24", None),
        ];
        for (address, mask, expected) in all {
            assert_eq!(with_prefix(address, mask).as_deref(), expected, "{address} {mask}");
        }
        for text in ["00155D010203", "00-15-5d-01-02-03", "00:15:5D:01:02:03", "0015.5d01.0203"] {
            assert_eq!(mac(text), "00:15:5d:01:02:03");
        }
        assert_eq!((mac("stable"), mac(""), mac("00155D0102")), (String::new(), String::new(), String::new()));
        assert_eq!(listed("192.0.2.1, 192.0.2.2;0.0.0.0 ::1").collect::<Vec<_>>(), ["192.0.2.1", "192.0.2.2", "::1"]);
    }
}
