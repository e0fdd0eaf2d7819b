//! Types read from text.

use std::fmt;
use std::str::FromStr;

use super::{GeometryKind, IntWidth, LakeType, LobLength, MySqlType, TypeError};

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

/// Members of ENUM and SET: `'a','it''s'`; the server escapes `\`, line ends and NUL by `\`.
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
                Some('\\') => member.push(match chars.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some(c) => c,
                    None => return Err(error(text, "a backslash ends the type")),
                }),
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

fn geometry_kind(name: &str) -> Option<GeometryKind> {
    Some(match name {
        "geometry" => GeometryKind::Any,
        "point" => GeometryKind::Point,
        "linestring" => GeometryKind::LineString,
        "polygon" => GeometryKind::Polygon,
        "multipoint" => GeometryKind::MultiPoint,
        "multilinestring" => GeometryKind::MultiLineString,
        "multipolygon" => GeometryKind::MultiPolygon,
        "geometrycollection" | "geomcollection" => GeometryKind::Collection,
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
        if let Some(kind) = geometry_kind(&name) {
            return Ok(MySqlType::Geometry(kind));
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
            "vector" | "uuid" | "inet4" | "inet6" => {
                return Err(error(text, "DMS does not migrate columns of this type"));
            }
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
