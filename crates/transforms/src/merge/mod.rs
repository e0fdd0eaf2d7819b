//! Applying one batch to a Silver table: read, check, consolidate, find, rewrite, commit.

mod balance;
mod decide;
mod write;

use std::collections::{BTreeMap, HashSet};

use arrow::array::BooleanArray;
use arrow::compute::concat_batches;
use arrow::row::OwnedRow;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;
use medallion_definition::name::TableId;
use medallion_ingestion::layout::{BronzeKey, table_prefix};
use medallion_tables::table::LakeTable;

pub use balance::Balance;
use balance::Counted;

use crate::batch::{SilverJob, SilverPlan};
use crate::bronze::{self, Changes};
use crate::consolidate::{KeyEncoder, Winners, moved_rows, winners};
use crate::error::TransformError;
use crate::quality::QualityPlan;
use crate::quarantine::{self, Rejected};
use crate::summary::{BatchFile, BatchRecord};
use decide::{Merge, TouchedFile};
use write::write;

/// One committed batch.
pub(crate) struct Merged {
    /// Its Bronze files.
    pub(crate) files: usize,
    pub(crate) balance: Balance,
    /// Failures of rules that only warn, by rule.
    pub(crate) warnings: BTreeMap<String, u64>,
    pub(crate) snapshot: i64,
}

pub(crate) async fn apply(
    job: &SilverJob<'_>,
    quality: &QualityPlan,
    base: &LakeTable,
    plan: &SilverPlan,
) -> Result<Merged, TransformError> {
    let read = read_files(job, &plan.files).await?;
    let record = BatchRecord::new(&plan.table, &plan.files);
    let mut balance = Balance { read: read.len() as u64, ..Balance::default() };
    let Checked { valid, rejected, warnings } = check(&plan.table, quality, &read, job.now_micros)?;
    balance.quarantined = rejected.len() as u64;
    let own_rows = valid.len();
    let valid = with_departures(job.contract, valid, &read, &rejected)?;

    let keys = KeyEncoder::new(job.contract)?;
    let mut merge = Merge { keys: &keys, changes: &valid, own_rows, balance };
    let mut deciding = winners(&keys, &valid)?;
    let touched = touched_files(base, &keys, &deciding).await?;
    let found = merge.found(&touched, &deciding)?;
    let doubtful = merge.suspicious(&deciding, &found, &plan.applied.watermark_seq);
    let (decisions, changes, balance) = if doubtful.is_empty() {
        (merge.decide(&deciding, &found)?, valid.clone(), merge.balance)
    } else {
        let all = with_history(job, quality, &keys, &valid, &doubtful, plan).await?;
        // The history of other keys is incomplete: for them the batch alone decides.
        let mut whole = winners(&keys, &all)?;
        for key in doubtful {
            if let Some(winner) = whole.remove(&key) {
                deciding.insert(key, winner);
            }
        }
        let mut merge = Merge { keys: &keys, changes: &all, own_rows, balance };
        (merge.decide(&deciding, &found)?, all.clone(), merge.balance)
    };
    if !balance.holds() {
        let table = plan.table.to_string();
        return Err(TransformError::Balance { table, balance: balance.to_string() });
    }
    quarantine::append(job, &record.id(), &plan.files, &read, rejected).await?;
    let counted = Counted { balance, warnings };
    let snapshot = write(job, base, plan, &record, touched, &decisions, &changes, &counted).await?;
    let Counted { balance, warnings } = counted;
    Ok(Merged { files: plan.files.len(), balance, warnings, snapshot })
}

/// Reads the files in order.
async fn read_files(job: &SilverJob<'_>, files: &[BatchFile]) -> Result<Changes, TransformError> {
    let mut parts = Vec::with_capacity(files.len());
    for (i, file) in files.iter().enumerate() {
        let content = job.warehouse.bucket().get(&file.key).await?;
        parts.push(bronze::read(job.contract, &file.key, i as u64, content)?);
    }
    Changes::concat(&parts)?.ok_or_else(|| TransformError::BronzeFile {
        key: String::new(),
        reason: "the batch has no file".to_owned(),
    })
}

/// The outcome of the contract's rules.
struct Checked {
    /// The changes that may pass, with normalised values.
    valid: Changes,
    rejected: Vec<Rejected>,
    /// Failures of rules that only warn, by rule.
    warnings: BTreeMap<String, u64>,
}

/// Normalises and checks all rows but deletes, which carry only a key for certain.
fn check(
    table: &TableId,
    quality: &QualityPlan,
    read: &Changes,
    now_micros: i64,
) -> Result<Checked, TransformError> {
    let outcome = quality
        .apply(&read.source, now_micros)
        .map_err(|source| TransformError::quality(table, source))?;
    let rejected: Vec<Rejected> =
        outcome.failures.into_iter().filter(|(row, _)| read.op(*row) != Op::Delete).collect();
    let bad: HashSet<usize> = rejected.iter().map(|(row, _)| *row).collect();
    let mask: BooleanArray = (0..read.len()).map(|row| Some(!bad.contains(&row))).collect();
    let normalised = Changes { source: outcome.batch, ..read.clone() };
    Ok(Checked { valid: normalised.filter(&mask)?, rejected, warnings: outcome.warnings })
}

/// A rejected row that moved to another key has left its old key all the same: the old key's row
/// does not exist at the source any more. Such departures stand behind the batch's own rows, as
/// deletes of the old key.
fn with_departures(
    contract: &TableContract,
    valid: Changes,
    read: &Changes,
    rejected: &[Rejected],
) -> Result<Changes, TransformError> {
    let keys = KeyEncoder::new(contract)?;
    let moved = moved_rows(&keys, read)?;
    let mask: BooleanArray = {
        let gone: HashSet<usize> =
            rejected.iter().map(|(row, _)| *row).filter(|row| moved.contains(row)).collect();
        (0..read.len()).map(|row| Some(gone.contains(&row))).collect()
    };
    if mask.true_count() == 0 {
        return Ok(valid);
    }
    let departures = read.filter(&mask)?.as_deletes_of_before()?;
    Ok(Changes::concat(&[valid.clone(), departures])?.unwrap_or(valid))
}

/// The live files that hold a key of the batch. Key columns are read first, the rest only of
/// files that matter.
async fn touched_files(
    base: &LakeTable,
    keys: &KeyEncoder,
    deciding: &Winners,
) -> Result<Vec<TouchedFile>, TransformError> {
    let mut touched = Vec::new();
    for file in base.live_files().await? {
        let batches = base.read_file(&file, Some(keys.names())).await?;
        let mut hit = false;
        for batch in &batches {
            let encoded = keys.encode(batch)?;
            hit = hit || encoded.iter().any(|key| deciding.contains_key(&key.owned()));
        }
        if hit {
            let batches = base.read_file(&file, None).await?;
            let rows = concat_batches(base.arrow_schema(), &batches)?;
            let keys = keys.encode(&rows)?;
            touched.push(TouchedFile { file, rows, keys });
        }
    }
    Ok(touched)
}

/// The changes of the batch, and behind them the whole history of some keys. History that fails
/// a check is left out: it was quarantined when it came.
async fn with_history(
    job: &SilverJob<'_>,
    quality: &QualityPlan,
    keys: &KeyEncoder,
    own: &Changes,
    doubtful: &HashSet<OwnedRow>,
    plan: &SilverPlan,
) -> Result<Changes, TransformError> {
    let mut parts = vec![own.clone()];
    let listed = job.warehouse.bucket().list(&table_prefix(&plan.table)).await?;
    let fresh: HashSet<&str> = plan.files.iter().map(|f| f.key.as_str()).collect();
    for object in listed.iter().filter(|o| !fresh.contains(o.key.as_str())) {
        if object.key.parse::<BronzeKey>().is_err() {
            continue;
        }
        let content = job.warehouse.bucket().get(&object.key).await?;
        let changes = bronze::read(job.contract, &object.key, 0, content)?;
        let (after, before) = (keys.encode(&changes.source)?, keys.encode(&changes.before)?);
        let about = |row: usize| {
            doubtful.contains(&after.row(row).owned())
                || doubtful.contains(&before.row(row).owned())
        };
        let mask: BooleanArray = (0..changes.len()).map(|row| Some(about(row))).collect();
        let about = changes.filter(&mask)?;
        let Checked { valid, rejected, .. } = check(&plan.table, quality, &about, job.now_micros)?;
        parts.push(with_departures(job.contract, valid, &about, &rejected)?);
    }
    Changes::concat(&parts)?.ok_or_else(|| TransformError::BronzeFile {
        key: String::new(),
        reason: "the batch has no file".to_owned(),
    })
}
