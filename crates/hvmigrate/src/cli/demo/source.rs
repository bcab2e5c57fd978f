//! `hvmigrate demo --source-only`: a sample host to try other commands on.

use std::path::Path;

use hvm_testkit::sample::{self, Variant};

use crate::messages::{Exit, Failure};
use crate::output;

/// Reads the name of a variant, such as `missing-parent`.
pub fn variant(text: &str) -> Result<Variant, String> {
    let wanted = Variant::ALL.iter().find(|variant| name(**variant) == text.to_ascii_lowercase());
    wanted.copied().ok_or_else(|| {
        let names: Vec<String> = Variant::ALL.iter().map(|variant| name(*variant)).collect();
        format!("there are {}", names.join(", "))
    })
}

fn name(variant: Variant) -> String {
    let mut name = String::new();
    let mut after_letter = false;
    for c in format!("{variant:?}").chars() {
        if after_letter
            && (c.is_ascii_uppercase() || (c.is_ascii_digit() && !name.ends_with(|c: char| c.is_ascii_digit())))
        {
            name.push('-');
        }
        after_letter = true;
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// Writes the host and prints `BLAKE3  path` of each disk as the model of its content has it.
pub fn write(folder: &Path, variant: Variant) -> Result<Exit, Failure> {
    let host = sample::write(&folder.join("source"), variant)
        .map_err(|error| Failure::failed("The sample host could not be written.").caused_by(error))?;
    for disk in &host.disks {
        output::data(&format!("{}  {}\n", disk.blake3, disk.path.display()))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_found_by_its_name() {
        for wanted in Variant::ALL {
            assert_eq!(variant(&name(wanted)), Ok(wanted));
        }
        assert_eq!(name(Variant::TwoMachinesOneId), "two-machines-one-id");
        assert_eq!(name(Variant::Source2012), "source-2012");
        assert!(variant("nonsense").unwrap_err().contains("half-hive"));
    }
}
