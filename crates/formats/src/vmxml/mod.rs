//! The configuration file of a virtual machine as XML (configuration versions 1.0 to 5.0): a generic tree that keeps
//! everything it does not know and writes an untouched file back byte for byte. There is no public specification; what is
//! known, and from which files, is in `FORMAT.md` beside this file.

mod document;
mod encoding;
mod error;
mod node;
mod parse;
mod path;
mod scan;
mod write;

pub use document::{Document, Leaves};
pub use encoding::{Encoding, LineEnd, TextForm};
pub use error::VmXmlError;
pub use node::{Attribute, Content, Node, Position, Value, ValueKind, WrongValue};

/// Largest file that is read, in bytes. Real files have 40 to 200 KiB; the bound keeps a wrong file from taking all memory.
pub const MAX_FILE: usize = 16 << 20;
/// Deepest nesting of elements that is read. Real files have 9 levels; the bound keeps recursion short.
pub const MAX_DEPTH: usize = 64;
/// Most XML nodes (elements, texts, comments) of one file. Real files have about 1000.
pub const MAX_NODES: u32 = 500_000;
/// Longest element name in bytes. Real names have at most 60.
pub const MAX_NAME: usize = 512;
/// Most attributes of one element. Real files have one.
pub const MAX_ATTRIBUTES: usize = 32;
/// Most namespace declarations of one file. Real files have none.
pub const MAX_NAMESPACES: usize = 32;

#[cfg(test)]
mod tests;
