//! The character sets of source columns: text of every one of them leaves as UTF-8.
//!
//! The server turns the text of query results into UTF-8 itself. The binlog has the column's own
//! bytes, and what they mean is learnt from the same server, so that both ways give one text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::server::{DatabaseError, Source};
use crate::value::ValueError;

const DOING: &str = "reading its character sets";

/// The id of the collation `binary`, whose columns hold bytes and no text.
pub(crate) const BINARY_COLLATION: u16 = 63;

/// Character sets whose bytes are UTF-8 as they stand.
const UTF8: [&str; 3] = ["utf8mb4", "utf8mb3", "utf8"];
/// What the server prints for characters that UTF-8 cannot hold.
const REPLACEMENT: char = '?';

/// How the bytes of a column's text become UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextDecoder {
    /// They are UTF-8.
    Utf8,
    /// Each byte is a character.
    SingleByte(Arc<SingleByte>),
    /// Two bytes a character, big endian: UCS-2.
    Ucs2,
    /// Two or four bytes a character, big endian.
    Utf16,
    /// The same, little endian.
    Utf16Le,
    /// Four bytes a character, big endian.
    Utf32,
}

impl TextDecoder {
    /// The text of a value. UTF-8 is checked later, where the value takes its column.
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, ValueError> {
        let text = match self {
            TextDecoder::Utf8 => return Ok(Cow::Borrowed(bytes)),
            TextDecoder::SingleByte(set) if set.ascii && bytes.is_ascii() => {
                return Ok(Cow::Borrowed(bytes));
            }
            TextDecoder::SingleByte(set) => {
                bytes.iter().map(|byte| set.characters[usize::from(*byte)]).collect()
            }
            TextDecoder::Ucs2 => units(bytes, u16::from_be_bytes)?
                .map(|unit| char::from_u32(unit.into()).unwrap_or(REPLACEMENT))
                .collect(),
            TextDecoder::Utf16 => utf16(units(bytes, u16::from_be_bytes)?)?,
            TextDecoder::Utf16Le => utf16(units(bytes, u16::from_le_bytes)?)?,
            TextDecoder::Utf32 => units(bytes, u32::from_be_bytes)?
                .map(|unit| char::from_u32(unit).ok_or(ValueError::Text))
                .collect::<Result<String, _>>()?,
        };
        Ok(Cow::Owned(text.into_bytes()))
    }
}

/// Cuts text into numbers of a fixed width.
fn units<const WIDTH: usize, N>(
    bytes: &[u8],
    number: impl Fn([u8; WIDTH]) -> N,
) -> Result<impl Iterator<Item = N>, ValueError> {
    let (units, rest) = bytes.as_chunks::<WIDTH>();
    if rest.is_empty() {
        Ok(units.iter().map(move |unit| number(*unit)))
    } else {
        Err(ValueError::Text)
    }
}

fn utf16(units: impl Iterator<Item = u16>) -> Result<String, ValueError> {
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|_| ValueError::Text)
}

/// A character set of single bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SingleByte {
    characters: [char; 256],
    /// The lower half is ASCII, which most text is.
    ascii: bool,
}

impl SingleByte {
    /// The character set whose bytes 0 to 255 are these characters.
    fn new(characters: [char; 256]) -> SingleByte {
        let ascii = (0..0x80_u8).all(|byte| characters[usize::from(byte)] == char::from(byte));
        SingleByte { characters, ascii }
    }

    /// ASCII, whose upper half has no characters.
    fn ascii() -> SingleByte {
        let characters = std::array::from_fn(|place| {
            u8::try_from(place).ok().filter(u8::is_ascii).map_or(REPLACEMENT, char::from)
        });
        SingleByte::new(characters)
    }
}

/// The decoders of a server's collations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charsets {
    /// By collation id.
    decoders: BTreeMap<u16, TextDecoder>,
    /// Table maps tell a collation of spatial columns too, as MariaDB's do.
    pub(crate) of_geometry: bool,
}

impl Charsets {
    /// Asks the server what the bytes of its single-byte character sets stand for. `collations`
    /// names the character set of each collation id.
    ///
    /// Sets of the East Asian kind, with one or more bytes a character, get no decoder.
    ///
    /// # Errors
    /// [`DatabaseError`] when the server does not answer as documented.
    pub(crate) async fn read(
        source: &Source,
        conn: &mut Conn,
        collations: &BTreeMap<u16, String>,
    ) -> Result<Charsets, DatabaseError> {
        let statement = "SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS \
                         WHERE MAXLEN = 1";
        let failed = |error| source.error(DOING, error);
        let single: Vec<String> = conn.query(statement).await.map_err(failed)?;
        let used: BTreeSet<&str> = collations.values().map(String::as_str).collect();
        let names: Vec<&str> = single.iter().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().filter(|set| asks(set, &used)).collect();
        let mut tables = BTreeMap::new();
        if let Some(statement) = question(&names) {
            let row: Option<Row> = conn.query_first(statement).await.map_err(failed)?;
            let row = row.ok_or_else(|| source.unexpected(DOING))?;
            for (place, name) in names.iter().enumerate() {
                let text: Option<String> = row.get_opt(place).and_then(Result::ok);
                let set = text.as_deref().and_then(table);
                let set = set.ok_or_else(|| source.unexpected(DOING))?;
                tables.insert((*name).to_owned(), Arc::new(SingleByte::new(set)));
            }
        }
        let is_mariadb: Option<bool> =
            conn.query_first("SELECT VERSION() LIKE '%MariaDB%'").await.map_err(failed)?;
        let of_geometry = is_mariadb.ok_or_else(|| source.unexpected(DOING))?;
        Ok(Charsets { of_geometry, ..Charsets::new(collations, &tables) })
    }

    /// The decoders that need no help from the server.
    pub(crate) fn of(collations: &BTreeMap<u16, String>) -> Charsets {
        Charsets::new(collations, &BTreeMap::new())
    }

    fn new(
        collations: &BTreeMap<u16, String>,
        tables: &BTreeMap<String, Arc<SingleByte>>,
    ) -> Charsets {
        let ascii = Arc::new(SingleByte::ascii());
        let decoder = |set: &str| match set {
            _ if UTF8.contains(&set) => Some(TextDecoder::Utf8),
            "ascii" => Some(TextDecoder::SingleByte(Arc::clone(&ascii))),
            "ucs2" => Some(TextDecoder::Ucs2),
            "utf16" => Some(TextDecoder::Utf16),
            "utf16le" => Some(TextDecoder::Utf16Le),
            "utf32" => Some(TextDecoder::Utf32),
            _ => tables.get(set).cloned().map(TextDecoder::SingleByte),
        };
        let known = collations.iter().filter_map(|(id, set)| Some((*id, decoder(set)?)));
        Charsets { decoders: known.collect(), of_geometry: false }
    }

    /// The decoder of a collation; `None` when its text cannot be carried.
    pub(crate) fn decoder(&self, collation: u16) -> Option<TextDecoder> {
        self.decoders.get(&collation).cloned()
    }
}

/// The server must be asked about this single-byte character set. Names go into a statement, so
/// that only plain ones pass.
fn asks(set: &str, used: &BTreeSet<&str>) -> bool {
    let plain = set.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && used.contains(set) && !matches!(set, "ascii" | "binary")
}

/// Asks for the 256 characters of each set, in one statement.
fn question(sets: &[&str]) -> Option<String> {
    let bytes: Vec<String> = (0..=u8::MAX).map(|byte| byte.to_string()).collect();
    let bytes = bytes.join(",");
    let columns: Vec<String> = sets
        .iter()
        .map(|set| format!("CONVERT(CHAR({bytes} USING {set}) USING utf8mb4)"))
        .collect();
    (!columns.is_empty()).then(|| format!("SELECT {}", columns.join(", ")))
}

/// The answer to [`question`]: exactly one character for each byte.
fn table(text: &str) -> Option<[char; 256]> {
    text.chars().collect::<Vec<char>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charsets() -> Charsets {
        let names = ["utf8mb4", "ascii", "latin1", "ucs2", "utf16", "utf16le", "utf32", "gbk"];
        let collations = (1..).zip(names.map(str::to_owned)).collect();
        // Windows-1252 in the place of the euro sign, Latin-1 elsewhere.
        let mut characters: [char; 256] =
            std::array::from_fn(|byte| char::from(u8::try_from(byte).unwrap()));
        characters[0x80] = '€';
        let latin1 = Arc::new(SingleByte::new(characters));
        Charsets::new(&collations, &BTreeMap::from([("latin1".to_owned(), latin1)]))
    }

    fn decoded(collation: u16, bytes: &[u8]) -> Result<String, ValueError> {
        let text = charsets().decoder(collation).unwrap().decode(bytes).unwrap_or_default();
        if text.is_empty() && !bytes.is_empty() {
            return Err(charsets().decoder(collation).unwrap().decode(bytes).unwrap_err());
        }
        Ok(String::from_utf8(text.into_owned()).unwrap())
    }

    #[test]
    fn every_kind_of_character_set_becomes_utf8() {
        let cases: [(u16, &[u8], &str); 9] = [
            (1, "São 😀".as_bytes(), "São 😀"),
            (2, b"plain", "plain"),
            (2, &[b'a', 0x80], "a?"),
            (3, b"plain", "plain"),
            (3, &[0x80, 0xE3], "€ã"),
            (4, &[0x20, 0xAC, 0xD8, 0x00], "€?"),
            (5, &[0x00, b'a', 0xD8, 0x3D, 0xDE, 0x00], "a😀"),
            (6, &[b'a', 0x00, 0x3D, 0xD8, 0x00, 0xDE], "a😀"),
            (7, &[0, 0, 0, b'a', 0, 1, 0xF6, 0], "a😀"),
        ];
        for (collation, bytes, expected) in cases {
            assert_eq!(decoded(collation, bytes).as_deref(), Ok(expected), "{collation}");
            assert_eq!(decoded(collation, b"").as_deref(), Ok(""));
        }
    }

    #[test]
    fn bytes_that_are_no_text_of_their_character_set_are_errors() {
        let cases: [(u16, &[u8]); 5] = [
            (4, &[0x20]),
            (5, &[0xD8, 0x3D]),
            (6, &[0x00, 0xDE, 0, 0]),
            (7, &[0, 0x11, 0, 0]),
            (7, &[0, 0, 0]),
        ];
        for (collation, bytes) in cases {
            assert_eq!(decoded(collation, bytes), Err(ValueError::Text), "{collation}");
        }
    }

    #[test]
    fn east_asian_sets_have_no_decoder_and_binary_is_no_text() {
        assert_eq!(charsets().decoder(8), None);
        assert_eq!(charsets().decoder(BINARY_COLLATION), None);
        assert_eq!(Charsets::of(&BTreeMap::from([(8, "latin1".to_owned())])).decoder(8), None);
    }

    #[test]
    fn the_server_is_asked_only_about_sets_in_use() {
        let used = BTreeSet::from(["latin1", "ascii", "binary", "x`; DROP"]);
        assert!(asks("latin1", &used));
        for set in ["latin2", "ascii", "binary", "x`; DROP"] {
            assert!(!asks(set, &used), "{set}");
        }
        assert_eq!(question(&[]), None);
        let statement = question(&["latin1", "greek"]).unwrap();
        assert!(statement.starts_with("SELECT CONVERT(CHAR(0,1,2,"));
        assert!(statement.contains("254,255 USING latin1) USING utf8mb4), CONVERT("));
        assert_eq!(table("ab"), None);
    }
}
