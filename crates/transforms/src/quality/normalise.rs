//! Normalisers over text.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use medallion_definition::contract::Normaliser;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{QualityError, phone};

/// Applies a function that mostly leaves text as it is.
fn rewrite<'a>(
    text: Cow<'a, str>,
    is_done: impl FnOnce(&str) -> bool,
    change: impl FnOnce(&str) -> String,
) -> Cow<'a, str> {
    if is_done(&text) { text } else { Cow::Owned(change(&text)) }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => {
            rewrite(Cow::Owned(text), |t| t.len() == t.trim().len(), |t| t.trim().to_owned())
        }
    }
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for c in text.chars() {
        let white = c.is_whitespace();
        if !white {
            out.push(c);
        } else if !in_run {
            out.push(' ');
        }
        in_run = white;
    }
    out
}

/// Lower case without a copy for ASCII text that is in lower case already.
fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    rewrite(text, |t| t.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()), str::to_lowercase)
}

fn upper(text: Cow<'_, str>) -> Cow<'_, str> {
    rewrite(text, |t| t.bytes().all(|b| b.is_ascii() && !b.is_ascii_lowercase()), str::to_uppercase)
}

fn keep_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// One step; none stands for NULL.
fn step<'a>(normaliser: &Normaliser, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
    Some(match normaliser {
        Normaliser::Trim => trim(text),
        Normaliser::CollapseWhitespace => {
            rewrite(text, |t| !t.contains(char::is_whitespace), collapse)
        }
        Normaliser::Nfc => rewrite(text, is_nfc, |t| t.nfc().collect()),
        Normaliser::Lower => lower(text),
        Normaliser::Upper => upper(text),
        Normaliser::Digits => rewrite(text, |t| t.bytes().all(|b| b.is_ascii_digit()), keep_digits),
        Normaliser::NullIfEmpty if text.is_empty() => return None,
        Normaliser::NullIf(null) if *null == *text => return None,
        Normaliser::NullIfEmpty | Normaliser::NullIf(_) => text,
        Normaliser::PhoneBr => match phone::phone_br(&text) {
            Some(number) => Cow::Owned(number),
            None => text,
        },
        Normaliser::Email => lower(trim(text)),
    })
}

/// All normalisers of a column in their order; NULL stays NULL.
pub(crate) fn normalise_all(normalisers: &[Normaliser], values: &StringArray) -> StringArray {
    let mut out = StringBuilder::with_capacity(values.len(), values.value_data().len());
    for value in values {
        let start = value.map(Cow::Borrowed);
        let text = normalisers.iter().fold(start, |text, n| text.and_then(|text| step(n, text)));
        out.append_option(text);
    }
    out.finish()
}

/// Applies one normaliser to an array of text. White space is Unicode's `White_Space`.
///
/// # Errors
/// [`QualityError::RuleType`] when the array is no `Utf8`.
pub fn normalise(normaliser: &Normaliser, values: &ArrayRef) -> Result<ArrayRef, QualityError> {
    if *values.data_type() != DataType::Utf8 {
        let found = values.data_type().clone();
        return Err(QualityError::RuleType { rule: "normalise", found });
    }
    Ok(Arc::new(normalise_all(std::slice::from_ref(normaliser), values.as_string::<i32>())))
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn one(normaliser: &Normaliser, text: Option<&str>) -> Option<String> {
        let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let out = normalise(normaliser, &values).unwrap();
        out.as_string::<i32>().iter().next().unwrap().map(str::to_owned)
    }

    #[test]
    fn each_normaliser_does_what_the_contract_says() {
        let null_if = Normaliser::NullIf("N/A".to_owned());
        let cases = [
            (Normaliser::Trim, " \t\u{a0}a  b\u{3000}\n", Some("a  b")),
            (Normaliser::CollapseWhitespace, " a \t\n b\u{2003}\u{a0}c", Some(" a b c")),
            (Normaliser::Nfc, "Jose\u{301} Conceic\u{327}a\u{303}o", Some("José Conceição")),
            (Normaliser::Lower, "ÁRVORE Ab", Some("árvore ab")),
            (Normaliser::Upper, "são p", Some("SÃO P")),
            (Normaliser::Digits, "529.982.247-25", Some("52998224725")),
            (Normaliser::Digits, "٣n/a", Some("")),
            (Normaliser::NullIfEmpty, "", None),
            (Normaliser::NullIfEmpty, " ", Some(" ")),
            (null_if.clone(), "N/A", None),
            (null_if, "n/a", Some("n/a")),
            (Normaliser::PhoneBr, "(11) 98765-4321", Some("+5511987654321")),
            (Normaliser::PhoneBr, " ramal 12 ", Some(" ramal 12 ")),
            (Normaliser::Email, "  Ana.Lima@Example.COM\n", Some("ana.lima@example.com")),
        ];
        for (normaliser, text, expected) in cases {
            assert_eq!(
                one(&normaliser, Some(text)).as_deref(),
                expected,
                "{normaliser:?} {text:?}"
            );
        }
    }

    #[test]
    fn null_stays_null_and_other_types_are_refused() {
        assert_eq!(one(&Normaliser::Upper, None), None);
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let error = normalise(&Normaliser::Trim, &numbers).unwrap_err();
        assert!(matches!(error, QualityError::RuleType { found: DataType::Int32, .. }));
    }

    /// Text out of pieces that normalisers care about.
    fn noise(rng: &mut ChaCha8Rng) -> String {
        let pieces = [
            "a",
            "Z",
            "é",
            "e\u{301}",
            "Ç",
            "ß",
            "İ",
            " ",
            "\t",
            "\u{a0}",
            "\u{3000}",
            "0",
            "11",
            "55",
            "987654321",
            "+",
            "(",
            ")",
            "-",
            ".",
            "@",
            "N/A",
            "😀",
            "\u{301}",
            "\u{1e9b}\u{323}",
        ];
        (0..rng.random_range(0..8)).map(|_| pieces[rng.random_range(0..pieces.len())]).collect()
    }

    #[test]
    fn normalising_twice_equals_once() {
        let normalisers = [
            Normaliser::Trim,
            Normaliser::CollapseWhitespace,
            Normaliser::Nfc,
            Normaliser::Lower,
            Normaliser::Upper,
            Normaliser::Digits,
            Normaliser::NullIfEmpty,
            Normaliser::NullIf("N/A".to_owned()),
            Normaliser::PhoneBr,
            Normaliser::Email,
        ];
        let mut rng = ChaCha8Rng::seed_from_u64(20260131);
        for _ in 0..2_000 {
            let text = noise(&mut rng);
            for normaliser in &normalisers {
                let once = one(normaliser, Some(&text));
                let twice = one(normaliser, once.as_deref());
                assert_eq!(once, twice, "{normaliser:?} {text:?}");
            }
        }
    }
}
