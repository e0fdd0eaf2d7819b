//! Value counts, null counts and bounds of the columns of one file.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};

/// Bounds of text keep this many characters, the default of Iceberg's own writers
/// (`write.metadata.metrics.default = truncate(16)`).
const BOUND_CHARS: usize = 16;

/// One column of the file being written.
struct Column {
    field_id: i32,
    /// The type whose bounds are kept; nothing for personal columns.
    bounded: Option<PrimitiveType>,
    nulls: u64,
    bounds: Option<(Datum, Datum)>,
}

/// What is known about the file's columns so far, by position in the table's schema.
pub(super) struct Metrics {
    rows: u64,
    columns: Vec<Column>,
}

impl Metrics {
    /// For columns given as field id, type and whether bounds may be kept.
    pub(super) fn new(columns: impl IntoIterator<Item = (i32, Option<PrimitiveType>)>) -> Self {
        let columns = columns.into_iter();
        let column = |(field_id, bounded)| Column { field_id, bounded, nulls: 0, bounds: None };
        Metrics { rows: 0, columns: columns.map(column).collect() }
    }

    /// Takes a batch of the file into account.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (column, values) in self.columns.iter_mut().zip(batch.columns()) {
            column.nulls += values.null_count() as u64;
            let Some(bounded) = &column.bounded else { continue };
            let Some((low, high)) = min_max(values, bounded) else { continue };
            column.bounds = Some(match column.bounds.take() {
                None => (low, high),
                Some((lowest, highest)) => (
                    if low < lowest { low } else { lowest },
                    if high > highest { high } else { highest },
                ),
            });
        }
    }

    /// Rows, which is also the value count of every column.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Value counts by field id, NULLs included.
    pub(super) fn value_counts(&self) -> HashMap<i32, u64> {
        self.columns.iter().map(|column| (column.field_id, self.rows)).collect()
    }

    /// NULLs by field id.
    pub(super) fn null_counts(&self) -> HashMap<i32, u64> {
        self.columns.iter().map(|column| (column.field_id, column.nulls)).collect()
    }

    /// Lower bounds by field id.
    pub(super) fn lower_bounds(&self) -> HashMap<i32, Datum> {
        self.bounds(|(low, _)| Some(lower_bound(low)))
    }

    /// Upper bounds by field id; none where no short text is above all values.
    pub(super) fn upper_bounds(&self) -> HashMap<i32, Datum> {
        self.bounds(|(_, high)| upper_bound(high))
    }

    fn bounds(&self, pick: impl Fn(&(Datum, Datum)) -> Option<Datum>) -> HashMap<i32, Datum> {
        let columns = self.columns.iter();
        columns.filter_map(|c| Some((c.field_id, pick(c.bounds.as_ref()?)?))).collect()
    }
}

/// The least and the greatest value that is not NULL. Nothing for floating-point and binary
/// columns: the first would need NaN counts to be right, the second hardly ever prune.
fn min_max(values: &dyn Array, bounded: &PrimitiveType) -> Option<(Datum, Datum)> {
    match bounded {
        PrimitiveType::Boolean => {
            let values = values.as_boolean_opt()?;
            Some((Datum::bool(min_boolean(values)?), Datum::bool(max_boolean(values)?)))
        }
        PrimitiveType::Int => {
            let values = values.as_primitive_opt::<Int32Type>()?;
            Some((Datum::int(min(values)?), Datum::int(max(values)?)))
        }
        PrimitiveType::Long => {
            let values = values.as_primitive_opt::<Int64Type>()?;
            Some((Datum::long(min(values)?), Datum::long(max(values)?)))
        }
        PrimitiveType::Date => {
            let values = values.as_primitive_opt::<Date32Type>()?;
            Some((Datum::date(min(values)?), Datum::date(max(values)?)))
        }
        PrimitiveType::Timestamp => {
            let values = values.as_primitive_opt::<TimestampMicrosecondType>()?;
            Some((Datum::timestamp_micros(min(values)?), Datum::timestamp_micros(max(values)?)))
        }
        PrimitiveType::Timestamptz => {
            let values = values.as_primitive_opt::<TimestampMicrosecondType>()?;
            let datum = Datum::timestamptz_micros;
            Some((datum(min(values)?), datum(max(values)?)))
        }
        PrimitiveType::Decimal { .. } => {
            let values = values.as_primitive_opt::<Decimal128Type>()?;
            let datum = |v: i128| Datum::try_from_bytes(&v.to_be_bytes(), bounded.clone()).ok();
            Some((datum(min(values)?)?, datum(max(values)?)?))
        }
        PrimitiveType::String => {
            let values = values.as_string_opt::<i32>()?;
            Some((Datum::string(min_string(values)?), Datum::string(max_string(values)?)))
        }
        PrimitiveType::Float
        | PrimitiveType::Double
        | PrimitiveType::Binary
        | PrimitiveType::Time
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs
        | PrimitiveType::Uuid
        | PrimitiveType::Fixed(_) => None,
    }
}

fn text(datum: &Datum) -> Option<&str> {
    match datum.literal() {
        PrimitiveLiteral::String(text) => Some(text),
        _ => None,
    }
}

/// The first characters of a text, which sort at or before it.
fn lower_bound(low: &Datum) -> Datum {
    match text(low) {
        Some(text) => Datum::string(text.chars().take(BOUND_CHARS).collect::<String>()),
        None => low.clone(),
    }
}

/// The first characters of a text, the last of which is raised when something was cut off, so
/// that they sort after every text with that beginning.
fn upper_bound(high: &Datum) -> Option<Datum> {
    let Some(text) = text(high) else { return Some(high.clone()) };
    let mut chars: Vec<char> = text.chars().take(BOUND_CHARS).collect();
    if text.chars().nth(BOUND_CHARS).is_none() {
        return Some(Datum::string(text));
    }
    while let Some(last) = chars.pop() {
        if let Some(next) = next_char(last) {
            chars.push(next);
            return Some(Datum::string(chars.into_iter().collect::<String>()));
        }
    }
    None
}

/// The next Unicode scalar value; surrogates are skipped.
fn next_char(c: char) -> Option<char> {
    match c {
        '\u{D7FF}' => Some('\u{E000}'),
        char::MAX => None,
        c => char::from_u32(u32::from(c) + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(text: &str) -> Option<String> {
        upper_bound(&Datum::string(text)).map(|d| super::text(&d).unwrap().to_owned())
    }

    #[test]
    fn a_short_text_is_its_own_bound() {
        assert_eq!(upper("sixteen-letters!").as_deref(), Some("sixteen-letters!"));
        assert_eq!(lower_bound(&Datum::string("short")), Datum::string("short"));
    }

    #[test]
    fn the_upper_bound_of_a_long_text_sorts_after_everything_that_begins_like_it() {
        let long = "São Paulo, SP, Brasil";
        let bound = upper(long).unwrap();
        assert_eq!(bound, "São Paulo, SP, C");
        assert!(bound.as_str() > long && bound.chars().count() == BOUND_CHARS);
        assert_eq!(lower_bound(&Datum::string(long)), Datum::string("São Paulo, SP, B"));
    }

    #[test]
    fn characters_that_cannot_be_raised_are_dropped() {
        let edge = format!("a{}x", "\u{10FFFF}".repeat(15));
        assert_eq!(upper(&edge).as_deref(), Some("b"));
        assert_eq!(upper(&"\u{10FFFF}".repeat(17)), None);
        let surrogates = format!("{}\u{D7FF}z", "a".repeat(15));
        assert_eq!(upper(&surrogates), Some(format!("{}\u{E000}", "a".repeat(15))));
    }
}
