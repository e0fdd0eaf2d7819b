//! The vocabulary of changes: operations, sequence numbers, and the technical columns around them.

use std::fmt;
use std::str::FromStr;

/// Bronze column: the operation, `I`, `U` or `D`.
pub const OP: &str = "Op";
/// Bronze column: DMS's timestamp as text, `yyyy-MM-dd HH:mm:ss.SSSSSS`, UTC.
pub const DMS_TS: &str = "dms_ts";
/// Bronze column: `$AR_H_CHANGE_SEQ`, 35 digits; empty in a full load.
pub const CHANGE_SEQ: &str = "change_seq";
/// Prefix of the Bronze columns that carry the key as it was before an update.
pub const BEFORE_IMAGE_PREFIX: &str = "BI_";

/// Silver column: the sequence number of the change that made the row.
pub const SILVER_CHANGE_SEQ: &str = "_change_seq";
/// Silver column: the commit time of that change at the source.
pub const SILVER_CHANGED_AT: &str = "_changed_at";
/// Silver column: when the row was merged.
pub const SILVER_LOADED_AT: &str = "_loaded_at";

/// What a change does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A row appears.
    Insert,
    /// A row changes, perhaps its key too.
    Update,
    /// A row goes.
    Delete,
}

impl Op {
    /// The letter in the `Op` column.
    pub fn letter(self) -> &'static str {
        match self {
            Op::Insert => "I",
            Op::Update => "U",
            Op::Delete => "D",
        }
    }
}

/// Why a text is no operation or no sequence number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not one of the three letters.
    #[error("`{0}` is no operation: DMS writes `I`, `U` or `D`")]
    Op(String),
    /// Not 35 digits.
    #[error("`{0}` is no change sequence: DMS writes 35 digits, or nothing in a full load")]
    Seq(String),
}

impl FromStr for Op {
    type Err = ChangeError;
    fn from_str(text: &str) -> Result<Self, ChangeError> {
        match text {
            "I" => Ok(Op::Insert),
            "U" => Ok(Op::Update),
            "D" => Ok(Op::Delete),
            other => Err(ChangeError::Op(other.to_owned())),
        }
    }
}

/// A change's place in the order of the source: 16 digits of time (YYYYMMDDHHmmSShh, UTC) and
/// 19 digits of number. Full-load rows have none, which sorts before every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeSeq(String);

impl ChangeSeq {
    /// The sequence of full-load rows.
    pub const FULL_LOAD: ChangeSeq = ChangeSeq(String::new());

    /// Builds one from its two parts.
    pub fn new(time: &ChangeTime, number: u64) -> ChangeSeq {
        ChangeSeq(format!("{}{number:019}", time.0))
    }

    /// The 35 digits, or nothing for a full load.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChangeSeq {
    type Err = ChangeError;
    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let ok = text.is_empty() || (text.len() == 35 && text.bytes().all(|b| b.is_ascii_digit()));
        if ok { Ok(ChangeSeq(text.to_owned())) } else { Err(ChangeError::Seq(text.to_owned())) }
    }
}

/// The time part of a [`ChangeSeq`]: YYYYMMDDHHmmSShh, UTC, hundredths of a second at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeTime(String);

impl ChangeTime {
    /// From calendar fields; hundredths 0–99.
    pub fn new(date: (i32, u32, u32), time: (u32, u32, u32), hundredths: u32) -> ChangeTime {
        let (y, mo, d) = date;
        let (h, mi, s) = time;
        ChangeTime(format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}{hundredths:02}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_load_sorts_before_every_change() {
        let first = ChangeSeq::new(&ChangeTime::new((2026, 1, 2), (3, 4, 5), 0), 1);
        let second = ChangeSeq::new(&ChangeTime::new((2026, 1, 2), (3, 4, 5), 0), 2);
        assert_eq!(first.as_str(), "20260102030405000000000000000000001");
        assert!(ChangeSeq::FULL_LOAD < first && first < second);
        assert!("123".parse::<ChangeSeq>().is_err());
        assert_eq!(first.as_str().parse::<ChangeSeq>().unwrap(), first);
    }
}
