#![allow(clippy::unwrap_used, missing_docs)]
//! Paths as Windows means them over folders of this computer, and the drives of a URI.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hvm_model::names::WindowsPath;
use hvm_sources::{Source, SourceError};

/// Drives C and D with what makes C a system volume.
fn drives(folder: &Path) {
    fs::create_dir_all(folder.join("C/Windows/System32/config")).unwrap();
    fs::create_dir_all(folder.join("D/VMs/Größe")).unwrap();
    fs::write(folder.join("D/VMs/Größe/a.txt"), "a").unwrap();
}

fn open(folder: &Path) -> Box<dyn Source> {
    hvm_sources::open(&format!("folder:{}", folder.display())).unwrap()
}

fn content(source: &dyn Source, path: &str) -> Result<String, String> {
    let file = source.open_file(&WindowsPath::new(path)).map_err(|error| error.to_string())?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn names_match_without_case_and_the_exact_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    drives(folder.path());
    let source = open(folder.path());
    for path in [
        r"D:\vms\GRÖSSE\..\größe\A.TXT",
        r"\\?\D:\VMs\Größe\a.txt",
        r"\??\d:/VMS/GRÖßE/a.txt",
        r"D:\..\..\VMs\Größe\.\a.txt",
    ] {
        assert_eq!(content(&*source, path), Ok("a".to_owned()), "{path}");
    }
    fs::write(folder.path().join("D/VMs/Größe/A.txt"), "A").unwrap();
    let source = open(folder.path());
    assert_eq!(content(&*source, r"D:\VMs\Größe\A.txt"), Ok("A".to_owned()));
    assert_eq!(content(&*source, r"D:\VMs\Größe\a.txt"), Ok("a".to_owned()));
    let error = content(&*source, r"D:\VMs\Größe\a.TXT").unwrap_err();
    assert!(error.contains("'A.txt' and 'a.txt'"), "{error}");
    let error = content(&*source, r"D:\VMs\nichts\a.txt").unwrap_err();
    assert!(error.contains(r"there is no 'nichts' in 'D:\VMs'"), "{error}");
    let error = content(&*source, r"E:\x").unwrap_err();
    assert!(error.contains("drive E: is not mapped: add e=/path to the source"), "{error}");
    assert!(content(&*source, r"D:\VMs").unwrap_err().contains("is a folder, expected a file"));
    assert!(content(&*source, r"D:\VMs\Größe\a.txt\b").unwrap_err().contains("is a file, expected a folder"));
    assert!(content(&*source, r"\\server\share\x").unwrap_err().contains("drive letter"));
}

#[test]
fn links_are_followed_only_inside_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    drives(folder.path());
    let c = folder.path().join("C");
    let link = |target: &str, name: &str| symlink(target, c.join(name)).unwrap();
    link(r"D:\VMs\Größe\a.txt", "windows");
    link(r"\??\D:\VMs", "folder");
    link(".NTFS-3G/D:/VMs/Größe/a.txt", "ntfs-3g");
    link("../D/VMs/Größe/a.txt", "unix");
    link(folder.path().join("D/VMs").to_str().unwrap(), "absolute");
    link(r"folder\Größe\a.txt", "relative");
    let source = open(folder.path());
    for path in
        [r"C:\windows", r"C:\folder\größe\a.txt", r"C:\ntfs-3g", r"C:\unix", r"C:\absolute\Größe\a.txt", r"C:\RELATIVE"]
    {
        assert_eq!(content(&*source, path), Ok("a".to_owned()), "{path}");
    }
    link(outside.path().join("secret").to_str().unwrap(), "out");
    link("../../../../../../../../../../etc/hostname", "up");
    link(r"X:\y", "unmapped");
    link("loop2", "loop1");
    link("loop1", "loop2");
    let source = open(folder.path());
    for path in [r"C:\out", r"C:\up"] {
        let error = content(&*source, path).unwrap_err();
        assert!(error.contains("outside of the mapped folders"), "{error}");
    }
    assert!(content(&*source, r"C:\unmapped").unwrap_err().contains("drive X: is not mapped"));
    assert!(content(&*source, r"C:\loop1").unwrap_err().contains("more than 40 symbolic links"));
    let pipe = std::process::Command::new("mkfifo").arg(c.join("pipe")).status();
    if pipe.is_ok_and(|status| status.success()) {
        let source = open(folder.path());
        assert!(content(&*source, r"C:\pipe").unwrap_err().contains("pipe"));
    } else {
        eprintln!("SKIPPED: a pipe in the source (no mkfifo)");
    }
}

#[test]
fn drives_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("my host & more?");
    drives(&base);
    let encoded = base.display().to_string().replace('?', "%3F");
    let drives_of = |uri: &str| hvm_sources::open(uri).map(|source| source.describe().drives);
    let letters = |uri: &str| drives_of(uri).unwrap().into_iter().map(|(letter, _)| letter).collect::<Vec<_>>();
    assert_eq!(letters(&format!("folder:{encoded}")), ["C:", "D:"]);
    assert_eq!(letters(&format!("FOLDER:{encoded}?e={}", encoded.replace('&', "%26"))), ["C:", "D:", "E:"]);
    assert_eq!(letters(&format!("folder:{encoded}/C")), ["C:"]);
    assert_eq!(letters(&format!("folder:{encoded}?x=D")), ["C:", "D:", "X:"]);
    fs::create_dir(base.join("c_drive")).unwrap();
    let error = drives_of(&format!("folder:{encoded}")).unwrap_err().to_string();
    assert!(error.contains("may both be drive C:"), "{error}");
    assert_eq!(letters(&format!("folder:{encoded}?c=C")), ["C:", "D:"]);
}

#[test]
fn what_is_no_source_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let open = |uri: &str| match hvm_sources::open(uri) {
        Err(error) => error,
        Ok(_) => panic!("{uri} was opened"),
    };
    let error = open("ftp:host");
    assert!(matches!(error, SourceError::UnknownScheme { .. }) && error.to_string().contains("folder:/mnt?c=/mnt/c"));
    assert!(matches!(open("nonsense"), SourceError::UnknownScheme { .. }));
    let here = folder.path().display();
    assert!(matches!(open(&format!("folder:{here}")), SourceError::NoDrives { .. }));
    assert!(matches!(open(&format!("folder:{here}/missing")), SourceError::Folder { .. }));
    assert!(matches!(open(&format!("folder:{here}?c=missing")), SourceError::Folder { .. }));
    fs::create_dir(folder.path().join("C")).unwrap();
    let error = open(&format!("folder:{here}"));
    assert!(matches!(error, SourceError::NoSystem { .. }), "{error}");
}

#[test]
fn a_parent_of_a_single_disk_is_found_below_named_folders() {
    use hvm_testkit::sample::{self, Variant};
    let folder = tempfile::tempdir().unwrap();
    let host = sample::write(folder.path(), Variant::Default).unwrap();
    let leaf = host.disks.iter().find(|disk| disk.chain.len() == 3).unwrap();
    let away = tempfile::tempdir().unwrap();
    let below = |parent_dirs| hvm_sources::ChainOptions { parent_dirs, ..Default::default() };
    let moved = away.path().join("leaf.avhd");
    fs::copy(&leaf.path, &moved).unwrap();
    let error = hvm_sources::open_disk_file(&moved, &below(Vec::new())).err().unwrap().to_string();
    assert!(error.contains("was not found"), "{error}");
    let parents = below(vec![leaf.path.parent().unwrap().to_path_buf()]);
    assert_eq!(hvm_sources::open_disk_file(&moved, &parents).unwrap().layers().len(), 3);
    let above = below(vec![host.path_of(r"D:\Hyper-V")]);
    assert!(hvm_sources::open_disk_file(&moved, &above).is_err(), "only the recorded components are tried");
}

#[cfg(unix)]
#[test]
fn a_parent_of_a_single_disk_is_found_by_the_path_of_unix_that_is_recorded() {
    use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};
    let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, child) = (away.path().join("ein teil.vhd"), folder.path().join("child.vhd"));
    let content = ContentModel::new(4 << 20);
    let write = |id: u8| {
        VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [id; 16]).image(&content).write_to(&path).unwrap();
    };
    let timestamp = VhdSpec::new(VhdKind::Fixed, [1; 16]).timestamp;
    let plain = path.to_str().unwrap();
    let url = format!("file://localhost{}", plain.replace(' ', "%20"));
    for locator in [Locator::new(b"W2ku", plain), Locator::new(b"MacX", &url)] {
        write(1);
        let locators = vec![locator];
        let parent = Parent { unique_id: [1; 16], timestamp, name: "ein teil.vhd".to_owned(), locators, stale: None };
        let kind = VhdKind::Differencing(Blocks::default(), parent);
        VhdSpec::new(kind, [2; 16]).image(&content).write_to(&child).unwrap();
        let open = |recorded_paths| {
            hvm_sources::open_disk_file(&child, &hvm_sources::ChainOptions { recorded_paths, ..Default::default() })
        };
        assert_eq!(open(true).unwrap().layers().len(), 2);
        assert!(open(false).err().unwrap().to_string().contains("was not found"), "only where it is asked for");
        write(9);
        let error = open(true).err().unwrap().to_string();
        assert!(error.contains("09090909"), "another disk at the path is none: {error}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(open(true).err().unwrap().to_string().contains("was not found"), "a folder is no disk");
        fs::remove_dir(&path).unwrap();
    }
}
