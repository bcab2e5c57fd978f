//! What the headers of a VHD say, for the list of layers.

use super::footer::{Footer, Found, Kind};
use super::header::Header;
use crate::disk::fields::guid;
use crate::disk::{Layer, LayerFormat};
use crate::io::ReadAt;

/// The layer of a file; `allocated` counts the blocks that its table names.
pub(super) fn describe(
    file: &dyn ReadAt,
    found: &Found,
    header: Option<Header>,
    (allocated, remarks): (u64, Vec<String>),
) -> Layer {
    let footer = &found.footer;
    let geometry = footer.geometry.size();
    let block_size = header.as_ref().map_or(0, |header| header.block_size);
    Layer {
        name: file.name().to_owned(),
        format: match found.kind {
            Kind::Fixed => LayerFormat::VhdFixed,
            Kind::Dynamic => LayerFormat::VhdDynamic,
            Kind::Differencing => LayerFormat::VhdDifferencing,
        },
        file_size: file.len(),
        virtual_size: footer.current_size,
        allocated: if header.is_some() { allocated * u64::from(block_size) } else { footer.current_size },
        block_size,
        sector_size: 512,
        physical_sector_size: 512,
        unique_id: guid(&footer.unique_id),
        disk_id: String::new(),
        timestamp: footer.timestamp,
        creator: text(footer.creator),
        geometry_size: (geometry != footer.current_size).then_some(geometry),
        headers: fields(footer, header.as_ref()),
        parent: header.and_then(|header| header.parent),
        remarks,
    }
}

fn text(bytes: [u8; 4]) -> String {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    text.trim_end_matches(['\0', ' ']).to_owned()
}

fn fields(footer: &Footer, header: Option<&Header>) -> Vec<(&'static str, String)> {
    let version = |version: u32| format!("{}.{}", version >> 16, version & 0xFFFF);
    let geometry = footer.geometry;
    let mut fields = vec![
        ("features", format!("{:#x}", footer.features)),
        ("file_version", version(footer.version)),
        ("creator_version", version(footer.creator_version)),
        ("creator_system", text(footer.creator_os)),
        ("original_size", footer.original_size.to_string()),
        ("geometry", format!("{}/{}/{}", geometry.cylinders, geometry.heads, geometry.sectors)),
        ("saved_state", if footer.saved_state == 0 { "no" } else { "yes" }.to_owned()),
    ];
    if let Some(header) = header {
        fields.push(("dynamic_header_offset", header.offset.to_string()));
        fields.push(("block_table_offset", header.table.to_string()));
        fields.push(("block_table_entries", header.max_entries.to_string()));
    }
    fields
}
