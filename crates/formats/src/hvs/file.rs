//! A whole file: header, replay log, object tables, key tables, trees.

use super::{HvsError, header, keys, log, objects, tree};
use crate::io::ReadAt;
use crate::vmxml::{Document, Node};

/// Most remarks kept for one file.
pub(super) const MAX_REMARKS: usize = 50;

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All keys with their values.
    Everything,
    /// What is at the top, without what is below: saved states have gigabytes.
    Top,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub struct HvsFile {
    file: String,
    roots: Vec<Node>,
    remarks: Vec<String>,
    replayed: usize,
}

impl HvsFile {
    /// Reads a file. A replay log that was not applied is applied in memory.
    pub fn open(file: &dyn ReadAt, wanted: Wanted) -> Result<HvsFile, HvsError> {
        let mut remarks = Vec::new();
        let header = header::choose(file, &mut remarks)?;
        let replayed = log::replay(file, &header)?;
        if replayed.entries() > 0 {
            let count = replayed.entries();
            remarks.push(format!("The replay log was not applied; its {count} entries were applied in memory."));
        }
        let objects = objects::read_all(&replayed, wanted, &mut remarks)?;
        let keys = keys::read_all(&replayed, &objects, wanted)?;
        let roots = tree::build(file.name(), keys)?;
        Ok(HvsFile { file: file.name().to_owned(), roots, remarks, replayed: replayed.entries() })
    }

    /// The trees at the top in their order; a configuration has one, `configuration`.
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// The tree called `name`.
    pub fn root(&self, name: &str) -> Option<&Node> {
        self.roots.iter().find(|root| root.name() == name)
    }

    /// The tree called `name` as a document, as a configuration in XML gives it.
    pub fn into_document(self, name: &str) -> Option<Document> {
        let root = self.roots.into_iter().find(|root| root.name() == name)?;
        Some(Document::of_tree(&self.file, root, self.remarks))
    }

    /// Odd things that do not matter, as whole sentences.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Entries of the replay log that were applied in memory; 0 for a file that was closed well.
    pub fn replayed(&self) -> usize {
        self.replayed
    }
}
