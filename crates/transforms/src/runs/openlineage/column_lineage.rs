//! Which columns a column is made of.

use std::collections::BTreeSet;

use medallion_definition::catalogue::{ENDED_SEQ, VALID_FROM, VALID_TO, history_name};
use medallion_definition::change::{CHANGE_SEQ, DMS_TS, OP, SILVER_CHANGE_SEQ, SILVER_CHANGED_AT};
use medallion_definition::contract::{Column, OnFail, TableContract};
use medallion_definition::name::Layer;
use serde_json::{Map, Value, json};

use super::dataset::column_name;
use super::facet::facet;
use super::{LineagePlace, dataset_name, namespace};
use crate::runs::TableRef;

/// The lineage of a contract's Silver or history table: every column comes from the Bronze column of
/// its name, and those that are normalised or cleared on their way are transformed.
pub(super) fn of_contract(
    place: &LineagePlace<'_>,
    contract: &TableContract,
    table: &TableRef,
) -> Value {
    let bronze = TableRef::new(Layer::Bronze, contract.table.lake_table());
    let field = |name: &str, kind: &str, subtype: &str| {
        json!({
            "namespace": namespace(place.environment),
            "name": dataset_name(place.lake, &bronze),
            "field": column_name(name),
            "transformations": [{ "type": kind, "subtype": subtype }],
        })
    };
    let one =
        |name: &str, subtype: &str| json!({ "inputFields": [field(name, "DIRECT", subtype)] });
    let mut fields = Map::new();
    for column in &contract.columns {
        let name = column.name.as_str();
        let subtype = if is_changed(contract, column) { "TRANSFORMATION" } else { "IDENTITY" };
        fields.insert(name.to_owned(), one(name, subtype));
    }
    // What is set when a change is applied comes from the change; the rest comes from the run.
    let is_history = table.table == history_name(contract);
    let (numbers, times): (&[&str], &[&str]) = match is_history {
        true => (&[SILVER_CHANGE_SEQ, ENDED_SEQ], &[VALID_FROM, VALID_TO]),
        false => (&[SILVER_CHANGE_SEQ], &[SILVER_CHANGED_AT]),
    };
    for number in numbers {
        fields.insert((*number).to_owned(), one(CHANGE_SEQ, "IDENTITY"));
    }
    for time in times {
        fields.insert((*time).to_owned(), one(DMS_TS, "TRANSFORMATION"));
    }
    let dataset = [field(OP, "INDIRECT", "FILTER"), field(CHANGE_SEQ, "INDIRECT", "SORT")];
    let lineage = json!({ "fields": fields, "dataset": dataset });
    facet("1-2-0", "ColumnLineageDatasetFacet", lineage)
}

/// True when a value may differ from the one in Bronze.
fn is_changed(contract: &TableContract, column: &Column) -> bool {
    let cleared = |on_fail: &OnFail| match on_fail {
        OnFail::NullField(name) => *name == column.name,
        OnFail::Quarantine | OnFail::Warn => false,
    };
    !column.normalisers.is_empty() || contract.row_rules.iter().any(|r| cleared(&r.on_fail))
}

/// A column lineage facet with the names of this place: input datasets that are named as models
/// name them, `silver.crm_customers`, get the name and namespace that events give them; others
/// keep theirs.
pub fn renamed(place: &LineagePlace<'_>, mut facet: Value) -> Value {
    let known: BTreeSet<TableRef> = place
        .lake
        .catalogue()
        .into_iter()
        .map(|table| TableRef::new(table.layer, table.name))
        .collect();
    let rename = |input: &mut Value| {
        let table = input["name"].as_str().and_then(|name| name.parse::<TableRef>().ok());
        if let Some(table) = table.filter(|table| known.contains(table)) {
            input["namespace"] = namespace(place.environment).into();
            input["name"] = dataset_name(place.lake, &table).into();
        }
    };
    if let Some(fields) = facet.get_mut("fields").and_then(Value::as_object_mut) {
        for field in fields.values_mut() {
            let inputs = field.get_mut("inputFields").and_then(Value::as_array_mut);
            inputs.into_iter().flatten().for_each(rename);
        }
    }
    let dataset = facet.get_mut("dataset").and_then(Value::as_array_mut);
    dataset.into_iter().flatten().for_each(rename);
    facet
}
