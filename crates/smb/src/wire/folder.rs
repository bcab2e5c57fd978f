//! Entries of a folder: `FileIdBothDirectoryInformation` (MS-FSCC 2.4.22).

use super::field::{Fields, Malformed};
use crate::limits;
use crate::share::{Attributes, Entry, REPARSE_POINT};

/// Adds the entries of one part of a listing, without `.` and `..`.
pub(crate) fn entries(data: &[u8], found: &mut Vec<Entry>) -> Result<(), Malformed> {
    let (fields, mut at) = (Fields(data), 0);
    if data.is_empty() {
        return Ok(());
    }
    loop {
        let next = fields.size(at)?;
        let entry = entry(Fields(fields.0.get(at..).unwrap_or_default()))?;
        if !matches!(entry.name.as_str(), "." | "..") {
            if entry.name.is_empty() || entry.name.contains(['\\', '/', '\0']) {
                return Err(format!("'{}' is no name of a file", entry.name));
            }
            found.push(entry);
        }
        if found.len() > limits::ENTRIES {
            return Err(format!("the folder has more than {} entries", limits::ENTRIES));
        }
        if next == 0 {
            return Ok(());
        }
        if next < 104 {
            return Err(format!("its list goes on {next} bytes behind number {}", found.len()));
        }
        at = at.checked_add(next).ok_or("its list goes on beyond all memory")?;
    }
}

fn entry(fields: Fields<'_>) -> Result<Entry, Malformed> {
    let flags = fields.u32(56)?;
    // Of an entry with a reparse point the field for extended attributes has its tag.
    let tag = if flags & REPARSE_POINT == 0 { 0 } else { fields.u32(64)? };
    let attributes =
        Attributes { created: fields.u64(8)?, modified: fields.u64(24)?, size: fields.u64(40)?, flags, tag };
    let short = usize::from(fields.u8(68)?);
    if short > 24 {
        return Err(format!("a short name has {short} bytes"));
    }
    let (name, short_name) = (fields.text(104, fields.size(60)?)?, fields.text(70, short)?);
    Ok(Entry { name, short_name, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::utf16;

    pub(crate) fn listing(names: &[&str]) -> Vec<u8> {
        let mut data = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let name = utf16(name);
            let mut bytes = vec![0; 104];
            bytes[40] = u8::try_from(number).unwrap();
            bytes[56] = 0x20;
            bytes[60] = u8::try_from(name.len()).unwrap();
            bytes.extend(name);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            if number + 1 < names.len() {
                let len = u32::try_from(bytes.len()).unwrap();
                bytes[..4].copy_from_slice(&len.to_le_bytes());
            }
            data.extend(bytes);
        }
        data
    }

    #[test]
    fn a_listing_is_read_without_its_dots() {
        let mut found = Vec::new();
        entries(&listing(&[".", "..", "Größe", "b"]), &mut found).unwrap();
        let names: Vec<&str> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["Größe", "b"]);
        assert_eq!(found[1].attributes.size, 3);
    }

    #[test]
    fn names_that_lead_elsewhere_and_lists_that_do_not_end_are_refused() {
        for name in ["", r"a\b", "a/b"] {
            assert!(entries(&listing(&[name]), &mut Vec::new()).is_err(), "{name}");
        }
        let mut data = listing(&["a", "b"]);
        data[0] = 8;
        assert!(entries(&data, &mut Vec::new()).is_err());
        data[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(entries(&data, &mut Vec::new()).is_err());
    }
}
