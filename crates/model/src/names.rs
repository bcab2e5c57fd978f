//! Newtypes for the names and units of the field, so that a switch id is never taken for a machine id and a path of the
//! source never for a path of this computer.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text could not be read as the name or unit that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}.")]
pub struct NameError {
    /// The text as given.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

/// A GUID in capitals and without braces.
pub(crate) fn normal_guid(text: &str) -> Result<String, NameError> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let shape = [8usize, 4, 4, 4, 12];
    let mut parts = inner.split('-');
    let fits = shape.iter().all(|len| {
        parts.next().is_some_and(|part| part.len() == *len && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    if fits && parts.next().is_none() {
        Ok(inner.to_ascii_uppercase())
    } else {
        Err(NameError { text: text.to_owned(), expected: "a GUID such as D351C151-DAC7-4042-B434-B72D522C1E4A" })
    }
}

macro_rules! guid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The GUID in upper case without braces.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                normal_guid(text).map($name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

guid_name!(
    /// Id of a virtual machine: `properties/global_id`, equal to the name of its configuration file.
    VmId
);
guid_name!(
    /// Id of a checkpoint (snapshot): the name of its configuration file in `Snapshots`.
    CheckpointId
);
guid_name!(
    /// Id of a virtual switch (virtual network): `Msvm_VirtualSwitch.Name`.
    SwitchId
);
guid_name!(
    /// Id of a template of Secure Boot, the set of keys that it trusts (2016 and later): `SecureBootTemplateId`.
    TemplateId
);
guid_name!(
    /// Id of a network adapter of the host: `NetCfgInstanceId`.
    AdapterId
);

/// The upper case by which NTFS compares names: one UTF-16 unit to one unit, so that `ß` is not `SS`, and by the table `$UpCase` that
/// each volume holds. What `mkntfs` of ntfs-3g writes there, which is the table of Windows 7, is what Unicode says of single letters
/// whose small form is that letter again: `µ`, `ı`, `ſ` and `ς` stay as they are; of Greek with iota subscript it takes the form of a
/// title. Letters that Unicode has had since (Georgian, Cherokee and some of Latin Extended-D) the table leaves alone, and here they
/// are folded: two names that differ by nothing else are ambiguous then, and never taken for each other where one is spelt right.
pub fn upper_case(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_uppercase();
    }
    let iota = match u32::from(letter) {
        0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7 => 8,
        0x1FB3 | 0x1FC3 | 0x1FF3 => 9,
        _ => 0,
    };
    if iota > 0 {
        return char::from_u32(u32::from(letter) + iota).unwrap_or(letter);
    }
    let upper = single(letter.to_uppercase()).filter(|upper| u32::from(*upper) <= 0xFFFF);
    upper.filter(|upper| single(upper.to_lowercase()) == Some(letter)).unwrap_or(letter)
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// A name in [`upper_case`]: two names of a folder are one to Windows when this is the same.
pub fn folded(name: &str) -> String {
    name.chars().map(upper_case).collect()
}

/// A path as Windows writes it (`C:\Users\...`): compared without regard to case, never opened directly.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WindowsPath(String);

impl WindowsPath {
    /// Wraps a path; `\??\` and `\\?\` prefixes are removed, `/` becomes `\`.
    pub fn new(text: &str) -> Self {
        let text = text.replace('/', "\\");
        let text = text.strip_prefix(r"\??\").or_else(|| text.strip_prefix(r"\\?\")).unwrap_or(&text);
        WindowsPath(text.to_owned())
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The drive letter in upper case, for paths of the form `X:\...`.
    pub fn drive(&self) -> Option<char> {
        let mut chars = self.0.chars();
        match (chars.next(), chars.next()) {
            (Some(letter), Some(':')) if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// The parts after the drive letter (or all parts when there is none), without empty ones and `.`.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        let rest = if self.drive().is_some() { self.0.get(2..).unwrap_or("") } else { &self.0 };
        rest.split('\\').filter(|part| !part.is_empty() && *part != ".")
    }

    /// The last component, or the whole text when there is none.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('\\').find(|part| !part.is_empty()).unwrap_or(&self.0)
    }

    /// The file name without its last extension.
    pub fn file_stem(&self) -> &str {
        let name = self.file_name();
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
    }

    /// The folder that holds this path.
    pub fn parent(&self) -> Option<WindowsPath> {
        let trimmed = self.0.trim_end_matches('\\');
        let (folder, _) = trimmed.rsplit_once('\\')?;
        let folder = if folder.ends_with(':') { format!("{folder}\\") } else { folder.to_owned() };
        Some(WindowsPath(folder))
    }

    /// This path with `relative` appended; `..` and `.` are resolved, never above the drive.
    pub fn join(&self, relative: &str) -> WindowsPath {
        let other = WindowsPath::new(relative);
        if other.drive().is_some() {
            return other;
        }
        let mut parts: Vec<&str> = self.components().collect();
        if other.0.starts_with('\\') {
            parts.clear();
        }
        for part in other.components() {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        let head = self.drive().map(|letter| format!("{letter}:\\")).unwrap_or_default();
        WindowsPath(format!("{head}{}", parts.join("\\")))
    }

    /// The form in which two paths are compared: upper case, one separator.
    pub fn key(&self) -> String {
        let head = self.drive().map(|letter| format!("{letter}:")).unwrap_or_default();
        let parts: Vec<String> = self.components().map(folded).collect();
        format!("{head}\\{}", parts.join("\\"))
    }

    /// The characters of [`WindowsPath::key`] that tell two paths apart, in its order (an empty path first), without memory being taken.
    fn folded(&self) -> impl DoubleEndedIterator<Item = char> {
        self.drive()
            .into_iter()
            .chain(self.components().flat_map(move |part| std::iter::once('\\').chain(part.chars().map(upper_case))))
    }
}

impl PartialEq for WindowsPath {
    /// From the end, where the paths of one host differ: hosts have thousands of disks and each is looked for among all.
    /// Two bytes that differ decide when both are letters or digits of ASCII: no separator, `.` or other form of a letter.
    fn eq(&self, other: &Self) -> bool {
        let mut ends = self.0.bytes().rev().zip(other.0.bytes().rev());
        match ends.find(|(a, b)| !a.eq_ignore_ascii_case(b)) {
            Some((a, b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => false,
            _ => self.folded().rev().eq(other.folded().rev()),
        }
    }
}

impl Eq for WindowsPath {}

impl std::hash::Hash for WindowsPath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().for_each(|letter| letter.hash(state));
    }
}

impl PartialOrd for WindowsPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WindowsPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

impl fmt::Display for WindowsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Ethernet address, shown as `00-15-5D-01-07-DC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// All zeros: Hyper-V writes it for a dynamic address that was not yet assigned.
    pub const UNASSIGNED: MacAddress = MacAddress([0; 6]);

    /// Twelve hex digits without separators, as the cmdlets take it.
    pub fn plain(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// Lower case with colons, as libvirt takes it.
    pub fn colons(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        parts.join(":")
    }
}

impl FromStr for MacAddress {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError { text: text.to_owned(), expected: "a MAC address such as 00-15-5D-01-07-DC" };
        let digits: String = text.chars().filter(|c| !matches!(c, '-' | ':' | '.')).collect();
        if digits.len() != 12 || !digits.is_ascii() {
            return Err(error());
        }
        let mut bytes = [0u8; 6];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| error())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(MacAddress(bytes))
    }
}

impl TryFrom<String> for MacAddress {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> String {
        mac.to_string()
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&parts.join("-"))
    }
}

/// A number of bytes, shown with binary units (`1.5 GiB`), read from `512`, `4MiB`, `2GB` (all powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// One mebibyte.
    pub const MIB: u64 = 1 << 20;

    /// From a number of mebibytes, the unit of Hyper-V's memory settings; saturates.
    pub const fn from_mib(mib: u64) -> Self {
        ByteSize(mib.saturating_mul(Self::MIB))
    }
}

impl FromStr for ByteSize {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError { text: text.to_owned(), expected: "a size such as 512, 64MiB or 8GiB" };
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| error())?;
        let shift = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(error()),
        };
        number.checked_mul(1 << shift).map(ByteSize).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let unit = UNITS.get(unit).copied().unwrap_or("B");
        if value.fract() == 0.0 { write!(f, "{value:.0} {unit}") } else { write!(f, "{value:.1} {unit}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_paths_compare_as_their_keys_do() {
        let texts = [
            "C:",
            "c:\\",
            "C:\\A",
            "c:/a\\",
            "C:\\AB",
            "\\A",
            "A",
            "\\\\srv\\A",
            "D:\\.\\straße",
            "D:\\STRASSE",
            "D:\\ſ",
        ];
        for (a, b) in texts.iter().flat_map(|a| texts.map(|b| (WindowsPath::new(a), WindowsPath::new(b)))) {
            assert_eq!(a == b, a.key() == b.key(), "{a} and {b}");
            assert_eq!(a.cmp(&b), a.key().cmp(&b.key()), "{a} and {b}");
        }
    }

    #[test]
    fn names_are_one_as_ntfs_has_it() {
        let same = |one: &str, other: &str| {
            let [a, b] = [one, other].map(|name| WindowsPath::new(&format!(r"D:\{name}.vhd")));
            assert_eq!(a == b, folded(one) == folded(other), "{one} and {other}");
            a == b
        };
        let pairs = [("Ärger", "äRGER"), ("ÿ", "Ÿ"), ("ǆ", "Ǆ"), ("ж", "Ж"), ("σ", "Σ"), ("ᾳ", "ᾼ"), ("ᾀ", "ᾈ")];
        for (one, other) in pairs {
            assert!(same(one, other), "{one} and {other}");
        }
        let pairs = [
            ("Straße", "Strasse"),
            ("ŉ", "ʼN"),
            ("ı", "I"),
            ("ſ", "S"),
            ("µ", "Μ"),
            ("ς", "Σ"),
            ("ǅ", "Ǆ"),
            ("ﬁ", "FI"),
            ("𐐨", "𐐀"),
        ];
        for (one, other) in pairs {
            assert!(!same(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn windows_paths_compare_without_case_and_separator() {
        let path = WindowsPath::new(r"\??\d:/VMs\Ä.vhd");
        assert_eq!(path, WindowsPath::new(r"D:\vms\\ä.VHD"));
        assert_eq!(path.drive(), Some('D'));
        assert_eq!(path.file_name(), "Ä.vhd");
        assert_eq!(path.file_stem(), "Ä");
        assert_eq!(path.parent(), Some(WindowsPath::new(r"D:\VMs")));
    }

    #[test]
    fn join_resolves_dots_and_stays_on_the_drive() {
        let folder = WindowsPath::new(r"C:\a\b");
        assert_eq!(folder.join(r"..\..\..\x.vhd").as_str(), r"C:\x.vhd");
        assert_eq!(folder.join(r".\y.vhd").as_str(), r"C:\a\b\y.vhd");
        assert_eq!(folder.join(r"\top.vhd").as_str(), r"C:\top.vhd");
        assert_eq!(folder.join(r"E:\z").as_str(), r"E:\z");
    }

    #[test]
    fn guids_are_normalised_and_checked() {
        let id: VmId = "{d351c151-dac7-4042-b434-b72d522c1e4a}".parse().unwrap();
        assert_eq!(id.as_str(), "D351C151-DAC7-4042-B434-B72D522C1E4A");
        assert!("d351c151dac74042b434b72d522c1e4a".parse::<VmId>().is_err());
        assert!("d351c151-dac7-4042-b434-b72d522c1e4ä".parse::<VmId>().is_err());
    }

    #[test]
    fn mac_addresses_and_sizes_read_their_usual_spellings() {
        let mac: MacAddress = "00:15:5d:01:07:dc".parse().unwrap();
        assert_eq!((mac.to_string().as_str(), mac.plain().as_str()), ("00-15-5D-01-07-DC", "00155D0107DC"));
        assert!("00155D0107D".parse::<MacAddress>().is_err());
        assert_eq!("8GiB".parse::<ByteSize>().unwrap(), ByteSize(8 << 30));
        assert_eq!(ByteSize(1536).to_string(), "1.5 KiB");
        assert!("99999999999999TiB".parse::<ByteSize>().is_err());
        assert!("8 Äpfel".parse::<ByteSize>().is_err());
    }
}
