//! Positions in the binlog, and the change numbers that follow from them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The highest binlog file number that a change number can hold.
const MAX_FILE: u64 = 999_999_999;
/// One past the highest offset that a change number can hold.
const OFFSETS: u64 = 10_000_000_000;

/// A place in the binlog: the end of an event, or the beginning of the next.
///
/// Ordered by the number at the end of the file name, then by the offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct BinlogPosition {
    number: u64,
    offset: u64,
    /// Shared: every event has a position.
    file: Arc<str>,
}

#[derive(Serialize, Deserialize)]
struct Raw {
    file: String,
    offset: u64,
}

/// Why something is no position, or has no change number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Binlog files are named `<base>.<number>`.
    #[error("`{file}` is no binlog file: its name must end with `.` and a number")]
    File {
        /// The name.
        file: String,
    },
    /// The 19 digits of a change number do not suffice.
    #[error(
        "`{position}` has no change number: file numbers go to {MAX_FILE}, offsets to 9999999999"
    )]
    Overflow {
        /// The position.
        position: BinlogPosition,
    },
}

impl BinlogPosition {
    /// A position from a file name such as `binlog.000042` and an offset in bytes.
    pub fn new(file: &str, offset: u64) -> Result<BinlogPosition, PositionError> {
        let number = file
            .rsplit_once('.')
            .filter(|(_, digits)| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|(_, digits)| digits.parse().ok())
            .ok_or_else(|| PositionError::File { file: file.to_owned() })?;
        Ok(BinlogPosition { number, offset, file: file.into() })
    }

    /// The place of a start by GTID set: the server will say which it is. Before all others.
    pub fn unknown() -> BinlogPosition {
        BinlogPosition { number: 0, offset: 0, file: "unknown.0".into() }
    }

    /// True for a place in a binlog; every file begins with a magic number.
    pub(crate) fn is_known(&self) -> bool {
        self.offset > 0
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The offset in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Another offset in the same file.
    pub(crate) fn at(&self, offset: u64) -> BinlogPosition {
        BinlogPosition { offset, ..self.clone() }
    }

    /// The change number of the row with this index, from 0, in the event that begins here.
    ///
    /// Nine digits of file number, then ten digits of offset plus index. Each row takes at least
    /// one byte of its event, so the sum stays below the next event's offset: numbers are unique
    /// and grow with the position, and a change read again has the same one. A file number above
    /// 999 999 999 or an offset from ten billion on is refused.
    pub fn change_number(&self, row: u64) -> Result<u64, PositionError> {
        let place = self.offset.saturating_add(row);
        if self.number > MAX_FILE || place >= OFFSETS {
            return Err(PositionError::Overflow { position: self.clone() });
        }
        Ok(self.number * OFFSETS + place)
    }
}

impl fmt::Display for BinlogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

impl TryFrom<Raw> for BinlogPosition {
    type Error = PositionError;
    fn try_from(raw: Raw) -> Result<Self, PositionError> {
        BinlogPosition::new(&raw.file, raw.offset)
    }
}

impl From<BinlogPosition> for Raw {
    fn from(position: BinlogPosition) -> Raw {
        Raw { file: position.file.to_string(), offset: position.offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, offset: u64) -> BinlogPosition {
        BinlogPosition::new(file, offset).unwrap()
    }

    #[test]
    fn positions_order_by_file_number_then_offset() {
        assert!(at("binlog.000009", 900) < at("binlog.000010", 4));
        assert!(at("binlog.999999", 4) < at("binlog.1000000", 4));
        assert!(at("binlog.000009", 4) < at("binlog.000009", 5));
        assert!(BinlogPosition::new("binlog", 4).is_err());
        assert!(BinlogPosition::new("binlog.00000x", 4).is_err());
    }

    #[test]
    fn change_numbers_grow_with_the_position_and_refuse_to_overflow() {
        assert_eq!(at("binlog.000042", 1234).change_number(2).unwrap(), 42_0000001236);
        let last = at("binlog.999999999", OFFSETS - 1);
        assert_eq!(last.change_number(0).unwrap(), 9_999_999_999_999_999_999);
        assert!(last.change_number(1).is_err());
        assert!(at("binlog.1000000000", 4).change_number(0).is_err());
    }

    #[test]
    fn positions_survive_json() {
        let text = serde_json::to_string(&at("binlog.000042", 1234)).unwrap();
        assert_eq!(text, r#"{"file":"binlog.000042","offset":1234}"#);
        assert_eq!(
            serde_json::from_str::<BinlogPosition>(&text).unwrap(),
            at("binlog.000042", 1234)
        );
        assert!(serde_json::from_str::<BinlogPosition>(r#"{"file":"x","offset":1}"#).is_err());
    }
}
