//! The container of virtual machine configurations of Windows Server 2016 and later (`.vmcx`), of the list of machines of a
//! host (`data.vmcx`) and of saved and runtime states (`.vmrs`): a tree of typed values in tables, which is given as the tree
//! that configurations in XML give. What is known, and from where, is in `FORMAT.md` beside this file.

mod bytes;
mod crc;
mod error;
mod file;
mod header;
mod keys;
mod log;
mod objects;
mod tree;

pub use crc::crc32;
pub use error::HvsError;
pub use file::{HvsFile, Wanted};

/// Most object tables of one file: 226 objects each, and a saved state has an object for each MiB of memory.
pub const MAX_OBJECT_TABLES: usize = 1 << 16;
/// Most entries of one object table. Real ones have 227.
pub const MAX_TABLE_ENTRIES: u32 = 4096;
/// Largest key table, bytes. Real ones have 4096.
pub const MAX_KEY_TABLE: u64 = 16 << 20;
/// Most bytes of all key tables together. Real configurations have some 30 KiB.
pub const MAX_KEY_BYTES: u64 = 64 << 20;
/// The same, where only the names at the top are wanted and the tables are read one after the other.
pub const MAX_KEY_BYTES_SEEN: u64 = 4 << 30;
/// Most keys of a file. Real configurations have some 400.
pub const MAX_KEYS: usize = 500_000;
/// Most bytes of all values outside of key tables together.
pub const MAX_OBJECT_BYTES: u64 = 64 << 20;
/// Deepest nesting of keys, as in XML.
pub const MAX_DEPTH: usize = crate::vmxml::MAX_DEPTH;
/// Most entries of a replay log. Real logs have room for 145, the largest alignment for 2339.
pub const MAX_LOG_ENTRIES: u64 = 4096;
/// Most bytes that a replay log may hold. Real logs have 20 to 36 KiB.
pub const MAX_LOG: u64 = 64 << 20;
