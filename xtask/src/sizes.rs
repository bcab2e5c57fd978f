//! The sizes of the house: functions, files, and the page that describes the architecture.

use std::path::Path;

use crate::run::output;

const LONGEST_FUNCTION: usize = 80;
const USUAL_FUNCTION: usize = 45;
const LONGEST_FILE: usize = 700;
const LONGEST_ARCHITECTURE: usize = 200;

/// Checks all Rust files that git knows, and new ones that it does not ignore.
pub fn check(root: &Path) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for path in rust_files()? {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
        let is_test = is_test_file(&path);
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{path} has {lines} lines; {LONGEST_FILE} are allowed"));
        }
        for function in functions(&text) {
            if function.lines > LONGEST_FUNCTION {
                wrong.push(format!("{path}:{}: {} has {} lines", function.line, function.name, function.lines));
            }
            if !is_test {
                lengths.push(function.lines);
            }
        }
    }
    lengths.sort_unstable();
    let long = lengths.iter().filter(|lines| **lines > USUAL_FUNCTION).count();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    println!("{} functions, median {median} lines, {long} over {USUAL_FUNCTION}", lengths.len());
    if long * 20 > lengths.len() {
        wrong.push(format!(
            "{long} of {} functions are longer than {USUAL_FUNCTION} lines; 5 % are allowed",
            lengths.len()
        ));
    }
    let page =
        std::fs::read_to_string(root.join("ARCHITECTURE.md")).map_err(|error| format!("ARCHITECTURE.md: {error}"))?;
    if page.lines().count() > LONGEST_ARCHITECTURE {
        wrong.push(format!("ARCHITECTURE.md has more than {LONGEST_ARCHITECTURE} lines"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}

fn rust_files() -> Result<Vec<String>, String> {
    let list = output("git", &["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])?;
    Ok(list.lines().map(str::to_owned).collect())
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("benches/")
}

/// A function with its length from signature to closing brace.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions of a formatted file: a line that starts one, up to the line with its closing brace at the same indent.
/// `rustfmt` puts it there, so no parser is needed; raw strings with such a line would only end a function early.
fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let rest = lines.iter().skip(index);
        let end = rest.clone().position(|line| ends(line, indent));
        if let Some(end) = end {
            found.push(Function { name, line: index + 1, lines: end + 1 });
        }
    }
    found
}

fn ends(line: &str, indent: usize) -> bool {
    let own = line.len() - line.trim_start().len();
    let text = line.trim();
    own == indent && (text == "}" || (text.contains("fn ") && (text.ends_with('}') || text.ends_with(';'))))
}

fn function_name(line: &str) -> Option<String> {
    let mut text = line.trim_start();
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "unsafe ", "async "] {
        text = text.strip_prefix(word).unwrap_or(text);
    }
    let rest = text.strip_prefix("fn ")?;
    let end = rest.find(['(', '<'])?;
    Some(rest.get(..end)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let text = "impl X {\n    pub fn one(&self) -> u8 {\n        if true {\n            1\n        } else {\n            2\n        }\n    }\n\n    fn two() {}\n}\n\npub const fn three<T>(\n    x: T,\n) -> T {\n    x\n}\n";
        let sizes: Vec<(String, usize, usize)> =
            functions(text).into_iter().map(|function| (function.name, function.line, function.lines)).collect();
        assert_eq!(sizes, [("one".to_owned(), 2, 7), ("two".to_owned(), 10, 1), ("three".to_owned(), 13, 5)]);
    }

    #[test]
    fn tests_are_told_by_their_path() {
        assert!(is_test_file("crates/x/tests/y.rs") && is_test_file("crates/x/src/z/tests.rs"));
        assert!(!is_test_file("crates/testkit/src/lib.rs"));
    }
}
