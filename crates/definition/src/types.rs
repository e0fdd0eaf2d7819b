//! MySQL column types as a contract writes them, and the lake types that Silver and Gold hold.

mod display;
mod parse;

/// Why a text is not a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no type that is known here: {reason}")]
pub struct TypeError {
    /// The offending text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The four lengths in which MySQL offers TEXT and BLOB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LobLength {
    /// Up to 255 bytes.
    Tiny,
    /// Up to 64 KiB.
    Normal,
    /// Up to 16 MiB.
    Medium,
    /// Up to 4 GiB.
    Long,
}

/// Integer widths of MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntWidth {
    /// TINYINT, 1 byte.
    Tiny,
    /// SMALLINT, 2 bytes.
    Small,
    /// MEDIUMINT, 3 bytes.
    Medium,
    /// INT, 4 bytes.
    Normal,
    /// BIGINT, 8 bytes.
    Big,
}

/// The kinds of geometry that a spatial column may be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GeometryKind {
    /// GEOMETRY: any of them.
    Any,
    /// POINT.
    Point,
    /// LINESTRING.
    LineString,
    /// POLYGON.
    Polygon,
    /// MULTIPOINT.
    MultiPoint,
    /// MULTILINESTRING.
    MultiLineString,
    /// MULTIPOLYGON.
    MultiPolygon,
    /// GEOMETRYCOLLECTION, which MySQL 8 prints as `geomcollection`.
    Collection,
}

/// A MySQL column type, as `information_schema.columns.column_type` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MySqlType {
    /// TINYINT … BIGINT.
    Int {
        /// Storage width.
        width: IntWidth,
        /// UNSIGNED.
        unsigned: bool,
    },
    /// DECIMAL(precision, scale).
    Decimal {
        /// Total digits, 1–65.
        precision: u8,
        /// Digits after the point, 0–30.
        scale: u8,
    },
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// BIT(width), 1–64.
    Bit(u8),
    /// DATE.
    Date,
    /// DATETIME(fsp): a wall-clock time without zone; fsp 0–6 digits.
    DateTime(u8),
    /// TIMESTAMP(fsp): an instant; fsp 0–6 digits.
    Timestamp(u8),
    /// TIME(fsp), −838:59:59 … 838:59:59.
    Time(u8),
    /// YEAR.
    Year,
    /// CHAR(n) or VARCHAR(n).
    Char {
        /// Length in characters.
        length: u32,
        /// CHAR loses trailing spaces when it is read, VARCHAR keeps them.
        fixed: bool,
    },
    /// TEXT family.
    Text(LobLength),
    /// BINARY(n) or VARBINARY(n), n bytes.
    Binary {
        /// Length in bytes.
        length: u32,
        /// BINARY pads with zero bytes to its length, VARBINARY does not.
        fixed: bool,
    },
    /// BLOB family.
    Blob(LobLength),
    /// ENUM with its members in order; the binlog carries the member's number, from 1.
    Enum(Vec<String>),
    /// SET with its members in order; the binlog carries a bit mask.
    Set(Vec<String>),
    /// JSON.
    Json,
    /// GEOMETRY and its kinds: four bytes of SRID, little endian, then well-known binary.
    Geometry(GeometryKind),
}

/// The type of a Silver or Gold column: those Iceberg v2 types that Athena reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LakeType {
    /// boolean.
    Boolean,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Long,
    /// 32-bit IEEE 754.
    Float,
    /// 64-bit IEEE 754.
    Double,
    /// decimal(precision, scale), precision up to 38.
    Decimal {
        /// Total digits, 1–38.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Days since 1970-01-01.
    Date,
    /// Microseconds without a zone.
    Timestamp,
    /// Microseconds since the epoch, UTC.
    TimestampTz,
    /// UTF-8 text.
    String,
    /// Bytes.
    Binary,
}

impl MySqlType {
    /// True for types whose lake form is text that normalisers and text checks may touch.
    pub fn is_text(&self) -> bool {
        matches!(self, MySqlType::Char { .. } | MySqlType::Text(_))
    }

    /// The Silver type that holds every value of this type without loss.
    ///
    /// The mapping follows the DMS documentation for MySQL sources and S3 Parquet targets
    /// (`CHAP_Source.MySQL`, `CHAP_Target.S3`). DECIMAL above 38 digits becomes text, because
    /// neither Iceberg nor Athena holds more.
    pub fn lake_type(&self) -> LakeType {
        match self {
            MySqlType::Int { width: IntWidth::Big, unsigned: true } => {
                LakeType::Decimal { precision: 20, scale: 0 }
            }
            MySqlType::Int { width: IntWidth::Big, unsigned: false }
            | MySqlType::Int { width: IntWidth::Normal, unsigned: true } => LakeType::Long,
            MySqlType::Int { .. } | MySqlType::Year => LakeType::Int,
            MySqlType::Decimal { precision, .. } if *precision > 38 => LakeType::String,
            MySqlType::Decimal { precision, scale } => {
                LakeType::Decimal { precision: *precision, scale: *scale }
            }
            MySqlType::Float => LakeType::Float,
            MySqlType::Double => LakeType::Double,
            MySqlType::Bit(1) => LakeType::Boolean,
            MySqlType::Bit(_)
            | MySqlType::Binary { .. }
            | MySqlType::Blob(_)
            | MySqlType::Geometry(_) => LakeType::Binary,
            MySqlType::Date => LakeType::Date,
            MySqlType::DateTime(_) => LakeType::Timestamp,
            MySqlType::Timestamp(_) => LakeType::TimestampTz,
            MySqlType::Time(_)
            | MySqlType::Char { .. }
            | MySqlType::Text(_)
            | MySqlType::Enum(_)
            | MySqlType::Set(_)
            | MySqlType::Json => LakeType::String,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_parse_as_information_schema_prints_them() {
        let cases = [
            ("bigint unsigned", "decimal(20,0)"),
            ("int unsigned", "long"),
            ("tinyint(1)", "int"),
            ("decimal(12,2)", "decimal(12,2)"),
            ("decimal(65,30)", "string"),
            ("bit(1)", "boolean"),
            ("bit(12)", "binary"),
            ("datetime(6)", "timestamp"),
            ("timestamp", "timestamptz"),
            ("time(3)", "string"),
            ("year", "int"),
            ("enum('a','it''s')", "string"),
            ("mediumtext", "string"),
            ("varbinary(16)", "binary"),
            ("json", "string"),
            ("point", "binary"),
            ("geomcollection", "binary"),
        ];
        for (text, lake) in cases {
            let parsed: MySqlType = text.parse().unwrap();
            assert_eq!(parsed.lake_type().to_string(), lake, "{text}");
        }
        let quoted = "set('a','it''s')".parse::<MySqlType>().unwrap();
        assert_eq!(quoted, MySqlType::Set(vec!["a".into(), "it's".into()]));
        // The server prints some characters of members with a backslash.
        let escaped = r"enum('a\\b','c\nd','\r','\0')".parse::<MySqlType>().unwrap();
        let members = ["a\\b", "c\nd", "\r", "\0"].map(str::to_owned).to_vec();
        assert_eq!(escaped, MySqlType::Enum(members));
    }

    #[test]
    fn what_mysql_would_refuse_is_refused() {
        for text in [
            "varchar",
            "decimal(66,0)",
            "decimal(3,5)",
            "enum(a)",
            r"enum('a\')",
            "datetime(7)",
            "money",
        ] {
            assert!(text.parse::<MySqlType>().is_err(), "{text}");
        }
    }

    #[test]
    fn types_that_the_lake_does_not_take_say_so() {
        for (text, hint) in [("vector(3)", "DMS"), ("uuid", "DMS"), ("inet6", "DMS")] {
            let error = text.parse::<MySqlType>().unwrap_err();
            assert!(error.reason.contains(hint), "{error}");
        }
    }
}
