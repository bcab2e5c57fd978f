//! The script that an administrator runs on a host: it needs nothing that Windows Server 2008 SP2 does not have, Server Core
//! included, reads only, and makes a folder that a `folder:` source understands.

/// Its files: name and text, with line ends to be made those of Windows.
pub const SCRIPTS: [(&str, &str); 2] =
    [("collect.cmd", include_str!("collect.cmd")), ("collect.vbs", include_str!("collect.vbs"))];

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs and methods that change something; the script may only make its folder and take away its own file.
    const WRITERS: [&str; 14] = [
        "reg.exe add",
        "reg.exe delete",
        "reg.exe import",
        "RegWrite",
        "RegDelete",
        "Put_",
        "Delete_",
        "SetSD",
        "MoveFile",
        "DeleteFolder",
        "SetStringValue",
        "CreateKey",
        "netsh",
        "net.exe",
    ];

    #[test]
    fn the_script_has_nothing_that_changes_the_host() {
        for (name, text) in SCRIPTS {
            for writer in WRITERS {
                assert!(!text.to_lowercase().contains(&writer.to_lowercase()), "{name}: {writer}");
            }
            for line in text.lines().filter(|line| line.contains("DeleteFile")) {
                assert!(line.contains("tempFile"), "{name}: {line}");
            }
            for line in text.lines().filter(|line| line.contains("CreateTextFile") || line.contains("CopyFile path,")) {
                let own = ["outFolder", "AnswerPath(", "PlaceOf("].iter().any(|place| line.contains(place));
                assert!(own, "{name}: {line}");
            }
            for line in text.lines().filter(|line| line.contains("ExecMethod_(") || line.contains("Methods_(")) {
                assert!(line.contains("GetVirtualHardDiskInfo"), "{name}: {line}");
            }
        }
    }
}
