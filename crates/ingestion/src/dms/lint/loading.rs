//! The table settings in the mappings: LOB limits and parallel load.

use std::collections::BTreeSet;

use medallion_definition::contract::TableContract;
use medallion_definition::types::MySqlType;
use serde_json::Value;

use super::Report;
use super::expect::{integer, scalar};
use super::mappings::Rule;
use super::rules::*;
use crate::dms::lob;

/// Judges the table settings.
pub(super) fn table_settings(
    rules: &[&Rule<'_>],
    contracts: &[TableContract],
    report: &mut Report,
) {
    let mut seen = BTreeSet::new();
    for rule in rules {
        let path = format!("{}/object-locator", rule.path);
        let shown = format!("`{}.{}`", rule.locator.schema, rule.locator.table);
        if !seen.insert(rule.locator.clone()) {
            let message = format!("{shown} has two rules with settings");
            report.add(TABLE_SETTINGS, &path, message, "write one rule with both settings");
            continue;
        }
        let Some(contract) = contracts.iter().find(|c| rule.locator.is(&c.table)) else {
            let message = format!("{shown} is no table of a contract");
            let hint = "settings name schema and table without wildcards";
            report.add(TABLE_SETTINGS, &path, message, hint);
            continue;
        };
        lobs(rule, contract, report);
        parallel_load(rule, contract, report);
    }
}

fn lobs(rule: &Rule<'_>, contract: &TableContract, report: &mut Report) {
    let Some(settings) = rule.value.get("lob-settings") else { return };
    let path = format!("{}/lob-settings", rule.path);
    match settings.get("mode").and_then(Value::as_str) {
        Some("unlimited") => {
            let hint = "mode limited, with a `bulk-max-size` that covers the table";
            let message = "the mode is `unlimited`, which S3 does not have";
            report.add(FULL_LOB_MODE, &format!("{path}/mode"), message, hint);
        }
        // The task's limit counts, which is judged with the settings.
        Some("none") => {}
        _ => {
            let limit = integer(settings.get("bulk-max-size")).unwrap_or_default();
            let limit = u64::try_from(limit).unwrap_or_default();
            let Some(needed) = lob::needed_kb(contract).filter(|kb| *kb > limit) else { return };
            let message = format!(
                "values of `{}` are cut at {limit} KB, and it needs {needed} KB",
                contract.table
            );
            let hint = "raise `bulk-max-size`, or promise a smaller `[load] lob_max_kb`";
            report.add(LOB_SIZE, &format!("{path}/bulk-max-size"), message, hint);
        }
    }
}

fn parallel_load(rule: &Rule<'_>, contract: &TableContract, report: &mut Report) {
    let Some(load) = rule.value.get("parallel-load") else { return };
    let path = format!("{}/parallel-load", rule.path);
    const HINT: &str = "type `ranges` with columns and boundaries, or `none`";
    match scalar(load.get("type")).as_deref() {
        Some("none") => return,
        Some("ranges") => {}
        other => {
            let other = other.unwrap_or_default();
            let message = format!("a load of type `{other}` writes into folders of its own");
            report.add(PARALLEL_LOAD, &format!("{path}/type"), message, HINT);
            return;
        }
    }
    let known = ["type", "columns", "boundaries"];
    for key in load.as_object().into_iter().flat_map(|load| load.keys()) {
        if !known.contains(&key.as_str()) {
            // Segments that have names get folders of these names.
            let message = format!("`{key}` may change the names of the files");
            report.add(PARALLEL_LOAD, &format!("{path}/{key}"), message, HINT);
        }
    }
    let list = |key: &str| load.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (columns, boundaries) = (list("columns"), list("boundaries"));
    if columns.is_empty() || columns.len() > 10 {
        let message = format!("ranges over {} columns", columns.len());
        report.add(PARALLEL_LOAD, &format!("{path}/columns"), message, "1 to 10 columns");
    }
    for (place, column) in columns.iter().enumerate() {
        if let Some(reason) = refused(column.as_str().unwrap_or_default(), contract) {
            let path = format!("{path}/columns/{place}");
            report.add(PARALLEL_LOAD, &path, reason, "rows that fit no range are not loaded");
        }
    }
    if boundaries.is_empty() {
        let message = "ranges without boundaries";
        report.add(PARALLEL_LOAD, &format!("{path}/boundaries"), message, "give at least one");
    }
    for (place, boundary) in boundaries.iter().enumerate() {
        if boundary.as_array().map(Vec::len) != Some(columns.len()) {
            let path = format!("{path}/boundaries/{place}");
            let message = "a boundary has not one value per column";
            report.add(PARALLEL_LOAD, &path, message, "in the order of the columns");
        }
    }
}

/// Why ranges cannot be cut by a column.
fn refused(name: &str, contract: &TableContract) -> Option<String> {
    let Some(column) = contract.columns.iter().find(|c| c.name.as_str() == name) else {
        return Some(format!("`{name}` is no column of `{}`", contract.table));
    };
    let source_type = &column.source_type;
    let unfit = matches!(
        source_type,
        MySqlType::Float | MySqlType::Double | MySqlType::Text(_) | MySqlType::Blob(_)
    );
    if unfit || lob::declared_kb(source_type).is_some() {
        return Some(format!("`{name}` is {source_type}, by which DMS cuts no range"));
    }
    column.nullable.then(|| format!("`{name}` may be NULL, and such rows are not loaded"))
}
