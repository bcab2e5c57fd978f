//! What is known of the destination: from the parameters of the URI, and from what `Get-DestinationFacts.ps1` writes
//! there. Both have the same names; parameters win.

use std::path::Path;

use hvm_model::capabilities::DestinationAdapter;
use hvm_model::names::{ByteSize, MacAddress, VmId};
use serde::Deserialize;

use crate::error::DestinationError;
use crate::files;
use crate::uri::{Uri, bad};

/// Names of all facts.
pub(crate) const NAMES: [&str; 10] =
    ["os", "processors", "memory", "free", "language", "edition", "adapters", "machines", "switches", "macs"];

/// Editions that there are.
const EDITIONS: [&str; 3] = ["standard", "datacenter", "hyper-v-server"];

/// Facts of a destination; `None` when nobody said.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// Release: `2012`, `2012R2`, `2016`, `2019`, `2022`, `2025`.
    pub os: Option<String>,
    /// Logical processors.
    pub processors: Option<u32>,
    /// Memory, bytes.
    pub memory: Option<ByteSize>,
    /// Free space where the kit will lie, bytes.
    pub free: Option<ByteSize>,
    /// System UI language, LCID as four hex digits.
    pub language: Option<String>,
    /// Edition.
    pub edition: Option<String>,
    /// Physical network adapters.
    pub adapters: Option<Vec<String>>,
    /// What the file says of them beside their names.
    #[serde(default)]
    pub adapter_details: Vec<DestinationAdapter>,
    /// Machines that are there.
    pub machines: Option<Vec<String>>,
    /// What the file says of their ids.
    #[serde(default)]
    pub machine_ids: Vec<VmId>,
    /// Virtual networks that are there.
    pub switches: Option<Vec<String>>,
    /// MAC addresses in use.
    pub macs: Option<Vec<MacAddress>>,
}

impl Facts {
    /// Facts of a URI, with its file of facts below them.
    pub fn of(uri: &Uri) -> Result<Facts, DestinationError> {
        let file = match uri.text("facts")? {
            Some(path) => Facts::read(Path::new(&path))?,
            None => Facts::default(),
        };
        Facts::over(uri, file)
    }

    /// Facts of a URI, with others below them.
    pub fn over(uri: &Uri, file: Facts) -> Result<Facts, DestinationError> {
        let size = "a size such as 32GiB is wanted";
        let facts = Facts {
            os: uri.text("os")?.or(file.os),
            processors: uri.value("processors", "a whole number is wanted")?.or(file.processors),
            memory: uri.value("memory", size)?.or(file.memory),
            free: uri.value("free", size)?.or(file.free),
            language: uri.text("language")?.or(file.language),
            edition: uri.text("edition")?.or(file.edition),
            adapters: uri.list("adapters")?.or(file.adapters),
            adapter_details: file.adapter_details,
            machines: uri.list("machines")?.or(file.machines),
            machine_ids: file.machine_ids,
            switches: uri.list("switches")?.or(file.switches),
            macs: macs(uri)?.or(file.macs),
        };
        facts.check()
    }

    /// Facts in a file.
    pub fn read(path: &Path) -> Result<Facts, DestinationError> {
        let text = files::read_text(path)?;
        serde_json::from_str(&text)
            .map_err(|error| DestinationError::Unreadable { path: path.to_owned(), message: format!("{error}.") })
    }

    fn check(mut self) -> Result<Facts, DestinationError> {
        if let Some(language) = &self.language {
            if language.len() != 4 || !language.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(bad(
                    "language",
                    language,
                    "four hex digits such as 0409 (English) or 0407 (German) are wanted",
                ));
            }
            self.language = Some(language.to_ascii_lowercase());
        }
        match &self.edition {
            Some(edition) if !EDITIONS.contains(&edition.as_str()) => {
                Err(bad("edition", edition, "one of standard, datacenter, hyper-v-server is wanted"))
            }
            _ => Ok(self),
        }
    }
}

fn macs(uri: &Uri) -> Result<Option<Vec<MacAddress>>, DestinationError> {
    let Some(items) = uri.list("macs")? else { return Ok(None) };
    let parse = |item: &String| {
        item.parse().map_err(|_| bad("macs", item, "MAC addresses such as 00-15-5D-01-07-DC are wanted"))
    };
    items.iter().map(parse).collect::<Result<_, _>>().map(Some)
}
