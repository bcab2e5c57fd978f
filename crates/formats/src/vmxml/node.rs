//! The tree: containers without a type, leaves with a typed text. What was read also remembers its own spelling, so that
//! only what is changed is spelt anew.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::VmXmlError;

/// The type that a leaf declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueKind {
    /// `integer`: decimal, signed, 64 bits.
    Integer,
    /// `string`.
    String,
    /// `bool`: `True` or `False`.
    Bool,
    /// `bytes`: base64 in lines of 64 characters.
    Bytes,
    /// Any other name, kept as written; empty when the leaf has no `type` at all.
    Other(String),
}

impl ValueKind {
    /// Reads the `type` attribute.
    pub fn from_name(name: &str) -> ValueKind {
        match name {
            "integer" => ValueKind::Integer,
            "string" => ValueKind::String,
            "bool" => ValueKind::Bool,
            "bytes" => ValueKind::Bytes,
            other => ValueKind::Other(other.to_owned()),
        }
    }

    /// The `type` attribute as written; empty for a leaf without one.
    pub fn name(&self) -> &str {
        match self {
            ValueKind::Integer => "integer",
            ValueKind::String => "string",
            ValueKind::Bool => "bool",
            ValueKind::Bytes => "bytes",
            ValueKind::Other(name) => name,
        }
    }
}

/// The text of a leaf with its declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The declared type.
    pub kind: ValueKind,
    /// The text with entities resolved and line ends as `\n`; base64 for [`ValueKind::Bytes`].
    pub text: String,
}

/// A text does not fit the type that its reader needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct WrongValue {
    /// What was expected.
    pub expected: &'static str,
    /// Type and text that were found (shortened).
    pub found: String,
}

impl Value {
    /// The text of any leaf, whatever its type.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number of an `integer` leaf (or of one whose type name is unknown).
    pub fn as_i64(&self) -> Result<i64, WrongValue> {
        let wrong = || self.wrong("a signed 64-bit number (type integer)");
        match self.kind {
            ValueKind::Integer | ValueKind::Other(_) => self.text.trim().parse().map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    /// The truth value of a `bool` leaf (or of one whose type name is unknown, such as `boolean`).
    pub fn as_bool(&self) -> Result<bool, WrongValue> {
        let text = self.text.trim();
        match self.kind {
            ValueKind::Bool | ValueKind::Other(_) if text.eq_ignore_ascii_case("true") => Ok(true),
            ValueKind::Bool | ValueKind::Other(_) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.wrong("True or False (type bool)")),
        }
    }

    /// The bytes of a `bytes` leaf.
    pub fn as_bytes(&self) -> Result<Vec<u8>, WrongValue> {
        let wrong = || self.wrong("base64 (type bytes)");
        if self.kind != ValueKind::Bytes {
            return Err(wrong());
        }
        let compact: String = self.text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD.decode(compact).map_err(|_| wrong())
    }

    fn wrong(&self, expected: &'static str) -> WrongValue {
        let mut text: String = self.text.chars().take(80).collect();
        if text.len() < self.text.len() {
            text.push('…');
        }
        WrongValue { expected, found: format!("{} '{text}'", self.kind.name()) }
    }
}

/// An attribute besides `type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Name as written, with its prefix.
    pub name: String,
    /// Value with entities resolved.
    pub value: String,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A leaf.
    Value(Value),
    /// A container; may be empty.
    Children(Vec<Node>),
}

/// Where an element stood in the file that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Position {
    /// Nowhere: it was built.
    #[default]
    New,
    /// In XML: line of the start tag, from 1.
    Line(u32),
    /// In a binary file: byte offset of its entry.
    Offset(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::New => f.write_str("new"),
            Position::Line(line) => write!(f, "line {line}"),
            Position::Offset(offset) => write!(f, "byte offset {offset}"),
        }
    }
}

/// An element.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) name: String,
    pub(super) attributes: Vec<Attribute>,
    pub(super) content: Content,
    pub(super) position: Position,
    pub(super) spelling: Spelling,
}

/// How an element was spelt in the file it was read from; `None` = to be spelt anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Spelling {
    pub(super) source: Option<Arc<str>>,
    /// Between the end of what came before and the start tag: line end, indentation, comments.
    pub(super) before: Option<Range<usize>>,
    /// The start tag.
    pub(super) open: Option<Range<usize>>,
    /// The text of a leaf.
    pub(super) inner: Option<Range<usize>>,
    /// Between the last child and the end tag.
    pub(super) before_close: Option<Range<usize>>,
    /// The end tag; empty when the start tag is self-closed.
    pub(super) close: Option<Range<usize>>,
}

/// Names, attributes and content; position and spelling do not count.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.name == other.name && self.attributes == other.attributes && self.content == other.content
    }
}

impl Eq for Node {}

impl Node {
    /// An empty container.
    pub fn container(name: &str) -> Result<Node, VmXmlError> {
        check_name(name)?;
        Ok(Node::new(name, Content::Children(Vec::new())))
    }

    /// A leaf; `text` is base64 for [`ValueKind::Bytes`].
    pub fn leaf(name: &str, kind: ValueKind, text: impl Into<String>) -> Result<Node, VmXmlError> {
        check_name(name)?;
        let text = text.into();
        check_text(name, &text)?;
        check_text(name, kind.name())?;
        Ok(Node::new(name, Content::Value(Value { kind, text })))
    }

    /// A `string` leaf.
    pub fn string(name: &str, text: impl Into<String>) -> Result<Node, VmXmlError> {
        Node::leaf(name, ValueKind::String, text)
    }

    /// An `integer` leaf.
    pub fn integer(name: &str, number: i64) -> Result<Node, VmXmlError> {
        Node::leaf(name, ValueKind::Integer, number.to_string())
    }

    /// A `bool` leaf.
    pub fn bool(name: &str, value: bool) -> Result<Node, VmXmlError> {
        Node::leaf(name, ValueKind::Bool, if value { "True" } else { "False" })
    }

    /// A `bytes` leaf.
    pub fn bytes(name: &str, bytes: &[u8]) -> Result<Node, VmXmlError> {
        Node::leaf(name, ValueKind::Bytes, STANDARD.encode(bytes))
    }

    fn new(name: &str, content: Content) -> Node {
        Node {
            name: name.to_owned(),
            attributes: Vec::new(),
            content,
            position: Position::New,
            spelling: Spelling::default(),
        }
    }

    /// An element of a file that is no XML, whose names and texts may be what XML cannot say.
    pub(crate) fn placed(name: String, content: Content, position: Position) -> Node {
        Node { name, attributes: Vec::new(), content, position, spelling: Spelling::default() }
    }

    /// The container with `child` added where the ordinal order of names wants it. On a leaf nothing changes.
    #[must_use]
    pub fn with(mut self, child: Node) -> Node {
        self.insert(child);
        self
    }

    /// Name as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Attributes besides `type`, in the order of the file.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Line of the start tag in the file that it was read from; 0 when it was built, or read from a file that is no XML.
    pub fn line(&self) -> u32 {
        if let Position::Line(line) = self.position { line } else { 0 }
    }

    /// Where it stood in the file that it was read from.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Text or children.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The value of a leaf.
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Content::Value(value) => Some(value),
            Content::Children(_) => None,
        }
    }

    /// The children of a container in the order of the file; none for a leaf.
    pub fn children(&self) -> &[Node] {
        match &self.content {
            Content::Children(children) => children,
            Content::Value(_) => &[],
        }
    }

    /// The first child called `name` (exactly).
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children().iter().find(|child| child.name == name)
    }

    /// All children called `name` (exactly): repeated siblings are the arrays of this format.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children().iter().filter(move |child| child.name == name)
    }

    /// Changes the text of a leaf and keeps its type; a container is not changed and answers `false`.
    pub fn set_text(&mut self, text: &str) -> Result<bool, VmXmlError> {
        check_text(&self.name, text)?;
        let Content::Value(value) = &mut self.content else { return Ok(false) };
        if value.text != text {
            text.clone_into(&mut value.text);
            self.spelling.inner = None;
            self.open_when_self_closed();
        }
        Ok(true)
    }

    /// Adds a child behind all children whose name is not greater (ordinal order); a leaf is not changed.
    pub fn insert(&mut self, child: Node) {
        if matches!(self.content, Content::Value(_)) {
            return;
        }
        self.open_when_self_closed();
        let Content::Children(children) = &mut self.content else { return };
        if children.is_empty() {
            self.spelling.before_close = None;
        }
        let at = children.iter().rposition(|c| c.name <= child.name).map_or(0, |i| i + 1);
        children.insert(at, child);
    }

    /// Takes the first child called `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Node> {
        let at = self.children().iter().position(|c| c.name == name)?;
        self.remove_at(at)
    }

    /// Takes the child at index `at` out.
    pub fn remove_at(&mut self, at: usize) -> Option<Node> {
        match &mut self.content {
            Content::Children(children) if at < children.len() => Some(children.remove(at)),
            _ => None,
        }
    }

    pub(super) fn children_mut(&mut self) -> &mut [Node] {
        match &mut self.content {
            Content::Children(children) => children,
            Content::Value(_) => &mut [],
        }
    }

    /// A self-closed element gets an end tag of its own. Its start tag stays as it was read but for the slash: it may
    /// declare namespaces, which are no attributes.
    fn open_when_self_closed(&mut self) {
        if self.spelling.close.as_ref().is_some_and(Range::is_empty) {
            self.spelling.close = None;
        }
    }
}

fn check_name(name: &str) -> Result<(), VmXmlError> {
    let wrong = |reason| Err(VmXmlError::Name { name: name.to_owned(), reason });
    let start = |c: char| c == '_' || c.is_alphabetic();
    match name.chars().next() {
        None => return wrong("it is empty"),
        Some(c) if !start(c) => return wrong("it does not start with a letter or '_'"),
        Some(_) => {}
    }
    if name.chars().any(|c| !start(c) && !c.is_numeric() && !matches!(c, '-' | '.')) {
        return wrong("it has characters besides letters, digits, '_', '-' and '.'");
    }
    Ok(())
}

fn check_text(name: &str, text: &str) -> Result<(), VmXmlError> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(VmXmlError::Character { name: name.to_owned(), code: u32::from(c) }),
        None => Ok(()),
    }
}
