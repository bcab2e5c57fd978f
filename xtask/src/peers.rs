//! Reads the checkpoint chains of the sample host with hvmigrate and with other programs, counts the sectors that each
//! gets wrong, and writes the figures to docs/peers.md. What is right is computed by the testkit's own model.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hvm_testkit::sample::{self, SampleDisk, Variant};
use hvm_testkit::vhd::reference::read_chain;

use crate::run::{cargo, is_there};

const SECTOR: usize = 512;

/// What one program made of one disk.
enum Answer {
    /// It gave content: this many sectors of all were wrong.
    Content { wrong: usize, all: usize },
    /// It refused, with the first line of its message.
    Refused(String),
    /// It is not installed.
    Missing,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Content { wrong: 0, .. } => f.write_str("right"),
            Answer::Content { wrong, all } => write!(f, "**{wrong} of {all} sectors wrong**, exit status 0"),
            Answer::Refused(message) => write!(f, "refused: {message}"),
            Answer::Missing => f.write_str("not installed"),
        }
    }
}

/// Writes the sample host, asks each program, writes docs/peers.md.
pub fn write(root: &Path) -> Result<(), String> {
    cargo(&["build", "--release", "--quiet", "--package", "hvmigrate"])?;
    let program = crate::target().join("release").join("hvmigrate");
    let folder = std::env::temp_dir().join(format!("hvmigrate-peers-{}", std::process::id()));
    let result = table(&program, &folder);
    std::fs::remove_dir_all(&folder).map_err(|error| format!("'{}': {error}", folder.display()))?;
    let page = root.join("docs").join("peers.md");
    let old = std::fs::read_to_string(&page).unwrap_or_default();
    let figures = crate::bench::kept_figures(&old);
    let gap = if figures.is_empty() { "" } else { "\n" };
    std::fs::write(&page, format!("{}{gap}{figures}", result?))
        .map_err(|error| format!("'{}': {error}", page.display()))?;
    println!("written: {}", page.display());
    Ok(())
}

fn table(program: &Path, folder: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("'{}': {error}", folder.display());
    let host = sample::write(&folder.join("source"), Variant::Default).map_err(failed)?;
    let mut page = heading();
    let mut worst: BTreeMap<&str, usize> = BTreeMap::new();
    for disk in host.disks.iter().filter(|disk| disk.chain.len() > 1) {
        let right = read_chain(&disk.chain).map_err(failed)?;
        let answers = [
            ("hvmigrate", hvmigrate(program, disk, folder, &right)),
            ("qemu-img", qemu_img(disk, folder, &right)),
            ("libvhdi", libvhdi(disk, folder, &right)),
        ];
        let name = disk.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let _ = write!(page, "| `{name}` | {} |", disk.chain.len());
        for (who, answer) in answers {
            if let Answer::Content { wrong, .. } = answer {
                *worst.entry(who).or_default() += wrong;
            }
            let _ = write!(page, " {answer} |");
        }
        page.push('\n');
    }
    match worst.get("hvmigrate") {
        Some(0) => Ok(page),
        Some(wrong) => Err(format!("hvmigrate read {wrong} sectors wrong")),
        None => Err("hvmigrate read no chain at all".to_owned()),
    }
}

fn heading() -> String {
    format!(
        "# Other programs on the same disks\n\n\
         Made by `cargo xtask peers`; the versions are those of the machine on which it ran.\n\n\
         ## Checkpoint chains (`.avhd`) of the sample host\n\n\
         Each leaf is read through its whole chain. What is right comes from the testkit, which made the disks from its own\n\
         model of their content and shares no code with hvmigrate's reader. The chains have partly set bytes in their sector\n\
         bitmaps, as real ones do.\n\n\
         - hvmigrate: `hvmigrate disk convert LEAF OUT --to raw`\n\
         - qemu-img ({}): `qemu-img convert -f vpc -O raw LEAF OUT`; it takes a differencing disk for a dynamic one and never\n\
         \x20 looks at the parent.\n\
         - libvhdi ({}): `vhdimount LEAF FOLDER`; it follows the parents, but takes sectors for stored that are not.\n\n\
         | leaf | files in the chain | hvmigrate | qemu-img | libvhdi |\n\
         | --- | --- | --- | --- | --- |\n",
        version("qemu-img", "--version"),
        version("vhdimount", "-V"),
    )
}

fn version(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let digits = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    text.split_whitespace().find(digits).unwrap_or("not installed").to_owned()
}

fn hvmigrate(program: &Path, disk: &SampleDisk, folder: &Path, right: &[u8]) -> Answer {
    let out = folder.join("hvmigrate.raw");
    let mut command = Command::new(program);
    command.args(["disk", "convert"]).arg(&disk.path).arg(&out).args(["--to", "raw"]);
    converted(&mut command, &out, right)
}

fn qemu_img(disk: &SampleDisk, folder: &Path, right: &[u8]) -> Answer {
    let out = folder.join("qemu.raw");
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", "vpc", "-O", "raw"]).arg(&disk.path).arg(&out);
    converted(&mut command, &out, right)
}

/// Runs a program that writes the raw content to `out`.
fn converted(command: &mut Command, out: &Path, right: &[u8]) -> Answer {
    match command.stdin(Stdio::null()).output() {
        Err(_) => Answer::Missing,
        Ok(output) if !output.status.success() => refused(&output.stderr),
        Ok(_) => {
            let answer = std::fs::read(out)
                .map_or_else(|error| Answer::Refused(error.to_string()), |content| compare(&content, right));
            // The next disk is written under the same name.
            let _ = std::fs::remove_file(out);
            answer
        }
    }
}

fn libvhdi(disk: &SampleDisk, folder: &Path, right: &[u8]) -> Answer {
    if !is_there("vhdimount") || !Path::new("/dev/fuse").exists() {
        return Answer::Missing;
    }
    let mount = folder.join("mount");
    if let Err(error) = std::fs::create_dir_all(&mount) {
        return Answer::Refused(error.to_string());
    }
    let output = Command::new("vhdimount").arg(&disk.path).arg(&mount).stdin(Stdio::null()).output();
    let answer = match output {
        Err(_) => return Answer::Missing,
        Ok(output) if !output.status.success() => return refused(&output.stdout),
        Ok(_) => mounted(&mount, right),
    };
    let _ = Command::new("fusermount").arg("-u").arg(&mount).status();
    answer
}

/// The whole disk is the layer with the highest number.
fn mounted(mount: &Path, right: &[u8]) -> Answer {
    for _ in 0..50 {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(mount).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        if let Some(top) = files.last() {
            return match std::fs::read(top) {
                Ok(content) => compare(&content, right),
                Err(error) => Answer::Refused(error.to_string()),
            };
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Answer::Refused("nothing was mounted".to_owned())
}

fn refused(message: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(message);
    Answer::Refused(text.lines().last().unwrap_or_default().replace('|', "/"))
}

fn compare(content: &[u8], right: &[u8]) -> Answer {
    let all = right.len().div_ceil(SECTOR);
    let same = right.chunks(SECTOR).zip(content.chunks(SECTOR)).filter(|(a, b)| a == b).count();
    Answer::Content { wrong: all - same, all }
}
