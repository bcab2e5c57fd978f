use proptest::prelude::*;
use tree_sitter::{Node, Parser};

use super::cmdlet::{Arg, Call, StepScript};
use super::quote::{is_single_quote, literal};
use super::read::step_script;

fn parse(text: &str) -> tree_sitter::Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap()
}

fn literals<'a>(node: Node, text: &'a str, found: &mut Vec<&'a str>) {
    if node.kind() == "string_literal" {
        found.push(&text[node.byte_range()]);
    }
    for index in 0..node.child_count() {
        literals(node.child(index as u32).unwrap(), text, found);
    }
}

/// What PowerShell makes of a literal: two quotes of any kind stand for one.
fn content(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut text = String::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        if is_single_quote(character) && rest.next() != Some(character) {
            return None;
        }
        text.push(character);
    }
    Some(text)
}

/// Texts in which dangerous characters are frequent.
fn texts() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(
        "'\"`$(){}[];&|<>#@%\r\n\t \u{2018}\u{2019}\u{201A}\u{201B}\u{201C}\u{FEFF}日ü-,".chars().collect::<Vec<_>>(),
    );
    let one = prop_oneof![3 => nasty, 1 => any::<char>().prop_filter("NUL has its own test", |c| *c != '\0')];
    prop::collection::vec(one, 0..24).prop_map(|characters| characters.into_iter().collect())
}

#[test]
fn a_kit_of_before_is_read() {
    let text = "switch ($Mode) {\n'Perform' {\nNew-NetRoute -InterfaceIndex $index -NextHop '10.0.0.1'\n}\n}";
    let call = Call::new("New-NetRoute").variable("InterfaceIndex", "index").text("NextHop", "10.0.0.1");
    assert_eq!(step_script(text).unwrap().perform, [call]);
}

#[test]
fn nul_is_refused() {
    let error = literal("abc\0d").unwrap_err().to_string();
    assert!(error.contains("U+0000 at position 3") && error.contains("PowerShell"), "{error}");
}

#[test]
fn typographic_quotes_cannot_end_a_literal() {
    assert_eq!(literal("a\u{2019}; Remove-Item C:\\").unwrap(), "'a\u{2019}\u{2019}; Remove-Item C:\\'");
    assert_eq!(literal("it's").unwrap(), "'it''s'");
}

proptest! {
    #[test]
    fn every_text_is_one_literal_with_the_same_content(text in texts()) {
        let quoted = literal(&text).unwrap();
        let line = format!("Set-Thing -Name {quoted} -Other 1\r\n");
        let tree = parse(&line);
        prop_assert!(!tree.root_node().has_error(), "{line:?}");
        let mut found = Vec::new();
        literals(tree.root_node(), &line, &mut found);
        prop_assert_eq!(&found, &[quoted.as_str()]);
        prop_assert_eq!(content(&quoted), Some(text));
    }

    #[test]
    fn a_step_script_is_read_back_as_it_was(first in texts(), second in texts(), number in any::<u64>(), on in any::<bool>()) {
        let call = Call::new("Set-Thing")
            .text("Text", &first)
            .with("Texts", Arg::Texts(vec![first.clone(), second.clone()]))
            .number("Number", number)
            .boolean("On", on)
            .switch("Switch")
            .with("Words", Arg::Words(vec!["CD".to_owned(), "IDE".to_owned()]))
            .variable("VM", "machine")
            .with("Path", Arg::KitPath("a/b 'c'.vhd".to_owned()))
            .switch("Last");
        let script = StepScript {
            test: vec![Call::new("Test-Thing").text("Text", &second)],
            perform: vec![
                call.clone().into_variable("x"),
                call,
                Call::new("New-NetRoute").variable("InterfaceIndex", "index").text("NextHop", &second),
                Call::new("Get-NetRoute"),
            ],
            undo: Vec::new(),
            ..StepScript::default()
        };
        let bytes = script.render().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let tree = parse(text.trim_start_matches('\u{feff}'));
        prop_assert!(!tree.root_node().has_error(), "{text}");
        prop_assert_eq!(text.matches(" -ErrorAction Stop").count(), 2);
        prop_assert!(text.contains(" -ErrorAction Stop -Confirm:$false\r\n") && text.contains("Get-NetRoute -ErrorAction Stop\r\n"));
        prop_assert_eq!(step_script(&text), Ok(script));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in texts()) {
        let _ = step_script(&format!("switch ($Mode) {{\n'Perform' {{\n{text}\n}}\n}}"));
    }
}
