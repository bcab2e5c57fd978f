//! Patterns with `*`, `?`, `[a-z]` and the escape `` ` `` (about_Wildcards), which know no difference of capitals.

/// What a part of a pattern matches.
enum Part {
    Any,
    One,
    Class(Vec<(char, char)>),
    Char(char),
}

fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut all = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        all.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '`' => Part::Char(rest.next().unwrap_or('`')),
            '[' => {
                let text: String = rest.by_ref().take_while(|character| *character != ']').collect();
                let members: Vec<char> = text.to_lowercase().chars().collect();
                let mut class = Vec::new();
                let mut at = 0;
                while let Some(first) = members.get(at) {
                    match (members.get(at + 1), members.get(at + 2)) {
                        (Some('-'), Some(last)) => (at, class) = (at + 3, [class, vec![(*first, *last)]].concat()),
                        _ => (at, class) = (at + 1, [class, vec![(*first, *first)]].concat()),
                    }
                }
                // A bracket that is not closed makes no pattern.
                if class.is_empty() || !pattern.contains(']') {
                    return None;
                }
                Part::Class(class)
            }
            other => Part::Char(other),
        });
    }
    Some(all)
}

fn fits(parts: &[Part], text: &[char]) -> bool {
    match (parts.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((Part::Any, rest)), _) => {
            (0..=text.len()).any(|skipped| fits(rest, text.get(skipped..).unwrap_or_default()))
        }
        (Some((part, parts)), Some((character, text))) => {
            let is_it = match part {
                Part::Char(wanted) => wanted.to_lowercase().eq(character.to_lowercase()),
                Part::Class(class) => class.iter().any(|(first, last)| (first..=last).contains(&character)),
                Part::One | Part::Any => true,
            };
            is_it && fits(parts, text)
        }
        _ => false,
    }
}

/// Whether a text is one of a pattern; `None` when it is no pattern.
pub fn is_like(text: &str, pattern: &str) -> Option<bool> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    Some(fits(&parts(pattern)?, &text))
}

/// `WildcardPattern.Escape`: the text as a pattern that matches nothing else.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '`') {
            escaped.push('`');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escape, is_like};

    #[test]
    fn a_pattern_is_matched() {
        for (text, pattern, expected) in [
            ("LAN 1", "lan *", Some(true)),
            ("LAN 1", "LAN", Some(false)),
            ("LAN [10G]", "LAN [10G]", Some(false)),
            ("LAN 1", "LAN [0-9]", Some(true)),
            ("LAN [10G]", "LAN `[10G`]", Some(true)),
            ("a*b", "a`*b", Some(true)),
            ("aXb", "a`*b", Some(false)),
            ("", "*", Some(true)),
            ("x", "[x", None),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
        for text in ["LAN [10G] * ?", "plain", "`"] {
            assert_eq!(is_like(text, &escape(text)), Some(true), "{text}");
        }
    }
}
