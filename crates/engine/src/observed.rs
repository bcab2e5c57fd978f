//! What the scripts of a kit saw on the destination host, as they wrote it into a file there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hvm_model::plan::Plan;
use hvm_model::report::Observed;
use hvm_model::setting::Setting;

use crate::error::EngineError;

/// Most bytes of such a file: a host of 5000 machines has about 60 settings a machine, each of some 150 bytes.
const MOST_BYTES: u64 = 256 << 20;

/// The settings in the file, which must be about the host that the plan is about.
pub(crate) fn read(path: &Path, plan: &Plan) -> Result<Vec<Setting>, EngineError> {
    let unreadable = |reason: String| EngineError::Observed { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(unreadable(format!("it is longer than {MOST_BYTES} bytes")));
    }
    let plain = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let observed: Observed = serde_json::from_slice(plain).map_err(|error| unreadable(error.to_string()))?;
    if observed.schema != 1 {
        return Err(unreadable(format!("it has the version {}, and version 1 was expected", observed.schema)));
    }
    if observed.source_host != plan.host {
        let (found, wanted) = (observed.source_host, &plan.host);
        return Err(unreadable(format!(
            "it is about a kit of the host '{found}', and this work folder is about '{wanted}'"
        )));
    }
    Ok(observed.settings)
}
