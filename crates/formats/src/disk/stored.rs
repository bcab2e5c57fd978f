//! Where the bytes of a virtual disk lie in the files of its chain, for those who can take them from there without reading.

/// A place in a file of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Number of the layer; [`super::VirtualDisk::file`] gives its file.
    pub layer: usize,
    /// Offset in that file.
    pub at: u64,
}

/// A run of the virtual disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRun {
    /// Where all bytes of the run lie, one after the other and as the guest sees them; holes of the file are among them. `None`
    /// when they can only be read: nobody stores them, they are packed, or a log lies over them.
    pub place: Option<Stored>,
    /// Length in bytes, at least one.
    pub len: u64,
}
