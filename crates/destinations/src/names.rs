//! Names that are safe as one path component on Windows and on Linux, and that no shell or cmdlet expands.

/// Names that Windows reserves, with or without an extension.
const RESERVED: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "LPT1", "LPT2",
    "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// Most bytes of a safe name, so that a suffix and an extension still fit into 255 bytes.
const MOST_BYTES: usize = 120;

/// A safe component made from any text: letters and digits of every script stay, as do blanks and `. - _ ( ) +`.
///
/// Brackets, quotes, `$` and `` ` `` go too: cmdlets expand some of them in paths.
pub(crate) fn safe(text: &str) -> String {
    let mut name = String::new();
    for character in text.trim().chars() {
        let keep = character.is_alphanumeric() || " .-_()+".contains(character);
        let character = if keep { character } else { '_' };
        if name.len() + character.len_utf8() > MOST_BYTES {
            break;
        }
        name.push(character);
    }
    let name = name.trim_matches([' ', '.']).trim_start_matches('-').trim_matches([' ', '.']);
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_uppercase();
    if name.is_empty() || RESERVED.contains(&stem.as_str()) { format!("_{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_operators_stay_readable() {
        assert_eq!(safe("Müllers \"Web\" & 日本"), "Müllers _Web_ _ 日本");
        assert_eq!(safe("con.vhd"), "_con.vhd");
        assert_eq!(safe("a[1]*?"), "a_1___");
        assert_eq!(safe("... "), "_");
        assert_eq!(safe("../../x"), "_.._x");
    }

    proptest! {
        #[test]
        fn every_text_becomes_one_component(text in any::<String>()) {
            let name = safe(&text);
            prop_assert!(!name.is_empty() && name.len() <= MOST_BYTES + 1);
            let bad = |c: char| c.is_control() || "/\\:*?\"<>|[]'`$%&;".contains(c);
            prop_assert!(!name.chars().any(bad), "{name:?}");
            prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']));
            prop_assert_eq!(safe(&name), name);
        }
    }
}
