//! NTFS volumes in plain files, made by mkntfs and filled through ntfs-3g.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hvm_testkit::bulk::Files;
use hvm_testkit::vhdx::Dice;
use serde_json::Value;

use super::at;
use crate::run::{output, run};

/// Bytes of a cluster.
pub const CLUSTER: u64 = 4096;

/// Makes an empty volume of `len` bytes that will lie 1 MiB behind the beginning of a disk.
pub fn make(path: &Path, len: u64) -> Result<(), String> {
    fs::File::create(path).and_then(|file| file.set_len(len)).map_err(at(path))?;
    let path = path.display().to_string();
    run(
        "mkntfs",
        &["-F", "-q", "-Q", "-s", "512", "-p", "2048", "-H", "255", "-S", "63", "-c", "4096", "-L", "bench", &path],
    )
}

/// Mounts the volume, lets `work` change it and takes it off cleanly.
pub fn edit<T>(path: &Path, work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let mount = path.with_extension("mount");
    fs::create_dir_all(&mount).map_err(at(&mount))?;
    let mut server = Command::new("ntfs-3g")
        .args(["-o", "no_detach,big_writes,noatime"])
        .args([path, &mount])
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("'ntfs-3g' could not be started: {error}"))?;
    let result = wait_for_mount(&mut server, &mount).and_then(|()| work(&mount));
    let taken_off = run("umount", &[&mount.display().to_string()]);
    let status = server.wait().map_err(|error| format!("ntfs-3g was lost: {error}"))?;
    fs::remove_dir(&mount).map_err(at(&mount))?;
    let value = result?;
    taken_off?;
    if status.success() { Ok(value) } else { Err(format!("ntfs-3g ended with {status}")) }
}

fn wait_for_mount(server: &mut Child, mount: &Path) -> Result<(), String> {
    // A mounted volume is another device than the folder that it lies in. The list of mounts would have to be unquoted.
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    for _ in 0..300 {
        if device(mount).zip(device(&mount.join(".."))).is_some_and(|(inside, outside)| inside != outside) {
            return Ok(());
        }
        if server.try_wait().is_ok_and(|status| status.is_some()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("ntfs-3g did not mount '{}'", mount.display()))
}

/// Copies a folder into a volume; links, whose targets mean nothing there, are left out.
pub fn take_over(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(at(&here))?;
        if kind.is_dir() {
            take_over(&here, &there)?;
        } else if kind.is_file() {
            fs::copy(&here, &there).map_err(at(&there))?;
        }
    }
    Ok(())
}

/// Copies files of `seed` in until they have `bytes` bytes; the number of files and of bytes.
pub fn fill(volume: &Path, seed: u64, bytes: u64) -> Result<(u64, u64), String> {
    let (mut files, mut written) = (0, 0);
    for file in Files::new(seed) {
        if written >= bytes {
            break;
        }
        let folder = volume.join(format!("{seed:03}")).join(file.folder.to_string());
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let path = folder.join(&file.name);
        fs::write(&path, file.content()).map_err(at(&path))?;
        files += 1;
        written += file.len as u64;
    }
    Ok((files, written))
}

/// Deletes each file with a chance of `percent`; the number of files and of bytes.
pub fn thin(volume: &Path, seed: u64, percent: u64) -> Result<(u64, u64), String> {
    let mut dice = Dice::new(seed);
    let (mut files, mut bytes) = (0, 0);
    for path in walk(volume)? {
        if dice.below(100) < percent {
            bytes += fs::metadata(&path).map_err(at(&path))?.len();
            fs::remove_file(&path).map_err(at(&path))?;
            files += 1;
        }
    }
    Ok((files, bytes))
}

/// Writes `bytes` bytes anew in pieces of 4 KiB, inside the first of the files: what is written often lies together.
pub fn rewrite(volume: &Path, seed: u64, bytes: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let mut files = walk(volume)?;
    files.truncate(files.len().div_ceil(10));
    for _ in 0..bytes / 4096 {
        let path = &files[usize::try_from(dice.below(files.len() as u64)).expect("a list in memory")];
        let mut file = fs::OpenOptions::new().write(true).open(path).map_err(at(path))?;
        let len = file.metadata().map_err(at(path))?.len();
        let place = dice.below(len.div_ceil(4096).max(1)) * 4096;
        let piece = dice.bytes(usize::try_from((len - place.min(len)).min(4096)).expect("a piece is small"));
        file.seek(SeekFrom::Start(place)).and_then(|_| file.write_all(&piece)).map_err(at(path))?;
    }
    Ok(())
}

/// All files below the folder, in the order of their names.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            let kind = entry.file_type().map_err(at(&folder))?;
            if kind.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// Writes `$Bitmap`, which says what clusters are in use, to `to`; the number of those.
pub fn bitmap(volume: &Path, len: u64, to: &Path) -> Result<u64, String> {
    let output = Command::new("ntfscat")
        .args(["-i", "6"])
        .arg(volume)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("'ntfscat' could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("ntfscat: {}", String::from_utf8_lossy(&output.stderr)));
    }
    fs::write(to, &output.stdout).map_err(at(to))?;
    Ok((0..clusters(len)).filter(|cluster| is_used(&output.stdout, *cluster)).count() as u64)
}

/// Clusters of a volume of `len` bytes: the last sector is the copy of the boot sector.
pub fn clusters(len: u64) -> u64 {
    (len - 512) / CLUSTER
}

/// The bit of a cluster.
pub fn is_used(bitmap: &[u8], cluster: u64) -> bool {
    let byte = usize::try_from(cluster / 8).ok().and_then(|index| bitmap.get(index));
    byte.is_some_and(|byte| byte >> (cluster % 8) & 1 == 1)
}

/// The ranges of a sparse file that are not holes.
pub fn ranges(path: &Path) -> Result<Vec<Range<u64>>, String> {
    let text = output("qemu-img", &["map", "--output=json", "-f", "raw", &path.display().to_string()])?;
    let map: Value = serde_json::from_str(&text).map_err(|error| format!("qemu-img map: {error}"))?;
    let range = |entry: &Value| {
        let (start, length) = (entry["start"].as_u64()?, entry["length"].as_u64()?);
        (entry["data"] == true).then_some(start..start + length)
    };
    Ok(map.as_array().into_iter().flatten().filter_map(range).collect())
}
