//! Statements, commands and parameters: from the tree of tree-sitter-powershell to what the interpreter runs. A node that is
//! not expected is an error that names its kind and line; nothing is passed over.

use std::rc::Rc;

use tree_sitter::{Node, Parser};

use super::ast::*;
use super::expression;

/// Longest script that is read.
const LONGEST_SCRIPT: usize = 4 << 20;

/// A text with its tree.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub text: &'t str,
    /// Line before the first one; a piece of a text inside another has the line of the outer one.
    pub line: usize,
}

/// An error or what was read.
pub(super) type Read<T> = Result<T, String>;

impl<'t> Source<'t> {
    pub fn of(self, node: Node) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    pub fn line(self, node: Node) -> usize {
        self.line + node.start_position().row + 1
    }

    /// The error for a node that the subset does not have.
    pub fn unknown<T>(self, node: Node, place: &str) -> Read<T> {
        let text: String = self.of(node).chars().take(60).collect();
        Err(format!("line {}: {} is not understood in {place}: {text:?}", self.line(node), node.kind()))
    }
}

/// Reads a script. A byte order mark may stand before it.
pub fn script(text: &str) -> Result<Rc<Body>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.len() > LONGEST_SCRIPT {
        return Err(format!("the script has {} bytes", text.len()));
    }
    for line in text.lines().filter(|line| line.to_ascii_lowercase().starts_with("#requires")) {
        if line.trim() != "#requires -Version 3.0" {
            return Err(format!("'{line}' is not understood"));
        }
    }
    body_of(text, 0).map(Rc::new)
}

/// Reads statements, as in a script or between `$(` and `)`.
pub(super) fn body_of(text: &str, line: usize) -> Read<Body> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).map_err(|error| error.to_string())?;
    let tree = parser.parse(text, None).ok_or("the parser gave up")?;
    let source = Source { text, line };
    let root = tree.root_node();
    if let Some(node) = first_error(root) {
        return source.unknown(node, "the script, which does not parse");
    }
    let mut body = Body::default();
    for node in children(root) {
        match node.kind() {
            "param_block" => body.parameters = Some(parameters(source, node)?),
            "statement_list" => body.statements = statements(source, node)?,
            _ => return source.unknown(node, "a script"),
        }
    }
    Ok(body)
}

fn first_error(node: Node) -> Option<Node> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    children(node).into_iter().filter(|child| child.has_error() || child.is_missing()).find_map(first_error)
}

/// All children but comments.
pub(super) fn children(node: Node) -> Vec<Node> {
    let all = (0..node.child_count()).filter_map(|index| node.child(index as u32));
    all.filter(|child| child.kind() != "comment").collect()
}

fn child<'t>(source: Source, node: Node<'t>, kind: &str) -> Read<Node<'t>> {
    match children(node).into_iter().find(|child| child.kind() == kind) {
        Some(found) => Ok(found),
        None => source.unknown(node, &format!("a place that wants {kind}")),
    }
}

pub(super) fn statements(source: Source, node: Node) -> Read<Block> {
    let mut all = Vec::new();
    for child in children(node) {
        match child.kind() {
            ";" | "empty_statement" => {}
            _ => all.push(statement(source, child)?),
        }
    }
    Ok(all)
}

/// The statements of `{ … }`.
fn block(source: Source, node: Node) -> Read<Block> {
    let mut all = Vec::new();
    for child in children(node) {
        match child.kind() {
            "{" | "}" | ";" => {}
            "statement_list" => all.extend(statements(source, child)?),
            _ => return source.unknown(child, "a block"),
        }
    }
    Ok(all)
}

fn block_in(source: Source, node: Node) -> Read<Block> {
    block(source, child(source, node, "statement_block")?)
}

fn statement(source: Source, node: Node) -> Read<Statement> {
    let kind = match node.kind() {
        "pipeline" => StatementKind::Pipeline(pipeline(source, node)?),
        "if_statement" => if_statement(source, node)?,
        "switch_statement" => switch_statement(source, node)?,
        "foreach_statement" => foreach_statement(source, node)?,
        "for_statement" => for_statement(source, node)?,
        "while_statement" => StatementKind::While {
            condition: pipeline_in(source, child(source, node, "while_condition")?)?,
            body: block_in(source, node)?,
        },
        "function_statement" => function(source, node)?,
        "try_statement" => try_statement(source, node)?,
        "flow_control_statement" => flow(source, node)?,
        _ => return source.unknown(node, "statements"),
    };
    Ok(Statement { line: source.line(node), kind })
}

fn pipeline_in(source: Source, node: Node) -> Read<Pipeline> {
    pipeline(source, child(source, node, "pipeline")?)
}

fn if_statement(source: Source, node: Node) -> Read<StatementKind> {
    let mut arms = vec![(pipeline_in(source, node)?, block_in(source, node)?)];
    let mut otherwise = None;
    for part in children(node) {
        match part.kind() {
            "elseif_clauses" => {
                for clause in children(part) {
                    arms.push((pipeline_in(source, clause)?, block_in(source, clause)?));
                }
            }
            "else_clause" => otherwise = Some(block_in(source, part)?),
            "if" | "(" | ")" | "pipeline" | "statement_block" => {}
            _ => return source.unknown(part, "if"),
        }
    }
    Ok(StatementKind::If { arms, otherwise })
}

fn switch_statement(source: Source, node: Node) -> Read<StatementKind> {
    if let Some(part) = children(node).into_iter().find(|part| part.kind() == "switch_parameters") {
        return source.unknown(part, "switch");
    }
    let subject = pipeline_in(source, child(source, node, "switch_condition")?)?;
    let mut clauses = Vec::new();
    for part in children(child(source, node, "switch_body")?) {
        match part.kind() {
            "{" | "}" => {}
            "switch_clauses" => {
                for clause in children(part) {
                    let condition = child(source, clause, "switch_clause_condition")?;
                    clauses.push((clause_condition(source, condition)?, block_in(source, clause)?));
                }
            }
            _ => return source.unknown(part, "switch"),
        }
    }
    Ok(StatementKind::Switch { subject, clauses })
}

/// A quoted text, or the word `default`.
fn clause_condition(source: Source, node: Node) -> Read<Option<Expression>> {
    let text = source.of(node).trim();
    if text.eq_ignore_ascii_case("default") {
        return Ok(None);
    }
    match expression::verbatim(text) {
        Ok(text) => {
            let kind = ExpressionKind::Text(Rc::from(text));
            Ok(Some(Expression { line: source.line(node), kind }))
        }
        Err(_) => source.unknown(node, "the clauses of switch"),
    }
}

fn variable_name(source: Source, node: Node) -> Read<String> {
    match source.of(node).strip_prefix('$') {
        Some(name) => Ok(name.trim_start_matches('{').trim_end_matches('}').to_owned()),
        None => source.unknown(node, "a place that wants a variable"),
    }
}

fn foreach_statement(source: Source, node: Node) -> Read<StatementKind> {
    if let Some(part) = children(node).into_iter().find(|part| part.kind() == "foreach_parameter") {
        return source.unknown(part, "foreach");
    }
    Ok(StatementKind::Foreach {
        variable: variable_name(source, child(source, node, "variable")?)?,
        over: pipeline_in(source, node)?,
        body: block_in(source, node)?,
    })
}

fn for_statement(source: Source, node: Node) -> Read<StatementKind> {
    let part = |kind: &str| {
        let found = children(node).into_iter().find(|part| part.kind() == kind);
        found.map(|part| pipeline_in(source, part)).transpose()
    };
    Ok(StatementKind::For {
        start: part("for_initializer")?,
        condition: part("for_condition")?,
        next: part("for_iterator")?,
        body: block_in(source, node)?,
    })
}

fn try_statement(source: Source, node: Node) -> Read<StatementKind> {
    let (mut catch, mut finally) = (None, None);
    for part in children(node) {
        match part.kind() {
            "catch_clauses" => {
                let clauses = children(part);
                if clauses.len() != 1 || clauses.iter().any(|clause| child(source, *clause, "catch_type_list").is_ok())
                {
                    return source.unknown(part, "try");
                }
                catch = clauses.first().map(|clause| block_in(source, *clause)).transpose()?;
            }
            "finally_clause" => finally = Some(block_in(source, part)?),
            "try" | "statement_block" => {}
            _ => return source.unknown(part, "try"),
        }
    }
    Ok(StatementKind::Try { body: block_in(source, node)?, catch, finally })
}

fn flow(source: Source, node: Node) -> Read<StatementKind> {
    let parts = children(node);
    let argument = parts.iter().find(|part| part.kind() == "pipeline");
    let argument = argument.map(|part| pipeline(source, *part)).transpose()?;
    if parts.len() > 1 + usize::from(argument.is_some()) {
        return source.unknown(node, "statements");
    }
    let word = parts.first().map(|part| source.of(*part).to_ascii_lowercase()).unwrap_or_default();
    Ok(match word.as_str() {
        "return" => StatementKind::Return(argument),
        "throw" => StatementKind::Throw(argument),
        "exit" => StatementKind::Exit(argument),
        "break" => StatementKind::Break,
        "continue" => StatementKind::Continue,
        _ => return source.unknown(node, "statements"),
    })
}

fn function(source: Source, node: Node) -> Read<StatementKind> {
    let mut name = String::new();
    let mut body = Body::default();
    for part in children(node) {
        match part.kind() {
            "function" | "{" | "}" => {}
            "function_name" => name = source.of(part).to_owned(),
            "script_block" => body = script_block(source, part)?,
            _ => return source.unknown(part, "a function"),
        }
    }
    Ok(StatementKind::Function { name, body: Rc::new(body) })
}

/// What stands between the braces of a function or of a script block.
pub(super) fn script_block(source: Source, node: Node) -> Read<Body> {
    let mut body = Body::default();
    for part in children(node) {
        match part.kind() {
            "param_block" => body.parameters = Some(parameters(source, part)?),
            "script_block_body" => {
                for list in children(part) {
                    match list.kind() {
                        "statement_list" => body.statements.extend(statements(source, list)?),
                        _ => return source.unknown(list, "a script block"),
                    }
                }
            }
            ";" => {}
            _ => return source.unknown(part, "a script block"),
        }
    }
    Ok(body)
}

fn parameters(source: Source, node: Node) -> Read<Parameters> {
    let mut all = Parameters::default();
    for part in children(node) {
        match part.kind() {
            "attribute_list" => all.binding = Some(binding(source, part)?),
            "parameter_list" => {
                for one in children(part).into_iter().filter(|one| one.kind() != ",") {
                    all.list.push(parameter(source, one)?);
                }
            }
            "param" | "(" | ")" => {}
            _ => return source.unknown(part, "a list of parameters"),
        }
    }
    Ok(all)
}

/// An attribute: its name in small letters and its arguments; a type has none.
struct Attribute<'t> {
    name: String,
    arguments: Option<Vec<(String, Option<&'t str>)>>,
}

fn attributes<'t>(source: Source<'t>, list: Node) -> Read<Vec<Attribute<'t>>> {
    let mut all = Vec::new();
    for attribute in children(list) {
        let parts = children(attribute);
        match parts.as_slice() {
            [one] if one.kind() == "type_literal" => {
                let text = source.of(*one).trim_start_matches('[');
                let name = text.strip_suffix(']').unwrap_or(text).to_ascii_lowercase();
                all.push(Attribute { name, arguments: None });
            }
            _ => {
                let name = source.of(child(source, attribute, "attribute_name")?).to_ascii_lowercase();
                let list = parts.iter().find(|part| part.kind() == "attribute_arguments");
                let arguments = list.map(|list| attribute_arguments(source, *list)).unwrap_or_default();
                all.push(Attribute { name, arguments: Some(arguments) });
            }
        }
    }
    Ok(all)
}

fn attribute_arguments<'t>(source: Source<'t>, list: Node) -> Vec<(String, Option<&'t str>)> {
    let one = |argument: Node| {
        let text = source.of(argument);
        match text.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), Some(value.trim())),
            None => (text.trim().to_owned(), None),
        }
    };
    children(list).into_iter().filter(|part| part.kind() != ",").map(one).collect()
}

fn binding(source: Source, list: Node) -> Read<Binding> {
    let mut binding = Binding { should_process: false, impact: "Medium".to_owned() };
    for attribute in attributes(source, list)? {
        if attribute.name != "cmdletbinding" {
            return source.unknown(list, "the attributes of a script");
        }
        for (name, value) in attribute.arguments.unwrap_or_default() {
            match (name.as_str(), value) {
                ("supportsshouldprocess", Some("$true")) => binding.should_process = true,
                ("confirmimpact", Some(word)) => {
                    binding.impact = expression::verbatim(word).or_else(|_| source.unknown(list, "an attribute"))?;
                }
                _ => return source.unknown(list, "[CmdletBinding()]"),
            }
        }
    }
    Ok(binding)
}

fn parameter(source: Source, node: Node) -> Read<Parameter> {
    let mut all = Parameter::default();
    for part in children(node) {
        match part.kind() {
            "attribute_list" => parameter_attributes(source, part, &mut all)?,
            "variable" => all.name = variable_name(source, part)?,
            "script_parameter_default" => {
                let value = children(part).into_iter().find(|part| part.kind() != "=");
                all.default = value.map(|value| expression::expression(source, value)).transpose()?;
            }
            _ => return source.unknown(part, "a parameter"),
        }
    }
    Ok(all)
}

fn parameter_attributes(source: Source, node: Node, parameter: &mut Parameter) -> Read<()> {
    for attribute in attributes(source, node)? {
        let Some(arguments) = attribute.arguments else {
            parameter.kind = Some(Rc::from(expression::short_type(&attribute.name)));
            continue;
        };
        match attribute.name.as_str() {
            "parameter" => match arguments.as_slice() {
                [(name, Some("$true"))] if name == "mandatory" => parameter.mandatory = true,
                _ => return source.unknown(node, "[Parameter()]"),
            },
            "allowemptystring" => parameter.allows_empty = true,
            "allownull" => parameter.allows_null = true,
            "validateset" => {
                for (word, value) in arguments {
                    match (expression::verbatim(&word), value) {
                        (Ok(word), None) => parameter.words.push(word),
                        _ => return source.unknown(node, "[ValidateSet()]"),
                    }
                }
            }
            _ => return source.unknown(node, "the attributes of a parameter"),
        }
    }
    Ok(())
}

/// A pipeline or an assignment.
pub(super) fn pipeline(source: Source, node: Node) -> Read<Pipeline> {
    match children(node).as_slice() {
        [one] if one.kind() == "assignment_expression" => assignment(source, *one),
        [one] if one.kind() == "pipeline_chain" => chain(source, *one),
        _ => source.unknown(node, "pipelines"),
    }
}

fn assignment(source: Source, node: Node) -> Read<Pipeline> {
    let parts = children(node);
    let [left, operator, value] = parts.as_slice() else { return source.unknown(node, "an assignment") };
    let operator = source.of(*operator).trim().to_owned();
    if !["=", "+=", "-="].contains(&operator.as_str()) || value.kind() != "pipeline" {
        return source.unknown(node, "an assignment");
    }
    let left = children(*left);
    let [left] = left.as_slice() else { return source.unknown(node, "an assignment") };
    Ok(Pipeline::Assign {
        target: expression::expression(source, *left)?,
        operator,
        value: Box::new(pipeline(source, *value)?),
        line: source.line(node),
    })
}

fn chain(source: Source, node: Node) -> Read<Pipeline> {
    let mut first = None;
    let mut rest = Vec::new();
    for part in children(node) {
        match (part.kind(), &first) {
            ("|", Some(_)) => {}
            ("command", None) => first = Some(Stage::Command(command(source, part)?)),
            ("command", Some(_)) => rest.push(command(source, part)?),
            ("logical_expression", None) => first = Some(Stage::Expression(expression::expression(source, part)?)),
            _ => return source.unknown(part, "a pipeline"),
        }
    }
    match first {
        Some(first) => Ok(Pipeline::Flow { first: Box::new(first), rest }),
        None => source.unknown(node, "pipelines"),
    }
}

fn command(source: Source, node: Node) -> Read<Command> {
    let mut operator = None;
    let mut called = None;
    let mut arguments = Vec::new();
    let mut merges = Merges::default();
    for part in children(node) {
        match part.kind() {
            "command_invokation_operator" => operator = Some(source.of(part).trim().to_owned()),
            "command_name" if operator.is_none() && children(part).is_empty() => {
                called = Some(Called::Name(source.of(part).to_owned()));
            }
            "command_name_expr" => {
                let inner = children(part);
                let [inner] = inner.as_slice() else { return source.unknown(part, "a command") };
                let expression = expression::expression(source, *inner)?;
                called = match operator.as_deref() {
                    Some("&") => Some(Called::Run(expression)),
                    Some(".") => Some(Called::DotSource(expression)),
                    _ => None,
                };
            }
            "command_elements" => {
                merges = redirected(source, part)?;
                arguments = elements(source, part)?;
            }
            _ => return source.unknown(part, "a command"),
        }
    }
    match called {
        Some(called) => Ok(Command { called, arguments, merges, line: source.line(node) }),
        None => source.unknown(node, "commands"),
    }
}

type Arguments = Vec<(Option<String>, Option<Expression>)>;

/// What flows on with the output of a command; there are no other redirections.
fn redirected(source: Source, node: Node) -> Read<Merges> {
    let mut merges = Merges::default();
    for part in children(node).into_iter().filter(|part| part.kind() == "redirection") {
        match source.of(part).trim() {
            "2>&1" if !merges.errors => merges.errors = true,
            "3>&1" if !merges.warnings => merges.warnings = true,
            _ => return source.unknown(part, "a command"),
        }
    }
    Ok(merges)
}

/// The arguments of a command. The parts of a list of bare words are nodes of their own here.
fn elements(source: Source, node: Node) -> Read<Arguments> {
    let mut all: Arguments = Vec::new();
    let mut comma = false;
    for part in children(node) {
        let value = match part.kind() {
            "command_argument_sep" if source.of(part).trim().is_empty() || source.of(part) == ":" => continue,
            "redirection" => continue,
            "," => {
                comma = true;
                continue;
            }
            "command_parameter" => {
                let name = source.of(part).trim_start_matches('-').to_owned();
                all.push((Some(name), None));
                continue;
            }
            "generic_token" => bare_word(source, part)?,
            "array_literal_expression"
            | "unary_expression"
            | "parenthesized_expression"
            | "script_block_expression" => expression::expression(source, part)?,
            _ => return source.unknown(part, "the arguments of a command"),
        };
        match all.last_mut() {
            Some((_, Some(list))) if comma => extend(list, value),
            Some((_, slot @ None)) => *slot = Some(value),
            _ => all.push((None, Some(value))),
        }
        comma = false;
    }
    Ok(all)
}

fn extend(list: &mut Expression, value: Expression) {
    match &mut list.kind {
        ExpressionKind::List(items) => items.push(value),
        _ => {
            let line = list.line;
            let first = std::mem::replace(list, Expression { line, kind: ExpressionKind::List(Vec::new()) });
            list.kind = ExpressionKind::List(vec![first, value]);
        }
    }
}

/// An argument without quotes: a number or a word.
fn bare_word(source: Source, node: Node) -> Read<Expression> {
    let text = source.of(node).trim();
    let line = source.line(node);
    if let Ok(kind) = expression::number(text) {
        return Ok(Expression { line, kind });
    }
    if !text.chars().all(|character| character.is_ascii_alphanumeric() || "._-\\".contains(character)) {
        return source.unknown(node, "the arguments of a command");
    }
    Ok(Expression { line, kind: ExpressionKind::Text(Rc::from(text)) })
}
