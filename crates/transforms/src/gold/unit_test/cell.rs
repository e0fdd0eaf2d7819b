//! Cells as values of a column, and values as cells.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, LargeBinaryArray, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{NaiveDate, NaiveDateTime, Timelike};
use medallion_definition::types::LakeType;
use medallion_tables::schema::arrow_type;

use crate::text_table::spelled;

/// The cells as a column.
///
/// # Errors
/// The places of all cells that are no values of the type.
pub(super) fn column(lake_type: LakeType, cells: &[Option<&str>]) -> Result<ArrayRef, Vec<usize>> {
    let arrow = arrow_type(lake_type);
    Ok(match lake_type {
        LakeType::Boolean => Arc::new(BooleanArray::from(parsed(cells, |t| t.parse().ok())?)),
        LakeType::Int => primitive::<Int32Type>(arrow, cells, |t| t.parse().ok())?,
        LakeType::Long => primitive::<Int64Type>(arrow, cells, |t| t.parse().ok())?,
        LakeType::Float => primitive::<Float32Type>(arrow, cells, |t| t.parse().ok())?,
        LakeType::Double => primitive::<Float64Type>(arrow, cells, |t| t.parse().ok())?,
        LakeType::Decimal { precision, scale } => {
            primitive::<Decimal128Type>(arrow, cells, |t| decimal(t, precision, scale))?
        }
        LakeType::Date => primitive::<Date32Type>(arrow, cells, date)?,
        LakeType::Timestamp => primitive::<TimestampMicrosecondType>(arrow, cells, micros)?,
        LakeType::TimestampTz => {
            let instant = |text: &str| micros(text.strip_suffix('Z')?);
            primitive::<TimestampMicrosecondType>(arrow, cells, instant)?
        }
        LakeType::String => Arc::new(StringArray::from(cells.to_vec())),
        LakeType::Binary => {
            let bytes = parsed(cells, |text| hex::decode(text).ok())?;
            Arc::new(LargeBinaryArray::from_iter(bytes))
        }
    })
}

/// How a value of the type is written.
pub(super) fn example(lake_type: LakeType) -> &'static str {
    match lake_type {
        LakeType::Boolean => "`true` or `false`",
        LakeType::Int | LakeType::Long => "digits, such as `-12`",
        LakeType::Float | LakeType::Double => "a number, such as `-1.5` or `1e6`",
        LakeType::Decimal { .. } => "digits within precision and scale, such as `-1.50`",
        LakeType::Date => "`2026-01-02`",
        LakeType::Timestamp => "`2026-01-02T03:04:05`, at most six digits after the seconds",
        LakeType::TimestampTz => "`2026-01-02T03:04:05Z`, at most six digits after the seconds",
        LakeType::String => "any text",
        LakeType::Binary => "hexadecimal digits, two per byte",
    }
}

fn parsed<V>(
    cells: &[Option<&str>],
    parse: impl Fn(&str) -> Option<V>,
) -> Result<Vec<Option<V>>, Vec<usize>> {
    let values: Vec<Option<V>> = cells.iter().map(|cell| cell.and_then(&parse)).collect();
    let pairs = cells.iter().zip(&values).enumerate();
    let bad: Vec<usize> = pairs
        .filter(|(_, (cell, value))| cell.is_some() && value.is_none())
        .map(|(place, _)| place)
        .collect();
    if bad.is_empty() { Ok(values) } else { Err(bad) }
}

fn primitive<T: ArrowPrimitiveType>(
    arrow: DataType,
    cells: &[Option<&str>],
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef, Vec<usize>> {
    let values = parsed(cells, parse)?;
    Ok(Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(arrow)))
}

/// Nothing is rounded and nothing is cut.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let width = usize::from(scale);
    let all_digits = [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if whole.is_empty() || !all_digits || fraction.len() > width {
        return None;
    }
    let value: i128 = format!("{whole}{fraction:0<width$}").parse().ok()?;
    (value < 10_i128.pow(u32::from(precision))).then_some(sign * value)
}

fn date(text: &str) -> Option<i32> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Date32Type::from_naive_date)
}

/// Microseconds since 1970-01-01T00:00:00 in the zone that is meant.
fn micros(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(&text.replacen(' ', "T", 1), "%Y-%m-%dT%H:%M:%S%.f");
    let time = time.ok().filter(|time| time.nanosecond() % 1_000 == 0)?;
    Some(time.and_utc().timestamp_micros())
}

/// The rows at these places, as they would be written in a test.
pub(super) fn texts(rows: &RecordBatch, places: &[usize]) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::default();
    let mut out = vec![Vec::new(); places.len()];
    for column in rows.columns() {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
        for (texts, &place) in out.iter_mut().zip(places) {
            texts.push(match column.as_string_opt::<i32>() {
                _ if column.is_null(place) => "NULL".to_owned(),
                Some(strings) => spelled(strings.value(place)),
                None => formatter.value(place).try_to_string()?,
            });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};

    use super::*;

    /// What a cell is written as after it was read.
    fn again(lake_type: &str, cell: &str) -> Option<String> {
        let lake_type: LakeType = lake_type.parse().unwrap();
        let column = column(lake_type, &[None, Some(cell)]).ok()?;
        assert_eq!(*column.data_type(), arrow_type(lake_type));
        assert!(column.is_null(0));
        let schema = Schema::new(vec![Field::new("c", column.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        let texts = texts(&batch, &[1, 0]).unwrap();
        assert_eq!(texts[1], ["NULL"]);
        Some(texts[0][0].clone())
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        let cases = [
            ("boolean", "true"),
            ("int", "-2147483648"),
            ("long", "9223372036854775807"),
            ("float", "712.5"),
            ("double", "-0.001"),
            ("decimal(12,2)", "-0.05"),
            ("decimal(20,0)", "18446744073709551615"),
            ("decimal(38,0)", "99999999999999999999999999999999999999"),
            ("date", "1899-12-31"),
            ("timestamp", "2026-01-02T03:04:05"),
            ("timestamp", "2026-01-02T03:04:05.000006"),
            ("timestamptz", "2026-01-02T03:04:05Z"),
            ("string", "São Paulo"),
            ("binary", "00ff"),
        ];
        for (lake_type, cell) in cases {
            assert_eq!(again(lake_type, cell).as_deref(), Some(cell), "{lake_type}");
        }
        assert_eq!(again("decimal(12,2)", "7").as_deref(), Some("7.00"));
        assert_eq!(again("binary", "").as_deref(), Some(""));
        let spaced = again("timestamp", "2026-01-02 03:04:05.5");
        assert_eq!(spaced.as_deref(), Some("2026-01-02T03:04:05.500"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let cases = [
            ("boolean", "1"),
            ("int", "2147483648"),
            ("int", "1.0"),
            ("long", "ten"),
            ("float", "1,5"),
            ("decimal(4,2)", "1.005"),
            ("decimal(4,2)", "100"),
            ("decimal(4,2)", "1."),
            ("decimal(4,2)", ".5"),
            ("decimal(4,2)", "--1"),
            ("date", "2026-02-30"),
            ("date", "02/01/2026"),
            ("timestamp", "2026-01-02"),
            ("timestamp", "2026-01-02T03:04:05Z"),
            ("timestamp", "2026-01-02T03:04:05.0000001"),
            ("timestamptz", "2026-01-02T03:04:05"),
            ("binary", "0"),
            ("binary", "xy"),
        ];
        for (lake_type, cell) in cases {
            assert_eq!(again(lake_type, cell), None, "{lake_type} {cell}");
        }
        let cells = [Some("1"), Some("x"), None, Some("y")];
        assert_eq!(column(LakeType::Int, &cells).unwrap_err(), [1, 3]);
    }
}
