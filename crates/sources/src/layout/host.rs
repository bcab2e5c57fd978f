//! A source that is a reach and a layout: how bytes come, and where Hyper-V's data lie in them.

use std::sync::Arc;

use hvm_formats::disk::{self, SharedDisk};
use hvm_formats::io::SharedFile;
use hvm_model::guest::Guest;
use hvm_model::inventory::{Inventory, SourceDescription};
use hvm_model::names::WindowsPath;

use crate::error::SourceError;
use crate::fingerprint;
use crate::gate::TreeGate;
use crate::reach::ReadOnlyTree;
use crate::reach::answers::Answers;
use crate::reach::running::Link;
use crate::reach::variables::Variables;
use crate::source::Source;
use crate::understand::registry::Registry;
use crate::understand::{self, Reading};

/// Where Hyper-V's data lie.
pub(crate) trait Layout: Send + Sync {
    /// Its word in descriptions.
    fn word(&self) -> &'static str;
    /// What variables in paths stand for.
    fn variables(&self) -> Variables;
    /// A hive of the host.
    fn registry(&self, tree: &dyn ReadOnlyTree, name: &str) -> Registry;
    /// Folders that hold `Virtual Machines` and `Snapshots`; none where the registry of the host says it.
    fn roots(&self) -> Vec<WindowsPath>;
    /// What is used whatever the inventory holds.
    fn own(&self) -> fingerprint::Own;
}

/// A reach with a layout.
pub(crate) struct HostSource {
    pub(crate) uri: String,
    pub(crate) reach: &'static str,
    pub(crate) tree: Box<dyn ReadOnlyTree>,
    pub(crate) layout: Box<dyn Layout>,
    /// What the host says about itself, when it was asked.
    pub(crate) answers: Option<Box<dyn Answers>>,
    /// The way to a host that runs.
    pub(crate) link: Option<Arc<Link>>,
}

impl HostSource {
    /// What is there is asked for anew, and of a host that was away too.
    fn refresh(&self) {
        self.tree.refresh();
        if let Some(answers) = &self.answers {
            answers.refresh();
        }
        if let Some(link) = &self.link {
            link.try_again();
        }
    }

    /// An error when the host went away meanwhile: what was not answered since would look as if it were not there.
    fn still_there(&self) -> Result<(), SourceError> {
        let lost = self.link.as_ref().and_then(|link| link.lost());
        lost.map(SourceError::Winrm).or_else(|| self.tree.lost()).map_or(Ok(()), Err)
    }
}

impl Source for HostSource {
    fn describe(&self) -> SourceDescription {
        let drives = self.tree.drives().into_iter().map(|(letter, path)| (format!("{letter}:"), path));
        SourceDescription {
            uri: self.uri.clone(),
            reach: self.reach.to_owned(),
            layout: self.layout.word().to_owned(),
            drives: drives.collect(),
            files: self.link.as_ref().and_then(|_| self.tree.way()),
        }
    }

    fn inventory(&self) -> Result<Inventory, SourceError> {
        self.refresh();
        let hive = |name: &str| self.layout.registry(&*self.tree, name);
        let (system, software) = (hive("SYSTEM"), hive("SOFTWARE"));
        let reading = Reading::new(&*self.tree, self.layout.variables(), system, software, self.layout.roots())
            .with(self.answers.as_deref());
        let mut inventory = understand::inventory(reading, self.describe());
        inventory.problems.extend(self.tree.problems());
        inventory.unknowns.extend(self.tree.unknowns());
        self.still_there()?;
        Ok(inventory)
    }

    fn guests(&self, inventory: &Inventory) -> Vec<Guest> {
        understand::guests::read(inventory, &|path| self.open_disk(path))
    }

    fn open_disk(&self, path: &WindowsPath) -> Result<SharedDisk, SourceError> {
        Ok(disk::open(self.tree.open(path)?, &TreeGate::new(&*self.tree))?)
    }

    fn open_file(&self, path: &WindowsPath) -> Result<SharedFile, SourceError> {
        Ok(self.tree.open(path)?)
    }

    fn fingerprint(&self, inventory: &Inventory) -> Result<String, SourceError> {
        self.refresh();
        let fingerprint = fingerprint::of(&*self.tree, &self.layout.own(), inventory);
        self.still_there()?;
        Ok(fingerprint)
    }
}
