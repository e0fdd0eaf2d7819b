//! Values of query results in the binary protocol.

use std::borrow::Cow;

use medallion_definition::types::MySqlType;
use mysql_async::Value;

use crate::value::{Cell, Clock, Day, ValueError};

/// The value of a result column whose source type is known.
pub(crate) fn cell<'a>(value: &'a Value, source_type: &MySqlType) -> Result<Cell<'a>, ValueError> {
    Ok(match value {
        Value::NULL => Cell::Null,
        Value::Int(value) => Cell::Int(*value),
        Value::UInt(value) => Cell::UInt(*value),
        Value::Float(value) => Cell::Float(*value),
        Value::Double(value) => Cell::Double(*value),
        Value::Bytes(bytes) => match source_type {
            MySqlType::Decimal { .. } => {
                let text = std::str::from_utf8(bytes).map_err(|_| ValueError::Utf8)?;
                Cell::Decimal(Cow::Borrowed(text))
            }
            MySqlType::Bit(_)
            | MySqlType::Binary { .. }
            | MySqlType::Blob(_)
            | MySqlType::Geometry(_) => Cell::Bytes(Cow::Borrowed(bytes)),
            _ => Cell::Text(Cow::Borrowed(bytes)),
        },
        Value::Date(year, month, day, hours, minutes, seconds, micros) => {
            let day = Day { year: *year, month: *month, day: *day };
            let hours = u32::from(*hours);
            let clock = Clock { hours, minutes: *minutes, seconds: *seconds, micros: *micros };
            match source_type {
                MySqlType::Date => Cell::Date(day),
                _ => Cell::DateTime(day, clock),
            }
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let hours = days * 24 + u32::from(*hours);
            let clock = Clock { hours, minutes: *minutes, seconds: *seconds, micros: *micros };
            Cell::Time { negative: *negative, clock }
        }
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::util::display::array_value_to_string;

    use super::*;
    use crate::column::ColumnBuilder;

    /// What Bronze shows for a result value of a column of this type.
    fn shown(source_type: &str, value: Value) -> Result<String, ValueError> {
        let source_type = source_type.parse().unwrap();
        let mut column = ColumnBuilder::new(&source_type);
        column.append(&cell(&value, &source_type)?)?;
        let array = column.finish();
        if array.is_null(0) {
            return Ok("NULL".to_owned());
        }
        Ok(array_value_to_string(&array, 0).unwrap())
    }

    fn bytes(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn every_type_takes_the_servers_value() {
        let cases = [
            ("tinyint", Value::Int(-128), "-128"),
            ("tinyint unsigned", Value::Int(255), "255"),
            ("int unsigned", Value::UInt(4_294_967_295), "4294967295"),
            ("bigint unsigned", Value::UInt(u64::MAX), "18446744073709551615"),
            ("bigint", Value::Int(i64::MIN), "-9223372036854775808"),
            ("decimal(12,2)", bytes("-1234567890.12"), "-1234567890.12"),
            (
                "decimal(65,2)",
                bytes("123456789012345678901234567890123456789012.50"),
                "123456789012345678901234567890123456789012.50",
            ),
            ("decimal(39,2) zerofill", bytes("0000000000000000000000000000000000007.50"), "7.50"),
            ("float", Value::Float(1.5), "1.5"),
            ("double", Value::Double(-0.1), "-0.1"),
            ("bit(1)", Value::Bytes(vec![1]), "true"),
            ("bit(12)", Value::Bytes(vec![0x0A, 0xBC]), "0abc"),
            ("date", Value::Date(2024, 2, 29, 0, 0, 0, 0), "2024-02-29"),
            (
                "datetime(6)",
                Value::Date(9999, 12, 31, 23, 59, 59, 999_999),
                "9999-12-31T23:59:59.999999",
            ),
            ("timestamp", Value::Date(1970, 1, 1, 0, 0, 1, 0), "1970-01-01T00:00:01"),
            ("time(3)", Value::Time(true, 34, 22, 59, 59, 120_000), "-838:59:59.120"),
            ("time", Value::Time(false, 0, 1, 2, 3, 0), "01:02:03"),
            ("year", Value::UInt(2026), "2026"),
            ("varchar(20)", bytes("São Paulo 😀"), "São Paulo 😀"),
            ("enum('a','b')", bytes("b"), "b"),
            ("set('a','b')", bytes("a,b"), "a,b"),
            ("json", bytes(r#"{"a": 1}"#), r#"{"a": 1}"#),
            ("binary(3)", Value::Bytes(vec![1, 0, 0]), "010000"),
            ("point", Value::Bytes(vec![0, 0, 0, 0, 1]), "0000000001"),
            ("longblob", Value::Bytes(vec![0xFF]), "ff"),
            ("int", Value::NULL, "NULL"),
        ];
        for (source_type, value, expected) in cases {
            assert_eq!(shown(source_type, value).unwrap(), expected, "{source_type}");
        }
    }

    #[test]
    fn dates_that_no_calendar_has_become_null() {
        for (month, day) in [(0, 0), (0, 10), (10, 0), (2, 30)] {
            for source_type in ["date", "datetime", "timestamp"] {
                let year = if month == 0 && day == 0 { 0 } else { 2024 };
                let value = Value::Date(year, month, day, 0, 0, 0, 0);
                assert_eq!(shown(source_type, value).unwrap(), "NULL", "{source_type}");
            }
        }
    }

    #[test]
    fn values_that_do_not_fit_are_errors() {
        assert_eq!(shown("tinyint", Value::Int(128)), Err(ValueError::Range));
        assert_eq!(shown("int unsigned", Value::Int(-1)), Err(ValueError::Range));
        assert_eq!(shown("decimal(4,2)", bytes("100.00")), Err(ValueError::Range));
        assert_eq!(shown("varchar(5)", Value::Bytes(vec![0xFF])), Err(ValueError::Utf8));
        assert!(matches!(shown("int", bytes("1")), Err(ValueError::Kind { .. })));
        assert!(matches!(shown("date", Value::Int(1)), Err(ValueError::Kind { .. })));
    }

    #[test]
    fn both_protocols_give_the_same_column() {
        let stamp: MySqlType = "timestamp(3)".parse().unwrap();
        let mut column = ColumnBuilder::new(&stamp);
        let result = Value::Date(2026, 1, 31, 12, 0, 0, 250_000);
        column.append(&cell(&result, &stamp).unwrap()).unwrap();
        column.append(&Cell::Instant(1_769_860_800, 250_000)).unwrap();
        column.append(&Cell::Instant(0, 0)).unwrap();
        let array = column.finish();
        let micros = array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        assert_eq!(micros.value(0), micros.value(1));
        assert!(micros.is_null(2));
        assert!(RecordBatch::try_from_iter([("stamp", array)]).is_ok());
    }
}
