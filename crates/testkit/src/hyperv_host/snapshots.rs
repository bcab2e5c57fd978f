//! Checkpoints. What Hyper-V does with the disks is what its documentation says: a checkpoint keeps the disks that the machine had,
//! and the machine goes on with empty differencing disks above them; a machine that gets the state of a checkpoint loses the
//! differencing disks that it had; a machine that is removed has its checkpoints merged.

use super::Host;
use super::objects::guid;
use super::state::*;
use crate::powershell::{Call, Object, Run, Value, fault, thrown};

/// A path without the id that Hyper-V puts into the name of a differencing disk.
pub(super) fn without_id(path: &str) -> String {
    const MARK: &str = "-5DAB-4C0E-9B61-";
    match path.find(MARK) {
        Some(at) => {
            let (from, to) = (at.saturating_sub(8), at + MARK.len() + 12);
            format!("{}ID{}", path.get(..from).unwrap_or_default(), path.get(to..).unwrap_or_default())
        }
        None => path.to_owned(),
    }
}

fn is_differencing(path: &str) -> bool {
    let lower = path.to_lowercase();
    lower.ends_with(".avhd") || lower.ends_with(".avhdx")
}

/// Files of the hard disks of a machine.
fn files_of(machine: &Machine) -> impl Iterator<Item = &String> {
    let disks = machine.drives.iter().filter(|drive| drive.kind == DriveKind::Disk);
    disks.filter_map(|drive| drive.path.as_ref())
}

impl Host {
    /// The machines that a call looks at: checkpoints by `-VMSnapshot`, else machines.
    pub(super) fn looked_at(&self, call: &Call) -> Run<Vec<&Machine>> {
        let Some(objects) = call.objects("VMSnapshot") else {
            let ids = self.machines_of(call)?;
            return Ok(self.state.machines.iter().filter(|machine| ids.contains(&machine.id)).collect());
        };
        let find = |id: &String| {
            let snapshots = self.state.machines.iter().flat_map(|machine| &machine.snapshots);
            snapshots.map(|snapshot| &snapshot.machine).find(|machine| machine.id == *id)
        };
        let found: Vec<&Machine> = objects.iter().filter_map(|(_, id)| find(id)).collect();
        if found.len() == objects.len() { Ok(found) } else { thrown("A checkpoint is not there any more.") }
    }

    fn snapshot_object(&self, machine: &Machine, snapshot: &Snapshot) -> Value {
        Object::new("VMSnapshot", &snapshot.id)
            .with("Name", &snapshot.name)
            .with("Id", guid(&snapshot.id))
            .with("VMName", &machine.name)
            .with("VMId", guid(&machine.id))
            .with("ParentSnapshotId", snapshot.machine.parent.as_ref().map_or(Value::Null, |id| guid(id)))
            .value()
    }

    pub(super) fn get_snapshot(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (ids, name) = (self.machines_of(call)?, call.text("Name"));
        let mut all = Vec::new();
        for machine in self.state.machines.iter().filter(|machine| ids.contains(&machine.id)) {
            let fits = |snapshot: &&Snapshot| name.as_ref().is_none_or(|name| snapshot.name.eq_ignore_ascii_case(name));
            all.extend(machine.snapshots.iter().filter(fits).map(|snapshot| self.snapshot_object(machine, snapshot)));
        }
        Ok(all)
    }

    /// The machine of the one checkpoint that a call means, and its place there.
    fn snapshot_of(&mut self, call: &Call) -> Run<(String, usize)> {
        let objects = call.objects("VMSnapshot").unwrap_or_default();
        let [(_, id)] = objects.as_slice() else {
            return thrown(format!("{}: one checkpoint is wanted.", call.name));
        };
        for machine in &self.state.machines {
            if let Some(place) = machine.snapshots.iter().position(|snapshot| snapshot.id == *id) {
                if machine.state != "Off" {
                    return thrown(format!(
                        "{} cannot be done while the virtual machine is {}.",
                        call.name, machine.state
                    ));
                }
                return Ok((machine.id.clone(), place));
            }
        }
        thrown(format!("The checkpoint {id} is not there any more."))
    }

    /// Puts empty differencing disks above the hard disks of a machine.
    fn put_above(&mut self, machine: &mut Machine) -> Run<()> {
        for drive in machine.drives.iter_mut().filter(|drive| drive.kind == DriveKind::Disk) {
            let Some(path) = &mut drive.path else { continue };
            let Some((stem, ending)) = path.rsplit_once('.') else { continue };
            let ending = ending.to_lowercase();
            let ending = ending.trim_start_matches('a');
            let child = format!("{stem}_{}.a{ending}", self.new_id());
            if let Err(message) = self.files.write(&child, format!("child of {path}").into_bytes()) {
                return thrown(message);
            }
            *path = child;
        }
        Ok(())
    }

    /// Removes the differencing disks of `gone` that no other state of the host has.
    fn drop_disks(&mut self, gone: &Machine) {
        let snapshots = self.state.machines.iter().flat_map(|machine| &machine.snapshots);
        let states = self.state.machines.iter().chain(snapshots.map(|snapshot| &snapshot.machine));
        let used: Vec<String> = states.flat_map(files_of).map(|path| path.to_lowercase()).collect();
        for path in files_of(gone).filter(|path| is_differencing(path) && !used.contains(&path.to_lowercase())) {
            self.files.remove(path);
        }
    }

    pub(super) fn checkpoint_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let mut machine = self.machine_off(call)?.clone();
        let Some(name) = call.text("SnapshotName").filter(|name| !name.is_empty()) else {
            return fault("Checkpoint-VM without -SnapshotName");
        };
        if machine.drives.iter().any(|drive| drive.disk.is_some()) {
            return thrown("Checkpoint-VM: a machine with a physical disk takes no checkpoints.");
        }
        self.change()?;
        let id = self.new_id();
        let state = Machine { id: id.clone(), snapshots: Vec::new(), ..machine.clone() };
        machine.snapshots.push(Snapshot { id: id.clone(), name, machine: state });
        machine.parent = Some(id);
        self.put_above(&mut machine)?;
        let object = machine.snapshots.last().map(|snapshot| self.snapshot_object(&machine, snapshot));
        let id = machine.id.clone();
        *self.machine(&id)? = machine;
        Ok(if call.has("Passthru") { object.into_iter().collect() } else { Vec::new() })
    }

    pub(super) fn restore_snapshot(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (id, place) = self.snapshot_of(call)?;
        self.change()?;
        let before = self.machine(&id)?.clone();
        let Some(snapshot) = before.snapshots.get(place).cloned() else { return Ok(Vec::new()) };
        let parent = Some(snapshot.id);
        let mut machine = Machine { id, snapshots: before.snapshots.clone(), parent, ..snapshot.machine };
        machine.place(&before.location);
        self.put_above(&mut machine)?;
        let id = machine.id.clone();
        *self.machine(&id)? = machine;
        self.drop_disks(&before);
        Ok(Vec::new())
    }

    pub(super) fn rename_snapshot(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (id, place) = self.snapshot_of(call)?;
        let Some(name) = call.text("NewName").filter(|name| !name.is_empty()) else {
            return thrown("Rename-VMSnapshot: a name is wanted.");
        };
        self.change()?;
        if let Some(snapshot) = self.machine(&id)?.snapshots.get_mut(place) {
            snapshot.name = name;
        }
        Ok(Vec::new())
    }

    /// Of a checkpoint that nothing derives from. What else Hyper-V merges, and when, a script should not count on.
    pub(super) fn remove_snapshot(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (id, place) = self.snapshot_of(call)?;
        let machine = self.machine(&id)?;
        let Some(snapshot) = machine.snapshots.get(place).cloned() else { return Ok(Vec::new()) };
        let below = machine.snapshots.iter().any(|other| other.machine.parent.as_ref() == Some(&snapshot.id));
        if below || machine.parent.as_ref() == Some(&snapshot.id) {
            return fault("Remove-VMSnapshot of a checkpoint that something derives from");
        }
        self.change()?;
        self.machine(&id)?.snapshots.remove(place);
        self.drop_disks(&snapshot.machine);
        Ok(Vec::new())
    }

    /// What becomes of the disks of a machine that was removed: its differencing disks are merged into those below them.
    pub(super) fn merge(&mut self, gone: &Machine) {
        if gone.snapshots.is_empty() {
            return;
        }
        let states = gone.snapshots.iter().map(|snapshot| &snapshot.machine).chain([gone]);
        let paths: Vec<String> = states.flat_map(files_of).cloned().collect();
        for path in paths {
            if is_differencing(&path) {
                self.files.remove(&path);
            } else if let Some(bytes) = self.files.read(&path).map(<[u8]>::to_vec) {
                // A file that can be read can be written.
                drop(self.files.write(&path, [bytes.as_slice(), b" merged"].concat()));
            }
        }
    }
}
