//! CLIXML, the form in which PowerShell remoting sends values (MS-PSRP 2.2.5).

mod name;
mod read;
mod value;
mod write;

pub use read::read;
pub use value::{Base, ListKind, Object, Value};
pub use write::write;

#[cfg(test)]
mod tests;
