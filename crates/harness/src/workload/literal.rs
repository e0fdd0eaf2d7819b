//! SQL literals.

use std::fmt::Write as _;

/// The NULL literal.
pub(crate) const NULL: &str = "NULL";

/// A text literal; also right for dates, times, JSON, ENUM and SET.
pub(crate) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A literal of bytes.
pub(crate) fn bytes(value: &[u8]) -> String {
    let mut out = String::from("X'");
    for byte in value {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02X}");
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(text(r"d'Ávila \ o"), r"'d''Ávila \\ o'");
        assert_eq!(bytes(&[0, 255]), "X'00FF'");
        assert_eq!(bytes(&[]), "X''");
    }
}
