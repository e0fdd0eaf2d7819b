//! The form of one column's values in binlog row images, as the table map announces it.
//!
//! The driver's own row decoder is not used: mysql_common 0.37 cannot read negative TIME(1) and
//! TIME(2) values with a fraction, turns JSON into another text than the server's, and copies
//! every value.

use std::borrow::Cow;

use arrow::datatypes::{Decimal128Type, DecimalType};
use medallion_definition::types::{GeometryKind, IntWidth, LobLength, MySqlType};
use mysql_async::consts::ColumnType;

use crate::charset::TextDecoder;
use crate::decimal;
use crate::value::{Cell, Clock, Day, ValueError};

/// How a column's values are laid out in a row image (`Table_map_log_event` of the server).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wire {
    Int {
        bytes: usize,
        unsigned: bool,
    },
    Float,
    Double,
    Decimal {
        precision: usize,
        scale: usize,
    },
    Date,
    Year,
    /// Fraction digits 0–6.
    Time(u8),
    DateTime(u8),
    Timestamp(u8),
    Bit {
        bits: usize,
    },
    /// The number of a member, from 1; 0 is the error value.
    Enum {
        bytes: usize,
        members: Vec<String>,
    },
    /// One bit per member.
    Set {
        bytes: usize,
        members: Vec<String>,
    },
    /// Text, preceded by its length.
    Text {
        length_bytes: usize,
        decoder: TextDecoder,
    },
    /// Bytes, preceded by their length. BINARY(n) comes without its trailing zero bytes.
    Bytes {
        length_bytes: usize,
        pad_to: usize,
    },
    Json {
        length_bytes: usize,
    },
    /// Four bytes of SRID and well-known binary, preceded by their length.
    Geometry {
        length_bytes: usize,
    },
    /// VECTOR, which DMS does not know: passed over.
    Opaque {
        length_bytes: usize,
    },
}

/// What the table map's optional metadata tells about a column.
#[derive(Debug, Default)]
pub(crate) struct Traits {
    pub(crate) unsigned: bool,
    /// How text becomes UTF-8; `None` for bytes.
    pub(crate) decoder: Option<TextDecoder>,
    pub(crate) members: Vec<String>,
}

impl Wire {
    /// The form of a column of this type; `None` for types from before MySQL 5.6 and for malformed
    /// metadata.
    pub(crate) fn new(kind: ColumnType, metadata: &[u8], traits: Traits) -> Option<Wire> {
        let Traits { unsigned, decoder, members } = traits;
        let int = |bytes| Some(Wire::Int { bytes, unsigned });
        let byte = |index: usize| metadata.get(index).copied().map(usize::from);
        let fsp = || metadata.first().copied().filter(|fsp| *fsp <= 6);
        match kind {
            ColumnType::MYSQL_TYPE_TINY => int(1),
            ColumnType::MYSQL_TYPE_SHORT => int(2),
            ColumnType::MYSQL_TYPE_INT24 => int(3),
            ColumnType::MYSQL_TYPE_LONG => int(4),
            ColumnType::MYSQL_TYPE_LONGLONG => int(8),
            ColumnType::MYSQL_TYPE_FLOAT => Some(Wire::Float),
            ColumnType::MYSQL_TYPE_DOUBLE => Some(Wire::Double),
            ColumnType::MYSQL_TYPE_NEWDECIMAL => {
                Some(Wire::Decimal { precision: byte(0)?, scale: byte(1)? })
            }
            ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => Some(Wire::Date),
            ColumnType::MYSQL_TYPE_YEAR => Some(Wire::Year),
            ColumnType::MYSQL_TYPE_TIME2 => Some(Wire::Time(fsp()?)),
            ColumnType::MYSQL_TYPE_DATETIME2 => Some(Wire::DateTime(fsp()?)),
            ColumnType::MYSQL_TYPE_TIMESTAMP2 => Some(Wire::Timestamp(fsp()?)),
            ColumnType::MYSQL_TYPE_BIT => Some(Wire::Bit { bits: byte(1)? * 8 + byte(0)? }),
            ColumnType::MYSQL_TYPE_ENUM => {
                Some(Wire::Enum { bytes: byte(1).filter(|n| matches!(n, 1 | 2))?, members })
            }
            ColumnType::MYSQL_TYPE_SET => {
                Some(Wire::Set { bytes: byte(1).filter(|n| (1..=8).contains(n))?, members })
            }
            _ => Wire::sized(kind, metadata, decoder),
        }
    }

    /// The form of a column whose values come with their length.
    fn sized(kind: ColumnType, metadata: &[u8], decoder: Option<TextDecoder>) -> Option<Wire> {
        let byte = |index: usize| metadata.get(index).copied().map(usize::from);
        let length_bytes = || byte(0).filter(|n| (1..=4).contains(n));
        let width = |length: usize| if length < 256 { 1 } else { 2 };
        let form = |length_bytes, pad_to| match decoder {
            Some(decoder) => Wire::Text { length_bytes, decoder },
            None => Wire::Bytes { length_bytes, pad_to },
        };
        match kind {
            ColumnType::MYSQL_TYPE_STRING => {
                // The upper two bits of the length hide, inverted, in the type byte.
                let length = byte(1)? | (((byte(0)? & 0x30) ^ 0x30) << 4);
                Some(form(width(length), length))
            }
            ColumnType::MYSQL_TYPE_VARCHAR => {
                let length = byte(0)? | (byte(1)? << 8);
                Some(form(width(length), 0))
            }
            ColumnType::MYSQL_TYPE_BLOB => Some(form(length_bytes()?, 0)),
            ColumnType::MYSQL_TYPE_JSON => Some(Wire::Json { length_bytes: length_bytes()? }),
            ColumnType::MYSQL_TYPE_GEOMETRY => {
                Some(Wire::Geometry { length_bytes: length_bytes()? })
            }
            ColumnType::MYSQL_TYPE_VECTOR => Some(Wire::Opaque { length_bytes: length_bytes()? }),
            _ => None,
        }
    }

    /// The type that Bronze has for the column; `None` for types that it leaves out. Lengths of
    /// text and bytes and kinds of geometry are not told apart: they do not matter there.
    pub(crate) fn source_type(&self) -> Option<MySqlType> {
        Some(match self {
            Wire::Int { bytes, unsigned } => {
                let width = match bytes {
                    1 => IntWidth::Tiny,
                    2 => IntWidth::Small,
                    3 => IntWidth::Medium,
                    4 => IntWidth::Normal,
                    _ => IntWidth::Big,
                };
                MySqlType::Int { width, unsigned: *unsigned }
            }
            Wire::Float => MySqlType::Float,
            Wire::Double => MySqlType::Double,
            Wire::Decimal { precision, scale } => MySqlType::Decimal {
                precision: u8::try_from(*precision).ok()?,
                scale: u8::try_from(*scale).ok()?,
            },
            Wire::Date => MySqlType::Date,
            Wire::Year => MySqlType::Year,
            Wire::Time(fsp) => MySqlType::Time(*fsp),
            Wire::DateTime(fsp) => MySqlType::DateTime(*fsp),
            Wire::Timestamp(fsp) => MySqlType::Timestamp(*fsp),
            Wire::Bit { bits } => MySqlType::Bit(u8::try_from(*bits).ok()?),
            Wire::Enum { members, .. } => MySqlType::Enum(members.clone()),
            Wire::Set { members, .. } => MySqlType::Set(members.clone()),
            Wire::Text { .. } => MySqlType::Text(LobLength::Long),
            Wire::Bytes { .. } => MySqlType::Blob(LobLength::Long),
            Wire::Json { .. } => MySqlType::Json,
            Wire::Geometry { .. } => MySqlType::Geometry(GeometryKind::Any),
            Wire::Opaque { .. } => return None,
        })
    }

    /// Cuts the bytes of one value from the front of a row image, without its length.
    pub(crate) fn take<'a>(&self, image: &mut &'a [u8]) -> Result<&'a [u8], ValueError> {
        let width = match self {
            Wire::Bit { bits } => bits.div_ceil(8),
            Wire::Int { bytes, .. } | Wire::Enum { bytes, .. } | Wire::Set { bytes, .. } => *bytes,
            Wire::Float => 4,
            Wire::Double => 8,
            Wire::Decimal { precision, scale } => decimal::packed_len(*precision, *scale),
            Wire::Date => 3,
            Wire::Year => 1,
            Wire::Time(fsp) => 3 + fraction_bytes(*fsp),
            Wire::DateTime(fsp) => 5 + fraction_bytes(*fsp),
            Wire::Timestamp(fsp) => 4 + fraction_bytes(*fsp),
            Wire::Text { length_bytes, .. }
            | Wire::Bytes { length_bytes, .. }
            | Wire::Json { length_bytes }
            | Wire::Geometry { length_bytes }
            | Wire::Opaque { length_bytes } => {
                let length = little_endian(split(image, *length_bytes)?);
                usize::try_from(length).map_err(|_| TRUNCATED)?
            }
        };
        split(image, width)
    }

    /// The value of the bytes that [`Wire::take`] cut.
    pub(crate) fn cell<'a>(&'a self, bytes: &'a [u8]) -> Result<Cell<'a>, ValueError> {
        Ok(match self {
            Wire::Int { unsigned: true, .. } => Cell::UInt(little_endian(bytes)),
            Wire::Int { unsigned: false, .. } => Cell::Int(signed(bytes)),
            Wire::Float => Cell::Float(f32::from_le_bytes(array(bytes)?)),
            Wire::Double => Cell::Double(f64::from_le_bytes(array(bytes)?)),
            Wire::Decimal { precision, scale } => decimal_cell(*precision, *scale, bytes)
                .ok_or(ValueError::Malformed { what: "decimal" })?,
            Wire::Date => Cell::Date(date(little_endian(bytes))),
            Wire::Year => Cell::UInt(match little_endian(bytes) {
                0 => 0,
                years => 1900 + years,
            }),
            Wire::Time(fsp) => time(bytes, *fsp),
            Wire::DateTime(fsp) => datetime(bytes, *fsp),
            Wire::Timestamp(fsp) => {
                let seconds = u32::try_from(big_endian(&bytes[..4])).unwrap_or_default();
                Cell::Instant(seconds, micros(&bytes[4..], *fsp))
            }
            Wire::Bit { .. } => Cell::Bytes(Cow::Borrowed(bytes)),
            Wire::Enum { members, .. } => member(little_endian(bytes), members)?,
            Wire::Set { members, .. } => chosen(little_endian(bytes), members)?,
            Wire::Text { decoder, .. } => Cell::Text(decoder.decode(bytes)?),
            Wire::Bytes { pad_to, .. } if bytes.len() < *pad_to => {
                let mut padded = bytes.to_vec();
                padded.resize(*pad_to, 0);
                Cell::Bytes(Cow::Owned(padded))
            }
            Wire::Bytes { .. } | Wire::Geometry { .. } | Wire::Opaque { .. } => {
                Cell::Bytes(Cow::Borrowed(bytes))
            }
            Wire::Json { .. } => Cell::Json(bytes),
        })
    }
}

/// Bronze has decimals of at most 38 digits as numbers, longer ones as text.
fn decimal_cell(precision: usize, scale: usize, packed: &[u8]) -> Option<Cell<'static>> {
    if precision <= usize::from(Decimal128Type::MAX_PRECISION) {
        return decimal::packed_scaled(precision, scale, packed).map(Cell::Scaled);
    }
    decimal::packed_text(precision, scale, packed).map(|text| Cell::Decimal(Cow::Owned(text)))
}

const TRUNCATED: ValueError = ValueError::Malformed { what: "row image" };

fn split<'a>(image: &mut &'a [u8], width: usize) -> Result<&'a [u8], ValueError> {
    let (value, rest) = image.split_at_checked(width).ok_or(TRUNCATED)?;
    *image = rest;
    Ok(value)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    bytes.try_into().map_err(|_| TRUNCATED)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Little endian in two's complement.
fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().min(8);
    (little_endian(bytes) << unused).cast_signed() >> unused
}

/// A byte holds two digits of fraction.
fn fraction_bytes(fsp: u8) -> usize {
    usize::from(fsp).div_ceil(2)
}

fn micros(fraction: &[u8], fsp: u8) -> u32 {
    let unit = [1_000_000, 10_000, 100, 1][fraction_bytes(fsp).min(3)];
    u32::try_from(big_endian(fraction) * unit).unwrap_or_default()
}

/// The lowest `width` bits from `shift` on; `width` at most 8.
fn bits(value: u64, shift: u32, width: u32) -> u8 {
    u8::try_from((value >> shift) & ((1 << width) - 1)).unwrap_or_default()
}

/// 15 bits of year, 4 of month, 5 of day.
fn date(packed: u64) -> Day {
    let year = u16::try_from(packed >> 9).unwrap_or_default();
    Day { year, month: bits(packed, 5, 4), day: bits(packed, 0, 5) }
}

/// Sign and magnitude, stored as an offset; ten bits of hours, six of minutes and of seconds,
/// then the fraction.
fn time(bytes: &[u8], fsp: u8) -> Cell<'static> {
    let width = 8 * bytes.len();
    let stored = big_endian(bytes).cast_signed() - (1_i64 << (width - 1));
    let magnitude = stored.unsigned_abs();
    let fraction = 8 * fraction_bytes(fsp);
    let whole = magnitude >> fraction;
    let unit = [1_000_000, 10_000, 100, 1][fraction_bytes(fsp).min(3)];
    let micros = (magnitude & ((1 << fraction) - 1)) * unit;
    let clock = Clock {
        hours: u32::try_from((whole >> 12) & 0x3FF).unwrap_or_default(),
        minutes: bits(whole, 6, 6),
        seconds: bits(whole, 0, 6),
        micros: u32::try_from(micros).unwrap_or_default(),
    };
    Cell::Time { negative: stored < 0, clock }
}

/// 17 bits of year times 13 plus month, 5 of day, 5 of hour, 6 of minute, 6 of second, offset by
/// the sign bit; then the fraction.
fn datetime(bytes: &[u8], fsp: u8) -> Cell<'static> {
    let (whole, fraction) = bytes.split_at(5);
    let packed = big_endian(whole) & !(1 << 39);
    let year_month = packed >> 22;
    let day = Day {
        year: u16::try_from(year_month / 13).unwrap_or_default(),
        month: u8::try_from(year_month % 13).unwrap_or_default(),
        day: bits(packed, 17, 5),
    };
    let clock = Clock {
        hours: u32::from(bits(packed, 12, 5)),
        minutes: bits(packed, 6, 6),
        seconds: bits(packed, 0, 6),
        micros: micros(fraction, fsp),
    };
    Cell::DateTime(day, clock)
}

fn member(number: u64, members: &[String]) -> Result<Cell<'_>, ValueError> {
    let Some(index) = number.checked_sub(1) else {
        // What MySQL stores for a value that is no member; it prints as the empty text.
        return Ok(Cell::Text(Cow::Borrowed(b"")));
    };
    let index = usize::try_from(index).map_err(|_| ValueError::Member)?;
    let member = members.get(index).ok_or(ValueError::Member)?;
    Ok(Cell::Text(Cow::Borrowed(member.as_bytes())))
}

fn chosen(mask: u64, members: &[String]) -> Result<Cell<'static>, ValueError> {
    if members.len() < 64 && mask >> members.len() != 0 {
        return Err(ValueError::Member);
    }
    let chosen: Vec<&str> = members
        .iter()
        .enumerate()
        .filter(|(index, _)| mask >> index & 1 == 1)
        .map(|(_, member)| member.as_str())
        .collect();
    Ok(Cell::Text(Cow::Owned(chosen.join(",").into_bytes())))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
