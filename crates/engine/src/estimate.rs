//! How long it will take, from rates that are measured on the spot: a piece of the source is read, a file of the same
//! length is written and flushed where the disks will lie.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hvm_formats::disk::{ExtentKind, VirtualDisk};
use hvm_model::names::ByteSize;
use hvm_model::plan::{Estimate, MachineEstimate};
use hvm_model::role::{Role, RoleMachine};
use hvm_sources::source::Source;

use crate::error::EngineError;
use crate::role::open_placed;

/// Most bytes that are read or written to measure.
const SAMPLE: u64 = 64 << 20;

/// Rate that is assumed when there is nothing to measure, bytes per second.
const ASSUMED: f64 = 100e6;

/// Measures and reckons.
pub(crate) fn estimate(source: &dyn Source, root: &Path, role: &Role) -> Result<Estimate, EngineError> {
    let (read_bytes, read_rate) = measure_read(source, role)?;
    let (write_bytes, write_rate) = measure_write(root)?;
    let rate = read_rate.min(write_rate).max(1.0);
    let bytes: u64 = role.machines.iter().fold(0, |sum, machine| sum.saturating_add(bytes_of(machine)));
    let seconds = bytes as f64 / rate;
    let machine = |machine: &RoleMachine| MachineEstimate {
        id: machine.id.clone(),
        name: machine.name.clone(),
        bytes: ByteSize(bytes_of(machine)),
        seconds: bytes_of(machine) as f64 / rate,
        downtime_seconds: seconds,
    };
    Ok(Estimate {
        read_rate,
        write_rate,
        basis: format!(
            "measured: {} read from the source, {} written and flushed",
            ByteSize(read_bytes),
            ByteSize(write_bytes)
        ),
        bytes: ByteSize(bytes),
        seconds,
        machines: role.machines.iter().map(machine).collect(),
    })
}

fn bytes_of(machine: &RoleMachine) -> u64 {
    let disks = machine.disks.iter().map(|disk| disk.stored.0);
    let images = machine.images.iter().map(|image| image.file.size.0);
    disks.chain(images).fold(0, u64::saturating_add)
}

fn measure_read(source: &dyn Source, role: &Role) -> Result<(u64, f64), EngineError> {
    let started = Instant::now();
    let mut read = 0;
    for disk in role.machines.iter().flat_map(|machine| &machine.disks) {
        if read >= SAMPLE {
            break;
        }
        let disk = open_placed(source, disk)?;
        read += read_data(&*disk, SAMPLE - read)?;
    }
    Ok((read, rate(read, started)))
}

fn read_data(disk: &dyn VirtualDisk, most: u64) -> Result<u64, EngineError> {
    let mut buffer = vec![0; 1 << 20];
    let (mut offset, mut read) = (0, 0);
    while offset < disk.size() && read < most {
        let extent = disk.extent(offset)?;
        let end = extent.start.saturating_add(extent.len).min(disk.size());
        if extent.kind == ExtentKind::Zero || end <= offset {
            offset = end.max(offset + 1);
            continue;
        }
        let len = (end - offset).min(buffer.len() as u64) as usize;
        disk.read_at(offset, buffer.get_mut(..len).unwrap_or_default())?;
        offset += len as u64;
        read += len as u64;
    }
    Ok(read)
}

fn measure_write(root: &Path) -> Result<(u64, f64), EngineError> {
    let Some(folder) = nearest(root) else { return Ok((0, ASSUMED)) };
    let path = folder.join(format!(".hvmigrate-rate-{}", std::process::id()));
    let started = Instant::now();
    let written = write_sample(&path);
    let rate = rate(SAMPLE, started);
    written.map_err(EngineError::io("written to measure the rate", &path))?;
    Ok((SAMPLE, rate))
}

fn write_sample(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    // The name goes at once, so that a run that is killed here leaves nothing behind.
    fs::remove_file(path)?;
    // Bytes that no file system compresses away.
    let mut piece = vec![0; 1 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut piece);
    for _ in 0..SAMPLE / piece.len() as u64 {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

/// The folder itself, or the nearest one above it that exists.
fn nearest(root: &Path) -> Option<PathBuf> {
    let there = |path: &&Path| if path.as_os_str().is_empty() { Path::new(".").is_dir() } else { path.is_dir() };
    root.ancestors()
        .find(there)
        .map(|path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() })
}

fn rate(bytes: u64, started: Instant) -> f64 {
    let seconds = started.elapsed().as_secs_f64();
    if bytes == 0 || seconds <= 0.0 { ASSUMED } else { bytes as f64 / seconds }
}
