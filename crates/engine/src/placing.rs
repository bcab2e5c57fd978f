//! Where everything goes below the destination's root: readable names, safe on both systems, each used once without
//! regard to case, as NTFS compares names.

use std::collections::BTreeSet;

use hvm_destinations::destination::Destination;
use hvm_model::names::folded;

/// Most bytes of one part of a name that is made of two.
const PART: usize = 90;

/// Gives out names and remembers them.
pub(crate) struct Placing<'a> {
    destination: &'a dyn Destination,
    taken: BTreeSet<String>,
}

impl<'a> Placing<'a> {
    pub(crate) fn new(destination: &'a dyn Destination) -> Self {
        Placing { destination, taken: BTreeSet::new() }
    }

    /// A folder name for a machine.
    pub(crate) fn machine_folder(&mut self, name: &str) -> String {
        let safe = self.destination.safe_name(name);
        let key = |name: &str| format!("machine folder {name}");
        self.unique(|number| numbered(&safe, number), key)
    }

    /// `FOLDER/STEM.EXTENSION` for a disk.
    pub(crate) fn disk(&mut self, folder: &str, stem: &str, extension: &str) -> String {
        let safe = self.destination.safe_name(stem);
        self.unique(|number| format!("disks/{folder}/{}.{extension}", numbered(&safe, number)), str::to_owned)
    }

    /// A disk as it was at a checkpoint.
    pub(crate) fn checkpoint_disk(&mut self, folder: &str, checkpoint: &str, stem: &str, extension: &str) -> String {
        let checkpoint = self.destination.safe_name(clip(checkpoint));
        let stem = self.destination.safe_name(clip(stem));
        let name = format!("{} - {}", clip(&checkpoint), clip(&stem));
        let folder = format!("disks/{folder}/checkpoints");
        self.unique(|number| format!("{folder}/{}.{extension}", numbered(&name, number)), str::to_owned)
    }

    /// An ISO or floppy image.
    pub(crate) fn image(&mut self, folder: &str, file_name: &str) -> String {
        let safe = self.destination.safe_name(file_name);
        let (stem, extension) = safe.rsplit_once('.').unwrap_or((&safe, ""));
        let dot = if extension.is_empty() { "" } else { "." };
        let name = |number| format!("images/{folder}/{}{dot}{extension}", numbered(stem, number));
        self.unique(name, str::to_owned)
    }

    /// A file with a fixed name, such as a GUID.
    pub(crate) fn fixed(&mut self, folder: &str, stem: &str, extension: &str) -> String {
        self.unique(|number| format!("{folder}/{}.{extension}", numbered(stem, number)), str::to_owned)
    }

    fn unique(&mut self, name: impl Fn(u32) -> String, key: impl Fn(&str) -> String) -> String {
        let mut number = 1;
        loop {
            let name = name(number);
            if self.taken.insert(folded(&key(&name))) {
                return name;
            }
            number += 1;
        }
    }
}

fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name} ({number})") }
}

fn clip(text: &str) -> &str {
    let mut end = text.len().min(PART);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text).trim_end()
}
