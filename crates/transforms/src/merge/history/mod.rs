//! The history table: every state that a key ever had, from the same Bronze files as Silver.
//!
//! The table has batches and records of its own, planned by the same rules over the same listing,
//! so whatever interrupts a run, a contract that asks for a history later, and late files need no
//! rules beside those of Silver. Its job reads the files itself, once more than Silver does: the
//! two tables are rarely apart, but they may be, and then their batches differ.
//!
//! A batch adds to the states; it never takes away what an earlier load knew. A new full load
//! stands for what is true from then on: a key with other values gets a new state at the time of
//! its load row, a key that the load does not have ends when the load began, and a key with the
//! same values goes on. Late changes are put where they belong: the states of their keys from
//! then on are made again, from the table's state before and all applied changes after.

mod balance;
mod bucket;
mod fold;
#[cfg(test)]
mod fold_tests;
mod happenings;
mod reload;
mod rows;
mod schedule;
mod stored;

use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use medallion_tables::table::LakeTable;

pub use balance::HistoryBalance;
use fold::Tally;

use super::intake::{Intake, Prepared, Purpose};
use super::partition::Collector;
use super::rewrite::{Rewriter, Rewritten};
use super::verdicts::Verdicts;
use super::{Commit, Taken, Target, add, event, intake, publish, recall, verdicts};
use crate::error::TransformError;
use crate::plan::{Mode, SilverJob, SilverPlan};
use crate::record::{BatchFile, FileStats};

/// The share of the job's memory that events may take while they are collected: 1/5. When a bucket
/// is worked on, its events stand in memory three times.
const COLLECTED: u64 = 5;

/// One committed batch of a history.
pub(crate) struct Recorded {
    /// Its Bronze files.
    pub(crate) files: usize,
    pub(crate) balance: HistoryBalance,
    pub(crate) snapshot: i64,
}

/// What all buckets have in common.
struct Historian {
    table: LakeTable,
    mode: Mode,
    /// What the table holds of the generation counts as if it had never been.
    restarts: bool,
    /// The load generation of the batch.
    generation: i64,
    /// When that began, microseconds since the epoch.
    since_micros: i64,
    /// Changes before it are late.
    watermark_seq: String,
    /// The names of the key columns of the source.
    key: Vec<String>,
    /// The names of the source columns.
    columns: Vec<String>,
    /// Those by which states are compared.
    compared: Vec<String>,
    converter: RowConverter,
    /// The size at which a data file is closed.
    file_bytes: u64,
}

/// What the work on a bucket, or on all of them, came to.
#[derive(Default)]
struct Done {
    files: Rewritten,
    tally: Tally,
}

impl Done {
    fn merge(&mut self, other: Done) {
        self.files.added.extend(other.files.added);
        self.files.removed.extend(other.files.removed);
        self.tally = self.tally + other.tally;
    }
}

impl Historian {
    fn new(
        job: &SilverJob<'_>,
        base: &LakeTable,
        plan: &SilverPlan,
    ) -> Result<Historian, TransformError> {
        let names = |of_key: Option<bool>| -> Vec<String> {
            let columns = job.contract.columns.iter().map(|column| &column.name);
            let wanted = columns.filter(|n| of_key.is_none_or(|key| job.contract.is_key(n) == key));
            wanted.map(ToString::to_string).collect()
        };
        let key: Vec<String> = job.contract.key.iter().map(ToString::to_string).collect();
        // A table may have nothing but a key; keys are equal anyway.
        let compared = Some(names(Some(false))).filter(|names| !names.is_empty());
        let compared = compared.unwrap_or_else(|| key.clone());
        let mut fields = Vec::new();
        for name in &compared {
            let field = base.arrow_schema().field_with_name(name)?;
            fields.push(SortField::new(field.data_type().clone()));
        }
        Ok(Historian {
            table: base.clone(),
            mode: plan.mode,
            restarts: plan.restarts,
            generation: i64::try_from(plan.generation.number).unwrap_or(i64::MAX),
            since_micros: plan.generation.since.map_or(job.now_micros, |t| t.timestamp_micros()),
            watermark_seq: plan.watermark_seq.clone(),
            key,
            columns: names(None),
            compared,
            converter: RowConverter::new(fields)?,
            file_bytes: job.file_bytes,
        })
    }

    fn files(&self) -> Rewriter<'_> {
        Rewriter { table: &self.table, file_bytes: self.file_bytes }
    }
}

/// Applies one batch to the history.
pub(crate) async fn apply(
    job: &SilverJob<'_>,
    base: &LakeTable,
    plan: &SilverPlan,
) -> Result<Recorded, TransformError> {
    let intake = Arc::new(intake(job, plan)?);
    let limit = usize::try_from(job.memory_bytes / COLLECTED).unwrap_or(usize::MAX);
    let mut events = Collector::new(base, event::schema(job.contract), limit);
    let files = plan.batch_files();
    let before = verdicts(job, Target::Main, &files).await?;
    let taken = take(&intake, files, &before, &mut events).await?;
    if let Some(from) = &taken.late.from {
        let files = plan.history(from);
        let before = verdicts(job, Target::Main, &files).await?;
        recall(&intake, files, &before, &taken.late, &mut events).await?;
    }
    let historian = Arc::new(Historian::new(job, base, plan)?);
    let live = base.live_files().await?;
    let replaced = if plan.mode == Mode::Replace { live.clone() } else { Vec::new() };
    let events = events.finish(&intake.keys)?;
    let done = schedule::run(&historian, &intake, events, live, job.memory_bytes).await?;
    let balance = balance(&taken, done.tally);
    if !balance.holds() {
        let table = format!("{} (history)", plan.table);
        return Err(TransformError::Balance { table, balance: balance.to_string() });
    }
    let mut record = plan.record(&taken.stats);
    record.table = format!("{}_history", plan.table);
    let mut removed = done.files.removed;
    removed.extend(replaced);
    let counters = balance.counters().to_vec();
    let commit = Commit { added: done.files.added, removed, counters, warnings: &taken.warnings };
    let snapshot = publish(job, Target::Main, base, plan, commit, &record).await?;
    Ok(Recorded { files: plan.files.len(), balance, snapshot })
}

fn balance(taken: &Taken, tally: Tally) -> HistoryBalance {
    HistoryBalance {
        read: taken.stats.iter().map(|stats| stats.rows).sum(),
        began: tally.began,
        ended: tally.ended,
        unchanged: tally.unchanged,
        stale: tally.stale,
        superseded: tally.superseded,
        quarantined: taken.quarantined,
        moved: tally.moved,
        missing: tally.missing,
        revised: tally.revised,
    }
}

/// Reads the batch's files. Rejected rows take no part; that they stand in quarantine is the
/// business of Silver, which counts them and their warnings too.
async fn take(
    intake: &Arc<Intake>,
    files: Vec<BatchFile>,
    before: &Verdicts,
    events: &mut Collector,
) -> Result<Taken, TransformError> {
    let mut taken = Taken { stats: vec![FileStats::default(); files.len()], ..Taken::default() };
    let mut prepared = intake.read(files, &Purpose::Apply, before);
    while let Some(rows) = prepared.next().await {
        let Prepared { file, stats, events: found, quarantined, late, .. } = rows?;
        taken.quarantined += quarantined;
        add(&mut taken.stats[file], stats);
        taken.late.merge(late);
        events.add(&intake.keys, found)?;
    }
    Ok(taken)
}
