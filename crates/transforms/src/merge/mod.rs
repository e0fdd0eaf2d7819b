//! Applying one batch to a Silver table: read, check, find the last event of every key, locate,
//! write, commit.
//!
//! Memory is bounded by the job's setting, not by the table or the batch: events beyond it wait on
//! local disk, and buckets are worked off one after the other, a few side by side.

mod balance;
mod bucket;
mod consolidation;
mod decide;
pub(crate) mod event;
pub(crate) mod history;
pub(crate) mod intake;
pub(crate) mod key;
pub(crate) mod partition;
mod quarantine;
pub(crate) mod rewrite;
pub(crate) mod schedule;
mod target;
pub(crate) mod verdicts;
pub(crate) mod winners;

use std::collections::BTreeMap;
use std::sync::Arc;

use medallion_definition::contract::TableContract;
use medallion_definition::types::LakeType;
use medallion_tables::commit::{Change, CommitError, commit_rebasing};
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::{DataFile, Operation};

pub use balance::Balance;
use bucket::{Merger, Work};
pub use consolidation::{Consolidated, consolidate};
pub use history::HistoryBalance;
use intake::{Intake, Late, Prepared, Purpose};
use key::KeyEncoder;
use partition::Collector;
use quarantine::Quarantine;
pub(crate) use quarantine::places;
pub(crate) use rewrite::{Rewriter, Rewritten};
pub(crate) use target::{REBUILD_BRANCH, Rebuild, Target, newest_reference};
use verdicts::{Verdicts, rejected_by_time};

use crate::error::TransformError;
use crate::plan::{Mode, SilverJob, SilverPlan};
use crate::quality::QualityPlan;
use crate::record::{BatchFile, BatchRecord, FileStats};
use crate::summary;

/// The share of the job's memory that events may take while they are collected: 2/5. The rest is
/// for buckets that are worked on, and for decoders and encoders.
pub(crate) const COLLECTED: (u64, u64) = (2, 5);

/// One committed batch.
pub(crate) struct Merged {
    /// Its Bronze files.
    pub(crate) files: usize,
    pub(crate) balance: Balance,
    /// Failures of rules that only warn, by rule.
    pub(crate) warnings: BTreeMap<String, u64>,
    pub(crate) snapshot: i64,
}

/// What was read.
#[derive(Default)]
struct Taken {
    stats: Vec<FileStats>,
    warnings: BTreeMap<String, u64>,
    late: Late,
    quarantined: u64,
}

/// Applies a batch to the target, on whose newest snapshot `base` is read.
pub(crate) async fn apply(
    job: &SilverJob<'_>,
    target: Target<'_>,
    base: &LakeTable,
    plan: &SilverPlan,
) -> Result<Merged, TransformError> {
    let intake = Arc::new(intake(job, plan)?);
    let limit = usize::try_from(job.memory_bytes * COLLECTED.0 / COLLECTED.1);
    let schema = event::schema(job.contract);
    let mut events = Collector::new(base, schema, limit.unwrap_or(usize::MAX));
    let files: Vec<BatchFile> = plan.batch_files();
    let mut rejected = Quarantine::new(job, target, files.iter());
    let before = verdicts(job, target, &files).await?;
    let taken = take(&intake, files, &before, &mut events, &mut rejected).await?;
    if let Some(from) = &taken.late.from {
        let files = plan.history(from);
        let before = verdicts(job, target, &files).await?;
        recall(&intake, files, &before, &taken.late, &mut events).await?;
    }
    let live = base.live_files().await?;
    let replaced = if plan.mode == Mode::Replace { live.clone() } else { Vec::new() };
    let merged_into = if plan.mode == Mode::Replace { Vec::new() } else { live };
    let merger = Arc::new(merger(job, base, plan));
    let events = events.finish(&intake.keys)?;
    let mut work = schedule::run(&merger, &intake, events, merged_into, job.memory_bytes).await?;
    if plan.mode == Mode::Replace {
        work.balance.replaced = rows_of(base, &replaced);
        work.removed = replaced;
    }
    work.balance.read = taken.stats.iter().map(|stats| stats.rows).sum();
    work.balance.quarantined = taken.quarantined;
    if !work.balance.holds() {
        let (table, balance) = (plan.table.to_string(), work.balance.to_string());
        return Err(TransformError::Balance { table, balance });
    }
    let record = target.sign(plan.record(&taken.stats), base);
    rejected.commit(&record.id()).await?;
    let Work { added, removed, balance } = work;
    let counters = balance.counters().to_vec();
    let commit = Commit { added, removed, counters, warnings: &taken.warnings };
    let snapshot = publish(job, target, base, plan, commit, &record).await?;
    Ok(Merged { files: plan.files.len(), balance, warnings: taken.warnings, snapshot })
}

/// What was decided before over rows whose check looks at the time. A rebuild decides anew.
async fn verdicts(
    job: &SilverJob<'_>,
    target: Target<'_>,
    files: &[BatchFile],
) -> Result<Verdicts, TransformError> {
    match target {
        Target::Main => rejected_by_time(job.lake, job.warehouse, job.contract, files).await,
        Target::Rebuild(_) => Ok(Verdicts::default()),
    }
}

fn intake(job: &SilverJob<'_>, plan: &SilverPlan) -> Result<Intake, TransformError> {
    let quality = QualityPlan::new(job.contract)
        .map_err(|source| TransformError::quality(&job.contract.table, source))?;
    Ok(Intake {
        bucket: job.warehouse.bucket().clone(),
        contract: job.contract.clone(),
        quality,
        keys: KeyEncoder::new(job.contract)?,
        now_micros: job.now_micros,
        watermark_seq: plan.watermark_seq.clone(),
    })
}

fn merger(job: &SilverJob<'_>, base: &LakeTable, plan: &SilverPlan) -> Merger {
    Merger {
        table: base.clone(),
        key: job.contract.key.iter().map(ToString::to_string).collect(),
        columns: compared(job.contract),
        watermark_seq: plan.watermark_seq.clone(),
        now_micros: job.now_micros,
        file_bytes: job.file_bytes,
    }
}

/// The columns by which rows are compared, in that order: the last time column first, since
/// tables often keep the time of the last update there. Keys are equal anyway.
fn compared(contract: &TableContract) -> Vec<String> {
    let is_time = |lake_type| matches!(lake_type, LakeType::Timestamp | LakeType::TimestampTz);
    let columns = contract.columns.iter().filter(|column| !contract.is_key(&column.name));
    let mut columns: Vec<_> = columns.collect();
    if let Some(likely) = columns.iter().rposition(|column| is_time(column.lake_type())) {
        columns[..=likely].rotate_right(1);
    }
    columns.into_iter().map(|column| column.name.to_string()).collect()
}

/// Reads the batch's files.
async fn take(
    intake: &Arc<Intake>,
    files: Vec<BatchFile>,
    before: &Verdicts,
    events: &mut Collector,
    rejected: &mut Quarantine<'_>,
) -> Result<Taken, TransformError> {
    let mut taken = Taken { stats: vec![FileStats::default(); files.len()], ..Taken::default() };
    let mut prepared = intake.read(files, &Purpose::Apply, before);
    while let Some(rows) = prepared.next().await {
        let rows = rows?;
        let Prepared { file, stats, events: found, rejected: bad, warnings, late, .. } = rows;
        taken.quarantined += rows.quarantined;
        if let Some(bad) = bad {
            rejected.add(&bad).await?;
        }
        for (rule, count) in warnings {
            *taken.warnings.entry(rule).or_default() += count;
        }
        add(&mut taken.stats[file], stats);
        taken.late.merge(late);
        events.add(&intake.keys, found)?;
    }
    Ok(taken)
}

/// Both parts of a file together.
fn add(all: &mut FileStats, part: FileStats) {
    if part.rows == 0 {
        return;
    }
    let first = all.rows == 0;
    all.rows += part.rows;
    if first || part.min_seq < all.min_seq {
        all.min_seq = part.min_seq;
    }
    if part.max_seq > all.max_seq {
        all.max_seq = part.max_seq;
    }
}

/// Reads again what applied files say about keys with late changes.
async fn recall(
    intake: &Arc<Intake>,
    files: Vec<BatchFile>,
    before: &Verdicts,
    late: &Late,
    events: &mut Collector,
) -> Result<(), TransformError> {
    let wanted = Purpose::Recall(Arc::new(late.keys.clone()));
    let mut prepared = intake.read(files, &wanted, before);
    while let Some(rows) = prepared.next().await {
        events.add(&intake.keys, rows?.events)?;
    }
    Ok(())
}

/// Live rows of a table: those of its files less those that were deleted by position.
fn rows_of(base: &LakeTable, files: &[LiveFile]) -> u64 {
    let stored: u64 = files.iter().map(LiveFile::records).sum();
    let deleted = base.summary().and_then(|s| s.get("total-position-deletes")?.parse().ok());
    stored.saturating_sub(deleted.unwrap_or(0))
}

/// What a batch does to its table.
struct Commit<'a> {
    added: Vec<DataFile>,
    removed: Vec<LiveFile>,
    /// The row balance.
    counters: Vec<(&'static str, u64)>,
    warnings: &'a BTreeMap<String, u64>,
}

/// Commits a batch with its record. Returns the snapshot.
async fn publish(
    job: &SilverJob<'_>,
    target: Target<'_>,
    base: &LakeTable,
    plan: &SilverPlan,
    commit: Commit<'_>,
    record: &BatchRecord,
) -> Result<i64, TransformError> {
    let Commit { added, removed, counters, warnings } = commit;
    let written = record.write(job.warehouse.bucket()).await?;
    let mut entries = plan.summary(record, &written);
    entries.extend(target.entries());
    for (name, count) in counters {
        entries.insert(format!("{}{name}", summary::ROWS), count.to_string());
    }
    for (rule, count) in warnings {
        entries.insert(format!("{}{rule}", summary::WARNINGS), count.to_string());
    }
    let adds_deletes = added.iter().any(|f| f.referenced_data_file().is_some());
    let append = removed.is_empty() && !adds_deletes;
    let operation = if append { Operation::Append } else { Operation::Overwrite };
    let paths: Vec<String> = added.iter().map(|f| f.file_path().to_owned()).collect();
    let branch = target.branch();
    let change = Change { operation, added, removed, summary: entries, branch };
    let same = |newer: &LakeTable| {
        newer.arrow_schema() == base.arrow_schema()
            && plan.holds_for(newer)
            && target.holds_for(newer)
    };
    let committed = commit_rebasing(job.warehouse, base, change, same).await;
    let committed = match committed {
        Ok(committed) => committed,
        Err(error) => {
            if matches!(error, CommitError::Conflict { .. }) {
                discard(job.warehouse, &paths).await;
            }
            return Err(TransformError::commit(&record.table, error));
        }
    };
    Ok(committed.snapshot_id().unwrap_or_default())
}

/// Deletes files that a definite conflict left without a use. One that stays is an orphan, no
/// more; so errors are not reported.
pub(crate) async fn discard(warehouse: &Warehouse, paths: &[String]) {
    for path in paths {
        drop(warehouse.file_io().delete(path).await);
    }
}
