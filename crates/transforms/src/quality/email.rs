//! E-mail addresses.

/// One `@` with something before it; behind it labels with dots between; no white space.
pub(crate) fn is_email(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|b| *b == b'@') else { return false };
    let (local, domain) = (&bytes[..at], &bytes[at + 1..]);
    let is_white = |b: &u8| matches!(b, b' ' | 9..=13);
    !local.is_empty()
        && !local.iter().any(is_white)
        && is_domain(domain)
        && (text.is_ascii() || !text.contains(char::is_whitespace))
}

/// At least two labels, none empty, without `@` and the white space of ASCII.
fn is_domain(domain: &[u8]) -> bool {
    let mut dots = 0;
    // The beginning counts as a dot: a label has to follow it.
    let mut after_dot = true;
    for byte in domain {
        match byte {
            b'@' | b' ' | 9..=13 => return false,
            b'.' if after_dot => return false,
            b'.' => {
                after_dot = true;
                dots += 1;
            }
            _ => after_dot = false,
        }
    }
    dots > 0 && !after_dot
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The same by splitting.
    fn plainly(text: &str) -> bool {
        let Some((local, domain)) = text.split_once('@') else { return false };
        !local.is_empty()
            && !domain.contains('@')
            && domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty())
            && !text.contains(char::is_whitespace)
    }

    #[test]
    fn addresses_are_told_as_by_splitting() {
        let pieces = ["a", "é", "@", ".", ".", " ", "\u{a0}", "\u{3000}", "\u{b}", ""];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut good = 0;
        for _ in 0..200_000 {
            let mut parts = ["a", "b", "@", "c", ".", "d"];
            for _ in 0..rng.random_range(0..4) {
                parts[rng.random_range(0..6)] = pieces[rng.random_range(0..pieces.len())];
            }
            let text = parts.concat();
            assert_eq!(is_email(&text), plainly(&text), "{text:?}");
            good += usize::from(is_email(&text));
        }
        assert!((40_000..160_000).contains(&good), "{good}");
    }
}
