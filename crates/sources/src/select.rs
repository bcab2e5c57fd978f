//! The one list of sources: the scheme of a URI says which reach opens it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hvm_smb::Client;
use hvm_winrm::{AddressError, PasswordWanted, Secret, Side};

use crate::error::SourceError;
use crate::layout::export::Export;
use crate::layout::host::HostSource;
use crate::layout::letters;
use crate::layout::role::Role;
use crate::layout::running::Running;
use crate::reach::answers::{Answers, Recorded};
use crate::reach::collected::CollectedTree;
use crate::reach::running::Link;
use crate::reach::running::answers::LiveAnswers;
use crate::reach::running::tree::{Drives, RunningTree};
use crate::reach::smb::SmbTree;
use crate::reach::{ExportTree, FolderTree, ImageTree, ReadOnlyTree, drives, volumes};
use crate::source::Source;
use crate::uri::{self, Files, SmbUri, WinrmUri};

type Open = fn(&str, &str, Option<Secret>) -> Result<Box<dyn Source>, SourceError>;

/// The scheme of hosts that run.
const WINRM: &str = "winrm";
/// How long connecting to the shares of a host that runs may take where PowerShell can take their place.
const SHARES_CONNECT: Duration = Duration::from_secs(5);
/// The scheme of shares.
const SMB: &str = "smb";

/// Scheme, example, and what opens it (given the URI, what follows the colon, and a password).
const SCHEMES: [(&str, &str, Open); 5] = [
    ("folder", "folder:/mnt?c=/mnt/c&d=/mnt/d", |uri, rest, _| open_folder(uri, rest)),
    ("image", "image:/dev/sdb,/srv/data.vhd", |uri, rest, _| open_image(uri, rest)),
    ("export", "export:/srv/exported", |uri, rest, _| open_export(uri, rest)),
    (WINRM, r"winrm://hv1?user=HV1%5CAdministrator", open_winrm),
    (SMB, r"smb://HV1%5CAdministrator@hv1/", open_smb),
];

/// Opens a source that needs no password by its URI.
pub fn open(uri: &str) -> Result<Box<dyn Source>, SourceError> {
    open_with(uri, None)
}

/// Whose password the source of a URI wants; `None` when it wants none.
pub fn password_wanted(uri: &str) -> Result<Option<PasswordWanted>, SourceError> {
    match uri.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(WINRM) => {
            let WinrmUri { host, address, .. } = uri::parse_winrm(rest)?;
            let user = address.user().map_err(|error| wrong(rest, error))?.to_owned();
            Ok(Some(PasswordWanted { user, host, side: Side::Source }))
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SMB) => {
            let SmbUri { host, address, .. } = uri::parse_smb(rest)?;
            let user = address.user().map_err(|error| wrong_smb(&host, &error))?.to_owned();
            Ok(Some(PasswordWanted { user, host, side: Side::Source }))
        }
        _ => Ok(None),
    }
}

/// Opens a source by its URI. A host that runs is asked who it is.
pub fn open_with(uri: &str, password: Option<Secret>) -> Result<Box<dyn Source>, SourceError> {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    match SCHEMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(scheme)) {
        Some((_, _, open)) => open(uri, rest, password),
        None => {
            let known: Vec<String> =
                SCHEMES.iter().map(|(known, example, _)| format!("'{known}:' (such as '{example}')")).collect();
            Err(SourceError::UnknownScheme { uri: uri.to_owned(), scheme: scheme.to_owned(), known: known.join(", ") })
        }
    }
}

fn open_folder(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let folder = uri::parse_folder(uri, rest)?;
    let base = Some(Path::new(&folder.path)).filter(|_| !folder.path.is_empty());
    let collected = base.filter(|_| folder.drives.is_empty()).map(CollectedTree::find).transpose()?.flatten();
    let tree: Box<dyn ReadOnlyTree> = match collected {
        Some(tree) => Box::new(tree),
        None => Box::new(FolderTree::new(drives::find(uri, &folder)?)),
    };
    let answers = base.and_then(Recorded::find);
    role(uri, "folder", tree, answers.map(|answers| Box::new(answers) as Box<dyn Answers>))
}

fn open_image(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let image = uri::parse_image(uri, rest)?;
    let mut tree = ImageTree::new(volumes::open(&image.paths)?);
    letters::assign(&mut tree, &image.drives)?;
    role(uri, "image", Box::new(tree), None)
}

fn open_export(uri: &str, rest: &str) -> Result<Box<dyn Source>, SourceError> {
    let tree = ExportTree::open(&uri::parse_path(uri, rest)?)?;
    let layout = Box::new(Export::new(tree.letter(), tree.roots().to_vec()));
    Ok(Box::new(HostSource {
        uri: uri.to_owned(),
        reach: "folder",
        tree: Box::new(tree),
        layout,
        answers: None,
        link: None,
    }))
}

/// A host that runs: its password is tried, and its drives are known then.
fn open_winrm(uri: &str, rest: &str, password: Option<Secret>) -> Result<Box<dyn Source>, SourceError> {
    let WinrmUri { host, port, files, address } = uri::parse_winrm(rest)?;
    let endpoint = address.endpoint(&host, port).map_err(|error| wrong(rest, error))?;
    let user = address.user().map_err(|error| wrong(rest, error))?.to_owned();
    let password = password.ok_or_else(|| SourceError::NoPassword { user, host: host.clone() })?;
    let login = address.login(password).map_err(|error| wrong(rest, error))?;
    let link = Arc::new(Link::connect(&endpoint, &login)?);
    let layout = Box::new(Running::find(Arc::clone(&link))?);
    let tree = files_of(&link, files, |port, options| client((&host, port), login.clone(), options))?;
    let answers: Box<dyn Answers> = Box::new(LiveAnswers::new(Arc::clone(&link)));
    let (uri, answers, link) = (uri.to_owned(), Some(answers), Some(link));
    Ok(Box::new(HostSource { uri, reach: WINRM, tree, layout, answers, link }))
}

/// The files of a host that runs; `connect` opens a session with the server of its shares.
fn files_of(
    link: &Arc<Link>,
    files: Files,
    connect: impl Fn(Option<u16>, hvm_smb::Options) -> Result<Client, SourceError>,
) -> Result<Box<dyn ReadOnlyTree>, SourceError> {
    let usual = hvm_smb::Options::default();
    if let Files::Shares(shares) = files {
        let tree = SmbTree::open(connect(shares.port, usual)?, &shares.drives, None)?;
        return Ok(Box::new(tree.mapped_in("files=smb/")));
    }
    let drives = Drives::ask(link)?;
    let reason = match files {
        Files::Best(port) => {
            let options = hvm_smb::Options { connect: SHARES_CONNECT, ..usual };
            let tree = connect(port, options).and_then(|client| SmbTree::open_own(client, &drives.with_files()));
            match tree {
                Ok(tree) => return Ok(Box::new(tree.mapped_in("files=smb/"))),
                Err(error) => Some(error.to_string()),
            }
        }
        _ => None,
    };
    Ok(Box::new(RunningTree::open(Arc::clone(link), &drives, reason)?))
}

/// The shares of a host: its password is tried, and its drives are known then.
fn open_smb(uri: &str, rest: &str, password: Option<Secret>) -> Result<Box<dyn Source>, SourceError> {
    let SmbUri { host, port, drives, encryption, shadow, patience, address } = uri::parse_smb(rest)?;
    let user = address.user().map_err(|error| wrong_smb(&host, &error))?.to_owned();
    let password = password.ok_or_else(|| SourceError::NoPassword { user, host: host.clone() })?;
    let login = address.login(password).map_err(|error| wrong_smb(&host, &error))?;
    let usual = hvm_smb::Options::default();
    let options = hvm_smb::Options { encryption, patience: patience.unwrap_or(usual.patience), ..usual };
    let client = client((&host, port), login, options)?;
    let tree = Box::new(SmbTree::open(client, &drives, shadow)?);
    let found = Role::find(&*tree);
    // Of a host that went away meanwhile nothing can be said.
    tree.lost().map_or(Ok(()), Err)?;
    let (uri, layout) = (uri.to_owned(), Box::new(found?));
    Ok(Box::new(HostSource { uri, reach: SMB, tree, layout, answers: None, link: None }))
}

/// A session with the server of a host's shares.
fn client(
    (host, port): (&str, Option<u16>),
    login: hvm_smb::Login,
    options: hvm_smb::Options,
) -> Result<Client, SourceError> {
    let endpoint = hvm_smb::Endpoint::new(host, port).map_err(Arc::new)?;
    Ok(Client::connect(endpoint, login, options).map_err(Arc::new)?)
}

fn wrong_smb(host: &str, error: &AddressError) -> SourceError {
    let reason = error.to_string().trim_end_matches('.').to_owned();
    SourceError::BadUri { uri: format!("{SMB}://{host}"), reason }
}

fn wrong(rest: &str, error: AddressError) -> SourceError {
    match error {
        AddressError::Winrm(error) => SourceError::Winrm(Arc::from(error)),
        other => {
            let shown = rest.split('?').next().unwrap_or_default();
            let reason = other.to_string().trim_end_matches('.').to_owned();
            SourceError::BadUri { uri: format!("{WINRM}:{shown}"), reason }
        }
    }
}

/// A host whose volumes a tree shows.
fn role(
    uri: &str,
    reach: &'static str,
    tree: Box<dyn ReadOnlyTree>,
    answers: Option<Box<dyn Answers>>,
) -> Result<Box<dyn Source>, SourceError> {
    let layout = Box::new(Role::find(&*tree)?);
    Ok(Box::new(HostSource { uri: uri.to_owned(), reach, tree, layout, answers, link: None }))
}
