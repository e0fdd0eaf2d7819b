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
        assert_eq!(one(&normaliser, Some(text)).as_deref(), expected, "{normaliser:?} {text:?}");
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

/// The same by the plainest means, one copy per step.
fn plainly(normaliser: &Normaliser, text: String) -> Option<String> {
    Some(match normaliser {
        Normaliser::Trim => text.trim().to_owned(),
        Normaliser::CollapseWhitespace => {
            let mut out = String::new();
            for c in text.chars() {
                let c = if c.is_whitespace() { ' ' } else { c };
                if c != ' ' || !out.ends_with(' ') {
                    out.push(c);
                }
            }
            out
        }
        Normaliser::Nfc => text.nfc().collect(),
        Normaliser::Lower => text.to_lowercase(),
        Normaliser::Upper => text.to_uppercase(),
        Normaliser::Digits => text.chars().filter(char::is_ascii_digit).collect(),
        Normaliser::NullIfEmpty => return Some(text).filter(|text| !text.is_empty()),
        Normaliser::NullIf(null) => return Some(text).filter(|text| text != null),
        Normaliser::PhoneBr => phone::phone_br(&text).unwrap_or(text),
        Normaliser::Email => text.trim().to_lowercase(),
    })
}

#[test]
fn any_chain_of_normalisers_equals_its_steps() {
    let all = [
        Normaliser::Trim,
        Normaliser::CollapseWhitespace,
        Normaliser::Nfc,
        Normaliser::Lower,
        Normaliser::Upper,
        Normaliser::Digits,
        Normaliser::NullIfEmpty,
        Normaliser::NullIf("11".to_owned()),
        Normaliser::PhoneBr,
        Normaliser::Email,
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(4711);
    let (mut same, mut changed) = (0, 0);
    for _ in 0..3_000 {
        let chain: Vec<Normaliser> = (0..rng.random_range(1..4))
            .map(|_| all[rng.random_range(0..all.len())].clone())
            .collect();
        let mut text = || if rng.random_bool(0.2) { None } else { Some(noise(&mut rng)) };
        let texts: Vec<Option<String>> = (0..6).map(|_| text()).collect();
        let expected: StringArray = texts
            .iter()
            .map(|text| chain.iter().fold(text.clone(), |text, n| plainly(n, text?)))
            .collect();
        let values = StringArray::from(texts);
        match normalise_all(&chain, &values) {
            None => {
                same += 1;
                assert_eq!(values, expected, "{chain:?}");
            }
            Some(found) => {
                changed += 1;
                assert_eq!(found, expected, "{chain:?} {values:?}");
                assert_ne!(found, values, "{chain:?}");
            }
        }
    }
    assert!(same > 100 && changed > 1_000, "{same} {changed}");
}

#[test]
fn a_slice_is_normalised_as_the_array_that_it_shows() {
    let values = StringArray::from(vec![Some(" a"), None, Some("b"), Some(" c "), Some("")]);
    let chain = [Normaliser::Trim, Normaliser::NullIfEmpty];
    let expected = StringArray::from(vec![None, Some("b"), Some("c"), None]);
    assert_eq!(normalise_all(&chain, &values.slice(1, 4)), Some(expected));
    assert_eq!(normalise_all(&chain, &values.slice(1, 2)), None);
}

#[test]
fn what_is_normal_is_not_copied() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("José da Silva"), None, Some("")]));
    for normaliser in [Normaliser::Trim, Normaliser::CollapseWhitespace, Normaliser::Nfc] {
        assert!(Arc::ptr_eq(&normalise(&normaliser, &values).unwrap(), &values), "{normaliser:?}");
    }
}
