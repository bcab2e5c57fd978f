//! What the text of a symbolic link means. Hyper-V's links hold Windows paths; a mount shows them in its own spelling, ntfs-3g as
//! `…/.NTFS-3G/D:/…`, unless their reparse points can be read; a copy may hold links of this computer, which count only inside the
//! mapped folders.

use hvm_formats::guestfs::ntfs::ReparseKind;
use hvm_model::names::WindowsPath;

/// Begin of a path on a volume that is named by its GUID, behind what [`WindowsPath`] takes off.
const VOLUME: &str = "Volume{";
/// Begin of a path on another server, behind what [`WindowsPath`] takes off.
const SERVER: &str = r"UNC\";

/// Name under which ntfs-3g shows drives that it cannot resolve itself.
const NTFS_3G: &str = ".NTFS-3G/";

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// An absolute path of the source.
    Absolute(WindowsPath),
    /// A path on a volume that is named by its GUID, which is in small letters.
    Volume(String, Vec<String>),
    /// A path on another server, with `\\` before it.
    Server(String),
    /// A path of the source, relative to the folder of the link (or to its drive when it starts with `\`).
    Relative(String),
    /// A path of this computer, absolute or relative to the folder of the link.
    Local(String),
}

pub(super) fn read(text: &str) -> Target {
    if let Some((_, rest)) = text.split_once(NTFS_3G) {
        return Target::Absolute(WindowsPath::new(rest));
    }
    let path = WindowsPath::new(text);
    if path.drive().is_some() {
        Target::Absolute(path)
    } else if let Some((guid, below)) = on_volume(&path) {
        Target::Volume(guid, WindowsPath::new(&below).components().map(str::to_owned).collect())
    } else if let Some(server) = server(&path) {
        Target::Server(server)
    } else if text.contains('\\') {
        Target::Relative(text.to_owned())
    } else {
        Target::Local(text.to_owned())
    }
}

/// The text of a link out of its reparse point: a relative target without a `\` would look like one of this computer.
pub(super) fn of_reparse(kind: ReparseKind, target: &str) -> String {
    match kind {
        ReparseKind::RelativeSymlink if !target.starts_with('\\') => format!(r".\{target}"),
        _ => target.to_owned(),
    }
}

/// The GUID, in small letters, of the volume to whose root a junction leads.
pub(super) fn volume(target: &str) -> Option<String> {
    let (guid, below) = on_volume(&WindowsPath::new(target))?;
    below.trim_matches('\\').is_empty().then_some(guid)
}

/// The GUID, in small letters, and the rest of a path such as `\\?\Volume{GUID}\folder`.
pub(super) fn on_volume(path: &WindowsPath) -> Option<(String, String)> {
    let (guid, below) = without(path.as_str(), VOLUME)?.split_once('}')?;
    Some((guid.to_ascii_lowercase(), below.to_owned()))
}

/// A path on another server, with `\\` before it; not one of a device (`\\.\`).
pub(super) fn server(path: &WindowsPath) -> Option<String> {
    let text = path.as_str();
    let below = without(text, SERVER).or_else(|| text.strip_prefix(r"\\").filter(|below| !below.starts_with('.')))?;
    below.contains('\\').then(|| format!(r"\\{below}"))
}

fn without<'t>(text: &'t str, begin: &str) -> Option<&'t str> {
    text.get(..begin.len()).filter(|found| found.eq_ignore_ascii_case(begin))?;
    text.get(begin.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_windows_target_mean_the_same() {
        let wanted = Target::Absolute(WindowsPath::new(r"D:\VMs\a.xml"));
        for text in [
            r"D:\VMs\a.xml",
            r"\??\D:\VMs\a.xml",
            r"\\?\d:\VMs\a.xml",
            "D:/VMs/a.xml",
            "../../.NTFS-3G/D:/VMs/a.xml",
            "/mnt/c/.NTFS-3G/D:/VMs/a.xml",
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
        assert_eq!(read(r"..\x"), Target::Relative(r"..\x".to_owned()));
        assert_eq!(read(&of_reparse(ReparseKind::RelativeSymlink, "x")), Target::Relative(r".\x".to_owned()));
        assert_eq!(read(&of_reparse(ReparseKind::Symlink, r"\??\D:\VMs\a.xml")), wanted);
        assert_eq!(volume(r"\??\volume{0A11-x}\"), Some("0a11-x".to_owned()));
        assert_eq!((volume(r"\??\Volume{0A11-x}\VMs"), volume(r"\??\D:\")), (None, None));
        let below = Target::Volume("0a11-x".to_owned(), vec!["VMs".to_owned(), "a.xml".to_owned()]);
        assert_eq!(
            (read(r"\??\Volume{0A11-X}\VMs\a.xml"), read(r"\\?\volume{0a11-x}\VMs\a.xml")),
            (below.clone(), below)
        );
        for text in [r"\??\UNC\fs1\vms\a.vhd", r"\\?\UNC\fs1\vms\a.vhd", r"\\fs1\vms\a.vhd"] {
            assert_eq!(read(text), Target::Server(r"\\fs1\vms\a.vhd".to_owned()), "{text}");
        }
        assert_eq!(server(&WindowsPath::new(r"\\.\PHYSICALDRIVE1")), None);
        assert_eq!(read("../x"), Target::Local("../x".to_owned()));
    }
}
