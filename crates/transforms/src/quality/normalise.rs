//! Normalisers over text. Most text is normal already: such text is found out without a copy, and
//! an array of nothing else comes back as it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use medallion_definition::contract::Normaliser;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{QualityError, phone};

/// Tab to carriage return, and the space: the white space of ASCII.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

fn is_trimmed(text: &str) -> bool {
    match (text.as_bytes().first(), text.as_bytes().last()) {
        (Some(first), Some(last)) if first.is_ascii() && last.is_ascii() => {
            !is_white(*first) && !is_white(*last)
        }
        _ => text.trim().len() == text.len(),
    }
}

/// True when all white space is single spaces.
fn is_collapsed(text: &str) -> bool {
    let mut after_space = false;
    for byte in text.bytes() {
        if !byte.is_ascii() {
            return is_collapsed_beyond_ascii(text);
        }
        let white = is_white(byte);
        if white && (byte != b' ' || after_space) {
            return false;
        }
        after_space = white;
    }
    true
}

fn is_collapsed_beyond_ascii(text: &str) -> bool {
    let mut after_space = false;
    text.chars().all(|c| {
        let white = c.is_whitespace();
        let fits = !white || (c == ' ' && !after_space);
        after_space = white;
        fits
    })
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

/// True for what no case mapping or composition touches, or false when that takes a closer look.
/// Below U+0300, whose first byte is 0xCC, there is nothing to compose.
fn is_composed(text: &str) -> bool {
    text.bytes().fold(true, |all, b| all & (b < 0xCC)) || is_nfc(text)
}

fn is_lower(text: &str) -> bool {
    text.bytes().fold(true, |all, b| all & (b.is_ascii() & !b.is_ascii_uppercase()))
}

fn is_upper(text: &str) -> bool {
    text.bytes().fold(true, |all, b| all & (b.is_ascii() & !b.is_ascii_lowercase()))
}

/// True when the normaliser leaves the text as it is. False says nothing.
fn is_normal(normaliser: &Normaliser, text: &str) -> bool {
    match normaliser {
        Normaliser::Trim => is_trimmed(text),
        Normaliser::CollapseWhitespace => is_collapsed(text),
        Normaliser::Nfc => is_composed(text),
        Normaliser::Lower => is_lower(text),
        Normaliser::Upper => is_upper(text),
        Normaliser::Digits => text.bytes().fold(true, |all, b| all & b.is_ascii_digit()),
        Normaliser::NullIfEmpty => !text.is_empty(),
        Normaliser::NullIf(null) => null != text,
        Normaliser::PhoneBr => phone::is_phone_br(text),
        Normaliser::Email => is_lower(text) && is_trimmed(text),
    }
}

fn trim(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.drain(..text.len() - text.trim_start().len());
}

fn lower(text: &mut String) {
    if text.is_ascii() { text.make_ascii_lowercase() } else { *text = text.to_lowercase() }
}

/// One step in place; false when the text becomes NULL.
fn step(normaliser: &Normaliser, text: &mut String) -> bool {
    match normaliser {
        Normaliser::Trim => trim(text),
        Normaliser::CollapseWhitespace => *text = collapse(text),
        Normaliser::Nfc => *text = text.nfc().collect(),
        Normaliser::Lower => lower(text),
        Normaliser::Upper if text.is_ascii() => text.make_ascii_uppercase(),
        Normaliser::Upper => *text = text.to_uppercase(),
        Normaliser::Digits => text.retain(|c| c.is_ascii_digit()),
        Normaliser::NullIfEmpty => return !text.is_empty(),
        Normaliser::NullIf(null) => return null != text,
        Normaliser::PhoneBr => {
            if let Some(number) = phone::e164(text) {
                text.clear();
                text.push_str(number.as_str());
            }
        }
        Normaliser::Email => {
            trim(text);
            lower(text);
        }
    }
    true
}

/// What became of one text.
enum Normalised<'a> {
    Same,
    Null,
    Text(&'a str),
}

/// All steps; `scratch` is room for the text in between.
fn normalised<'a>(
    normalisers: &[Normaliser],
    text: &str,
    scratch: &'a mut String,
) -> Normalised<'a> {
    if normalisers.iter().all(|n| is_normal(n, text)) {
        return Normalised::Same;
    }
    scratch.clear();
    scratch.push_str(text);
    if !normalisers.iter().all(|n| is_normal(n, scratch) || step(n, scratch)) {
        return Normalised::Null;
    }
    if scratch == text { Normalised::Same } else { Normalised::Text(scratch) }
}

/// All normalisers of a column in their order; NULL stays NULL. Nothing when no text changes.
pub(crate) fn normalise_all(
    normalisers: &[Normaliser],
    values: &StringArray,
) -> Option<StringArray> {
    let mut scratch = String::new();
    let mut out: Option<StringBuilder> = None;
    for row in 0..values.len() {
        if values.is_null(row) {
            out.iter_mut().for_each(StringBuilder::append_null);
            continue;
        }
        match (normalised(normalisers, values.value(row), &mut scratch), &mut out) {
            (Normalised::Same, None) => {}
            (Normalised::Same, Some(out)) => out.append_value(values.value(row)),
            (Normalised::Null, out) => begun(out, values, row).append_null(),
            (Normalised::Text(text), out) => begun(out, values, row).append_value(text),
        }
    }
    out.map(|mut out| out.finish())
}

/// The array being built; it begins with the rows before this one, which stay as they are.
fn begun<'a>(
    out: &'a mut Option<StringBuilder>,
    values: &StringArray,
    row: usize,
) -> &'a mut StringBuilder {
    out.get_or_insert_with(|| {
        let mut begun = StringBuilder::with_capacity(values.len(), values.value_data().len());
        values.iter().take(row).for_each(|value| begun.append_option(value));
        begun
    })
}

/// Applies one normaliser to an array of text, which comes back as it is when nothing changes.
/// White space is Unicode's `White_Space`.
///
/// # Errors
/// [`QualityError::RuleType`] when the array is no `Utf8`.
pub fn normalise(normaliser: &Normaliser, values: &ArrayRef) -> Result<ArrayRef, QualityError> {
    if *values.data_type() != DataType::Utf8 {
        let found = values.data_type().clone();
        return Err(QualityError::RuleType { rule: "normalise", found });
    }
    match normalise_all(std::slice::from_ref(normaliser), values.as_string::<i32>()) {
        Some(changed) => Ok(Arc::new(changed)),
        None => Ok(Arc::clone(values)),
    }
}

#[cfg(test)]
mod tests;
