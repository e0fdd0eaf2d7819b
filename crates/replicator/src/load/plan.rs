//! Which key ranges a table is loaded in. The ranges are part of the checkpoint.

use medallion_definition::name::TableId;
use medallion_definition::types::MySqlType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use serde::{Deserialize, Serialize};

use crate::server::{DatabaseError, Source, quoted};
use crate::shape::TableShape;

const DOING: &str = "planning the full load";
/// The most key ranges of a table.
const MAX_SEGMENTS: u64 = 4096;

/// A value of the first key column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyBound {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<KeyBound> for Value {
    fn from(bound: KeyBound) -> Value {
        match bound {
            KeyBound::Int(value) => Value::Int(value),
            KeyBound::Unsigned(value) => Value::UInt(value),
            KeyBound::Text(text) => Value::from(text),
            KeyBound::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// The rows whose first key column lies between two bounds, and how far they are loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The smallest value; `None` for no limit.
    pub from: Option<KeyBound>,
    /// The first value beyond; `None` for no limit.
    pub to: Option<KeyBound>,
    /// All its rows are in Bronze.
    pub done: bool,
    /// The rows, once done.
    pub rows: u64,
    /// The files, once done.
    pub files: u32,
}

impl Segment {
    /// The whole table.
    pub fn whole() -> Segment {
        Segment::between(None, None)
    }

    fn between(from: Option<KeyBound>, to: Option<KeyBound>) -> Segment {
        Segment { from, to, done: false, rows: 0, files: 0 }
    }

    /// The condition on the first key column, and its parameters.
    pub(crate) fn condition(&self, column: &str) -> (String, Vec<Value>) {
        let bounds = [(">=", &self.from), ("<", &self.to)];
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        for (operator, bound) in bounds {
            if let Some(bound) = bound {
                conditions.push(format!("{column} {operator} ?"));
                values.push(Value::from(bound.clone()));
            }
        }
        match conditions.is_empty() {
            true => (String::new(), values),
            false => (format!(" WHERE {}", conditions.join(" AND ")), values),
        }
    }
}

/// Ranges that touch each other at these bounds, in ascending order, and cover everything.
fn ranges(bounds: Vec<KeyBound>) -> Vec<Segment> {
    let ends = bounds.iter().cloned().map(Some).chain([None]);
    let begins = [None].into_iter().chain(bounds.iter().cloned().map(Some));
    begins.zip(ends).map(|(from, to)| Segment::between(from, to)).collect()
}

/// How the bounds of a column can be found.
enum Splitting {
    /// Evenly between the smallest and the largest value.
    Integers { unsigned: bool },
    /// By walking along the key. Only for types that a parameter compares with exactly as the
    /// key's index orders them.
    Walk { text: bool },
    /// Not at all.
    None,
}

fn splitting(first: &MySqlType) -> Splitting {
    match first {
        MySqlType::Int { unsigned, .. } => Splitting::Integers { unsigned: *unsigned },
        MySqlType::Char { .. } => Splitting::Walk { text: true },
        MySqlType::Binary { .. } => Splitting::Walk { text: false },
        _ => Splitting::None,
    }
}

/// Plans the load of a table: one range, or several of about `segment_rows` rows.
///
/// The plan looks at the table through the snapshot of `conn`. Ranges of integers are equally
/// wide, whatever gaps the key has; memory does not depend on it, since rows are streamed.
pub(crate) async fn plan(
    source: &Source,
    conn: &mut Conn,
    table: &TableId,
    shape: &TableShape,
    segment_rows: u64,
) -> Result<Vec<Segment>, DatabaseError> {
    let failed = |error| source.error(DOING, error);
    // MySQL remembers estimates for a day unless told otherwise; MariaDB does not know the
    // variable.
    let _ = conn.query_drop("SET SESSION information_schema_stats_expiry = 0").await;
    let estimate: Option<Option<u64>> = conn
        .exec_first(
            "SELECT table_rows FROM information_schema.tables \
             WHERE table_schema = ? AND table_name = ?",
            (table.schema.as_str(), table.table.as_str()),
        )
        .await
        .map_err(failed)?;
    let segment_rows = segment_rows.max(1);
    let count = estimate.flatten().unwrap_or_default().div_ceil(segment_rows).min(MAX_SEGMENTS);
    let first = &shape.columns()[shape.key()[0]];
    let (column, from) = (quote(&first.name), quoted(table.schema.as_str(), table.table.as_str()));
    let bounds = match splitting(&first.source_type) {
        _ if count < 2 => Vec::new(),
        Splitting::None => Vec::new(),
        Splitting::Integers { unsigned } => {
            let query = format!("SELECT MIN({column}), MAX({column}) FROM {from}");
            let ends: Option<(Value, Value)> = conn.query_first(query).await.map_err(failed)?;
            ends.map(|ends| even(&ends, count, unsigned)).unwrap_or_default()
        }
        Splitting::Walk { text } => walk(source, conn, &column, &from, segment_rows, text).await?,
    };
    Ok(ranges(bounds))
}

/// A name in backticks.
pub(crate) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `count - 1` bounds between the smallest and the largest value, evenly apart.
fn even(ends: &(Value, Value), count: u64, unsigned: bool) -> Vec<KeyBound> {
    let number = |value: &Value| match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::UInt(value) => Some(i128::from(*value)),
        Value::Bytes(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    };
    let (Some(least), Some(most)) = (number(&ends.0), number(&ends.1)) else { return Vec::new() };
    let bound = |value: i128| match unsigned {
        true => u64::try_from(value).ok().map(KeyBound::Unsigned),
        false => i64::try_from(value).ok().map(KeyBound::Int),
    };
    let width = (most - least) / i128::from(count) + 1;
    let places = (1..i128::from(count)).map(|n| least + n * width);
    places.take_while(|place| *place <= most).filter_map(bound).collect()
}

/// Every `step`-th distinct value along the key.
async fn walk(
    source: &Source,
    conn: &mut Conn,
    column: &str,
    from: &str,
    step: u64,
    text: bool,
) -> Result<Vec<KeyBound>, DatabaseError> {
    let mut bounds = Vec::new();
    let mut last: Option<KeyBound> = None;
    while (bounds.len() as u64) < MAX_SEGMENTS - 1 {
        let after = if last.is_some() { format!("WHERE {column} > ? ") } else { String::new() };
        let query =
            format!("SELECT {column} FROM {from} {after}ORDER BY {column} LIMIT 1 OFFSET {step}");
        let values: Vec<Value> = last.iter().cloned().map(Value::from).collect();
        let found: Option<Vec<u8>> = match values.is_empty() {
            true => conn.query_first(query).await,
            false => conn.exec_first(query, values).await,
        }
        .map_err(|error| source.error(DOING, error))?;
        let Some(found) = found else { break };
        let bound = match (text, String::from_utf8(found)) {
            (true, Ok(found)) => KeyBound::Text(found),
            (true, Err(_)) => break,
            (false, Ok(found)) => KeyBound::Bytes(found.into_bytes()),
            (false, Err(error)) => KeyBound::Bytes(error.into_bytes()),
        };
        bounds.push(bound.clone());
        last = Some(bound);
    }
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_everything_and_touch_each_other() {
        let segments = ranges(vec![KeyBound::Int(10), KeyBound::Int(20)]);
        let conditions: Vec<_> = segments.iter().map(|s| s.condition("`id`")).collect();
        let int = Value::Int;
        let expected = [
            (" WHERE `id` < ?", vec![int(10)]),
            (" WHERE `id` >= ? AND `id` < ?", vec![int(10), int(20)]),
            (" WHERE `id` >= ?", vec![int(20)]),
        ];
        let expected = expected.map(|(text, values)| (text.to_owned(), values));
        assert_eq!(conditions, expected);
        assert_eq!(ranges(Vec::new()), [Segment::whole()]);
        assert_eq!(Segment::whole().condition("`id`"), (String::new(), Vec::new()));
    }

    #[test]
    fn bounds_lie_evenly_even_at_the_ends_of_the_type() {
        let ints = |least, most, count| even(&(Value::Int(least), Value::Int(most)), count, false);
        assert_eq!(ints(1, 100, 4), [26, 51, 76].map(KeyBound::Int));
        assert_eq!(ints(i64::MIN, i64::MAX, 2), [0].map(KeyBound::Int));
        assert_eq!(ints(5, 5, 3), []);
        assert_eq!(ints(1, 3, 10), [2, 3].map(KeyBound::Int));
        let all = even(&(Value::Int(0), Value::UInt(u64::MAX)), 2, true);
        assert_eq!(all, [KeyBound::Unsigned(1 << 63)]);
        assert_eq!(even(&(Value::NULL, Value::NULL), 4, false), []);
    }
}
