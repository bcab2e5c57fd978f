//! Opens the source: a host that runs wants a password, which the observer is asked for.

use hvm_sources::error::SourceError;
use hvm_sources::select;
use hvm_sources::source::Source;

use crate::error::EngineError;
use crate::events::Observer;

/// Opens the source of a URI.
pub(crate) fn open(uri: &str, observer: &dyn Observer) -> Result<Box<dyn Source>, EngineError> {
    let Some(wanted) = select::password_wanted(uri)? else { return Ok(select::open(uri)?) };
    let password = observer.password(&wanted).map_err(SourceError::from)?;
    let (user, host) = (wanted.user, wanted.host);
    let password = password.ok_or(SourceError::NoPassword { user, host })?;
    Ok(select::open_with(uri, Some(password))?)
}
