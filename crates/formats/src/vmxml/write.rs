//! Tree to text: what was read is spelt as it was read, what is new as Hyper-V spells it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use super::{Content, Node, Value, ValueKind};

/// Characters of one base64 line.
const BASE64_LINE: usize = 64;

/// Writes `node` at `depth` levels of indentation with `line_end` between new lines.
pub(super) fn write_node(out: &mut String, node: &Node, depth: usize, line_end: &str) {
    match spelt(node, node.spelling.before.as_ref()) {
        Some(before) => out.push_str(before),
        None => indent(out, depth, line_end),
    }
    match spelt(node, node.spelling.open.as_ref()) {
        Some(open) => match open.strip_suffix("/>").filter(|_| node.spelling.close.is_none()) {
            Some(start) => out.extend([start.trim_end(), ">"]),
            None => out.push_str(open),
        },
        None => start_tag(out, node),
    }
    match &node.content {
        Content::Value(value) => match spelt(node, node.spelling.inner.as_ref()) {
            Some(inner) => out.push_str(inner),
            None => write_value(out, value, line_end),
        },
        Content::Children(children) => {
            for child in children {
                write_node(out, child, depth + 1, line_end);
            }
            match spelt(node, node.spelling.before_close.as_ref()) {
                Some(before) => out.push_str(before),
                None if children.is_empty() => {}
                None => indent(out, depth, line_end),
            }
        }
    }
    match spelt(node, node.spelling.close.as_ref()) {
        Some(close) => out.push_str(close),
        None => {
            // Writing to a String cannot fail.
            let _ = write!(out, "</{}>", node.name);
        }
    }
}

fn spelt<'a>(node: &'a Node, range: Option<&Range<usize>>) -> Option<&'a str> {
    node.spelling.source.as_deref()?.get(range?.clone())
}

fn indent(out: &mut String, depth: usize, line_end: &str) {
    if !out.is_empty() {
        out.push_str(line_end);
    }
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn start_tag(out: &mut String, node: &Node) {
    out.push('<');
    out.push_str(&node.name);
    if let Some(kind) = node.value().map(|value| value.kind.name()).filter(|name| !name.is_empty()) {
        let _ = write!(out, " type=\"{}\"", escape(kind, "\""));
    }
    for attribute in &node.attributes {
        let _ = write!(out, " {}=\"{}\"", attribute.name, escape(&attribute.value, "\""));
    }
    out.push('>');
}

fn write_value(out: &mut String, value: &Value, line_end: &str) {
    if value.kind != ValueKind::Bytes {
        out.push_str(&escape(&value.text, line_end));
        return;
    }
    let compact: Vec<char> = value.text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    for line in compact.chunks(BASE64_LINE) {
        let line: String = line.iter().collect();
        out.push_str(&escape(&line, line_end));
        out.push_str(line_end);
    }
}

/// Escapes markup. `context` is `"` inside an attribute, else the line end that stands for `\n` in element text. A bare
/// carriage return would be read back as a line feed, so it becomes a character reference.
fn escape<'a>(text: &'a str, context: &str) -> Cow<'a, str> {
    if !text.contains(['&', '<', '>', '"', '\n', '\r', '\t']) {
        return Cow::Borrowed(text);
    }
    let in_attribute = context == "\"";
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#xA;"),
            '\t' if in_attribute => out.push_str("&#x9;"),
            '\n' => out.push_str(context),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}
