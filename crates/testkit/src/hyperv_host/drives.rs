//! Controllers and drives of machines.

use super::state::*;
use super::{Host, parts};
use crate::powershell::{Call, Run, Value, thrown};

impl Host {
    fn drives(&self, call: &Call, kind: DriveKind) -> Run<Vec<Value>> {
        let (number, location) = (call.number("ControllerNumber"), call.number("ControllerLocation"));
        let controller = call.text("ControllerType");
        let mut all = Vec::new();
        for machine in self.looked_at(call)? {
            let fits = |drive: &&Drive| {
                drive.kind == kind
                    && number.is_none_or(|number| number == drive.number)
                    && location.is_none_or(|location| location == drive.location)
                    && controller.as_ref().is_none_or(|controller| *controller == drive.controller)
            };
            all.extend(machine.drives.iter().filter(fits).map(|drive| self.drive_object(machine, drive)));
        }
        Ok(all)
    }

    pub(super) fn get_dvd(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.drives(call, DriveKind::Dvd)
    }

    pub(super) fn get_disk(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.drives(call, DriveKind::Disk)
    }

    /// A file that is put into a drive: it must be there and have one of the endings.
    fn medium(&self, call: &Call, endings: &[&str]) -> Run<Option<String>> {
        let Some(path) = call.text("Path").filter(|path| !path.is_empty()) else { return Ok(None) };
        if self.files.read(&path).is_none() {
            return thrown(format!("{} -Path '{path}': the file is not there.", call.name));
        }
        let lower = path.to_lowercase();
        if !endings.iter().any(|ending| lower.ends_with(ending)) {
            return thrown(format!(
                "{} -Path '{path}': a file with one of {} is wanted.",
                call.name,
                endings.join(", ")
            ));
        }
        Ok(Some(path))
    }

    /// Puts a drive into its place: the controller must be there, and the place free.
    fn add_drive(&mut self, call: &Call, drive: Drive) -> Run<Vec<Value>> {
        let machine = self.machine_off(call)?;
        let (controllers, places) = match drive.controller.as_str() {
            "IDE" if machine.generation == 1 => (2, 2),
            "IDE" => return thrown(format!("{}: a machine of generation 2 has no IDE controllers.", call.name)),
            _ => (machine.scsi_controllers, 64),
        };
        let place = format!("{} controller {}, place {}", drive.controller, drive.number, drive.location);
        if !(0..controllers).contains(&drive.number) || !(0..places).contains(&drive.location) {
            return thrown(format!("{}: '{}' has no {place}.", call.name, machine.name));
        }
        let same = |other: &Drive| {
            (&other.controller, other.number, other.location) == (&drive.controller, drive.number, drive.location)
        };
        if machine.drives.iter().any(same) {
            return thrown(format!("{}: '{}' already has a drive on {place}.", call.name, machine.name));
        }
        let id = machine.id.clone();
        if drive.kind == DriveKind::Disk {
            self.check_free(call, &drive)?;
        }
        self.change()?;
        let machine = self.machine(&id)?;
        machine.drives.push(drive.clone());
        machine.drives.sort_by_key(|drive| (drive.controller.clone(), drive.number, drive.location));
        let machine = machine.clone();
        Ok(if call.has("Passthru") { vec![self.drive_object(&machine, &drive)] } else { Vec::new() })
    }

    /// A disk can be in one drive of the host only.
    fn check_free(&self, call: &Call, new: &Drive) -> Run<()> {
        if new.path.is_none() && new.disk.is_none() {
            return thrown(format!("{}: a -Path or a -DiskNumber is wanted.", call.name));
        }
        let same = |drive: &Drive| match (&new.path, &drive.path) {
            (Some(path), Some(used)) => used.eq_ignore_ascii_case(path),
            _ => new.disk.is_some() && drive.disk == new.disk,
        };
        // Whether the disk of a checkpoint can be given to a machine is not said; it would spoil the checkpoint.
        let snapshots = self.state.machines.iter().flat_map(|machine| &machine.snapshots);
        let mut machines = self.state.machines.iter().chain(snapshots.map(|snapshot| &snapshot.machine));
        match machines.find(|machine| machine.drives.iter().any(same)) {
            Some(machine) => thrown(format!("{}: the disk is already connected to '{}'.", call.name, machine.name)),
            None => Ok(()),
        }
    }

    pub(super) fn add_disk(&mut self, call: &Call) -> Run<Vec<Value>> {
        let Some(controller) = call.text("ControllerType") else {
            return thrown("Add-VMHardDiskDrive: which controller is meant without -ControllerType is not said.");
        };
        let path = self.medium(call, &[".vhd", ".vhdx", ".avhd", ".avhdx"])?;
        let disk = call.number("DiskNumber");
        match disk.map(|number| self.state.disks.iter().find(|disk| disk.number == number)) {
            Some(None) => return thrown("Add-VMHardDiskDrive -DiskNumber: there is no such disk."),
            Some(Some(found)) if !found.is_offline || path.is_some() => {
                return thrown("Add-VMHardDiskDrive -DiskNumber: the disk is online, or a -Path is given too.");
            }
            _ => {}
        }
        let (number, location) = (call.number("ControllerNumber"), call.number("ControllerLocation"));
        let (Some(number), Some(location)) = (number, location) else {
            return thrown("Add-VMHardDiskDrive: -ControllerNumber and -ControllerLocation are wanted.");
        };
        self.add_drive(call, Drive { controller, number, location, kind: DriveKind::Disk, path, disk })
    }

    pub(super) fn get_physical_disk(&mut self, _: &Call) -> Run<Vec<Value>> {
        Ok(self.state.disks.iter().map(|disk| self.disk_object(disk)).collect())
    }

    pub(super) fn add_dvd(&mut self, call: &Call) -> Run<Vec<Value>> {
        let path = self.medium(call, &[".iso"])?;
        let generation = self.machine_off(call)?.generation;
        let controller = if generation == 1 { "IDE" } else { "SCSI" }.to_owned();
        let (number, location) = (call.number("ControllerNumber"), call.number("ControllerLocation"));
        let (Some(number), Some(location)) = (number, location) else {
            return thrown("Add-VMDvdDrive: -ControllerNumber and -ControllerLocation are wanted.");
        };
        self.add_drive(call, Drive { controller, number, location, kind: DriveKind::Dvd, path, disk: None })
    }

    /// Machine and place of the drive that a call means by its object or by its place.
    fn place(&mut self, call: &Call, parameter: &str, kind: DriveKind) -> Run<(String, usize)> {
        let (machine, wanted) = match call.objects(parameter).as_deref() {
            Some([(_, id)]) => (id.split('|').next().unwrap_or_default().to_owned(), Some(id.clone())),
            Some(_) => return thrown(format!("{}: one drive is wanted.", call.name)),
            None => (self.machine_of(call)?, None),
        };
        let (number, location) = (call.number("ControllerNumber"), call.number("ControllerLocation"));
        let found = self.machine(&machine)?;
        let fits = |drive: &Drive| match &wanted {
            Some(id) => parts::drive_id(found, drive) == *id,
            None => Some(drive.number) == number && Some(drive.location) == location,
        };
        match found.drives.iter().position(|drive| drive.kind == kind && fits(drive)) {
            Some(index) => Ok((machine, index)),
            None => thrown(format!("{}: the drive is not there.", call.name)),
        }
    }

    fn take_out(&mut self, call: &Call, parameter: &str, kind: DriveKind) -> Run<Vec<Value>> {
        let (machine, index) = self.place(call, parameter, kind)?;
        self.change()?;
        self.machine(&machine)?.drives.remove(index);
        Ok(Vec::new())
    }

    pub(super) fn remove_dvd(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.take_out(call, "VMDvdDrive", DriveKind::Dvd)
    }

    pub(super) fn remove_disk(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.take_out(call, "VMHardDiskDrive", DriveKind::Disk)
    }

    /// Another file in a hard disk drive that is there.
    pub(super) fn set_disk(&mut self, call: &Call) -> Run<Vec<Value>> {
        let Some(path) = self.medium(call, &[".vhd", ".vhdx", ".avhd", ".avhdx"])? else {
            return crate::powershell::fault("Set-VMHardDiskDrive without -Path");
        };
        let (machine, index) = self.place(call, "VMHardDiskDrive", DriveKind::Disk)?;
        let Some(mut drive) = self.machine(&machine)?.drives.get(index).cloned() else { return Ok(Vec::new()) };
        if drive.disk.is_some() {
            return crate::powershell::fault("Set-VMHardDiskDrive -Path of a physical disk");
        }
        let before = drive.path.replace(path);
        // The drive itself may have the disk already.
        if before != drive.path {
            self.check_free(call, &drive)?;
        }
        self.change()?;
        if let Some(place) = self.machine(&machine)?.drives.get_mut(index) {
            *place = drive;
        }
        Ok(Vec::new())
    }

    pub(super) fn set_dvd(&mut self, call: &Call) -> Run<Vec<Value>> {
        let path = self.medium(call, &[".iso"])?;
        let (machine, index) = self.place(call, "VMDvdDrive", DriveKind::Dvd)?;
        self.change()?;
        if let Some(drive) = self.machine(&machine)?.drives.get_mut(index) {
            drive.path = path;
        }
        Ok(Vec::new())
    }

    pub(super) fn get_floppy(&mut self, call: &Call) -> Run<Vec<Value>> {
        let machines = self.looked_at(call)?;
        if machines.iter().any(|machine| machine.generation != 1) {
            return thrown("Get-VMFloppyDiskDrive: a machine of generation 2 has no floppy drive.");
        }
        Ok(machines.into_iter().map(|machine| self.floppy_object(machine)).collect())
    }

    pub(super) fn set_floppy(&mut self, call: &Call) -> Run<Vec<Value>> {
        let path = self.medium(call, &[".vfd"])?;
        let id = match call.objects("VMFloppyDiskDrive").and_then(|objects| objects.into_iter().next()) {
            Some((_, id)) => id,
            None => self.machine_of(call)?,
        };
        if self.machine(&id)?.generation != 1 {
            return thrown("Set-VMFloppyDiskDrive: a machine of generation 2 has no floppy drive.");
        }
        self.change()?;
        self.machine(&id)?.floppy = path;
        Ok(Vec::new())
    }

    fn controllers(&self, call: &Call, kind: &str) -> Run<Vec<Value>> {
        let ids = self.machines_of(call)?;
        let wanted = call.number("ControllerNumber");
        let mut all = Vec::new();
        for machine in self.state.machines.iter().filter(|machine| ids.contains(&machine.id)) {
            let count = match kind {
                "SCSI" => machine.scsi_controllers,
                _ if machine.generation == 1 => 2,
                _ => 0,
            };
            let numbers = (0..count).filter(|number| wanted.is_none_or(|wanted| wanted == *number));
            all.extend(numbers.map(|number| self.controller_object(machine, kind, number)));
        }
        Ok(all)
    }

    pub(super) fn get_scsi(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.controllers(call, "SCSI")
    }

    pub(super) fn get_ide(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.controllers(call, "IDE")
    }

    pub(super) fn add_scsi(&mut self, call: &Call) -> Run<Vec<Value>> {
        let machine = self.machine_off(call)?;
        let (id, number) = (machine.id.clone(), machine.scsi_controllers);
        if number >= 4 {
            return thrown(format!("Add-VMScsiController: '{}' has four already.", machine.name));
        }
        self.change()?;
        self.machine(&id)?.scsi_controllers += 1;
        let machine = self.machine(&id)?.clone();
        Ok(if call.has("Passthru") { vec![self.controller_object(&machine, "SCSI", number)] } else { Vec::new() })
    }

    /// The last one only: how the others would be counted afterwards is not said.
    pub(super) fn remove_scsi(&mut self, call: &Call) -> Run<Vec<Value>> {
        let (id, number) = match call.objects("VMScsiController").as_deref() {
            Some([(_, id)]) => {
                let (machine, number) = id.split_once('|').unwrap_or_default();
                (machine.to_owned(), number.parse().ok())
            }
            Some(_) => return thrown("Remove-VMScsiController: one controller is wanted."),
            None => (self.machine_of(call)?, call.number("ControllerNumber")),
        };
        let machine = self.machine(&id)?;
        if number != Some(machine.scsi_controllers - 1) {
            return thrown("Remove-VMScsiController: only the last controller can be taken away here.");
        }
        if machine.drives.iter().any(|drive| drive.controller == "SCSI" && Some(drive.number) == number) {
            return thrown("Remove-VMScsiController: drives are on the controller.");
        }
        self.change()?;
        self.machine(&id)?.scsi_controllers -= 1;
        Ok(Vec::new())
    }
}
