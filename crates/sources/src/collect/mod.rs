//! The script that an administrator runs on a host: it needs nothing that Windows Server 2008 SP2 does not have, Server Core
//! included, reads only, and makes a folder that a `folder:` source understands.

/// Its files: name and text, with line ends to be made those of Windows.
pub const SCRIPTS: [(&str, &str); 2] =
    [("collect.cmd", include_str!("collect.cmd")), ("collect.vbs", include_str!("collect.vbs"))];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
                let allowed = ["\"GetVirtualHardDiskInfo\"", "\"GetVirtualHardDiskSettingData\""];
                assert!(allowed.iter().any(|method| line.contains(method)), "{name}: {line}");
            }
        }
    }

    /// The lines of a procedure of the script.
    fn procedure(name: &str) -> &'static str {
        let text = SCRIPTS[1].1;
        let at = ["Sub", "Function"].iter().find_map(|kind| text.find(&format!("\n{kind} {name}(")));
        let text = &text[at.unwrap_or_else(|| panic!("{name}"))..];
        let end = ["\nEnd Sub", "\nEnd Function"].iter().filter_map(|end| text.find(end)).min();
        &text[..end.unwrap()]
    }

    fn in_order(name: &str, parts: &[&str]) {
        let mut text = procedure(name);
        for part in parts {
            let at =
                text.find(part).unwrap_or_else(|| panic!("{name}: '{part}' is not there, or not behind the others"));
            text = &text[at + part.len()..];
        }
    }

    #[test]
    fn disks_are_asked_for_in_the_version_of_the_classes_that_knows_them() {
        in_order("DiskInfo", &["space = V2", "ImageService(newer)", "Is Nothing", "space = V1", "ImageService(older)"]);
        in_order("InfoOf", &["If space = V2", "GetVirtualHardDiskSettingData", "Else", "GetVirtualHardDiskInfo"]);
        in_order("InfoOf", &["code <> 0 And code <> JOB_STARTED Or InfoOf = \"\""]);
        // After both versions named disks.
        in_order(
            "Answers",
            &["Connect(V2)", "HasMachines(service)", "Msvm_SwitchPort", "Ask newer", "DiskInfo service, newer"],
        );
        in_order("HasMachines", &["Msvm_VirtualSystemManagementService", "NOT_FOUND", "INVALID_CLASS"]);
    }

    #[test]
    fn links_are_not_entered_and_their_list_is_read_to_its_end_first() {
        in_order("Links", &["DeleteFile tempFile", "set DIRCMD=& dir /al", "LinesOf(tempFile", "linked(", "Follow"]);
        for name in ["ConfigurationFolder", "Siblings"] {
            in_order(name, &["IsLocal(path)", "\"folder\" & vbTab", "Links path", "Enter path"]);
            assert!(!procedure(name).contains("SubFolders"), "{name}");
        }
        in_order("Enter", &["SubFolders", "Err.Number", "If Not linked.Exists", "ConfigurationFolder", "Err.Clear"]);
    }

    #[test]
    fn no_file_is_read_line_by_line_without_a_look_at_errors() {
        assert!(!SCRIPTS[1].1.contains("AtEndOfStream"));
        in_order("LinesOf", &["OpenTextFile", "If Err.Number <> 0 Then Exit Function", "ReadAll"]);
    }

    #[test]
    fn what_one_machine_does_not_tell_ends_no_others() {
        let text = procedure("Elsewhere");
        let calls = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(" ConfigurationFolder ") || line.trim() == "Named path");
        let calls: Vec<usize> = calls.map(|(number, _)| number).collect();
        assert_eq!(calls.len(), 4);
        for call in calls {
            assert_eq!(text.lines().nth(call + 1).map(str::trim), Some("Err.Clear"));
        }
    }

    #[test]
    fn the_folder_is_whole_and_checksums_name_files_from_it_on() {
        in_order("Main", &["outFolder = FolderOf(WScript.Arguments(0))", "FolderExists(outFolder)"]);
        let whole = [
            "Replace(text, \"\"\"\", \"\")",
            "Not IsLocal(FolderOf)",
            "\\.",
            "GetAbsolutePathName(FolderOf)",
            "Len(FolderOf) > 3",
        ];
        in_order("FolderOf", &whole);
        in_order("SumFolder", &["within & file.Name", "within & below.Name & \"\\\""]);
    }

    #[test]
    fn empty_files_and_old_releases_have_checksums_too() {
        let nothing = ring::digest::digest(&ring::digest::SHA256, b"");
        let digits: String = nothing.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(SCRIPTS[1].1.contains(&format!("SUM_OF_NOTHING = \"{digits}\"")), "{digits}");
        in_order("SumFolder", &["file.Size = 0", "\"SHA256\" & vbTab & SUM_OF_NOTHING", "SumOf(file.Path)"]);
        in_order("SumOf", &["\"SHA256\", \"SHA256\", 64", "\"SHA1\", \"SHA1\", 40", "\"\", \"SHA1\", 40"]);
    }

    #[test]
    fn configurations_are_read_from_the_collection() {
        in_order("FilesOf", &["PlaceOf(path)", "If Not fso.FileExists(copy) Then copy = path", "document.load(copy)"]);
    }
}
