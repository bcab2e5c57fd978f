//! Plain sectors: the file is the disk. Holes of the file are reported as zeros where the system tells them.

mod write;

pub use write::RawWriter;

use crate::disk::{
    DiskError, Extent, ExtentKind, Layer, LayerFormat, Stored, StoredRun, VirtualDisk, check_range, read,
};
use crate::io::{ReadAt, SharedFile};

/// A raw disk, open for reading.
pub struct RawDisk {
    file: SharedFile,
    layers: [Layer; 1],
}

impl RawDisk {
    /// Takes the whole file for the content of the disk.
    pub fn open(file: SharedFile) -> Result<Self, DiskError> {
        if file.is_empty() {
            return Err(DiskError::EmptyDisk { file: file.name().to_owned(), offset: 0 });
        }
        let layers = [layer(&*file)];
        Ok(RawDisk { file, layers })
    }
}

/// What can be said of a raw file without reading it.
pub fn layer(file: &dyn ReadAt) -> Layer {
    let mut remarks = Vec::new();
    if !file.len().is_multiple_of(512) {
        remarks.push(format!("The length of {} bytes is not a whole number of 512-byte sectors.", file.len()));
    }
    Layer {
        name: file.name().to_owned(),
        format: LayerFormat::Raw,
        file_size: file.len(),
        virtual_size: file.len(),
        allocated: file.len(),
        block_size: 0,
        sector_size: 512,
        physical_sector_size: 512,
        unique_id: String::new(),
        disk_id: String::new(),
        timestamp: 0,
        creator: String::new(),
        geometry_size: None,
        headers: Vec::new(),
        parent: None,
        remarks,
    }
}

impl VirtualDisk for RawDisk {
    fn size(&self) -> u64 {
        self.file.len()
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        check_range(self.file.name(), offset, 1, self.size())?;
        let (data, end) = self.file.run(offset);
        let end = end.clamp(offset + 1, self.size());
        let kind = if data { ExtentKind::Data } else { ExtentKind::Zero };
        Ok(Extent { kind, start: offset, len: end - offset })
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.file.name(), offset, buf.len() as u64, self.size())?;
        read(&*self.file, offset, buf)
    }

    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        check_range(self.file.name(), offset, max, self.size())?;
        Ok(StoredRun { place: Some(Stored { layer: 0, at: offset }), len: max })
    }

    fn file(&self, layer: usize) -> Option<SharedFile> {
        (layer == 0).then(|| SharedFile::clone(&self.file))
    }
}
