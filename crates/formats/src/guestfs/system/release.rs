//! What a Linux without `os-release` calls itself, by the files of older releases: `redhat-release` and its like, `SuSE-release`,
//! `lsb-release`, `debian_version`, `slackware-version`, `gentoo-release` and `alpine-release`.

use super::linux::{first_line, value};

/// A distribution and its release; what the files do not tell is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Release {
    /// As the system shows it.
    pub(super) name: String,
    /// As `VERSION_ID` of `os-release` would say it.
    pub(super) version: String,
    /// As `ID` of `os-release` would say it.
    pub(super) edition: String,
}

/// Reads a release out of the text of a file.
type Reader = fn(&str) -> Release;

/// What names of distributions begin with, and their `ID`.
const IDS: [(&str, &str); 10] = [
    ("red hat enterprise linux", "rhel"),
    ("centos", "centos"),
    ("oracle linux", "ol"),
    ("fedora", "fedora"),
    ("scientific linux", "scientific"),
    ("rocky linux", "rocky"),
    ("almalinux", "almalinux"),
    ("suse linux enterprise server", "sles"),
    ("suse linux enterprise desktop", "sled"),
    ("opensuse", "opensuse"),
];

/// The release by the first of the files that `read` gives and that names one.
pub(super) fn older(read: &mut dyn FnMut(&str) -> Option<String>) -> Option<Release> {
    // Oracle Linux has a redhat-release that names Red Hat.
    let readers: [(&str, Reader); 8] = [
        ("/etc/oracle-release", red_hat),
        ("/etc/redhat-release", red_hat),
        ("/etc/SuSE-release", suse),
        // Ubuntu has a debian_version that names the Debian it was made from.
        ("/etc/lsb-release", lsb),
        ("/etc/debian_version", debian),
        ("/etc/slackware-version", |text| last_word(text, "slackware")),
        ("/etc/gentoo-release", |text| last_word(text, "gentoo")),
        ("/etc/alpine-release", alpine),
    ];
    readers.into_iter().find_map(|(path, parse)| {
        let release = parse(&read(path)?);
        (!release.name.is_empty()).then_some(release)
    })
}

fn id(name: &str) -> String {
    let name = name.to_lowercase();
    IDS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, id)| (*id).to_owned()).unwrap_or_default()
}

fn number(text: &str) -> String {
    if text.starts_with(|first: char| first.is_ascii_digit()) { text.to_owned() } else { String::new() }
}

/// `CentOS release 6.10 (Final)`.
fn red_hat(text: &str) -> Release {
    let name = first_line(text);
    let version = name.split_whitespace().skip_while(|word| *word != "release").nth(1).map(number).unwrap_or_default();
    Release { version, edition: id(&name), name }
}

/// A line as that of [`red_hat`], then `VERSION = 11` and, of SUSE Linux Enterprise, `PATCHLEVEL = 4`.
fn suse(text: &str) -> Release {
    let name = first_line(text);
    let field = |key: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(left, _)| left.trim() == key).map(|(_, right)| number(right.trim())).next().unwrap_or_default()
    };
    let version = match (field("VERSION"), field("PATCHLEVEL").as_str()) {
        (version, "" | "0") => version,
        (version, level) => format!("{version}.{level}"),
    };
    Release { version, edition: id(&name), name }
}

/// `DISTRIB_ID`, `DISTRIB_RELEASE` and `DISTRIB_DESCRIPTION`; Red Hat's file of this name has none of them.
fn lsb(text: &str) -> Release {
    let value = |key| value(text, key).unwrap_or_default();
    let (distribution, version) = (value("DISTRIB_ID"), value("DISTRIB_RELEASE"));
    let name = match value("DISTRIB_DESCRIPTION") {
        name if name.is_empty() => format!("{distribution} {version}").trim().to_owned(),
        name => name,
    };
    Release { name, version, edition: distribution.to_lowercase() }
}

/// `6.0.10`, or `squeeze/sid` of one that is not released yet.
fn debian(text: &str) -> Release {
    let line = first_line(text);
    let name = if line.is_empty() { String::new() } else { format!("Debian {line}") };
    Release { name, version: number(&line), edition: String::new() }
}

/// `Slackware 13.37.0`, `Gentoo Base System release 2.7`.
fn last_word(text: &str, edition: &str) -> Release {
    let name = first_line(text);
    let version = name.split_whitespace().last().map(number).unwrap_or_default();
    Release { name, version, edition: edition.to_owned() }
}

/// The number alone.
fn alpine(text: &str) -> Release {
    let version = number(&first_line(text));
    let name = if version.is_empty() { String::new() } else { format!("Alpine Linux {version}") };
    Release { name, version, edition: "alpine".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Option<[String; 3]> {
        let mut read = |path: &str| files.iter().find(|(known, _)| *known == path).map(|(_, text)| (*text).to_owned());
        older(&mut read).map(|release| [release.name, release.version, release.edition])
    }

    #[test]
    fn releases_of_red_hat_and_suse_have_a_version_and_an_id() {
        let red_hat = [
            ("CentOS release 6.10 (Final)\n", "6.10", "centos"),
            ("Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n", "5.11", "rhel"),
            ("Scientific Linux release 6.9 (Carbon)", "6.9", "scientific"),
            ("Something release\n", "", ""),
        ];
        for (text, version, edition) in red_hat {
            assert_eq!(told(&[("/etc/redhat-release", text)]).unwrap(), [text.trim(), version, edition]);
        }
        let oracle = [
            ("/etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)"),
            ("/etc/oracle-release", "Oracle Linux Server release 6.10"),
        ];
        assert_eq!(told(&oracle).unwrap(), ["Oracle Linux Server release 6.10", "6.10", "ol"]);
        let suse = [
            ("SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n", "11.4", "sles"),
            ("SUSE LINUX Enterprise Server 9 (i586)\nVERSION = 9\nPATCHLEVEL = 0\n", "9", "sles"),
            ("openSUSE 12.3 (x86_64)\nVERSION = 12.3\nCODENAME = Dartmouth\n", "12.3", "opensuse"),
        ];
        for (text, version, edition) in suse {
            let name = text.lines().next().unwrap();
            assert_eq!(told(&[("/etc/SuSE-release", text)]).unwrap(), [name, version, edition]);
        }
    }

    #[test]
    fn debian_and_what_is_made_from_it() {
        let debian = |text| ("/etc/debian_version", text);
        let lsb = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_DESCRIPTION=\"Ubuntu 10.04.4 LTS\"\n";
        let ubuntu = [debian("squeeze/sid\n"), ("/etc/lsb-release", lsb)];
        assert_eq!(told(&ubuntu).unwrap(), ["Ubuntu 10.04.4 LTS", "10.04", "ubuntu"]);
        let short = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=6.06\n";
        assert_eq!(told(&[("/etc/lsb-release", short)]).unwrap()[0], "Ubuntu 6.06");
        let other = [debian("6.0.10\n"), ("/etc/lsb-release", "LSB_VERSION=core-4.0\n")];
        assert_eq!(told(&other).unwrap(), ["Debian 6.0.10", "6.0.10", ""]);
        assert_eq!((told(&[debian("\n")]), told(&[])), (None, None));
    }

    #[test]
    fn other_systems() {
        for (file, text, expected) in [
            ("/etc/slackware-version", "Slackware 13.37.0\n", ["Slackware 13.37.0", "13.37.0", "slackware"]),
            (
                "/etc/gentoo-release",
                "Gentoo Base System release 2.7\n",
                ["Gentoo Base System release 2.7", "2.7", "gentoo"],
            ),
            ("/etc/alpine-release", "2.4.11\n", ["Alpine Linux 2.4.11", "2.4.11", "alpine"]),
        ] {
            assert_eq!(told(&[(file, text)]).unwrap(), expected);
            assert_eq!(told(&[(file, "\n")]), None, "{file}");
        }
    }
}
