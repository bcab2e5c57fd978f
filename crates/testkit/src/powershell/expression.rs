//! Expressions: from the tree of tree-sitter-powershell to what the interpreter runs.

use std::rc::Rc;

use tree_sitter::Node;

use super::ast::*;
use super::parse::{Read, Source, body_of, children, pipeline, script_block, statements};

/// Kinds of nodes with one operand that is passed on, or two with an operator between them.
const LEVELS: [&str; 15] = [
    "logical_expression",
    "bitwise_expression",
    "comparison_expression",
    "additive_expression",
    "multiplicative_expression",
    "format_expression",
    "range_expression",
    "logical_argument_expression",
    "bitwise_argument_expression",
    "comparison_argument_expression",
    "additive_argument_expression",
    "multiplicative_argument_expression",
    "format_argument_expression",
    "range_argument_expression",
    "argument_expression",
];

/// Operators with two operands that the interpreter knows.
const OPERATORS: [&str; 33] = [
    "-and",
    "-or",
    "-band",
    "-bor",
    "-eq",
    "-ieq",
    "-ceq",
    "-ne",
    "-ine",
    "-cne",
    "-lt",
    "-le",
    "-gt",
    "-ge",
    "-contains",
    "-notcontains",
    "-ccontains",
    "-cnotcontains",
    "-in",
    "-notin",
    "-like",
    "-notlike",
    "-match",
    "-notmatch",
    "-replace",
    "-split",
    "-join",
    "-is",
    "-isnot",
    "-f",
    "+",
    "-",
    "*",
];

/// Reads an expression.
pub(super) fn expression(source: Source, node: Node) -> Read<Expression> {
    let kind = node.kind();
    if LEVELS.contains(&kind) {
        return level(source, node);
    }
    let line = source.line(node);
    let done = |kind: ExpressionKind| Ok(Expression { line, kind });
    match kind {
        "unary_expression" | "integer_literal" => only(source, node),
        "array_literal_expression" => list(source, node),
        "expression_with_unary_operator" => unary(source, node),
        "cast_expression" => match children(node).as_slice() {
            [kind, value] => {
                done(ExpressionKind::Cast(type_name(source, *kind)?, Box::new(expression(source, *value)?)))
            }
            _ => source.unknown(node, "an expression"),
        },
        "decimal_integer_literal" | "hexadecimal_integer_literal" => match number(source.of(node)) {
            Ok(kind) => done(kind),
            Err(()) => source.unknown(node, "an expression"),
        },
        "string_literal" => string(source, node),
        "variable" => variable(source, node),
        "parenthesized_expression" => match children(node).as_slice() {
            [_, inner, _] => done(ExpressionKind::Paren(Box::new(pipeline(source, *inner)?))),
            _ => source.unknown(node, "an expression"),
        },
        "array_expression" => done(ExpressionKind::Array(inner_statements(source, node)?)),
        "sub_expression" => done(ExpressionKind::Sub(inner_statements(source, node)?)),
        "hash_literal_expression" => hash(source, node),
        "script_block_expression" => match children(node).as_slice() {
            [_, inner, _] => done(ExpressionKind::Block(Rc::new(script_block(source, *inner)?))),
            _ => source.unknown(node, "an expression"),
        },
        "type_literal" => done(ExpressionKind::Type(type_name(source, node)?)),
        "member_access" => member(source, node),
        "element_access" => match children(node).as_slice() {
            [target, _, index, _] => {
                let (target, index) = (expression(source, *target)?, expression(source, *index)?);
                done(ExpressionKind::Index(Box::new(target), Box::new(index)))
            }
            _ => source.unknown(node, "an expression"),
        },
        "invokation_expression" => invocation(source, node),
        "post_increment_expression" | "post_decrement_expression" => match children(node).as_slice() {
            [target, _] => {
                let step = if kind == "post_increment_expression" { 1 } else { -1 };
                done(ExpressionKind::Step(Box::new(expression(source, *target)?), step))
            }
            _ => source.unknown(node, "an expression"),
        },
        _ => source.unknown(node, "an expression"),
    }
}

fn only(source: Source, node: Node) -> Read<Expression> {
    match children(node).as_slice() {
        [one] => expression(source, *one),
        _ => source.unknown(node, "an expression"),
    }
}

fn level(source: Source, node: Node) -> Read<Expression> {
    match children(node).as_slice() {
        [one] => expression(source, *one),
        [left, operator, right] => {
            let name = source.of(*operator).trim().to_ascii_lowercase();
            if !OPERATORS.contains(&name.as_str()) && name != "/" {
                return source.unknown(*operator, "an expression");
            }
            let (left, right) = (expression(source, *left)?, expression(source, *right)?);
            let kind = ExpressionKind::Binary(name, Box::new(left), Box::new(right));
            Ok(Expression { line: source.line(node), kind })
        }
        _ => source.unknown(node, "an expression"),
    }
}

fn list(source: Source, node: Node) -> Read<Expression> {
    let parts: Vec<Node> = children(node).into_iter().filter(|part| part.kind() != ",").collect();
    if let [one] = parts.as_slice() {
        return expression(source, *one);
    }
    let items: Read<Vec<Expression>> = parts.into_iter().map(|part| expression(source, part)).collect();
    Ok(Expression { line: source.line(node), kind: ExpressionKind::List(items?) })
}

fn unary(source: Source, node: Node) -> Read<Expression> {
    match children(node).as_slice() {
        [one] => expression(source, *one),
        [operator, value] => {
            let name = source.of(*operator).trim().to_ascii_lowercase();
            if !["-not", "!", "-", ","].contains(&name.as_str()) {
                return source.unknown(node, "an expression");
            }
            let value = Box::new(expression(source, *value)?);
            Ok(Expression { line: source.line(node), kind: ExpressionKind::Unary(name, value) })
        }
        _ => source.unknown(node, "an expression"),
    }
}

/// A type in small letters, without its brackets and without `system.` before it.
fn type_name(source: Source, node: Node) -> Read<Rc<str>> {
    let text = source.of(node);
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(name) => Ok(Rc::from(short_type(name))),
        None => source.unknown(node, "a place that wants a type"),
    }
}

/// The name of a type as the interpreter compares it.
pub(super) fn short_type(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    name.strip_prefix("system.").unwrap_or(&name).to_owned()
}

fn inner_statements(source: Source, node: Node) -> Read<Block> {
    let mut all = Vec::new();
    for part in children(node) {
        match part.kind() {
            "@(" | "$(" | ")" => {}
            "statement_list" => all.extend(statements(source, part)?),
            _ => return source.unknown(part, "an expression"),
        }
    }
    Ok(all)
}

fn hash(source: Source, node: Node) -> Read<Expression> {
    let mut entries = Vec::new();
    let bodies = children(node).into_iter().filter(|part| part.kind() == "hash_literal_body");
    for entry in bodies.flat_map(children).filter(|part| part.kind() != ";") {
        let parts: Vec<Node> = children(entry).into_iter().filter(|part| part.kind() != ";").collect();
        let [key, _, value] = parts.as_slice() else { return source.unknown(entry, "a table") };
        let inner = children(*key);
        let key = match inner.as_slice() {
            [name] if name.kind() == "simple_name" => {
                Expression { line: source.line(*name), kind: ExpressionKind::Text(Rc::from(source.of(*name))) }
            }
            [value] => expression(source, *value)?,
            _ => return source.unknown(*key, "a table"),
        };
        if value.kind() != "pipeline" {
            return source.unknown(*value, "a table");
        }
        entries.push((key, pipeline(source, *value)?));
    }
    Ok(Expression { line: source.line(node), kind: ExpressionKind::Hash(entries) })
}

fn variable(source: Source, node: Node) -> Read<Expression> {
    let text = source.of(node);
    let name = match text.strip_prefix("${") {
        Some(rest) => rest.strip_suffix('}'),
        None => text.strip_prefix('$'),
    };
    match name {
        Some(name) if name.chars().all(|character| character.is_alphanumeric() || "_:".contains(character)) => {
            Ok(Expression { line: source.line(node), kind: ExpressionKind::Variable(name.to_owned()) })
        }
        _ => source.unknown(node, "an expression"),
    }
}

fn member(source: Source, node: Node) -> Read<Expression> {
    let parts = children(node);
    let [target, dots, name] = parts.as_slice() else { return source.unknown(node, "an expression") };
    let kind = if source.of(*dots) == "::" {
        ExpressionKind::StaticMember(static_target(source, *target)?, plain_name(source, *name)?)
    } else {
        let target = Box::new(expression(source, *target)?);
        ExpressionKind::Member(target, Box::new(member_name(source, *name)?))
    };
    Ok(Expression { line: source.line(node), kind })
}

fn static_target(source: Source, node: Node) -> Read<Rc<str>> {
    if node.kind() == "type_literal" { type_name(source, node) } else { source.unknown(node, "a static member") }
}

fn plain_name(source: Source, node: Node) -> Read<String> {
    match children(node).as_slice() {
        [name] if name.kind() == "simple_name" => Ok(source.of(*name).to_owned()),
        _ => source.unknown(node, "the name of a member"),
    }
}

fn member_name(source: Source, node: Node) -> Read<Expression> {
    match children(node).as_slice() {
        [name] if name.kind() == "simple_name" => {
            let kind = ExpressionKind::Text(Rc::from(source.of(*name)));
            Ok(Expression { line: source.line(*name), kind })
        }
        [value] if value.kind() == "variable" || value.kind() == "string_literal" => expression(source, *value),
        _ => source.unknown(node, "the name of a member"),
    }
}

fn invocation(source: Source, node: Node) -> Read<Expression> {
    let parts = children(node);
    let [target, dots, name, list] = parts.as_slice() else { return source.unknown(node, "an expression") };
    let mut arguments = Vec::new();
    for part in children(*list) {
        match part.kind() {
            "(" | ")" => {}
            "argument_expression_list" => {
                for argument in children(part).into_iter().filter(|part| part.kind() != ",") {
                    arguments.push(expression(source, argument)?);
                }
            }
            _ => return source.unknown(part, "the arguments of a method"),
        }
    }
    let name = plain_name(source, *name)?;
    let kind = if source.of(*dots) == "::" {
        ExpressionKind::StaticCall(static_target(source, *target)?, name, arguments)
    } else {
        ExpressionKind::Call(Box::new(expression(source, *target)?), name, arguments)
    };
    Ok(Expression { line: source.line(node), kind })
}

/// A number as PowerShell writes it in decimal, with the suffixes `l`, `kb`, `mb`, `gb`, `tb`.
pub(super) fn number(text: &str) -> Result<ExpressionKind, ()> {
    let text = text.trim().to_ascii_lowercase();
    let units = [("kb", 10), ("mb", 20), ("gb", 30), ("tb", 40)];
    let found = units.iter().find_map(|(unit, shift)| text.strip_suffix(unit).map(|rest| (rest.to_owned(), *shift)));
    let (digits, shift) = found.unwrap_or((text, 0));
    let (digits, long) = digits.strip_suffix('l').map_or((digits.as_str(), false), |digits| (digits, true));
    let plain = match digits.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).map(|number| i64::from(number as i32)).map_err(|_| ())?,
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<i64>().map_err(|_| ())?,
        None => return Err(()),
    };
    let number = plain.checked_mul(1 << shift).ok_or(())?;
    Ok(match i32::try_from(number) {
        Ok(number) if !long => ExpressionKind::Int(number),
        _ => ExpressionKind::Long(number),
    })
}

/// True for every character that PowerShell takes for a single quote.
fn is_single_quote(character: char) -> bool {
    matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}')
}

/// True for every character that PowerShell takes for a double quote.
fn is_double_quote(character: char) -> bool {
    matches!(character, '"' | '\u{201C}' | '\u{201D}' | '\u{201E}')
}

/// What a text in single quotes holds: two quotes of any kind stand for one, and one alone would end the text.
pub(super) fn verbatim(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let inner = inner.ok_or_else(|| format!("{text} is no text in single quotes"))?;
    let mut content = String::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        content.push(character);
        if is_single_quote(character) {
            // PowerShell keeps the second of the two.
            match rest.next().filter(|next| is_single_quote(*next)) {
                Some(second) if second == character => {}
                _ => return Err(format!("the quote {character} ends the text {text} early")),
            }
        }
    }
    Ok(content)
}

fn string(source: Source, node: Node) -> Read<Expression> {
    let text = source.of(node);
    let line = source.line(node);
    match children(node).as_slice() {
        [one] if one.kind() == "verbatim_string_characters" => {
            let text = verbatim(text).map_err(|error| format!("line {line}: {error}"))?;
            Ok(Expression { line, kind: ExpressionKind::Text(Rc::from(text)) })
        }
        [one] if one.kind() == "expandable_string_literal" => expandable(text, line),
        _ => source.unknown(node, "an expression"),
    }
}

/// The pieces of a text in double quotes.
fn expandable(text: &str, line: usize) -> Read<Expression> {
    let wrong = |what: &str| format!("line {line}: {what} in the text {text}");
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(|| wrong("no quotes"))?;
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = inner;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '`' => {
                let escaped = rest.chars().next().ok_or_else(|| wrong("a backtick at the end"))?;
                rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
                plain.push(match escaped {
                    'r' => '\r',
                    'n' => '\n',
                    't' => '\t',
                    '$' | '`' | '"' => escaped,
                    _ => return Err(wrong("an unknown escape")),
                });
            }
            '$' => {
                let (value, after) = embedded(rest, line).ok_or_else(|| wrong("an unknown value"))?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Value(value?));
                rest = after;
            }
            quote if is_double_quote(quote) => return Err(wrong("a double quote")),
            other => plain.push(other),
        }
    }
    let kind = if pieces.is_empty() {
        ExpressionKind::Text(Rc::from(plain))
    } else {
        pieces.push(Piece::Text(plain));
        ExpressionKind::Expandable(pieces)
    };
    Ok(Expression { line, kind })
}

/// A variable or `$( … )` after a `$` in a text, and what follows it.
fn embedded(rest: &str, line: usize) -> Option<(Read<Expression>, &str)> {
    if let Some(inner) = rest.strip_prefix('(') {
        let mut depth = 1;
        let end = inner.char_indices().find(|(_, character)| {
            depth += i32::from(*character == '(') - i32::from(*character == ')');
            depth == 0
        });
        let (end, _) = end?;
        let body = body_of(inner.get(..end)?, line.saturating_sub(1));
        let read = body.map(|body| Expression { line, kind: ExpressionKind::Sub(body.statements) });
        return Some((read, inner.get(end + 1..)?));
    }
    let (name, after) = match rest.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => {
            let end = rest.find(|character: char| !(character.is_alphanumeric() || character == '_'));
            rest.split_at(end.unwrap_or(rest.len()))
        }
    };
    let colon = after.starts_with(':') && !rest.starts_with('{');
    if name.is_empty() || colon {
        return None;
    }
    Some((Ok(Expression { line, kind: ExpressionKind::Variable(name.to_owned()) }), after))
}
