//! Linux, by `os-release` and the files beside it. Specification: freedesktop.org, `os-release(5)`.

use super::{GuestSystem, SystemKind, drivers, network, release};
use crate::guestfs::GuestFsError;
use crate::guestfs::ext::Ext;

/// These files have a few lines.
const MAX_FILE: u64 = 1 << 16;

/// Files that tell the host name in their first line.
const HOST_NAMES: [&str; 2] = ["/etc/hostname", "/etc/HOSTNAME"];
/// Files and keys that tell the language; the later ones are of older Red Hat and SUSE.
const LANGUAGES: [(&str, &str); 4] = [
    ("/etc/locale.conf", "LANG"),
    ("/etc/default/locale", "LANG"),
    ("/etc/sysconfig/i18n", "LANG"),
    ("/etc/sysconfig/language", "RC_LANG"),
];
/// The same for the time zone.
const ZONES: [(&str, &str); 2] = [("/etc/sysconfig/clock", "ZONE"), ("/etc/sysconfig/clock", "TIMEZONE")];

/// The files of a volume, and why the first of them that could not be read could not.
struct Files<'v> {
    volume: &'v Ext,
    first_error: Option<GuestFsError>,
}

impl Files<'_> {
    fn kept(&mut self, found: Result<Option<String>, GuestFsError>) -> Option<String> {
        found.unwrap_or_else(|error| {
            self.first_error.get_or_insert(error);
            None
        })
    }

    fn read(&mut self, path: &str) -> Option<String> {
        let found = text(self.volume, path);
        self.kept(found)
    }

    /// Where a link leads.
    fn link(&mut self, path: &str) -> Option<String> {
        let found = self.volume.read_link(path);
        self.kept(found)
    }

    /// The first line of a file; `None` when it has none.
    fn line(&mut self, path: &str) -> Option<String> {
        self.read(path).map(|text| first_line(&text)).filter(|line| !line.is_empty())
    }

    /// The first of these keys that is set in its file.
    fn setting(&mut self, places: &[(&str, &str)]) -> Option<String> {
        let mut set = |(path, key): &(&str, &str)| value(&self.read(path)?, key).filter(|value| !value.is_empty());
        places.iter().find_map(&mut set)
    }
}

/// The system of this volume; `None` when it has no `os-release`, nor an older file of its kind, and is no root either. Where none
/// was found because something could not be read, that is the error.
pub(super) fn find(volume: &Ext) -> Result<Option<GuestSystem>, GuestFsError> {
    let mut system = GuestSystem::new(SystemKind::Linux);
    let mut files = Files { volume, first_error: None };
    let fstab = files.read("/etc/fstab").unwrap_or_default();
    system.root_device = mounted(&fstab, "/").unwrap_or_default();
    if !name(&mut files, &fstab, &mut system) {
        return files.first_error.map_or(Ok(None), Err);
    }
    let host_name = HOST_NAMES.iter().find_map(|path| files.line(path));
    let host_name = host_name.or_else(|| files.setting(&[("/etc/sysconfig/network", "HOSTNAME")]));
    system.host_name = host_name.unwrap_or_default();
    let zone = files.line("/etc/timezone").or_else(|| zone_of(&files.link("/etc/localtime")?));
    system.time_zone = zone.or_else(|| files.setting(&ZONES)).unwrap_or_default();
    system.language = files.setting(&LANGUAGES).unwrap_or_default();
    system.remarks.extend(files.first_error.map(|error| error.to_string()));
    system.remarks.extend(volume.caution());
    system.drivers = drivers::of_linux(volume, &mut system.remarks);
    system.adapters = network::linux::adapters(volume, &mut system.remarks);
    Ok(Some(system))
}

/// Finds what the system calls itself; false when the volume does not look like the root of one.
fn name(files: &mut Files<'_>, fstab: &str, system: &mut GuestSystem) -> bool {
    if let Some(release) = files.read("/etc/os-release").or_else(|| files.read("/usr/lib/os-release")) {
        let value = |key| value(&release, key).unwrap_or_default();
        system.name = match value("PRETTY_NAME") {
            name if name.is_empty() => value("NAME"),
            name => name,
        };
        (system.version, system.edition) = (value("VERSION_ID"), value("ID"));
        return true;
    }
    let link = files.link("/etc/os-release");
    let older = release::older(&mut |path| files.read(path));
    let is_known = older.is_some();
    if let Some(older) = older {
        (system.name, system.version, system.edition) = (older.name, older.version, older.edition);
    } else if link.is_some() || !system.root_device.is_empty() {
        system.name = "Linux".to_owned();
    } else {
        return false;
    }
    let elsewhere = "/usr is a volume of its own, and what lies there was not read.";
    match link {
        // What could not be read is said instead.
        _ if files.first_error.is_some() => {}
        Some(target) if target.contains("usr/") => system
            .remarks
            .push(format!("The link /etc/os-release leads to '{target}', which is not on this volume: {elsewhere}")),
        _ if !is_known && mounted(fstab, "/usr").is_some() => {
            system.remarks.push(format!("No file names the system. By /etc/fstab {elsewhere}"));
        }
        _ if !is_known => system.remarks.push("No file names the system; it has /etc/fstab.".to_owned()),
        _ => {}
    }
    true
}

/// The time zone that /etc/localtime leads to; `None` when that is elsewhere.
fn zone_of(target: &str) -> Option<String> {
    target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()).filter(|zone| !zone.is_empty())
}

pub(super) fn text(volume: &Ext, path: &str) -> Result<Option<String>, GuestFsError> {
    text_of(volume, path, MAX_FILE)
}

/// The text of a file of at most `limit` bytes.
pub(super) fn text_of(volume: &Ext, path: &str, limit: u64) -> Result<Option<String>, GuestFsError> {
    let bytes = volume.read_file(path, limit)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The first line that is neither empty nor a comment.
pub(super) fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default().to_owned()
}

/// The device that fstab(5) mounts at `place`; `None` when none is.
fn mounted(text: &str, place: &str) -> Option<String> {
    let fields = |line: &str| {
        let mut fields = line.split_whitespace();
        let device = fields.next().filter(|device| !device.starts_with('#'))?;
        (fields.next()? == place).then(|| device.to_owned())
    };
    text.lines().find_map(fields)
}

/// The value of `KEY=value` as a shell reads it: without quotes, back-slashes and what follows as a comment. Blanks without
/// quotes, which would end it there, are kept.
pub(super) fn value(text: &str, key: &str) -> Option<String> {
    let raw = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).next_back()?;
    Some(unquoted(raw).unwrap_or_else(|| raw.to_owned()))
}

/// `None` when a quote has no end.
fn unquoted(raw: &str) -> Option<String> {
    let (mut value, mut quote) = (String::new(), None);
    // Length of the value up to the last character that is no blank outside of quotes.
    let mut end = 0;
    let mut is_between = false;
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        let is_blank = quote.is_none() && character.is_whitespace();
        match (character, quote) {
            ('#', None) if is_between => break,
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(begun)) if character == begun => quote = None,
            ('\\', None) => value.extend(characters.next()),
            ('\\', Some('"')) => value.push(characters.next_if(|next| "$`\"\\".contains(*next)).unwrap_or('\\')),
            _ => value.push(character),
        }
        is_between = is_blank;
        if !is_blank {
            end = value.len();
        }
    }
    value.truncate(end);
    quote.is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{mounted, value, zone_of};

    #[test]
    fn the_device_of_the_root_is_that_of_its_line() {
        let text = "# / was on /dev/sda1\n#/dev/sda1 / ext4\nproc /proc proc\nUUID=ab / ext4 errors=remount-ro 0 1\n/dev/sda2 /home\n";
        assert_eq!((mounted(text, "/").as_deref(), mounted("\nnone\n", "/")), (Some("UUID=ab"), None));
        assert_eq!((mounted(text, "/home").as_deref(), mounted(text, "/usr")), (Some("/dev/sda2"), None));
    }

    #[test]
    fn values_lose_quotes_and_escapes() {
        let text = "NAME='one'\nPRETTY_NAME=\"a \\\"b\\\" \\$c\"\n# ID=no\nID=debian\n";
        assert_eq!(value(text, "NAME").unwrap(), "one");
        assert_eq!(value(text, "PRETTY_NAME").unwrap(), "a \"b\" $c");
        assert_eq!(value(text, "ID").unwrap(), "debian");
        assert_eq!(value(text, "VERSION_ID"), None);
    }

    #[test]
    fn values_end_before_a_comment() {
        let all = [
            (r#""My Linux 1" # x"#, "My Linux 1"),
            (r#""My Linux # 1""#, "My Linux # 1"),
            ("arch # rolling", "arch"),
            ("a#b", "a#b"),
            ("#1", "#1"),
            (" # nothing", ""),
            (r"My\ Linux\#1   ", "My Linux#1"),
            ("My Linux", "My Linux"),
            (r#"'a\b'"c\d"' '"#, r"a\bc\d "),
            ("\"without an end # x", "\"without an end # x"),
            ("it's", "it's"),
            ("\\", ""),
            ("", ""),
        ];
        for (raw, expected) in all {
            assert_eq!(value(&format!("KEY={raw}\n"), "KEY").unwrap(), expected, "{raw}");
        }
    }

    #[test]
    fn a_time_zone_is_the_end_of_a_path() {
        assert_eq!(zone_of("../usr/share/zoneinfo/Europe/Berlin").as_deref(), Some("Europe/Berlin"));
        assert_eq!((zone_of("/etc/zone"), zone_of("/usr/share/zoneinfo/")), (None, None));
    }
}
