//! A VHD with its parents: finds and checks each parent, then answers reads by asking the layers from the leaf down.

use std::collections::HashSet;

use crate::disk::{
    DiskError, Extent, ExtentKind, Layer, MAX_LAYERS, ParentGate, ParentRequest, ParentTime, VirtualDisk, check_range,
    read,
};
use crate::io::SharedFile;

use super::layer::{Place, VhdLayer};

/// A run of data may be reported in pieces of this size, so that no call walks all bitmaps of a large disk.
const DATA_RUN: u64 = 64 << 20;

/// A VHD of any kind, with its chain, open for reading.
pub struct VhdDisk {
    /// The leaf first, never empty.
    layers: Vec<VhdLayer>,
    infos: Vec<Layer>,
    size: u64,
}

/// Where bytes are stored: a layer, and the place in its file.
struct Stored<'a> {
    layer: &'a VhdLayer,
    at: u64,
}

impl VhdDisk {
    /// Opens the file and, through `gate`, its parents.
    pub fn open(file: SharedFile, gate: &dyn ParentGate, time: ParentTime) -> Result<Self, DiskError> {
        let leaf = VhdLayer::open(file)?;
        let size = leaf.size();
        let mut seen = HashSet::from([leaf.info.unique_id.clone()]);
        let mut layers = vec![leaf];
        while let Some(request) = next_request(&mut layers) {
            if layers.len() >= MAX_LAYERS {
                return Err(DiskError::TooDeep { file: request.child, limit: MAX_LAYERS });
            }
            let mut parent = find_parent(&request, gate, time)?;
            if !seen.insert(parent.info.unique_id.clone()) {
                let (parent, unique_id) = (parent.info.name, parent.info.unique_id);
                return Err(DiskError::Cycle { file: request.child, parent, unique_id });
            }
            let (own, child) = (parent.size(), layers.last().map_or(size, VhdLayer::size));
            if own != child {
                parent.info.remarks.push(format!("The disk has {own} bytes, its child '{}' {child}.", request.child));
            }
            layers.push(parent);
        }
        let infos = layers.iter().map(|layer| layer.info.clone()).collect();
        Ok(VhdDisk { layers, infos, size })
    }

    fn name(&self) -> &str {
        self.infos.first().map_or("", |info| &info.name)
    }

    /// Who stores `offset` (layer and place in its file; nobody: zeros), and for how many bytes, at most `max`.
    fn resolve(&self, offset: u64, max: u64) -> Result<(Option<Stored<'_>>, u64), DiskError> {
        let mut len = max;
        for layer in &self.layers {
            // A parent that is smaller than its child reads as zeros beyond its end, whatever lies below it.
            let Some(inside) = layer.size().checked_sub(offset).filter(|inside| *inside > 0) else {
                break;
            };
            let (place, run) = layer.place(offset, len.min(inside))?;
            len = run;
            if let Place::Stored(at) = place {
                return Ok((Some(Stored { layer, at }), len));
            }
        }
        Ok((None, len))
    }

    fn presence(&self, offset: u64, max: u64) -> Result<(ExtentKind, u64), DiskError> {
        let mut len = max;
        for layer in &self.layers {
            let Some(inside) = layer.size().checked_sub(offset).filter(|inside| *inside > 0) else {
                break;
            };
            let (data, run) = layer.presence(offset, len.min(inside))?;
            len = run;
            if data {
                return Ok((ExtentKind::Data, len));
            }
        }
        Ok((ExtentKind::Zero, len))
    }
}

impl VirtualDisk for VhdDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        check_range(self.name(), offset, 1, self.size)?;
        let (kind, mut len) = self.presence(offset, self.size - offset)?;
        while offset + len < self.size && !(kind == ExtentKind::Data && len >= DATA_RUN) {
            let next = offset + len;
            let (other, more) = self.presence(next, self.size - next)?;
            if other != kind {
                break;
            }
            len += more;
        }
        Ok(Extent { kind, start: offset, len })
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.name(), offset, buf.len() as u64, self.size)?;
        let (mut offset, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (stored, len) = self.resolve(offset, rest.len() as u64)?;
            // `len` is at most the length of `rest` and at least 1.
            let (part, after) = rest.split_at_mut(len as usize);
            match stored {
                Some(Stored { layer, at }) => read(&*layer.file, at, part)?,
                None => part.fill(0),
            }
            offset += len;
            rest = after;
        }
        Ok(())
    }

    fn layers(&self) -> &[Layer] {
        &self.infos
    }
}

/// What the last layer wants, with its depth filled in.
fn next_request(layers: &mut [VhdLayer]) -> Option<ParentRequest> {
    let depth = layers.len();
    let request = layers.last_mut()?.info.parent.as_mut()?;
    request.depth = depth;
    Some(request.clone())
}

/// Takes the first candidate that is the wanted disk. When none is, the first candidate's fault is the error.
fn find_parent(request: &ParentRequest, gate: &dyn ParentGate, time: ParentTime) -> Result<VhdLayer, DiskError> {
    let mut first_fault = None;
    let mut changed = None;
    for candidate in gate.candidates(request)? {
        let fault = match VhdLayer::open(candidate) {
            Err(error) => error,
            Ok(layer) if layer.info.unique_id != request.unique_id => DiskError::WrongParent {
                file: request.child.clone(),
                parent: layer.info.name,
                expected: request.unique_id.clone(),
                found: layer.info.unique_id,
            },
            Ok(mut layer) if request.timestamp == 0 => {
                let remark = format!("The child '{}' records no time stamp of this parent.", request.child);
                layer.info.remarks.push(remark);
                return Ok(layer);
            }
            Ok(layer) if layer.info.timestamp == request.timestamp => return Ok(layer),
            Ok(layer) => {
                changed.get_or_insert(layer);
                continue;
            }
        };
        first_fault.get_or_insert(fault);
    }
    match (changed, time) {
        (Some(mut layer), ParentTime::Accept) => {
            let (found, expected) = (layer.info.timestamp, request.timestamp);
            layer.info.remarks.push(format!(
                "The time stamp is {found}, the child '{}' recorded {expected}; accepted as asked for.",
                request.child
            ));
            Ok(layer)
        }
        (Some(layer), ParentTime::Strict) => Err(DiskError::ParentChanged {
            file: request.child.clone(),
            parent: layer.info.name,
            expected: request.timestamp,
            found: layer.info.timestamp,
        }),
        (None, _) => Err(first_fault.unwrap_or_else(|| missing(request))),
    }
}

fn missing(request: &ParentRequest) -> DiskError {
    let mut wanted: Vec<String> = request.locators.iter().map(|locator| format!("'{}'", locator.path)).collect();
    let name = format!("'{}'", request.name);
    if !request.name.is_empty() && !wanted.contains(&name) {
        wanted.push(name);
    }
    let wanted = if wanted.is_empty() { "no name at all (none is recorded)".to_owned() } else { wanted.join(", ") };
    DiskError::MissingParent { file: request.child.clone(), wanted, unique_id: request.unique_id.clone() }
}
