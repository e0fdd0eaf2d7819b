//! Doubles inside JSON documents, as the server prints them.

use std::fmt::Write as _;

/// The farthest place of the decimal point, on either side, for plain notation
/// (`MAX_DECPT_FOR_F_FORMAT` of the server's `dtoa.cc`).
const MAX_POINT: i32 = 15;

/// Appends a double: the shortest digits that read back as the same number, in plain notation
/// when the point is near and with an exponent otherwise, and marked as no integer.
pub(crate) fn push_double(out: &mut String, value: f64) {
    // `{:e}` gives the fewest digits, as `d.ddde-n`; as many again, but rounded from the exact
    // value with halves to even, are the server's.
    let fewest = format!("{:e}", value.abs());
    let places = fewest.find('e').unwrap_or_default().saturating_sub(2);
    let scientific = format!("{:.*e}", places, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // The value is 0.digits times ten to this.
    let point = exponent + 1;
    if value.is_sign_negative() {
        out.push('-');
    }
    let start = out.len();
    // Beyond that, still plain when digits stand behind the point.
    let reaches = usize::try_from(point).is_ok_and(|whole| digits.len() > whole);
    if point > -MAX_POINT && (point <= MAX_POINT || reaches) {
        push_plain(out, &digits, point);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            let _ = write!(out, ".{rest}");
        }
        let _ = write!(out, "e{exponent}");
    }
    if !out[start..].contains(['.', 'e']) {
        out.push_str(".0");
    }
}

fn push_plain(out: &mut String, digits: &str, point: i32) {
    let Ok(whole) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or_default());
        let _ = write!(out, "0.{zeros}{digits}");
        return;
    };
    match digits.split_at_checked(whole) {
        Some(("", fraction)) => {
            let _ = write!(out, "0.{fraction}");
        }
        Some((whole, "")) => out.push_str(whole),
        Some((whole, fraction)) => {
            let _ = write!(out, "{whole}.{fraction}");
        }
        None => {
            let _ = write!(out, "{digits:0<whole$}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_the_server_prints_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (120.0, "120.0"),
            (std::f64::consts::PI, "3.141592653589793"),
            (999_999_999_999_999.0, "999999999999999.0"),
            (1e15, "1e15"),
            // Half-way between two shortest texts.
            (-1_811_602_514_052_888.0 - 0.25, "-1811602514052888.2"),
            (1_125_899_906_842_624.0 + 0.75, "1125899906842624.8"),
            (-3_867_790_105_553_990.5, "-3867790105553990.5"),
            (9_007_199_254_740_992.0, "9.007199254740992e15"),
            (1_234_567_890_123_456.7, "1234567890123456.8"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (-1.5e-20, "-1.5e-20"),
            (1.7976931348623157e308, "1.7976931348623157e308"),
            (5e-324, "5e-324"),
        ];
        for (value, expected) in cases {
            let mut out = String::new();
            push_double(&mut out, value);
            assert_eq!(out, expected);
        }
    }
}
