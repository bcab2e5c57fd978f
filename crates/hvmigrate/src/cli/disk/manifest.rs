//! `hvmigrate disk manifest` and `hvmigrate disk verify`.

use std::path::PathBuf;

use hvm_engine::{DiskProof, NewKey};

use super::DiskArgs;
use crate::cli::Format;
use crate::messages::{Exit, Failure, shell_quote};
use crate::output;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// Writes the manifest to this new file instead of printing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Signs with the Ed25519 key in this file (PEM), which only its owner may read
    #[arg(long, value_name = "FILE", conflicts_with = "new_key")]
    key: Option<PathBuf>,
    /// Makes a key, writes it to this new file, and signs with it
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
}

pub(super) fn make(args: &MakeArgs) -> Result<Exit, Failure> {
    if let Some(output) = args.output.as_ref().filter(|output| output.exists()) {
        let message = format!("'{}' exists already; it is left alone.", output.display());
        return Err(Failure::failed(message).hint("give another name, or move the file away"));
    }
    let key = match (&args.key, &args.new_key) {
        (Some(key), _) => Some((key.as_path(), NewKey::Read)),
        (None, Some(key)) => Some((key.as_path(), NewKey::Make)),
        (None, None) => None,
    };
    let progress = Progress::new();
    let made = hvm_engine::disk_manifest(&args.disk.file, &args.disk.options(), args.output.as_deref(), key, &progress);
    progress.end();
    let made = made?;
    match &args.output {
        Some(output) => output::data(&format!("{}  {}\n", made.content, output.display()))?,
        None => output::data(&(output::json_visible(&made.json) + "\n"))?,
    }
    if let Some(public) = &made.public_key {
        output::note(&format!("Signed; the public key is {public}"));
    }
    if let (Some(output), Some(public)) = (&args.output, &made.public_key) {
        let (file, output) = (args.disk.file.display().to_string(), output.display().to_string());
        let (file, output) = (shell_quote(&file), shell_quote(&output));
        output::note(&format!("Check a copy with: hvmigrate disk verify {file} {output} --public-key {public}"));
    }
    Ok(Exit::Done)
}

#[derive(clap::Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    disk: DiskArgs,
    /// The manifest
    manifest: PathBuf,
    /// Believes only a manifest that is signed with this key: 64 hex digits or a PEM file
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    let progress = Progress::new();
    let paths = (args.disk.file.as_path(), args.manifest.as_path());
    let proof = hvm_engine::disk_verify(paths, &args.disk.options(), args.public_key.as_deref(), &progress);
    progress.end();
    let proof = proof?;
    match args.format {
        Format::Text => output::data(&text(&proof))?,
        Format::Json => output::json(&proof)?,
    }
    Ok(if proof.same { Exit::Done } else { Exit::Differs })
}

fn text(proof: &DiskProof) -> String {
    let mut out = String::new();
    for difference in &proof.differences {
        let place = if difference.in_file { "file offset" } else { "virtual offset" };
        out.push_str(&format!("{place} {}, {} bytes: {}\n", difference.start, difference.length, difference.detail));
    }
    let what = match (proof.file_compared, proof.file_described) {
        (true, _) => "content and file",
        (false, true) => "content only, as the file has another format than the manifest describes",
        (false, false) => "content only, as the manifest describes no file",
    };
    let verdict = if proof.same { "nothing differs" } else { "the copy is not what the manifest describes" };
    out.push_str(&format!("Compared {} bytes ({what}): {verdict}.\n", proof.size));
    out.push_str(&match (&proof.signed_by, proof.key_expected) {
        (None, _) => "The manifest is not signed.\n".to_owned(),
        (Some(key), true) => format!("The manifest is signed with the expected key {key}.\n"),
        (Some(key), false) => {
            format!("The manifest is signed with the key {key}; whose that is was not checked (--public-key).\n")
        }
    });
    out
}
