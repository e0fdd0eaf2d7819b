//! Rewriting files.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use iceberg::spec::{DataFile, Operation};
use roaring::RoaringTreemap;

use super::plan::{BucketPlan, CompactionPlan};
use crate::commit::{Branch, Change};
use crate::files::LiveFile;
use crate::reader::{merge_sorted, sort};
use crate::scan::BatchStream;
use crate::table::{LakeTable, TableError};
use crate::writer::BucketWriter;

/// Writes the live rows of the planned files into new files, bucket by bucket: sorted, under the
/// table's current schema, without bounds of personal columns. Memory is that of a few batches of
/// every file of a bucket and one row group being written.
///
/// The change that comes back is for main and replaces the files when it is committed to `base`;
/// its summary is the caller's. Nothing is visible before. When it is not committed after all, the
/// new files stay behind, unreferenced.
///
/// # Errors
/// [`TableError::Misfit`] when the plan was made on another snapshot than that of `base`;
/// [`TableError::Files`] when files cannot be read or written.
pub async fn compact(base: &LakeTable, plan: &CompactionPlan) -> Result<Change, TableError> {
    if plan.snapshot != base.snapshot_id() || plan.table != base.name() {
        let reason = "the compaction was planned on another snapshot".to_owned();
        return Err(TableError::Misfit { table: base.name(), reason });
    }
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for bucket in &plan.buckets {
        added.extend(rewrite(base, plan.target_bytes, bucket).await?);
        removed.extend(bucket.files.iter().map(|planned| planned.file.clone()));
    }
    Ok(Change {
        operation: Operation::Replace,
        added,
        removed,
        summary: BTreeMap::new(),
        branch: Branch::Main,
    })
}

async fn rewrite(
    base: &LakeTable,
    target_bytes: u64,
    bucket: &BucketPlan,
) -> Result<Vec<DataFile>, TableError> {
    let files = bucket.files.iter().map(|planned| sorted_rows(base, &planned.file));
    let mut rows = merge_sorted(base, files.collect::<Result<_, _>>()?)?;
    let mut writer = BucketWriter::new(base, bucket.bucket, target_bytes)?;
    while let Some(batch) = rows.try_next().await? {
        writer.write(&batch).await?;
    }
    writer.finish().await
}

/// The live rows of a file, sorted by key: as they are when the file says so, else by sorting them
/// on disk.
fn sorted_rows(base: &LakeTable, file: &LiveFile) -> Result<BatchStream, TableError> {
    let rows = base.read_except(file, &RoaringTreemap::new())?;
    let order = base.metadata().default_sort_order_id();
    let said = file.data_file.sort_order_id().map(i64::from);
    if base.key().is_empty() || said == Some(order) { Ok(rows) } else { sort(base, rows) }
}
