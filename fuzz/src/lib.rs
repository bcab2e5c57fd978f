//! The oracles of the tests for the fuzz targets, and the parents that children may find.

#[path = "../../crates/formats/tests/oracles/mod.rs"]
pub mod oracles;

use hvm_formats::disk::{Format, NoParents, ParentGate};
use hvm_formats::io::SharedFile;
use hvm_testkit::vhdx::SparseImage;
use hvm_testkit::vhdx::reference;

use oracles::{Watched, any_disk, memory};

/// Reads of one input.
const BOUND: u64 = 200_000;

/// The input as a file that allows no read outside and not too many.
pub fn watched(name: &str, data: &[u8]) -> SharedFile {
    Watched::new(name, memory(name, data), Vec::new(), BOUND)
}

/// The same for a reader that leaves the ends to the file.
pub fn lenient(name: &str, data: &[u8]) -> SharedFile {
    Watched::lenient(name, memory(name, data), Vec::new(), BOUND)
}

/// Reads a disk by every way; `None` when it is refused.
pub fn disk(name: &str, data: &[u8], gate: &dyn ParentGate, format: Format) -> Option<Vec<u8>> {
    any_disk(&watched(name, data), gate, format)
}

/// A VHDX as the naive reader of the testkit reads it, which believes more: it is asked only about what ours has read.
pub fn agrees_with_reference(data: &[u8]) {
    let Some(found) = disk("input.vhdx", data, &NoParents, Format::Vhdx) else { return };
    if found.len() > 8 << 20 {
        return;
    }
    let image = SparseImage::from(data);
    // It has no bounds of its own, so that only its answers count, not its panics.
    let theirs = std::panic::catch_unwind(|| reference::read_chain(&[&image]));
    if let Ok(Ok(theirs)) = theirs {
        assert!(theirs == found, "the reference reads other content");
    }
}

/// Changes a small VHDX with a log that was not applied: each 10 bytes of the input are an offset in its structures and
/// eight new bytes; the checksums are written anew when the first byte is odd.
pub fn changed_vhdx(data: &[u8]) {
    thread_local!(static SUBJECT: oracles::subjects::Subject = oracles::subjects::vhdx().remove(1));
    let Some((first, rest)) = data.split_first() else { return };
    SUBJECT.with(|subject| {
        let mut patches = Vec::new();
        for piece in rest.chunks_exact(10).take(8) {
            let field = usize::from(u16::from_le_bytes([piece[0], piece[1]]));
            let (at, len) = subject.fields[field % subject.fields.len()];
            patches.push((at, piece[2..2 + len.min(8)].to_vec()));
        }
        if first & 1 == 1 {
            subject.seal(&mut patches);
        }
        let file: SharedFile = Watched::new(subject.name, subject.base.clone(), patches, BOUND);
        any_disk(&file, &subject.gate, subject.format);
    });
}
