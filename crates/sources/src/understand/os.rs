//! Identity of the host and its operating system.

use hvm_model::found::Found;
use hvm_model::host::{Edition, Installation, OperatingSystem, WindowsRelease};

use super::Reading;
use super::registry::Looked;

const CURRENT_VERSION: &str = r"Microsoft\Windows NT\CurrentVersion";
const PRODUCT_OPTIONS: &str = r"Control\ProductOptions";
const ENVIRONMENT: &str = r"Control\Session Manager\Environment";
const TCPIP: &str = r"Services\Tcpip\Parameters";

pub(super) fn computer_name(reading: &Reading<'_>) -> Found<String> {
    reading.system.text(r"Control\ComputerName\ComputerName", "ComputerName").found()
}

pub(super) fn domain(reading: &Reading<'_>) -> Found<String> {
    match reading.system.text(TCPIP, "Domain") {
        Looked::Here(domain, place) if !domain.is_empty() => Found::Read { value: domain, place },
        first => match reading.system.text(TCPIP, "NV Domain") {
            Looked::Here(domain, place) => Found::Read { value: domain, place },
            _ => first.or_default(String::new(), "a computer without a DNS domain belongs to a workgroup."),
        },
    }
}

pub(super) fn logical_processors(reading: &Reading<'_>) -> Found<u32> {
    match reading.system.text(ENVIRONMENT, "NUMBER_OF_PROCESSORS") {
        Looked::Here(text, place) => match text.trim().parse() {
            Ok(value) => Found::Read { value, place },
            Err(_) => Found::unknown(format!("{place} is '{text}', a number was expected.")),
        },
        other => other.map(|_| 0).found(),
    }
}

pub(super) fn processor(reading: &Reading<'_>) -> Found<String> {
    reading.system.text(ENVIRONMENT, "PROCESSOR_IDENTIFIER").found()
}

pub(super) fn read(reading: &Reading<'_>) -> OperatingSystem {
    let version = version_of(reading);
    let build = build(reading);
    let edition_id = reading.software.text(CURRENT_VERSION, "EditionID");
    OperatingSystem {
        product_name: reading.software.text(CURRENT_VERSION, "ProductName").found(),
        service_pack: service_pack(reading),
        release: release(reading, &version, &build),
        installation: installation(reading, &version, &edition_id),
        edition: edition_id.map(|id| edition(&id)).found(),
        architecture: reading.system.text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE").found(),
        ui_language: reading.system.text(r"Control\Nls\Language", "InstallLanguage").found(),
        version,
        build,
    }
}

/// `CurrentVersion` stays `6.3` from 2016 on; then two numbers beside it count.
pub(super) fn version_of(reading: &Reading<'_>) -> Found<String> {
    if let Looked::Here(major, place) = reading.software.dword(CURRENT_VERSION, "CurrentMajorVersionNumber") {
        let minor = reading.software.dword(CURRENT_VERSION, "CurrentMinorVersionNumber").into_value().unwrap_or(0);
        return Found::Read { value: format!("{major}.{minor}"), place };
    }
    reading.software.text(CURRENT_VERSION, "CurrentVersion").found()
}

fn build(reading: &Reading<'_>) -> Found<u32> {
    let text = match reading.software.text(CURRENT_VERSION, "CurrentBuildNumber") {
        Looked::Absent(_) => reading.software.text(CURRENT_VERSION, "CurrentBuild"),
        other => other,
    };
    match text {
        Looked::Here(text, place) => match text.trim().parse() {
            Ok(value) => Found::Read { value, place },
            Err(_) => Found::unknown(format!("{place} is '{text}', a number was expected.")),
        },
        other => other.map(|_| 0).found(),
    }
}

fn service_pack(reading: &Reading<'_>) -> Found<u32> {
    match reading.software.text(CURRENT_VERSION, "CSDVersion") {
        Looked::Here(text, place) => match text.rsplit(' ').next().and_then(|number| number.parse().ok()) {
            Some(value) => Found::Read { value, place },
            None if text.is_empty() => Found::Read { value: 0, place },
            None => Found::unknown(format!("{place} is '{text}', a text such as 'Service Pack 1' was expected.")),
        },
        other => other.map(|_| 0).or_default(0, "it is written when a service pack is installed."),
    }
}

fn release(reading: &Reading<'_>, version: &Found<String>, build: &Found<u32>) -> Found<WindowsRelease> {
    let product = reading.system.text(PRODUCT_OPTIONS, "ProductType");
    let (Found::Read { value: version, .. }, Found::Read { value: build, place }) = (version, build) else {
        return Found::unknown("The release follows from version and build number, and one of them could not be read.");
    };
    let product = match product {
        Looked::Here(product, _) => product,
        other => {
            let reason = match other.found() {
                Found::Unknown { reason } => reason,
                _ => String::new(),
            };
            return Found::unknown(format!("Whether this is a server is not known. {reason}"));
        }
    };
    let value = if product.eq_ignore_ascii_case("WinNT") { WindowsRelease::Other } else { server(version, *build) };
    Found::Read { value, place: place.clone() }
}

fn server(version: &str, build: u32) -> WindowsRelease {
    match (version, build) {
        ("6.0", _) => WindowsRelease::Server2008,
        ("6.1", _) => WindowsRelease::Server2008R2,
        ("6.2", _) => WindowsRelease::Server2012,
        ("6.3", _) => WindowsRelease::Server2012R2,
        (_, 14393) => WindowsRelease::Server2016,
        (_, 17763) => WindowsRelease::Server2019,
        (_, 20348) => WindowsRelease::Server2022,
        (_, 26100) => WindowsRelease::Server2025,
        _ => WindowsRelease::Other,
    }
}

fn edition(id: &str) -> Edition {
    match id.strip_suffix("Core").unwrap_or(id) {
        "ServerStandard" => Edition::Standard,
        "ServerEnterprise" => Edition::Enterprise,
        "ServerDatacenter" => Edition::Datacenter,
        "ServerHyper" => Edition::HyperVServer,
        _ => Edition::Other(id.to_owned()),
    }
}

fn installation(reading: &Reading<'_>, version: &Found<String>, edition: &Looked<String>) -> Found<Installation> {
    match reading.software.text(CURRENT_VERSION, "InstallationType") {
        Looked::Here(text, place) => match text.as_str() {
            "Server" => Found::Read { value: Installation::Full, place },
            "Server Core" => Found::Read { value: Installation::Core, place },
            "Client" => Found::Read { value: Installation::Client, place },
            _ => Found::unknown(format!("{place} is '{text}'; 'Server', 'Server Core' or 'Client' was expected.")),
        },
        Looked::Absent(_) if version.value().is_some_and(|version| version == "6.0") => core_of_2008(reading, edition),
        other => other.map(|_| Installation::Full).found(),
    }
}

/// 2008 does not write the installation option: the edition may end in `Core`, and Server Core has no Explorer.
fn core_of_2008(reading: &Reading<'_>, edition: &Looked<String>) -> Found<Installation> {
    if let Looked::Here(id, place) = edition
        && id.ends_with("Core")
    {
        let reason = format!("The edition is '{id}'.");
        return Found::Inferred { value: Installation::Core, reason, place: place.clone() };
    }
    let explorer = reading.variables.system_root().join("explorer.exe");
    let place = hvm_model::found::Place::new(explorer.as_str(), "");
    let (value, word) = if reading.tree.exists(&explorer) {
        (Installation::Full, "exists")
    } else {
        (Installation::Core, "is missing")
    };
    Found::Inferred { value, reason: format!("'{explorer}' {word}; Server Core has no Explorer."), place }
}
