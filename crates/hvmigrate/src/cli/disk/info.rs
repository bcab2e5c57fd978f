//! `hvmigrate disk info`.

use std::fmt::Write;

use hvm_engine::{
    Depth, DiskContents, DiskInfo, DiskLayer, FsKind, GuestAdapter, GuestSystem, PartitionContents, TableKind,
};
use hvm_model::names::ByteSize;

use super::DiskArgs;
use crate::cli::Format;
use crate::messages::{Exit, Failure};
use crate::output;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// Reads only the headers of the files, not what is in the disk
    #[arg(long)]
    headers: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let depth = if args.headers { Depth::Headers } else { Depth::Contents };
    let info = hvm_engine::disk_info(&args.disk.file, &args.disk.options(), depth)?;
    match args.format {
        Format::Text => output::data(&text(&info))?,
        Format::Json => output::json(&info)?,
    }
    match &info.unreadable {
        Some(reason) => {
            let failure = Failure::failed(format!("The disk cannot be read with its parents. {reason}"));
            Err(info.hint.iter().fold(failure, |failure, hint| failure.hint(hint)))
        }
        None => Ok(Exit::Done),
    }
}

fn text(info: &DiskInfo) -> String {
    let mut out = format!("virtual size   {}\n", exact(info.virtual_size));
    let _ = writeln!(out, "sector size    {} B", info.sector_size);
    for (index, layer) in info.layers.iter().enumerate() {
        let place = if index == 0 { "disk" } else { "its parent" };
        let _ = writeln!(out, "\n{place}: {}", output::one_line(&layer.name));
        layer_lines(&mut out, layer);
    }
    if let Some(contents) = &info.contents {
        contents_lines(&mut out, contents);
    }
    out
}

fn exact(size: ByteSize) -> String {
    if size.0 < 1024 { size.to_string() } else { format!("{size} ({} B)", size.0) }
}

/// Writes one line, unless there is nothing to say.
fn line(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(out, "  {name:<13}{}", output::one_line(value));
    }
}

fn layer_lines(out: &mut String, layer: &DiskLayer) {
    line(out, "format", &layer.format);
    line(out, "virtual size", &exact(layer.virtual_size));
    line(out, "file size", &exact(layer.file_size));
    line(out, "allocated", &exact(layer.allocated));
    if layer.block_size > 0 {
        line(out, "block size", &ByteSize(layer.block_size.into()).to_string());
    }
    if (layer.sector_size, layer.physical_sector_size) != (512, 512) {
        line(out, "sectors", &format!("{} B, physically {} B", layer.sector_size, layer.physical_sector_size));
    }
    line(out, "unique id", &layer.unique_id);
    line(out, "disk id", &layer.disk_id);
    line(out, "written by", &layer.creator);
    if let Some(time) = &layer.time {
        line(out, "time stamp", &format!("{time} ({} s after 2000-01-01)", layer.timestamp));
    }
    if let Some(size) = layer.geometry_size {
        line(out, "geometry", &format!("{}, differs from the size", exact(size)));
    }
    line(out, "parent", layer.parent.as_deref().unwrap_or_default());
    line(out, "parent id", layer.parent_id.as_deref().unwrap_or_default());
    line(out, "or the id", layer.parent_other_id.as_deref().unwrap_or_default());
    if let Some(time) = &layer.parent_time {
        line(out, "parent time", &format!("{time} ({} s after 2000-01-01)", layer.parent_timestamp));
    }
    for (platform, path) in &layer.parent_paths {
        line(out, "recorded at", &format!("{path} ({platform})"));
    }
    for (name, value) in &layer.headers {
        line(out, "header", &format!("{} {value}", name.replace('_', " ")));
    }
    for remark in &layer.remarks {
        line(out, "remark", remark);
    }
}

fn contents_lines(out: &mut String, contents: &DiskContents) {
    let table = match &contents.table {
        TableKind::None if contents.findings.is_empty() => "none".to_owned(),
        TableKind::None => "not known".to_owned(),
        TableKind::Mbr { signature } => format!("MBR, disk signature {signature:08x}"),
        TableKind::Gpt { disk } => format!("GPT, disk {disk}, sectors of {} B", contents.sector_size),
    };
    let _ = writeln!(out, "\npartition table: {table}");
    for finding in &contents.findings {
        line(out, "finding", &finding.to_string());
    }
    let blind = contents.table == TableKind::None && !contents.findings.is_empty();
    if contents.partitions.is_empty() && !blind {
        line(out, "inside", "nothing that is known");
    }
    for partition in &contents.partitions {
        partition_lines(out, partition);
    }
    for guest in &contents.guests {
        guest_lines(out, guest);
    }
    if contents.guests.is_empty() {
        let hidden = contents.partitions.iter().any(|part| !is_read(part.file_system.kind));
        let why = if blind {
            ", but the disk could not be read"
        } else if hidden {
            "; there are volumes that are not read"
        } else {
            ""
        };
        let _ = writeln!(out, "\nguest system: none was found{why}");
    }
}

/// True for file systems whose tables are read, and for what never holds a system.
fn is_read(kind: FsKind) -> bool {
    use FsKind::{Ext2, Ext3, Ext4, Fat12, Fat16, Fat32, Ntfs, Swap, Unknown};
    matches!(kind, Ntfs | Ext2 | Ext3 | Ext4 | Fat12 | Fat16 | Fat32 | Swap | Unknown)
}

fn partition_lines(out: &mut String, found: &PartitionContents) {
    let part = &found.partition;
    if part.index == 0 {
        let _ = writeln!(out, "\none volume over the whole disk");
    } else {
        let _ = writeln!(out, "\npartition {}: {} at {}", part.index, exact(ByteSize(part.size)), part.start);
        let kind = match part.type_name {
            "" => part.kind.clone(),
            name => format!("{name} ({})", part.kind),
        };
        line(out, "type", &kind);
        line(out, "name", &part.name);
        line(out, "id", &part.id);
        if part.attributes > 0 {
            let active = if part.kind.starts_with("0x") && part.attributes == 0x80 { " (active)" } else { "" };
            line(out, "attributes", &format!("{:#x}{active}", part.attributes));
        }
    }
    let system = &found.file_system;
    line(out, "holds", system.kind.name());
    line(out, "label", &system.label);
    line(out, "volume id", &system.id);
    if let Some(size) = system.size.filter(|size| *size != part.size) {
        line(out, "volume size", &exact(ByteSize(size)));
    }
    if let Some(cluster) = found.cluster {
        line(out, "clusters of", &exact(ByteSize(cluster)));
    }
    match (found.used, found.free) {
        (Some(used), Some(free)) => {
            line(out, "used", &exact(ByteSize(used)));
            line(out, "free", &exact(ByteSize(free)));
        }
        _ => line(out, "used", &unknown(system.kind)),
    }
    let state = match found.clean {
        Some(true) => "clean".to_owned(),
        Some(false) => "not clean".to_owned(),
        None => unknown(system.kind),
    };
    line(out, "state", &state);
    for remark in &found.remarks {
        line(out, "remark", remark);
    }
}

/// Why something is not known; empty where there is nothing to know.
fn unknown(kind: FsKind) -> String {
    match kind {
        FsKind::Unknown | FsKind::Swap => String::new(),
        FsKind::Bitlocker | FsKind::Luks => "not known: it is encrypted".to_owned(),
        kind if is_read(kind) => "not known: see the remarks".to_owned(),
        kind => format!("not known: {} is recognised, but not read", kind.name()),
    }
}

fn guest_lines(out: &mut String, guest: &GuestSystem) {
    let place = match guest.partition {
        0 => String::new(),
        number => format!(" on partition {number}"),
    };
    let name = if guest.name.is_empty() { "its name could not be read" } else { &guest.name };
    let _ = writeln!(out, "\nguest system{place}: {}", output::one_line(name));
    let fields = [
        ("version", &guest.version),
        ("build", &guest.build),
        ("service pack", &guest.service_pack),
        ("edition", &guest.edition),
        ("installation", &guest.installation),
        ("architecture", &guest.architecture),
        ("host name", &guest.host_name),
        ("domain", &guest.domain),
        ("language", &guest.language),
        ("time zone", &guest.time_zone),
    ];
    for (name, value) in fields {
        line(out, name, value);
    }
    for adapter in &guest.adapters {
        adapter_lines(out, adapter);
    }
    for remark in &guest.remarks {
        line(out, "remark", remark);
    }
}

fn adapter_lines(out: &mut String, adapter: &GuestAdapter) {
    let name = [&adapter.name, &adapter.mac, &adapter.id].into_iter().find(|name| !name.is_empty());
    line(out, "adapter", name.map_or("without a name", String::as_str));
    let dhcp = match adapter.dhcp {
        Some(true) => "by DHCP",
        Some(false) => "set by hand",
        None => "",
    };
    let fields = [
        ("  device", adapter.device.clone()),
        ("  MAC", adapter.mac.clone()),
        ("  set MAC", adapter.set_mac.clone()),
        ("  address", dhcp.to_owned()),
        ("  addresses", adapter.addresses.join(", ")),
        ("  gateways", adapter.gateways.join(", ")),
        ("  DNS", adapter.dns_servers.join(", ")),
        ("  place", adapter.place.clone()),
    ];
    for (name, value) in fields {
        line(out, name, &value);
    }
}
