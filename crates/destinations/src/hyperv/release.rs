//! What the releases of Windows Server differ in, as far as a kit depends on it.
//!
//! Sources: the documentation of the cmdlets of each release; "Hyper-V scalability in Windows Server 2012 and Windows
//! Server 2012 R2" and its successors for the limits. Machines of generation 1 have the same limits in all of them.

use hvm_model::host::WindowsRelease;

/// A release that a kit can be written for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// The release.
    pub windows: WindowsRelease,
    /// Its word in `os=` of a URI and in a file of facts.
    pub word: &'static str,
    /// How `Win32_OperatingSystem.Version` of it begins.
    pub version: &'static str,
}

/// All of them, oldest first.
pub(crate) const RELEASES: [Release; 6] = [
    Release { windows: WindowsRelease::Server2012, word: "2012", version: "6.2." },
    Release { windows: WindowsRelease::Server2012R2, word: "2012R2", version: "6.3." },
    Release { windows: WindowsRelease::Server2016, word: "2016", version: "10.0.14393" },
    Release { windows: WindowsRelease::Server2019, word: "2019", version: "10.0.17763" },
    Release { windows: WindowsRelease::Server2022, word: "2022", version: "10.0.20348" },
    Release { windows: WindowsRelease::Server2025, word: "2025", version: "10.0.26100" },
];

impl Release {
    /// The release of a word: `2012`, `2012R2`, `2012 R2`, …
    pub fn of_word(word: &str) -> Option<&'static Release> {
        let plain: String = word.chars().filter(|character| !character.is_whitespace()).collect();
        RELEASES.iter().find(|release| release.word.eq_ignore_ascii_case(&plain))
    }

    /// All words, for messages.
    pub fn words() -> String {
        RELEASES.map(|release| release.word).join(", ")
    }

    /// Machines of generation 2: `New-VM -Generation` and `Set-VMFirmware` are there from 2012 R2 on.
    pub fn has_generation_2(&self) -> bool {
        self.windows >= WindowsRelease::Server2012R2
    }

    /// Machines of generation 2 can have a virtual TPM: `Enable-VMTPM` is there from 2016 on.
    pub fn has_virtual_tpm(&self) -> bool {
        self.windows >= WindowsRelease::Server2016
    }

    /// Secure Boot has templates, `Set-VMFirmware -SecureBootTemplateId`, from 2016 on; 2012 R2 knows only the keys of Windows.
    pub fn has_secure_boot_templates(&self) -> bool {
        self.windows >= WindowsRelease::Server2016
    }

    /// Guests can be hosts: `Set-VMProcessor -ExposeVirtualizationExtensions` is there from 2016 on.
    pub fn has_nested_virtualization(&self) -> bool {
        self.windows >= WindowsRelease::Server2016
    }

    /// Guest services, an integration service that is off until somebody wants it (2012 R2 and later).
    pub fn has_guest_services(&self) -> bool {
        self.windows >= WindowsRelease::Server2012R2
    }

    /// The class of WMI that holds what a serial port is connected to: `Msvm_SerialPortSettingData` is there from 2016 on.
    pub fn serial_port_class(&self) -> &'static str {
        match self.windows >= WindowsRelease::Server2016 {
            true => "Msvm_SerialPortSettingData",
            false => "Msvm_ResourceAllocationSettingData",
        }
    }

    /// Its own PowerShell is 5.1; 2012 has 3.0 and 2012 R2 has 4.0.
    pub fn has_powershell_5(&self) -> bool {
        self.windows >= WindowsRelease::Server2016
    }

    /// The authorization store decides who may do what; later releases know only the local group Hyper-V Administrators.
    pub fn honours_authorization_store(&self) -> bool {
        self.windows == WindowsRelease::Server2012
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_with_and_without_a_space() {
        let found = |word: &str| Release::of_word(word).map(|release| release.windows);
        assert_eq!(found("2012 r2"), Some(WindowsRelease::Server2012R2));
        assert_eq!(found("2025"), Some(WindowsRelease::Server2025));
        assert_eq!(found("2008"), None);
    }

    #[test]
    fn no_version_begins_like_another() {
        for (one, other) in RELEASES.iter().flat_map(|one| RELEASES.iter().map(move |other| (one, other))) {
            assert!(one == other || !one.version.starts_with(other.version));
        }
    }
}
