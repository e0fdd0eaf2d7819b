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

/// Digits of a [`ChangeSeq`].
const SEQ_DIGITS: usize = 35;
/// Digits of its time part.
const TIME_DIGITS: usize = 16;

/// A change's place in the order of the source: 16 digits of time (YYYYMMDDHHmmSShh, UTC) and
/// 19 digits of number. Full-load rows have none, which sorts before every change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeSeq(
    /// ASCII digits; all zero bytes for a full load.
    [u8; SEQ_DIGITS],
);

impl ChangeSeq {
    /// The sequence of full-load rows.
    pub const FULL_LOAD: ChangeSeq = ChangeSeq([0; SEQ_DIGITS]);

    /// Builds one from its two parts; of the number its lowest 19 digits.
    pub fn new(time: &ChangeTime, number: u64) -> ChangeSeq {
        let mut digits = [0; SEQ_DIGITS];
        let (head, tail) = digits.split_at_mut(TIME_DIGITS);
        head.copy_from_slice(&time.0);
        push_digits(tail, number);
        ChangeSeq(digits)
    }

    /// The 35 digits, or nothing for a full load.
    pub fn as_str(&self) -> &str {
        match self.0[0] {
            0 => "",
            // Digits are always UTF-8.
            _ => std::str::from_utf8(&self.0).unwrap_or_default(),
        }
    }
}

/// Fills the place with the number's lowest digits.
fn push_digits(place: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

impl Default for ChangeSeq {
    fn default() -> ChangeSeq {
        ChangeSeq::FULL_LOAD
    }
}

impl fmt::Debug for ChangeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChangeSeq").field(&self.as_str()).finish()
    }
}

impl fmt::Display for ChangeSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChangeSeq {
    type Err = ChangeError;
    fn from_str(text: &str) -> Result<Self, ChangeError> {
        if text.is_empty() {
            return Ok(ChangeSeq::FULL_LOAD);
        }
        match text.as_bytes().try_into() {
            Ok(digits) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(ChangeSeq(digits)),
            _ => Err(ChangeError::Seq(text.to_owned())),
        }
    }
}

/// The time part of a [`ChangeSeq`]: YYYYMMDDHHmmSShh, UTC, hundredths of a second at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeTime(
    /// ASCII digits.
    [u8; TIME_DIGITS],
);

impl ChangeTime {
    /// From calendar fields; years 0–9999, hundredths 0–99.
    pub fn new(date: (i32, u32, u32), time: (u32, u32, u32), hundredths: u32) -> ChangeTime {
        let mut digits = [0; TIME_DIGITS];
        let (year, rest) = digits.split_at_mut(4);
        push_digits(year, u64::try_from(date.0).unwrap_or_default());
        let fields = [date.1, date.2, time.0, time.1, time.2, hundredths];
        for (place, field) in rest.chunks_exact_mut(2).zip(fields) {
            push_digits(place, field.into());
        }
        ChangeTime(digits)
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
        assert_eq!("".parse::<ChangeSeq>().unwrap(), ChangeSeq::FULL_LOAD);
        assert_eq!(format!("{first:?}"), r#"ChangeSeq("20260102030405000000000000000000001")"#);
    }

    #[test]
    fn every_digit_has_its_place() {
        let time = ChangeTime::new((2026, 12, 31), (23, 59, 58), 97);
        let last = ChangeSeq::new(&time, 9_999_999_999_999_999_999);
        assert_eq!(last.to_string(), "20261231235958979999999999999999999");
        let zero = ChangeSeq::new(&time, 0);
        assert_eq!(zero.to_string(), "20261231235958970000000000000000000");
    }
}
