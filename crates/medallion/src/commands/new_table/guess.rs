//! What a column's name and type tell about it, in Portuguese and English.
//!
//! A guess that is wrong in the closed direction costs a look at the contract; one that is wrong
//! in the open direction shows personal data. So names that may speak of a person are personal.

use medallion_definition::types::{IntWidth, LobLength, MySqlType};

use super::words::{self, Meaning};

/// What is proposed for a column, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    /// True when the column is taken for personal.
    pub(super) personal: bool,
    /// Names of normalisers, in their order.
    pub(super) normalisers: Vec<&'static str>,
    /// Names of checks.
    pub(super) checks: Vec<&'static str>,
    /// Why, for a comment.
    pub(super) because: String,
}

/// The kinds of type that a meaning makes sense for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Date,
    Large,
    Other,
}

fn kind(source: &MySqlType) -> Kind {
    match source {
        MySqlType::Char { .. } | MySqlType::Text(LobLength::Tiny) => Kind::Text,
        MySqlType::Text(_) | MySqlType::Blob(_) | MySqlType::Json => Kind::Large,
        MySqlType::Int { .. } | MySqlType::Decimal { .. } => Kind::Number,
        MySqlType::Date | MySqlType::DateTime(_) | MySqlType::Timestamp(_) => Kind::Date,
        _ => Kind::Other,
    }
}

/// From this length on a VARCHAR is taken for free text.
const FREE_TEXT: u32 = 256;

/// Proposes sensitivity, normalisers and checks of a column.
pub(super) fn guess(name: &str, source: &MySqlType) -> Guess {
    let kind = kind(source);
    // Yes or no about a person's e-mail is no e-mail, and when it was sent is none either.
    let choice = is_flag(source) || matches!(source, MySqlType::Enum(_) | MySqlType::Set(_));
    let found = words::meaning(name).filter(|meaning| {
        !(choice && meaning.is_text_only())
            && (kind != Kind::Date || *meaning == Meaning::Birth)
            && (*meaning != Meaning::Region || matches!(source, MySqlType::Char { length: 2, .. }))
    });
    let Some(meaning) = found else { return by_type(source, kind) };
    let (normalisers, checks) = rules(meaning, kind, source);
    let because = format!("the name says {}", meaning.as_str());
    Guess { personal: meaning.is_personal(), normalisers, checks, because }
}

fn is_flag(source: &MySqlType) -> bool {
    matches!(source, MySqlType::Bit(1) | MySqlType::Int { width: IntWidth::Tiny, .. })
}

/// What is left when the name says nothing.
fn by_type(source: &MySqlType, kind: Kind) -> Guess {
    let personal = match source {
        MySqlType::Char { length, .. } => *length >= FREE_TEXT,
        _ => kind == Kind::Large,
    };
    let because = match (personal, source) {
        (true, MySqlType::Json | MySqlType::Blob(_)) => {
            format!("{source} may hold anything about a person")
        }
        (true, _) => format!("free text ({source}) may hold anything about a person"),
        (false, MySqlType::Enum(_) | MySqlType::Set(_)) => {
            "the type lists the values that it accepts".to_owned()
        }
        (false, _) => "neither name nor type speak of a person".to_owned(),
    };
    Guess { personal, because, ..Guess::default() }
}

type Rules = (Vec<&'static str>, Vec<&'static str>);

fn rules(meaning: Meaning, kind: Kind, source: &MySqlType) -> Rules {
    if meaning == Meaning::Birth && kind == Kind::Date {
        return (Vec::new(), vec!["not_future"]);
    }
    if !source.is_text() {
        return Rules::default();
    }
    match meaning {
        Meaning::Cpf => (vec!["digits", "null_if_empty"], vec!["cpf"]),
        Meaning::Cnpj => (vec!["trim", "upper", "null_if_empty"], vec!["cnpj"]),
        Meaning::Email => (vec!["email", "null_if_empty"], vec!["email"]),
        Meaning::Phone => (vec!["phone_br", "null_if_empty"], vec!["phone_br"]),
        Meaning::PostalCode => (vec!["digits", "null_if_empty"], vec!["cep"]),
        Meaning::Region => (vec!["trim", "upper"], vec!["uf"]),
        Meaning::PersonName => {
            (vec!["nfc", "trim", "collapse_whitespace", "null_if_empty"], Vec::new())
        }
        Meaning::Address | Meaning::CpfOrCnpj | Meaning::Document => {
            (vec!["trim", "collapse_whitespace", "null_if_empty"], Vec::new())
        }
        Meaning::Birth
        | Meaning::Secret
        | Meaning::Network
        | Meaning::Trait
        | Meaning::Money
        | Meaning::Place
        | Meaning::Account
        | Meaning::Note => Rules::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(name: &str, source: &str) -> (bool, String, String) {
        let guess = guess(name, &source.parse().unwrap());
        (guess.personal, guess.normalisers.join(","), guess.checks.join(","))
    }

    #[test]
    fn names_of_personal_data_are_known_in_both_languages() {
        let cases = [
            ("cpf", "varchar(14)", true, "digits,null_if_empty", "cpf"),
            ("nr_cpf", "bigint", true, "", ""),
            ("cpf_cnpj", "varchar(18)", true, "trim,collapse_whitespace,null_if_empty", ""),
            ("cnpj", "char(14)", false, "trim,upper,null_if_empty", "cnpj"),
            ("e_mail", "varchar(90)", true, "email,null_if_empty", "email"),
            ("email2", "varchar(90)", true, "email,null_if_empty", "email"),
            ("telefone_celular", "varchar(20)", true, "phone_br,null_if_empty", "phone_br"),
            ("phones", "varchar(20)", true, "phone_br,null_if_empty", "phone_br"),
            ("data_nascimento", "date", true, "", "not_future"),
            ("ano_nasc", "year", true, "", ""),
            ("cep", "char(8)", true, "digits,null_if_empty", "cep"),
            ("uf", "char(2)", false, "trim,upper", "uf"),
            ("nome", "varchar(90)", true, "nfc,trim,collapse_whitespace,null_if_empty", ""),
            ("full_name", "text", true, "nfc,trim,collapse_whitespace,null_if_empty", ""),
            ("endereco", "varchar(90)", true, "trim,collapse_whitespace,null_if_empty", ""),
            ("senha_hash", "varchar(90)", true, "", ""),
            ("email_hash", "char(64)", true, "", ""),
            ("senha", "varchar(90)", true, "", ""),
            ("ip_address", "varbinary(16)", true, "", ""),
            ("sexo", "enum('m','f')", true, "", ""),
            ("tax_id", "varchar(20)", true, "trim,collapse_whitespace,null_if_empty", ""),
            ("credit_limit", "decimal(12,2)", true, "", ""),
        ];
        for (name, source, personal, normalisers, checks) in cases {
            let expected = (personal, normalisers.to_owned(), checks.to_owned());
            assert_eq!(guessed(name, source), expected, "{name} {source}");
        }
    }

    #[test]
    fn a_word_about_a_thing_is_not_the_thing() {
        for (name, source) in [
            ("email_type", "varchar(10)"),
            ("email_verified", "tinyint(1)"),
            ("email_sent", "bit(1)"),
            ("email_sent_at", "datetime"),
            ("phone_kind", "enum('a','b')"),
            ("address_id", "bigint unsigned"),
            ("id_endereco", "int"),
            ("state", "varchar(20)"),
            ("product_name", "varchar(90)"),
            ("nome_fantasia", "varchar(90)"),
            ("recipe", "varchar(90)"),
            ("avatar_hash", "binary(16)"),
            ("shipped_at", "datetime"),
        ] {
            assert_eq!(guessed(name, source), (false, String::new(), String::new()), "{name}");
        }
    }

    #[test]
    fn what_may_hold_anything_is_closed() {
        for source in ["text", "json", "mediumblob", "varchar(256)", "longtext"] {
            assert!(guessed("extra", source).0, "{source}");
        }
        for source in ["varchar(255)", "tinytext", "varbinary(16)", "int", "time"] {
            assert!(!guessed("extra", source).0, "{source}");
        }
    }
}
