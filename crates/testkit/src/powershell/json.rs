//! `ConvertFrom-Json` and `ConvertTo-Json`.

use super::value::{Object, Value};

/// Deepest nesting that `ConvertTo-Json` writes without being told; what lies deeper it turns into texts.
const DEPTH: usize = 2;

/// Reads JSON into objects.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let parsed: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("Invalid JSON primitive: {error}."))?;
    from(&parsed)
}

fn from(json: &serde_json::Value) -> Result<Value, String> {
    Ok(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::number(number),
            (None, Some(number)) => Value::Double(number),
            (None, None) => return Err(format!("Invalid number {number}.")),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(items) => Value::array(items.iter().map(from).collect::<Result<_, _>>()?),
        serde_json::Value::Object(members) => {
            let mut object = Object::new("PSCustomObject", "");
            for (name, value) in members {
                if object.get(name).is_some() || name.is_empty() {
                    return Err(format!("The name '{name}' cannot be a property beside the others."));
                }
                object.properties.push((name.clone(), from(value)?));
            }
            object.value()
        }
    })
}

/// Writes JSON in one line; how PowerShell breaks lines does not matter to anyone who reads it.
pub(super) fn write(value: &Value, deepest: Option<usize>) -> Result<String, String> {
    to(value, deepest.unwrap_or(DEPTH) as i64).map(|json| json.to_string())
}

fn to(value: &Value, left: i64) -> Result<serde_json::Value, String> {
    let deeper = || if left < 0 { Err("ConvertTo-Json of something nested too deep".to_owned()) } else { Ok(()) };
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Long(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::Word(word) => word.number.into(),
        Value::List(list) => {
            deeper()?;
            let items: Result<Vec<_>, _> = list.items.borrow().iter().map(|item| to(item, left - 1)).collect();
            items?.into()
        }
        Value::Hash(hash) => {
            deeper()?;
            let mut members = serde_json::Map::new();
            for (key, value) in hash.borrow().iter() {
                members.insert(key.text()?, to(value, left - 1)?);
            }
            members.into()
        }
        Value::Object(object) if object.borrow().class == "PSCustomObject" => {
            deeper()?;
            let mut members = serde_json::Map::new();
            for (name, value) in &object.borrow().properties {
                members.insert(name.clone(), to(value, left - 1)?);
            }
            members.into()
        }
        other => return Err(format!("ConvertTo-Json of {}", other.kind())),
    })
}
