//! JSON text that is the same wherever it is built.

use serde_json::{Map, Value};

/// The value with the keys of every object in order. A feature that any crate of a build may turn
/// on makes `serde_json` keep keys as they were inserted; documents must not depend on it.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            let sorted: Map<String, Value> =
                keys.into_iter().map(|key| (key.clone(), ordered(&object[key]))).collect();
            Value::Object(sorted)
        }
        Value::Array(items) => Value::Array(items.iter().map(ordered).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The value without the keys that hold `null`, at any depth.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// For people: indented, keys in order, a line break at the end.
pub(super) fn pretty(value: &Value) -> String {
    format!("{:#}\n", ordered(value))
}

/// For parameters that are JSON in a string: one line, keys in order.
pub(super) fn compact(value: &Value) -> String {
    ordered(value).to_string()
}
