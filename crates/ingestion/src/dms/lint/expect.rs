//! Rules that are a table: the value at a place has to be one of these.

use medallion_definition::finding::RuleId;
use serde_json::Value;

use super::Report;

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// One of these values of an enumeration.
    Is(&'static [&'static str]),
    /// This name, letter by letter.
    Exactly(&'static str),
    /// Nothing at all.
    Absent,
    /// Anything that is not empty.
    Present,
    /// An integer within these bounds, both inclusive.
    Between(i64, i64),
}

/// One row of such a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    pub(super) rule: RuleId,
    /// A JSON pointer.
    pub(super) path: &'static str,
    /// What DMS takes when the key is missing; `None` when it takes nothing, or when the value
    /// may be missing.
    pub(super) default: Option<&'static str>,
    pub(super) wanted: Wanted,
    pub(super) hint: &'static str,
}

/// A row of a table, in one line.
pub(super) const fn expect(
    rule: RuleId,
    path: &'static str,
    default: Option<&'static str>,
    wanted: Wanted,
    hint: &'static str,
) -> Expectation {
    Expectation { rule, path, default, wanted, hint }
}

/// A scalar as text; `None` for what is missing, null or empty.
pub(super) fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => (!items.is_empty()).then(|| "a list".to_owned()),
        Value::Object(items) => (!items.is_empty()).then(|| "an object".to_owned()),
    }
}

/// An integer, written as a number or as text.
pub(super) fn integer(value: Option<&Value>) -> Option<i64> {
    scalar(value)?.parse().ok()
}

/// True when both mean the same to DMS.
pub(super) fn same(a: &str, b: &str) -> bool {
    let plain = |c: u8| if c == b'_' { b'-' } else { c.to_ascii_lowercase() };
    a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// The name of a key for a message: the last part of its place.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Checks one document against a table.
pub(super) fn check(document: &Value, table: &[Expectation], report: &mut Report) {
    for row in table {
        let found = scalar(document.pointer(row.path));
        let effective = found.as_deref().or(row.default);
        let wrong = match (row.wanted, effective) {
            (Wanted::Is(known), Some(value)) => !known.iter().any(|k| same(k, value)),
            (Wanted::Exactly(wanted), Some(value)) => wanted != value,
            (Wanted::Is(_) | Wanted::Exactly(_) | Wanted::Present, None) => true,
            (Wanted::Present, Some(_)) | (Wanted::Absent | Wanted::Between(..), None) => false,
            (Wanted::Absent, Some(_)) => true,
            (Wanted::Between(low, high), Some(value)) => {
                value.parse::<i64>().is_ok_and(|n| !(low..=high).contains(&n))
            }
        };
        if wrong {
            report.add(row.rule, row.path, message(row, found.as_deref()), row.hint);
        }
    }
}

fn message(row: &Expectation, found: Option<&str>) -> String {
    let name = name(row.path);
    // What must not be there may be a password.
    let is = match (row.wanted, found, row.default) {
        (Wanted::Absent, ..) => return format!("`{name}` is set"),
        (_, Some(value), _) => format!("is `{value}`"),
        (_, None, Some(default)) => format!("is not set, and DMS takes `{default}`"),
        (_, None, None) => "is not set".to_owned(),
    };
    match row.wanted {
        Wanted::Is(known) => format!("`{name}` {is}, wanted is `{}`", known.join("` or `")),
        Wanted::Exactly(wanted) => format!("`{name}` {is}, wanted is `{wanted}`"),
        Wanted::Between(low, high) => format!("`{name}` {is}, allowed are {low} to {high}"),
        Wanted::Absent | Wanted::Present => format!("`{name}` {is}"),
    }
}
