//! The transformations: what is added to the tables, and what must not be changed.

use std::collections::BTreeMap;

use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ as COLUMN};
use medallion_definition::contract::TableContract;
use serde_json::Value;

use super::Report;
use super::expect::{integer, same, scalar};
use super::mappings::Rule;
use super::rules::*;
use crate::dms::mapping::{
    CHANGE_SEQ_EXPRESSION, CHANGE_SEQ_LENGTH, decimals_above_limit, is_above_limit,
};

/// Digits of a sequence.
const SEQUENCE_DIGITS: i64 = 35;

/// The header and metadata fields that exist in expressions.
const FIELDS: [&str; 10] = [
    "$AR_H_STREAM_POSITION",
    "$AR_H_TIMESTAMP",
    "$AR_H_COMMIT_TIMESTAMP",
    "$AR_H_OPERATION",
    "$AR_H_USER",
    CHANGE_SEQ_EXPRESSION,
    "$AR_M_SOURCE_SCHEMA",
    "$AR_M_SOURCE_TABLE_NAME",
    "$AR_M_SOURCE_COLUMN_NAME",
    "$AR_M_SOURCE_COLUMN_DATATYPE",
];

/// What a transformation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    ChangeSeq,
    BeforeImage,
    DecimalAsText,
    /// Anything else changes what Bronze holds.
    Other,
}

/// Judges the transformations.
pub(super) fn transformations(
    rules: &[&Rule<'_>],
    contracts: &[TableContract],
    report: &mut Report,
) {
    two_actions(rules, contracts, report);
    for rule in rules {
        expression(rule, report);
        let touched = contracts.iter().filter(|c| rule.locator.matches(&c.table));
        let touched: Vec<&TableContract> = touched.collect();
        match purpose(rule, &touched) {
            Purpose::ChangeSeq => sequence_type(rule, report),
            Purpose::BeforeImage => before_image(rule, report),
            Purpose::DecimalAsText => {}
            Purpose::Other => {
                let Some(contract) = touched.first() else { continue };
                let action = rule.text("rule-action");
                let message =
                    format!("`{action}` changes what Bronze holds of `{}`", contract.table);
                let hint = "change names and values in Silver or Gold";
                report.add(BRONZE_CHANGED, &rule.path, message, hint);
            }
        }
    }
    for contract in contracts {
        additions(rules, contract, report);
    }
}

fn purpose(rule: &Rule<'_>, touched: &[&TableContract]) -> Purpose {
    let column = rule.text("rule-target") == "column";
    // `_` is a wildcard: one name may stand for several columns, of several tables.
    let changed = || {
        let columns = touched.iter().flat_map(|contract| &contract.columns);
        columns.filter(|column| rule.locator.matches_column(&column.name))
    };
    let wide = || changed().next().is_some() && changed().all(is_above_limit);
    match rule.text("rule-action") {
        "add-column" if column && rule.text("value") == COLUMN => Purpose::ChangeSeq,
        "add-before-image-columns" if column => Purpose::BeforeImage,
        "change-data-type" if column && wide() => Purpose::DecimalAsText,
        _ => Purpose::Other,
    }
}

/// Of two rules about one object DMS uses the one with the lower id.
fn two_actions(rules: &[&Rule<'_>], contracts: &[TableContract], report: &mut Report) {
    for (place, rule) in rules.iter().enumerate() {
        if rules[..place].iter().any(|earlier| collide(earlier, rule, contracts)) {
            let message = "another rule speaks of the same object";
            report.add(TWO_ACTIONS, &rule.path, message, "keep one of them");
        }
    }
}

/// True when both rules speak of one object: under the same names, or, through wildcards, in the
/// table of a contract. Rules of two tables may overlap because of a `_` in a name; they do no
/// harm when both say the same.
fn collide(a: &Rule<'_>, b: &Rule<'_>, contracts: &[TableContract]) -> bool {
    if a.text("rule-target") != b.text("rule-target") || object(a) != object(b) {
        return false;
    }
    let names = |rule: &Rule<'_>| (rule.locator.schema.to_owned(), rule.locator.table.to_owned());
    if names(a) == names(b) {
        return true;
    }
    let both = |c: &TableContract| a.locator.matches(&c.table) && b.locator.matches(&c.table);
    contracts.iter().any(both) && said(a) != said(b)
}

/// What a rule is about, within its tables.
fn object<'a>(rule: &Rule<'a>) -> &'a str {
    match rule.text("rule-action") {
        "add-column" => rule.text("value"),
        "add-before-image-columns" => "before image",
        _ => rule.locator.column,
    }
}

/// What a rule says, whatever its tables and its own name are.
fn said<'a>(rule: &Rule<'a>) -> BTreeMap<&'a str, &'a Value> {
    let own = ["rule-id", "rule-name", "object-locator"];
    let pairs = rule.value.as_object().into_iter().flatten();
    let pairs = pairs.map(|(key, value)| (key.as_str(), value));
    pairs.filter(|(key, _)| !own.contains(key)).collect()
}

fn expression(rule: &Rule<'_>, report: &mut Report) {
    let text = rule.text("expression");
    for part in text.split('$').skip(1) {
        let end = part.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(part.len());
        let field = format!("${}", &part[..end]);
        if field.starts_with("$AR_") && !FIELDS.contains(&field.as_str()) {
            let path = format!("{}/expression", rule.path);
            let hint = format!("known are {}", FIELDS.join(", "));
            report.add(HEADER_EXPRESSION, &path, format!("DMS has no `{field}`"), &hint);
        }
    }
}

fn sequence_type(rule: &Rule<'_>, report: &mut Report) {
    let data_type = scalar(rule.value.pointer("/data-type/type")).unwrap_or_default();
    let length = integer(rule.value.pointer("/data-type/length"));
    let text = ["string", "wstring"].iter().any(|known| same(known, &data_type));
    if !text || length.is_none_or(|length| length < SEQUENCE_DIGITS) {
        let path = format!("{}/data-type", rule.path);
        let message = format!("`{COLUMN}` has no room for {SEQUENCE_DIGITS} digits");
        let hint = format!("type string, length {CHANGE_SEQ_LENGTH}");
        report.add(CHANGE_SEQ_TYPE, &path, message, &hint);
    }
}

fn before_image(rule: &Rule<'_>, report: &mut Report) {
    let part =
        |key: &str| rule.value.pointer(&format!("/before-image-def/{key}")).and_then(Value::as_str);
    let right = part("column-prefix") == Some(BEFORE_IMAGE_PREFIX)
        && part("column-suffix").unwrap_or_default().is_empty()
        && part("column-filter") == Some("pk-only");
    if !right {
        let path = format!("{}/before-image-def", rule.path);
        let hint = format!("prefix {BEFORE_IMAGE_PREFIX}, no suffix, filter pk-only");
        report.add(BEFORE_IMAGE, &path, "the old key stands under other names", &hint);
    }
}

/// What every table needs.
fn additions(rules: &[&Rule<'_>], contract: &TableContract, report: &mut Report) {
    let of_table = || rules.iter().filter(|rule| rule.locator.matches(&contract.table));
    let sequence = |rule: &&&Rule<'_>| {
        purpose(rule, &[contract]) == Purpose::ChangeSeq
            && rule.text("expression") == CHANGE_SEQ_EXPRESSION
    };
    if of_table().find(sequence).is_none() {
        let message = format!("changes of `{}` could be ordered by time only", contract.table);
        let hint = format!("add-column `{COLUMN}` with the expression `{CHANGE_SEQ_EXPRESSION}`");
        report.add(CHANGE_SEQ, "/rules", message, &hint);
    }
    if !of_table().any(|rule| purpose(rule, &[contract]) == Purpose::BeforeImage) {
        let message = format!("a changed key of `{}` would leave its old row", contract.table);
        report.add(BEFORE_IMAGE, "/rules", message, "add-before-image-columns with pk-only");
    }
    for (column, digits) in decimals_above_limit(contract) {
        let as_text = |rule: &&Rule<'_>| {
            let data_type = scalar(rule.value.pointer("/data-type/type")).unwrap_or_default();
            rule.text("rule-action") == "change-data-type"
                && rule.locator.matches_column(column)
                && ["string", "wstring"].iter().any(|known| same(known, &data_type))
                && integer(rule.value.pointer("/data-type/length"))
                    .is_some_and(|length| length >= i64::from(digits) + 2)
        };
        if !of_table().any(as_text) {
            let message = format!("`{column}` of `{}` has {digits} digits", contract.table);
            let hint = format!("change-data-type to string, length {}", u32::from(digits) + 2);
            report.add(WIDE_DECIMAL, "/rules", message, &hint);
        }
    }
}
