//! `hvmigrate plan`: decides what becomes of each machine and writes the steps into a work folder.

use std::path::PathBuf;

use hvm_engine::PlanRequest;
use hvm_model::plan::Verdict;

use super::Format;
use super::choices::ChoiceArgs;
use super::password::PasswordsArgs;
use crate::messages::{Exit, Failure, shell_quote};
use crate::progress::Progress;
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate plan --from folder:/mnt/old --to libvirt-files:/srv/vms --work ./work
  hvmigrate plan --from folder:/mnt/old --to 'kit:/srv/kit?os=2012' --work ./work \\
      --exclude 'Old test' --answer 'machine.saved-state@Web=discard' --map-nic 'LAN=Ethernet 2'
  hvmigrate plan --from folder:/mnt/old --to 'winrm://hv2/D:/Kit?user=HV2%5CAdministrator' \\
      --password-file ~/hv2.password --work ./work
  hvmigrate plan --from folder:E:/old --to local:D:/Kit --work ./work    (on the new host itself)

The exit code is 3 when a machine stays blocked; the others can be migrated all the same.";

/// Plans a migration: what becomes of each machine, which steps in which order, how long
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The old host
    #[arg(long, value_name = "URI")]
    from: String,
    /// The new host
    #[arg(long, value_name = "URI")]
    to: String,
    /// Folder for the plan, the journal and the manifests; made when it does not exist
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
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
    let request = PlanRequest {
        from: args.from.clone(),
        to: args.to.clone(),
        choices: args.choices.choices()?,
        work: args.work.clone(),
    };
    let progress = Progress::asking(args.password.clone());
    let (plan, assessment) = hvm_engine::plan(request, &progress)?;
    progress.end();
    match args.format {
        Format::Text => output::data(&render::text::plan(&plan))?,
        Format::Json => output::json(&plan)?,
    }
    // Said beside the plan too, because a misspelt answer changes nothing in it.
    for finding in assessment.findings.iter().filter(|finding| finding.rule.starts_with("answer.")) {
        output::note(&format!("Warning: {}", finding.message));
    }
    let blocked = plan.machines.iter().any(|machine| matches!(machine.verdict, Verdict::Blocked { .. }));
    if blocked || !plan.blocked.is_empty() {
        let open: Vec<_> = assessment.findings.iter().filter(|finding| finding.is_open()).collect();
        for finding in open {
            for answer in &finding.answers {
                let text = render::assessment::answer_text(&assessment.findings, finding, &answer.value);
                output::note(&format!("Hint: --answer {text}  ({})", answer.effect));
            }
        }
        return Ok(Exit::Blocked);
    }
    output::note(&format!("Next: hvmigrate migrate --work {}", shell_quote(&args.work.to_string_lossy())));
    Ok(Exit::Done)
}
