//! Types as text: MySQL's as `information_schema.columns.column_type` prints them.

use std::fmt;

use super::{GeometryKind, IntWidth, LakeType, LobLength, MySqlType};

impl fmt::Display for IntWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntWidth::Tiny => "tinyint",
            IntWidth::Small => "smallint",
            IntWidth::Medium => "mediumint",
            IntWidth::Normal => "int",
            IntWidth::Big => "bigint",
        })
    }
}

impl fmt::Display for GeometryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GeometryKind::Any => "geometry",
            GeometryKind::Point => "point",
            GeometryKind::LineString => "linestring",
            GeometryKind::Polygon => "polygon",
            GeometryKind::MultiPoint => "multipoint",
            GeometryKind::MultiLineString => "multilinestring",
            GeometryKind::MultiPolygon => "multipolygon",
            // The name that MariaDB and every MySQL read.
            GeometryKind::Collection => "geometrycollection",
        })
    }
}

/// What stands before TEXT and BLOB.
fn lob_prefix(length: LobLength) -> &'static str {
    match length {
        LobLength::Tiny => "tiny",
        LobLength::Normal => "",
        LobLength::Medium => "medium",
        LobLength::Long => "long",
    }
}

/// Name and digits of the fraction of a second; none are not shown.
fn temporal(f: &mut fmt::Formatter<'_>, name: &str, digits: u8) -> fmt::Result {
    if digits == 0 { f.write_str(name) } else { write!(f, "{name}({digits})") }
}

fn members(f: &mut fmt::Formatter<'_>, name: &str, members: &[String]) -> fmt::Result {
    let escape = |member: &String| {
        let escaped = member.replace('\\', "\\\\").replace('\'', "''");
        escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\0', "\\0")
    };
    let quoted: Vec<String> = members.iter().map(|m| format!("'{}'", escape(m))).collect();
    write!(f, "{name}({})", quoted.join(","))
}

impl fmt::Display for MySqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MySqlType::Int { width, unsigned: false } => write!(f, "{width}"),
            MySqlType::Int { width, unsigned: true } => write!(f, "{width} unsigned"),
            MySqlType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            MySqlType::Float => f.write_str("float"),
            MySqlType::Double => f.write_str("double"),
            MySqlType::Bit(width) => write!(f, "bit({width})"),
            MySqlType::Date => f.write_str("date"),
            MySqlType::DateTime(digits) => temporal(f, "datetime", *digits),
            MySqlType::Timestamp(digits) => temporal(f, "timestamp", *digits),
            MySqlType::Time(digits) => temporal(f, "time", *digits),
            MySqlType::Year => f.write_str("year"),
            MySqlType::Char { length, fixed: true } => write!(f, "char({length})"),
            MySqlType::Char { length, fixed: false } => write!(f, "varchar({length})"),
            MySqlType::Text(length) => write!(f, "{}text", lob_prefix(*length)),
            MySqlType::Binary { length, fixed: true } => write!(f, "binary({length})"),
            MySqlType::Binary { length, fixed: false } => write!(f, "varbinary({length})"),
            MySqlType::Blob(length) => write!(f, "{}blob", lob_prefix(*length)),
            MySqlType::Enum(names) => members(f, "enum", names),
            MySqlType::Set(names) => members(f, "set", names),
            MySqlType::Json => f.write_str("json"),
            MySqlType::Geometry(kind) => write!(f, "{kind}"),
        }
    }
}

impl fmt::Display for LakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LakeType::Boolean => f.write_str("boolean"),
            LakeType::Int => f.write_str("int"),
            LakeType::Long => f.write_str("long"),
            LakeType::Float => f.write_str("float"),
            LakeType::Double => f.write_str("double"),
            LakeType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            LakeType::Date => f.write_str("date"),
            LakeType::Timestamp => f.write_str("timestamp"),
            LakeType::TimestampTz => f.write_str("timestamptz"),
            LakeType::String => f.write_str("string"),
            LakeType::Binary => f.write_str("binary"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_type_prints_as_it_was_read() {
        let texts = [
            "tinyint",
            "tinyint unsigned",
            "smallint",
            "mediumint unsigned",
            "int",
            "int unsigned",
            "bigint",
            "bigint unsigned",
            "decimal(12,2)",
            "decimal(65,30)",
            "float",
            "double",
            "bit(1)",
            "bit(64)",
            "date",
            "datetime",
            "datetime(6)",
            "timestamp",
            "timestamp(3)",
            "time",
            "time(3)",
            "year",
            "char(2)",
            "varchar(160)",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
            "binary(16)",
            "varbinary(16)",
            "tinyblob",
            "blob",
            "mediumblob",
            "longblob",
            "enum('a','it''s')",
            "set('a','b,c')",
            r"enum('a\\b','c\nd','\r','\0')",
            "json",
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
        ];
        for text in texts {
            let parsed: MySqlType = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn display_widths_and_defaults_are_not_part_of_a_type() {
        let cases = [("TINYINT(1)", "tinyint"), ("int(10) unsigned", "int unsigned")];
        for (text, printed) in cases {
            assert_eq!(text.parse::<MySqlType>().unwrap().to_string(), printed);
        }
    }
}
