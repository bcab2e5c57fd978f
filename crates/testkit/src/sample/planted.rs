//! The list of what was planted on purpose: each entry must appear in a report, and nothing else may.

use super::{Variant, ids};

/// What kind of thing it is, in the guide's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlantedKind {
    /// The stand-alone product; subject: edition id.
    HyperVServerEdition,
    /// Source runs Windows Server 2012; subject: version.
    Source2012,
    /// Member of a cluster; subject: name of the cluster.
    Cluster,
    /// Another server role; subject: name of the service.
    SecondRole,
    /// Authorization store with a member beyond the default; subject: SID.
    StoreMember,
    /// MAC address range that was set; subject: first and last address.
    MacRange,
    /// External network that a person must connect again; subject: name of the network.
    ExternalNetwork,
    /// Adapter of the management operating system with settings; subject: name of the network.
    ManagementAdapter,
    /// VMQ values, host-wide or on an adapter; subject: value name or NetCfgInstanceId.
    VmqSetting,
    /// Default firewall rule turned off; subject: rule id.
    FirewallRuleDisabled,
    /// Default firewall rule with a restricted remote address; subject: rule id.
    FirewallRuleRestricted,
    /// Rule that an administrator made; subject: rule id.
    FirewallRuleByUser,
    /// DCOM launch restriction with another entry; subject: SID.
    LaunchRestriction,
    /// ISO file; subject: name of the machine.
    IsoFile,
    /// Floppy image; subject: name of the machine.
    FloppyFile,
    /// Pass-through disk; subject: name of the machine.
    PassThroughDisk,
    /// Saved state; subject: name of the machine.
    SavedState,
    /// More virtual processors than a destination with two logical ones has; subject: name of the machine.
    TooManyProcessors,
    /// More memory than the destination has; subject: name of the machine.
    TooMuchMemory,
    /// VLAN that only raw values of the switch port tell; subject: name of the machine.
    RawPortValues,
    /// Another owner than Administrator; subject: name of the machine.
    Owner,
    /// A VHD that is cut off; subject: Windows path.
    TruncatedVhd,
    /// A parent that is missing; subject: Windows path of the missing file.
    MissingParent,
    /// A hive that is cut off; subject: Windows path.
    HalfHive,
    /// Unknown nodes in a configuration; subject: name of the machine.
    UnknownXmlNode,
    /// Two configurations with one id; subject: the id.
    TwoMachinesOneId,
}

/// One planted thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Kind.
    pub kind: PlantedKind,
    /// What it concerns, see [`PlantedKind`].
    pub subject: String,
}

/// Everything that is planted in a variant; the malformed ones add theirs when they spoil the files.
pub(super) fn planted(variant: Variant) -> Vec<Planted> {
    use PlantedKind as Kind;
    if variant == Variant::Clean {
        return Vec::new();
    }
    let mut list = vec![
        (Kind::SecondRole, "DHCPServer"),
        (Kind::StoreMember, ids::STORE_MEMBER_SID),
        (Kind::MacRange, "00-15-5D-0A-00-00 00-15-5D-0A-00-FF"),
        (Kind::ExternalNetwork, ids::EXTERN_1.1),
        (Kind::ExternalNetwork, ids::EXTERN_2.1),
        (Kind::ManagementAdapter, ids::EXTERN_1.1),
        (Kind::ManagementAdapter, ids::INTERN.1),
        (Kind::VmqSetting, "TenGigVmqEnabled"),
        (Kind::VmqSetting, "BelowTenGigVmqEnabled"),
        (Kind::VmqSetting, ids::NIC_UPLINK_1),
        (Kind::VmqSetting, ids::NIC_UPLINK_2),
        (Kind::FirewallRuleDisabled, super::firewall::DISABLED_RULE),
        (Kind::FirewallRuleRestricted, super::firewall::RESTRICTED_RULE),
        (Kind::FirewallRuleByUser, ids::USER_RULE),
        (Kind::LaunchRestriction, ids::DCOM_GROUP_SID),
        (Kind::IsoFile, ids::MEDIA.1),
        (Kind::FloppyFile, ids::MEDIA.1),
        (Kind::PassThroughDisk, ids::MEDIA.1),
        (Kind::SavedState, ids::SAVED.1),
        (Kind::TooManyProcessors, ids::PROCESSORS.1),
        (Kind::TooMuchMemory, ids::MEMORY.1),
        (Kind::RawPortValues, ids::FILES.1),
        (Kind::Owner, ids::FILES.1),
    ];
    match variant {
        Variant::HyperVServer => list.push((Kind::HyperVServerEdition, "ServerHyper")),
        Variant::Source2012 => list.push((Kind::Source2012, "6.2")),
        Variant::Cluster => list.push((Kind::Cluster, super::registry::CLUSTER_NAME)),
        _ => {}
    }
    list.into_iter().map(|(kind, subject)| Planted { kind, subject: subject.to_owned() }).collect()
}
