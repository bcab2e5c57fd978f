//! What the host is: the script of the kit that an administrator would run there, and what it wrote.

use hvm_winrm::psrp::Script;

use crate::destination::HostWatch;
use crate::error::DestinationError;
use crate::hyperv::facts::Facts;
use crate::live::place::Place;
use crate::live::session::{Session, text};

const READ: &str = "say what it is";
const TEMPORARY: &str = include_str!("scripts/Temporary.ps1");
const FACTS: &str = include_str!("../hyperv/scripts/Get-DestinationFacts.ps1");
const TAKE: &str = include_str!("scripts/Take.ps1");

/// The document that `Get-DestinationFacts.ps1` writes on the host, and what it says.
pub(crate) fn ask(
    session: &Session,
    place: &Place,
    watch: &dyn HostWatch,
) -> Result<(String, Facts), DestinationError> {
    session.work(watch, &mut |talk| {
        let path = talk.ask("make a temporary file", &Script::new(TEMPORARY))?;
        let facts = Script::new(FACTS).with("Path", text(&path)).with("Drive", text(place.drive()));
        talk.run("find out what it is", &facts)?;
        let json = talk.ask(READ, &Script::new(TAKE).with("Path", text(&path)))?;
        let facts = serde_json::from_str(json.trim_start_matches('\u{feff}'));
        let facts = facts.map_err(|_| talk.not_understood(READ, &json))?;
        Ok((json, facts))
    })
}
