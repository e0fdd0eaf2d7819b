//! MySQL's decimals: the packed binary form of the binlog, and exact scaling of the text form.

/// Bytes that 0–9 decimal digits take in the packed form (MySQL manual, "Precision Math").
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// Digits in one full word of the packed form.
const WORD: usize = 9;

/// The bytes that a DECIMAL(precision, scale) takes.
pub(crate) fn packed_len(precision: usize, scale: usize) -> usize {
    let part = |digits: usize| digits / WORD * 4 + DIGIT_BYTES[digits % WORD];
    part(precision.saturating_sub(scale)) + part(scale)
}

/// The text of a packed decimal, as MySQL prints it: all digits of the scale, no leading zeros
/// but one. `None` when the bytes are not `packed_len` long or hold no decimal.
pub(crate) fn packed_text(precision: usize, scale: usize, packed: &[u8]) -> Option<String> {
    if scale > precision || packed.len() != packed_len(precision, scale) {
        return None;
    }
    let mut bytes = packed.to_vec();
    let first = bytes.first_mut()?;
    *first ^= 0x80;
    let negative = *first & 0x80 != 0;
    if negative {
        for byte in &mut bytes {
            *byte = !*byte;
        }
    }
    let whole_digits = precision - scale;
    let mut digits = String::with_capacity(precision + 3);
    let mut rest = bytes.as_slice();
    // The integer part begins with its short word, the fraction ends with it.
    push_word(&mut digits, &mut rest, whole_digits % WORD)?;
    for _ in 0..whole_digits / WORD {
        push_word(&mut digits, &mut rest, WORD)?;
    }
    for _ in 0..scale / WORD {
        push_word(&mut digits, &mut rest, WORD)?;
    }
    push_word(&mut digits, &mut rest, scale % WORD)?;
    let (whole, fraction) = digits.split_at(whole_digits);
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

/// Reads one word of `digits` digits and appends them, zero-padded.
fn push_word(out: &mut String, rest: &mut &[u8], digits: usize) -> Option<()> {
    let (word, tail) = rest.split_at_checked(DIGIT_BYTES[digits])?;
    *rest = tail;
    let value = word.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if value >= 10_u64.pow(u32::try_from(digits).ok()?) {
        return None;
    }
    if digits > 0 {
        out.push_str(&format!("{value:0digits$}"));
    }
    Some(())
}

/// The value times 10^scale. `None` when the text is no plain decimal, when digits would be lost,
/// or when the result has more than `precision` digits.
pub(crate) fn scaled(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = usize::from(scale);
    let (kept, lost) = fraction.split_at(fraction.len().min(scale));
    if lost.bytes().any(|b| b != b'0') {
        return None;
    }
    let padding = std::iter::repeat_n(b'0', scale - kept.len());
    let mut value = 0_i128;
    for digit in whole.bytes().chain(kept.bytes()).chain(padding) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    if value >= 10_i128.pow(u32::from(precision)) {
        return None;
    }
    Some(if negative { -value } else { value })
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
