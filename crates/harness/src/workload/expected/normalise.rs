use medallion_definition::contract::{Column, Normaliser};

use crate::workload::identity::ACCENTS;
use crate::workload::literal::text;

/// Unicode's `White_Space`, as a class of both ICU's and PCRE's regular expressions. TRIM knows
/// nothing but the space.
const WHITE: &str =
    r"\x{9}-\x{d} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}";

fn replace(expression: &str, pattern: &str, with: &str) -> String {
    format!("REGEXP_REPLACE({expression}, {}, {})", text(pattern), text(with))
}

fn trim(expression: &str) -> String {
    replace(expression, &format!(r"^[{WHITE}]+|[{WHITE}]+\z"), "")
}

/// Equal byte by byte; `=` would ignore trailing spaces.
fn equals(expression: &str, value: &str) -> String {
    format!("CAST({expression} AS BINARY) = CAST({} AS BINARY)", text(value))
}

/// Composes the letters that the workload decomposes; MySQL has no normal forms.
fn compose(expression: &str) -> String {
    ACCENTS.iter().fold(expression.to_owned(), |inner, (composed, decomposed)| {
        format!("REPLACE({inner}, {}, {})", text(decomposed), text(composed))
    })
}

/// E.164 by the forms in which numbers are written.
fn phone(column: &str) -> String {
    let bare = replace(column, &format!(r"[{WHITE}()./\-]"), "");
    let national = "[1-9]{2}[0-9]{8,9}";
    let forms = [
        (format!("^[+]55{national}$"), 2),
        (format!("^{national}$"), 1),
        (format!("^55{national}$"), 3),
        (format!("^0055{national}$"), 5),
        (format!("^0{national}$"), 2),
        (format!("^0[0-9]{{2}}{national}$"), 4),
    ];
    let mut out = String::from("CASE");
    for (position, (pattern, from)) in forms.iter().enumerate() {
        // With a plus in front, the country code is part of what is kept.
        let (prefix, from) = if position == 0 { ("+", *from) } else { ("+55", *from) };
        out.push_str(&format!(
            " WHEN {bare} REGEXP {} THEN CONCAT({}, SUBSTRING({bare}, {from}))",
            text(pattern),
            text(prefix)
        ));
    }
    format!("{out} ELSE {column} END")
}

/// The UPDATE that applies a normaliser to a column.
pub(super) fn update(table: &str, column: &Column, normaliser: &Normaliser) -> String {
    let name = format!("`{}`", column.name);
    let (value, condition) = match normaliser {
        Normaliser::Trim => (trim(&name), None),
        Normaliser::CollapseWhitespace => (replace(&name, &format!("[{WHITE}]+"), " "), None),
        Normaliser::Nfc => (compose(&name), None),
        Normaliser::Lower => (format!("LOWER({name})"), None),
        Normaliser::Upper => (format!("UPPER({name})"), None),
        Normaliser::Digits => (replace(&name, "[^0-9]", ""), None),
        Normaliser::NullIfEmpty => ("NULL".to_owned(), Some(equals(&name, ""))),
        Normaliser::NullIf(null) => ("NULL".to_owned(), Some(equals(&name, null))),
        Normaliser::PhoneBr => (phone(&name), None),
        Normaliser::Email => (format!("LOWER({})", trim(&name)), None),
    };
    let condition = condition.unwrap_or_else(|| format!("{name} IS NOT NULL"));
    format!("UPDATE {table} SET {name} = {value} WHERE {condition}")
}
