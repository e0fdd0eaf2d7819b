//! Events: those in `fixtures/openlineage/events` are also judged by the specification's own schema
//! (`fixtures/openlineage/judge.py`).

use std::path::{Path, PathBuf};

use medallion_definition::name::Layer;
use serde_json::{Value, json};

use super::records::{gold, silver};
use super::{environment, lake, run};
use crate::runs::openlineage::{LineageEvent, LineagePlace};
use crate::runs::{CheckResult, CheckSeverity, Outcome};

/// Set to write the fixtures anew.
const WRITE: &str = "MEDALLION_WRITE_FIXTURES";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openlineage/events")
}

/// The facet that column lineage comes with: datasets are named as models name them.
fn facet() -> Value {
    let input = |field: &str, kind: &str, subtype: &str| {
        json!({
            "namespace": "shop",
            "name": "silver.crm_customers",
            "field": field,
            "transformations": [{ "type": kind, "subtype": subtype }],
        })
    };
    let name = "ColumnLineageDatasetFacet";
    json!({
        "_producer": "pkg:generic/medallion@0",
        "_schemaURL": format!("https://openlineage.io/spec/facets/1-2-0/{name}.json#/$defs/{name}"),
        "fields": {
            "region": { "inputFields": [input("region", "DIRECT", "IDENTITY")] },
            "customers": { "inputFields": [input("id", "DIRECT", "AGGREGATION")] },
        },
        "dataset": [input("region", "INDIRECT", "GROUP_BY")],
    })
}

fn check(name: &str, severity: CheckSeverity, failing: u64) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        kind: "not_null".to_owned(),
        column: Some("region".to_owned()),
        severity,
        passed: failing == 0,
        failing_rows: Some(failing),
    }
}

fn events() -> Vec<(&'static str, LineageEvent)> {
    let (lake, environment) = (lake(), environment());
    let place = LineagePlace { lake: &lake, environment: &environment };
    let mut published = gold(Outcome::Published);
    published.checks = vec![check("region:not_null", CheckSeverity::Warn, 1)];
    let reason = "1 row fails `region:not_null`".to_owned();
    let mut red = gold(Outcome::Red { reason });
    red.checks = vec![check("region:not_null", CheckSeverity::Error, 1)];
    vec![
        ("silver-start.json", place.started(&run(Layer::Silver, "crm_customers"))),
        ("silver-complete.json", place.ended(&silver(), None)),
        ("gold-start.json", place.started(&run(Layer::Gold, "by_region"))),
        ("gold-complete.json", place.ended(&published, Some(facet()))),
        ("gold-fail.json", place.ended(&red, Some(facet()))),
    ]
}

#[test]
fn events_are_as_they_were_judged() {
    for (name, event) in events() {
        let path = folder().join(name);
        // A new version of the program makes no other events.
        let text = format!("{:#}\n", event.body).replace(env!("CARGO_PKG_VERSION"), "0.0.0");
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert!(golden == text, "{name} is stale: look at it with {WRITE}=1");
    }
}

#[test]
fn events_of_a_run_lie_together() {
    let keys: Vec<String> = events().iter().map(|(_, event)| event.key()).collect();
    let of = |state: &str| {
        format!("runs/openlineage/2026-01-02/019b7c2f-1c00-7000-8000-0000000000a1-{state}.json")
    };
    assert_eq!(keys[3..], [of("complete"), of("fail")]);
    assert_eq!(keys[0], of("start"));
}

#[test]
fn lineage_names_the_datasets_that_events_name() {
    let (_, event) = events().swap_remove(3);
    let input = &event.body["inputs"][0];
    let lineage = &event.body["outputs"][0]["facets"]["columnLineage"];
    for field in [&lineage["fields"]["customers"]["inputFields"][0], &lineage["dataset"][0]] {
        assert_eq!((&field["name"], &field["namespace"]), (&input["name"], &input["namespace"]));
    }
    assert_eq!(input["name"], "table/shop_silver/crm_customers");
    assert_eq!(input["namespace"], "arn:aws:glue:sa-east-1:123456789012");
}

#[test]
fn silver_columns_come_from_bronze_and_normalised_ones_are_transformed() {
    let (_, event) = events().swap_remove(1);
    let outputs = event.body["outputs"].as_array().unwrap();
    let fields = |table: usize| &outputs[table]["facets"]["columnLineage"]["fields"];
    let how = |table: usize, column: &str| {
        let input = &fields(table)[column]["inputFields"][0];
        assert_eq!(input["name"], "table/shop_bronze/crm_customers", "{column}");
        let subtype = input["transformations"][0]["subtype"].as_str().unwrap().to_owned();
        (input["field"].as_str().unwrap().to_owned(), subtype)
    };
    let identity = |column: &str| (column.to_owned(), "IDENTITY".to_owned());
    let transformed = |column: &str| (column.to_owned(), "TRANSFORMATION".to_owned());
    assert_eq!(how(0, "id"), identity("id"));
    assert_eq!(how(0, "email"), transformed("email"));
    assert_eq!(how(0, "_changed_at"), transformed("dms_ts"));
    assert_eq!(how(2, "valid_to"), transformed("dms_ts"));
    assert!(outputs[1]["facets"].get("columnLineage").is_none(), "quarantine holds raw rows");
    let tags = &outputs[0]["facets"]["tags"]["tags"];
    assert_eq!(tags.as_array().unwrap().len(), 1);
    assert_eq!(tags[0]["field"], "email");
}

#[test]
fn only_runs_that_wrote_tell_how_much_and_the_others_name_their_tables_too() {
    let (lake, environment) = (lake(), environment());
    let place = LineagePlace { lake: &lake, environment: &environment };
    let statistics = |outcome: Outcome| {
        let event = place.ended(&gold(outcome), None);
        assert_eq!(event.body["inputs"][0]["name"], "table/shop_silver/crm_customers");
        event.body["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"].clone()
    };
    assert_eq!(statistics(Outcome::Published), 4);
    assert_eq!(statistics(Outcome::UpToDate), Value::Null);
    let event = place.ended(&silver(), None);
    assert_eq!(event.body["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 7);
    assert_eq!(event.body["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"], 9);
}
