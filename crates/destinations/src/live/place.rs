//! Where a live destination is: a host, and the folder of the kit there.

use std::path::PathBuf;

use hvm_winrm::host_and_port;

use crate::error::DestinationError;
use crate::uri::{Uri, bad};

/// Characters that Windows does not allow in the name of a file or a folder, other than the separators.
const FORBIDDEN: &str = "<>:\"|?*";

/// Host and folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port, where the URI says one.
    pub port: Option<u16>,
    /// The folder as Windows writes it, such as `D:\Kits\old host`.
    pub folder: String,
}

impl Place {
    /// Takes `//HOST[:PORT]/DRIVE:/FOLDER` apart.
    pub fn of(uri: &Uri) -> Result<Place, DestinationError> {
        let text = uri.folder.to_str().unwrap_or_default();
        let wrong = || bad("address", text, "winrm://HOST[:PORT]/DRIVE:/FOLDER is wanted, such as winrm://hv2/D:/Kit");
        let rest = text.strip_prefix("//").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
        if authority.contains('@') {
            // What stands before it may be a password and is not repeated.
            return Err(bad(
                "address",
                "(not shown)",
                "the user is wanted as 'user=' and the password in no URI at all",
            ));
        }
        let (host, port) = host_and_port(authority).ok_or_else(wrong)?;
        Ok(Place { host, port, folder: folder(path)? })
    }

    /// Takes `DRIVE:/FOLDER` on a host of this name; `\` does as well, since that is what people write there.
    pub fn here(uri: &Uri, host: &str) -> Result<Place, DestinationError> {
        let text = uri.folder.to_str().unwrap_or_default().replace('\\', "/");
        Ok(Place { host: host.to_owned(), port: None, folder: folder(&text)? })
    }

    /// The folder as a path of this computer.
    pub fn local(&self) -> PathBuf {
        PathBuf::from(self.folder.replace('\\', "/"))
    }

    /// The letter of the drive.
    pub fn drive(&self) -> &str {
        self.folder.get(..1).unwrap_or_default()
    }

    /// The path there of a file of the kit, which has `/`.
    pub fn path(&self, relative: &str) -> String {
        format!("{}\\{}", self.folder, relative.replace('/', "\\"))
    }
}

fn folder(path: &str) -> Result<String, DestinationError> {
    let wrong = |expected: &str| bad("folder on the host", path, expected);
    let (drive, rest) = path.split_at_checked(2).unwrap_or((path, ""));
    let is_drive = drive.ends_with(':') && drive.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
    if !is_drive || !rest.starts_with('/') || parts == [""] {
        return Err(wrong("a folder below a drive is wanted, such as D:/Kit"));
    }
    for part in &parts {
        let bad_character = |c: char| c.is_control() || c == '\\' || FORBIDDEN.contains(c);
        if part.is_empty() || part.ends_with(['.', ' ']) || part.contains(bad_character) {
            return Err(wrong(
                "names without <>:\"|?* and '\\', which do not end with a dot or a blank, are wanted between '/'",
            ));
        }
    }
    Ok(format!("{}\\{}", drive.to_ascii_uppercase(), parts.join("\\")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, String> {
        let uri = Uri::parse(text).unwrap().unwrap();
        Place::of(&uri).map_err(|error| error.to_string())
    }

    #[test]
    fn host_port_and_folder() {
        let found = place("winrm://hv2.example.org/d:/Umzug%20'HV'/für%20Müller/?user=x").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("hv2.example.org", None));
        assert_eq!(found.folder, r"D:\Umzug 'HV'\für Müller");
        assert_eq!(found.path("disks/a b.vhd"), r"D:\Umzug 'HV'\für Müller\disks\a b.vhd");
        assert_eq!(found.drive(), "D");
        let found = place("winrm://[2001:db8::1]:99/C:/x").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("2001:db8::1", Some(99)));
        assert_eq!(place("winrm://[::1]/C:/x").unwrap().port, None);
    }

    #[test]
    fn a_folder_of_this_computer() {
        let here = |text: &str| Place::here(&Uri::parse(text).unwrap().unwrap(), "this computer");
        for text in ["local:d:/Kits/old host", r"local:D:\Kits\old host\", "local:D:/Kits/old%20host"] {
            let place = here(text).unwrap();
            assert_eq!((place.folder.as_str(), place.host.as_str()), (r"D:\Kits\old host", "this computer"));
            assert_eq!(place.local(), PathBuf::from("D:/Kits/old host"));
        }
        for wrong in ["local:Kits", "local:/Kits", "local:D:/", r"local:\\server\share"] {
            assert!(here(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_folder_of_a_drive_is_refused() {
        for wrong in [
            "winrm:hv2/C:/x",
            "winrm://hv2",
            "winrm://hv2/",
            "winrm://hv2/C:",
            "winrm://hv2/C:/",
            "winrm://hv2/C:x",
            "winrm://hv2/share/x",
            "winrm://hv2/C:/../x",
            "winrm://hv2/C:/a//b",
            "winrm://hv2/C:/a./b",
            "winrm://hv2/C:/a%5Cb",
            "winrm://hv2/C:/a%22b",
            "winrm://hv2/C:/a%3Cb",
            "winrm://hv2/C:/a%0Ab",
            "winrm://hv2:0/C:/x",
            "winrm://hv2:70000/C:/x",
            "winrm://:1/C:/x",
            "winrm://[::1/C:/x",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
