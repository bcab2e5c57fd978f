//! The nouns: an instance of a class and the values of its properties, all as text until somebody needs a number.

use super::path::Reference;

/// An instance of a class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// Name of its class.
    pub class: String,
    /// Its properties in their order, each name once as a rule.
    pub properties: Vec<(String, Value)>,
}

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A number, a truth value, a time or a text.
    Text(String),
    /// Several values; an array may be empty.
    List(Vec<Value>),
    /// Where another object is.
    Reference(Reference),
    /// An object inside of this one.
    Object(Object),
}

impl Object {
    /// The value of a property, whose name is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of a property; of an array the first. `None` when it is missing or has no value.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).into_iter().next()
    }

    /// The texts of a property: one, or those of an array.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => vec![text.as_str()],
            Some(Value::List(values)) => values.iter().filter_map(Value::text).collect(),
            _ => Vec::new(),
        }
    }

    /// The number of a property, decimal.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.trim().parse().ok()
    }

    /// The truth value of a property: `TRUE` and `FALSE` in any case.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.trim() {
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The bytes of an array of `uint8`; `None` when it is none.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let Value::List(values) = self.get(name)? else { return None };
        values.iter().map(|value| value.text()?.trim().parse().ok()).collect()
    }

    /// The object that a property leads to: a reference, or a text that is a path.
    #[must_use]
    pub fn reference(&self, name: &str) -> Option<Reference> {
        match self.get(name)? {
            Value::Reference(reference) => Some(reference.clone()),
            _ => self.text(name)?.parse().ok(),
        }
    }

    /// True when it is of this class, whatever the case.
    #[must_use]
    pub fn is(&self, class: &str) -> bool {
        self.class.eq_ignore_ascii_case(class)
    }
}

impl Value {
    /// The text, when it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}
