//! The parent locator: pairs of a key and a value in UTF-16, among them the data write GUID that the parent must have
//! and the paths where it may lie.

use crate::disk::fields::{bytes_at, guid_le, le16, le32};
use crate::disk::{DiskError, ParentLocator, ParentRequest};

use super::VhdxError;
use super::view::View;

/// The type of locators of VHDX parents.
const TYPE: &str = "b04aefb7-d19e-4a81-b789-25b8e9445913";
/// In the order in which the specification has them tried.
const PATHS: [&str; 3] = ["relative_path", "volume_path", "absolute_win32_path"];
/// Five keys are defined; each pair could take 128 KiB.
const MAX_PAIRS: u16 = 256;
const LINKAGE: &str = "parent_linkage";
const SECOND_LINKAGE: &str = "parent_linkage2";

/// Reads the locator at `place` (offset in the file, length up to 1 MiB).
pub(super) fn read_locator(
    view: &View,
    (offset, len): (u64, u32),
    remarks: &mut Vec<String>,
) -> Result<ParentRequest, DiskError> {
    let file = || view.name().to_owned();
    let mut bytes = vec![0; len as usize];
    view.read(offset, &mut bytes)?;
    let found = guid_le(&bytes_at(&bytes, 0));
    if found != TYPE {
        return Err(VhdxError::LocatorType { file: file(), offset, expected: TYPE.to_owned(), found }.into());
    }
    let pairs = read_pairs(view.name(), offset, &bytes)?;
    let value = |key: &str| pairs.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str());
    let linkage = value(LINKAGE).unwrap_or_default();
    let unique_id = parse_guid(linkage).ok_or_else(|| VhdxError::LocatorLinkage {
        file: file(),
        offset,
        found: linkage.to_owned(),
    })?;
    let other_id = value(SECOND_LINKAGE).and_then(parse_guid).unwrap_or_default();
    for (key, _) in &pairs {
        if key != LINKAGE && key != SECOND_LINKAGE && !PATHS.contains(&key.as_str()) {
            remarks.push(format!("The parent locator has the unknown key '{key}'."));
        }
    }
    let locators = PATHS.iter().filter_map(|key| {
        let path = value(key).filter(|path| !path.is_empty())?.to_owned();
        Some(ParentLocator { platform: (*key).to_owned(), path })
    });
    let locators: Vec<ParentLocator> = locators.collect();
    let name = locators.first().and_then(|locator| locator.path.rsplit(['\\', '/']).next());
    Ok(ParentRequest {
        child: file(),
        depth: 1,
        name: name.unwrap_or_default().to_owned(),
        locators,
        unique_id,
        other_id,
        timestamp: 0,
    })
}

fn read_pairs(name: &str, offset: u64, bytes: &[u8]) -> Result<Vec<(String, String)>, VhdxError> {
    let file = || name.to_owned();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let count = le16(bytes, 18);
    if count > MAX_PAIRS {
        return Err(VhdxError::LocatorCount { file: file(), offset, found: count, limit: MAX_PAIRS });
    }
    for index in 0..count {
        let at = 20 + usize::from(index) * 12;
        let (key, value) = (le32(bytes, at), le32(bytes, at + 4));
        let (key_len, value_len) = (le16(bytes, at + 8), le16(bytes, at + 10));
        // An entry that begins behind the end reads as zeros, which is no key either.
        let (Some(found), Some(text)) = (text(bytes, key, key_len), text(bytes, value, value_len)) else {
            let (offset, limit) = (offset + at as u64, bytes.len() as u32);
            return Err(VhdxError::LocatorEntry { file: file(), offset, index, key, key_len, value, value_len, limit });
        };
        if pairs.iter().any(|(known, _)| *known == found) {
            return Err(VhdxError::LocatorTwice { file: file(), offset, key: found });
        }
        pairs.push((found, text));
    }
    Ok(pairs)
}

fn text(bytes: &[u8], start: u32, len: u16) -> Option<String> {
    let start = start as usize;
    let part = bytes.get(start..start.checked_add(usize::from(len))?)?;
    let units: Vec<u16> = part.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    (start >= 20 && len > 0).then(|| String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned())
}

/// `{83ed0ec3-24c8-49a6-a959-5e4bd1288791}`, braces and case as they come, in lower case without braces.
fn parse_guid(text: &str) -> Option<String> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase();
    let groups: Vec<&str> = inner.split('-').collect();
    let right = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && inner.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    right.then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_come_with_braces_in_any_case() {
        let expected = Some("83ed0ec3-24c8-49a6-a959-5e4bd1288791".to_owned());
        assert_eq!(parse_guid("{83ed0ec3-24c8-49a6-a959-5e4bd1288791}"), expected);
        assert_eq!(parse_guid("83ED0EC3-24C8-49A6-A959-5E4BD1288791"), expected);
        for wrong in ["", "{}", "83ed0ec324c849a6a9595e4bd1288791", "{83ed0ec3-24c8-49a6-a959-5e4bd128879g}"] {
            assert_eq!(parse_guid(wrong), None, "{wrong}");
        }
    }
}
