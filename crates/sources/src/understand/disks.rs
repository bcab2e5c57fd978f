//! The disk files that machines and checkpoints use, each once with its chain; and the sizes of images. A disk that cannot
//! be opened is a problem of each machine that uses it, and what its headers and those of its parents tell is still kept.

use std::collections::{HashMap, HashSet};

use hvm_formats::disk::{self, DiskError, ExtentKind, Layer, LayerFormat, MAX_LAYERS, ParentGate, VirtualDisk};
use hvm_formats::io::SharedFile;
use hvm_model::disk::DiskFile;
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::inventory::MediaFile;
use hvm_model::names::{ByteSize, VmId, WindowsPath};
use hvm_model::vm::{Drive, Media};

use super::Reading;
use super::devices::{SET, is_set};
use super::live::ToldDisks;
use super::machines::Machines;
use crate::error::{MAY_NOT_READ, ReachError};
use crate::gate::TreeGate;

/// Most sectors of a doubtful disk that are read.
const MAX_PROBES: usize = 4_000_000;
/// Distance of the sectors where no layer has blocks, bytes.
const PROBE_STEP: u64 = 2 << 20;
/// Length of a sector.
const SECTOR: u64 = 512;

/// Kind of the problem that an image in a drive is there, or may be, and cannot be read.
const UNREACHABLE_IMAGE: &str = "image.unreachable";

/// Most files of a VHD set that are named.
const MAX_NAMED: usize = 8;

/// Disks and images.
pub(super) struct Files {
    pub(super) disks: Vec<DiskFile>,
    pub(super) media: Vec<MediaFile>,
}

/// Whose disk it is, for the subject of a problem.
#[derive(Clone)]
struct User {
    id: VmId,
    name: String,
}

struct Disks<'a> {
    reading: &'a Reading<'a>,
    list: Vec<DiskFile>,
    known: HashMap<String, usize>,
    /// Leaves that could not be opened, with the problem's kind, message, place and hint.
    bad: HashMap<String, (String, String, Place, String)>,
    told: HashSet<(VmId, String)>,
    /// Disks that the host told of, when they were asked for.
    told_disks: Option<ToldDisks>,
}

/// Reads all disks; paths of drives that lead through links become the paths after them.
pub(super) fn read(reading: &Reading<'_>, machines: &mut Machines) -> Files {
    let mut disks = Disks {
        reading,
        list: Vec::new(),
        known: HashMap::new(),
        bad: HashMap::new(),
        told: HashSet::new(),
        told_disks: None,
    };
    let mut media: HashMap<String, MediaFile> = HashMap::new();
    for machine in &mut machines.machines {
        let user = User { id: machine.id.clone(), name: machine.name.clone() };
        for drive in &mut machine.configuration.drives {
            disks.drive(drive, Some(&user));
            disks.image(drive, &mut media, Some(&user));
        }
    }
    let users: HashMap<VmId, User> = machines
        .machines
        .iter()
        .map(|machine| (machine.id.clone(), User { id: machine.id.clone(), name: machine.name.clone() }))
        .collect();
    for checkpoint in &mut machines.checkpoints {
        let user =
            super::checkpoints::named_owner(checkpoint, |id| users.contains_key(id)).and_then(|id| users.get(&id));
        for drive in &mut checkpoint.configuration.drives {
            disks.drive(drive, user);
            disks.image(drive, &mut media, user);
        }
    }
    let mut media: Vec<MediaFile> = media.into_values().collect();
    media.sort_by(|a, b| a.path.cmp(&b.path));
    disks.list.sort_by(|a, b| a.path.cmp(&b.path));
    Files { disks: disks.list, media }
}

impl Disks<'_> {
    /// An image that is there is copied later, so that it has to be readable; one that is gone leaves an empty drive.
    fn image(&mut self, drive: &Drive, media: &mut HashMap<String, MediaFile>, user: Option<&User>) {
        let (Media::Iso { path } | Media::Floppy { path }) = &drive.media else { return };
        let mut size = || self.size_of_image(path, &drive.place);
        media.entry(path.key()).or_insert_with(|| MediaFile { path: path.clone(), size: size() });
        self.tell(path, user);
    }

    /// The length of an image; none where it is not there, or cannot be read, which is remembered.
    fn size_of_image(&mut self, path: &WindowsPath, place: &Place) -> Option<ByteSize> {
        let error = match self.reading.tree.metadata(path) {
            Ok(metadata) => match self.reading.tree.open(path) {
                Err(error @ ReachError::Io { .. }) => error,
                _ => return Some(ByteSize(metadata.size)),
            },
            Err(error) if error.is_missing() => return None,
            Err(error) => error,
        };
        let (_, message, place, hint) = unreachable(&error, place);
        let (kind, hint) = (UNREACHABLE_IMAGE.to_owned(), format!("{hint} Or take the image out of the drive."));
        self.bad.insert(path.key(), (kind, message, place, hint));
        None
    }

    fn drive(&mut self, drive: &mut Drive, user: Option<&User>) {
        let Media::VirtualDisk { path } = &mut drive.media else { return };
        match self.reading.tree.metadata(path) {
            _ if is_set(path) => {
                self.bad.entry(path.key()).or_insert_with(|| set(self.reading, path, &drive.place));
            }
            Ok(metadata) => {
                if metadata.real_path != *path {
                    *path = metadata.real_path;
                }
                if !self.known.contains_key(&path.key()) && !self.bad.contains_key(&path.key()) {
                    self.open(path);
                }
            }
            Err(error) => {
                self.bad.entry(path.key()).or_insert_with(|| unreachable(&error, &drive.place));
            }
        }
        let path = path.clone();
        self.tell(&path, user);
    }

    /// Tells what is wrong with a file, to each machine that uses it once.
    fn tell(&mut self, path: &WindowsPath, user: Option<&User>) {
        if let Some((kind, message, place, hint)) = self.bad.get(&path.key()) {
            let subject = match user {
                Some(user) if !self.told.insert((user.id.clone(), path.key())) => return,
                Some(user) => {
                    Subject::Disk { machine: user.id.clone(), machine_name: user.name.clone(), path: path.clone() }
                }
                None => Subject::File { path: path.to_string() },
            };
            self.reading.problem(Problem {
                kind: kind.clone(),
                subject,
                message: message.clone(),
                place: place.clone(),
                hint: hint.clone(),
            });
        }
    }

    fn open(&mut self, path: &WindowsPath) {
        let gate = TreeGate::new(self.reading.tree);
        let file = match self.reading.tree.open(path) {
            Ok(file) => file,
            Err(error) => {
                let mut told = unreachable(&error, &Place::new(path.as_str(), ""));
                if self.reading.is_live() && matches!(error, ReachError::Io { .. }) {
                    told.3 = "Mend on the host what keeps it from being read, then read the source again.".to_owned();
                }
                self.bad.insert(path.key(), told);
                if matches!(error, ReachError::NotCollected { .. } | ReachError::InUse { .. }) {
                    self.told_by_host(path);
                }
                return;
            }
        };
        match disk::open(SharedFile::clone(&file), &gate) {
            Ok(opened) => {
                let layers = opened.layers();
                for (index, layer) in layers.iter().enumerate() {
                    let parent = layers.get(index + 1).map(|parent| WindowsPath::new(&parent.name));
                    self.add(layer, parent);
                }
                if layers.iter().any(|layer| !layer.remarks.is_empty())
                    && let Err(error) = probe(&*opened)
                {
                    self.bad.insert(path.key(), broken(&error));
                }
            }
            Err(error) => {
                self.bad.insert(path.key(), broken(&error));
                self.salvage(file, &gate);
            }
        }
    }

    /// What can still be told of a broken chain: each layer whose headers are readable.
    fn salvage(&mut self, leaf: SharedFile, gate: &dyn ParentGate) {
        let mut next = Some(leaf);
        for _ in 0..MAX_LAYERS {
            let Some(file) = next else { return };
            let Ok(layer) = disk::headers(&file) else { return };
            let parent = layer.parent.as_ref().and_then(|request| {
                let candidates = gate.candidates(request).ok()?;
                let fits = |file: &SharedFile| {
                    disk::headers(file).is_ok_and(|layer| layer.unique_id.eq_ignore_ascii_case(&request.unique_id))
                };
                candidates.into_iter().find(fits)
            });
            self.add(&layer, parent.as_ref().map(|file| WindowsPath::new(file.name())));
            next = parent.filter(|file| !self.known.contains_key(&WindowsPath::new(file.name()).key()));
        }
    }

    /// What the host says of a disk and its parents whose content nobody took, or can read.
    fn told_by_host(&mut self, leaf: &WindowsPath) {
        let told = self.told_disks.get_or_insert_with(|| ToldDisks::new(self.reading));
        let mut chain: Vec<DiskFile> = Vec::new();
        let mut next = told.of(self.reading, leaf);
        while let Some(disk) = next.filter(|_| chain.len() < MAX_LAYERS) {
            next = disk.parent.as_ref().and_then(|parent| told.of(self.reading, parent));
            chain.push(disk);
        }
        for disk in chain {
            if !self.known.contains_key(&disk.path.key()) {
                self.known.insert(disk.path.key(), self.list.len());
                self.list.push(disk);
            }
        }
    }

    fn add(&mut self, layer: &Layer, parent: Option<WindowsPath>) {
        let path = WindowsPath::new(&layer.name);
        if self.known.contains_key(&path.key()) {
            return;
        }
        self.known.insert(path.key(), self.list.len());
        self.list.push(DiskFile {
            format: format_name(layer.format),
            virtual_size: ByteSize(layer.virtual_size),
            file_size: ByteSize(layer.file_size),
            allocated: ByteSize(layer.allocated),
            unique_id: layer.unique_id.clone(),
            parent,
            geometry_size: layer.geometry_size.map(ByteSize),
            remarks: layer.remarks.clone(),
            place: Place::new(path.as_str(), ""),
            path,
        });
    }
}

/// Reads one sector of each block: a file that was cut opens by its headers, and only some of its blocks are missing.
fn probe(disk: &dyn VirtualDisk) -> Result<(), DiskError> {
    let blocks = disk.layers().iter().map(|layer| u64::from(layer.block_size)).filter(|size| *size >= SECTOR);
    let step = blocks.min().unwrap_or(PROBE_STEP);
    let mut sector = [0; SECTOR as usize];
    let mut at = 0;
    for _ in 0..MAX_PROBES {
        if disk.size().saturating_sub(at) < SECTOR {
            break;
        }
        let run = disk.extent(at)?;
        if run.kind == ExtentKind::Data {
            disk.read_at(at, &mut sector)?;
        }
        let end = run.start.saturating_add(run.len.max(1));
        at = match run.kind {
            ExtentKind::Data => end.min((at / step).saturating_add(1).saturating_mul(step)),
            ExtentKind::Zero => end,
        };
    }
    Ok(())
}

/// The format's name in the inventory: `VhdDynamic` → `vhd-dynamic`.
fn format_name(format: LayerFormat) -> String {
    let mut name = String::new();
    for letter in format!("{format:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What is said of a VHD set. The files that lie beside it and are called by it are named, but which of them is its present state is
/// written in the set alone.
fn set(reading: &Reading<'_>, path: &WindowsPath, place: &Place) -> (String, String, Place, String) {
    let stem = path.file_stem().to_lowercase();
    let is_backing = |name: &str| {
        let name = name.to_lowercase();
        name.starts_with(&stem) && name.ends_with(".avhdx")
    };
    let entries = path.parent().and_then(|folder| reading.tree.read_dir(&folder).ok()).unwrap_or_default();
    let backing: Vec<String> = entries
        .iter()
        .filter(|entry| is_backing(&entry.name))
        .map(|entry| format!("'{}'", entry.name))
        .take(MAX_NAMED)
        .collect();
    let beside = match backing.is_empty() {
        true => "no .avhdx file that is called by it lies beside it".to_owned(),
        false => format!("beside it lie {}", backing.join(", ")),
    };
    let message = format!(
        "'{path}' is a VHD set, a disk that several machines can use at once. The set only says which .avhdx files hold its content, \
         in a way that is not documented, so that it is not read; {beside}."
    );
    let target = format!("{}.vhdx", path.as_str().get(..path.as_str().len() - SET.len()).unwrap_or_default());
    let hint = format!(
        "With all its machines off, on the source host: Convert-VHD -Path {} -DestinationPath {} -VHDType Dynamic. Give the machine \
         that disk instead, or put it into an exported copy of the machine.",
        quoted(path.as_str()),
        quoted(&target)
    );
    ("disk.vhd-set".to_owned(), message, place.clone(), hint)
}

/// A text in PowerShell, which takes the typographic apostrophes for apostrophes, too.
fn quoted(text: &str) -> String {
    let doubled = |c: char| std::iter::repeat_n(c, if matches!(c, '\'' | '\u{2018}'..='\u{201b}') { 2 } else { 1 });
    format!("'{}'", text.chars().flat_map(doubled).collect::<String>())
}

fn unreachable(error: &ReachError, place: &Place) -> (String, String, Place, String) {
    let (kind, hint) = match error {
        error if error.is_missing() => {
            ("disk.missing", "Copy the file from the source host, or go on without this disk by accepting the problem.")
        }
        ReachError::NotCollected { .. } => (
            "disk.not-collected",
            "The assessment goes on with what the host says of the disk. To migrate, name a source that has the disks: \
             'hvmigrate plan --from folder:…' with the drives, or 'image:…'.",
        ),
        ReachError::InUse { .. } => (
            "disk.in-use",
            "The assessment goes on with what the host says of the disk. To migrate, shut the virtual machine down and plan again, \
             or copy the volume from a shadow copy and name that as the source.",
        ),
        error if error.is_denied() => ("disk.unreachable", MAY_NOT_READ),
        ReachError::OtherServer { .. } => (
            "disk.unreachable",
            "On a host that still runs, bring the file to a drive of its own (Move-VMStorage, or with the machine off by a copy). Else \
             go on without it by accepting the problem, copy it from that server and attach it on the destination.",
        ),
        ReachError::NotNtfs { .. } | ReachError::NoVolume { .. } => {
            ("disk.unreachable", "Then read the source again, or go on without the file by accepting the problem.")
        }
        ReachError::NotMapped { .. } => ("disk.unreachable", "Map the drive, then read the source again."),
        _ => ("disk.unreachable", "Copy the file to a mapped folder under the same path, then read the source again."),
    };
    (kind.to_owned(), error.to_string(), place.clone(), hint.to_owned())
}

fn broken(error: &DiskError) -> (String, String, Place, String) {
    let (kind, hint) = match error {
        DiskError::MissingParent { .. } | DiskError::Gate(_) => (
            "disk.parent-missing",
            "Copy the parent from the source host to its recorded path or beside the child, then read the source again.",
        ),
        DiskError::WrongParent { .. } => {
            ("disk.parent-wrong", "Find the right parent on the source host, and copy it to the recorded path.")
        }
        DiskError::ParentChanged { .. } => (
            "disk.parent-changed",
            "Find out on the source host whether the parent was mounted or started after the checkpoint was made.",
        ),
        DiskError::Cycle { .. } => ("disk.chain-circle", "The files were mixed up; copy them again."),
        DiskError::TooDeep { .. } => ("disk.chain-too-deep", "Merge checkpoints on the source host."),
        _ => (
            "disk.unreadable",
            "Copy the file again from the source host and compare the length; 'hvmigrate disk info FILE' tells more.",
        ),
    };
    (kind.to_owned(), error.to_string(), Place::new(error.file(), ""), hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("D:\\it's.vhds"), "'D:\\it''s.vhds'");
        assert_eq!(quoted("a\u{2019}; calc"), "'a\u{2019}\u{2019}; calc'");
    }

    #[test]
    fn formats_have_the_names_of_the_inventory() {
        assert_eq!(format_name(LayerFormat::VhdDifferencing), "vhd-differencing");
        assert_eq!(format_name(LayerFormat::Raw), "raw");
    }
}
