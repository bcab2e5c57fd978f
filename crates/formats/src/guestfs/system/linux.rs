//! Linux, by `os-release` and the files beside it. Specification: freedesktop.org, `os-release(5)`.

use super::{GuestSystem, SystemKind, drivers, network};
use crate::guestfs::GuestFsError;
use crate::guestfs::ext::Ext;

/// These files have a few lines.
const MAX_FILE: u64 = 1 << 16;

/// The system of this volume; `None` when it has no `os-release`, nor an older file of its kind. Where none was found because
/// something could not be read, that is the error.
pub(super) fn find(volume: &Ext) -> Result<Option<GuestSystem>, GuestFsError> {
    let mut system = GuestSystem::new(SystemKind::Linux);
    let mut last = None;
    let mut read = |path: &str| match text(volume, path) {
        Ok(text) => text,
        Err(error) => {
            last = Some(error);
            None
        }
    };
    let release = read("/etc/os-release").or_else(|| read("/usr/lib/os-release"));
    if let Some(release) = release {
        let value = |key| value(&release, key).unwrap_or_default();
        system.name = match value("PRETTY_NAME") {
            name if name.is_empty() => value("NAME"),
            name => name,
        };
        system.version = value("VERSION_ID");
        system.edition = value("ID");
    } else {
        let old = ["/etc/redhat-release", "/etc/SuSE-release"].into_iter().find_map(&mut read);
        system.name = match old {
            Some(text) => first_line(&text),
            None => match read("/etc/debian_version") {
                Some(text) => format!("Debian {}", first_line(&text)),
                None => return last.map_or(Ok(None), Err),
            },
        };
    }
    system.host_name = read("/etc/hostname").map(|text| first_line(&text)).unwrap_or_default();
    system.time_zone = read("/etc/timezone").map(|text| first_line(&text)).unwrap_or_default();
    let locale = read("/etc/locale.conf").or_else(|| read("/etc/default/locale")).unwrap_or_default();
    system.language = value(&locale, "LANG").unwrap_or_default();
    system.root_device = read("/etc/fstab").map(|text| root_device(&text)).unwrap_or_default();
    system.remarks.extend(last.map(|error| error.to_string()));
    system.remarks.extend(volume.caution());
    system.drivers = drivers::of_linux(volume, &mut system.remarks);
    system.adapters = network::linux::adapters(volume, &mut system.remarks);
    Ok(Some(system))
}

pub(super) fn text(volume: &Ext, path: &str) -> Result<Option<String>, GuestFsError> {
    text_of(volume, path, MAX_FILE)
}

/// The text of a file of at most `limit` bytes.
pub(super) fn text_of(volume: &Ext, path: &str, limit: u64) -> Result<Option<String>, GuestFsError> {
    let bytes = volume.read_file(path, limit)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default().to_owned()
}

/// The device that fstab(5) mounts as root; empty when none is.
fn root_device(text: &str) -> String {
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let root = fields.into_iter().find(|fields| matches!(fields[..], [device, "/", ..] if !device.starts_with('#')));
    root.and_then(|fields| fields.first().map(|device| (*device).to_owned())).unwrap_or_default()
}

/// The value of `KEY=value`, with the quotes and back-slashes of a shell removed.
pub(super) fn value(text: &str, key: &str) -> Option<String> {
    let raw = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).next_back()?;
    let quoted = ['"', '\''].into_iter().find_map(|quote| raw.strip_prefix(quote)?.strip_suffix(quote));
    let mut value = String::new();
    let mut escaped = false;
    for character in quoted.unwrap_or(raw).chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            value.push(character);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{root_device, value};

    #[test]
    fn the_device_of_the_root_is_that_of_its_line() {
        let text = "# / was on /dev/sda1\n#/dev/sda1 / ext4\nproc /proc proc\nUUID=ab / ext4 errors=remount-ro 0 1\n/dev/sda2 /home\n";
        assert_eq!((root_device(text).as_str(), root_device("\nnone\n").as_str()), ("UUID=ab", ""));
    }

    #[test]
    fn values_lose_quotes_and_escapes() {
        let text = "NAME='one'\nPRETTY_NAME=\"a \\\"b\\\" \\$c\"\n# ID=no\nID=debian\n";
        assert_eq!(value(text, "NAME").unwrap(), "one");
        assert_eq!(value(text, "PRETTY_NAME").unwrap(), "a \"b\" $c");
        assert_eq!(value(text, "ID").unwrap(), "debian");
        assert_eq!(value(text, "VERSION_ID"), None);
    }
}
