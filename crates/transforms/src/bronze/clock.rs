//! `dms_ts`: texts as instants.

use arrow::array::{Array, StringArray};
use chrono::{NaiveDate, NaiveDateTime};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Bytes of `yyyy-mm-dd`, and of `yyyy-mm-dd hh:mm:ss`.
const DATE: usize = 10;
const SECONDS: usize = 19;

/// Microseconds since the epoch for each text, or the first row whose text is no time. NULL is
/// none. Rows of one transaction have one time, and most rows have one day: both are remembered.
pub(super) fn instants(texts: &StringArray) -> Result<Vec<i64>, usize> {
    let mut last: (&[u8], i64) = (b"", 0);
    let mut days = Days::default();
    let mut out = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            return Err(row);
        }
        let text = texts.value(row);
        if text.as_bytes() != last.0 || row == 0 {
            let parsed = days.instant(text.as_bytes()).or_else(|| slowly(text));
            last = (text.as_bytes(), parsed.ok_or(row)?);
        }
        out.push(last.1);
    }
    Ok(out)
}

/// Any form that is near DMS's: more digits than nine, a leap second.
fn slowly(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_micros())
}

/// The day that was parsed last.
#[derive(Default)]
struct Days {
    text: [u8; DATE],
    since_epoch: i64,
}

impl Days {
    /// `yyyy-mm-dd hh:mm:ss`, with up to nine digits of fraction, cut to microseconds.
    fn instant(&mut self, text: &[u8]) -> Option<i64> {
        let (date, rest) = text.split_first_chunk::<DATE>()?;
        let (clock, fraction) = rest.split_at_checked(SECONDS - DATE)?;
        if *date != self.text {
            let whole = date[4] == b'-' && date[7] == b'-';
            let (year, month, day) =
                (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
            let date_of = |year| NaiveDate::from_ymd_opt(year, month, day);
            let parsed = i32::try_from(year).ok().filter(|_| whole).and_then(date_of)?;
            self.since_epoch = parsed.signed_duration_since(NaiveDate::default()).num_days();
            self.text = *date;
        }
        if [clock[0], clock[3], clock[6]] != *b" ::" {
            return None;
        }
        let [hour, minute, second] =
            [number(&clock[1..3])?, number(&clock[4..6])?, number(&clock[7..])?];
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = i64::from((hour * 60 + minute) * 60 + second);
        Some(self.since_epoch * MICROS_PER_DAY + seconds * 1_000_000 + micros(fraction)?)
    }
}

/// `.ffffff` with one to nine digits, or nothing.
fn micros(fraction: &[u8]) -> Option<i64> {
    let Some((point, digits)) = fraction.split_first() else { return Some(0) };
    if *point != b'.' || digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let nanos = number(digits)? * 10_u32.pow(9 - u32::try_from(digits.len()).ok()?);
    Some(i64::from(nanos / 1_000))
}

/// Up to nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |sum: u32, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn one(text: &str) -> Option<i64> {
        instants(&StringArray::from(vec![text])).ok().map(|times| times[0])
    }

    #[test]
    fn times_have_the_value_that_chrono_gives_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(20260131);
        let mut texts = Vec::new();
        for _ in 0..20_000 {
            let micros = rng.random_range(-62_000_000_000_000_000..253_000_000_000_000_000_i64);
            let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
            let form = ["%.6f", "", "%.3f", "%.9f"][rng.random_range(0..4)];
            let text = time.format(&format!("%Y-%m-%d %H:%M:%S{form}")).to_string();
            texts.extend(std::iter::repeat_n(text, rng.random_range(1..3)));
        }
        let fast = instants(&StringArray::from(texts.clone())).unwrap();
        for (text, fast) in texts.iter().zip(fast) {
            assert_eq!(Some(fast), slowly(text), "{text}");
            assert_eq!(Days::default().instant(text.as_bytes()), Some(fast), "{text}");
        }
    }

    /// Mangled texts are a time for both or for none.
    #[test]
    fn what_chrono_refuses_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut times = 0;
        for _ in 0..50_000 {
            let mut text = b"2026-02-28 23:59:58.123456".to_vec();
            for _ in 0..rng.random_range(1..3) {
                let place = rng.random_range(0..text.len());
                match rng.random_range(0..3) {
                    0 => text[place] = b"0123456789-: ./T"[rng.random_range(0..16)],
                    1 => text.truncate(place.max(1)),
                    _ => text.insert(place, b'0' + rng.random_range(0..10)),
                }
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(one(&text), slowly(&text), "{text}");
            times += usize::from(one(&text).is_some());
        }
        assert!((5_000..45_000).contains(&times), "{times}");
    }

    #[test]
    fn the_first_row_without_a_time_is_named() {
        let good = "2026-01-31 12:00:00.000000";
        for bad in [None, Some(""), Some("2026-02-30 12:00:00"), Some("2026-01-31T12:00:00")] {
            let texts = StringArray::from(vec![Some(good), Some(good), bad, Some(good)]);
            assert_eq!(instants(&texts), Err(2), "{bad:?}");
        }
        assert_eq!(instants(&StringArray::from(vec![Some("")])), Err(0));
    }
}
