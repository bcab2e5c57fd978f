//! Where the password of a host comes from: a file, a descriptor, the system's keyring, or the person at the terminal. There is no option that takes
//! it itself, since arguments can be seen by everybody on this computer.

use std::path::PathBuf;

use hvm_engine::{PasswordError, PasswordWanted, Secret, Side};

/// The options for the password of a destination 'winrm://'.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PasswordArgs {
    /// Reads the password for a destination 'winrm://' from the first line of a file that only you can read
    #[arg(long, value_name = "FILE", help_heading = "Password of the destination")]
    password_file: Option<PathBuf>,
    /// Reads it from a file descriptor that is open, e.g. '3' with '3< <(pass hv2)'
    #[arg(long, value_name = "N", conflicts_with = "password_file", help_heading = "Password of the destination")]
    password_fd: Option<u32>,
    /// Takes it from the keyring of this system, where it is called 'hvmigrate:USER@HOST'; without these options you are asked
    #[arg(long, conflicts_with_all = ["password_file", "password_fd"], help_heading = "Password of the destination")]
    password_keyring: bool,
}

/// The options for the passwords of a source 'winrm://' or 'smb://' and a destination 'winrm://'.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PasswordsArgs {
    #[command(flatten)]
    destination: PasswordArgs,
    /// Reads the password for a source 'winrm://' or 'smb://' from the first line of a file that only you can read
    #[arg(long, value_name = "FILE", help_heading = "Password of the source")]
    source_password_file: Option<PathBuf>,
    /// Reads it from a file descriptor that is open
    #[arg(long, value_name = "N", conflicts_with = "source_password_file", help_heading = "Password of the source")]
    source_password_fd: Option<u32>,
    /// Takes it from the keyring of this system, where it is called 'hvmigrate:USER@HOST'; without these options you are asked
    #[arg(long, conflicts_with_all = ["source_password_file", "source_password_fd"], help_heading = "Password of the source")]
    source_password_keyring: bool,
}

impl From<&PasswordArgs> for PasswordsArgs {
    fn from(destination: &PasswordArgs) -> Self {
        PasswordsArgs { destination: destination.clone(), ..PasswordsArgs::default() }
    }
}

impl PasswordsArgs {
    /// The password; `None` when no option gives it and nobody sits at a terminal.
    pub fn password(&self, wanted: &PasswordWanted) -> Result<Option<Secret>, PasswordError> {
        let to = &self.destination;
        let given = match wanted.side {
            Side::Source => (&self.source_password_file, self.source_password_fd, self.source_password_keyring),
            Side::Destination => (&to.password_file, to.password_fd, to.password_keyring),
        };
        match given {
            (Some(path), _, _) => hvm_engine::password_file(path).map(Some),
            (None, Some(number), _) => hvm_engine::password_descriptor(number).map(Some),
            (None, None, true) => hvm_engine::password_keyring(wanted).map(Some),
            (None, None, false) => ask(wanted),
        }
    }
}

fn ask(wanted: &PasswordWanted) -> Result<Option<Secret>, PasswordError> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Ok(None);
    }
    crate::output::note(&format!("Password of {} on {}:", wanted.user, wanted.host));
    let read = terminal.read_secure_line();
    let failed = |source| PasswordError::Io { path: PathBuf::from("the terminal"), action: "read", source };
    let text = read.map_err(failed)?;
    Ok(if text.is_empty() { None } else { Some(Secret::new(text)) })
}
