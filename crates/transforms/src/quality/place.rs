//! Postal codes and federation units.

use medallion_definition::policy::UFS;

/// For each pair of letters, whether it is a federation unit.
static IS_UF: [bool; 26 * 26] = {
    let mut table = [false; 26 * 26];
    let mut i = 0;
    while i < UFS.len() {
        let uf = UFS[i].as_bytes();
        table[(uf[0] - b'A') as usize * 26 + (uf[1] - b'A') as usize] = true;
        i += 1;
    }
    table
};

/// True for eight digits.
pub(crate) fn is_cep(text: &str) -> bool {
    text.len() == 8 && text.bytes().fold(true, |all, b| all & b.is_ascii_digit())
}

/// True for the two upper-case letters of a federation unit.
pub(crate) fn is_uf(text: &str) -> bool {
    match text.as_bytes() {
        [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => {
            IS_UF[usize::from(a - b'A') * 26 + usize::from(b - b'A')]
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_27_federation_units_are_all_there_are() {
        let letters = || (0..=255_u8).map(char::from);
        let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        let units: Vec<String> = pairs.filter(|text| is_uf(text)).collect();
        assert_eq!(units, UFS.map(str::to_owned));
        for text in ["", "S", "SPA", " SP", "sp"] {
            assert!(!is_uf(text), "{text}");
        }
    }
}
