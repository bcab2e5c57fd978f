//! Texts as words of a POSIX shell. The only way by which a text of the source gets into a shell script.

use crate::error::DestinationError;

/// A single-quoted word; U+0000 is refused, since no argument can hold it.
pub(crate) fn word(text: &str) -> Result<String, DestinationError> {
    if let Some(position) = text.chars().position(|character| character == '\0') {
        return Err(DestinationError::Unquotable {
            text: text.escape_debug().to_string(),
            language: "a shell script",
            character: 0,
            position,
        });
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nul_is_refused_with_its_position() {
        let error = word("ab\0").unwrap_err().to_string();
        assert!(error.contains("U+0000 at position 2"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_shell_reads_every_text_back(text in "(?s)[^\0]{0,40}") {
            let script = format!("printf %s {}", word(&text).unwrap());
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
