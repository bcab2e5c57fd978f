//! The folder on the host: whose it is, and that nobody but administrators can change what the system runs from it.
//!
//! What lies in the folder is run there as the system, so who could change a script in it, or put another folder in its place,
//! would be the system. `Make.ps1` makes the folder with rights for the system and administrators alone, which are taken over
//! by all that is made in it; `Guard.ps1` looks before each job whether that is still so, and at the folders above. The disks
//! stay in the folder and are used there: Hyper-V gives each virtual machine rights of its own on its files and folders,
//! which lie below and are not looked at.

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;

use crate::error::DestinationError;
use crate::hyperv::quote::literal;
use crate::live::place::Place;
use crate::live::session::{Talk, text};

const CLAIM: &str = include_str!("scripts/Claim.ps1");
const GUARD: &str = include_str!("scripts/Guard.ps1");
const MAKE: &str = include_str!("scripts/Make.ps1");
const MARK: &str = include_str!("scripts/Mark.ps1");

/// Whether a folder that is nobody's is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    Look,
    Take,
}

/// Whose a folder on the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    Free,
    Ours,
    Theirs,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guarded {
    /// The folder and those above it.
    All,
    /// Those above it: the folder is not taken yet.
    Above,
}

/// The folder in a folder that says whose it is. A folder is made at once or not at all, which a file with a text is not.
pub(crate) fn mark(owner: &str) -> String {
    format!("owner-{owner}")
}

/// Whose the folder is.
pub(crate) fn whose(talk: &mut Talk<'_>, place: &Place, owner: &str) -> Result<Folder, DestinationError> {
    let doing = "look whose the folder of the kit is";
    match talk.ask(doing, &on(CLAIM, place).with("Mark", text(&mark(owner))))?.as_str() {
        "free" => Ok(Folder::Free),
        "ours" => Ok(Folder::Ours),
        "theirs" => Ok(Folder::Theirs),
        other => Err(talk.not_understood(doing, other)),
    }
}

/// Whose the folder is; one that is nobody's is taken when that is wanted. One that is not theirs is safe.
pub(crate) fn claim(
    talk: &mut Talk<'_>,
    place: &Place,
    owner: &str,
    taking: Taking,
) -> Result<Folder, DestinationError> {
    let found = whose(talk, place, owner)?;
    match found {
        Folder::Theirs => {}
        Folder::Ours => guard(talk, place)?,
        Folder::Free => check(talk, place, Guarded::Above)?,
    }
    if (found, taking) != (Folder::Free, Taking::Take) {
        return Ok(found);
    }
    talk.run("make the folder of the kit", &on(MAKE, place))?;
    // What was there in that moment may have been made by somebody else.
    guard(talk, place)?;
    talk.run("mark the folder of the kit", &on(MARK, place).with("Mark", text(&mark(owner))))?;
    Ok(Folder::Ours)
}

/// Refuses a folder from which nothing may be run: one that is not of this migration any more, or that is not safe.
pub(crate) fn ours(talk: &mut Talk<'_>, place: &Place, owner: &str) -> Result<(), DestinationError> {
    match whose(talk, place, owner)? {
        Folder::Ours => guard(talk, place),
        Folder::Free | Folder::Theirs => Err(gone(talk, place)),
    }
}

/// The error for a folder that does not hold the kit any more.
pub(crate) fn gone(talk: &Talk<'_>, place: &Place) -> DestinationError {
    DestinationError::KitGone { host: talk.host(), path: place.folder.clone() }
}

/// Refuses a folder that others than administrators can change or replace.
pub(crate) fn guard(talk: &mut Talk<'_>, place: &Place) -> Result<(), DestinationError> {
    check(talk, place, Guarded::All)
}

fn check(talk: &mut Talk<'_>, place: &Place, what: Guarded) -> Result<(), DestinationError> {
    let doing = "look who can change the folder of the kit";
    let script = on(GUARD, place).with("Taken", Value::Bool(what == Guarded::All));
    let answer = talk.run(doing, &script)?;
    if answer == ["safe"] {
        return Ok(());
    }
    let faults: Option<Vec<Fault>> = answer.iter().map(|line| Fault::of(line)).collect();
    match faults {
        Some(faults) if !faults.is_empty() => Err(DestinationError::Unsafe {
            host: talk.host(),
            path: place.folder.clone(),
            faults: faults.iter().map(|fault| fault.text(place)).collect::<Vec<_>>().join(" "),
            mend: mend(&faults, place)?,
        }),
        _ => Err(talk.not_understood(doing, &answer.join(" "))),
    }
}

fn on(script: &'static str, place: &Place) -> Script {
    Script::new(script).with("Folder", text(&place.folder))
}

/// Something that lets others in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    kind: Kind,
    path: String,
    sid: String,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Link,
    Owner,
    Inherits,
    Open,
}

impl Fault {
    /// `KIND|PATH|SID|NAME`.
    fn of(line: &str) -> Option<Fault> {
        let parts: Vec<&str> = line.split('|').collect();
        let [kind, path, sid, name] = parts.as_slice() else { return None };
        let kind = match *kind {
            "link" => Kind::Link,
            "owner" => Kind::Owner,
            "inherits" => Kind::Inherits,
            "open" => Kind::Open,
            _ => return None,
        };
        Some(Fault { kind, path: (*path).to_owned(), sid: (*sid).to_owned(), name: (*name).to_owned() })
    }

    /// True when it is about the folder of the kit and not about one above it.
    fn is_own(&self, place: &Place) -> bool {
        self.path.eq_ignore_ascii_case(&place.folder)
    }

    fn text(&self, place: &Place) -> String {
        let path = &self.path;
        let who = if self.name.is_empty() { self.sid.clone() } else { format!("{} ({})", self.name, self.sid) };
        match self.kind {
            Kind::Link => format!("'{path}' is a junction or a link, which can be led elsewhere."),
            Kind::Owner => format!("'{path}' belongs to {who}, who can give any right on it."),
            Kind::Inherits => format!("'{path}' takes over rights from the folder above it."),
            Kind::Open if self.is_own(place) => {
                format!("{who} has rights on '{path}', where only the system and administrators may have any.")
            }
            Kind::Open => format!("{who} can rename, delete or give rights on '{path}' or what lies in it."),
        }
    }
}

/// What a person does about it. Only the rights of the folder of the kit itself are put right by a command.
fn mend(faults: &[Fault], place: &Place) -> Result<String, DestinationError> {
    if faults.iter().any(|fault| fault.kind == Kind::Link) {
        return Ok("name in the URI of a new plan a folder that neither is a link nor lies below one".to_owned());
    }
    if faults.iter().any(|fault| !fault.is_own(place)) {
        return Ok("plan with a folder above which only administrators can rename, delete and give rights, or take \
                   those rights away there"
            .to_owned());
    }
    let folder = literal(&place.folder)?;
    let others: Vec<String> = faults
        .iter()
        .filter(|fault| fault.kind == Kind::Open)
        .map(|fault| Ok(format!(" /remove {}", literal(&format!("*{}", fault.sid))?)))
        .collect::<Result<_, DestinationError>>()?;
    Ok(format!(
        "look whether somebody changed what lies there; if not, give it back in a PowerShell on the host: \
         icacls {folder} /setowner '*S-1-5-32-544'; icacls {folder} /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' \
         '*S-1-5-32-544:(OI)(CI)F'{}",
        others.concat()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { host: "hv2".to_owned(), port: None, folder: r"D:\it's".to_owned() }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_do() {
        let line = r"open|D:\it's|S-1-5-32-545|BUILTIN\Users";
        let fault = Fault::of(line).unwrap();
        assert!(fault.text(&place()).starts_with(r"BUILTIN\Users (S-1-5-32-545) has rights on 'D:\it's'"));
        let told = mend(&[fault.clone(), Fault::of(r"inherits|D:\it's||").unwrap()], &place()).unwrap();
        assert!(
            told.contains(r"icacls 'D:\it''s' /inheritance:r") && told.ends_with("/remove '*S-1-5-32-545'"),
            "{told}"
        );
        let above = Fault::of(r"owner|D:\|S-1-5-21-1-2-3-4|").unwrap();
        assert!(above.text(&place()).contains(r"'D:\' belongs to S-1-5-21-1-2-3-4, who"));
        assert!(mend(&[fault.clone(), above], &place()).unwrap().starts_with("plan with a folder above which"));
        let link = Fault::of(r"link|D:\it's||").unwrap();
        assert!(mend(&[fault, link], &place()).unwrap().contains("a link"));
        for wrong in ["", "safe", "open|x|y", "other|a|b|c"] {
            assert_eq!(Fault::of(wrong), None, "{wrong}");
        }
    }
}
