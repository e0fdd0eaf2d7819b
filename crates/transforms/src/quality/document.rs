//! Check digits of Brazilian documents.

/// Remainder of a weighted sum turned into a check digit: 0 for remainders below two.
fn check_digit(sum: u32) -> u32 {
    match sum % 11 {
        0 | 1 => 0,
        remainder => 11 - remainder,
    }
}

fn all_equal(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair[0] == pair[1])
}

/// True for eleven digits whose last two are check digits (weights 10…2 and 11…2, modulo 11);
/// eleven equal digits pass that arithmetic, yet are never given out.
pub fn is_cpf(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 11 || !bytes.iter().all(u8::is_ascii_digit) || all_equal(bytes) {
        return false;
    }
    [9, 10].iter().all(|&position| {
        let weights = (2..=position as u32 + 1).rev();
        let sum = bytes.iter().zip(weights).map(|(b, w)| u32::from(b - b'0') * w).sum();
        u32::from(bytes[position] - b'0') == check_digit(sum)
    })
}

/// True for fourteen characters with CNPJ check digits. The first twelve may be upper-case letters
/// (Receita Federal, Instrução Normativa 2.229/2024, in use from July 2026): a character counts as
/// its ASCII code minus 48, the weights 2…9 run from right to left as in the numeric form.
/// Fourteen equal characters are never given out.
pub fn is_cnpj(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 14 || all_equal(bytes) {
        return false;
    }
    let (stem, digits) = bytes.split_at(12);
    let stem_fits = stem.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if !stem_fits || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    [12, 13].iter().all(|&position| {
        let weights = (2..=9).cycle();
        let sum = bytes[..position]
            .iter()
            .rev()
            .zip(weights)
            .map(|(b, w): (&u8, u32)| u32::from(b - b'0') * w)
            .sum();
        u32::from(bytes[position] - b'0') == check_digit(sum)
    })
}

#[cfg(test)]
mod tests {
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
}
