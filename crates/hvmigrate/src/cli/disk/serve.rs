//! `hvmigrate disk serve`.

use std::path::PathBuf;

use hvm_engine::Listen;

use super::DiskArgs;
use crate::messages::{Exit, Failure};
use crate::output;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("where").required(true))]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// Serves on this unix socket, which only its owner can use
    #[arg(long, value_name = "PATH", group = "where")]
    socket: Option<PathBuf>,
    /// Serves on this TCP port of 127.0.0.1, for everybody on this computer; 0 takes a free one
    #[arg(long, value_name = "PORT", group = "where")]
    port: Option<u16>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let listen = match &args.socket {
        Some(path) => Listen::Unix(path.clone()),
        None => Listen::Loopback(args.port.unwrap_or(0)),
    };
    let server = hvm_engine::disk_serve(&args.disk.file, &args.disk.options(), &listen)?;
    output::data(&format!("{}\n", server.uri()))?;
    output::note("Serving read-only until this program is ended (Ctrl-C).");
    server.run()?;
    Ok(Exit::Done)
}
