//! Reads the step scripts of a kit back: the calls of each part with their arguments. It understands what
//! [`crate::hyperv::cmdlet`] writes and refuses everything else, so that a changed script is noticed.

use crate::hyperv::cmdlet::{Arg, Call, StepScript};
use crate::hyperv::quote::is_single_quote;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Quoted(String),
    Word(String),
    Comma,
    Open,
    Close,
    LineEnd,
}

/// The three parts of a step script. The error says what is wrong and at which byte offset or in which call.
pub(crate) fn step_script(text: &str) -> Result<StepScript, String> {
    let start = text.find("switch ($Mode) {").ok_or("it has no 'switch ($Mode)'")?;
    let tokens = tokens(text.get(start..).unwrap_or_default())?;
    let mut script = StepScript::default();
    let mut part: Option<&str> = None;
    for line in tokens.split(|token| *token == Token::LineEnd) {
        match line {
            [] => {}
            [Token::Quoted(mode), Token::Word(brace)] if brace == "{" => part = Some(mode.as_str()),
            [Token::Word(brace)] if brace == "}" => part = None,
            [
                Token::Word(word),
                Token::Open,
                inner @ ..,
                Token::Close,
                Token::Word(open),
                Token::Word(end),
                Token::Word(close),
            ] if (word.as_str(), open.as_str(), end.as_str(), close.as_str()) == ("if", "{", "return", "}")
                && part == Some("Perform")
                && script.perform.is_empty() =>
            {
                script.unless = Some(call(inner)?);
            }
            _ if line.first() == Some(&Token::Word("switch".to_owned())) && part.is_none() => {}
            _ => {
                let call = call(line)?;
                match part {
                    Some("Test") => script.test.push(call),
                    Some("Perform") => script.perform.push(call),
                    Some("Undo") => script.undo.push(call),
                    _ => return Err(format!("the call of {} is in no known part", call.name)),
                }
            }
        }
    }
    Ok(script)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        match character {
            '\r' | ' ' | '\t' => {}
            '\n' => found.push(Token::LineEnd),
            ',' => found.push(Token::Comma),
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            quote if is_single_quote(quote) => {
                let mut value = String::new();
                loop {
                    let Some((_, next)) = rest.next() else {
                        return Err(format!("the literal that begins at byte offset {at} does not end"));
                    };
                    if !is_single_quote(next) {
                        value.push(next);
                    } else if let Some((_, second)) = rest.next_if(|(_, second)| is_single_quote(*second)) {
                        value.push(second);
                    } else {
                        break;
                    }
                }
                found.push(Token::Quoted(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some((_, next)) = rest.next_if(|(_, next)| !" \t\r\n,()'".contains(*next)) {
                    word.push(next);
                }
                found.push(Token::Word(word));
            }
        }
    }
    Ok(found)
}

fn call(line: &[Token]) -> Result<Call, String> {
    let (into, line) = match line {
        [Token::Word(variable), Token::Word(equals), rest @ ..] if equals == "=" => (Some(variable), rest),
        _ => (None, line),
    };
    let [Token::Word(name), rest @ ..] = line else { return Err(format!("a line begins with {:?}", line.first())) };
    let mut call = Call::new(name);
    call.into = into.map(|variable| variable.trim_start_matches('$').to_owned());
    let mut rest = rest;
    while let [first, after @ ..] = rest {
        let parameter = match first {
            Token::Word(word) => word.strip_prefix('-').filter(|name| !name.is_empty()),
            _ => None,
        };
        let parameter = parameter.ok_or_else(|| format!("in a call of {name}, {first:?} stands for a parameter"))?;
        let (arg, after) = argument(after).map_err(|error| format!("-{parameter} of {name} {error}"))?;
        call.parameters.push((parameter.to_owned(), arg));
        rest = after;
    }
    // They are written with each such call and are none of its own. Kits of before have none.
    for (preference, word) in call.preferences() {
        let wanted = word.map_or(Arg::Switch, Arg::word);
        call.parameters.retain(|(parameter, arg)| parameter != *preference || *arg != wanted);
    }
    Ok(call)
}

fn argument(tokens: &[Token]) -> Result<(Arg, &[Token]), String> {
    match tokens {
        [Token::Open, Token::Word(name), Token::Word(parameter), Token::Quoted(path), Token::Close, rest @ ..]
            if name == "Get-KitPath" && parameter == "-Relative" =>
        {
            Ok((Arg::KitPath(path.replace('\\', "/")), rest))
        }
        [Token::Quoted(text), Token::Comma, rest @ ..] => {
            let mut texts = vec![text.clone()];
            let mut rest = rest;
            while let [Token::Quoted(text), after @ ..] = rest {
                texts.push(text.clone());
                match after {
                    [Token::Comma, after @ ..] => rest = after,
                    _ => return Ok((Arg::Texts(texts), after)),
                }
            }
            Err("ends with a comma".to_owned())
        }
        [Token::Quoted(text), rest @ ..] => Ok((Arg::Text(text.clone()), rest)),
        [Token::Word(word), rest @ ..] if !word.starts_with('-') => {
            let mut words = vec![word.clone()];
            let mut rest = rest;
            while let [Token::Comma, Token::Word(word), after @ ..] = rest {
                words.push(word.clone());
                rest = after;
            }
            Ok((word_argument(words), rest))
        }
        [Token::Word(_), ..] | [] => Ok((Arg::Switch, tokens)),
        [other, ..] => Err(format!("has the argument {other:?}")),
    }
}

fn word_argument(words: Vec<String>) -> Arg {
    let [word] = words.as_slice() else { return Arg::Words(words) };
    match word.as_str() {
        "$true" => Arg::Bool(true),
        "$false" => Arg::Bool(false),
        other => match (other.strip_prefix('$'), other.parse()) {
            (Some(name), _) => Arg::Variable(name.to_owned()),
            (None, Ok(number)) => Arg::Number(number),
            (None, Err(_)) => Arg::Words(words),
        },
    }
}
