//! What can be wrong with a configuration file, or with a change to one.

/// A configuration file could not be read, or a change to it cannot be expressed in XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmXmlError {
    /// The file is larger than any real configuration.
    #[error("'{file}' has {found} bytes; an XML file of at most {limit} bytes was expected.")]
    TooLarge {
        /// File name.
        file: String,
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes are no text in the encoding that the file starts with.
    #[error("'{file}' is not valid {encoding} at byte offset {offset}: {found}.")]
    NotText {
        /// File name.
        file: String,
        /// The encoding that the first bytes announce.
        encoding: &'static str,
        /// Offset of the first wrong byte in the file.
        offset: usize,
        /// What was found there.
        found: String,
    },
    /// The text is not well-formed XML.
    #[error("'{file}' is not well-formed XML at line {line}, column {column}: {reason}.")]
    Markup {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// What the XML parser says.
        reason: String,
    },
    /// Elements are nested deeper than in any real configuration.
    #[error("'{file}' nests elements deeper than {limit} levels at line {line}; real files have fewer than 16.")]
    TooDeep {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Levels allowed.
        limit: usize,
    },
    /// An element name is longer than in any real configuration.
    #[error("'{file}' has an element name of more than {limit} bytes at line {line}; at most 60 were expected.")]
    NameTooLong {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Bytes allowed.
        limit: usize,
    },
    /// One element has more attributes than any real configuration.
    #[error("'{file}' has an element with more than {limit} attributes at line {line}; real files have at most 6.")]
    TooManyAttributes {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Attributes allowed.
        limit: usize,
    },
    /// The file declares more namespaces than is reasonable.
    #[error("'{file}' declares more than {limit} XML namespaces (line {line}); none was expected.")]
    TooManyNamespaces {
        /// File name.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Declarations allowed.
        limit: usize,
    },
    /// The text of an element is not what its reader needs.
    #[error("'{file}', {place}: expected {expected}, found {found}.")]
    Value {
        /// File name.
        file: String,
        /// Path and line of the element.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// What was found (shortened).
        found: String,
    },
    /// A change names an element that does not exist.
    #[error("'{file}' has no element '{path}'.")]
    Missing {
        /// File name.
        file: String,
        /// The path that was asked for.
        path: String,
    },
    /// A change wants text where there are child elements, or children where there is text.
    #[error("'{file}', element '{path}': expected {expected}, found {found}.")]
    Shape {
        /// File name.
        file: String,
        /// The path that was asked for.
        path: String,
        /// `text` or `child elements`.
        expected: &'static str,
        /// `text` or `child elements`.
        found: &'static str,
    },
    /// A name that no XML element can have.
    #[error("'{name}' cannot be the name of an XML element: {reason}.")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A character that XML 1.0 cannot carry.
    #[error(
        "The text of element '{name}' contains the character U+{code:04X}, which XML 1.0 cannot carry; remove it first."
    )]
    Character {
        /// Element name.
        name: String,
        /// Code point.
        code: u32,
    },
}
