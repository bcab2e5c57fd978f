//! What is inside a disk, read-only and without an appliance: partition tables, file systems, and the operating systems on
//! them. NTFS, MBR and GPT are read by code of this folder, files of ext by the crate `ext4-view`. What is read, and what is
//! refused, is in `FORMAT.md` beside this file.

mod bytes;
mod crc;
mod error;
mod ext;
mod fat;
mod free;
mod inspect;
pub mod ntfs;
mod recognise;
mod system;
mod table;
mod unused;

pub use bytes::{DiskBytes, Slice};
pub use error::GuestFsError;
pub use ext::{Ext, ExtFreeRuns};
pub use fat::{FatUsage, fat_usage};
pub use free::FreeRuns;
pub use inspect::{DiskContents, PartitionContents, inspect, inspect_bytes, volume};
pub use ntfs::Ntfs;
pub use recognise::{FileSystem, FsKind, recognise};
pub use system::{
    DriverStart, GuestAdapter, GuestDriver, GuestSystem, HiveReading, SystemKind, linux_adapters, prefix_length,
    windows_by_hives,
};
pub use table::{Finding, Partition, PartitionTable, TableKind, read_table};
pub use unused::{FreeSpace, FreeSpaceError, UnusedError, UsedDisk, UsedVolume};
