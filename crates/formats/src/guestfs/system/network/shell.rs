//! Files of variables that a shell reads, sh(1): `ifcfg-*` and their neighbours. Nothing is run or expanded.

use std::collections::HashMap;

/// What ends a word.
const ENDS: [char; 9] = [' ', '\t', '\r', '\n', ';', '&', '|', '(', ')'];

/// The values that variables have at the end of the text. What a line assigns only for a command that stands in it is left
/// out, as is a line with a quote that is not closed.
pub(super) fn variables(text: &str) -> HashMap<String, String> {
    let (mut all, mut pending) = (HashMap::new(), Vec::new());
    let (mut declares, mut is_command) = (false, false);
    let mut words = Words { rest: text };
    loop {
        match words.next() {
            Some(Some(word)) => match assignment(&word) {
                Some((name, value)) if !is_command => pending.push((name, value)),
                _ if declares => {}
                _ if pending.is_empty() && matches!(word.as_str(), "export" | "declare" | "typeset" | "readonly") => {
                    declares = true;
                }
                _ => is_command = true,
            },
            end => {
                if is_command {
                    pending.clear();
                }
                all.extend(pending.drain(..));
                (declares, is_command) = (false, false);
                if end.is_none() {
                    return all;
                }
            }
        }
    }
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

/// The words of a text, without their quotes; `None` among them is the end of a command.
struct Words<'t> {
    rest: &'t str,
}

impl Iterator for Words<'_> {
    type Item = Option<String>;

    fn next(&mut self) -> Option<Option<String>> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            match self.rest.strip_prefix("\\\n") {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        match self.rest.chars().next()? {
            '#' => {
                self.skip_line();
                Some(None)
            }
            first if ENDS.contains(&first) => {
                self.rest = &self.rest[1..];
                Some(None)
            }
            _ => Some(Some(self.word())),
        }
    }
}

impl Words<'_> {
    fn skip_line(&mut self) {
        self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]);
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(character) = self.rest.chars().next().filter(|character| !ENDS.contains(character)) {
            let rest = &self.rest[character.len_utf8()..];
            match character {
                '\'' | '"' => match quoted(rest, character, &mut word) {
                    Some(rest) => self.rest = rest,
                    None => {
                        self.skip_line();
                        return String::new();
                    }
                },
                '\\' => {
                    let escaped = rest.chars().next();
                    self.rest = &rest[escaped.map_or(0, char::len_utf8)..];
                    word.extend(escaped.filter(|escaped| *escaped != '\n'));
                }
                plain => {
                    word.push(plain);
                    self.rest = rest;
                }
            }
        }
        word
    }
}

/// Adds what stands before the closing quote; what follows on it, `None` where there is no such quote.
fn quoted<'t>(text: &'t str, quote: char, word: &mut String) -> Option<&'t str> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some(&text[at + 1..]),
            '\\' if quote == '"' => match characters.next()?.1 {
                '\n' => {}
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            plain => word.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::variables;

    #[test]
    fn values_are_those_that_a_shell_takes() {
        let text = "DEVICE=eth0   # first card\nBOOTPROTO='static'; ONBOOT=yes\nexport IPADDR=192.0.2.10 NETMASK=\"255.255.255.0\"\n\
            NAME=\"a \\\"b\\\" \\$c \\d\" X=1#2\n# GATEWAY=no\nGATEWAY=192.0.2.1\\\n9\nONCE=1 command Y=2\nEMPTY=\nZ=a\\ b\r\n  \
            LATE=1\nLATE=2\nTWO='a\nb'\n9=x\n";
        let all = variables(text);
        let expected = [
            ("DEVICE", "eth0"),
            ("BOOTPROTO", "static"),
            ("ONBOOT", "yes"),
            ("IPADDR", "192.0.2.10"),
            ("NETMASK", "255.255.255.0"),
            ("NAME", "a \"b\" $c \\d"),
            ("X", "1#2"),
            ("GATEWAY", "192.0.2.19"),
            ("EMPTY", ""),
            ("Z", "a b"),
            ("LATE", "2"),
            ("TWO", "a\nb"),
        ];
        for (name, value) in expected {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(all.len(), expected.len(), "{all:?}");
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_line() {
        let all = variables("A=1\nB=\"x\nC='2'\nD=3\\");
        assert_eq!((all.get("A").unwrap().as_str(), all.get("B"), all.get("C").unwrap().as_str()), ("1", None, "2"));
        assert_eq!(all.get("D").unwrap(), "3");
    }
}
