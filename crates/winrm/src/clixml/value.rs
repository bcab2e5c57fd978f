//! Values of PowerShell as a client sees them.

use std::fmt;
use std::sync::Arc;

/// A value (MS-PSRP 2.2.5.1 for the primitive ones). What this client has no use for is kept as its text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `Nil`.
    Null,
    /// `B`.
    Bool(bool),
    /// `S`.
    Text(String),
    /// `C`, a UTF-16 unit.
    Char(u16),
    /// `By`.
    U8(u8),
    /// `SB`.
    I8(i8),
    /// `U16`.
    U16(u16),
    /// `I16`.
    I16(i16),
    /// `U32`.
    U32(u32),
    /// `I32`.
    I32(i32),
    /// `U64`.
    U64(u64),
    /// `I64`.
    I64(i64),
    /// `Sg`.
    F32(f32),
    /// `Db`.
    F64(f64),
    /// `D`, in its decimal digits.
    Decimal(String),
    /// `BA`.
    Bytes(Vec<u8>),
    /// `G`.
    Guid(String),
    /// `DT`, in the form of XML Schema.
    DateTime(String),
    /// `TS`, in the form of XML Schema.
    Duration(String),
    /// `URI`.
    Uri(String),
    /// `Version`.
    Version(String),
    /// `XD`, the text of an XML document.
    Xml(String),
    /// `SBK`, the text of a script block.
    Script(String),
    /// `SS`, a secure string as it came: sealed with a key that this client never exchanges.
    Secure(String),
    /// `Obj`. The same object may stand in several places, then it is shared.
    Object(Arc<Object>),
    /// A reference (`Ref`) to an object that contains it, or to none.
    Dangling(String),
    /// Another element, with its text.
    Unknown {
        /// The name of the element.
        element: String,
        /// Its text.
        text: String,
    },
}

/// What an object is besides its properties (MS-PSRP 2.2.5.2).
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Base {
    /// Nothing.
    #[default]
    None,
    /// A primitive value that has properties, such as the number of an enumeration.
    Value(Value),
    /// Several values.
    List(ListKind, Vec<Value>),
    /// Keys with values.
    Dictionary(Vec<(Value, Value)>),
}

/// How several values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `LST`.
    List,
    /// `IE`, something that can be enumerated.
    Enumerable,
    /// `STK`.
    Stack,
    /// `QUE`.
    Queue,
}

/// An object (MS-PSRP 2.2.5.2).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// Its types, the most special first. A type of another process has `Deserialized.` in front.
    pub types: Vec<String>,
    /// What `ToString()` gave on the server.
    pub text: Option<String>,
    /// What it is besides its properties.
    pub base: Base,
    /// Properties of its type (`Props`).
    pub adapted: Vec<(String, Value)>,
    /// Properties that PowerShell added (`MS`); all of those of the protocol's own messages.
    pub extended: Vec<(String, Value)>,
}

impl Object {
    /// A property by its name, in any case of letters as PowerShell has it; added ones first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let all = self.extended.iter().chain(&self.adapted);
        all.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// An object whose properties are added ones, as in the protocol's messages.
    #[must_use]
    pub fn with(extended: Vec<(&str, Value)>) -> Self {
        let extended = extended.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { extended, ..Self::default() }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(Arc::new(object))
    }
}

impl Value {
    /// A property, if it is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(object) => object.get(name),
            _ => None,
        }
    }

    /// The text, if it is one or a kind of one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text)
            | Self::Guid(text)
            | Self::Uri(text)
            | Self::Version(text)
            | Self::Xml(text)
            | Self::Script(text)
            | Self::DateTime(text)
            | Self::Duration(text)
            | Self::Decimal(text) => Some(text),
            Self::Object(object) => match &object.base {
                Base::Value(value @ Self::Text(_)) => value.as_text(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The number, if it is a whole one or an enumeration's.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::U8(number) => Some(i64::from(*number)),
            Self::I8(number) => Some(i64::from(*number)),
            Self::U16(number) => Some(i64::from(*number)),
            Self::I16(number) => Some(i64::from(*number)),
            Self::U32(number) => Some(i64::from(*number)),
            Self::I32(number) => Some(i64::from(*number)),
            Self::I64(number) => Some(*number),
            Self::U64(number) => i64::try_from(*number).ok(),
            Self::Object(object) => match &object.base {
                Base::Value(value) if !matches!(value, Self::Object(_)) => value.as_integer(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Several values, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::Object(object) => match &object.base {
                Base::List(_, values) => Some(values),
                _ => None,
            },
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// As a person would like to see it: what the server's `ToString()` gave, or the value itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Self::Char(unit) => f.write_str(&String::from_utf16_lossy(&[*unit])),
            Self::F32(number) => number.fmt(f),
            Self::F64(number) => number.fmt(f),
            Self::U64(number) => number.fmt(f),
            Self::Bytes(bytes) => write!(f, "({} bytes)", bytes.len()),
            Self::Secure(_) => f.write_str("(secure string)"),
            Self::Dangling(_) => f.write_str("(the object itself)"),
            Self::Unknown { text, .. } => f.write_str(text),
            Self::Object(object) => match (&object.text, &object.base) {
                (Some(text), _) => f.write_str(text),
                (None, Base::Value(value)) if !matches!(value, Self::Object(_)) => value.fmt(f),
                _ => f.write_str(object.types.first().map_or("(object)", String::as_str)),
            },
            other => match (other.as_text(), other.as_integer()) {
                (Some(text), _) => f.write_str(text),
                (None, Some(number)) => number.fmt(f),
                (None, None) => Ok(()),
            },
        }
    }
}
