//! Kind and uplink of virtual networks, concluded; what is ambiguous stays unknown and says why.

use std::collections::{HashMap, HashSet};

use hvm_model::found::{Found, Place};
use hvm_model::names::{AdapterId, SwitchId};
use hvm_model::network::SwitchKind;

use super::super::adapters::{Nic, Nics, Role};
use super::Read;

/// The conclusions.
pub(super) struct Concluded {
    kinds: HashMap<SwitchId, (Found<SwitchKind>, Found<AdapterId>)>,
    management: HashMap<AdapterId, Found<SwitchId>>,
}

impl Concluded {
    pub(super) fn kind(&self, id: &SwitchId) -> Found<SwitchKind> {
        self.kinds.get(id).map_or_else(|| Found::unknown("Nothing speaks of it."), |(kind, _)| kind.clone())
    }

    pub(super) fn uplink(&self, id: &SwitchId) -> Found<AdapterId> {
        self.kinds.get(id).map_or_else(|| Found::unknown("Nothing speaks of it."), |(_, uplink)| uplink.clone())
    }

    pub(super) fn switch_of(&self, id: &AdapterId) -> Found<SwitchId> {
        self.management.get(id).cloned().unwrap_or_else(|| Found::unknown("Nothing speaks of it."))
    }
}

struct Evidence<'a> {
    switches: &'a [Read],
    nics: &'a Nics,
    /// Switch of each management adapter.
    management: HashMap<AdapterId, Found<SwitchId>>,
    /// Bound adapters that no switch names.
    spare: Vec<&'a Nic>,
}

pub(super) fn conclude(switches: &[Read], nics: &Nics) -> Concluded {
    let of_role = |role: Role| nics.list.iter().filter(move |nic| nic.role == role);
    let linked: HashSet<&AdapterId> = switches.iter().flat_map(|read| &read.links).map(|link| &link.adapter).collect();
    let management = of_role(Role::Management).map(|nic| (nic.id.clone(), switch_of(nic, switches))).collect();
    let spare = of_role(Role::Physical).filter(|nic| nic.bound_to_switch && !linked.contains(&nic.id)).collect();
    let evidence = Evidence { switches, nics, management, spare };
    let kinds = switches.iter().map(|read| (read.id.clone(), evidence.judge(read))).collect();
    Concluded { kinds, management: evidence.management }
}

/// By a value that names the adapter, else by the connection's name.
fn switch_of(nic: &Nic, switches: &[Read]) -> Found<SwitchId> {
    let mut linked = switches.iter().filter_map(|read| {
        let link = read.links.iter().find(|link| link.adapter == nic.id)?;
        Some((read, link))
    });
    if let Some((read, link)) = linked.next() {
        return match linked.next() {
            None => Found::Inferred {
                value: read.id.clone(),
                reason: format!("{} names the adapter.", link.place.at),
                place: link.place.clone(),
            },
            Some((other, _)) => Found::unknown(format!(
                "Values of both '{}' and '{}' name the adapter '{}'.",
                read.name, other.name, nic.connection
            )),
        };
    }
    let mut named = switches.iter().filter(|read| read.name.to_lowercase() == nic.connection.to_lowercase());
    match (named.next(), named.next()) {
        (Some(read), None) => Found::Inferred {
            value: read.id.clone(),
            reason: format!(
                "The connection is called '{}' like the virtual network; Hyper-V Manager names it so, but it can be \
                 renamed.",
                nic.connection
            ),
            place: nic.place.clone(),
        },
        _ => Found::unknown(format!(
            "No value of a virtual network names the adapter '{}', and no network or more than one is called like it.",
            nic.connection
        )),
    }
}

impl Evidence<'_> {
    fn judge(&self, read: &Read) -> (Found<SwitchKind>, Found<AdapterId>) {
        let uplinks = self.uplinks(read);
        match uplinks.as_slice() {
            [(nic, place)] => {
                let bound = if nic.bound_to_switch { ", which is bound to the switch protocol (VMSP)" } else { "" };
                let reason = format!("{} names the adapter '{}'{bound}.", place.at, nic.connection);
                external(&nic.id, reason, (*place).clone())
            }
            [] => self.without_uplink(read),
            several => {
                let names: Vec<String> = several.iter().map(|(nic, _)| format!("'{}'", nic.connection)).collect();
                let reason = format!("Its values name several physical adapters: {}.", names.join(", "));
                let place = several.first().map(|(_, place)| (*place).clone()).unwrap_or_default();
                let kind = Found::Inferred { value: SwitchKind::External, reason: reason.clone(), place };
                (kind, Found::unknown(reason))
            }
        }
    }

    fn uplinks<'r>(&'r self, read: &'r Read) -> Vec<(&'r Nic, &'r Place)> {
        let mut uplinks: Vec<(&'r Nic, &'r Place)> = Vec::new();
        for link in &read.links {
            let nic = self.nics.list.iter().find(|nic| nic.id == link.adapter && nic.role == Role::Physical);
            if let Some(nic) = nic
                && !uplinks.iter().any(|(known, _)| known.id == nic.id)
            {
                uplinks.push((nic, &link.place));
            }
        }
        uplinks
    }

    fn without_uplink(&self, read: &Read) -> (Found<SwitchKind>, Found<AdapterId>) {
        let unknown = |reason: String| (Found::unknown(reason.clone()), Found::unknown(reason));
        if let Some(reason) = &self.nics.bindings_unknown {
            return unknown(format!("Which adapters are bound to virtual networks is not known: {reason}"));
        }
        let open = self.switches.iter().filter(|other| self.uplinks(other).is_empty()).count();
        match self.spare.as_slice() {
            [] => {}
            [nic] if open == 1 => {
                let reason = format!(
                    "'{}' is bound to the switch protocol (VMSP), and this is the only virtual network that it can belong \
                     to.",
                    nic.connection
                );
                return external(&nic.id, reason, nic.place.clone());
            }
            spare => {
                let names: Vec<String> = spare.iter().map(|nic| format!("'{}'", nic.connection)).collect();
                return unknown(format!(
                    "{} bound to the switch protocol (VMSP), and no value says which of {open} virtual networks it \
                     belongs to. On the host: Virtual Network Manager shows it.",
                    if names.len() == 1 {
                        format!("{} is", names.concat())
                    } else {
                        format!("{} are", names.join(", "))
                    }
                ));
            }
        }
        self.internal_or_private(read)
    }

    /// No adapter of the hardware can belong to it.
    fn internal_or_private(&self, read: &Read) -> (Found<SwitchKind>, Found<AdapterId>) {
        let none = || Found::unknown("It has no physical adapter.");
        let own = self.management.iter().find(|(_, switch)| switch.value() == Some(&read.id));
        if let Some((_, Found::Inferred { reason, place, .. })) = own {
            let reason = format!("Only an adapter of the management operating system belongs to it: {reason}");
            return (Found::Inferred { value: SwitchKind::Internal, reason, place: place.clone() }, none());
        }
        let homeless = self.management.values().filter(|switch| switch.value().is_none()).count();
        if homeless > 0 {
            let reason = format!(
                "{homeless} adapters of the management operating system belong to no known virtual network, so it may be \
                 internal or private."
            );
            return (Found::unknown(reason), none());
        }
        let reason =
            "No adapter of the hardware or of the management operating system belongs to it: all of them belong \
                      to other virtual networks."
                .to_owned();
        (Found::Inferred { value: SwitchKind::Private, reason, place: read.place.clone() }, none())
    }
}

fn external(id: &AdapterId, reason: String, place: Place) -> (Found<SwitchKind>, Found<AdapterId>) {
    let kind = Found::Inferred { value: SwitchKind::External, reason: reason.clone(), place: place.clone() };
    (kind, Found::Inferred { value: id.clone(), reason, place })
}
