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
