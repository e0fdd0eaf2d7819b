//! MySQL column types as a contract writes them, and the lake types that Silver and Gold hold.

use std::fmt;
use std::str::FromStr;

mod display;

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
            MySqlType::Bit(_) | MySqlType::Binary { .. } | MySqlType::Blob(_) => LakeType::Binary,
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

fn error(text: &str, reason: impl Into<String>) -> TypeError {
    TypeError { text: text.to_owned(), reason: reason.into() }
}

/// Splits `name(args) suffix` into its three parts; the arguments keep their quotes.
fn split_type(text: &str) -> Result<(String, Option<&str>, String), TypeError> {
    let Some(open) = text.find('(') else {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        return Ok((name, None, words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()));
    };
    let close = text.rfind(')').ok_or_else(|| error(text, "`)` is missing"))?;
    let name = text[..open].trim().to_ascii_lowercase();
    Ok((name, Some(&text[open + 1..close]), text[close + 1..].trim().to_ascii_lowercase()))
}

/// Members of ENUM and SET: `'a','it''s'`.
fn members(text: &str, args: &str) -> Result<Vec<String>, TypeError> {
    let mut out = Vec::new();
    let mut chars = args.trim().chars().peekable();
    loop {
        if chars.next() != Some('\'') {
            return Err(error(text, "members must stand in single quotes"));
        }
        let mut member = String::new();
        loop {
            match chars.next() {
                None => return Err(error(text, "a member's closing quote is missing")),
                Some('\'') if chars.peek() == Some(&'\'') => {
                    chars.next();
                    member.push('\'');
                }
                Some('\'') => break,
                Some(c) => member.push(c),
            }
        }
        out.push(member);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Ok(out),
            Some(',') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            Some(c) => return Err(error(text, format!("`{c}` stands where `,` is wanted"))),
        }
    }
}

fn number<T: FromStr + PartialOrd + fmt::Display>(
    text: &str,
    arg: Option<&str>,
    default: Option<T>,
    max: T,
) -> Result<T, TypeError> {
    let value = match (arg, default) {
        (None, Some(default)) => default,
        (None, None) => return Err(error(text, "a length in parentheses is needed")),
        (Some(arg), _) => {
            arg.trim().parse().map_err(|_| error(text, format!("`{arg}` is no number")))?
        }
    };
    if value > max { Err(error(text, format!("at most {max} is allowed"))) } else { Ok(value) }
}

fn int_width(name: &str) -> Option<IntWidth> {
    Some(match name {
        "tinyint" | "bool" | "boolean" => IntWidth::Tiny,
        "smallint" => IntWidth::Small,
        "mediumint" => IntWidth::Medium,
        "int" | "integer" => IntWidth::Normal,
        "bigint" => IntWidth::Big,
        _ => return None,
    })
}

fn lob_length(name: &str) -> Option<LobLength> {
    let stem = name.strip_suffix("text").or_else(|| name.strip_suffix("blob"))?;
    Some(match stem {
        "tiny" => LobLength::Tiny,
        "" => LobLength::Normal,
        "medium" => LobLength::Medium,
        "long" => LobLength::Long,
        _ => return None,
    })
}

fn decimal_parts(text: &str, args: Option<&str>) -> Result<(u8, u8), TypeError> {
    let mut parts = args.map(|a| a.split(',')).into_iter().flatten();
    let precision = number(text, parts.next(), Some(10), 65)?;
    let scale = number(text, parts.next(), Some(0), 30)?;
    if precision == 0 || scale > precision {
        return Err(error(text, "the precision must be at least 1 and not below the scale"));
    }
    Ok((precision, scale))
}

impl FromStr for MySqlType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let (name, args, suffix) = split_type(text.trim())?;
        let unsigned = suffix.split_whitespace().any(|w| w == "unsigned" || w == "zerofill");
        if let Some(width) = int_width(&name) {
            return Ok(MySqlType::Int { width, unsigned });
        }
        if let Some(length) = lob_length(&name) {
            let text = name.ends_with("text");
            return Ok(if text { MySqlType::Text(length) } else { MySqlType::Blob(length) });
        }
        Ok(match name.as_str() {
            "decimal" | "numeric" | "dec" => {
                let (precision, scale) = decimal_parts(text, args)?;
                MySqlType::Decimal { precision, scale }
            }
            "float" => MySqlType::Float,
            "double" | "real" => MySqlType::Double,
            "bit" => MySqlType::Bit(number(text, args, Some(1), 64)?),
            "date" => MySqlType::Date,
            "datetime" => MySqlType::DateTime(number(text, args, Some(0), 6)?),
            "timestamp" => MySqlType::Timestamp(number(text, args, Some(0), 6)?),
            "time" => MySqlType::Time(number(text, args, Some(0), 6)?),
            "year" => MySqlType::Year,
            "char" => MySqlType::Char { length: number(text, args, Some(1), 255)?, fixed: true },
            "varchar" => MySqlType::Char { length: number(text, args, None, 65535)?, fixed: false },
            "binary" => {
                MySqlType::Binary { length: number(text, args, Some(1), 255)?, fixed: true }
            }
            "varbinary" => {
                MySqlType::Binary { length: number(text, args, None, 65535)?, fixed: false }
            }
            "enum" => MySqlType::Enum(members(text, args.unwrap_or_default())?),
            "set" => MySqlType::Set(members(text, args.unwrap_or_default())?),
            "json" => MySqlType::Json,
            _ => return Err(error(text, "write it as MySQL's `information_schema` prints it")),
        })
    }
}

impl FromStr for LakeType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let (name, args, _) = split_type(text.trim())?;
        Ok(match name.as_str() {
            "boolean" => LakeType::Boolean,
            "int" => LakeType::Int,
            "long" => LakeType::Long,
            "float" => LakeType::Float,
            "double" => LakeType::Double,
            "decimal" => match decimal_parts(text, args)? {
                (precision, scale) if precision <= 38 => LakeType::Decimal { precision, scale },
                _ => return Err(error(text, "a lake decimal has at most 38 digits")),
            },
            "date" => LakeType::Date,
            "timestamp" => LakeType::Timestamp,
            "timestamptz" => LakeType::TimestampTz,
            "string" => LakeType::String,
            "binary" => LakeType::Binary,
            _ => {
                let known = "boolean, int, long, float, double, decimal(p,s), date, timestamp, \
                             timestamptz, string, binary";
                return Err(error(text, format!("lake types are {known}")));
            }
        })
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
        ];
        for (text, lake) in cases {
            let parsed: MySqlType = text.parse().unwrap();
            assert_eq!(parsed.lake_type().to_string(), lake, "{text}");
        }
        let quoted = "set('a','it''s')".parse::<MySqlType>().unwrap();
        assert_eq!(quoted, MySqlType::Set(vec!["a".into(), "it's".into()]));
    }

    #[test]
    fn what_mysql_would_refuse_is_refused() {
        for text in ["varchar", "decimal(66,0)", "decimal(3,5)", "enum(a)", "datetime(7)", "money"]
        {
            assert!(text.parse::<MySqlType>().is_err(), "{text}");
        }
    }
}
