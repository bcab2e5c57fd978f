//! A host that runs Hyper-V: another one that is talked to over Windows Remote Management, `winrm://HOST[:PORT]/DRIVE:/FOLDER`,
//! or this computer, `local:DRIVE:/FOLDER`.
//!
//! For another host the kit is made on this computer as for `kit:`, in a folder of the migration's own, and carried to the folder
//! on the host; here it is made in that folder at once. Then the host runs its scripts as scheduled tasks, and what they saw is
//! fetched. [`session`] mends connections, [`here`] runs scripts on this computer, [`claim`] takes the folder and keeps it safe,
//! [`carry`] brings files, mostly by [`fetch`] from the [`depot`] here, [`compare`] compares them again, [`job`] runs scripts, [`facts`] asks what the host is; [`place`] and
//! [`login`] read the URI.

mod carry;
mod claim;
mod compare;
mod depot;
mod facts;
mod fetch;
#[cfg(test)]
mod fetch_tests;
mod here;
mod job;
mod login;
mod pace;
mod place;
mod session;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use hvm_model::capabilities::Capabilities;
use hvm_model::names::ByteSize;
use hvm_model::plan::{Action, Plan, Step};
use hvm_model::setting::{Carry, Setting};
use hvm_winrm::psrp::Script;
use serde::Serialize;

use crate::access::{Access, PasswordWanted, Side};
use crate::destination::{Destination, DoneOnHost, FileDifference, HostWatch, RunningHost};
use crate::error::DestinationError;
use crate::hyperv::cmdlet;
use crate::hyperv::facts::{Facts, NAMES};
use crate::hyperv::{self, Kit};
use crate::live::carry::{Came, Meter, Parcel, Ways};
use crate::live::claim::{Folder, Taking};
use crate::live::fetch::{Fetcher, Fetching};
use crate::live::here::Here;
use crate::live::job::{Kind, RUNNER, Task};
use crate::live::pace::Pace;
use crate::live::place::Place;
use crate::live::session::{Remote, Session, Talk, text};
use crate::uri::Uri;
use crate::{files, names};

/// Folder of the kit, below the folder that is given with the URI.
const KIT: &str = "kit";
/// What the host is, as it said it last.
const FACTS: &str = "host.json";
/// What the host saw when it looked last.
const OBSERVED: &str = "observed.json";
/// Where a kit's test leaves what it saw.
const SEEN_THERE: &str = "state/observed.json";
/// The name of this migration for the host: what lies in a folder there with another name is not touched.
const OWNER: &str = "owner.txt";
/// Folders that the scripts of a kit make in it.
const MADE_THERE: [&str; 2] = ["live", "state"];
/// Files that are removed by one call.
const AT_ONCE: usize = 200;

const READ: &str = include_str!("scripts/Read.ps1");
const REMOVE: &str = include_str!("scripts/Remove.ps1");

/// A host that runs.
#[derive(Debug)]
pub struct LiveHost {
    uri: Uri,
    place: Place,
    reach: Reach,
    /// Without a password there is no session, and only what needs none can be done.
    session: Option<Session>,
    folder: PathBuf,
    root: PathBuf,
    limit: Option<u64>,
    fetching: Fetching,
    /// The host could not fetch: it is not tried again for each file.
    fetch_failed: AtomicBool,
    kit: OnceLock<Kit>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    /// As this user, over the network.
    There { user: String },
    /// It is this computer.
    Here,
}

/// What is removed from the host, with `\`.
#[derive(Debug, Serialize)]
struct Names {
    files: Vec<String>,
    trees: Vec<&'static str>,
    folders: Vec<String>,
}

impl LiveHost {
    /// Opens a host; nothing is said to it yet.
    pub(crate) fn open(uri: Uri, access: &Access) -> Result<LiveHost, DestinationError> {
        check(&uri)?;
        let place = Place::of(&uri)?;
        let endpoint = login::endpoint(&uri, &place)?;
        let password = access.password.clone();
        let login = password.map(|password| login::login(&uri, password)).transpose()?;
        let limit: Option<ByteSize> = uri.value("limit", "bytes a second such as 50MiB are wanted")?;
        // Mistakes in what is said of the host are told before it is asked.
        Facts::over(&uri, Facts::default())?;
        let folder = access.folder.clone().unwrap_or_default();
        Ok(LiveHost {
            session: login.map(|login| Session::There(Remote::new(endpoint, login))),
            reach: Reach::There { user: login::user(&uri)? },
            root: folder.join(KIT),
            limit: limit.map(|limit| limit.0),
            fetching: Fetching::of(&uri)?,
            fetch_failed: AtomicBool::new(false),
            kit: OnceLock::new(),
            uri,
            place,
            folder,
        })
    }

    /// Opens this computer; nothing is run yet.
    pub(crate) fn open_here(uri: Uri, access: &Access) -> Result<LiveHost, DestinationError> {
        uri.check(&NAMES)?;
        let place = Place::here(&uri, Here::NAME)?;
        Facts::over(&uri, Facts::default())?;
        Ok(LiveHost {
            session: Here::find().map(Session::Here),
            reach: Reach::Here,
            root: place.local(),
            folder: access.folder.clone().unwrap_or_default(),
            limit: None,
            fetching: Fetching::Never,
            fetch_failed: AtomicBool::new(false),
            kit: OnceLock::new(),
            uri,
            place,
        })
    }

    /// Whose password it wants.
    pub(crate) fn password_wanted(uri: &Uri) -> Result<PasswordWanted, DestinationError> {
        check(uri)?;
        Ok(PasswordWanted { user: login::user(uri)?, host: Place::of(uri)?.host, side: Side::Destination })
    }

    fn session(&self) -> Result<&Session, DestinationError> {
        let missing = || match &self.reach {
            Reach::There { user } => DestinationError::NoPassword { user: user.clone(), host: self.place.host.clone() },
            Reach::Here => DestinationError::NotWindows,
        };
        self.session.as_ref().ok_or_else(missing)
    }

    /// The kit for what is known of the host.
    fn kit(&self) -> Result<&Kit, DestinationError> {
        if let Some(kit) = self.kit.get() {
            return Ok(kit);
        }
        let remembered = self.folder.join(FACTS);
        let known = if remembered.is_file() { Facts::read(&remembered)? } else { Facts::default() };
        let facts = Facts::over(&self.uri, known)?;
        if facts.os.is_none() {
            return Err(DestinationError::NotAsked { host: self.place.host.clone() });
        }
        let kit = Kit::with(&self.uri, self.root.clone(), facts)?;
        Ok(self.kit.get_or_init(|| kit))
    }

    /// All files that are carried, disks or all others.
    fn carried(&self, plan: &Plan, disks: Disks) -> Vec<String> {
        let is_disk = |step: &&Step| matches!(step.action, Action::CopyDisk { .. });
        let wanted = |step: &&Step| disks == Disks::With || !is_disk(step);
        let outputs = plan.steps.iter().filter(wanted).flat_map(|step| self.outputs(plan, step));
        let mut files: Vec<String> = Vec::new();
        for file in outputs {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// All files that lie on the host because they were carried there. Those of this computer are ordinary files of the
    /// destination, which are compared and removed as such.
    fn carried_there(&self, plan: &Plan) -> Vec<String> {
        if self.needs_carrying() { self.carried(plan, Disks::With) } else { Vec::new() }
    }

    /// What the folder on the host is marked with: made once for a work folder.
    fn owner(&self) -> Result<String, DestinationError> {
        let own = self.folder.join(OWNER);
        if own.is_file() {
            return files::read_text(&own);
        }
        let owner = hvm_winrm::Guid::random().to_string();
        files::write(&self.folder, OWNER, owner.as_bytes())?;
        Ok(owner)
    }

    /// Whose the folder on the host is; one that is nobody's is taken when that is wanted.
    fn claim(&self, taking: Taking, watch: &dyn HostWatch) -> Result<Folder, DestinationError> {
        let owner = self.owner()?;
        self.session()?.work(watch, &mut |talk| claim::claim(talk, &self.place, &owner, taking))
    }

    fn in_the_way(&self) -> DestinationError {
        DestinationError::InTheWay { host: self.place.host.clone(), path: self.place.folder.clone() }
    }

    /// Takes the folder, unless it is somebody else's.
    fn take(&self, watch: &dyn HostWatch) -> Result<(), DestinationError> {
        match self.claim(Taking::Take, watch)? {
            Folder::Theirs => Err(self.in_the_way()),
            Folder::Free | Folder::Ours => Ok(()),
        }
    }

    fn carry(&self, files: &[String], watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        self.take(watch)?;
        let parcel = |file: &String| carry::parcel(&self.root, file, self.place.path(file));
        let parcels: Vec<Parcel> = files.iter().map(parcel).collect::<Result<_, _>>()?;
        let meter = Meter::new(watch, parcels.iter().map(|parcel| parcel.length).sum());
        let from = (self.fetching, self.place.host.as_str());
        let fetcher = Fetcher::open(from, &parcels, self.limit, (&self.fetch_failed, &|text| watch.note(text)));
        let mut ways = Ways { fetcher, pace: Pace::new(self.limit), meter };
        let (mut next, mut there) = (0, 0);
        let mut done = DoneOnHost::default();
        self.session()?.work(watch, &mut |talk| {
            while let (Some(parcel), Some(file)) = (parcels.get(next), files.get(next)) {
                match carry::carry(talk, (parcel, next), &mut ways)? {
                    Came::WasThere => there += 1,
                    Came::Sent { from, bytes, is_fetched } => {
                        done.sent += bytes;
                        if is_fetched {
                            done.notes.push(format!("'{file}' was fetched by the host over TLS."));
                        }
                        if from > 0 {
                            done.notes.push(format!("'{file}' went on at offset {from}."));
                        }
                    }
                }
                next += 1;
            }
            Ok(())
        })?;
        watch.bytes_finished();
        if there > 0 {
            done.notes.push(format!("{there} of {} files were there already and are equal.", files.len()));
        }
        Ok(done)
    }

    fn job(&self, plan: &Plan, kind: Kind, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        let run = match kind {
            // Each look is a new one.
            Kind::Test => hvm_winrm::Guid::random().to_string(),
            Kind::Import | Kind::Undo => run_of(plan),
        };
        let owner = self.owner()?;
        let notes = Task { place: &self.place, owner: &owner, kind, run }.run(self.session()?, watch)?;
        Ok(DoneOnHost { sent: 0, notes })
    }
}

/// Refuses parameters that there are not. The message does not repeat the URI: somebody may have written a password into it.
fn check(uri: &Uri) -> Result<(), DestinationError> {
    let mut known = vec!["limit", "fetch"];
    known.extend(login::NAMES);
    known.extend(NAMES);
    uri.check(&known).map_err(|error| match error {
        DestinationError::UnknownParameter { uri, parameter, known } => {
            let shown = uri.split('?').next().unwrap_or_default().to_owned();
            DestinationError::UnknownParameter { uri: shown, parameter, known }
        }
        other => other,
    })
}

/// The run of a plan: a migration that was cut off finds its own job again.
fn run_of(plan: &Plan) -> String {
    let text = format!("{}\n{}\n{}\n{}", plan.created, plan.host, plan.fingerprint, plan.destination);
    blake3::hash(text.as_bytes()).to_hex().as_str().chars().take(32).collect()
}

/// Which files are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disks {
    With,
    Without,
}

impl Destination for LiveHost {
    fn capabilities(&self) -> Result<Capabilities, DestinationError> {
        let (json, facts) = facts::ask(self.session()?, &self.place, &Unwatched)?;
        if self.folder != Path::new("") {
            files::write(&self.folder, FACTS, json.as_bytes())?;
        }
        let kit = Kit::with(&self.uri, self.root.clone(), Facts::over(&self.uri, facts)?)?;
        let capabilities = kit.capabilities();
        let _ = self.kit.set(kit);
        capabilities
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn safe_name(&self, text: &str) -> String {
        names::safe(text)
    }

    fn outputs(&self, plan: &Plan, step: &Step) -> Vec<String> {
        let Ok(kit) = self.kit() else { return Vec::new() };
        let mut files = kit.outputs(plan, step);
        if step.action == Action::Complete {
            files.push(RUNNER.0.to_owned());
        }
        files
    }

    fn perform(&self, plan: &Plan, step: &Step) -> Result<Vec<String>, DestinationError> {
        if step.action == Action::Complete {
            files::write(&self.root, RUNNER.0, &cmdlet::fixed(RUNNER.1))?;
        }
        self.kit()?.perform(plan, step)?;
        Ok(self.outputs(plan, step))
    }

    fn observe(&self) -> Result<Vec<Setting>, DestinationError> {
        self.kit()?.observe()
    }

    fn carries(&self, setting: &Setting) -> Carry {
        self.kit().map_or(Carry::Carried, |kit| kit.carries(setting))
    }

    fn host(&self) -> Option<&dyn RunningHost> {
        Some(self)
    }
}

impl RunningHost for LiveHost {
    fn name(&self) -> &str {
        &self.place.host
    }

    fn needs_carrying(&self) -> bool {
        self.reach != Reach::Here
    }

    fn check(&self, watch: &dyn HostWatch) -> Result<(), DestinationError> {
        match self.claim(Taking::Look, watch)? {
            Folder::Theirs => Err(self.in_the_way()),
            Folder::Free | Folder::Ours => Ok(()),
        }
    }

    fn perform(&self, plan: &Plan, step: &Step, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        match &step.action {
            Action::TakeFolder => self.take(watch).map(|()| DoneOnHost::default()),
            Action::CarryOver { file: Some(file) } => self.carry(std::slice::from_ref(file), watch),
            Action::CarryOver { file: None } => self.carry(&self.carried(plan, Disks::Without), watch),
            Action::ImportOnHost => self.job(plan, Kind::Import, watch),
            Action::ObserveOnHost => self.look(plan, watch),
            _ => Err(DestinationError::NotMine { step: step.id.clone() }),
        }
    }

    fn look(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        let done = self.job(plan, Kind::Test, watch)?;
        let read = Script::new(READ).with("Path", text(&self.place.path(SEEN_THERE)));
        let json = self.session()?.work(watch, &mut |talk| talk.ask("read what it saw", &read))?;
        files::write(&self.folder, OBSERVED, json.as_bytes())?;
        Ok(done)
    }

    fn compare(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<Vec<FileDifference>, DestinationError> {
        let files = self.carried_there(plan);
        // What is not here any more is told as missing here.
        let mut parcels: Vec<(&str, Parcel)> = Vec::new();
        for file in &files {
            parcels.extend(
                carry::parcel(&self.root, file, self.place.path(file)).ok().map(|parcel| (file.as_str(), parcel)),
            );
        }
        let mut meter = Meter::new(watch, parcels.iter().map(|(_, parcel)| parcel.length).sum());
        let (mut next, mut all) = (0, Vec::new());
        self.session()?.work(watch, &mut |talk| {
            while let Some((file, parcel)) = parcels.get(next) {
                all.extend(compare::compare(talk, (file, parcel), &mut meter)?);
                next += 1;
            }
            Ok(())
        })?;
        watch.bytes_finished();
        Ok(all)
    }

    fn observed(&self) -> PathBuf {
        self.folder.join(OBSERVED)
    }

    fn undo(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        self.job(plan, Kind::Undo, watch)
    }

    fn discard(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError> {
        let owner = self.owner()?;
        let is_ours = |talk: &mut Talk<'_>| match claim::whose(talk, &self.place, &owner)? {
            Folder::Ours => claim::guard(talk, &self.place).map(|()| true),
            Folder::Free | Folder::Theirs => Ok(false),
        };
        if !self.session()?.work(watch, &mut |talk| is_ours(talk))? {
            return Ok(DoneOnHost::default());
        }
        let files = self.carried_there(plan);
        // The mark goes last, so that what was cut off here is found again.
        let mut folders = folders_of(&files);
        folders.extend([claim::mark(&owner), String::new()]);
        let mut calls: Vec<Names> = Vec::new();
        for some in files.chunks(AT_ONCE) {
            calls.push(Names { files: some.iter().map(|file| there(file)).collect(), trees: vec![], folders: vec![] });
        }
        calls.push(Names { files: Vec::new(), trees: MADE_THERE.to_vec(), folders });
        let mut left = Vec::new();
        let (session, folder) = (self.session()?, text(&self.place.folder));
        session.work(watch, &mut |talk| {
            left.clear();
            for names in &calls {
                let names = String::from_utf8_lossy(&hyperv::json(names)).into_owned();
                let script = Script::new(REMOVE).with("Folder", folder.clone()).with("Names", text(&names));
                left.extend(talk.run("remove what was carried there", &script)?);
            }
            Ok(())
        })?;
        let note = |path: &String| format!("The folder '{path}' on {} stays: it is not empty.", self.place.host);
        Ok(DoneOnHost { sent: 0, notes: left.iter().map(note).collect() })
    }
}

fn there(file: &str) -> String {
    file.replace('/', "\\")
}

/// The folders of files, the innermost first.
fn folders_of(files: &[String]) -> Vec<String> {
    let mut folders: Vec<&str> = Vec::new();
    for file in files {
        let mut rest = file.as_str();
        while let Some((folder, _)) = rest.rsplit_once('/') {
            folders.push(folder);
            rest = folder;
        }
    }
    folders.sort_unstable_by(|one, other| (other.matches('/').count(), other).cmp(&(one.matches('/').count(), one)));
    folders.dedup();
    folders.into_iter().map(there).collect()
}

/// Nobody listens.
struct Unwatched;

impl HostWatch for Unwatched {
    fn note(&self, _: &str) {}
    fn bytes_started(&self, _: u64) {}
    fn bytes_advanced(&self, _: u64) {}
    fn bytes_finished(&self) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}
