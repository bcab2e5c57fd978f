//! Patterns of names with the wildcards of a shell, glob(7).

/// Longer patterns match nothing: no name is longer.
const LONGEST: usize = 255;
/// How Linux calls the first network card: without and with predictable names.
const CARDS: [&str; 3] = ["eth0", "ens3", "enp1s0"];

/// Whether a text has a wildcard.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether one of these patterns matches a network card whatever it is called.
pub(super) fn match_any_card<'p>(patterns: impl IntoIterator<Item = &'p str>) -> bool {
    let patterns: Vec<&str> = patterns.into_iter().filter(|pattern| is_pattern(pattern)).collect();
    CARDS.iter().all(|card| patterns.iter().any(|pattern| matches(pattern, card)))
}

/// Whether `pattern` matches all of `name`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if pattern.len() > LONGEST {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut done) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while done < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, done));
            at += 1;
        } else if let Some(next) = one(&pattern, at, name[done]) {
            (at, done) = (next, done + 1);
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            (at, done) = (place + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// Where the pattern goes on after the part at `at`, when that matches the character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => {
            let is_not = matches!(pattern.get(at + 1), Some('!' | '^'));
            let first = at + 1 + usize::from(is_not);
            // A bracket that comes first is one of the set.
            let Some(end) = (first + 1..pattern.len()).find(|end| pattern[*end] == ']') else {
                return (character == '[').then_some(at + 1);
            };
            (set_has(&pattern[first..end], character) != is_not).then_some(end + 1)
        }
        plain => (*plain == character).then_some(at + 1),
    }
}

fn set_has(set: &[char], character: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        let (first, last, next) = match set.get(at..at + 3) {
            Some(&[first, '-', last]) => (first, last, at + 3),
            _ => (set[at], set[at], at + 1),
        };
        if (first..=last).contains(&character) {
            return true;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, name) in
            [("*", "eth0"), ("eth?", "eth0"), ("*.cfg", "a.b.cfg"), ("[a-e]th[!1]", "eth0"), ("[]]", "]"), ("[a", "[a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("*.cfg", "cfg"), ("eth?", "eth"), ("[a-c]", "d"), ("[!0]", "0"), ("a", "ab")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(200), &"a".repeat(255)), "a pattern that no name needs is not tried");
        assert!(match_any_card(["e*"]) && match_any_card(["eth*", "en*"]));
        assert!(!match_any_card(["eth*"]) && !match_any_card(["eth0", "ens3", "enp1s0"]));
    }
}
