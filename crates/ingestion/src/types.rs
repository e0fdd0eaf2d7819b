//! What DMS makes of MySQL's types, and the Arrow types in which Bronze carries the values.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};
use medallion_definition::types::{IntWidth, LobLength, MySqlType};

/// The most digits that a 128-bit decimal holds.
const DECIMAL128_DIGITS: u8 = 38;

/// DMS's own type, through which every value goes on its way from MySQL to Parquet
/// (`CHAP_Source.MySQL`, `CHAP_Target.S3` and `CHAP_Reference.DataTypes` of the DMS guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DmsType {
    /// INT1, INT2, INT4, INT8: signed integers of so many bytes.
    Int(u8),
    /// UINT1, UINT2, UINT4, UINT8: unsigned integers of so many bytes.
    UInt(u8),
    /// NUMERIC(precision, scale).
    Numeric {
        /// Total digits, 1–65.
        precision: u8,
        /// Digits after the point, 0–30.
        scale: u8,
    },
    /// REAL4.
    Real4,
    /// REAL8.
    Real8,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// DATETIME, up to microseconds.
    DateTime,
    /// STRING: text that is never long.
    String,
    /// WSTRING: Unicode text.
    WString,
    /// BYTES.
    Bytes,
    /// CLOB: text by the rules of LOBs.
    Clob,
    /// NCLOB: Unicode text by the rules of LOBs.
    NClob,
    /// BLOB: bytes by the rules of LOBs.
    Blob,
}

impl DmsType {
    /// What DMS makes of a MySQL type.
    ///
    /// The guide is silent on BIT of more than one and fewer than 64 bits; they are taken for
    /// BYTES as BIT(64) is.
    pub fn of(source: &MySqlType) -> DmsType {
        match source {
            MySqlType::Int { width, unsigned } => {
                let bytes = match width {
                    IntWidth::Tiny => 1,
                    IntWidth::Small => 2,
                    IntWidth::Medium | IntWidth::Normal => 4,
                    IntWidth::Big => 8,
                };
                if *unsigned { DmsType::UInt(bytes) } else { DmsType::Int(bytes) }
            }
            MySqlType::Decimal { precision, scale } => {
                DmsType::Numeric { precision: *precision, scale: *scale }
            }
            MySqlType::Float => DmsType::Real4,
            MySqlType::Double => DmsType::Real8,
            MySqlType::Bit(1) => DmsType::Boolean,
            MySqlType::Date => DmsType::Date,
            MySqlType::DateTime(_) | MySqlType::Timestamp(_) => DmsType::DateTime,
            MySqlType::Time(_) => DmsType::String,
            MySqlType::Year => DmsType::Int(2),
            MySqlType::Text(LobLength::Medium | LobLength::Long) => DmsType::NClob,
            MySqlType::Char { .. }
            | MySqlType::Text(_)
            | MySqlType::Enum(_)
            | MySqlType::Set(_) => DmsType::WString,
            MySqlType::Json => DmsType::Clob,
            MySqlType::Blob(LobLength::Medium | LobLength::Long) | MySqlType::Geometry(_) => {
                DmsType::Blob
            }
            MySqlType::Bit(_) | MySqlType::Binary { .. } | MySqlType::Blob(_) => DmsType::Bytes,
        }
    }

    /// True for types whose values the task's LOB settings limit, leave out or cut.
    pub fn is_lob(self) -> bool {
        matches!(self, DmsType::Clob | DmsType::NClob | DmsType::Blob)
    }

    /// The Arrow type whose Parquet form is the one of this type in the S3 target's files.
    ///
    /// DATETIME has microseconds without a zone. NUMERIC above 38 digits, on which the guide is
    /// silent, is text: no reader of Bronze holds such a number.
    pub fn arrow(self) -> DataType {
        match self {
            DmsType::Int(1) => DataType::Int8,
            DmsType::Int(2) => DataType::Int16,
            DmsType::Int(4) => DataType::Int32,
            DmsType::Int(_) => DataType::Int64,
            DmsType::UInt(1) => DataType::UInt8,
            DmsType::UInt(2) => DataType::UInt16,
            DmsType::UInt(4) => DataType::UInt32,
            DmsType::UInt(_) => DataType::UInt64,
            DmsType::Numeric { precision, .. } if precision > DECIMAL128_DIGITS => DataType::Utf8,
            DmsType::Numeric { precision, scale } => {
                DataType::Decimal128(precision, scale.cast_signed())
            }
            DmsType::Real4 => DataType::Float32,
            DmsType::Real8 => DataType::Float64,
            DmsType::Boolean => DataType::Boolean,
            DmsType::Date => DataType::Date32,
            DmsType::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            DmsType::String | DmsType::WString | DmsType::Clob | DmsType::NClob => DataType::Utf8,
            DmsType::Bytes | DmsType::Blob => DataType::Binary,
        }
    }
}

impl fmt::Display for DmsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DmsType::Int(bytes) => write!(f, "INT{bytes}"),
            DmsType::UInt(bytes) => write!(f, "UINT{bytes}"),
            DmsType::Numeric { precision, scale } => write!(f, "NUMERIC({precision},{scale})"),
            DmsType::Real4 => f.write_str("REAL4"),
            DmsType::Real8 => f.write_str("REAL8"),
            DmsType::Boolean => f.write_str("BOOLEAN"),
            DmsType::Date => f.write_str("DATE"),
            DmsType::DateTime => f.write_str("DATETIME"),
            DmsType::String => f.write_str("STRING"),
            DmsType::WString => f.write_str("WSTRING"),
            DmsType::Bytes => f.write_str("BYTES"),
            DmsType::Clob => f.write_str("CLOB"),
            DmsType::NClob => f.write_str("NCLOB"),
            DmsType::Blob => f.write_str("BLOB"),
        }
    }
}

/// The Arrow type whose Parquet form is the one that DMS writes for a MySQL column.
///
/// `BIT(n)` above one bit is big-endian bytes, `ceil(n / 8)` of them. DATETIME and TIMESTAMP have
/// the same form: microseconds without a zone, TIMESTAMP in UTC.
pub fn arrow_type(source: &MySqlType) -> DataType {
    DmsType::of(source).arrow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mysql_type_has_the_form_that_dms_gives_it() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let cases = [
            ("tinyint(1)", "INT1", DataType::Int8, "int"),
            ("tinyint unsigned", "UINT1", DataType::UInt8, "int"),
            ("smallint", "INT2", DataType::Int16, "int"),
            ("smallint unsigned", "UINT2", DataType::UInt16, "int"),
            ("mediumint", "INT4", DataType::Int32, "int"),
            ("mediumint unsigned", "UINT4", DataType::UInt32, "int"),
            ("int", "INT4", DataType::Int32, "int"),
            ("int unsigned zerofill", "UINT4", DataType::UInt32, "long"),
            ("bigint", "INT8", DataType::Int64, "long"),
            ("bigint unsigned", "UINT8", DataType::UInt64, "decimal(20,0)"),
            ("decimal(12,2)", "NUMERIC(12,2)", DataType::Decimal128(12, 2), "decimal(12,2)"),
            ("decimal(38,30)", "NUMERIC(38,30)", DataType::Decimal128(38, 30), "decimal(38,30)"),
            ("decimal(39,0)", "NUMERIC(39,0)", DataType::Utf8, "string"),
            ("float(7,3)", "REAL4", DataType::Float32, "float"),
            ("double", "REAL8", DataType::Float64, "double"),
            ("bit(1)", "BOOLEAN", DataType::Boolean, "boolean"),
            ("bit(2)", "BYTES", DataType::Binary, "binary"),
            ("date", "DATE", DataType::Date32, "date"),
            ("datetime(6)", "DATETIME", micros.clone(), "timestamp"),
            ("timestamp", "DATETIME", micros, "timestamptz"),
            ("time(3)", "STRING", DataType::Utf8, "string"),
            ("year", "INT2", DataType::Int16, "int"),
            ("char(2)", "WSTRING", DataType::Utf8, "string"),
            ("varchar(200)", "WSTRING", DataType::Utf8, "string"),
            ("text", "WSTRING", DataType::Utf8, "string"),
            ("longtext", "NCLOB", DataType::Utf8, "string"),
            ("binary(16)", "BYTES", DataType::Binary, "binary"),
            ("varbinary(16)", "BYTES", DataType::Binary, "binary"),
            ("blob", "BYTES", DataType::Binary, "binary"),
            ("mediumblob", "BLOB", DataType::Binary, "binary"),
            ("enum('a','b')", "WSTRING", DataType::Utf8, "string"),
            ("set('a','b')", "WSTRING", DataType::Utf8, "string"),
            ("json", "CLOB", DataType::Utf8, "string"),
            ("geometry", "BLOB", DataType::Binary, "binary"),
            ("multipolygon", "BLOB", DataType::Binary, "binary"),
        ];
        for (text, dms, arrow, lake) in cases {
            let source: MySqlType = text.parse().unwrap();
            assert_eq!(DmsType::of(&source).to_string(), dms, "{text}");
            assert_eq!(arrow_type(&source), arrow, "{text}");
            assert_eq!(source.lake_type().to_string(), lake, "{text}");
        }
    }

    #[test]
    fn long_texts_and_bytes_documents_and_geometries_follow_the_lob_settings() {
        let is_lob = |text: &str| DmsType::of(&text.parse().unwrap()).is_lob();
        for text in ["mediumtext", "longtext", "mediumblob", "longblob", "json", "point"] {
            assert!(is_lob(text), "{text}");
        }
        for text in ["varchar(65535)", "text", "blob", "tinyblob", "time", "decimal(65,0)"] {
            assert!(!is_lob(text), "{text}");
        }
    }
}
