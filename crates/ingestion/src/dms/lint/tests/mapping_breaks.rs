//! Ways to break the rules about table mappings.

use serde_json::{Value, json};

use super::breaks::{Break, MAPPINGS, add_rule, remove, set};
use crate::dms::lint::rules::*;

/// A rule with an id of its own.
fn rule(rule_type: &str, action: &str, table: &str, more: Value) -> Value {
    let mut rule = json!({
        "rule-type": rule_type, "rule-id": "900", "rule-name": "more", "rule-action": action,
        "object-locator": { "schema-name": "crm", "table-name": table },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        rule[key] = value.clone();
    }
    rule
}

pub(super) fn selections() -> Vec<Break> {
    let select = |action, table| rule("selection", action, table, json!({}));
    vec![
        set(JSON, MAPPINGS, "", json!("no mappings")),
        set(RULE_SHAPE, MAPPINGS, "/rules", json!("all")),
        add_rule(RULE_SHAPE, rule("selektion", "include", "customers", json!({}))),
        add_rule(RULE_SHAPE, select("take", "customers")),
        set(RULE_ID, MAPPINGS, "/rules/1/rule-id", json!("1")),
        set(RULE_ID, MAPPINGS, "/rules/1/rule-id", json!("one")),
        set(RULE_ID, MAPPINGS, "/rules/1/rule-name", json!("select_crm_customers")),
        remove(NO_SELECTION, MAPPINGS, "selections"),
        remove(TABLE_NOT_SELECTED, MAPPINGS, "/rules/1"),
        add_rule(TABLE_NOT_SELECTED, select("exclude", "order%")),
        add_rule(SELECTION_WITHOUT_CONTRACT, select("explicit", "secrets")),
        add_rule(SELECTION_WITHOUT_CONTRACT, select("include", "%")),
        set(SELECTION_WITHOUT_CONTRACT, MAPPINGS, "/rules/1/rule-action", json!("include")),
        set(SELECTION_FILTER, MAPPINGS, "/rules/0/filters", json!([{ "column-name": "id" }])),
        add_rule(OBJECT_NAME, select("explicit", "50%")),
        add_rule(OBJECT_NAME, select("explicit", "it's")),
    ]
}

pub(super) fn transformations() -> Vec<Break> {
    let transform = |action: &str, table: &str, more: Value| {
        let mut rule = rule("transformation", action, table, more);
        rule["rule-target"] = json!("column");
        rule
    };
    let column = |name: &str| {
        json!({
            "object-locator": { "schema-name": "crm", "table-name": "customers", "column-name": name }
        })
    };
    let at = |rule, path, value| set(rule, MAPPINGS, path, value);
    let schema = json!({
        "rule-type": "transformation", "rule-id": "900", "rule-name": "more",
        "rule-target": "schema", "rule-action": "rename", "value": "raw",
        "object-locator": { "schema-name": "crm" },
    });
    let sequence = json!({
        "value": "change_seq", "expression": "$AR_H_CHANGE_SEQ",
        "data-type": { "type": "string", "length": 50 },
    });
    let longer = json!({
        "value": "change_seq", "expression": "$AR_H_CHANGE_SEQ",
        "data-type": { "type": "string", "length": 60 },
    });
    vec![
        remove(CHANGE_SEQ, MAPPINGS, "/rules/2"),
        at(CHANGE_SEQ, "/rules/2/expression", json!("$AR_H_COMMIT_TIMESTAMP")),
        at(CHANGE_SEQ_TYPE, "/rules/2/data-type/length", json!(30)),
        at(CHANGE_SEQ_TYPE, "/rules/2/data-type", json!({ "type": "numeric", "length": 50 })),
        add_rule(
            HEADER_EXPRESSION,
            transform("add-column", "others", json!({ "expression": "$AR_H_TRANSACTION_ID" })),
        ),
        remove(BEFORE_IMAGE, MAPPINGS, "/rules/4"),
        at(BEFORE_IMAGE, "/rules/4/before-image-def/column-prefix", json!("OLD_")),
        at(BEFORE_IMAGE, "/rules/4/before-image-def/column-filter", json!("all")),
        add_rule(TWO_ACTIONS, transform("add-column", "customers", sequence)),
        add_rule(TWO_ACTIONS, transform("add-column", "custom_rs", longer)),
        at(BRONZE_CHANGED, "/rules/6/object-locator/table-name", json!("%")),
        at(BRONZE_CHANGED, "/rules/6/object-locator/column-name", json!("_____")),
        add_rule(BRONZE_CHANGED, transform("remove-column", "customers", column("cpf"))),
        add_rule(BRONZE_CHANGED, transform("data-masking-hash-mask", "customers", column("cpf"))),
        add_rule(BRONZE_CHANGED, transform("convert-uppercase", "%", json!({}))),
        add_rule(BRONZE_CHANGED, schema),
        remove(WIDE_DECIMAL, MAPPINGS, "/rules/6"),
        at(WIDE_DECIMAL, "/rules/6/data-type/length", json!(60)),
    ]
}

pub(super) fn loading() -> Vec<Break> {
    let at = |rule, path, value| set(rule, MAPPINGS, path, value);
    let load = "/rules/7/parallel-load";
    let eleven: Vec<&str> = vec!["id"; 11];
    let boundary: Vec<&str> = vec!["1"; 11];
    let range = |columns: Value, boundaries: Value| json!({ "type": "ranges", "columns": columns, "boundaries": boundaries });
    vec![
        at(LOB_SIZE, "/rules/7/lob-settings/bulk-max-size", json!("299")),
        at(FULL_LOB_MODE, "/rules/7/lob-settings/mode", json!("unlimited")),
        at(PARALLEL_LOAD, load, range(json!(eleven), json!([boundary]))),
        at(PARALLEL_LOAD, load, range(json!(["id"]), json!([["1", "2"]]))),
        at(PARALLEL_LOAD, load, range(json!(["id"]), json!([]))),
        at(PARALLEL_LOAD, load, range(json!(["nobody"]), json!([["1"]]))),
        at(PARALLEL_LOAD, load, range(json!(["cpf"]), json!([["1"]]))),
        at(PARALLEL_LOAD, load, range(json!(["score"]), json!([["1"]]))),
        at(PARALLEL_LOAD, load, range(json!(["notes"]), json!([["1"]]))),
        at(PARALLEL_LOAD, load, json!({ "type": "partitions-auto" })),
        at(PARALLEL_LOAD, load, json!({ "type": "subpartitions-auto" })),
        at(PARALLEL_LOAD, load, json!({ "type": "partitions-list", "partitions": ["p0"] })),
        at(PARALLEL_LOAD, load, json!({})),
        at(PARALLEL_LOAD, "/rules/7/parallel-load/segment-names", json!(["a", "b", "c"])),
        at(TABLE_SETTINGS, "/rules/7/object-locator/table-name", json!("cust%")),
        add_rule(TABLE_SETTINGS, rule("table-settings", "", "customers", json!({}))),
    ]
}
