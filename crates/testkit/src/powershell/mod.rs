//! A strict interpreter of the part of Windows PowerShell 3 that the scripts of a kit use.
//!
//! It is for tests: what it does not know is a fault that names line and construct and that no `catch` takes, so a script that
//! runs here was understood word by word. Semantics follow the language specification of PowerShell 3.0; where a stricter and
//! a laxer reading exist, the stricter one is taken: parameters have to be named in full, prompts are errors, and any error
//! of a command ends the script unless it is caught.

mod ast;
mod bind;
mod builtin;
mod computer;
mod descriptor;
mod evaluate;
mod expression;
mod json;
mod methods;
mod operators;
mod parse;
mod pattern;
mod security;
mod shell;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod wildcard;

pub use computer::{Accepted, Call, Computer, Run, Signature, Stop, fault, thrown};
pub use descriptor::{Child, Descriptor, Entry};
pub use parse::script as parse;
pub use shell::{Cache, End, Outcome, Shell};
pub use value::{Hash, List, ListKind, Object, Value, Word};
pub use wildcard::is_like;
