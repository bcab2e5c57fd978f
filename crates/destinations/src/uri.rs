//! The URI of a destination: `scheme:FOLDER?name=value&...`, percent-decoded.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::DestinationError;

/// A URI taken apart.
#[derive(Debug)]
pub(crate) struct Uri {
    /// As given.
    pub text: String,
    /// Before the first colon.
    pub scheme: String,
    /// The folder.
    pub folder: PathBuf,
    parameters: Vec<(String, String)>,
}

impl Uri {
    /// Takes a URI apart; `None` when it has no scheme.
    pub fn parse(text: &str) -> Result<Option<Uri>, DestinationError> {
        let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
        let (folder, query) = rest.split_once('?').unwrap_or((rest, ""));
        let folder = decode("folder", folder)?;
        if folder.is_empty() {
            return Err(bad("folder", "", "a folder is wanted after the colon"));
        }
        let mut parameters = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            parameters.push((decode("name of a parameter", name)?, value.to_owned()));
        }
        Ok(Some(Uri { text: text.to_owned(), scheme: scheme.to_owned(), folder: folder.into(), parameters }))
    }

    /// Refuses parameters that are not `known`.
    pub fn check(&self, known: &[&str]) -> Result<(), DestinationError> {
        match self.parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(DestinationError::UnknownParameter {
                uri: self.text.clone(),
                parameter: name.clone(),
                known: known.join(", "),
            }),
        }
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>, DestinationError> {
        self.raw(name).map(|value| decode(name, value)).transpose()
    }

    /// A number or a size.
    pub fn value<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, DestinationError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(name, &text, expected))
    }

    /// A list with commas; a comma inside an item is written `%2C`.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, DestinationError> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        let items = value.split(',').filter(|item| !item.is_empty()).map(|item| decode(name, item));
        items.collect::<Result<_, _>>().map(Some)
    }

    /// One of several words.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, DestinationError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let expected = format!("one of {} is wanted", words.join(", "));
        if words.contains(&text.as_str()) { Ok(Some(text)) } else { Err(bad(name, &text, &expected)) }
    }
}

pub(crate) fn bad(parameter: &str, value: &str, expected: &str) -> DestinationError {
    DestinationError::BadParameter {
        parameter: parameter.to_owned(),
        value: value.to_owned(),
        expected: expected.to_owned(),
    }
}

fn decode(parameter: &str, text: &str) -> Result<String, DestinationError> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(bad(parameter, text, "a '%' is followed by two hex digits; write '%25' for '%' itself")),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad(parameter, text, "the bytes written with '%' are not UTF-8"))
}
