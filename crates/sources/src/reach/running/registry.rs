//! The registry of a host that runs, by the class `StdRegProv` in `root\default` (WMI SDK, "StdRegProv class"): keys and values are
//! listed with their types, and each value is asked for by the method for its type.
//!
//! A text with variables (`REG_EXPAND_SZ`) is asked for by the method that Microsoft documents for it, which gives it with the
//! variables replaced by the host; in a hive they are still there. UNCONFIRMED: whether `GetBinaryValue` gives the data of the
//! types for which no method is documented (`REG_NONE`, lists of resources); where it refuses, the value counts as unreadable.
//! `EnumValues` does not list an unnamed value on all releases, so one that it does not list counts as not there.

use std::sync::Arc;

use hvm_formats::regf::RegValueKind;
use hvm_winrm::{Argument, Instance, Property, Resource};

use super::Link;
use crate::reach::keys::{KeyError, Keys};

/// `HKEY_LOCAL_MACHINE`.
const LOCAL_MACHINE: &str = "2147483650";
/// What a method returns: it is done, there is no such key or value, access is denied (WinError.h).
const DONE: &str = "0";
const NOT_FOUND: &str = "2";
const DENIED: &str = "5";

/// The registry.
pub(crate) struct LiveRegistry {
    link: Arc<Link>,
    place: String,
}

impl LiveRegistry {
    pub(crate) fn new(link: Arc<Link>) -> LiveRegistry {
        let place = format!("the registry of {}", link.host());
        LiveRegistry { link, place }
    }

    /// Calls a method on a key, or on a value of one.
    fn call(&self, method: &str, key: &str, value: Option<&str>) -> Result<Instance, KeyError> {
        let class = Resource::class("root/default", "StdRegProv");
        let text = |text: &str| Argument::Text(text.to_owned());
        let mut arguments = vec![("hDefKey", text(LOCAL_MACHINE)), ("sSubKeyName", text(key))];
        arguments.extend(value.map(|value| ("sValueName", text(value))));
        let told = self.link.ask(|client| client.invoke(&class, method, &arguments));
        let at = || match value {
            Some(value) => format!("HKLM\\{key}: {value}"),
            None => format!("HKLM\\{key}"),
        };
        let unreadable = |reason: &str| Err(KeyError::Unreadable(format!("'{}' cannot be read: {reason}", at())));
        let told = match told {
            Ok(told) => told,
            Err(error) => return unreadable(&error.to_string()),
        };
        match told.text("ReturnValue").map(str::trim) {
            Some(DONE) => Ok(told),
            Some(NOT_FOUND) => Err(KeyError::Missing),
            Some(DENIED) => unreadable("StdRegProv answered 5, access is denied."),
            Some(other) => unreadable(&format!("{method} of StdRegProv answered {other}.")),
            None => unreadable(&format!("{method} of StdRegProv does not say whether it could do it.")),
        }
    }

    fn unusable(key: &str, value: &str, what: &str) -> KeyError {
        KeyError::Unreadable(format!("'HKLM\\{key}: {value}' cannot be read: {what}."))
    }
}

/// The texts of an array; none when it is null.
fn texts(instance: &Instance, name: &str) -> Vec<String> {
    let text = |value: &Property| match value {
        Property::Text(text) => Some(text.clone()),
        _ => None,
    };
    instance.all(name).filter_map(text).collect()
}

/// UTF-16 with its end.
fn utf16(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.encode_utf16().chain(std::iter::once(0)).flat_map(u16::to_le_bytes)
}

impl Keys for LiveRegistry {
    fn place(&self) -> &str {
        &self.place
    }

    fn subkeys(&self, key: &str) -> Result<Vec<String>, KeyError> {
        Ok(texts(&self.call("EnumKey", key, None)?, "sNames"))
    }

    fn values(&self, key: &str) -> Result<Vec<(String, RegValueKind)>, KeyError> {
        let told = self.call("EnumValues", key, None)?;
        let (names, kinds) = (texts(&told, "sNames"), texts(&told, "Types"));
        if names.len() != kinds.len() {
            let reason = format!("EnumValues gives {} names and {} types", names.len(), kinds.len());
            return Err(LiveRegistry::unusable(key, "", &reason));
        }
        let pair = |(name, kind): (String, String)| match kind.trim().parse() {
            Ok(number) => Ok((name, RegValueKind::from_number(number))),
            Err(_) => Err(LiveRegistry::unusable(key, &name, &format!("EnumValues says that its type is '{kind}'"))),
        };
        names.into_iter().zip(kinds).map(pair).collect()
    }

    fn data(&self, key: &str, value: &str, kind: RegValueKind) -> Result<Vec<u8>, KeyError> {
        let call = |method: &str| self.call(method, key, Some(value));
        let number = |method: &str| {
            let told = call(method)?;
            let text = told.text("uValue").map(str::trim).unwrap_or_default();
            text.parse::<u64>().map_err(|_| LiveRegistry::unusable(key, value, &format!("{method} gives '{text}'")))
        };
        match kind {
            RegValueKind::Sz => Ok(utf16(call("GetStringValue")?.text("sValue").unwrap_or_default()).collect()),
            RegValueKind::ExpandSz => {
                Ok(utf16(call("GetExpandedStringValue")?.text("sValue").unwrap_or_default()).collect())
            }
            RegValueKind::MultiSz => {
                let all = texts(&call("GetMultiStringValue")?, "sValue");
                Ok(all.iter().flat_map(|text| utf16(text)).chain([0, 0]).collect())
            }
            RegValueKind::Dword => {
                let number = number("GetDWORDValue")?;
                let number = u32::try_from(number).map_err(|_| {
                    LiveRegistry::unusable(key, value, &format!("GetDWORDValue gives {number}, more than 4 bytes hold"))
                })?;
                Ok(number.to_le_bytes().to_vec())
            }
            RegValueKind::Qword => Ok(number("GetQWORDValue")?.to_le_bytes().to_vec()),
            _ => {
                let bytes = texts(&call("GetBinaryValue")?, "uValue");
                let byte = |text: &String| text.trim().parse::<u8>().ok();
                let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
                bytes.ok_or_else(|| LiveRegistry::unusable(key, value, "GetBinaryValue gives what are no bytes"))
            }
        }
    }
}
