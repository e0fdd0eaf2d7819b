//! What stands in a record, and where it lies.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use medallion_definition::name::Layer;
use medallion_tables::store::StoreError;
use medallion_tables::warehouse::WarehouseError;
use serde_json::json;

use super::{at, lake, observed, run};
use crate::error::TransformError;
use crate::gold::{GoldReport, Version};
use crate::history::{HistoryBalance, HistoryCommitted, HistoryOutcome};
use crate::runs::store::{is_wanted, parse};
use crate::runs::{
    ErrorClass, Observed, Outcome, RunError, RunMode, RunRecord, SilverObserved, TableRef,
    gold_record, silver_record,
};
use crate::silver::{Balance, SETTLE, SilverOutcome, SilverRun, Waiting};

pub(super) fn committed() -> SilverOutcome {
    SilverOutcome::Committed {
        files: 2,
        balance: Balance {
            read: 9,
            inserted: 5,
            updated: 2,
            deleted: 1,
            quarantined: 1,
            ..Balance::default()
        },
        warnings: BTreeMap::from([("no_region".to_owned(), 3)]),
        snapshot: 11,
        waiting: None,
    }
}

pub(super) fn silver() -> RunRecord {
    let lake = lake();
    let balance = HistoryBalance { read: 9, began: 7, ..Default::default() };
    let history = HistoryCommitted { files: 2, balance, snapshot: 12 };
    let history = HistoryOutcome { committed: Some(history), waiting: None };
    let result = Ok(SilverRun { silver: committed(), history: Ok(Some(history)) });
    let seen = SilverObserved {
        silver: Some(observed(
            11,
            &[
                ("total-records", "20"),
                ("total-position-deletes", "3"),
                ("total-data-files", "2"),
                ("total-files-size", "4096"),
                ("medallion.mode", "merge"),
            ],
        )),
        quarantine: Some(observed(7, &[("total-records", "1")])),
        history: Some(observed(12, &[("total-records", "31")])),
    };
    silver_record(&run(Layer::Silver, "crm_customers"), at(1_250), &lake.tables[0], &result, &seen)
}

/// A run of the model whose table says that it was built from snapshot 11 of the customers.
pub(super) fn gold(outcome: Outcome) -> RunRecord {
    let lake = lake();
    let seen = observed(
        21,
        &[
            ("total-records", "4"),
            ("added-records", "4"),
            ("deleted-records", "3"),
            ("medallion.inputs", r#"{"silver.crm_customers":11}"#),
        ],
    );
    let model = &lake.models[0];
    let run = run(Layer::Gold, "by_region");
    let published = outcome == Outcome::Published;
    let report = GoldReport {
        mode: "full",
        because: None,
        inputs: [("silver.crm_customers".to_owned(), Version::Snapshot(11))].into(),
        input_rows: [("silver.crm_customers".to_owned(), 17)].into(),
        keys: None,
        rows: 4,
        inserted: 4,
        deleted: 3,
        snapshot: 21,
        branch: None,
        checks: Vec::new(),
    };
    let report = published.then_some(&report);
    gold_record(&run, at(80), &lake, model, outcome, report, Some(&seen))
}

#[test]
fn a_record_is_flat_and_comes_back_as_it_was() {
    let record = silver();
    let value = serde_json::to_value(&record).unwrap();
    let expected = json!({
        "version": 1,
        "run_id": "019b7c2f-1c00-7000-8000-0000000000a1",
        "job": "silver.crm_customers",
        "engine": "native",
        "code_version": env!("CARGO_PKG_VERSION"),
        "started": "2026-01-02T00:00:00Z",
        "ended": "2026-01-02T00:00:01.250Z",
        "seconds": 1.25,
        "outcome": "committed",
        "mode": "merge",
        "inputs": [{ "table": "bronze.crm_customers", "files": 2, "rows": 9 }],
        "output": {
            "table": "silver.crm_customers", "snapshot": 11, "rows": 17, "files": 2,
            "bytes": 4096, "rows_inserted": 5, "rows_deleted": 1,
        },
        "further_outputs": [
            { "table": "quarantine.crm_customers", "snapshot": 7, "rows": 1 },
            { "table": "silver.crm_customers_history", "snapshot": 12, "rows": 31 },
        ],
        "checks": [
            {
                "name": "contract", "kind": "contract", "severity": "quarantine",
                "passed": false, "failing_rows": 1,
            },
            {
                "name": "no_region", "kind": "row_rule", "severity": "warn",
                "passed": false, "failing_rows": 3,
            },
        ],
        "counters": value["counters"],
    });
    assert_eq!(value, expected);
    let counter = |name: &str| value["counters"][name].as_u64();
    assert_eq!((counter("read"), counter("stale")), (Some(9), Some(0)));
    assert_eq!(counter("history.began"), Some(7));
    assert_eq!(parse("k", value.to_string().as_bytes()).unwrap(), record);
}

#[test]
fn a_key_tells_layer_table_and_day() {
    let key = silver().key();
    let expected = "runs/silver/crm_customers/2026-01-02/019b7c2f-1c00-7000-8000-0000000000a1.json";
    assert_eq!(key, expected);
    let day = |day| NaiveDate::from_ymd_opt(2026, 1, day);
    assert!(is_wanted(&key, None) && is_wanted(&key, day(2)));
    assert!(!is_wanted(&key, day(3)));
    assert!(!is_wanted("runs/openlineage/2026-01-02/x-start.json", None), "an event is no record");
    assert!(!is_wanted("runs/readme.json", None));
}

#[test]
fn a_record_of_a_later_version_is_refused() {
    let mut value = serde_json::to_value(silver()).unwrap();
    value["version"] = 2.into();
    let error = parse("runs/x", value.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains("`runs/x`") && error.contains("version 2"), "{error}");
}

#[test]
fn a_published_model_names_what_it_read_and_moved() {
    let record = gold(Outcome::Published);
    assert_eq!(record.mode, Some(RunMode::Full));
    let input = &record.inputs[0];
    assert_eq!(
        (input.table.to_string().as_str(), input.snapshot),
        ("silver.crm_customers", Some(11))
    );
    let output = &record.output;
    assert_eq!(
        (output.rows, output.rows_inserted, output.rows_deleted),
        (Some(4), Some(4), Some(3))
    );
    let idle = gold(Outcome::UpToDate);
    assert_eq!((idle.inputs[0].snapshot, idle.output.rows_inserted), (Some(11), None));
}

#[test]
fn a_red_run_tells_why_and_claims_nothing_about_its_inputs() {
    let error = TransformError::Check {
        model: "by_region".to_owned(),
        reason: "2 rows repeat the grain (region)".to_owned(),
    };
    let record = gold(Outcome::from(&error));
    let value = serde_json::to_value(&record).unwrap();
    assert_eq!(value["outcome"], "red");
    assert_eq!(value["reason"], "2 rows repeat the grain (region)");
    // The table is as an earlier run left it.
    assert_eq!(value["output"]["snapshot"], 21);
    assert_eq!((record.inputs[0].snapshot, record.output.rows_inserted), (None, None));
    assert_eq!(parse("k", value.to_string().as_bytes()).unwrap(), record);
}

#[test]
fn waiting_runs_say_for_what() {
    let waiting = Outcome::Waiting { waiting_for: vec!["silver.crm_orders".to_owned()] };
    let value = serde_json::to_value(gold(waiting)).unwrap();
    assert_eq!(
        (&value["outcome"], &value["waiting_for"][0]),
        (&json!("waiting"), &json!("silver.crm_orders"))
    );
    let until = at(0) + SETTLE;
    let silver = SilverOutcome::Waiting(Waiting { newest: at(0), until });
    let result = Ok(SilverRun { silver, history: Ok(None) });
    let lake = lake();
    let run = run(Layer::Silver, "crm_customers");
    let record = silver_record(&run, at(3), &lake.tables[0], &result, &SilverObserved::default());
    let expected = "the full load of crm.customers to be complete, until 2026-01-02T00:05:00Z";
    assert_eq!(record.outcome, Outcome::Waiting { waiting_for: vec![expected.to_owned()] });
    assert_eq!((record.checks.len(), record.output.snapshot), (0, None));
}

fn failed(error: TransformError) -> RunError {
    match Outcome::from(&error) {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_stop_where_other_libraries_begin() {
    let refusal = std::io::Error::other("user maria@example.org");
    let source = StoreError::Unavailable {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        code: "SlowDown".to_owned(),
        source: Box::new(refusal),
    };
    let error = failed(TransformError::from(source));
    assert_eq!(error.class, ErrorClass::Retry);
    let expected =
        "an object of the lake cannot be used: S3 cannot serve `k` of bucket `b` now (SlowDown)";
    assert_eq!(error.message, expected);
    let arrow = arrow::error::ArrowError::CastError("'maria@example.org' is no number".to_owned());
    let error = failed(TransformError::Arrow(arrow));
    assert_eq!(
        (error.class, error.message.as_str()),
        (ErrorClass::Bug, "an Arrow operation failed")
    );
    let spec = medallion_tables::schema::SpecError::UnknownKey("id".to_owned());
    let error = WarehouseError::Spec { table: "t".to_owned(), source: spec };
    let error = failed(TransformError::from(error));
    assert!(
        error.message.ends_with("key column `id` is not among the fields"),
        "{}",
        error.message
    );
}

#[test]
fn a_run_whose_history_failed_is_a_failed_run_of_a_committed_table() {
    let error = TransformError::BronzeFile { key: "k".to_owned(), reason: "torn".to_owned() };
    let result = Ok(SilverRun { silver: committed(), history: Err(error) });
    let lake = lake();
    let seen = SilverObserved { silver: Some(observed(11, &[])), ..Default::default() };
    let run = run(Layer::Silver, "crm_customers");
    let record = silver_record(&run, at(3), &lake.tables[0], &result, &seen);
    assert!(matches!(record.outcome, Outcome::Failed { .. }), "{:?}", record.outcome);
    assert_eq!((record.output.snapshot, record.output.rows_inserted), (Some(11), Some(5)));
}

#[test]
fn a_table_without_a_snapshot_is_empty_and_an_unknown_total_is_unknown() {
    let empty = Observed::told(None, &std::collections::HashMap::new());
    assert_eq!((empty.snapshot, empty.rows, empty.bytes), (None, Some(0), Some(0)));
    assert_eq!(observed(1, &[]).rows, None);
}

#[test]
fn names_of_tables_are_read_back() {
    let table: TableRef = "quarantine.crm_customers".parse().unwrap();
    assert_eq!(table, TableRef::new(Layer::Quarantine, "crm_customers"));
    assert!(
        "crm_customers".parse::<TableRef>().is_err()
            && "crm.customers".parse::<TableRef>().is_err()
    );
}
