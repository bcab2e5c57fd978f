//! The releases of Windows Server that the model knows.

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Windows Server 2012, 6.2.
    Server2012,
    /// Windows Server 2012 R2, 6.3.
    Server2012R2,
    /// Windows Server 2016.
    Server2016,
    /// Windows Server 2019.
    Server2019,
    /// Windows Server 2022.
    Server2022,
    /// Windows Server 2025.
    Server2025,
}

impl Release {
    /// All of them, the oldest first.
    pub const ALL: [Release; 6] = [
        Release::Server2012,
        Release::Server2012R2,
        Release::Server2016,
        Release::Server2019,
        Release::Server2022,
        Release::Server2025,
    ];

    /// Short name, as `2012R2`.
    pub fn name(self) -> &'static str {
        match self {
            Release::Server2012 => "2012",
            Release::Server2012R2 => "2012R2",
            Release::Server2016 => "2016",
            Release::Server2019 => "2019",
            Release::Server2022 => "2022",
            Release::Server2025 => "2025",
        }
    }

    /// The release with a short name.
    pub fn of(name: &str) -> Option<Release> {
        Release::ALL.into_iter().find(|release| release.name().eq_ignore_ascii_case(name))
    }

    /// Whether it imports a configuration of this version, which is major * 256 + minor: the table of "Upgrade virtual machine
    /// version in Hyper-V", and for 2012 and 2012 R2 what they write themselves; 2012 R2 takes that of 2012 too.
    pub fn imports(self, version: i64) -> bool {
        match self {
            Release::Server2012 => version == 0x400,
            Release::Server2012R2 => version == 0x400 || version == 0x500,
            Release::Server2016 => [0x500, 0x602, 0x700, 0x701, 0x800].contains(&version),
            Release::Server2019 => [0x500, 0x602, 0x700, 0x701, 0x800, 0x801, 0x802, 0x803, 0x900].contains(&version),
            Release::Server2022 => [0x800, 0x801, 0x802, 0x803, 0x900, 0x901, 0x902, 0x903, 0xA00].contains(&version),
            Release::Server2025 => {
                [0x800, 0x801, 0x802, 0x803, 0x900, 0x901, 0x902, 0x903, 0xA00, 0xB00, 0xC00].contains(&version)
            }
        }
    }

    /// `Version` of `Win32_OperatingSystem`.
    pub fn version(self) -> &'static str {
        match self {
            Release::Server2012 => "6.2.9200",
            Release::Server2012R2 => "6.3.9600",
            Release::Server2016 => "10.0.14393",
            Release::Server2019 => "10.0.17763",
            Release::Server2022 => "10.0.20348",
            Release::Server2025 => "10.0.26100",
        }
    }
}
