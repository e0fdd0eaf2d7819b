//! The table mappings: shape of the rules, and which tables travel.

use std::collections::BTreeSet;

use medallion_definition::contract::TableContract;
use serde_json::Value;

use super::Report;
use super::expect::scalar;
use super::locator::Locator;
use super::rules::*;
use super::{loading, transformations};

/// One rule with its place.
pub(super) struct Rule<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    pub(super) locator: Locator<'a>,
}

impl<'a> Rule<'a> {
    /// A text of the rule, empty when it is missing.
    pub(super) fn text(&self, key: &str) -> &'a str {
        self.value.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, rule_type: &str) -> bool {
        self.text("rule-type") == rule_type
    }
}

/// Judges the mappings.
pub(super) fn mappings(document: &Value, contracts: &[TableContract], report: &mut Report) {
    let Some(list) = document.get("rules").and_then(Value::as_array) else {
        let hint = "write `{\"rules\": […]}`";
        report.add(RULE_SHAPE, "/rules", "there is no list of rules", hint);
        return;
    };
    let rules = shape(list, report);
    ids(list, report);
    let of = |rule_type: &str| -> Vec<&Rule<'_>> {
        rules.iter().filter(|rule| rule.is(rule_type)).collect()
    };
    selections(&of("selection"), contracts, report);
    transformations::transformations(&of("transformation"), contracts, report);
    loading::table_settings(&of("table-settings"), contracts, report);
}

/// The rules that can be judged further.
fn shape<'a>(list: &'a [Value], report: &mut Report) -> Vec<Rule<'a>> {
    const TYPES: [&str; 5] =
        ["selection", "transformation", "table-settings", "post-processing", "validation"];
    let mut rules = Vec::new();
    for (place, value) in list.iter().enumerate() {
        let path = format!("/rules/{place}");
        let rule_type = scalar(value.get("rule-type")).unwrap_or_default();
        if !TYPES.contains(&rule_type.as_str()) {
            let hint = format!("known are {}", TYPES.join(", "));
            let message = format!("the rule's type is `{rule_type}`");
            report.add(RULE_SHAPE, &format!("{path}/rule-type"), message, &hint);
            continue;
        }
        match Locator::of(value) {
            Some(locator) => rules.push(Rule { path, value, locator }),
            // Rules about schemas have no table; they rename.
            None if rule_type == "transformation" => {
                let hint = "name schema and table";
                let message = "a rule about whole schemas changes the names in Bronze";
                report.add(BRONZE_CHANGED, &path, message, hint);
            }
            None => {
                let hint = "name schema and table";
                let place = format!("{path}/object-locator");
                report.add(RULE_SHAPE, &place, "the rule names no table", hint);
            }
        }
    }
    rules
}

fn ids(list: &[Value], report: &mut Report) {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (place, rule) in list.iter().enumerate() {
        let id = scalar(rule.get("rule-id")).unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) || !ids.insert(id.clone()) {
            let path = format!("/rules/{place}/rule-id");
            let message = format!("`{id}` is no number of its own");
            report.add(RULE_ID, &path, message, "give every rule another number");
        }
        let name = scalar(rule.get("rule-name")).unwrap_or_default();
        if name.is_empty() || !names.insert(name.clone()) {
            let path = format!("/rules/{place}/rule-name");
            let message = format!("`{name}` is no name of its own");
            report.add(RULE_ID, &path, message, "give every rule another name");
        }
    }
}

fn selections(rules: &[&Rule<'_>], contracts: &[TableContract], report: &mut Report) {
    if rules.iter().all(|rule| rule.text("rule-action") == "exclude") {
        let hint = "add one selection per contract";
        report.add(NO_SELECTION, "/rules", "no rule selects a table", hint);
        return;
    }
    for rule in rules {
        selection(rule, contracts, report);
    }
    for contract in contracts {
        let selects = |rule: &&&Rule<'_>| match rule.text("rule-action") {
            "explicit" => rule.locator.is(&contract.table),
            "include" => rule.locator.matches(&contract.table),
            _ => false,
        };
        let excluded = rules.iter().find(|rule| {
            rule.text("rule-action") == "exclude" && rule.locator.matches(&contract.table)
        });
        let path = match (rules.iter().find(selects), excluded) {
            (Some(_), None) => continue,
            (_, Some(rule)) => rule.path.clone(),
            (None, None) => "/rules".to_owned(),
        };
        let message = format!("`{}` has a contract and is not selected", contract.table);
        report.add(TABLE_NOT_SELECTED, &path, message, "select it with `explicit`");
    }
}

/// What one selection takes along, and which rows.
fn selection(rule: &Rule<'_>, contracts: &[TableContract], report: &mut Report) {
    let locator = &rule.locator;
    let path = format!("{}/object-locator", rule.path);
    let shown = format!("`{}.{}`", locator.schema, locator.table);
    let filters = rule.value.get("filters").and_then(Value::as_array);
    if filters.is_some_and(|filters| !filters.is_empty()) {
        let path = format!("{}/filters", rule.path);
        let message = format!("rows of {shown} are filtered");
        report.add(SELECTION_FILTER, &path, message, "filter in Gold; Bronze holds everything");
    }
    match rule.text("rule-action") {
        "exclude" => {}
        "explicit"
            if format!("{}{}", locator.schema, locator.table).contains(['%', '"', '\'', '`']) =>
        {
            let hint = "DMS does not support such names in MySQL";
            report.add(OBJECT_NAME, &path, format!("{shown} is selected"), hint);
        }
        "explicit" if contracts.iter().any(|c| locator.is(&c.table)) => {}
        "include" if locator.is_pattern() => {
            let hint = "select with `explicit`; in `include` an underscore is written `[_]`";
            let message = format!("{shown} selects tables by wildcards");
            report.add(SELECTION_WITHOUT_CONTRACT, &path, message, hint);
        }
        "include" if contracts.iter().any(|c| locator.matches(&c.table)) => {}
        "explicit" | "include" => {
            let hint = "add its contract, or remove the rule";
            let message = format!("{shown} is selected and has no contract");
            report.add(SELECTION_WITHOUT_CONTRACT, &path, message, hint);
        }
        other => {
            let message = format!("a selection cannot `{other}`");
            let path = format!("{}/rule-action", rule.path);
            report.add(RULE_SHAPE, &path, message, "known are include, exclude, explicit");
        }
    }
}
