//! What can be wrong with an authorization store.

use crate::vmxml::VmXmlError;

/// An authorization store could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AzManError {
    /// It is no XML that can be read.
    #[error("The authorization store could not be read.")]
    Xml(#[source] VmXmlError),
    /// It is something else.
    #[error("'{file}' is no authorization store: its outermost element should be 'AzAdminManager', it is '{found}'.")]
    Root {
        /// File name.
        file: String,
        /// Name of the outermost element.
        found: String,
    },
}
