//! Check digits of Brazilian documents.

/// The check digit after these characters, as its ASCII code. A character counts as its code minus
/// 48; the weights run upwards from 2 at the right end and begin again after `last`.
fn check_digit(characters: &[u8], last: u32) -> u8 {
    let mut weight = 2;
    let mut sum = 0;
    for character in characters.iter().rev() {
        sum += u32::from(character - b'0') * weight;
        weight = if weight == last { 2 } else { weight + 1 };
    }
    match sum % 11 {
        0 | 1 => b'0',
        // At most 9: the remainder is at least two.
        remainder => b'0' + (11 - remainder) as u8,
    }
}

fn all_equal(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, b| all & (*b == bytes[0]))
}

/// True for eleven digits whose last two are check digits (weights 10…2 and 11…2, modulo 11);
/// eleven equal digits pass that arithmetic, yet are never given out.
pub fn is_cpf(text: &str) -> bool {
    let Ok(bytes) = <&[u8; 11]>::try_from(text.as_bytes()) else { return false };
    bytes.iter().fold(true, |all, b| all & b.is_ascii_digit())
        && !all_equal(bytes)
        && bytes[9] == check_digit(&bytes[..9], 11)
        && bytes[10] == check_digit(&bytes[..10], 11)
}

/// True for fourteen characters with CNPJ check digits. The first twelve may be upper-case letters
/// (Receita Federal, Instrução Normativa 2.229/2024, in use from July 2026): a character counts as
/// its ASCII code minus 48, the weights 2…9 run from right to left as in the numeric form.
/// Fourteen equal characters are never given out.
pub fn is_cnpj(text: &str) -> bool {
    let Ok(bytes) = <&[u8; 14]>::try_from(text.as_bytes()) else { return false };
    let stem_fits = |b: &u8| b.is_ascii_digit() | b.is_ascii_uppercase();
    bytes[..12].iter().fold(true, |all, b| all & stem_fits(b))
        && bytes[12..].iter().all(u8::is_ascii_digit)
        && !all_equal(bytes)
        && bytes[12] == check_digit(&bytes[..12], 9)
        && bytes[13] == check_digit(&bytes[..13], 9)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_cpf_needs_its_two_check_digits() {
        let good = ["52998224725", "11144477735", "12345678909", "00000000191"];
        for text in good {
            assert!(is_cpf(text), "{text}");
        }
        let bad = [
            "52998224724",
            "52998224735",
            "25998224725",
            "11111111111",
            "00000000000",
            "5299822472",
            "529982247255",
            "529.982.247-25",
            "5299822472A",
            "５２９９８２２４７２５",
            "",
        ];
        for text in bad {
            assert!(!is_cpf(text), "{text}");
        }
    }

    #[test]
    fn a_cnpj_is_numeric_or_alphanumeric() {
        let good = ["11222333000181", "00000000000191", "33000167000101", "12ABC34501DE35"];
        for text in good {
            assert!(is_cnpj(text), "{text}");
        }
        let bad = [
            "11222333000180",
            "11222333000191",
            "12ABC34501DE36",
            "12ABC34501DE3A",
            "12abc34501de35",
            "12.ABC.345/01DE-35",
            "00000000000000",
            "1122233300018",
            "12ÃBC3450DE35",
            "",
        ];
        for text in bad {
            assert!(!is_cnpj(text), "{text}");
        }
    }

    /// The usual second form of the arithmetic: ascending weights, the remainder itself is the
    /// digit, and ten is zero.
    fn ascending(characters: &[u8], weights: impl Iterator<Item = u32>) -> u8 {
        let weighted = characters.iter().rev().zip(weights);
        let sum: u32 = weighted.map(|(b, w)| u32::from(b - b'0') * w).sum();
        b'0' + u8::try_from(sum % 11 % 10).unwrap()
    }

    fn is_document(text: &str, stem: usize, weights: impl Iterator<Item = u32> + Clone) -> bool {
        let bytes = text.as_bytes();
        let letters = stem == 12;
        let fits = |(i, b): (usize, &u8)| {
            b.is_ascii_digit() || (letters && i < stem && b.is_ascii_uppercase())
        };
        bytes.len() == stem + 2
            && bytes.iter().enumerate().all(fits)
            && bytes.iter().any(|b| *b != bytes[0])
            && (stem..stem + 2).all(|i| bytes[i] == ascending(&bytes[..i], weights.clone()))
    }

    #[test]
    fn check_digits_agree_with_the_second_form_of_the_arithmetic() {
        let mut rng = ChaCha8Rng::seed_from_u64(2026);
        let mut good = [0; 2];
        for round in 0..40_000 {
            let alphabet = if round % 2 == 0 { b'9' } else { b'Z' };
            let character = |rng: &mut ChaCha8Rng| loop {
                let byte = rng.random_range(b'0'..=alphabet);
                if byte.is_ascii_alphanumeric() {
                    break byte;
                }
            };
            let mut cpf: Vec<u8> = (0..9).map(|_| rng.random_range(b'0'..=b'9')).collect();
            let mut cnpj: Vec<u8> = (0..12).map(|_| character(&mut rng)).collect();
            for _ in 0..2 {
                cpf.push(ascending(&cpf, (0..=9).rev()));
                cnpj.push(ascending(&cnpj, (2..=9).rev().cycle()));
            }
            if rng.random_bool(0.5) {
                let place = rng.random_range(0..14);
                cpf[place % 11] = rng.random_range(b'.'..=b'<');
                cnpj[place] = rng.random_range(b'.'..=b'a');
            }
            let (cpf, cnpj) = (String::from_utf8(cpf).unwrap(), String::from_utf8(cnpj).unwrap());
            assert_eq!(is_cpf(&cpf), is_document(&cpf, 9, (0..=9).rev()), "{cpf}");
            assert_eq!(is_cnpj(&cnpj), is_document(&cnpj, 12, (2..=9).rev().cycle()), "{cnpj}");
            good[0] += usize::from(is_cpf(&cpf));
            good[1] += usize::from(is_cnpj(&cnpj));
        }
        assert!(good.iter().all(|n| (20_000..30_000).contains(n)), "{good:?}");
    }
}
