//! Boots the migrated machine and reads what it prints on its serial port.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Seconds after which a guest that has not powered off is taken for hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Boot {
    /// The guest printed this and powered off.
    Printed(String),
    /// It could not be tried.
    Skipped(String),
    /// The emulator failed, or the guest did not end in time.
    Failed(String),
}

/// QEMU, when it is installed.
pub fn qemu() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("qemu-system-x86_64")).find(|program| program.is_file())
}

/// Boots from disks in the order of their IDE slots. `snapshot=on`: the guest's writes go to a temporary file, never to
/// the migrated disk. Only TCG, which every machine has.
pub fn boot(disks: &[PathBuf], format: &str, log: &Path) -> io::Result<Boot> {
    let Some(qemu) = qemu() else {
        return Ok(Boot::Skipped("qemu-system-x86_64 is not installed".to_owned()));
    };
    let mut command = Command::new(qemu);
    command.args(["-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot", "-m", "64", "-serial"]);
    command.arg(format!("file:{}", log.display()));
    for (index, disk) in disks.iter().enumerate() {
        // QEMU reads a comma as the end of a value; a doubled one stands for itself.
        let file = disk.to_string_lossy().replace(',', ",,");
        let size = if format == "vpc" { ",force_size_calc=current_size" } else { "" };
        command.arg("-drive");
        command.arg(format!("file={file},format={format}{size},if=ide,index={index},media=disk,snapshot=on"));
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
            return Ok(if status.success() {
                Boot::Printed(text)
            } else {
                Boot::Failed(format!("QEMU ended with {status}"))
            });
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(Boot::Failed(format!("the guest did not power off within {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
