//! A whole file: its bytes' form, what stands around the root, and the tree; typed access by path with errors that name the
//! place.

use std::sync::Arc;

use super::path::{SiblingPaths, find, find_mut};
use super::{Content, MAX_FILE, Node, Position, TextForm, Value, VmXmlError, WrongValue, encoding, parse, write};

/// The first line of every file that Hyper-V wrote.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?>";

/// A configuration file.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    form: TextForm,
    prolog: Arc<str>,
    root: Node,
    epilog: Arc<str>,
    remarks: Vec<String>,
}

impl Document {
    /// Reads a file; `file` is what messages call it.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Document, VmXmlError> {
        if bytes.len() > MAX_FILE {
            return Err(VmXmlError::TooLarge { file: file.to_owned(), found: bytes.len(), limit: MAX_FILE });
        }
        let (form, text) = encoding::decode(bytes, file)?;
        let parsed = parse::parse(text, file)?;
        let slice = |range| Arc::from(parsed.source.get(range).unwrap_or_default());
        Ok(Document {
            file: file.to_owned(),
            form,
            prolog: slice(parsed.prolog),
            root: parsed.root,
            epilog: slice(parsed.epilog),
            remarks: parsed.remarks,
        })
    }

    /// A new file around `root`, in the form that Hyper-V writes.
    pub fn new(file: &str, root: Node) -> Document {
        let prolog = format!("{DECLARATION}{}", TextForm::HYPER_V.line_end.text());
        Document {
            file: file.to_owned(),
            form: TextForm::HYPER_V,
            prolog: prolog.into(),
            root,
            epilog: Arc::from(""),
            remarks: Vec::new(),
        }
    }

    /// A tree that was read from a file that is no XML.
    pub(crate) fn of_tree(file: &str, root: Node, remarks: Vec<String>) -> Document {
        Document { remarks, ..Document::new(file, root) }
    }

    /// The bytes of the file: unchanged elements as they were read, changed and new ones as Hyper-V spells them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = String::new();
        write::write_node(&mut body, &self.root, 0, self.form.line_end.text());
        encoding::encode(self.form, &[&*self.prolog, &body, &*self.epilog].concat())
    }

    /// What messages call the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Encoding, byte-order mark and line ends.
    pub fn form(&self) -> TextForm {
        self.form
    }

    /// Odd things that were kept, as whole sentences with their lines.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The outermost element, `configuration` in every known file.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The outermost element, to change it.
    pub fn root_mut(&mut self) -> &mut Node {
        &mut self.root
    }

    /// The element at `path`, the first of equally named siblings unless a step ends in `[n]`.
    pub fn get(&self, path: &str) -> Option<&Node> {
        find(&self.root, path)
    }

    /// The element at `path`, to change it.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        find_mut(&mut self.root, path)
    }

    /// The children of the element at `path`; none when it does not exist or is a leaf.
    pub fn children(&self, path: &str) -> &[Node] {
        self.get(path).map_or(&[], Node::children)
    }

    /// The place of `path` for messages: `/configuration/properties/name (line 12)`.
    pub fn place(&self, path: &str) -> String {
        match self.get(path) {
            Some(node) if node.position() == Position::New => path.to_owned(),
            Some(node) => format!("{path} ({})", node.position()),
            None => format!("{path} (absent)"),
        }
    }

    /// The text of the leaf at `path`, whatever its type; `None` when there is none.
    pub fn str(&self, path: &str) -> Result<Option<&str>, VmXmlError> {
        self.typed(path, |value| Ok(value.as_str()))
    }

    /// The number of the leaf at `path`.
    pub fn i64(&self, path: &str) -> Result<Option<i64>, VmXmlError> {
        self.typed(path, Value::as_i64)
    }

    /// The truth value of the leaf at `path`.
    pub fn bool(&self, path: &str) -> Result<Option<bool>, VmXmlError> {
        self.typed(path, Value::as_bool)
    }

    /// The bytes of the leaf at `path`.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, VmXmlError> {
        self.typed(path, Value::as_bytes)
    }

    fn typed<'a, T>(
        &'a self,
        path: &str,
        read: impl FnOnce(&'a Value) -> Result<T, WrongValue>,
    ) -> Result<Option<T>, VmXmlError> {
        let Some(node) = self.get(path) else { return Ok(None) };
        let wrong =
            |expected, found| VmXmlError::Value { file: self.file.clone(), place: self.place(path), expected, found };
        let Some(value) = node.value() else {
            return Err(wrong("a text", "child elements or an empty element without a type".to_owned()));
        };
        read(value).map(Some).map_err(|e| wrong(e.expected, e.found))
    }

    /// Changes the text of the leaf at `path` and keeps its type.
    pub fn set_text(&mut self, path: &str, text: &str) -> Result<(), VmXmlError> {
        let missing = VmXmlError::Missing { file: self.file.clone(), path: path.to_owned() };
        let shape = self.shape(path, "text", "child elements");
        if self.get_mut(path).ok_or(missing)?.set_text(text)? { Ok(()) } else { Err(shape) }
    }

    /// Adds `node` to the container at `path`, in ordinal order of names.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), VmXmlError> {
        let missing = VmXmlError::Missing { file: self.file.clone(), path: path.to_owned() };
        let shape = self.shape(path, "child elements", "text");
        let parent = self.get_mut(path).ok_or(missing)?;
        match parent.content() {
            Content::Children(_) => parent.insert(node),
            Content::Value(_) => return Err(shape),
        }
        Ok(())
    }

    /// Takes the element at `path` out, with the white space before it. The root cannot be removed.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        let wanted: *const Node = self.get(path)?;
        let (parent, _) = path.trim_end_matches('/').rsplit_once('/')?;
        let at = self.children(parent).iter().position(|child| std::ptr::eq(child, wanted))?;
        self.get_mut(parent)?.remove_at(at)
    }

    /// All leaves with their paths, in the order of the file.
    pub fn leaves(&self) -> Leaves<'_> {
        Leaves { root: Some(&self.root), stack: Vec::new() }
    }

    fn shape(&self, path: &str, expected: &'static str, found: &'static str) -> VmXmlError {
        VmXmlError::Shape { file: self.file.clone(), path: path.to_owned(), expected, found }
    }
}

/// Iterator over the leaves of a document: path, node, value.
#[derive(Debug)]
pub struct Leaves<'a> {
    root: Option<&'a Node>,
    stack: Vec<Level<'a>>,
}

#[derive(Debug)]
struct Level<'a> {
    path: String,
    names: SiblingPaths<'a>,
    rest: std::slice::Iter<'a, Node>,
}

impl<'a> Leaves<'a> {
    fn visit(&mut self, path: String, node: &'a Node) -> Option<(String, &'a Node, &'a Value)> {
        match node.content() {
            Content::Value(value) => Some((path, node, value)),
            Content::Children(children) => {
                self.stack.push(Level { path, names: SiblingPaths::of(children), rest: children.iter() });
                None
            }
        }
    }
}

impl<'a> Iterator for Leaves<'a> {
    type Item = (String, &'a Node, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(root) = self.root.take()
            && let Some(leaf) = self.visit(format!("/{}", root.name()), root)
        {
            return Some(leaf);
        }
        while let Some(level) = self.stack.last_mut() {
            let Some(node) = level.rest.next() else {
                self.stack.pop();
                continue;
            };
            let path = level.names.next(&level.path, node);
            if let Some(leaf) = self.visit(path, node) {
                return Some(leaf);
            }
        }
        None
    }
}
