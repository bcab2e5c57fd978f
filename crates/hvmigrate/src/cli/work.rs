//! The options of the verbs that go on with a work folder.

use std::path::PathBuf;

use crate::messages::shell_quote;

/// The work folder of a migration.
#[derive(Debug, clap::Args)]
pub struct WorkArgs {
    /// The work folder that `plan` made
    #[arg(long, value_name = "DIR")]
    pub work: PathBuf,
}

impl WorkArgs {
    /// The folder as it can be pasted.
    pub fn quoted(&self) -> String {
        shell_quote(&self.work.to_string_lossy())
    }
}

/// Account that runs the program, for the journal.
pub fn account() -> String {
    ["USER", "USERNAME", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "an account without a name".to_owned())
}
