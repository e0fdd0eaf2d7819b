//! MySQL's binary JSON (JSONB) of the binlog, printed as the server prints it.
//!
//! The layout is that of `sql-common/json_binary.h`, the text that of `Json_wrapper::to_string`:
//! keys in stored order, `": "` and `", "` as separators, doubles in `my_gcvt` form with at least
//! `.0` or an exponent, and opaque values (decimals, dates, bytes) as the server shows them.

use std::fmt::Write as _;

use crate::decimal;
use crate::json_number::push_double;
use crate::value::{Clock, ValueError};

/// Nesting that the server allows (`JSON_DOCUMENT_MAX_DEPTH`).
pub(crate) const MAX_DEPTH: usize = 100;

pub(crate) const MALFORMED: ValueError = ValueError::Malformed { what: "JSON document" };

/// The text of a binary JSON document. No bytes at all stand for `null`.
pub(crate) fn text(document: &[u8]) -> Result<String, ValueError> {
    let mut out = String::with_capacity(document.len() * 2);
    match document.split_first() {
        None => out.push_str("null"),
        Some((&kind, data)) => push_value(&mut out, kind, data, 0)?,
    }
    Ok(out)
}

fn bytes<const N: usize>(data: &[u8], offset: usize) -> Result<[u8; N], ValueError> {
    data.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(MALFORMED)
}

/// Appends the text of a value of this type that lies so deep in its document.
pub(crate) fn push_value(
    out: &mut String,
    kind: u8,
    data: &[u8],
    depth: usize,
) -> Result<(), ValueError> {
    if let Some(container) = Container::of(kind, data)? {
        return push_container(out, &container, depth);
    }
    match kind {
        0x0C => push_string(out, sized(data)?.0),
        0x0F => push_opaque(out, data),
        _ => push_scalar(out, kind, data),
    }
}

fn push_scalar(out: &mut String, kind: u8, data: &[u8]) -> Result<(), ValueError> {
    match kind {
        0x04 => match bytes::<1>(data, 0)? {
            [0] => out.push_str("null"),
            [1] => out.push_str("true"),
            [2] => out.push_str("false"),
            _ => return Err(MALFORMED),
        },
        0x05 => push_number(out, i16::from_le_bytes(bytes(data, 0)?)),
        0x06 => push_number(out, u16::from_le_bytes(bytes(data, 0)?)),
        0x07 => push_number(out, i32::from_le_bytes(bytes(data, 0)?)),
        0x08 => push_number(out, u32::from_le_bytes(bytes(data, 0)?)),
        0x09 => push_number(out, i64::from_le_bytes(bytes(data, 0)?)),
        0x0A => push_number(out, u64::from_le_bytes(bytes(data, 0)?)),
        0x0B => push_double(out, f64::from_le_bytes(bytes(data, 0)?)),
        _ => return Err(MALFORMED),
    }
    Ok(())
}

fn push_number(out: &mut String, number: impl std::fmt::Display) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{number}");
}

/// Width of offsets in an object or array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Small,
    Large,
}
use Format::{Large, Small};

/// An object or array: element count, size in bytes, key entries, value entries, then the data
/// that they point to; offsets count from the beginning of the container.
pub(crate) struct Container<'a> {
    data: &'a [u8],
    format: Format,
    pub(crate) object: bool,
    pub(crate) count: usize,
}

impl<'a> Container<'a> {
    /// The object or array of a value of this type; `None` for scalars.
    pub(crate) fn of(kind: u8, data: &'a [u8]) -> Result<Option<Self>, ValueError> {
        Ok(Some(match kind {
            0x00 => Container::new(data, Small, true)?,
            0x01 => Container::new(data, Large, true)?,
            0x02 => Container::new(data, Small, false)?,
            0x03 => Container::new(data, Large, false)?,
            _ => return Ok(None),
        }))
    }

    fn new(data: &'a [u8], format: Format, object: bool) -> Result<Self, ValueError> {
        let mut container = Container { data, format, object, count: 0 };
        container.count = container.number(0)?;
        let size = container.number(container.offset_size())?;
        container.data = data.get(..size).ok_or(MALFORMED)?;
        let header = container.value_entry(container.count);
        if header > size { Err(MALFORMED) } else { Ok(container) }
    }

    fn offset_size(&self) -> usize {
        if self.format == Large { 4 } else { 2 }
    }

    fn number(&self, at: usize) -> Result<usize, ValueError> {
        let number = match self.format {
            Small => u32::from(u16::from_le_bytes(bytes(self.data, at)?)),
            Large => u32::from_le_bytes(bytes(self.data, at)?),
        };
        usize::try_from(number).map_err(|_| MALFORMED)
    }

    fn key_entry(&self, index: usize) -> usize {
        2 * self.offset_size() + index * (self.offset_size() + 2)
    }

    fn value_entry(&self, index: usize) -> usize {
        let keys = if self.object { self.count } else { 0 };
        self.key_entry(keys) + index * (self.offset_size() + 1)
    }

    pub(crate) fn key(&self, index: usize) -> Result<&'a [u8], ValueError> {
        let entry = self.key_entry(index);
        let start = self.number(entry)?;
        let length = u16::from_le_bytes(bytes(self.data, entry + self.offset_size())?);
        self.data.get(start..start + usize::from(length)).ok_or(MALFORMED)
    }

    /// The value's type and the data from its first byte on.
    pub(crate) fn value(&self, index: usize) -> Result<(u8, &'a [u8]), ValueError> {
        let entry = self.value_entry(index);
        let [kind] = bytes::<1>(self.data, entry)?;
        let inlined = match kind {
            0x04..=0x06 => true,
            0x07 | 0x08 => self.format == Large,
            _ => false,
        };
        let start = if inlined { entry + 1 } else { self.number(entry + 1)? };
        Ok((kind, self.data.get(start..).ok_or(MALFORMED)?))
    }
}

fn push_container(
    out: &mut String,
    container: &Container<'_>,
    depth: usize,
) -> Result<(), ValueError> {
    if depth > MAX_DEPTH {
        return Err(MALFORMED);
    }
    out.push(if container.object { '{' } else { '[' });
    for index in 0..container.count {
        if index > 0 {
            out.push_str(", ");
        }
        if container.object {
            push_string(out, container.key(index)?)?;
            out.push_str(": ");
        }
        let (kind, data) = container.value(index)?;
        push_value(out, kind, data, depth + 1)?;
    }
    out.push(if container.object { '}' } else { ']' });
    Ok(())
}

/// Splits data that begins with its own length (seven bits per byte, least significant first).
fn sized(data: &[u8]) -> Result<(&[u8], &[u8]), ValueError> {
    let mut length = 0_usize;
    for (index, byte) in data.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return data[index + 1..].split_at_checked(length).ok_or(MALFORMED);
        }
    }
    Err(MALFORMED)
}

/// Appends text in quotes, escaped as the server does it.
pub(crate) fn push_string(out: &mut String, raw: &[u8]) -> Result<(), ValueError> {
    out.push('"');
    for c in std::str::from_utf8(raw).map_err(|_| ValueError::Utf8)?.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

/// Values of SQL types that JSON does not have: a column type, a length, the value's bytes.
fn push_opaque(out: &mut String, data: &[u8]) -> Result<(), ValueError> {
    let (&kind, rest) = data.split_first().ok_or(MALFORMED)?;
    let (value, _) = sized(rest)?;
    match kind {
        // MYSQL_TYPE_NEWDECIMAL
        246 => {
            let [precision, scale] = bytes::<2>(value, 0)?;
            let text = decimal::packed_text(precision.into(), scale.into(), &value[2..]);
            out.push_str(&text.ok_or(MALFORMED)?);
        }
        // MYSQL_TYPE_DATE, _DATETIME, _TIMESTAMP
        10 | 12 | 7 => {
            let packed = i64::from_le_bytes(bytes(value, 0)?).unsigned_abs();
            push_datetime(out, packed, kind == 10);
        }
        // MYSQL_TYPE_TIME
        11 => {
            let packed = i64::from_le_bytes(bytes(value, 0)?);
            let clock = unpack_clock(packed.unsigned_abs());
            let _ = write!(out, "\"{}\"", clock.text(packed < 0, 6));
        }
        _ => {
            let _ = write!(out, "\"base64:type{kind}:");
            push_base64(out, value);
            out.push('"');
        }
    }
    Ok(())
}

/// The clock of a packed TIME: 10 bits of hours, 6 of minutes, 6 of seconds, 24 of microseconds.
fn unpack_clock(packed: u64) -> Clock {
    let bits = |shift: u32, width: u32| (packed >> shift) & ((1 << width) - 1);
    Clock {
        hours: u32::try_from(bits(36, 10)).unwrap_or_default(),
        minutes: u8::try_from(bits(30, 6)).unwrap_or_default(),
        seconds: u8::try_from(bits(24, 6)).unwrap_or_default(),
        micros: u32::try_from(bits(0, 24)).unwrap_or_default(),
    }
}

fn push_datetime(out: &mut String, packed: u64, date_only: bool) {
    let year_month = packed >> 46;
    let (year, month, day) = (year_month / 13, year_month % 13, (packed >> 41) & 31);
    let _ = write!(out, "\"{year:04}-{month:02}-{day:02}");
    if !date_only {
        // The hours of a date take five bits; the bits above belong to the day.
        let clock = unpack_clock(packed & ((1 << 41) - 1));
        let _ = write!(out, " {}", clock.text(false, 6));
    }
    out.push('"');
}

/// Base 64 with an escaped line break after each 76 characters, as the server prints it.
fn push_base64(out: &mut String, data: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (index, chunk) in data.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            out.push_str("\\n");
        }
        let word = [0, 1, 2].map(|at| chunk.get(at).copied().unwrap_or_default());
        let word = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for position in 0..4_usize {
            let sextet = (word >> (18 - 6 * position)) & 63;
            let letter = ALPHABET[usize::try_from(sextet).unwrap_or_default()];
            out.push(if position > chunk.len() { '=' } else { char::from(letter) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a": 1, "b": [true, null, "x"]}` as the server stores it: a small object of 2 elements
    /// and 35 bytes, its keys at 18 and 19, an inlined 1, an array at 20; the array of 3 elements
    /// and 15 bytes, with two literals and a string at 13.
    const NESTED: &[u8] = &[
        0x00, 2, 0, 35, 0, 18, 0, 1, 0, 19, 0, 1, 0, 0x05, 1, 0, 0x02, 20, 0, b'a', b'b', 3, 0, 15,
        0, 0x04, 1, 0, 0x04, 0, 0, 0x0C, 13, 0, 1, b'x',
    ];

    #[test]
    fn objects_and_arrays_print_with_the_servers_separators() {
        assert_eq!(text(NESTED).unwrap(), r#"{"a": 1, "b": [true, null, "x"]}"#);
        assert_eq!(text(&[0x00, 0, 0, 4, 0]).unwrap(), "{}");
        assert_eq!(text(&[0x03, 0, 0, 0, 0, 8, 0, 0, 0]).unwrap(), "[]");
        assert_eq!(text(&[]).unwrap(), "null");
    }

    #[test]
    fn strings_are_escaped_as_the_server_does() {
        let raw = "a\"\\\u{8}\t\u{c}\n\r\u{1}\u{1f}/é😀\u{7f}";
        let mut document = vec![0x0C, u8::try_from(raw.len()).unwrap()];
        document.extend(raw.as_bytes());
        let expected = "\"a\\\"\\\\\\b\\t\\f\\n\\r\\u0001\\u001f/é😀\u{7f}\"";
        assert_eq!(text(&document).unwrap(), expected);
    }

    #[test]
    fn opaque_values_print_as_decimals_dates_and_base64() {
        let decimal = [0x0F, 246, 5, 5, 2, 0x80, 0x07, 0x05];
        assert_eq!(text(&decimal).unwrap(), "7.05");
        let ymd = ((2015_i64 * 13 + 1) << 5) | 15;
        let hms = (23 << 12) | (24 << 6) | 25;
        let packed = (((ymd << 17) | hms) << 24) | 120_000;
        let opaque = |kind: u8, value: &[u8]| {
            let mut document = vec![0x0F, kind, u8::try_from(value.len()).unwrap()];
            document.extend(value);
            text(&document).unwrap()
        };
        assert_eq!(opaque(12, &packed.to_le_bytes()), "\"2015-01-15 23:24:25.120000\"");
        assert_eq!(opaque(10, &((ymd << 17) << 24).to_le_bytes()), "\"2015-01-15\"");
        let time: i64 = -((((100 << 12) | (2 << 6) | 3) << 24) | 5);
        assert_eq!(opaque(11, &time.to_le_bytes()), "\"-100:02:03.000005\"");
        assert_eq!(opaque(15, b"Hello"), "\"base64:type15:SGVsbG8=\"");
        assert_eq!(opaque(15, &[0; 58]).find("\\n"), Some(1 + "base64:type15:".len() + 76));
    }

    #[test]
    fn malformed_documents_are_errors_and_no_panics() {
        for length in 1..NESTED.len() {
            assert!(text(&NESTED[..length]).is_err(), "{length}");
        }
        assert!(text(&[0x0C, 5, b'x']).is_err());
        assert!(text(&[0x0C, 1, 0xFF]).is_err());
        assert!(text(&[0x0B, 0]).is_err());
        assert!(text(&[0x0E]).is_err());
    }
}
