//! Runs as OpenLineage events, specification 2-0-2.
//!
//! Jobs are named `silver.crm_customers` in the lake's namespace. Datasets are named as the
//! specification names tables of the Glue Data Catalog: namespace `arn:aws:glue:<region>:<account>`,
//! name `table/<database>/<table>`; the place of their files in S3 is a symlink.

mod column_lineage;
mod dataset;
mod facet;
mod job;

use chrono::{DateTime, SecondsFormat, Utc};
use medallion_definition::environment::Environment;
use medallion_definition::lake::LakeDefinition;
use serde_json::{Map, Value, json};

pub use column_lineage::renamed;
pub use dataset::{dataset_name, namespace};
pub use facet::producer;

use super::{Run, RunId, RunInput, RunOutput, RunRecord, declared_inputs, declared_outputs, store};
use facet::facet;

/// Where events are, beside the records.
pub const PREFIX: &str = "runs/openlineage/";
/// The specification's schema of run events.
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// The lake whose runs are told, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct LineagePlace<'a> {
    /// The lake.
    pub lake: &'a LakeDefinition,
    /// Account, Region and bucket.
    pub environment: &'a Environment,
}

/// The transitions of a run that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It began.
    Start,
    /// It did what there was to do.
    Complete,
    /// An error ended it, or a check failed.
    Fail,
}

impl RunState {
    /// How a run ended.
    pub fn of(record: &RunRecord) -> RunState {
        if record.outcome.is_success() { RunState::Complete } else { RunState::Fail }
    }

    /// The specification's name.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Start => "START",
            RunState::Complete => "COMPLETE",
            RunState::Fail => "FAIL",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageEvent {
    /// The run.
    pub run_id: RunId,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// What is told.
    pub state: RunState,
    /// The event as the specification writes it.
    pub body: Value,
}

impl LineageEvent {
    /// The object's key, [`event_key`].
    pub fn key(&self) -> String {
        event_key(self.started, self.run_id, self.state)
    }
}

/// The key of a run's event: `runs/openlineage/<yyyy-mm-dd>/<run id>-<state>.json`, by the day on
/// which the run began, UTC.
pub fn event_key(started: DateTime<Utc>, id: RunId, state: RunState) -> String {
    let (day, state) = (started.format(store::DAY), state.as_str().to_lowercase());
    format!("{PREFIX}{day}/{id}-{state}.json")
}

impl LineagePlace<'_> {
    /// The event of a run that began.
    pub fn started(&self, run: &Run) -> LineageEvent {
        let inputs = declared_inputs(self.lake, &run.job).into_iter().map(RunInput::of);
        let outputs = declared_outputs(self.lake, &run.job).into_iter().map(RunOutput::of);
        let mut body = self.event(RunState::Start, run.started, run);
        body.insert("inputs".into(), inputs.map(|input| self.input(&input)).collect());
        body.insert("outputs".into(), outputs.map(|o| self.output(&o, None, None)).collect());
        let (run_id, started, state) = (run.id, run.started, RunState::Start);
        LineageEvent { run_id, started, state, body: body.into() }
    }

    /// The event of a run that ended. `column_lineage` is the facet of a Gold model's table; that of
    /// Silver tables follows from the contract. Its dataset names may be those of models,
    /// `silver.crm_customers`.
    ///
    /// A run that wrote nothing names its tables too, without statistics: consumers draw a job by
    /// its last run.
    pub fn ended(&self, record: &RunRecord, column_lineage: Option<Value>) -> LineageEvent {
        let run = Run { id: record.run_id, job: record.job.clone(), started: record.started };
        let state = RunState::of(record);
        let mut body = self.event(state, record.ended, &run);
        body.insert("run".into(), json!({ "runId": run.id, "facets": run_facets(Some(record)) }));
        body.insert("inputs".into(), record.inputs.iter().map(|i| self.input(i)).collect());
        let column_lineage = column_lineage.map(|facet| renamed(self, facet));
        let tables = std::iter::once(&record.output).chain(&record.further_outputs);
        let outputs = tables.enumerate().map(|(i, table)| {
            let own = (i == 0).then(|| column_lineage.clone()).flatten();
            self.output(table, Some(record), own)
        });
        body.insert("outputs".into(), outputs.collect());
        LineageEvent { run_id: run.id, started: run.started, state, body: body.into() }
    }

    fn event(&self, state: RunState, at: DateTime<Utc>, run: &Run) -> Map<String, Value> {
        let body = json!({
            "eventType": state.as_str(),
            "eventTime": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "producer": producer(),
            "schemaURL": SCHEMA,
            "run": { "runId": run.id, "facets": run_facets(None) },
            "job": {
                "namespace": self.lake.name.as_str(),
                "name": run.job.to_string(),
                "facets": job::facets(self.lake, &run.job),
            },
        });
        match body {
            Value::Object(map) => map,
            // `json!` of an object is one.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }
}

fn run_facets(record: Option<&RunRecord>) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let engine = json!({
        "version": version, "name": "Medallion", "openlineageAdapterVersion": version,
    });
    let mut facets = Map::new();
    facets.insert("processing_engine".into(), facet("1-1-1", "ProcessingEngineRunFacet", engine));
    let message = record.and_then(|record| record.outcome.message());
    if let Some(message) = message {
        let error = json!({ "message": message, "programmingLanguage": "RUST" });
        facets.insert("errorMessage".into(), facet("1-0-1", "ErrorMessageRunFacet", error));
    }
    if let Some(record) = record.filter(|record| !record.checks.is_empty()) {
        let tests: Vec<Value> = record.checks.iter().map(dataset::test).collect();
        let tests = facet("1-0-1", "TestRunFacet", json!({ "tests": tests }));
        facets.insert("test".into(), tests);
    }
    facets.into()
}
