//! What the text of a symbolic link means. Hyper-V's links hold Windows paths; a mount by ntfs-3g shows them as
//! `…/.NTFS-3G/D:/…`; a copy may hold links of this computer, which count only inside the mapped folders.

use hvm_model::names::WindowsPath;

/// Name under which ntfs-3g shows drives that it cannot resolve itself.
const NTFS_3G: &str = ".NTFS-3G/";

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// An absolute path of the source.
    Absolute(WindowsPath),
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
    } else if text.contains('\\') {
        Target::Relative(text.to_owned())
    } else {
        Target::Local(text.to_owned())
    }
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
        assert_eq!(read("../x"), Target::Local("../x".to_owned()));
    }
}
