//! Virtual hard disk files of the source, as their headers describe them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::Place;
use crate::names::{ByteSize, WindowsPath};

/// One file that some machine or checkpoint uses, directly or as a parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiskFile {
    /// Path on the source.
    pub path: WindowsPath,
    /// Container format and type: `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `vhdx`, `raw`.
    pub format: String,
    /// Virtual size, bytes.
    pub virtual_size: ByteSize,
    /// Length of the file, bytes.
    pub file_size: ByteSize,
    /// Bytes of the file that hold guest data.
    pub allocated: ByteSize,
    /// Unique id.
    pub unique_id: String,
    /// The parent of a differencing disk, as the chain resolved it.
    pub parent: Option<WindowsPath>,
    /// Size by the footer's geometry where it differs from the current size.
    pub geometry_size: Option<ByteSize>,
    /// Oddities that do not endanger the content.
    pub remarks: Vec<String>,
    /// Where it was read.
    pub place: Place,
}
