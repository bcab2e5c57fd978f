//! Variables such as `%ProgramData%` in paths that the registry or a configuration holds. Only the handful that belongs to
//! the system as a whole is known; others stay as they are and are then not found.

use hvm_model::names::WindowsPath;

/// The variables of a source.
#[derive(Debug, Clone)]
pub(crate) struct Variables {
    system_drive: String,
    system_root: String,
    program_data: String,
    public: String,
}

impl Variables {
    /// As Windows is installed, on this system drive.
    pub(crate) fn usual(system_drive: char) -> Variables {
        Variables {
            system_drive: format!("{system_drive}:"),
            system_root: format!(r"{system_drive}:\Windows"),
            program_data: format!(r"{system_drive}:\ProgramData"),
            public: format!(r"{system_drive}:\Users\Public"),
        }
    }

    /// Takes the folders that `ProfileList` names, where they differ from the usual ones.
    pub(crate) fn set_profiles(&mut self, program_data: Option<&str>, public: Option<&str>) {
        if let Some(path) = program_data {
            self.program_data = self.expand(path);
        }
        if let Some(path) = public {
            self.public = self.expand(path);
        }
    }

    /// `%ProgramData%`.
    pub(crate) fn program_data(&self) -> WindowsPath {
        WindowsPath::new(&self.program_data)
    }

    /// `%PUBLIC%`.
    pub(crate) fn public(&self) -> WindowsPath {
        WindowsPath::new(&self.public)
    }

    /// `%SystemRoot%`.
    pub(crate) fn system_root(&self) -> WindowsPath {
        WindowsPath::new(&self.system_root)
    }

    /// The text with known variables replaced.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            match after.split_once('%').and_then(|(name, tail)| Some((self.value(name)?, tail))) {
                Some((value, tail)) => {
                    expanded.push_str(value);
                    rest = tail;
                }
                None => {
                    expanded.push('%');
                    rest = after;
                }
            }
        }
        expanded.push_str(rest);
        expanded
    }

    /// The path with known variables replaced.
    pub(crate) fn path(&self, text: &str) -> WindowsPath {
        WindowsPath::new(&self.expand(text))
    }

    fn value(&self, name: &str) -> Option<&str> {
        match name.to_ascii_lowercase().as_str() {
            "systemdrive" => Some(&self.system_drive),
            "systemroot" | "windir" => Some(&self.system_root),
            "programdata" | "allusersprofile" => Some(&self.program_data),
            "public" => Some(&self.public),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_variables_are_replaced_and_others_stay() {
        let mut variables = Variables::usual('C');
        assert_eq!(variables.expand(r"%ALLUSERSPROFILE%\x"), r"C:\ProgramData\x");
        assert_eq!(variables.expand(r"%systemdrive%\100%\%TEMP%\%SystemRoot%"), r"C:\100%\%TEMP%\C:\Windows");
        variables.set_profiles(Some(r"%SystemDrive%\Data"), None);
        assert_eq!(variables.path("%ProgramData%").as_str(), r"C:\Data");
        assert_eq!(variables.public().as_str(), r"C:\Users\Public");
    }
}
