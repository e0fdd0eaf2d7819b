//! Sizes and durations on the command line.

use chrono::{DateTime, Duration, Utc};

/// A number and the unit that follows it.
fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

/// A size in bytes: `256MiB`, `1GiB`, `500MB`, `4096`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err("expected a size such as `256MiB`, `1GiB` or `500MB`".to_owned()),
    };
    let number: u64 =
        digits.parse().map_err(|_| "expected a size such as `256MiB` or `1GiB`".to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("a size has to be greater than zero".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("the size is too large".to_owned()),
    }
}

/// A duration: `90s`, `5m`, `2h`, `1d`; `0s` is none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split(text);
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("expected a duration such as `90s`, `5m`, `2h` or `1d`".to_owned()),
    };
    let number: i64 =
        digits.parse().map_err(|_| "expected a duration such as `90s` or `5m`".to_owned())?;
    // A century is more than anybody waits, and less than what overflows a date.
    let bounded = number.checked_mul(seconds).filter(|s| *s <= 100 * 366 * 86_400);
    bounded.map(Duration::seconds).ok_or_else(|| "the duration is too long".to_owned())
}

/// A time with its offset: `2026-11-20T10:00:00Z`.
pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    time.map_err(|_| "expected a time with its offset, such as `2026-11-20T10:00:00Z`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, bytes) in
            [("256MiB", 256 << 20), ("1GiB", 1 << 30), ("500MB", 500_000_000), ("4096", 4096)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "1 GiB", "-1MiB", "1.5GiB", "1gib", "0", "0MiB", "99999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("2h", 7_200), ("1d", 86_400), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::seconds(seconds)), "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "5min", "1.5h", "99999999999999d", "40000d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
