//! What a run of a job did, for people and machines that were not there: one [`RunRecord`] per run
//! in the lake's bucket, and the same as [OpenLineage](https://openlineage.io/docs/spec) events.
//!
//! Neither holds a personal value: counts, names of tables, columns and rules, ids of snapshots,
//! and messages of this program's own errors.

mod gold;
mod observed;
pub mod openlineage;
mod outcome;
mod record;
mod silver;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, Utc};
use medallion_definition::catalogue;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{Layer, NameError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use gold::gold_record;
pub use observed::Observed;
pub use outcome::{ErrorClass, Outcome, RunError};
pub use record::{
    CheckResult, CheckSeverity, RunInput, RunMode, RunOutput, RunRecord, VERSION, record_key,
};
pub use silver::{SilverObserved, silver_record};
pub use store::{PREFIX, RunsError, read, write};

use crate::gold::{Input, inputs};

/// Digits of a second in the times of records.
const SUBSECONDS: u16 = 3;

/// The id of a run: a UUID of version 7, so that ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(Uuid);

impl RunId {
    /// A new id of this moment.
    pub fn now() -> RunId {
        RunId(Uuid::now_v7())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<RunId, NameError> {
        Uuid::parse_str(text).map(RunId).map_err(|_| NameError {
            text: text.to_owned(),
            kind: "run id",
            reason: "it must be a UUID",
        })
    }
}

impl TryFrom<String> for RunId {
    type Error = NameError;
    fn try_from(text: String) -> Result<RunId, NameError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.to_string()
    }
}

/// A table of the lake as models name it, `gold.customer_360`; also the name of the job that writes
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableRef {
    /// The layer.
    pub layer: Layer,
    /// The name in the layer's database.
    pub table: String,
}

impl TableRef {
    /// A table of a layer.
    pub fn new(layer: Layer, table: impl Into<String>) -> TableRef {
        TableRef { layer, table: table.into() }
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.table)
    }
}

impl FromStr for TableRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<TableRef, NameError> {
        let (layer, table) = text.split_once('.').ok_or_else(|| NameError {
            text: text.to_owned(),
            kind: "table of the lake",
            reason: "it must be written `layer.table`",
        })?;
        Ok(TableRef::new(layer.parse()?, table))
    }
}

impl TryFrom<String> for TableRef {
    type Error = NameError;
    fn try_from(text: String) -> Result<TableRef, NameError> {
        text.parse()
    }
}

impl From<TableRef> for String {
    fn from(table: TableRef) -> String {
        table.to_string()
    }
}

impl From<Input> for TableRef {
    fn from(input: Input) -> TableRef {
        TableRef::new(input.layer, input.table)
    }
}

/// A run that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The table that it brings up to date.
    pub job: TableRef,
    /// When it began, in milliseconds.
    pub started: DateTime<Utc>,
}

impl Run {
    /// A run that begins now.
    pub fn begin(job: TableRef) -> Run {
        Run { id: RunId::now(), job, started: Utc::now().trunc_subsecs(SUBSECONDS) }
    }
}

/// The tables that a job reads, by the definition; none for a query that cannot be understood.
fn declared_inputs(lake: &LakeDefinition, job: &TableRef) -> Vec<TableRef> {
    match job.layer {
        Layer::Gold => {
            let model = lake.model(&job.table);
            let found = model.and_then(|model| inputs(lake, model).ok()).unwrap_or_default();
            found.into_iter().map(TableRef::from).collect()
        }
        Layer::Silver | Layer::Quarantine => vec![TableRef::new(Layer::Bronze, &job.table)],
        Layer::Bronze => Vec::new(),
    }
}

/// The tables that a job writes, by the definition: its own first.
fn declared_outputs(lake: &LakeDefinition, job: &TableRef) -> Vec<TableRef> {
    let mut outputs = vec![job.clone()];
    if job.layer == Layer::Silver {
        outputs.push(TableRef::new(Layer::Quarantine, &job.table));
        let contract = lake.tables.iter().find(|t| t.table.lake_table() == job.table);
        let history = contract.filter(|t| t.history).map(catalogue::history_name);
        outputs.extend(history.map(|name| TableRef::new(Layer::Silver, name)));
    }
    outputs
}
