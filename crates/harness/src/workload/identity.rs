//! Documents, names and contact data of persons that do not exist, with the noise of real input.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Letters of Portuguese in composed and decomposed form (Unicode NFC and NFD).
pub(crate) const ACCENTS: [(&str, &str); 12] = [
    ("á", "a\u{301}"),
    ("â", "a\u{302}"),
    ("ã", "a\u{303}"),
    ("ç", "c\u{327}"),
    ("é", "e\u{301}"),
    ("ê", "e\u{302}"),
    ("í", "i\u{301}"),
    ("ó", "o\u{301}"),
    ("ô", "o\u{302}"),
    ("õ", "o\u{303}"),
    ("ú", "u\u{301}"),
    ("Á", "A\u{301}"),
];

const GIVEN: [&str; 12] = [
    "Ana",
    "Bruno",
    "Conceição",
    "Davi",
    "Érica",
    "João",
    "Luís",
    "Márcia",
    "Otávio",
    "Renata",
    "Simões",
    "Ágata",
];
const FAMILY: [&str; 10] = [
    "Souza",
    "d'Ávila",
    "Gonçalves",
    "Lima",
    "Pêra",
    "Antônio",
    "Araújo",
    "Brandão",
    "Cunha",
    "Sá",
];
/// Area codes of the big cities.
const AREAS: [&str; 8] = ["11", "21", "31", "41", "51", "55", "61", "81"];
/// White space of several kinds, all of Unicode's `White_Space`.
const BLANKS: [&str; 5] = [" ", "  ", "\t", "\u{a0}", "\u{3000}"];

/// An element of a list that is not empty.
pub(crate) fn pick<'a, T: ?Sized>(rng: &mut ChaCha8Rng, list: &[&'a T]) -> &'a T {
    list[rng.random_range(0..list.len())]
}

fn digits(rng: &mut ChaCha8Rng, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect()
}

/// Appends the modulo-11 check digit of what is there; weights from 2 at the right end, back to 2
/// after `last`.
fn append_check_digit(stem: &mut String, last: u32) {
    let weights = (2..=last).cycle();
    let sum: u32 =
        stem.bytes().rev().zip(weights).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
    let digit = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    stem.push(char::from_digit(digit, 10).unwrap_or('0'));
}

/// Eleven digits of a valid CPF.
pub(crate) fn cpf(rng: &mut ChaCha8Rng) -> String {
    let mut cpf = digits(rng, 9);
    if cpf.bytes().all(|b| b == cpf.as_bytes()[0]) {
        cpf.replace_range(0..2, "12");
    }
    append_check_digit(&mut cpf, 11);
    append_check_digit(&mut cpf, 11);
    cpf
}

/// A CPF as people write it, at most fourteen characters.
pub(crate) fn written_cpf(rng: &mut ChaCha8Rng) -> String {
    let cpf = cpf(rng);
    let (a, b, c, d) = (&cpf[..3], &cpf[3..6], &cpf[6..9], &cpf[9..]);
    match rng.random_range(0..6) {
        0 | 1 => cpf,
        2 => format!("{a}{b}{c}-{d}"),
        3 => format!(" {cpf} "),
        _ => format!("{a}.{b}.{c}-{d}"),
    }
}

/// Fourteen characters of a valid CNPJ, half of them alphanumeric.
pub(crate) fn cnpj(rng: &mut ChaCha8Rng) -> String {
    let letters = rng.random_bool(0.5);
    let mut cnpj = String::from("1");
    for _ in 1..12 {
        let letter = letters && rng.random_bool(0.4);
        let first = if letter { b'A' } else { b'0' };
        let count = if letter { 26 } else { 10 };
        cnpj.push(char::from(first + rng.random_range(0..count)));
    }
    append_check_digit(&mut cnpj, 9);
    append_check_digit(&mut cnpj, 9);
    cnpj
}

/// A CNPJ in lower case or with blanks around it, at most eighteen characters.
pub(crate) fn written_cnpj(rng: &mut ChaCha8Rng) -> String {
    let cnpj = cnpj(rng);
    match rng.random_range(0..4) {
        0 => cnpj.to_lowercase(),
        1 => padded(rng, &cnpj),
        _ => cnpj,
    }
}

/// Blanks before and behind, at most four of them.
pub(crate) fn padded(rng: &mut ChaCha8Rng, text: &str) -> String {
    format!("{}{text}{}", pick(rng, &BLANKS), pick(rng, &BLANKS))
}

/// A name; some with blanks around and inside, some in decomposed letters.
pub(crate) fn full_name(rng: &mut ChaCha8Rng) -> String {
    let gap = if rng.random_bool(0.15) { pick(rng, &["  ", "\t", " \u{a0}"]) } else { " " };
    let name =
        [pick(rng, &GIVEN), pick(rng, &GIVEN), pick(rng, &FAMILY), pick(rng, &FAMILY)].join(gap);
    let name = if rng.random_bool(0.1) { decomposed(&name) } else { name };
    if rng.random_bool(0.15) { padded(rng, &name) } else { name }
}

fn decomposed(text: &str) -> String {
    ACCENTS.iter().fold(text.to_owned(), |text, (nfc, nfd)| text.replace(nfc, nfd))
}

/// An address below the reserved domains of RFC 2606; some in capitals, some with blanks.
pub(crate) fn email(rng: &mut ChaCha8Rng) -> String {
    let user = pick(rng, &["ana", "bruno.lima", "c+loja", "davi_s", "erica-2"]);
    let domain = pick(rng, &["example.com", "mail.example.org", "example.net"]);
    let address = format!("{user}{}@{domain}", digits(rng, 4));
    match rng.random_range(0..5) {
        0 => address.to_uppercase(),
        1 => padded(rng, &address),
        _ => address,
    }
}

/// A telephone number in one of the forms in which people write them.
pub(crate) fn phone(rng: &mut ChaCha8Rng) -> String {
    let area = pick(rng, &AREAS);
    let mobile = rng.random_bool(0.8);
    let (head, tail) = match mobile {
        true => (format!("9{}", digits(rng, 4)), digits(rng, 4)),
        false => (format!("3{}", digits(rng, 3)), digits(rng, 4)),
    };
    match rng.random_range(0..8) {
        0 => format!("{area}{head}{tail}"),
        1 => format!("({area}) {head}-{tail}"),
        2 => format!("0{area} {head}.{tail}"),
        3 => format!("0 15 {area} {head}-{tail}"),
        4 => format!("55{area}{head}{tail}"),
        5 => format!("+55 ({area}) {head}-{tail}"),
        6 => format!("0055 {area} {head}\u{a0}{tail}"),
        _ => format!("+55{area}{head}{tail}"),
    }
}

/// A postal code with or without its hyphen.
pub(crate) fn cep(rng: &mut ChaCha8Rng) -> String {
    let cep = digits(rng, 8);
    if rng.random_bool(0.5) { format!("{}-{}", &cep[..5], &cep[5..]) } else { cep }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};
    use medallion_definition::contract::{Check, Normaliser};
    use medallion_transforms::quality::{check, normalise};
    use rand::SeedableRng;

    use super::*;

    type Make = fn(&mut ChaCha8Rng) -> String;

    #[test]
    fn generated_documents_and_contacts_pass_their_checks_once_normalised() {
        let cases: [(Make, &[Normaliser], Check, usize); 8] = [
            (cpf, &[], Check::Cpf, 11),
            (written_cpf, &[Normaliser::Digits], Check::Cpf, 14),
            (cnpj, &[], Check::Cnpj, 14),
            (written_cnpj, &[Normaliser::Trim, Normaliser::Upper], Check::Cnpj, 18),
            (email, &[Normaliser::Email], Check::Email, 160),
            (phone, &[Normaliser::PhoneBr], Check::PhoneBr, 32),
            (cep, &[Normaliser::Digits], Check::Cep, 9),
            (full_name, &[Normaliser::Trim, Normaliser::NullIfEmpty], Check::NotNull, 160),
        ];
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (make, normalisers, rule, length) in cases {
            let texts: Vec<String> = (0..500).map(|_| make(&mut rng)).collect();
            assert!(texts.iter().all(|t| t.chars().count() <= length), "{rule:?}");
            let mut values: ArrayRef = Arc::new(StringArray::from(texts.clone()));
            for normaliser in normalisers {
                values = normalise(normaliser, &values).unwrap();
            }
            let passed = check(&rule, &values, 0).unwrap();
            let failed = (0..texts.len()).find(|i| !passed.value(*i)).map(|i| &texts[i]);
            assert_eq!(failed, None, "{rule:?}");
        }
    }

    #[test]
    fn composed_and_decomposed_letters_are_each_others_forms() {
        let composed: ArrayRef = Arc::new(StringArray::from_iter_values(ACCENTS.map(|a| a.0)));
        let decomposed: ArrayRef = Arc::new(StringArray::from_iter_values(ACCENTS.map(|a| a.1)));
        assert_eq!(&normalise(&Normaliser::Nfc, &decomposed).unwrap(), &composed);
    }
}
