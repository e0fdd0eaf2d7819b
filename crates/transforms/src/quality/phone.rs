//! Brazilian telephone numbers.

const COUNTRY: &str = "55";
/// The most digits in which a number is written: `00`, the country, the area, nine digits.
const MOST_DIGITS: usize = 15;

/// True for an area code (two digits, none of them zero) and a number of eight or nine digits.
fn is_national(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    matches!(bytes.len(), 10 | 11)
        && bytes.iter().all(u8::is_ascii_digit)
        && bytes[..2].iter().all(|b| *b != b'0')
}

/// True for E.164 with country code 55: `+551130211234`, `+5511987654321`.
pub fn is_phone_br(text: &str) -> bool {
    text.strip_prefix('+').and_then(|t| t.strip_prefix(COUNTRY)).is_some_and(is_national)
}

/// Area code and number out of the forms in which people write them.
fn national(digits: &str, international: bool) -> Option<&str> {
    if international {
        return digits.strip_prefix(COUNTRY).filter(|d| is_national(d));
    }
    // `00` calls abroad, `0` calls another area, `0xx` does so through the carrier xx. Eleven
    // digits that begin with 55 are a mobile number of the area 55, not a short number.
    let candidates = [
        Some(digits),
        digits.strip_prefix(COUNTRY),
        digits.strip_prefix("00").and_then(|d| d.strip_prefix(COUNTRY)),
        digits.strip_prefix('0'),
        digits.strip_prefix('0').and_then(|d| d.get(2..)),
    ];
    candidates.into_iter().flatten().find(|d| is_national(d))
}

/// ASCII text of a few bytes.
#[derive(Default)]
pub(crate) struct Short {
    bytes: [u8; MOST_DIGITS],
    length: usize,
}

impl Short {
    /// Appends a byte of ASCII, or says that there is no room.
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII is pushed.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// The number in E.164, or nothing when it cannot be a Brazilian number. See [`phone_br`].
pub(crate) fn e164(text: &str) -> Option<Short> {
    let mut digits = Short::default();
    let mut international = false;
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(u8::try_from(c).ok()?)?,
            '(' | ')' | '-' | '.' | '/' => {}
            '+' if digits.length == 0 && !international => international = true,
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    let number = national(digits.as_str(), international)?;
    let mut e164 = Short::default();
    ["+", COUNTRY, number].iter().flat_map(|part| part.bytes()).try_for_each(|b| e164.push(b))?;
    Some(e164)
}

/// The number in E.164, or nothing when it cannot be a Brazilian number.
///
/// White space and the signs `( ) - . /` are punctuation, a `+` may stand in front. The country
/// code may be there or not, as may a leading `0`, `0` and a carrier, or `00`.
pub fn phone_br(text: &str) -> Option<String> {
    e164(text).map(|number| number.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_e164_in_whichever_form_they_come() {
        let mobile = "+5511987654321";
        let landline = "+551130211234";
        let cases = [
            ("11987654321", mobile),
            ("(11) 98765-4321", mobile),
            ("011 98765.4321", mobile),
            ("0 15 11 98765-4321", mobile),
            ("+55 11 98765-4321", mobile),
            ("55 11 98765 4321", mobile),
            ("0055 11 98765-4321", mobile),
            ("+5511987654321", mobile),
            ("1130211234", landline),
            ("(11) 3021-1234", landline),
            ("551130211234", landline),
            ("0211130211234", landline),
            ("011 3021-1234", landline),
            ("55 99123-4567", "+5555991234567"),
            ("5532201234", "+555532201234"),
        ];
        for (text, expected) in cases {
            assert_eq!(phone_br(text).as_deref(), Some(expected), "{text}");
            assert!(is_phone_br(expected));
        }
    }

    #[test]
    fn what_cannot_be_a_brazilian_number_has_no_e164_form() {
        let cases =
            ["", "  ", "190", "987654321", "+1 212 555 0123", "11 98765-432a", "0190000000"];
        for text in cases {
            assert_eq!(phone_br(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_exact_form_is_a_number() {
        for text in ["5511987654321", "+55 11987654321", "+5510987654321", "+55119876543210", "+55"]
        {
            assert!(!is_phone_br(text), "{text}");
        }
    }
}
