//! MySQL's decimals: the packed binary form of the binlog, and exact scaling of the text form.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Bytes that 0–9 decimal digits take in the packed form (MySQL manual, "Precision Math").
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// Digits in one full word of the packed form.
const WORD: usize = 9;
/// Powers of ten up to that of a full word.
const POWERS: [u32; WORD + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The bytes that a DECIMAL(precision, scale) takes.
pub(crate) fn packed_len(precision: usize, scale: usize) -> usize {
    let part = |digits: usize| digits / WORD * 4 + DIGIT_BYTES[digits % WORD];
    part(precision.saturating_sub(scale)) + part(scale)
}

/// The text of a packed decimal, as MySQL prints it: all digits of the scale, no leading zeros
/// but one. `None` when the bytes are not `packed_len` long or hold no decimal.
pub(crate) fn packed_text(precision: usize, scale: usize, packed: &[u8]) -> Option<String> {
    let mut digits = String::with_capacity(precision + 3);
    let negative = packed_words(precision, scale, packed, |value, width| {
        if width > 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(digits, "{value:0width$}");
        }
    })?;
    let (whole, fraction) = digits.split_at(precision - scale);
    let whole = whole.trim_start_matches('0');
    let mut text = String::with_capacity(digits.len() + 3);
    text.push_str(if negative { "-" } else { "" });
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        text.push('.');
        text.push_str(fraction);
    }
    Some(text)
}

/// A packed decimal of at most 38 digits, times 10^scale. `None` when the bytes are not
/// `packed_len` long or hold no decimal.
pub(crate) fn packed_scaled(precision: usize, scale: usize, packed: &[u8]) -> Option<i128> {
    let mut value = 0_i128;
    let negative = packed_words(precision, scale, packed, |word, digits| {
        value = value * i128::from(POWERS[digits]) + i128::from(word);
    })?;
    Some(if negative { -value } else { value })
}

/// Reads the words of a packed decimal, each with its number of digits, and tells whether it is
/// negative.
fn packed_words(
    precision: usize,
    scale: usize,
    packed: &[u8],
    mut take: impl FnMut(u32, usize),
) -> Option<bool> {
    if scale > precision || packed.len() != packed_len(precision, scale) {
        return None;
    }
    // The sign is the upper bit, inverted; all bits of a negative number are inverted.
    let negative = packed.first()? & 0x80 == 0;
    let flip = if negative { 0xFF } else { 0 };
    let mut rest = packed;
    let mut first = 0x80;
    let mut word = |digits: usize| {
        let (bytes, tail) = rest.split_at_checked(DIGIT_BYTES[digits])?;
        rest = tail;
        let mut value = 0;
        for byte in bytes {
            value = value << 8 | u32::from(byte ^ flip ^ std::mem::take(&mut first));
        }
        if value >= POWERS[digits] {
            return None;
        }
        take(value, digits);
        Some(())
    };
    // The integer part begins with its short word, the fraction ends with it.
    let whole = precision - scale;
    word(whole % WORD)?;
    for _ in 0..whole / WORD + scale / WORD {
        word(WORD)?;
    }
    word(scale % WORD)?;
    Some(negative)
}

/// The text without the zeros that ZEROFILL puts before the number in query results.
pub(crate) fn without_zerofill(text: &str) -> Cow<'_, str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let bare = digits.trim_start_matches('0');
    if bare.len() == digits.len() {
        return Cow::Borrowed(text);
    }
    // One digit stands before the point.
    let zero = if bare.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    if zero.len() + bare.len() == digits.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{sign}{zero}{bare}"))
}

/// The most digits that fit 64 bits whatever they are.
const SHORT: usize = 18;

/// The value times 10^scale. `None` when the text is no plain decimal, when digits would be lost,
/// or when the result has more than `precision` digits.
pub(crate) fn scaled(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let point = unsigned.iter().position(|byte| *byte == b'.').unwrap_or(unsigned.len());
    let (whole, fraction) = unsigned.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    let scale = usize::from(scale);
    let (kept, lost) = fraction.split_at(fraction.len().min(scale));
    if whole.is_empty() || lost.iter().any(|byte| *byte != b'0') {
        return None;
    }
    let zeros = u32::try_from(scale - kept.len()).ok()?;
    let value = if whole.len() + scale <= SHORT {
        let value = digits(kept, digits(whole, 0)?)?;
        i128::from(value * 10_u64.pow(zeros))
    } else {
        let mut value = 0_i128;
        for chunk in whole.chunks(SHORT).chain(kept.chunks(SHORT)) {
            let power = 10_i128.pow(u32::try_from(chunk.len()).ok()?);
            value = value.checked_mul(power)?.checked_add(digits(chunk, 0)?.into())?;
        }
        value.checked_mul(10_i128.checked_pow(zeros)?)?
    };
    if value >= 10_i128.pow(u32::from(precision)) {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// The number whose decimal form is that of `value` followed by these digits.
fn digits(text: &[u8], mut value: u64) -> Option<u64> {
    for byte in text {
        value = value * 10 + u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_example_unpacks() {
        // "1234567890.1234" as DECIMAL(14,4), MySQL source, `decimal2bin`.
        let packed = [0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2];
        assert_eq!(packed_text(14, 4, &packed).unwrap(), "1234567890.1234");
        let negative = packed.map(|byte: u8| !byte);
        assert_eq!(packed_text(14, 4, &negative).unwrap(), "-1234567890.1234");
    }

    #[test]
    fn both_readings_of_the_packed_form_agree() {
        let mut random = 0x9E37_79B9_u32;
        for case in 0..20_000_usize {
            let (precision, scale) = (1 + case % 38, case / 38 % 39);
            if scale > precision {
                continue;
            }
            let mut packed = vec![0; packed_len(precision, scale)];
            for byte in &mut packed {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Mostly small, so that many words hold as many digits as they may.
                *byte = (random >> 24) as u8 & if random & 3 == 0 { 0xFF } else { 0x07 };
            }
            let text = packed_text(precision, scale, &packed);
            let number = text.map(|text| {
                scaled(&text, u8::try_from(precision).unwrap(), u8::try_from(scale).unwrap())
                    .unwrap()
            });
            assert_eq!(packed_scaled(precision, scale, &packed), number, "case {case}");
        }
    }

    #[test]
    fn zeros_are_kept_behind_the_point_and_dropped_before_it() {
        assert_eq!(packed_text(5, 2, &[0x80, 0x00, 0x00]).unwrap(), "0.00");
        assert_eq!(packed_text(5, 2, &[0x80, 0x07, 0x05]).unwrap(), "7.05");
        assert_eq!(packed_text(3, 3, &[0x80, 0x05]).unwrap(), "0.005");
        assert_eq!(packed_text(4, 0, &[0x80, 0x2A]).unwrap(), "42");
    }

    #[test]
    fn bytes_that_hold_no_decimal_are_refused() {
        assert_eq!(packed_text(5, 2, &[0x80, 0x00]), None);
        assert_eq!(packed_text(5, 2, &[0x80, 0x00, 0x64]), None, "a hundred is no two digits");
        assert_eq!(packed_text(1, 2, &[0x80]), None);
    }

    #[test]
    fn zeros_of_zerofill_are_no_part_of_a_number() {
        let cases = [
            ("007.05", "7.05"),
            ("000.05", "0.05"),
            ("0.05", "0.05"),
            ("-0.50", "-0.50"),
            ("000", "0"),
            ("0", "0"),
            ("-12", "-12"),
            ("100", "100"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_zerofill(text), expected);
        }
    }

    #[test]
    fn scaling_is_exact_or_refused() {
        assert_eq!(scaled("123.45", 5, 2), Some(12345));
        assert_eq!(scaled("-0.5", 5, 2), Some(-50));
        assert_eq!(scaled("7", 5, 2), Some(700));
        assert_eq!(scaled("1.2300", 5, 2), Some(123));
        assert_eq!(scaled("1.234", 5, 2), None);
        assert_eq!(scaled("1000.00", 5, 2), None);
        for text in ["", "-", ".5", "1e3", "+1", "1.2.3", "NaN"] {
            assert_eq!(scaled(text, 5, 2), None, "{text}");
        }
        let nines = "9".repeat(38);
        assert_eq!(scaled(&nines, 38, 0), Some(10_i128.pow(38) - 1));
        assert_eq!(scaled(&format!("-{nines}"), 38, 0), Some(1 - 10_i128.pow(38)));
    }
}
