//! What to do about a disk, a path, a manifest or a key that cannot be used. The message says what is wrong with it; the hint
//! is the next thing to try.

use std::io::ErrorKind;

use hvm_destinations::access::Unreached;
use hvm_destinations::error::DestinationError;
use hvm_formats::disk::DiskError;
use hvm_formats::disk::write::DiskWriteError;
use hvm_formats::qcow2::Qcow2Error;
use hvm_sources::error::{ReachError, SourceError};
use hvm_transfer::nbd::NbdError;
use hvm_transfer::{SigningError, TransferError};

use crate::error::EngineError;

const SPELLING: &str =
    "look for a slip in the name; a relative path counts from the folder in which the command is run";
const RIGHTS: &str = if cfg!(windows) {
    "run the command as a user who may do that, for example in a PowerShell that was started as administrator"
} else {
    "run the command as a user who may do that, for example with sudo"
};
const DAMAGED: &str = "list all that is wrong with 'hvmigrate disk check FILE', and copy the file again from where it came or \
                       restore it from a backup";
/// The same where the check is what was run.
const CHECKED: &str = "copy the file again from where it came, or restore it from a backup";
const ALONE: &str = "let QEMU write it as a file that stands alone: qemu-img convert -O qcow2 FILE NEW";
/// What to do about a disk in a format of another program.
const FOREIGN: &str = "make a disk that is read of it with 'qemu-img convert -O vhdx FILE DISK.vhdx'";
const PARENT: &str = "name the folder that holds the parent with '--parent-dir DIR'";

/// What to do when a host is away. Only a migration has done something by then that is kept.
const AWAY: &str =
    "when the host can be reached again, run the same command again; a migration goes on where it stopped";

/// The hint for an error that is no matter of the system's.
pub(crate) fn of(error: &EngineError) -> Option<&'static str> {
    match error {
        EngineError::Source(SourceError::Disk(error)) | EngineError::Disk(error) => of_disk(error),
        EngineError::Source(SourceError::Reach(error)) => of_reach(error),
        EngineError::Source(error) => of_source(error),
        EngineError::Transfer(error) => of_transfer(error),
        EngineError::Destination(error) => of_destination(error),
        _ => None,
    }
}

/// The hint for a source that is a running host; others say what they want.
fn of_source(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::NoPassword { .. } => Some(
            "give it with '--source-password-file FILE', '--source-password-fd N' or '--source-password-keyring', or run the \
             command in a terminal, which asks for it",
        ),
        SourceError::Winrm(error) => of_winrm(error),
        SourceError::Smb(error) => of_shares(error.is_lost(), error.status().map(|status| status.kind())),
        SourceError::NoShadow { .. } => {
            Some("make one on the host, such as with 'vssadmin create shadow /for=C:', or name another one in the URI")
        }
        SourceError::NoShares { .. } => Some(
            "an account of the host itself other than Administrator is let to C$ only when LocalAccountTokenFilterPolicy allows it \
             there; use Administrator or an account of the domain",
        ),
        _ => None,
    }
}

/// The hint for a destination that is a running host; what stands in the way of others says its error.
fn of_destination(error: &DestinationError) -> Option<&'static str> {
    Some(match error {
        DestinationError::NoPassword { .. } => {
            "give it with '--password-file FILE', '--password-fd N' or '--password-keyring', or run the command in a terminal, \
             which asks for it"
        }
        DestinationError::NotWindows => {
            "run hvmigrate.exe on that server, or reach the server from here with 'winrm://HOST/DRIVE:/FOLDER?user=USER'"
        }
        DestinationError::Winrm(error) => return of_winrm(error),
        DestinationError::InTheWay { .. } => "plan with another folder on the host, or empty this one",
        DestinationError::KitGone { .. } => {
            "look on the host which virtual machines and networks of the migration are there, and run 'hvmigrate rollback' \
             before you migrate again"
        }
        DestinationError::Job { .. } => {
            "mend the cause on the host, then run the same command again: what is done there stays done"
        }
        DestinationError::NoResult { .. } => {
            "look on the host into state\\transcript.txt and the folder live of the kit, and into the history of the task \
             scheduler; then run the same command again"
        }
        DestinationError::NotEqual { .. } => {
            "check the memory and the disk of the host, then run the same command again"
        }
        DestinationError::Answer { .. } => {
            "look on the host whether it is a Windows Server with PowerShell 3.0 or later whose profile and policies write nothing \
             of their own, then run the same command again; it goes on where it stopped"
        }
        DestinationError::Script { .. } => {
            "mend the cause on the host, then run the same command again; it goes on where it stopped"
        }
        _ => return None,
    })
}

/// The hint for a host that cannot be talked to.
fn of_winrm(error: &Unreached) -> Option<&'static str> {
    match error {
        Unreached::Certificate { .. } => Some(
            "compare the thumbprint with the one that the host itself shows; if it is the same, add 'pin=THUMBPRINT' to the URI of \
             the host, or 'ca=FILE' with the certificate of its issuer",
        ),
        Unreached::Refused { .. } | Unreached::Authentication { .. } => {
            Some("check 'user=' in the URI of the host, such as user=HOST%5CAdministrator, and give the password again")
        }
        Unreached::Connect { .. } | Unreached::Dropped { .. } | Unreached::Silent { .. } => Some(AWAY),
        _ => None,
    }
}

/// The hint for shares that cannot be read: `refused` says how the server refused.
fn of_shares(is_lost: bool, refused: Option<ErrorKind>) -> Option<&'static str> {
    if is_lost {
        return Some(AWAY);
    }
    if refused? == ErrorKind::NotFound {
        return Some(
            "check the names of the shares in the URI, such as smb://HOST/C=SHARE,D=SHARE/FOLDER; on the host 'net share' lists them",
        );
    }
    Some(
        "check the user in the URI of the host, such as smb://HOST%5CAdministrator@HOST/, the names of its shares, and give the \
         password again",
    )
}

/// The hint for a disk that cannot be opened or read.
pub(crate) fn of_disk(error: &DiskError) -> Option<&'static str> {
    Some(match error {
        DiskError::MissingParent { .. } => PARENT,
        DiskError::WrongParent { .. } => {
            "the right parent may lie elsewhere: name its folder with '--parent-dir DIR', or restore it from a backup"
        }
        DiskError::ParentChanged { .. } => {
            "when it is known that nothing wrote to the parent since, run the same command with '--accept-parent-time'"
        }
        DiskError::Cycle { .. } => "a file took the name of another one: restore the parent from a backup",
        DiskError::TooDeep { .. } => "merge checkpoints on the old host until the chain is shorter",
        DiskError::NotRecognised { .. } => {
            "compare the length of the file with that of the original; if it holds plain sectors, give it, or a link to it, a \
             name that ends in '.raw'"
        }
        DiskError::Ambiguous { .. } => {
            "give the file, or a link to it, a name that ends as its format does, such as '.vhd' or '.qcow2'"
        }
        DiskError::VhdSet { .. } => {
            "on its host: Convert-VHD -Path SET.vhds -DestinationPath DISK.vhdx -VHDType Dynamic"
        }
        DiskError::Foreign { .. } => {
            "unpack it, or make a disk that is read of it with 'qemu-img convert -O vhdx FILE DISK.vhdx'; if it holds plain sectors, \
             give it, or a link to it, a name that ends in '.raw'"
        }
        DiskError::EmptyDisk { .. } => "see that the file was copied whole",
        DiskError::Gate(error) => error.reason.downcast_ref().and_then(of_reach).unwrap_or(PARENT),
        DiskError::Qcow2(Qcow2Error::Encrypted { .. }) => {
            "let QEMU decrypt it into a new file with 'qemu-img convert', which wants the key"
        }
        // Version 1 is a format of its own, and whole.
        DiskError::Qcow2(Qcow2Error::Version { found: 1, .. }) => FOREIGN,
        DiskError::Qcow2(Qcow2Error::Backing { .. } | Qcow2Error::Features { .. }) => ALONE,
        DiskError::Vhd(_) | DiskError::Vhdx(_) | DiskError::Qcow2(_) => DAMAGED,
        DiskError::Read { .. } | DiskError::OutOfRange { .. } | DiskError::NoLayer { .. } => return None,
    })
}

/// The hint for a disk that a check could not read.
pub(crate) fn of_checked(error: &DiskError) -> Option<&'static str> {
    of_disk(error).map(|hint| if hint == DAMAGED { CHECKED } else { hint })
}

fn of_reach(error: &ReachError) -> Option<&'static str> {
    match error {
        ReachError::Io { source, .. } => of_kind(source.kind()),
        ReachError::InUse { .. } => {
            Some("shut the virtual machine down on the host, or name a source that has a copy of its disks")
        }
        ReachError::WrongKind { expected: "a file", .. } => {
            Some("name a disk file or, to read a whole drive, its block device; of a chain, the newest file")
        }
        _ => None,
    }
}

fn of_transfer(error: &TransferError) -> Option<&'static str> {
    match error {
        TransferError::Disk(error) => of_disk(error),
        TransferError::Io { action: "created", source, .. } if source.kind() == ErrorKind::NotFound => {
            Some("make the folder first, with 'mkdir -p'")
        }
        TransferError::Io { action: "created", source, .. } if source.kind() == ErrorKind::AlreadyExists => {
            Some("give another name, or move the file away")
        }
        TransferError::Io { source, .. } => of_kind(source.kind()),
        TransferError::SourceChanged { .. } => {
            Some("shut the virtual machine down, or copy from a snapshot of the volume, and run the same command again")
        }
        TransferError::Exists { .. } => Some("give another name, or move the file away"),
        TransferError::Target { source: DiskWriteError::SizeTooLarge { .. }, .. } => {
            Some("convert with '--to vhdx', which holds disks of up to 64 TiB, or with '--to qcow2' or '--to raw'")
        }
        TransferError::Target { source: DiskWriteError::SizeNotSectors { .. }, .. } => Some(
            "see that the file was copied whole; if it really ends within a sector, fill up a copy of it with zeros, with \
             'truncate -s %512 COPY', or convert with '--to raw'",
        ),
        TransferError::Target { source: DiskWriteError::Io { source, .. }, .. } => of_kind(source.kind()),
        TransferError::Chain { .. } => Some("leave '--keep-chain' away to write the chain as one disk"),
        TransferError::Manifest { .. } => Some("name the file that 'hvmigrate disk manifest' wrote for this disk"),
        TransferError::Signing(error) => of_signing(error),
        TransferError::Nbd(NbdError::InTheWay { .. }) => {
            Some("give another path; if another 'hvmigrate disk serve' uses this one, end that first")
        }
        TransferError::Nbd(NbdError::Bind { source, .. }) if source.kind() == ErrorKind::AddrInUse => {
            Some("give another port; 0 takes a free one")
        }
        TransferError::Nbd(NbdError::Bind { source, .. }) => of_kind(source.kind()),
        _ => None,
    }
}

fn of_signing(error: &SigningError) -> Option<&'static str> {
    match error {
        SigningError::NotAKey { .. } => Some("a new key is made with 'hvmigrate disk manifest --new-key FILE'"),
        SigningError::Exposed { .. } => {
            Some("if nobody else had it until now, run 'chmod 600 FILE'; else make a new key")
        }
        SigningError::Unsigned { .. } | SigningError::OtherKey { .. } | SigningError::Wrong { .. } => {
            Some("get the manifest again from whoever signed it; the disk was not compared")
        }
        SigningError::NoRandom { .. } => None,
    }
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Some(SPELLING),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some(RIGHTS),
        ErrorKind::FileTooLarge => Some(
            "the file system there holds no file of this size: choose another folder, or a format that leaves zeros out",
        ),
        ErrorKind::InvalidFilename => Some("choose a shorter name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_by_what_keeps_them() {
        assert!(of_shares(true, None).unwrap().contains("can be reached again"));
        let missing = of_shares(false, Some(ErrorKind::NotFound)).unwrap();
        assert!(missing.contains("names of the shares") && !missing.contains("password"), "{missing}");
        assert!(of_shares(false, Some(ErrorKind::PermissionDenied)).unwrap().contains("password"));
        assert_eq!(of_shares(false, None), None);
    }

    #[test]
    fn the_first_version_of_qcow_is_to_be_converted_and_an_unknown_one_copied_again() {
        let hint =
            |found| of_checked(&DiskError::Qcow2(Qcow2Error::Version { file: "a.qcow".to_owned(), found })).unwrap();
        assert!(hint(1).contains("qemu-img convert") && !hint(1).contains("copy the file again"), "{}", hint(1));
        assert!(hint(7).contains("copy the file again"), "{}", hint(7));
    }
}
