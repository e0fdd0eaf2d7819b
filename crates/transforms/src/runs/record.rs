//! The record of one run: a JSON document.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{Outcome, Run, RunId, SUBSECONDS, TableRef, store};

/// The form of the records that this version writes.
pub const VERSION: u32 = 1;
/// The engine that this program is.
const ENGINE: &str = "native";

/// What one run of a job did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The form of the record, [`VERSION`].
    pub version: u32,
    /// The run.
    pub run_id: RunId,
    /// The job, by the table that it brings up to date.
    pub job: TableRef,
    /// What did the work: `native`.
    pub engine: String,
    /// The program's version.
    pub code_version: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// How long it took.
    pub seconds: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What the result stands for; unknown when nothing was ever written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RunMode>,
    /// The tables that were read.
    pub inputs: Vec<RunInput>,
    /// The job's table, as the run left it.
    pub output: RunOutput,
    /// The other tables that the job writes: quarantine and history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_outputs: Vec<RunOutput>,
    /// What was checked.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// Counters of rows by name: the row balance of Silver.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}

impl RunRecord {
    /// The record of a run that ended. What is known beyond the outcome is filled in by the caller.
    pub fn new(run: &Run, ended: DateTime<Utc>, outcome: Outcome) -> RunRecord {
        let ended = ended.trunc_subsecs(SUBSECONDS).max(run.started);
        let took = (ended - run.started).to_std().unwrap_or_default();
        RunRecord {
            version: VERSION,
            run_id: run.id,
            job: run.job.clone(),
            engine: ENGINE.to_owned(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            started: run.started,
            ended,
            seconds: took.as_secs_f64(),
            outcome,
            mode: None,
            inputs: Vec::new(),
            output: RunOutput::of(run.job.clone()),
            further_outputs: Vec::new(),
            checks: Vec::new(),
            counters: BTreeMap::new(),
        }
    }

    /// The object's key: `runs/<layer>/<table>/<yyyy-mm-dd>/<run id>.json`, by the day on which the
    /// run began, UTC.
    pub fn key(&self) -> String {
        record_key(&self.job, self.started, self.run_id)
    }
}

/// The key of a run's record.
pub fn record_key(job: &TableRef, started: DateTime<Utc>, id: RunId) -> String {
    let (layer, table) = (job.layer, &job.table);
    format!("{}{layer}/{table}/{}/{id}.json", store::PREFIX, started.format(store::DAY))
}

/// What a run's result stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// Changes were merged into the table.
    Merge,
    /// The table was replaced by a new full load.
    Replace,
    /// The whole query was asked again.
    Full,
    /// Only keys that were touched were computed again.
    Incremental,
}

impl RunMode {
    /// The name in records and in [`crate::summary::MODE`].
    pub fn as_str(self) -> &'static str {
        match self {
            RunMode::Merge => "merge",
            RunMode::Replace => "replace",
            RunMode::Full => "full",
            RunMode::Incremental => "incremental",
        }
    }

    /// The mode of this name.
    pub fn named(name: &str) -> Option<RunMode> {
        [RunMode::Merge, RunMode::Replace, RunMode::Full, RunMode::Incremental]
            .into_iter()
            .find(|mode| mode.as_str() == name)
    }
}

/// A table that a run read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInput {
    /// The table.
    pub table: TableRef,
    /// The snapshot that was read; Bronze has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<i64>,
    /// The number of files that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// The number of rows that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

impl RunInput {
    /// A table of which no more is known.
    pub fn of(table: TableRef) -> RunInput {
        RunInput { table, snapshot: None, files: None, rows: None }
    }
}

/// A table that a run writes, as it left it. What is not known is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutput {
    /// The table.
    pub table: TableRef,
    /// Its snapshot after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<i64>,
    /// Its rows after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its data files after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// The bytes of its data and delete files after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rows that the run added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_inserted: Option<u64>,
    /// Rows that the run removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_deleted: Option<u64>,
}

impl RunOutput {
    /// A table of which no more is known.
    pub fn of(table: TableRef) -> RunOutput {
        RunOutput {
            table,
            snapshot: None,
            rows: None,
            files: None,
            bytes: None,
            rows_inserted: None,
            rows_deleted: None,
        }
    }
}

/// What the failure of a check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSeverity {
    /// Nothing is published.
    Error,
    /// The failure is told.
    Warn,
    /// The failing rows go to quarantine.
    Quarantine,
}

impl CheckSeverity {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckSeverity::Error => "error",
            CheckSeverity::Warn => "warn",
            CheckSeverity::Quarantine => "quarantine",
        }
    }
}

/// A check and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name, unique within the run.
    pub name: String,
    /// What is asked, such as `not_null` or `row_rule`.
    pub kind: String,
    /// The column, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What its failure means.
    pub severity: CheckSeverity,
    /// The verdict.
    pub passed: bool,
    /// How many rows fail; unknown for checks that count no rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_rows: Option<u64>,
}
