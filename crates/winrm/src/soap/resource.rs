//! What a request is about: a resource with its selectors (DSP0226 5.1).

use super::names;
use super::xml::Writer;

/// The address of a resource: a class, an instance or a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The resource URI.
    pub uri: String,
    /// The keys that select one instance, in their order.
    pub selectors: Vec<(String, String)>,
}

impl Resource {
    /// A resource without selectors.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), selectors: Vec::new() }
    }

    /// A class of WMI, such as `root/virtualization/v2` and `Msvm_ComputerSystem` (MS-WSMV 2.2.1.4). Backslashes in the
    /// namespace are taken as slashes.
    #[must_use]
    pub fn class(namespace: &str, class: &str) -> Self {
        Self::new(format!("{}/{}/{class}", names::WMI, namespace.replace('\\', "/")))
    }

    /// The same resource with one more selector.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.selectors.push((name.into(), value.into()));
        self
    }

    /// The last part of the URI: the class.
    #[must_use]
    pub fn name(&self) -> &str {
        self.uri.rsplit('/').next().unwrap_or_default()
    }

    /// `w:SelectorSet`, if there is one.
    pub(crate) fn write_selectors(&self, into: &mut Writer) {
        if self.selectors.is_empty() {
            return;
        }
        into.open("w:SelectorSet", &[]);
        for (name, value) in &self.selectors {
            into.leaf("w:Selector", &[("Name", name)], value);
        }
        into.close("w:SelectorSet");
    }
}
