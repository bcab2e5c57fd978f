//! Registry hives ("regf", minor versions 2 to 6) read from bytes, with a dirty hive's transaction logs replayed into memory.
//! The layout is that of M. Suhanov, "Windows registry file format specification"; what of it was checked, and on which files,
//! is in `FORMAT.md` beside this file. Nothing is ever written.

mod base;
mod cell;
mod error;
mod hive;
mod key;
mod list;
mod log_new;
mod log_old;
mod marvin;
mod recover;
mod value;

pub use error::RegfError;
pub use hive::{Hive, HiveState};
pub use key::Key;
pub use value::{RegValue, RegValueKind};

/// Deepest key that is followed: the limit of Windows itself.
pub const MAX_DEPTH: usize = 512;

/// The name of the control set that `\Select\Current` of a SYSTEM hive points at, such as `ControlSet001`.
pub fn current_control_set(hive: &Hive) -> Result<String, RegfError> {
    let missing = |found: &str| RegfError::NoControlSet { file: hive.file().to_owned(), found: found.to_owned() };
    let select = hive.key("Select")?.ok_or_else(|| missing("no key \\Select"))?;
    let number = select.value("Current")?.ok_or_else(|| missing("no value 'Current' in \\Select"))?.as_dword()?;
    let name = format!("ControlSet{number:03}");
    match hive.key(&name)? {
        Some(_) => Ok(name),
        None => Err(missing(&format!("\\Select\\Current = {number}, but no key \\{name}"))),
    }
}

#[cfg(test)]
mod tests;
