//! Planning a Silver batch: which Bronze files the next commit applies, in which order, and what
//! the result stands for.

mod applied;
mod commit;
mod complete;
mod document;
mod generation;
mod history;
mod job;
mod planner;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use medallion_definition::name::TableId;
use medallion_tables::table::LakeTable;
use serde::{Deserialize, Serialize};

pub use applied::{AppliedFiles, FileFate, Forgotten, LostFile, applied_files};
pub(crate) use complete::lost;
pub use job::SilverJob;
pub(crate) use planner::new_load;
pub use planner::{PlanOptions, plan};

use crate::record::{AppliedState, BatchFile, batch_id, newest_record};

/// How far back a file that sorts before the watermark is still looked for.
pub const LOOK_BACK: Duration = Duration::days(2);
/// The most Bronze bytes, as stored, that one batch applies unless the job says otherwise.
pub const BATCH_BYTES: u64 = 256 << 20;
/// How long a new full load has to rest before it replaces a table, unless the job says otherwise.
pub const SETTLE: Duration = Duration::minutes(5);
/// The memory of a job in bytes, unless it says otherwise.
pub const MEMORY_BYTES: u64 = 1 << 30;
/// About the size of a data file in bytes, unless the job says otherwise.
pub const FILE_BYTES: u64 = 128 << 20;

/// What a batch's result stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Changes to the rows of the table.
    Merge,
    /// The whole table: its present rows go.
    Replace,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Merge => "merge",
            Mode::Replace => "replace",
        })
    }
}

/// For which table of a contract a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Target {
    /// The current state.
    #[default]
    Silver,
    /// Every state there ever was.
    History,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Silver => "silver",
            Target::History => "history",
        })
    }
}

/// What a Bronze file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Rows of a full load.
    Load,
    /// Changes.
    Changes,
}

/// A full load and the changes since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Counted from 1.
    pub number: u64,
    /// When its first full-load file was written, in whole seconds; nothing when it has none.
    pub since: Option<DateTime<Utc>>,
    /// Its full-load files that are known, applied or not.
    pub loads: usize,
}

/// A Bronze file of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// The object; it has to be read with this etag.
    #[serde(flatten)]
    pub file: BatchFile,
    /// What it holds.
    pub kind: FileKind,
    /// It sorts before what was applied already.
    pub late: bool,
    #[serde(skip)]
    pub(crate) modified_micros: i64,
}

/// Why the table waits: a new full load may not be complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// When the newest full-load file was written.
    pub newest: DateTime<Utc>,
    /// When the load counts as complete, unless a change file follows it before.
    pub until: DateTime<Utc>,
}

/// How many objects are no part of the batch, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Applied by an earlier batch.
    pub applied: usize,
    /// Part of an earlier generation.
    pub earlier_generation: usize,
    /// Written before the look-back: applied long ago, or come too late.
    pub before_look_back: usize,
    /// Not named as DMS names its files.
    pub no_bronze_key: usize,
}

/// A batch: the Bronze files that the next commit applies, in order. It prints, and it serialises
/// for other engines (see [`SilverPlan::VERSION`]).
#[derive(Clone, Debug)]
pub struct SilverPlan {
    /// Which of the contract's tables the batch is for.
    pub target: Target,
    /// The source table.
    pub table: TableId,
    /// The snapshot that the batch is planned against.
    pub base: Option<i64>,
    /// What the result stands for.
    pub mode: Mode,
    /// Why.
    pub reason: String,
    /// The load generation of the files.
    pub generation: Generation,
    /// All that the table holds of this generation goes, and is made again by the batch: of a
    /// history, after its Silver table was reprocessed.
    pub(crate) restarts: bool,
    /// The greatest key applied in the generation so far, in file order.
    pub watermark: Option<String>,
    /// The greatest `change_seq` applied in the generation so far; rows below it are late.
    pub watermark_seq: String,
    /// Unknown change files written before this time, by name and by arrival, are left alone.
    pub look_back: Option<NaiveDateTime>,
    /// The files in the order of application: full load first, then by write time, then by key.
    pub files: Vec<PlannedFile>,
    /// How many files are left for further batches.
    pub left: usize,
    /// What is no part of the batch.
    pub ignored: Ignored,
    /// Set when nothing is applied until a new full load is complete.
    pub waiting: Option<Waiting>,
    /// With this batch, every file that arrived before this time is applied or given up.
    pub(crate) seen: DateTime<Utc>,
    /// The record of the newest batch of the base.
    pub(crate) newest_record: Option<String>,
    /// What is applied in the generation before this batch.
    pub(crate) state: AppliedState,
    /// Change files of the generation from before the look-back: nobody remembers whether they
    /// were applied.
    pub(crate) forgotten: Vec<BatchFile>,
    /// Change files of earlier generations, when the batch is the first one of its generation.
    pub(crate) earlier: BTreeMap<String, String>,
}

impl SilverPlan {
    /// The files to read, in order.
    pub fn batch_files(&self) -> Vec<BatchFile> {
        self.files.iter().map(|f| f.file.clone()).collect()
    }

    /// The batch's id: SHA-256 over its files' keys and etags, in order.
    pub fn batch_id(&self) -> String {
        batch_id(self.files.iter().map(|f| &f.file))
    }

    /// The applied change files of this generation that may hold changes after `after_seq`, in
    /// file order. Full-load rows have the empty sequence and are never among them.
    pub fn history(&self, after_seq: &str) -> Vec<BatchFile> {
        let later = |seq: Option<&String>| seq.is_none_or(|seq| seq.as_str() > after_seq);
        let known = self.state.changes.values().filter(|f| later(f.max_seq.as_ref()));
        let mut files: Vec<BatchFile> = known.map(|f| f.file.clone()).collect();
        if self.state.forgotten_seq.as_deref().is_some_and(|seq| seq > after_seq) {
            files.extend(self.forgotten.iter().cloned());
        }
        files.sort_by_cached_key(|file| crate::file_order::place(&file.key));
        files
    }

    /// True when this table holds no other batches than the one that the plan was made for: a
    /// commit of somebody else, such as a compaction, may lie in between.
    pub fn holds_for(&self, table: &LakeTable) -> bool {
        newest_record(table) == self.newest_record
    }
}
