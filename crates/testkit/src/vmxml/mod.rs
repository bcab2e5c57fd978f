//! Virtual machine configuration XML as Hyper-V writes it: [`Node`] is the tree and its bytes, [`MachineXml`] the
//! typed way to make one. The rules (UTF-16LE with BOM, CRLF, two spaces, siblings in ordinal order, four leaf types)
//! were read off real files of version 5.0; that 3.0 follows them too is the best that is known.

mod machine;
mod tree;

pub use machine::{
    Checkpoint, Drive, DriveSlot, IDE_CONTROLLER, MachineXml, Media, Memory, Nic, NicKind, Processors, SavedState, VSS,
};
pub use tree::Node;
