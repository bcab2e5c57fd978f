//! Small volumes and disks of other kinds than NTFS, a few hundred KiB each, for changes of their bytes: ext2 and ext4, FAT, the marks of
//! what is only recognised, and partition tables around them.

mod ext;
mod fat;
mod marks;
mod table;

pub use ext::{ExtLayout, ExtVolume, FILES, ext};
pub use fat::{FatBits, fat};
pub use marks::{Mark, mark};
pub use table::{SECTOR, TableDisk, gpt, mbr};
