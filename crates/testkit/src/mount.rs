//! Taking volumes off that tests have mounted.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Takes off what is mounted at `mount`. A program that another thread starts just now has for a moment all files that are
/// open here, those on the volume as well; so it is tried for some seconds. What `umount` said last.
pub fn unmount(mount: &Path) -> Result<(), String> {
    let mut said = String::new();
    for _ in 0..250 {
        match Command::new("umount").arg(mount).output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => said = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => return Err(format!("umount could not be started: {error}")),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(said)
}
