//! What keeps a source from being opened or a file from being reached. What cannot be read inside a source that was
//! opened is a `Problem` of the inventory, not an error.

use std::io;
use std::sync::Arc;

use hvm_formats::disk::DiskError;

/// A source could not be opened, or something of it could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The scheme of the URI is not in the list.
    #[error("'{uri}' is no source: its scheme '{scheme}' is not known. Known are: {known}.")]
    UnknownScheme {
        /// The URI as given.
        uri: String,
        /// The part before the colon.
        scheme: String,
        /// The schemes that there are, with an example each.
        known: String,
    },
    /// The URI has the right scheme but cannot be understood.
    #[error("The source '{uri}' cannot be understood: {reason}.")]
    BadUri {
        /// The URI as given.
        uri: String,
        /// What is wrong, with the values.
        reason: String,
    },
    /// A folder of the URI is not there.
    #[error("The folder '{path}' cannot be opened as a source: {source}.")]
    Folder {
        /// The folder.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// No drive was found or given.
    #[error(
        "'{path}' holds neither folders named after drive letters (such as '{path}/C') nor a 'Windows' folder. Name the \
         drives, for example 'folder:{path}?c=/path/to/c'."
    )]
    NoDrives {
        /// The folder.
        path: String,
    },
    /// A folder holds no exported machine.
    #[error(
        "'{path}' holds no exported machine: neither it nor a folder in it has a folder 'Virtual Machines'.{unreadable} Name the \
         folder that the machines were exported to."
    )]
    NoExport {
        /// The folder.
        path: String,
        /// What may be one and could not be read: whole sentences, a space before each.
        unreadable: String,
    },
    /// No partition of the disks holds files that can be read.
    #[error("None of the partitions of {disks} can be read as a source: {found}.")]
    NoVolumes {
        /// The disks.
        disks: String,
        /// What was found instead.
        found: String,
    },
    /// Nothing says which volume has which drive letter.
    #[error(
        "No volume holds 'Windows\\System32\\config\\SYSTEM', which says which volume has which drive letter.{unreadable} Name the \
         volumes, for example '{example}'. There are: {volumes}."
    )]
    NoLetters {
        /// What to add to the URI.
        example: String,
        /// The volumes.
        volumes: String,
        /// Where it may be and could not be read: whole sentences, a space before each.
        unreadable: String,
    },
    /// Two volumes may be meant, such as those of a disk and of its clone.
    #[error(
        "Both '{first}' and '{second}' may be {what}, as of a disk and its clone, and nothing in them says which is current. Leave the \
         other disk away, or say which one it is: {how}."
    )]
    Twins {
        /// What each of them may be.
        what: String,
        /// One volume.
        first: String,
        /// The other volume.
        second: String,
        /// What to add to the URI.
        how: String,
    },
    /// The drive map of a URI names a volume that is not there.
    #[error(
        "Drive {letter}: is mapped to disk {disk}, partition {partition}, which is no volume that can be read. There are: {volumes}."
    )]
    NoSuchVolume {
        /// The letter.
        letter: char,
        /// Number of the disk, from 1.
        disk: usize,
        /// Number of the partition.
        partition: u32,
        /// The volumes.
        volumes: String,
    },
    /// No drive holds a Windows installation.
    #[error(
        "None of the drives {drives} holds 'Windows\\System32\\config' or \
         'ProgramData\\Microsoft\\Windows\\Hyper-V': this is no system volume of a Hyper-V host. Map the volume that \
         Windows was started from: add {how} to the source."
    )]
    NoSystem {
        /// Drive letters that were looked at.
        drives: String,
        /// What to add to the URI.
        how: String,
    },
    /// A drive may be the system volume, and what would tell cannot be read.
    #[error("Whether this is the system volume of a Hyper-V host cannot be told: {reason} {hint}")]
    SystemUnreadable {
        /// What cannot be read and why, as a whole sentence.
        reason: Box<ReachError>,
        /// What to do, as a whole sentence.
        hint: &'static str,
    },
    /// The list of a collection cannot be read.
    #[error(
        "The collection's list '{path}' cannot be read: line {line}: {reason}. Copy the whole folder again from the host, or run \
         'collect.cmd' again."
    )]
    Collection {
        /// The list.
        path: String,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A host that runs does not say where its Windows is.
    #[error("{host} does not say on which drive its Windows is: {reason}")]
    NoSystemDrive {
        /// The host.
        host: String,
        /// Why, as a whole sentence.
        reason: String,
    },
    /// Nobody gave the password of a host that runs.
    #[error("The password of {user} on {host} is wanted, and nobody gave it.")]
    NoPassword {
        /// The user.
        user: String,
        /// The host.
        host: String,
    },
    /// A password cannot be had.
    #[error(transparent)]
    Password(#[from] hvm_winrm::PasswordError),
    /// A host that runs cannot be reached, does not let in, or does not answer as it should.
    #[error(transparent)]
    Winrm(#[from] Arc<hvm_winrm::Error>),
    /// The shares of a host cannot be reached, do not let in, or do not answer as they should.
    #[error(transparent)]
    Smb(#[from] Arc<hvm_smb::Error>),
    /// A host has none of the administrative shares, or opens none.
    #[error(
        "{host} opens no administrative share such as C$. {told} Name its shares with their drives, for example \
         'smb://{host}/C=SHARE,D=SHARE'."
    )]
    NoShares {
        /// The host.
        host: String,
        /// What it said of those that there are, as whole sentences.
        told: String,
    },
    /// A share is not the drive of the host that runs.
    #[error("{share} is on the volume {found:08X}, and drive {letter}: of the host is the volume {wanted:08X}.")]
    OtherVolume {
        /// The share.
        share: String,
        /// The drive.
        letter: char,
        /// The serial number of the volume that the share is on.
        found: u32,
        /// The serial number of the drive's volume.
        wanted: u32,
    },
    /// A host that runs does not tell its volumes apart.
    #[error("The host does not say which serial number the volume of drive {letter}: has.")]
    NoSerial {
        /// The drive.
        letter: char,
    },
    /// A volume has not the shadow copy that is wanted.
    #[error("{share} has not the shadow copy that is wanted; it has: {found}.")]
    NoShadow {
        /// The share.
        share: String,
        /// The shadow copies that there are.
        found: String,
    },
    /// A file or folder of the source could not be reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A disk of the source could not be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What to do about a file that this user may not read.
pub(crate) const MAY_NOT_READ: &str =
    "Read the source as a user who may read the file, such as root or an administrator of the host.";

/// A path of the source could not be followed or read.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// No drive letter at the start.
    #[error("'{path}' does not start with a drive letter, so it cannot be found in the mapped folders.")]
    NoDrive {
        /// The path as asked for.
        path: String,
    },
    /// The drive is not part of the source.
    #[error("'{path}' cannot be reached: drive {letter}: is not mapped: add {how} to the source.")]
    NotMapped {
        /// The path as asked for.
        path: String,
        /// The drive letter in upper case.
        letter: char,
        /// What to add to the URI.
        how: String,
    },
    /// The drive is on a partition whose file system is not read.
    #[error(
        "'{path}' cannot be reached: drive {letter}: is '{partition}', which holds {found}, and only NTFS is read of a disk. Copy its \
         files to a folder and read the volumes as 'folder:', or read the disk on a Windows."
    )]
    NotNtfs {
        /// The path as asked for.
        path: String,
        /// The drive letter in upper case.
        letter: char,
        /// The partition.
        partition: String,
        /// What is in it.
        found: String,
    },
    /// A volume that is named by its GUID is not part of the source.
    #[error(
        "'{path}' cannot be reached: the source has no volume with the GUID {guid}, or does not tell which one it is. Add the disk \
         that it is on, or write the path with a drive letter where the GUID is named."
    )]
    NoVolume {
        /// The path, or the text of the link that leads to it.
        path: String,
        /// The GUID, as it is written.
        guid: String,
    },
    /// A path, or a link on it, leads to a share of another server.
    #[error(
        "'{path}' cannot be read from this source: it lies on another server, under '{target}', and not under a drive letter of the host."
    )]
    OtherServer {
        /// The path as asked for.
        path: String,
        /// The share and what is below it.
        target: String,
    },
    /// A component does not exist.
    #[error("'{path}' does not exist: there is no '{component}' in '{folder}'.")]
    NotFound {
        /// The path as asked for.
        path: String,
        /// The first component that is missing.
        component: String,
        /// The folder in which it was looked for.
        folder: String,
    },
    /// Two names differ only by case and neither is spelt as asked for.
    #[error("'{path}' is ambiguous: '{folder}' holds both '{first}' and '{second}'. Rename or remove one in the copy.")]
    Ambiguous {
        /// The path as asked for.
        path: String,
        /// The folder that holds both.
        folder: String,
        /// One name.
        first: String,
        /// The other name.
        second: String,
    },
    /// A file where a folder was expected, or the other way round.
    #[error("'{path}' is {found}, expected {expected}.")]
    WrongKind {
        /// The path.
        path: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// A link leads out of the mapped folders.
    #[error(
        "'{path}' is not followed: the link '{link}' leads to '{target}', outside of the mapped folders. Map the folder \
         as a drive if it belongs to the source."
    )]
    LinkOutside {
        /// The path as asked for.
        path: String,
        /// The link.
        link: String,
        /// The text of the link.
        target: String,
    },
    /// Too many links on the way.
    #[error("'{path}' is not followed: more than {limit} symbolic links lie on the way; they probably form a circle.")]
    LinkLoop {
        /// The path as asked for.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// A folder with more entries than are read.
    #[error("'{path}' holds more than {limit} entries, which is more than is read.")]
    TooMany {
        /// The folder.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// A collection lists it without its content.
    #[error("'{path}' ({size} bytes) was listed when the host was collected, and its content was not taken.")]
    NotCollected {
        /// The path.
        path: String,
        /// Its length then, bytes.
        size: u64,
    },
    /// A program of the host that runs has it open for itself.
    #[error(
        "'{path}' is in use on {host}, so it cannot be read: a virtual machine that runs, or another program, has it open for \
         itself."
    )]
    InUse {
        /// The path.
        path: String,
        /// The host.
        host: String,
    },
    /// The system could not deliver it.
    #[error("'{path}' could not be read: {source}.")]
    Io {
        /// The path.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl ReachError {
    /// True when the thing is simply not there.
    pub fn is_missing(&self) -> bool {
        match self {
            ReachError::NotFound { .. } => true,
            ReachError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// True when the system does not let this user read it.
    pub fn is_denied(&self) -> bool {
        matches!(self, ReachError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}
