//! The last step: new files, the batch record, one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt64Array,
};
use arrow::compute::{filter_record_batch, take_record_batch};
use medallion_definition::catalogue;
use medallion_tables::Operation;
use medallion_tables::commit::{Change, commit};
use medallion_tables::table::LakeTable;
use medallion_tables::writer::write_files;

use super::balance::Counted;
use super::decide::{Decisions, TouchedFile};
use crate::batch::{SilverJob, SilverPlan};
use crate::bronze::Changes;
use crate::error::TransformError;
use crate::file_order::place;
use crate::spec;
use crate::summary::{self, BatchRecord};

/// The rows that the batch writes, with the technical columns.
fn new_rows(
    job: &SilverJob<'_>,
    decisions: &Decisions,
    changes: &Changes,
) -> Result<RecordBatch, TransformError> {
    let rows = UInt64Array::from(decisions.write.clone());
    let source = take_record_batch(&changes.source, &rows)?;
    let seq = arrow::compute::take(&changes.seq, &rows, None)?;
    let at = arrow::compute::take(&changes.changed_at, &rows, None)?;
    let utc = |array: &TimestampMicrosecondArray| array.clone().with_timezone("+00:00");
    let loaded = TimestampMicrosecondArray::from(vec![job.now_micros; rows.len()]);
    let mut columns = source.columns().to_vec();
    columns.extend([
        seq,
        Arc::new(utc(at.as_primitive())) as ArrayRef,
        Arc::new(utc(&loaded)) as ArrayRef,
    ]);
    // The table's columns may stand in another order; the writer goes by name.
    let schema = spec::rows_schema(&catalogue::silver(job.contract));
    Ok(RecordBatch::try_new(schema, columns)?)
}

#[expect(clippy::too_many_arguments, reason = "the last step joins what the others produced")]
pub(super) async fn write(
    job: &SilverJob<'_>,
    base: &LakeTable,
    plan: &SilverPlan,
    record: &BatchRecord,
    touched: Vec<TouchedFile>,
    decisions: &Decisions,
    changes: &Changes,
    counted: &Counted,
) -> Result<i64, TransformError> {
    let mut batches = vec![new_rows(job, decisions, changes)?];
    let mut removed = Vec::new();
    for file in touched {
        let keep: BooleanArray =
            file.keys.iter().map(|key| Some(!decisions.remove.contains(&key.owned()))).collect();
        if keep.true_count() < keep.len() {
            batches.push(filter_record_batch(&file.rows, &keep)?);
            removed.push(file.file);
        }
    }
    batches.retain(|batch| batch.num_rows() > 0);
    let added = write_files(base, batches).await?;
    let (key, sha256) = record.write(job.warehouse.bucket()).await?;
    let operation = if removed.is_empty() { Operation::Append } else { Operation::Overwrite };
    let summary = summarise(plan, record, key, sha256, changes, counted);
    let change = Change { operation, added, removed, summary };
    let committed = commit(job.warehouse, base, change)
        .await
        .map_err(|source| TransformError::commit(&plan.table, source))?;
    Ok(committed.snapshot_id().unwrap_or_default())
}

fn summarise(
    plan: &SilverPlan,
    record: &BatchRecord,
    record_key: String,
    sha256: String,
    changes: &Changes,
    counted: &Counted,
) -> BTreeMap<String, String> {
    let last = plan.files.last().map(|f| f.key.clone());
    let newest = |a: Option<String>, b: Option<String>| match (&a, &b) {
        (Some(x), Some(y)) if place(x) >= place(y) => a,
        (_, Some(_)) => b,
        _ => a,
    };
    let watermark = newest(plan.applied.watermark.clone(), last).unwrap_or_default();
    let seqs = changes.seq.iter().flatten();
    let seq = seqs.max().unwrap_or_default().max(plan.applied.watermark_seq.as_str()).to_owned();
    let mut loads = plan.applied.load_records.clone();
    if plan.files.iter().any(|f| place(&f.key).is_some_and(|p| p.0.is_none())) {
        loads.insert(record_key.clone());
    }
    let mut summary = BTreeMap::from([
        (summary::BATCH.to_owned(), record.id()),
        (summary::BATCH_RECORD.to_owned(), record_key),
        (summary::BATCH_SHA256.to_owned(), sha256),
        (summary::WATERMARK.to_owned(), watermark),
        (summary::WATERMARK_SEQ.to_owned(), seq),
        (summary::LOAD_RECORDS.to_owned(), loads.into_iter().collect::<Vec<_>>().join(",")),
        (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    for (name, count) in counted.balance.counters() {
        summary.insert(format!("{}{name}", summary::ROWS), count.to_string());
    }
    for (rule, count) in &counted.warnings {
        summary.insert(format!("{}{rule}", summary::WARNINGS), count.to_string());
    }
    summary
}
