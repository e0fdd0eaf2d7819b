//! The Arrow types in which Bronze carries MySQL's values.

use arrow::datatypes::{DataType, TimeUnit};
use medallion_definition::types::{IntWidth, MySqlType};

/// The most digits that a 128-bit decimal holds.
const DECIMAL128_DIGITS: u8 = 38;

/// The Arrow type whose Parquet form is the one that DMS writes for a MySQL column
/// (`CHAP_Source.MySQL` and `CHAP_Target.S3` of the DMS guide).
///
/// `BIT(n)` above one bit is big-endian bytes, `ceil(n / 8)` of them. DATETIME and TIMESTAMP have
/// the same form: microseconds without a zone, TIMESTAMP in UTC. DECIMAL above 38 digits is text.
pub fn arrow_type(source: &MySqlType) -> DataType {
    match source {
        MySqlType::Int { width, unsigned } => int_type(*width, *unsigned),
        MySqlType::Decimal { precision, .. } if *precision > DECIMAL128_DIGITS => DataType::Utf8,
        MySqlType::Decimal { precision, scale } => {
            DataType::Decimal128(*precision, scale.cast_signed())
        }
        MySqlType::Float => DataType::Float32,
        MySqlType::Double => DataType::Float64,
        MySqlType::Bit(1) => DataType::Boolean,
        MySqlType::Bit(_) | MySqlType::Binary { .. } | MySqlType::Blob(_) => DataType::Binary,
        MySqlType::Date => DataType::Date32,
        MySqlType::DateTime(_) | MySqlType::Timestamp(_) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        MySqlType::Year => DataType::Int16,
        MySqlType::Time(_)
        | MySqlType::Char { .. }
        | MySqlType::Text(_)
        | MySqlType::Enum(_)
        | MySqlType::Set(_)
        | MySqlType::Json => DataType::Utf8,
    }
}

fn int_type(width: IntWidth, unsigned: bool) -> DataType {
    match (width, unsigned) {
        (IntWidth::Tiny, false) => DataType::Int8,
        (IntWidth::Tiny, true) => DataType::UInt8,
        (IntWidth::Small, false) => DataType::Int16,
        (IntWidth::Small, true) => DataType::UInt16,
        (IntWidth::Medium | IntWidth::Normal, false) => DataType::Int32,
        (IntWidth::Medium | IntWidth::Normal, true) => DataType::UInt32,
        (IntWidth::Big, false) => DataType::Int64,
        (IntWidth::Big, true) => DataType::UInt64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mysql_type_has_the_form_that_dms_gives_it() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let cases = [
            ("tinyint(1)", DataType::Int8),
            ("tinyint unsigned", DataType::UInt8),
            ("smallint", DataType::Int16),
            ("smallint unsigned", DataType::UInt16),
            ("mediumint", DataType::Int32),
            ("mediumint unsigned", DataType::UInt32),
            ("int", DataType::Int32),
            ("int unsigned", DataType::UInt32),
            ("bigint", DataType::Int64),
            ("bigint unsigned", DataType::UInt64),
            ("decimal(12,2)", DataType::Decimal128(12, 2)),
            ("decimal(38,30)", DataType::Decimal128(38, 30)),
            ("decimal(39,0)", DataType::Utf8),
            ("float", DataType::Float32),
            ("double", DataType::Float64),
            ("bit(1)", DataType::Boolean),
            ("bit(2)", DataType::Binary),
            ("date", DataType::Date32),
            ("datetime(6)", micros.clone()),
            ("timestamp", micros),
            ("time(3)", DataType::Utf8),
            ("year", DataType::Int16),
            ("char(2)", DataType::Utf8),
            ("varchar(200)", DataType::Utf8),
            ("longtext", DataType::Utf8),
            ("binary(16)", DataType::Binary),
            ("varbinary(16)", DataType::Binary),
            ("blob", DataType::Binary),
            ("enum('a','b')", DataType::Utf8),
            ("set('a','b')", DataType::Utf8),
            ("json", DataType::Utf8),
        ];
        for (text, expected) in cases {
            assert_eq!(arrow_type(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
