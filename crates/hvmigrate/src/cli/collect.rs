//! `hvmigrate collect`: takes what an assessment needs from a running host.

use std::path::PathBuf;

use hvm_engine::Collected;

use crate::messages::{Exit, Failure, shell_quote};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  hvmigrate collect --script ./for-the-host       (here: writes collect.cmd, to be copied to the host)
  collect.cmd E:\\collected                        (on the host, as administrator)
  hvmigrate assess --from folder:./collected --to libvirt-files:/srv/vms

On the host itself, where hvmigrate.exe runs there:
  hvmigrate collect E:\\collected

The collection holds registry hives, configurations, answers to WMI queries and checksums, and no
disks. Nothing on the host is changed but that folder. It tells whoever reads it how the host is
set up: treat it as confidential.";

/// Takes what an assessment needs from a running host, without its disks
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// New folder for the collection of this computer, a Windows with Hyper-V
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Writes the script that does the same on a host without hvmigrate, from Windows Server 2008 SP2 on
    #[arg(long, value_name = "DIR")]
    script: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(folder) = &args.script {
        for path in hvm_engine::write_collector(folder)? {
            output::note(&format!("Written: {}", path.display()));
        }
        output::note("Copy both files to the host and run 'collect.cmd FOLDER' there as administrator.");
        return Ok(Exit::Done);
    }
    let Some(folder) = &args.folder else { return Err(Failure::failed("Name a folder, or '--script DIR'.")) };
    match hvm_engine::collect(folder)? {
        Collected::Whole => Ok(Exit::Done),
        Collected::WithGaps => {
            let log = shell_quote(&folder.join("collect.log").display().to_string());
            Err(Failure::failed("Not everything could be collected.")
                .hint(format!("see {log} for what is missing and why")))
        }
    }
}
