//! The names of a chain's files, and what a child records of its parent.

use std::path::{Path, PathBuf};

use hvm_formats::disk::child::NewParent;
use hvm_formats::disk::{Layer, LayerFormat};
use hvm_model::capabilities::DiskFormat;

use super::ChainJob;
use crate::error::TransferError;

/// Where each layer goes, the leaf first. Parents keep the names of the source's files, with the extension of their format:
/// `.vhd` or `.vhdx` for the base, `.avhd` or `.avhdx` for those between.
pub(super) fn of_layers(job: &ChainJob<'_>) -> Result<Vec<PathBuf>, TransferError> {
    let is_vhd = matches!(job.format, DiskFormat::Vhd | DiskFormat::VhdFixed);
    let layers = job.disk.layers();
    let mut paths = vec![job.target.to_owned()];
    for (number, layer) in layers.iter().enumerate().skip(1) {
        let extension = match (is_vhd, number + 1 == layers.len()) {
            (true, true) => "vhd",
            (true, false) => "avhd",
            (false, true) => "vhdx",
            (false, false) => "avhdx",
        };
        paths.push(job.target.with_file_name(format!("{}.{extension}", stem(layer))));
    }
    let folded: Vec<String> = paths.iter().map(|path| name(path).to_lowercase()).collect();
    for (number, one) in folded.iter().enumerate() {
        if folded.iter().skip(number + 1).any(|other| other == one) {
            let reason = format!(
                "two of its files would be called '{}'; give the new leaf a name that no parent has",
                name(&paths[number])
            );
            return Err(TransferError::Chain { reason });
        }
    }
    Ok(paths)
}

/// The file name of a layer without its extension, as a name that Windows takes too.
pub(super) fn stem(layer: &Layer) -> String {
    let name = layer.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plain = |c: char| if c < ' ' || "<>:\"|?*".contains(c) { '_' } else { c };
    let stem: String = stem.chars().map(plain).collect();
    let stem = stem.trim_matches([' ', '.']);
    if stem.is_empty() { "parent".to_owned() } else { stem.to_owned() }
}

/// A file name as text.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What the child of layer `parent` records. The absolute path is the folder that the source's child recorded, with the
/// new name: where the chain will lie at last is not known here, and a reader checks the id of whatever it finds.
pub(super) fn recorded(job: &ChainJob<'_>, parent: usize, path: &Path, (id, timestamp): ([u8; 16], u32)) -> NewParent {
    let name = name(path);
    let child = parent.checked_sub(1).and_then(|child| job.disk.layers().get(child));
    let locators = child.and_then(|child| child.parent.as_ref()).map(|request| request.locators.as_slice());
    let folder = locators.unwrap_or_default().iter().find_map(|locator| {
        let (folder, _) = locator.path.rsplit_once('\\')?;
        let absolute = matches!(locator.platform.as_str(), "W2ku" | "absolute_win32_path");
        (absolute && folder.contains(':')).then(|| folder.to_owned())
    });
    let absolute = folder.map(|folder| format!("{folder}\\{name}"));
    NewParent { id, timestamp, relative: format!(".\\{name}"), absolute }
}

/// The id of a layer of the result: the same job gives the same ids, and no two layers have the same.
pub(super) fn id(job: &ChainJob<'_>, layer: usize) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"hvmigrate chain ").update(job.source.as_bytes()).update(&(layer as u64).to_le_bytes());
    hasher.update(job.format.to_string().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    // A GUID of version 8 (RFC 9562: made by a rule of one's own).
    id[6] = id[6] & 0x0F | 0x80;
    id[8] = id[8] & 0x3F | 0x80;
    id
}

/// The VHD time stamp of a layer of the result: the source's, or else when the source was written. Never 0, which would say
/// that it is not known.
pub(super) fn timestamp(job: &ChainJob<'_>, layer: usize) -> u32 {
    /// 2000-01-01 UTC in seconds since 1970.
    const EPOCH: u64 = 946_684_800;
    let stored = job.disk.layers().get(layer).map_or(0, |layer| layer.timestamp);
    let written = job.times.get(layer).copied().unwrap_or(0).saturating_sub(EPOCH);
    let written = u32::try_from(written).unwrap_or(u32::MAX);
    if stored != 0 { stored } else { written.max(1) }
}

/// Whether the base of the source has all its sectors in the file.
pub(super) fn base_is_fixed(job: &ChainJob<'_>) -> bool {
    let base = job.disk.layers().last().map(|base| base.format);
    matches!(base, Some(LayerFormat::VhdFixed | LayerFormat::VhdxFixed | LayerFormat::Raw))
}
