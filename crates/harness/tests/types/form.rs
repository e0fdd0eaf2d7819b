//! How values are compared: as one text that MySQL, Bronze, Silver and other readers all give.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float32Type, Float64Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use chrono::{NaiveDate, NaiveDateTime};

/// The kind of comparison of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Integers, decimals and years, as digits.
    Number,
    /// FLOAT and DOUBLE, by their bits as a double.
    Real,
    /// BIT(1) as 0 or 1.
    Boolean,
    /// BIT(n) as hexadecimal digits of so many bytes.
    Bits(usize),
    /// Dates as days since 1970; NULL when no calendar has them.
    Day,
    /// Dates with time as microseconds since 1970; NULL when no calendar has them.
    Moment,
    /// TIME as it is printed.
    Clock,
    /// Text as hexadecimal digits of its UTF-8.
    Text,
    /// Bytes as hexadecimal digits.
    Bytes,
}

/// A value as text; `None` is NULL.
pub(crate) type Shown = Option<String>;

impl Form {
    /// The name in messages to other programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Number => "number",
            Form::Real => "real",
            Form::Boolean => "boolean",
            Form::Bits(_) | Form::Bytes => "bytes",
            Form::Day => "day",
            Form::Moment => "moment",
            Form::Clock => "clock",
            Form::Text => "text",
        }
    }

    /// What asks MySQL for the value of `v`.
    pub(crate) fn question(self) -> String {
        match self {
            // Zero-fill is not part of a number.
            Form::Number | Form::Boolean => "CAST(v + 0 AS CHAR)".to_owned(),
            // Printed by the protocol: a cast to CHAR would cut digits.
            Form::Real => "CAST(v AS DOUBLE)".to_owned(),
            Form::Bits(bytes) => format!("LPAD(HEX(v + 0), {}, '0')", 2 * bytes),
            Form::Day | Form::Moment | Form::Clock => "CAST(v AS CHAR)".to_owned(),
            Form::Text => "HEX(CONVERT(v USING utf8mb4))".to_owned(),
            Form::Bytes => "HEX(v)".to_owned(),
        }
    }

    /// MySQL's answer as text to compare.
    pub(crate) fn wanted(self, answer: Shown) -> Shown {
        let answer = answer?;
        match self {
            Form::Real => Some(bits(answer.parse().unwrap())),
            Form::Day => {
                let day = NaiveDate::parse_from_str(&answer, "%Y-%m-%d").ok()?;
                Some((day - NaiveDate::default()).num_days().to_string())
            }
            Form::Moment => {
                let moment = NaiveDateTime::parse_from_str(&answer, "%Y-%m-%d %H:%M:%S%.f").ok()?;
                Some(moment.and_utc().timestamp_micros().to_string())
            }
            _ => Some(answer),
        }
    }

    /// A value of an Arrow column as text to compare.
    pub(crate) fn found(self, column: &dyn Array, row: usize) -> Shown {
        if column.is_null(row) {
            return None;
        }
        Some(match (self, column.data_type()) {
            (Form::Real, DataType::Float32) => {
                bits(column.as_primitive::<Float32Type>().value(row).into())
            }
            (Form::Real, _) => bits(column.as_primitive::<Float64Type>().value(row)),
            (Form::Boolean, _) => u8::from(column.as_boolean().value(row)).to_string(),
            (Form::Day, _) => column.as_primitive::<Date32Type>().value(row).to_string(),
            (Form::Moment, _) => {
                column.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
            }
            (Form::Text, DataType::LargeUtf8) => {
                hex::encode_upper(column.as_string::<i64>().value(row))
            }
            (Form::Text, _) => hex::encode_upper(column.as_string::<i32>().value(row)),
            (Form::Bits(_) | Form::Bytes, DataType::LargeBinary) => {
                hex::encode_upper(column.as_binary::<i64>().value(row))
            }
            (Form::Bits(_) | Form::Bytes, _) => {
                hex::encode_upper(column.as_binary::<i32>().value(row))
            }
            (Form::Number | Form::Clock, _) => array_value_to_string(column, row).unwrap(),
        })
    }
}

fn bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}
