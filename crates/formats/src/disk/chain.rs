//! A disk with its parents: finds and checks each parent, then answers reads by asking the layers from the leaf down.
//! The same for every format that has parents; a chain never mixes formats.

use std::collections::HashSet;

use super::{
    DiskError, Extent, ExtentKind, Holding, Layer, LayerRun, MAX_LAYERS, OpenOptions, ParentGate, ParentRequest,
    ParentTime, Stored, StoredRun, VirtualDisk, check_range,
};
use crate::io::SharedFile;

/// A run of data may be reported in pieces of this size, so that no call walks all tables of a large disk.
const DATA_RUN: u64 = 64 << 20;

/// The answer of one layer for the start of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Stored from this offset of the file on.
    Stored(u64),
    /// Zeros, whatever the parents hold.
    Zero,
    /// The parent's; zeros where there is none.
    Absent,
}

/// Like [`Place`], but only whether there may be data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Data,
    Zero,
    Absent,
}

/// Whether a file is the parent that a child wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Right,
    /// The right disk, but the child recorded no time stamp that could show a change.
    Unknown,
    /// The right disk with another time stamp than the one that the child recorded.
    Changed,
    Wrong,
}

/// One file of a chain.
pub(crate) trait ChainLayer: Send + Sync + Sized {
    /// Reads and checks headers and tables.
    fn open(file: SharedFile, options: &OpenOptions) -> Result<Self, DiskError>;
    fn info(&self) -> &Layer;
    fn info_mut(&mut self) -> &mut Layer;
    /// Whether this is the parent that `request` asks for.
    fn fit(&self, request: &ParentRequest) -> Fit;
    /// Where `offset`, which lies inside the disk, is stored, and for how many bytes, at least 1 and at most `max`.
    fn place(&self, offset: u64, max: u64) -> Result<(Place, u64), DiskError>;
    /// Like [`Self::place`]. What cannot be read counts as data, so that its error comes up when it is read.
    fn presence(&self, offset: u64, max: u64) -> Result<(Presence, u64), DiskError>;
    /// Reads bytes at an offset that [`Self::place`] gave.
    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError>;
    /// Whether [`Self::read`] gives the bytes of the file itself from `at` on, and for how many bytes, at most `max`.
    fn verbatim(&self, at: u64, max: u64) -> (bool, u64);
    fn file(&self) -> &SharedFile;
}

/// A disk of one format with its chain, open for reading.
pub(crate) struct Chain<L> {
    /// The leaf first, never empty.
    layers: Vec<L>,
    infos: Vec<Layer>,
    size: u64,
    sector_size: u32,
}

/// The layer that says something for the start of a run, its number, and what; how many bytes this holds for.
type Answer<'a, L, T> = (Option<(usize, &'a L, T)>, u64);

impl<L: ChainLayer> Chain<L> {
    /// Opens the file and, through `gate`, its parents.
    pub(crate) fn open(file: SharedFile, gate: &dyn ParentGate, options: &OpenOptions) -> Result<Self, DiskError> {
        let leaf = L::open(file, options)?;
        let (size, sector_size) = (leaf.info().virtual_size, leaf.info().sector_size);
        let mut seen = HashSet::from([leaf.info().unique_id.clone()]);
        let mut layers = vec![leaf];
        while let Some(request) = next_request(&mut layers) {
            if layers.len() >= MAX_LAYERS {
                return Err(DiskError::TooDeep { file: request.child, limit: MAX_LAYERS });
            }
            let mut parent: L = find_parent(&request, gate, options)?;
            let info = parent.info_mut();
            if !seen.insert(info.unique_id.clone()) {
                let (parent, unique_id) = (info.name.clone(), info.unique_id.clone());
                return Err(DiskError::Cycle { file: request.child, parent, unique_id });
            }
            let (own, child) = (info.virtual_size, layers.last().map_or(size, |layer| layer.info().virtual_size));
            if own != child {
                info.remarks.push(format!("The disk has {own} bytes, its child '{}' {child}.", request.child));
            }
            layers.push(parent);
        }
        let infos = layers.iter().map(|layer| layer.info().clone()).collect();
        Ok(Chain { layers, infos, size, sector_size })
    }

    fn name(&self) -> &str {
        self.infos.first().map_or("", |info| &info.name)
    }

    /// Layer number `layer`, for a range of `len` bytes at `offset` of its disk.
    fn layer(&self, layer: usize, offset: u64, len: u64) -> Result<&L, DiskError> {
        let missing = || DiskError::NoLayer { file: self.name().to_owned(), layer, layers: self.layers.len() };
        let found = self.layers.get(layer).ok_or_else(missing)?;
        check_range(&found.info().name, offset, len, found.info().virtual_size)?;
        Ok(found)
    }

    /// Reads what the chain holds from layer number `top` down; the range was checked.
    fn read_below(&self, top: usize, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let (mut offset, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (stored, len) = self.resolve(top, offset, rest.len() as u64)?;
            // `len` is at most the length of `rest` and at least 1.
            let (part, after) = rest.split_at_mut(len as usize);
            match stored {
                Some((_, layer, at)) => layer.read(at, part)?,
                None => part.fill(0),
            }
            offset += len;
            rest = after;
        }
        Ok(())
    }

    /// Asks the layers from number `top` down until one says something else than "my parent's".
    fn first<T>(
        &self,
        top: usize,
        (offset, max): (u64, u64),
        ask: impl Fn(&L, u64) -> Result<(Option<T>, u64), DiskError>,
    ) -> Result<Answer<'_, L, T>, DiskError> {
        let mut len = max;
        for (number, layer) in self.layers.iter().enumerate().skip(top) {
            // A parent that is smaller than its child reads as zeros beyond its end, whatever lies below it.
            let Some(inside) = layer.info().virtual_size.checked_sub(offset).filter(|inside| *inside > 0) else {
                break;
            };
            let (answer, run) = ask(layer, len.min(inside))?;
            len = run;
            if let Some(answer) = answer {
                return Ok((Some((number, layer, answer)), len));
            }
        }
        Ok((None, len))
    }

    /// Who stores `offset` (layer and place in its file; nobody: zeros), and for how many bytes, at most `max`.
    fn resolve(&self, top: usize, offset: u64, max: u64) -> Result<Answer<'_, L, u64>, DiskError> {
        let (found, len) = self.first(top, (offset, max), |layer, max| {
            let (place, len) = layer.place(offset, max)?;
            let answer = match place {
                Place::Stored(at) => Some(Some(at)),
                Place::Zero => Some(None),
                Place::Absent => None,
            };
            Ok((answer, len))
        })?;
        Ok((found.and_then(|(number, layer, at)| at.map(|at| (number, layer, at))), len))
    }

    fn presence(&self, offset: u64, max: u64) -> Result<(ExtentKind, u64), DiskError> {
        let (found, len) = self.first(0, (offset, max), |layer, max| {
            let (presence, len) = layer.presence(offset, max)?;
            let answer = match presence {
                Presence::Data => Some(ExtentKind::Data),
                Presence::Zero => Some(ExtentKind::Zero),
                Presence::Absent => None,
            };
            Ok((answer, len))
        })?;
        Ok((found.map_or(ExtentKind::Zero, |(_, _, kind)| kind), len))
    }
}

impl<L: ChainLayer> VirtualDisk for Chain<L> {
    fn size(&self) -> u64 {
        self.size
    }

    fn sector_size(&self) -> u32 {
        self.sector_size
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
        self.read_below(0, offset, buf)
    }

    fn layer_run(&self, layer: usize, offset: u64) -> Result<LayerRun, DiskError> {
        let found = self.layer(layer, offset, 1)?;
        let rest = found.info().virtual_size - offset;
        let holding = |presence| match presence {
            Presence::Data => Holding::Data,
            Presence::Zero => Holding::Zero,
            Presence::Absent => Holding::Absent,
        };
        let (presence, mut len) = found.presence(offset, rest)?;
        while len < rest.min(DATA_RUN) {
            let (other, more) = found.presence(offset + len, rest - len)?;
            if other != presence {
                break;
            }
            len += more;
        }
        Ok(LayerRun { holds: holding(presence), start: offset, len })
    }

    fn read_from_layer(&self, layer: usize, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.layer(layer, offset, buf.len() as u64)?;
        self.read_below(layer, offset, buf)
    }

    fn layers(&self) -> &[Layer] {
        &self.infos
    }

    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        check_range(self.name(), offset, max, self.size)?;
        let (found, len) = self.resolve(0, offset, max)?;
        let Some((layer, file, at)) = found else { return Ok(StoredRun { place: None, len }) };
        let (verbatim, len) = file.verbatim(at, len);
        Ok(StoredRun { place: verbatim.then_some(Stored { layer, at }), len })
    }

    fn file(&self, layer: usize) -> Option<SharedFile> {
        self.layers.get(layer).map(|layer| SharedFile::clone(layer.file()))
    }
}

/// What the last layer wants, with its depth filled in.
fn next_request<L: ChainLayer>(layers: &mut [L]) -> Option<ParentRequest> {
    let depth = layers.len();
    let request = layers.last_mut()?.info_mut().parent.as_mut()?;
    request.depth = depth;
    Some(request.clone())
}

/// Takes the first candidate that is the wanted disk. When none is, the first candidate's fault is the error.
fn find_parent<L: ChainLayer>(
    request: &ParentRequest,
    gate: &dyn ParentGate,
    options: &OpenOptions,
) -> Result<L, DiskError> {
    let mut first_fault = None;
    let mut changed = None;
    for candidate in gate.candidates(request)? {
        let mut layer = match L::open(candidate, options) {
            Ok(layer) => layer,
            Err(error) => {
                first_fault.get_or_insert(error);
                continue;
            }
        };
        match layer.fit(request) {
            Fit::Right => return Ok(layer),
            Fit::Unknown => {
                let remark = format!("The child '{}' records no time stamp of this parent.", request.child);
                layer.info_mut().remarks.push(remark);
                return Ok(layer);
            }
            Fit::Changed => {
                changed.get_or_insert(layer);
            }
            Fit::Wrong => {
                first_fault.get_or_insert(wrong(request, layer.info()));
            }
        }
    }
    match (changed, options.parent_time) {
        (Some(mut layer), ParentTime::Accept) => {
            let (found, expected) = (layer.info().timestamp, request.timestamp);
            layer.info_mut().remarks.push(format!(
                "The time stamp is {found}, the child '{}' recorded {expected}; accepted as asked for.",
                request.child
            ));
            Ok(layer)
        }
        (Some(layer), ParentTime::Strict) => Err(DiskError::ParentChanged {
            file: request.child.clone(),
            parent: layer.info().name.clone(),
            expected: request.timestamp,
            found: layer.info().timestamp,
        }),
        (None, _) => Err(first_fault.unwrap_or_else(|| missing(request))),
    }
}

/// The ids that a parent may have, as text.
fn wanted_ids(request: &ParentRequest) -> String {
    match request.other_id.as_str() {
        "" => request.unique_id.clone(),
        other => format!("{} or {other}", request.unique_id),
    }
}

fn wrong(request: &ParentRequest, found: &Layer) -> DiskError {
    DiskError::WrongParent {
        file: request.child.clone(),
        parent: found.name.clone(),
        expected: wanted_ids(request),
        found: found.unique_id.clone(),
    }
}

fn missing(request: &ParentRequest) -> DiskError {
    let mut wanted: Vec<String> = request.locators.iter().map(|locator| format!("'{}'", locator.path)).collect();
    let name = format!("'{}'", request.name);
    if !request.name.is_empty() && !wanted.contains(&name) {
        wanted.push(name);
    }
    let wanted = if wanted.is_empty() { "no name at all (none is recorded)".to_owned() } else { wanted.join(", ") };
    DiskError::MissingParent { file: request.child.clone(), wanted, unique_id: wanted_ids(request) }
}
