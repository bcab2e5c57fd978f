//! Values of the interpreter. Lists, tables and objects are shared, as in PowerShell: who gets one can change it.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::Body;

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// `$null`.
    Null,
    /// `$true` or `$false`.
    Bool(bool),
    /// A whole number of 32 bits.
    Int(i32),
    /// A whole number of 64 bits.
    Long(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    Text(Rc<str>),
    /// An array or an `ArrayList`.
    List(Rc<List>),
    /// A hashtable.
    Hash(Rc<RefCell<Hash>>),
    /// An object with properties.
    Object(Rc<RefCell<Object>>),
    /// A word of an enumeration.
    Word(Rc<Word>),
    /// A type.
    Type(Rc<str>),
    /// A script block.
    Block(Rc<Body>),
}

/// Whether a list can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// An array of fixed length.
    Array,
    /// `System.Collections.ArrayList`.
    Growing,
    /// An array of bytes.
    Bytes,
    /// The entries of an access list, `System.Security.AccessControl.RawAcl`.
    Acl,
}

/// A list.
#[derive(Debug)]
pub struct List {
    /// What it is.
    pub kind: ListKind,
    /// Its items.
    pub items: RefCell<Vec<Value>>,
}

/// A word of an enumeration with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Name of the enumeration.
    pub kind: String,
    /// The word, or several with commas for flags.
    pub name: String,
    /// Its number.
    pub number: i64,
}

/// A table whose keys do not distinguish small and large letters.
#[derive(Debug, Default)]
pub struct Hash {
    entries: Vec<(String, Value, Value)>,
}

impl Hash {
    fn folded(key: &Value) -> Result<String, String> {
        match key {
            Value::Null => Err("a key of a table is $null".to_owned()),
            Value::Int(number) => Ok(format!("number {number}")),
            Value::Long(number) => Ok(format!("long {number}")),
            Value::Text(text) => Ok(format!("text {}", text.to_lowercase())),
            other => Err(format!("{} cannot be the key of a table here", other.kind())),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &Value) -> Result<Option<Value>, String> {
        let folded = Hash::folded(key)?;
        Ok(self.entries.iter().find(|(known, _, _)| *known == folded).map(|(_, _, value)| value.clone()))
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: &Value, value: Value) -> Result<(), String> {
        let folded = Hash::folded(key)?;
        match self.entries.iter_mut().find(|(known, _, _)| *known == folded) {
            Some(entry) => entry.2 = value,
            None => self.entries.push((folded, key.clone(), value)),
        }
        Ok(())
    }

    /// Keys and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|(_, key, value)| (key, value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// An object: what it is, which one it is, and its properties.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Name of its class.
    pub class: String,
    /// Which thing of the computer it stands for; empty for a thing of the script.
    pub id: String,
    /// What `[string]` makes of it, when it is known.
    pub text: Option<String>,
    /// Names and values.
    pub properties: Vec<(String, Value)>,
}

impl Object {
    /// An object that stands for a thing of the computer.
    pub fn new(class: &str, id: &str) -> Object {
        Object { class: class.to_owned(), id: id.to_owned(), ..Object::default() }
    }

    /// With a property.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Object {
        self.properties.push((name.to_owned(), value.into()));
        self
    }

    /// A property; small and large letters are the same.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A property to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.properties.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// As a value.
    pub fn value(self) -> Value {
        Value::Object(Rc::new(RefCell::new(self)))
    }
}

impl Value {
    /// A text.
    pub fn text_of(text: impl AsRef<str>) -> Value {
        Value::Text(Rc::from(text.as_ref()))
    }

    /// A list.
    pub fn list(kind: ListKind, items: Vec<Value>) -> Value {
        Value::List(Rc::new(List { kind, items: RefCell::new(items) }))
    }

    /// An array.
    pub fn array(items: Vec<Value>) -> Value {
        Value::list(ListKind::Array, items)
    }

    /// An array of bytes.
    pub fn bytes(bytes: &[u8]) -> Value {
        Value::list(ListKind::Bytes, bytes.iter().map(|byte| Value::Int(i32::from(*byte))).collect())
    }

    /// What an array of bytes holds; `None` for everything else.
    pub fn as_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Value::List(list) if list.kind == ListKind::Bytes => {
                list.items.borrow().iter().map(|item| u8::try_from(item.integer().ok()?).ok()).collect()
            }
            _ => None,
        }
    }

    /// An array of texts.
    pub fn texts(items: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
        Value::array(items.into_iter().map(Value::text_of).collect())
    }

    /// A word of an enumeration.
    pub fn word(kind: &str, name: &str, number: i64) -> Value {
        Value::Word(Rc::new(Word { kind: kind.to_owned(), name: name.to_owned(), number }))
    }

    /// A whole number, as small as it can be.
    pub fn number(number: i64) -> Value {
        i32::try_from(number).map_or(Value::Long(number), Value::Int)
    }

    /// What comes out of a pipeline: nothing, the one value, or an array.
    pub fn gathered(mut items: Vec<Value>) -> Value {
        match items.len() {
            0 => Value::Null,
            1 => items.remove(0),
            _ => Value::array(items),
        }
    }

    /// What flows when the value is put into a pipeline.
    pub fn unrolled(self) -> Vec<Value> {
        match self {
            Value::List(list) => list.items.borrow().clone(),
            other => vec![other],
        }
    }

    /// What it is, for messages.
    pub fn kind(&self) -> String {
        match self {
            Value::Null => "$null".to_owned(),
            Value::Bool(_) => "a truth value".to_owned(),
            Value::Int(_) | Value::Long(_) => "a whole number".to_owned(),
            Value::Double(_) => "a number with a fraction".to_owned(),
            Value::Text(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Hash(_) => "a table".to_owned(),
            Value::Object(object) => format!("an object of the class {}", object.borrow().class),
            Value::Word(word) => format!("a word of {}", word.kind),
            Value::Type(name) => format!("the type {name}"),
            Value::Block(_) => "a script block".to_owned(),
        }
    }

    /// Whether it counts as true.
    pub fn truth(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(number) => *number != 0,
            Value::Long(number) => *number != 0,
            Value::Double(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Word(word) => word.number != 0,
            // Only what .NET calls a list counts by its items.
            Value::List(list) if list.kind == ListKind::Acl => true,
            Value::List(list) => match list.items.borrow().as_slice() {
                [] => false,
                [one] => one.truth(),
                _ => true,
            },
            Value::Hash(_) | Value::Object(_) | Value::Type(_) | Value::Block(_) => true,
        }
    }

    /// The value as text, as `[string]` makes it; an error for things whose text says nothing.
    pub fn text(&self) -> Result<String, String> {
        Ok(match self {
            Value::Null => String::new(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Long(number) => number.to_string(),
            Value::Double(number) => number.to_string(),
            Value::Text(text) => text.to_string(),
            Value::Word(word) => word.name.clone(),
            Value::Type(name) => name.to_string(),
            Value::List(list) => {
                let texts: Result<Vec<String>, String> = list.items.borrow().iter().map(Value::text).collect();
                texts?.join(" ")
            }
            Value::Object(object) if object.borrow().text.is_some() => object.borrow().text.clone().unwrap_or_default(),
            other => return Err(format!("{} as a text says nothing", other.kind())),
        })
    }

    /// The value as a whole number, as a cast makes it.
    pub fn integer(&self) -> Result<i64, String> {
        match self {
            Value::Null => Ok(0),
            Value::Bool(value) => Ok(i64::from(*value)),
            Value::Int(number) => Ok(i64::from(*number)),
            Value::Long(number) => Ok(*number),
            Value::Word(word) => Ok(word.number),
            Value::Text(text) => {
                let text = text.trim();
                let parsed = if text.is_empty() { Ok(0) } else { text.parse() };
                parsed.map_err(|_| format!("'{text}' is not a whole number"))
            }
            Value::Double(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => Ok(*number as i64),
            other => Err(format!("{} is not a whole number", other.kind())),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::text_of(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Value {
        Value::text_of(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::text_of(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::number(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        Value::number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::number(i64::from(value))
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Value {
        Value::array(value)
    }
}

/// `Body` has no identity of its own: two blocks are equal when they read the same.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Text(one), Value::Text(two)) | (Value::Type(one), Value::Type(two)) => one == two,
            (Value::Double(one), Value::Double(two)) => one == two,
            (Value::Word(one), Value::Word(two)) => one == two,
            (Value::Object(one), Value::Object(two)) => Rc::ptr_eq(one, two),
            (Value::Hash(one), Value::Hash(two)) => Rc::ptr_eq(one, two),
            (Value::List(one), Value::List(two)) => Rc::ptr_eq(one, two),
            (Value::Block(one), Value::Block(two)) => Rc::ptr_eq(one, two),
            (Value::Int(_) | Value::Long(_), Value::Int(_) | Value::Long(_)) => self.integer() == other.integer(),
            _ => false,
        }
    }
}
