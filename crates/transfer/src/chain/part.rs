//! Layers of a chain that lie on each other, taken as one.

use hvm_formats::disk::{DiskError, Holding, LayerRun, SharedDisk};

/// `count` layers of a chain from `first` on, counted from the leaf.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    disk: &'a SharedDisk,
    first: usize,
    count: usize,
}

impl<'a> Part<'a> {
    /// One layer.
    pub(super) fn layer(disk: &'a SharedDisk, layer: usize) -> Self {
        Part { disk, first: layer, count: 1 }
    }

    /// The leaf and what lies between it and the layer number `count`.
    pub(super) fn above(disk: &'a SharedDisk, count: usize) -> Self {
        Part { disk, first: 0, count }
    }

    /// Virtual size, bytes.
    pub(super) fn size(&self) -> u64 {
        self.disk.layers().get(self.first).map_or(0, |layer| layer.virtual_size)
    }

    /// Name of its uppermost file.
    pub(super) fn name(&self) -> &'a str {
        self.disk.layers().get(self.first).map_or("", |layer| &layer.name)
    }

    /// What the part itself says of the bytes from `at` on.
    pub(super) fn run(&self, at: u64) -> Result<LayerRun, DiskError> {
        let mut len = u64::MAX;
        for layer in self.first..self.first + self.count {
            let run = self.disk.layer_run(layer, at)?;
            len = len.min(run.len);
            if run.holds != Holding::Absent {
                return Ok(LayerRun { holds: run.holds, start: at, len });
            }
            // A layer that is shorter than the one above it says nothing of what lies behind its end.
            if self.disk.layers().get(layer + 1).is_some_and(|below| below.virtual_size <= at) {
                break;
            }
        }
        Ok(LayerRun { holds: Holding::Absent, start: at, len })
    }

    /// What the chain holds from this part down.
    pub(super) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read_from_layer(self.first, at, buffer)
    }
}
