//! One value on its way from MySQL to Bronze, the same for both protocols, and why it may fail.

use std::borrow::Cow;

/// Why a value cannot be carried. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// MySQL sent another kind of value than the contract declares.
    #[error("MySQL sent {found}, which is no value of the contract's type")]
    Kind {
        /// What was sent.
        found: &'static str,
    },
    /// A number beyond the contract's type.
    #[error("the number does not fit the contract's type")]
    Range,
    /// Text in another encoding than UTF-8.
    #[error("the text is not valid UTF-8")]
    Utf8,
    /// Bytes that are no text in the column's character set.
    #[error("the bytes are no text in the column's character set")]
    Text,
    /// A member number that the table's ENUM or SET does not have.
    #[error("the table has no ENUM or SET member of this number")]
    Member,
    /// A change within a JSON document that does not fit the document.
    #[error("the change does not fit the JSON document that the row had before")]
    JsonChange,
    /// Bytes that are no value of the type that the binlog announces.
    #[error("the bytes of the {what} are malformed")]
    Malformed {
        /// The type.
        what: &'static str,
    },
}

/// A value as both MySQL protocols give it, before it takes the contract's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    /// A decimal as MySQL prints it.
    Decimal(Cow<'a, str>),
    /// A decimal of at most 38 digits without its point: times ten to the scale of its column.
    Scaled(i128),
    /// CHAR, TEXT, ENUM, SET or JSON; not yet known to be UTF-8.
    Text(Cow<'a, [u8]>),
    /// A JSON document in the server's binary form; it is printed when it takes its column.
    Json(&'a [u8]),
    /// BINARY, BLOB, BIT or GEOMETRY.
    Bytes(Cow<'a, [u8]>),
    Date(Day),
    DateTime(Day, Clock),
    /// Seconds since the epoch and microseconds; zero seconds stand for the zero date.
    Instant(u32, u32),
    Time {
        negative: bool,
        clock: Clock,
    },
}

/// A calendar day as MySQL stores it, which may be none (`0000-00-00`, `2024-00-10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// A time of day, or a duration whose hours may exceed 24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) hours: u32,
    pub(crate) minutes: u8,
    pub(crate) seconds: u8,
    pub(crate) micros: u32,
}

impl Cell<'_> {
    /// The value's kind, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Cell::Null => "NULL",
            Cell::Int(_) | Cell::UInt(_) => "an integer",
            Cell::Float(_) => "a FLOAT",
            Cell::Double(_) => "a DOUBLE",
            Cell::Decimal(_) | Cell::Scaled(_) => "a decimal",
            Cell::Text(_) => "a text",
            Cell::Json(_) => "a JSON document",
            Cell::Bytes(_) => "bytes",
            Cell::Date(_) => "a date",
            Cell::DateTime(..) => "a date with time",
            Cell::Instant(..) => "a timestamp",
            Cell::Time { .. } => "a time",
        }
    }
}

impl Day {
    /// Days since 1970-01-01; `None` for a date that no calendar has.
    pub(crate) fn since_epoch(self) -> Option<i32> {
        let date = chrono::NaiveDate::from_ymd_opt(
            i32::from(self.year),
            u32::from(self.month),
            u32::from(self.day),
        )?;
        i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
    }
}

impl Clock {
    /// Microseconds since midnight.
    pub(crate) fn micros(self) -> i64 {
        let minutes = i64::from(self.hours) * 60 + i64::from(self.minutes);
        (minutes * 60 + i64::from(self.seconds)) * 1_000_000 + i64::from(self.micros)
    }

    /// As MySQL prints a TIME with `fsp` digits of fraction.
    pub(crate) fn text(self, negative: bool, fsp: u8) -> String {
        let sign = if negative { "-" } else { "" };
        let Clock { hours, minutes, seconds, micros } = self;
        let whole = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
        match usize::from(fsp.min(6)) {
            0 => whole,
            fsp => format!("{whole}.{}", &format!("{micros:06}")[..fsp]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_with_the_fraction_of_their_type() {
        let clock = Clock { hours: 838, minutes: 59, seconds: 58, micros: 120_000 };
        assert_eq!(clock.text(true, 0), "-838:59:58");
        assert_eq!(clock.text(false, 2), "838:59:58.12");
        assert_eq!(Clock { hours: 1, ..Clock::default() }.text(false, 6), "01:00:00.000000");
    }

    #[test]
    fn dates_that_no_calendar_has_are_none() {
        let day = |year, month, day| Day { year, month, day }.since_epoch();
        assert_eq!(day(1970, 1, 2), Some(1));
        assert_eq!(day(9999, 12, 31), Some(2_932_896));
        assert_eq!(day(1000, 1, 1), Some(-354_285));
        for none in [day(0, 0, 0), day(2024, 0, 10), day(2024, 10, 0), day(2023, 2, 29)] {
            assert_eq!(none, None);
        }
    }
}
