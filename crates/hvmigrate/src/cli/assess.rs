//! `hvmigrate assess`: reads a source and judges it.

use super::Format;
use super::choices::ChoiceArgs;
use super::password::PasswordsArgs;
use crate::messages::{Exit, Failure};
use crate::progress::Progress;
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate assess --from 'folder:/mnt?c=/mnt/c&d=/mnt/d'
  hvmigrate assess --from image:/dev/sdb,/srv/data.vhdx
  hvmigrate assess --from 'winrm://hv1?user=HV1%5CAdministrator' --source-password-file ~/hv1.password
  hvmigrate assess --from 'smb://HV1%5CAdministrator@hv1/'
  hvmigrate assess --from folder:/mnt/old --policy guide \\
      --to 'kit:/srv/kit?os=2012&processors=8&memory=32GiB'
  hvmigrate assess --from folder:/mnt/old --to libvirt-files:/srv/vms --format json > a.json

The exit code is 3 when a finding blocks something and is not answered.";

/// Reads a source and says what the guide says of it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The old host, e.g. 'folder:/mnt?c=/mnt/c&d=/mnt/d', or 'winrm://HOST?user=USER' when it runs, or its shares 'smb://USER@HOST/'
    #[arg(long, value_name = "URI")]
    from: String,
    /// The new host, e.g. 'kit:DIR?os=2012' or 'libvirt-files:DIR'; without it only the source is judged
    #[arg(long, value_name = "URI")]
    to: Option<String>,
    #[command(flatten)]
    choices: ChoiceArgs,
    #[command(flatten)]
    password: PasswordsArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let choices = args.choices.choices()?;
    let assessment =
        hvm_engine::assess(&args.from, args.to.as_deref(), choices, &Progress::asking(args.password.clone()))?;
    match args.format {
        Format::Text => output::data(&render::assessment::text(&assessment))?,
        Format::Json => output::json(&render::assessment::document(&assessment))?,
    }
    let open = assessment.findings.iter().any(|finding| finding.is_open());
    Ok(if open { Exit::Blocked } else { Exit::Done })
}
