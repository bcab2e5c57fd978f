//! Texts as PowerShell literals. The only way by which a text of the source gets into a script.
//!
//! PowerShell takes the typographic quotes U+2018 to U+201B for `'`, so each of them ends a literal unless it is doubled.

use crate::error::DestinationError;

/// True for every character that PowerShell takes for a single quote.
pub(crate) fn is_single_quote(character: char) -> bool {
    matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}')
}

/// A single-quoted literal: nothing in it is expanded, line breaks stay as they are. U+0000 is refused, since Windows ends
/// texts there and what follows would be lost without a word.
pub(crate) fn literal(text: &str) -> Result<String, DestinationError> {
    if let Some(position) = text.chars().position(|character| character == '\0') {
        return Err(DestinationError::Unquotable {
            text: text.escape_debug().to_string(),
            language: "PowerShell",
            character: 0,
            position,
        });
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        if is_single_quote(character) {
            quoted.push(character);
        }
        quoted.push(character);
    }
    quoted.push('\'');
    Ok(quoted)
}
