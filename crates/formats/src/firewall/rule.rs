//! One rule: its text and what it says.

use std::fmt;
use std::str::FromStr;

/// Longest rule that is read, in bytes; the longest real one seen has about 500.
const MAX_RULE: usize = 1 << 20;

/// What a rule does with matching traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lets it through.
    Allow,
    /// Stops it.
    Block,
}

/// Which traffic a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this computer.
    In,
    /// From this computer.
    Out,
}

/// A rule string is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirewallRuleError {
    /// It does not start with a version.
    #[error("The firewall rule starts with '{found}'; a version such as 'v2.10' was expected.")]
    Version {
        /// What it starts with (shortened).
        found: String,
    },
    /// It is longer than any real rule.
    #[error("The firewall rule has {found} bytes; at most {limit} were expected.")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A key or a value has a character that the text cannot carry.
    #[error("'{text}' cannot stand in a firewall rule: it contains '{character}'.")]
    Character {
        /// The key or value.
        text: String,
        /// The character.
        character: char,
    },
}

/// A rule: a version and fields. Reading and writing gives the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallRule {
    version: String,
    /// Everything between the bars, in order; a field without `=` is kept too.
    fields: Vec<String>,
}

impl FirewallRule {
    /// A rule without any field; `version` such as `v2.10`.
    pub fn new(version: &str) -> Result<FirewallRule, FirewallRuleError> {
        format!("{version}|").parse()
    }

    /// The version with its `v`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All fields in order: key and value; the value is `None` when there is no `=`.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.fields.iter().filter(|field| !field.is_empty()).map(|field| match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field.as_str(), None),
        })
    }

    /// The values of all fields called `key`, in any case.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).filter_map(|(_, value)| value)
    }

    /// The value of the first field called `key`.
    pub fn first<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// What the rule does; `None` when the field is missing or says something else.
    pub fn action(&self) -> Option<Action> {
        match self.first("Action")? {
            text if text.eq_ignore_ascii_case("Allow") => Some(Action::Allow),
            text if text.eq_ignore_ascii_case("Block") => Some(Action::Block),
            _ => None,
        }
    }

    /// Whether the rule is in force; `None` when the field is missing or says something else.
    pub fn active(&self) -> Option<bool> {
        match self.first("Active")? {
            text if text.eq_ignore_ascii_case("TRUE") => Some(true),
            text if text.eq_ignore_ascii_case("FALSE") => Some(false),
            _ => None,
        }
    }

    /// Which traffic; `None` when the field is missing or says something else.
    pub fn direction(&self) -> Option<Direction> {
        match self.first("Dir")? {
            text if text.eq_ignore_ascii_case("In") => Some(Direction::In),
            text if text.eq_ignore_ascii_case("Out") => Some(Direction::Out),
            _ => None,
        }
    }

    /// Number of the IP protocol; `None` = any (or not a number: see [`FirewallRule::first`]).
    pub fn protocol(&self) -> Option<u8> {
        self.first("Protocol")?.parse().ok()
    }

    /// Profiles; none = all of them.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.all("Profile")
    }

    /// Display name: a text, or `@file,-number` for a text of a library.
    pub fn name(&self) -> Option<&str> {
        self.first("Name")
    }

    /// The group that the rule belongs to (`EmbedCtxt`).
    pub fn group(&self) -> Option<&str> {
        self.first("EmbedCtxt")
    }

    /// The rule with one more field at its end.
    pub fn with(mut self, key: &str, value: &str) -> Result<FirewallRule, FirewallRuleError> {
        check(key, &['|', '='])?;
        check(value, &['|'])?;
        let at = self.fields.len() - usize::from(self.fields.last().is_some_and(String::is_empty));
        self.fields.insert(at, format!("{key}={value}"));
        Ok(self)
    }

    /// Takes all fields called `key` out; how many there were.
    pub fn remove(&mut self, key: &str) -> usize {
        let before = self.fields.len();
        self.fields.retain(|field| !field.split_once('=').is_some_and(|(k, _)| k.eq_ignore_ascii_case(key)));
        before - self.fields.len()
    }
}

impl FromStr for FirewallRule {
    type Err = FirewallRuleError;

    fn from_str(text: &str) -> Result<FirewallRule, FirewallRuleError> {
        if text.len() > MAX_RULE {
            return Err(FirewallRuleError::TooLong { found: text.len(), limit: MAX_RULE });
        }
        let mut parts = text.split('|');
        let version = parts.next().unwrap_or_default();
        let number = version.strip_prefix('v').and_then(|v| v.split_once('.'));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !number.is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
            return Err(FirewallRuleError::Version { found: version.chars().take(40).collect() });
        }
        Ok(FirewallRule { version: version.to_owned(), fields: parts.map(str::to_owned).collect() })
    }
}

impl fmt::Display for FirewallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        self.fields.iter().try_for_each(|field| write!(f, "|{field}"))
    }
}

fn check(text: &str, forbidden: &[char]) -> Result<(), FirewallRuleError> {
    match text.chars().find(|c| forbidden.contains(c) || c.is_control()) {
        Some(character) => Err(FirewallRuleError::Character { text: text.to_owned(), character }),
        None => Ok(()),
    }
}
