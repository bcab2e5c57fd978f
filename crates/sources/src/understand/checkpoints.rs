//! Checkpoints find their machine, and their place in its tree. No release documents the keys that say so, hence: any GUID
//! outside of the device sections that names a machine or another checkpoint counts, and the chains of disks say the rest:
//! what was written after a checkpoint lies in a child of the checkpoint's disk.

use std::collections::{HashMap, HashSet};

use hvm_model::disk::DiskFile;
use hvm_model::finding::Subject;
use hvm_model::found::{Found, Place, Problem};
use hvm_model::names::{CheckpointId, VmId, WindowsPath};
use hvm_model::vm::{Checkpoint, Drive, Machine, Media};

use super::Reading;
use super::machine::{CheckpointFile, Named};
use super::machines::Machines;

/// The machine that a checkpoint's own file names: as its logical id, else as the only machine that it names at all.
pub(super) fn named_owner(file: &CheckpointFile, is_machine: impl Fn(&VmId) -> bool) -> Option<VmId> {
    if let Some(id) = file.logical_id.as_ref().filter(|id| is_machine(id)) {
        return Some(id.clone());
    }
    let named: HashSet<&VmId> = file.named.iter().map(|named| &named.id).filter(|id| is_machine(id)).collect();
    if named.len() == 1 { named.into_iter().next().cloned() } else { None }
}

/// Parents of disks.
struct Chains<'a> {
    parents: HashMap<String, &'a WindowsPath>,
}

impl<'a> Chains<'a> {
    fn new(disks: &'a [DiskFile]) -> Chains<'a> {
        let parents = disks.iter().filter_map(|disk| Some((disk.path.key(), disk.parent.as_ref()?))).collect();
        Chains { parents }
    }

    /// The disks below a leaf, the nearest first, without the leaf.
    fn ancestors(&self, leaf: &WindowsPath) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = leaf.key();
        while let Some(parent) = self.parents.get(&at) {
            at = parent.key();
            if found.contains(&at) {
                break;
            }
            found.push(at.clone());
        }
        found
    }
}

/// Gives each machine its checkpoints, parents before children.
pub(super) fn attach(reading: &Reading<'_>, machines: &mut Machines, disks: &[DiskFile]) {
    let chains = Chains::new(disks);
    let files = std::mem::take(&mut machines.checkpoints);
    if files.is_empty() {
        return;
    }
    let owners = owners(machines, &files, &chains);
    let mut of_machine: HashMap<VmId, Vec<CheckpointFile>> = HashMap::new();
    for (file, owner) in files.into_iter().zip(owners) {
        match owner {
            Some(owner) => of_machine.entry(owner).or_default().push(file),
            None => orphan(reading, &file),
        }
    }
    for (machine, named) in machines.machines.iter_mut().zip(&machines.named) {
        if let Some(files) = of_machine.remove(&machine.id) {
            let files = without_duplicates(reading, machine, files);
            let tree = Tree { reading, machine, files: &files, chains: &chains };
            let (current, used) = tree.current(named);
            let checkpoints = tree.checkpoints();
            machine.unknown_nodes.retain(|path| !used.contains(path));
            machine.checkpoints = ordered(checkpoints);
            machine.current_checkpoint = current;
        }
    }
}

fn orphan(reading: &Reading<'_>, file: &CheckpointFile) {
    reading.problem(Problem {
        kind: "checkpoint.orphan".to_owned(),
        subject: Subject::File { path: file.place.file.clone() },
        message: format!(
            "The checkpoint '{}' ({}) names no machine of this host, and no machine's disk descends from its disks.",
            file.name, file.id
        ),
        place: file.place.clone(),
        hint: "It may be left over from a machine that was removed, or its machine could not be read.".to_owned(),
    });
}

/// The owner of each file: as it says, as another checkpoint of the same tree says, as a machine says, as the disks say.
fn owners(machines: &Machines, files: &[CheckpointFile], chains: &Chains<'_>) -> Vec<Option<VmId>> {
    let ids: HashSet<&VmId> = machines.machines.iter().map(|machine| &machine.id).collect();
    let mut owner_of: HashMap<VmId, VmId> = HashMap::new();
    for file in files {
        if let Some(owner) = named_owner(file, |id| ids.contains(id)) {
            owner_of.insert(file.id.clone(), owner);
        }
    }
    let checkpoint_ids: HashSet<&VmId> = files.iter().map(|file| &file.id).collect();
    for (machine, named) in machines.machines.iter().zip(&machines.named) {
        for named in named.iter().filter(|named| checkpoint_ids.contains(&named.id) && named.id != machine.id) {
            owner_of.entry(named.id.clone()).or_insert_with(|| machine.id.clone());
        }
    }
    let by_disk = disk_owners(machines, chains);
    for file in files {
        let mut keys = disk_paths(&file.configuration.drives)
            .flat_map(|path| std::iter::once(path.key()).chain(chains.ancestors(path)));
        let owner = keys.find_map(|key| by_disk.get(&key));
        if let (Some(owner), false) = (owner, owner_of.contains_key(&file.id)) {
            owner_of.insert(file.id.clone(), owner.clone());
        }
    }
    // Along names of other checkpoints; each round brings at least one, so their number bounds the rounds.
    for _ in 0..files.len() {
        let before = owner_of.len();
        for file in files.iter() {
            let known = file.named.iter().find_map(|named| owner_of.get(&named.id)).cloned();
            if let (Some(owner), false) = (known, owner_of.contains_key(&file.id)) {
                owner_of.insert(file.id.clone(), owner);
            }
        }
        if owner_of.len() == before {
            break;
        }
    }
    files.iter().map(|file| owner_of.get(&file.id).cloned()).collect()
}

/// Disks that only one machine's present disks descend from, and that machine.
fn disk_owners(machines: &Machines, chains: &Chains<'_>) -> HashMap<String, VmId> {
    let mut owners: HashMap<String, Option<VmId>> = HashMap::new();
    for machine in &machines.machines {
        for path in disk_paths(&machine.configuration.drives) {
            for key in chains.ancestors(path) {
                let entry = owners.entry(key).or_insert_with(|| Some(machine.id.clone()));
                if entry.as_ref().is_some_and(|owner| *owner != machine.id) {
                    *entry = None;
                }
            }
        }
    }
    owners.into_iter().filter_map(|(key, owner)| Some((key, owner?))).collect()
}

fn disk_paths(drives: &[Drive]) -> impl Iterator<Item = &WindowsPath> {
    drives.iter().filter_map(|drive| match &drive.media {
        Media::VirtualDisk { path } => Some(path),
        _ => None,
    })
}

fn without_duplicates(reading: &Reading<'_>, machine: &Machine, files: Vec<CheckpointFile>) -> Vec<CheckpointFile> {
    let mut kept: Vec<CheckpointFile> = Vec::new();
    let mut seen: HashMap<VmId, String> = HashMap::new();
    for file in files {
        if let Some(first) = seen.get(&file.id) {
            reading.problem(Problem {
                kind: "checkpoint.duplicate-id".to_owned(),
                subject: Subject::Machine { id: machine.id.clone(), name: machine.name.clone() },
                message: format!(
                    "Two files describe the checkpoint {}: '{first}' and '{}'. Only the first is read.",
                    file.id, file.place.file
                ),
                place: file.place.clone(),
                hint: "Remove the one that is a copy.".to_owned(),
            });
            continue;
        }
        seen.insert(file.id.clone(), file.place.file.clone());
        kept.push(file);
    }
    kept
}

/// The checkpoints of one machine.
struct Tree<'a> {
    reading: &'a Reading<'a>,
    machine: &'a Machine,
    files: &'a [CheckpointFile],
    chains: &'a Chains<'a>,
}

impl Tree<'_> {
    fn checkpoints(&self) -> Vec<Checkpoint> {
        let parent = |file: &CheckpointFile| self.parent(file);
        let checkpoint = |file: &CheckpointFile| {
            Some(Checkpoint {
                id: file.id.as_str().parse().ok()?,
                name: file.name.clone(),
                created: file.created.clone(),
                parent: parent(file),
                has_saved_state: file.has_saved_state,
                configuration: file.configuration.clone(),
                place: file.place.clone(),
            })
        };
        self.files.iter().filter_map(checkpoint).collect()
    }

    fn parent(&self, file: &CheckpointFile) -> Found<Option<CheckpointId>> {
        let by_disks = self.before(&file.configuration.drives, Some(&file.id));
        let by_name = self.by_name(&file.named, Some(&file.id));
        match (by_name, by_disks) {
            (Some(named), by_disks) => {
                self.compare(&format!("The checkpoint '{}'", file.name), named, &by_disks);
                self.found(named).map_found(Some)
            }
            (None, Before::One(id, reason)) => {
                Found::Inferred { value: checkpoint_id(&id), reason, place: file.place.clone() }
            }
            (None, Before::Root(reason)) => Found::Inferred { value: None, reason, place: file.place.clone() },
            (None, Before::Unknown(reason)) => Found::Unknown { reason },
        }
    }

    /// The checkpoint that the machine's present state follows, and the leaves that say so.
    fn current(&self, named: &[Named]) -> (Found<CheckpointId>, HashSet<String>) {
        let ids: HashSet<&VmId> = self.files.iter().map(|file| &file.id).collect();
        let used = named.iter().filter(|named| ids.contains(&named.id)).map(|named| named.path.clone()).collect();
        let by_disks = self.before(&self.machine.configuration.drives, None);
        let found = match (self.by_name(named, None), by_disks) {
            (Some(named), by_disks) => {
                self.compare("The present state", named, &by_disks);
                self.found(named)
            }
            (None, Before::One(id, reason)) => match checkpoint_id(&id) {
                Some(value) => Found::Inferred { value, reason, place: self.machine.place.clone() },
                None => Found::unknown(reason),
            },
            (None, Before::Root(reason) | Before::Unknown(reason)) => Found::Unknown { reason },
        };
        (found, used)
    }

    /// The checkpoint that leaves name: the only one, or the only one under a name that speaks of a parent.
    fn by_name<'b>(&self, named: &'b [Named], own: Option<&VmId>) -> Option<&'b Named> {
        let others: Vec<&Named> = named
            .iter()
            .filter(|named| Some(&named.id) != own && self.files.iter().any(|file| file.id == named.id))
            .collect();
        let parents: Vec<&Named> = others.iter().copied().filter(|named| speaks_of_parent(named)).collect();
        let candidates = if parents.is_empty() { others } else { parents };
        let first = *candidates.first()?;
        candidates.iter().all(|named| named.id == first.id).then_some(first)
    }

    fn found(&self, named: &Named) -> Found<CheckpointId> {
        match checkpoint_id(&named.id) {
            Some(value) if speaks_of_parent(named) => Found::Read { value, place: named.place.clone() },
            Some(value) => Found::Inferred {
                value,
                reason: format!("The leaf '{}' names it, and no other checkpoint is named.", named.path),
                place: named.place.clone(),
            },
            None => Found::unknown("The id is no GUID."),
        }
    }

    fn compare(&self, what: &str, named: &Named, by_disks: &Before) {
        let Before::One(id, _) = by_disks else { return };
        if *id == named.id {
            return;
        }
        self.reading.problem(Problem {
            kind: "checkpoint.parent-conflict".to_owned(),
            subject: Subject::Machine { id: self.machine.id.clone(), name: self.machine.name.clone() },
            message: format!(
                "{what} names {} as its parent ({}), but its disks descend from those of {id}. The name is taken.",
                named.id, named.place
            ),
            place: named.place.clone(),
            hint: "Look at the tree of checkpoints in Hyper-V Manager on the source host.".to_owned(),
        });
    }

    /// The checkpoint whose disks are the nearest below these drives' disks.
    fn before(&self, drives: &[Drive], own: Option<&VmId>) -> Before {
        let mut of_disk: HashMap<String, &VmId> = HashMap::new();
        for file in self.files.iter().filter(|file| Some(&file.id) != own) {
            of_disk.extend(disk_paths(&file.configuration.drives).map(|path| (path.key(), &file.id)));
        }
        let mut found: HashMap<&VmId, Place> = HashMap::new();
        let mut disks = 0;
        for path in disk_paths(drives) {
            disks += 1;
            if let Some(id) = self.chains.ancestors(path).iter().find_map(|key| of_disk.get(key)) {
                found.entry(id).or_insert_with(|| Place::new(path.as_str(), ""));
            }
        }
        let mut ids = found.iter();
        match (ids.next(), ids.next()) {
            (Some((id, place)), None) => Before::One(
                (*id).clone(),
                format!("'{}' descends from the disk of that checkpoint, and of no nearer one.", place.file),
            ),
            (None, _) if disks > 0 => {
                Before::Root("None of its disks descends from a disk of another checkpoint.".to_owned())
            }
            (None, _) => Before::Unknown("It has no disks, and no leaf names another checkpoint.".to_owned()),
            (Some(_), Some(_)) => Before::Unknown("Its disks descend from those of different checkpoints.".to_owned()),
        }
    }
}

/// What the disks say of the checkpoint before.
enum Before {
    One(VmId, String),
    Root(String),
    Unknown(String),
}

fn speaks_of_parent(named: &Named) -> bool {
    named.path.to_ascii_lowercase().contains("parent")
}

fn checkpoint_id(id: &VmId) -> Option<CheckpointId> {
    id.as_str().parse().ok()
}

trait MapFound<T> {
    fn map_found<U>(self, change: impl FnOnce(T) -> U) -> Found<U>;
}

impl<T> MapFound<T> for Found<T> {
    fn map_found<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Read { value, place } => Found::Read { value: change(value), place },
            Found::Default { value, reason } => Found::Default { value: change(value), reason },
            Found::Inferred { value, reason, place } => Found::Inferred { value: change(value), reason, place },
            Found::Unknown { reason } => Found::Unknown { reason },
        }
    }
}

/// Parents before children, siblings by time and name; what is left in a circle comes last.
fn ordered(mut rest: Vec<Checkpoint>) -> Vec<Checkpoint> {
    rest.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id)));
    let ids: HashSet<CheckpointId> = rest.iter().map(|checkpoint| checkpoint.id.clone()).collect();
    let mut placed: HashSet<CheckpointId> = HashSet::new();
    let mut sorted = Vec::with_capacity(rest.len());
    loop {
        let is_ready = |checkpoint: &Checkpoint, placed: &HashSet<CheckpointId>| match checkpoint.parent.value() {
            Some(Some(parent)) => !ids.contains(parent) || placed.contains(parent),
            _ => true,
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = rest.into_iter().partition(|checkpoint| is_ready(checkpoint, &placed));
        if ready.is_empty() {
            sorted.extend(waiting);
            return sorted;
        }
        placed.extend(ready.iter().map(|checkpoint| checkpoint.id.clone()));
        sorted.extend(ready);
        rest = waiting;
    }
}
