//! `hvmigrate demo`: a whole migration of a sample host to every kind of destination, to look at.

mod folder;
mod guest;
mod operator;
mod releases;
mod source;
mod stage;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Instant;

use hvm_testkit::sample::{SampleHost, Variant};

use crate::messages::{Exit, Failure};
use crate::output;
use crate::render::words::duration;
use stage::{Origin, Stage, Target};

const EXAMPLES: &str = "\
Examples:
  hvmigrate demo
  hvmigrate demo '/srv/try it'
  hvmigrate demo /srv/hosts/cluster --source-only cluster

The folder is replaced when the demo runs again; a folder that no demo made is left alone.";

/// Writes a sample host, migrates it to Windows Server 2012 … 2025 and to KVM, and proves the result
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder to work in
    #[arg(value_name = "DIR", default_value = "hvmigrate-demo")]
    folder: PathBuf,

    /// Write only a sample host into the folder, of this variant, and print the BLAKE3 of each disk
    #[arg(long, value_name = "VARIANT", value_parser = source::variant, num_args = 0..=1, default_missing_value = "default")]
    source_only: Option<Variant>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let start = Instant::now();
    let folder = folder::prepare(&args.folder)?;
    if let Some(variant) = args.source_only {
        return source::write(&folder, variant);
    }
    let host = sample(&folder)?;
    let before = look(&folder.join("source"))?;
    let origin = Origin::Sample(&host);
    let kit = Stage { folder: &folder, origin, target: Target::kit(&folder) };
    let mut all_good = kit.run()?;
    all_good &= releases::run(&folder, &host, &kit.document()?)?;
    all_good &= releases::newer(&folder)?;
    all_good &= Stage { folder: &folder, origin, target: Target::kvm(&folder) }.run()?;
    heading("The source, before and after")?;
    let after = look(&folder.join("source"))?;
    if before == after {
        let line = format!("{} files, folders and links: names, bytes and times are unchanged.\n", after.len());
        output::data(&line)?;
    } else {
        output::data("The source CHANGED; this must never happen.\n")?;
        all_good = false;
    }
    closing(&folder, start)?;
    Ok(if all_good { Exit::Done } else { Exit::Failed })
}

fn sample(folder: &Path) -> Result<SampleHost, Failure> {
    heading("A sample host: Windows Server 2008 R2 with Hyper-V, as its files")?;
    let source = folder.join("source");
    let host = hvm_testkit::sample::write(&source, Variant::Default)
        .map_err(|error| Failure::failed("The sample host could not be written.").caused_by(error))?;
    let mut text = format!("{} in {}\n", host.computer_name, source.display());
    for machine in &host.machines {
        text.push_str(&format!("  {}\n", machine.name));
    }
    output::data(&text)?;
    Ok(host)
}

fn look(source: &Path) -> Result<tree::Tree, Failure> {
    tree::look(source).map_err(|error| Failure::failed("The source could not be looked at.").caused_by(error))
}

fn closing(folder: &Path, start: Instant) -> Result<(), Failure> {
    heading("Where to look")?;
    let mut text = String::new();
    for (name, what) in [
        ("report-kit/report.html", "the migration to Windows Server 2012"),
        ("report-kvm/report.html", "the migration to KVM"),
        ("kit", "disks, machines and scripts for Windows Server 2012"),
        ("kit-2025", "the same for Windows Server 2025; kit-2012R2, kit-2016, kit-2019 and kit-2022 beside it"),
        ("kvm", "disks and libvirt XML"),
        ("source", "the sample host"),
        ("source-2019", "a host of Windows Server 2019; kit-of-2019-2012 and so on are its kits"),
    ] {
        text.push_str(&format!("  {}  ({what})\n", folder.join(name).display()));
    }
    text.push_str(&format!("The demo took {}.\n", duration(start.elapsed().as_secs_f64())));
    output::data(&text)
}

/// A heading between the parts of the demo.
fn heading(title: &str) -> Result<(), Failure> {
    output::data(&format!("\n== {title}\n"))
}
