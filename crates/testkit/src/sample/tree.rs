//! The machine with three checkpoints in two branches:
//!
//! ```text
//! base.vhd (state A) ─┬─ a1.avhd (state B)
//!                     └─ a2.avhd (state C) ── c1.avhd (current state)
//! ```
//! Layers write runs that begin and end within a byte of the bitmap; below bits that are not set lies rubbish.

use super::disks::{content, dynamic, unique_id};
use super::machines::{machine, nic, vhd};
use super::network::PORT_PRIVATE;
use super::writer::HostWriter;
use super::{SampleDisk, ids};
use crate::vhd::{BlockOrder, Blocks, ContentModel, Locator, Parent, SpaceUnit, VhdKind, VhdSpec};
use crate::vmxml::{Checkpoint, DriveSlot};
use std::io;

const ROOT: &str = r"D:\Hyper-V\Baum 日本語";
const BASE: &str = "Baum 日本語.vhd";
const CREATED: u64 = 129_700_000_000_000_000;

/// Windows path of the disk of [`ids::CHECKPOINT_C`], which is the middle of the current state's chain.
pub(super) fn leaf_of_c() -> String {
    format!(r"{ROOT}\{}", avhd("A2A20000-0000-4000-8000-0000000000A2"))
}

fn avhd(id: &str) -> String {
    format!("Baum 日本語_{id}.avhd")
}

/// A layer of the tree: file name, disk number, what a reader sees through it, chain of file names (leaf first).
struct Layer {
    file: String,
    number: u8,
    content: ContentModel,
    chain: Vec<String>,
}

/// Writes disks, checkpoints and machine.
pub(super) fn write(writer: &mut HostWriter) -> io::Result<()> {
    let base_content = content(48, 0x30);
    let at = format!(r"{ROOT}\{BASE}");
    dynamic(0x30).image(&base_content).write_to(&writer.place(&at)?)?;
    let base = Layer { file: BASE.to_owned(), number: 0x30, content: base_content, chain: vec![BASE.to_owned()] };
    // Windows does not tell upper from lower case, so a recorded path need not look like the one on the volume.
    let other_case = ROOT.replace("D:", "d:").replace("Hyper-V", "HYPER-V");
    let absolute = |layer: &Layer| Locator::new(b"W2ku", &format!(r"{other_case}\{}", layer.file));
    let relative = |layer: &Layer| Locator::new(b"W2ru", &format!(r".\{}", layer.file));
    let in_bytes = |locator| Locator { space: SpaceUnit::Bytes, ..locator };

    let a1 = avhd("A1A10000-0000-4000-8000-0000000000A1");
    let a1 = layer(writer, &base, (a1, 0x31), vec![in_bytes(absolute(&base))], Blocks::default())?;
    let a2 = avhd("A2A20000-0000-4000-8000-0000000000A2");
    let small = Blocks { size: 512 << 10, order: BlockOrder::Shuffled(3), ..Blocks::default() };
    let a2 = layer(writer, &base, (a2, 0x32), vec![relative(&base), absolute(&base)], small)?;
    let c1 = avhd("C1C10000-0000-4000-8000-0000000000C1");
    let c1 = layer(writer, &a2, (c1, 0x33), vec![in_bytes(relative(&a2))], Blocks::default())?;

    let states = [
        (Some((ids::CHECKPOINT_A, None)), &base),
        (Some((ids::CHECKPOINT_B, Some(ids::CHECKPOINT_A.0))), &a1),
        (Some((ids::CHECKPOINT_C, Some(ids::CHECKPOINT_A.0))), &a2),
        (None, &c1),
    ];
    for (number, (checkpoint, layer)) in (0..).zip(states) {
        state(writer, number, checkpoint, layer)?;
    }
    Ok(())
}

/// Writes a differencing disk over `parent`.
fn layer(
    writer: &HostWriter,
    parent: &Layer,
    (file, number): (String, u8),
    locators: Vec<Locator>,
    blocks: Blocks,
) -> io::Result<Layer> {
    let own = changes(parent.content.size(), number);
    let link = Parent {
        unique_id: unique_id(parent.number),
        timestamp: dynamic(parent.number).timestamp,
        name: parent.file.clone(),
        locators,
        stale: Some(u64::from(number) + 1000),
    };
    let spec = VhdSpec::new(VhdKind::Differencing(blocks, link), unique_id(number));
    spec.image(&own).write_to(&writer.place(&format!(r"{ROOT}\{file}"))?)?;
    let chain = [vec![file.clone()], parent.chain.clone()].concat();
    Ok(Layer { file, number, content: own.over(&parent.content), chain })
}

/// What a layer writes: single sectors, runs across borders of bytes and blocks, zeros over data of the parent.
fn changes(size: u64, number: u8) -> ContentModel {
    let seed = u64::from(number);
    let mut own = ContentModel::new(size);
    own.fill(seed, 1, seed);
    own.fill(100 + seed, 13, seed);
    own.fill(4096 * (seed % 4 + 1) - 5, 11, seed);
    own.fill(20_003 + seed * 100, 201, seed);
    (1024..1029).for_each(|sector| own.set(sector + seed % 8, [0; 512]));
    own.fill(own.sector_count() - 3, 2, seed);
    own
}

/// Writes the configuration of a checkpoint or of the machine itself, and lists its disk.
fn state(
    writer: &mut HostWriter,
    number: u64,
    checkpoint: Option<((&str, &str), Option<&str>)>,
    layer: &Layer,
) -> io::Result<()> {
    let leaf = format!(r"{ROOT}\{}", layer.file);
    let mut xml = machine(writer.variant(), ids::TREE);
    xml.created = CREATED;
    xml.drives = vec![vhd(DriveSlot::Ide(0, 0), &leaf)];
    xml.nics = vec![nic(4, ids::PRIVATE, PORT_PRIVATE)];
    xml.checkpoint_count = 3;
    xml.notes = "Drei Prüfpunkte in zwei Zweigen".to_owned();
    match checkpoint {
        Some(((id, name), parent)) => {
            xml.name = name.to_owned();
            let taken = CREATED + (number + 1) * 36_000_000_000;
            xml.checkpoint = Some(Checkpoint { id: id.to_owned(), parent: parent.map(str::to_owned), taken });
            writer.file(&format!(r"{}\Snapshots\{id}.xml", ids::HYPER_V_ROOT), &xml.to_bytes())?;
        }
        None => {
            xml.current_parent = Some(ids::CHECKPOINT_C.0.to_owned());
            writer.machine(&xml)?;
        }
    }
    let chain: Vec<_> =
        layer.chain.iter().map(|file| writer.place(&format!(r"{ROOT}\{file}"))).collect::<Result<_, _>>()?;
    writer.host.disks.push(SampleDisk {
        machine: ids::TREE.0.to_owned(),
        checkpoint: checkpoint.map(|((id, _), _)| id.to_owned()),
        slot: "IDE 0:0".to_owned(),
        windows_path: leaf,
        path: chain[0].clone(),
        chain,
        virtual_size: layer.content.size(),
        blake3: layer.content.blake3(),
    });
    Ok(())
}
