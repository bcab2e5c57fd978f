//! Operators: comparison without regard to small and large letters, conversion to the type of the left side, formats.

use super::computer::{Run, Stop, fault, thrown};
use super::expression::short_type;
use super::pattern::Pattern;
use super::shell::same_text;
use super::value::Value;

/// An operator with two operands, in small letters.
pub(super) fn binary(operator: &str, left: &Value, right: &Value) -> Run<Value> {
    match operator {
        "-eq" | "-ieq" => equal(left, right, Letters::Same).map(Value::Bool),
        "-ne" | "-ine" => equal(left, right, Letters::Same).map(|equal| Value::Bool(!equal)),
        "-ceq" => equal(left, right, Letters::Differ).map(Value::Bool),
        "-cne" => equal(left, right, Letters::Differ).map(|equal| Value::Bool(!equal)),
        "-lt" => order(left, right).map(|order| Value::Bool(order.is_lt())),
        "-le" => order(left, right).map(|order| Value::Bool(order.is_le())),
        "-gt" => order(left, right).map(|order| Value::Bool(order.is_gt())),
        "-ge" => order(left, right).map(|order| Value::Bool(order.is_ge())),
        "-contains" => contains(left, right, Letters::Same).map(Value::Bool),
        "-notcontains" => contains(left, right, Letters::Same).map(|found| Value::Bool(!found)),
        "-ccontains" => contains(left, right, Letters::Differ).map(Value::Bool),
        "-cnotcontains" => contains(left, right, Letters::Differ).map(|found| Value::Bool(!found)),
        "-in" => contains(right, left, Letters::Same).map(Value::Bool),
        "-notin" => contains(right, left, Letters::Same).map(|found| Value::Bool(!found)),
        "-match" => matches(left, right).map(Value::Bool),
        "-notmatch" => matches(left, right).map(|found| Value::Bool(!found)),
        "-replace" => replace(left, right),
        "-split" => split(left, right),
        "-join" => join(left, right),
        "-f" => format(left, right),
        "-band" => bits(left, right, |one, two| one & two),
        "-bor" => bits(left, right, |one, two| one | two),
        "-is" => is_a(left, right).map(Value::Bool),
        "-isnot" => is_a(left, right).map(|is| Value::Bool(!is)),
        "+" | "-" | "*" | "/" => arithmetic(operator, left, right),
        _ => fault(format!("the operator {operator}")),
    }
}

/// Whether a value is of a type; classes above its own are not known.
fn is_a(left: &Value, right: &Value) -> Run<bool> {
    let Value::Type(kind) = right else { return fault(format!("-is {}", right.kind())) };
    match left {
        Value::Object(object) => Ok(short_type(&object.borrow().class) == kind.as_ref()),
        Value::Text(_) => Ok(kind.as_ref() == "string"),
        Value::Null => Ok(false),
        other => fault(format!("{} -is [{kind}]", other.kind())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Same,
    Differ,
}

fn text(value: &Value) -> Run<String> {
    value.text().map_err(Stop::Fault)
}

/// The right side becomes what the left side is.
fn equal(left: &Value, right: &Value, letters: Letters) -> Run<bool> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(matches!((left, right), (Value::Null, Value::Null))),
        (Value::List(_), _) => fault("a list on the left side of a comparison"),
        (Value::Text(left), right) => {
            let Ok(right) = right.text() else { return fault(format!("a text is compared with {}", right.kind())) };
            Ok(if letters == Letters::Same { same_text(left, &right) } else { left.as_ref() == right })
        }
        (Value::Bool(left), right) => Ok(*left == right.truth()),
        (Value::Int(_) | Value::Long(_) | Value::Double(_), Value::Double(_)) | (Value::Double(_), _) => {
            Ok(double(left)? == double(right)?)
        }
        (Value::Int(_) | Value::Long(_), right) => Ok(right.integer().is_ok_and(|right| left.integer() == Ok(right))),
        (Value::Word(left), Value::Word(right)) => Ok(left == right),
        (Value::Word(left), Value::Text(right)) => Ok(same_text(&left.name, right)),
        (Value::Word(left), right) => Ok(right.integer().is_ok_and(|right| left.number == right)),
        (Value::Object(object), Value::Text(right)) if object.borrow().text.is_some() => {
            Ok(object.borrow().text.as_ref().is_some_and(|left| same_text(left, right)))
        }
        (Value::Object(one), Value::Object(two)) => {
            let (one_text, two_text) = (one.borrow().text.clone(), two.borrow().text.clone());
            Ok(left == right || (one_text.is_some() && one_text == two_text))
        }
        _ => fault(format!("{} is compared with {}", left.kind(), right.kind())),
    }
}

fn double(value: &Value) -> Run<f64> {
    match value {
        Value::Double(number) => Ok(*number),
        other => other.integer().map(|number| number as f64).map_err(Stop::Throw),
    }
}

fn order(left: &Value, right: &Value) -> Run<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(_) | Value::Long(_), Value::Int(_) | Value::Long(_)) => Ok(left.integer().cmp(&right.integer())),
        (Value::Int(_) | Value::Long(_) | Value::Double(_), Value::Int(_) | Value::Long(_) | Value::Double(_)) => {
            Ok(double(left)?.total_cmp(&double(right)?))
        }
        _ => fault(format!("{} and {} are put in order", left.kind(), right.kind())),
    }
}

fn contains(list: &Value, item: &Value, letters: Letters) -> Run<bool> {
    for known in list.clone().unrolled() {
        if equal(&known, item, letters)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches(left: &Value, right: &Value) -> Run<bool> {
    let pattern = Pattern::new(&text(right)?).map_err(Stop::Fault)?;
    Ok(pattern.find(&text(left)?.chars().collect::<Vec<_>>(), 0).is_some())
}

fn replace(left: &Value, right: &Value) -> Run<Value> {
    let parts = right.clone().unrolled();
    let (pattern, with) = match parts.as_slice() {
        [pattern] => (text(pattern)?, String::new()),
        [pattern, with] => (text(pattern)?, text(with)?),
        _ => return fault("-replace with more than two texts"),
    };
    let pattern = Pattern::new(&pattern).map_err(Stop::Fault)?;
    pattern.replace(&text(left)?, &with).map(Value::from).map_err(Stop::Fault)
}

fn split(left: &Value, right: &Value) -> Run<Value> {
    let Value::Text(separator) = right else { return fault("-split by something that is no text") };
    let pattern = Pattern::new(separator).map_err(Stop::Fault)?;
    Ok(Value::texts(pattern.split(&text(left)?)))
}

fn join(left: &Value, right: &Value) -> Run<Value> {
    let texts: Run<Vec<String>> = left.clone().unrolled().iter().map(text).collect();
    Ok(Value::from(texts?.join(&text(right)?)))
}

fn bits(left: &Value, right: &Value, operation: fn(i64, i64) -> i64) -> Run<Value> {
    let number = |value: &Value| value.integer().map_err(Stop::Throw);
    Ok(Value::number(operation(number(left)?, number(right)?)))
}

/// `+`, `-`, `*` and `/`. What would leave the range of the type is a fault, since PowerShell goes over to fractions there.
pub(super) fn arithmetic(operator: &str, left: &Value, right: &Value) -> Run<Value> {
    match (operator, left, right) {
        ("+", Value::Text(one), other) => Ok(Value::from(format!("{one}{}", text(other)?))),
        ("+", Value::List(list), other) => {
            let mut items = list.items.borrow().clone();
            items.extend(other.clone().unrolled());
            Ok(Value::array(items))
        }
        (_, Value::Int(_) | Value::Long(_), Value::Int(_) | Value::Long(_)) => whole(operator, left, right),
        (
            "*" | "/" | "+" | "-",
            Value::Int(_) | Value::Long(_) | Value::Double(_),
            Value::Int(_) | Value::Long(_) | Value::Double(_),
        ) => {
            let (one, two) = (double(left)?, double(right)?);
            Ok(Value::Double(match operator {
                "+" => one + two,
                "-" => one - two,
                "*" => one * two,
                _ => one / two,
            }))
        }
        _ => fault(format!("{} {operator} {}", left.kind(), right.kind())),
    }
}

fn whole(operator: &str, left: &Value, right: &Value) -> Run<Value> {
    let (Ok(one), Ok(two)) = (left.integer(), right.integer()) else { return fault("numbers that are none") };
    let result = match operator {
        "+" => one.checked_add(two),
        "-" => one.checked_sub(two),
        "*" => one.checked_mul(two),
        _ if two == 0 => return thrown("Attempted to divide by zero."),
        _ if one % two == 0 => one.checked_div(two),
        _ => return Ok(Value::Double(one as f64 / two as f64)),
    };
    let long = matches!(left, Value::Long(_)) || matches!(right, Value::Long(_));
    match result {
        Some(number) if long => Ok(Value::Long(number)),
        Some(number) => i32::try_from(number).map(Value::Int).or_else(|_| fault("a number beyond 32 bits")),
        None => fault("a number beyond 64 bits"),
    }
}

/// `-f` with the formats that are used: plain, `N0`, `x` and `x4`.
fn format(left: &Value, right: &Value) -> Run<Value> {
    let Value::Text(format) = left else { return fault("-f after something that is no text") };
    let arguments = right.clone().unrolled();
    let mut result = String::new();
    let mut rest = format.as_ref();
    while let Some(at) = rest.find(['{', '}']) {
        let (plain, after) = rest.split_at(at);
        result.push_str(plain);
        if let Some(brace) = ["{{", "}}"].iter().find(|brace| after.starts_with(**brace)) {
            result.push_str(&brace[..1]);
            rest = &after[2..];
            continue;
        }
        let item = after.strip_prefix('{').and_then(|item| item.split_once('}'));
        let Some((item, after)) = item else { return fault(format!("the format '{format}'")) };
        let (index, how) = item.split_once(':').unwrap_or((item, ""));
        let argument = index.parse::<usize>().ok().and_then(|index| arguments.get(index));
        let Some(argument) = argument else {
            return thrown(format!("Error formatting a string: '{{{item}}}' has no argument."));
        };
        result.push_str(&formatted(argument, how)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(Value::from(result))
}

fn formatted(value: &Value, how: &str) -> Run<String> {
    if matches!(value, Value::List(_)) {
        return fault("a list is formatted as one text");
    }
    match how {
        "" => text(value),
        "N0" => {
            let digits = value.integer().map_err(Stop::Fault)?.to_string();
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                let left = digits.len() - index;
                if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            Ok(grouped)
        }
        // Negative numbers are written as the bits that they are kept in.
        "x" => match value {
            Value::Int(number) => Ok(format!("{number:x}")),
            Value::Long(number) => Ok(format!("{number:x}")),
            other => fault(format!("{} is formatted as 'x'", other.kind())),
        },
        "X8" => Ok(format!("{:08X}", value.integer().map_err(Stop::Fault)?)),
        "x4" => Ok(format!("{:04x}", value.integer().map_err(Stop::Fault)?)),
        _ => fault(format!("the format '{how}'")),
    }
}
