//! Where Linux keeps its network settings, and that files are read as the systems read them: which names, in which order,
//! with which others.

use super::{GuestAdapter, MOST, ifcfg, interfaces, keyfile, netplan, networkd};
use crate::guestfs::ext::Ext;
use crate::guestfs::system::linux::text;

/// Files of one folder that are read.
const MOST_FILES: usize = 256;

/// The files of a system.
pub(super) trait Files {
    /// The names in a folder, sorted; none where it is missing.
    fn names(&mut self, folder: &str) -> Vec<String>;
    /// The text of a file; `None` where it is missing or cannot be read.
    fn text(&mut self, path: &str) -> Option<String>;
    /// What could not be read, as a whole sentence.
    fn remark(&mut self, remark: String);
}

struct Volume<'v> {
    volume: &'v Ext,
    remarks: &'v mut Vec<String>,
}

impl Files for Volume<'_> {
    fn names(&mut self, folder: &str) -> Vec<String> {
        self.volume.list(folder, MOST_FILES).unwrap_or_else(|error| {
            self.remarks.push(error.to_string());
            Vec::new()
        })
    }

    fn text(&mut self, path: &str) -> Option<String> {
        text(self.volume, path).unwrap_or_else(|error| {
            self.remarks.push(error.to_string());
            None
        })
    }

    fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }
}

/// The adapters that the text of one settings file names, which is read as its path says; `None` for a path that is none of
/// theirs. What other files add is not seen: what it sources, or merges with.
pub fn adapters_of(path: &str, text: &str) -> Option<Result<Vec<GuestAdapter>, String>> {
    let (folder, name) = path.rsplit_once('/')?;
    Some(match folder {
        _ if path == interfaces::MAIN => Ok(interfaces::interfaces(text)),
        "/etc/network/interfaces.d" => Ok(interfaces::interfaces(text)),
        ifcfg::RED_HAT | ifcfg::SUSE if ifcfg::is_settings(name) => Ok(ifcfg::ifcfg(name, text).into_iter().collect()),
        keyfile::FOLDER if keyfile::is_settings(name) => Ok(keyfile::keyfile(text).into_iter().collect()),
        networkd::FOLDER if networkd::is_settings(name) => Ok(networkd::networkd(text)),
        netplan::FOLDER if netplan::is_settings(name) => netplan::netplan(text),
        _ => return None,
    })
}

/// The adapters that the files of a volume name.
pub(in crate::guestfs::system) fn adapters(volume: &Ext, remarks: &mut Vec<String>) -> Vec<GuestAdapter> {
    of_files(&mut Volume { volume, remarks })
}

pub(super) fn of_files(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let readers: [fn(&mut dyn Files) -> Vec<GuestAdapter>; 6] = [
        interfaces::of_system,
        ifcfg::red_hat,
        ifcfg::suse,
        keyfile::of_system,
        networkd::of_system,
        netplan::of_system,
    ];
    let mut all: Vec<GuestAdapter> = readers.into_iter().flat_map(|read| read(files)).collect();
    all.truncate(MOST);
    all
}
