//! Rows in any order as data files, in bounded memory.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::TryStreamExt;
use iceberg::spec::DataFile;

use super::bucket::BucketWriter;
use super::layout::Layout;
use crate::reader::sort;
use crate::scan::BatchStream;
use crate::table::{LakeTable, TableError};

/// The least size of a row group where many buckets share the memory of one.
const LEAST_GROUP_BYTES: usize = 2 * 1024 * 1024;

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// New data files, by bucket.
    pub files: Vec<DataFile>,
    /// Their rows.
    pub rows: u64,
}

/// Writes rows, which come in any order and have the columns of [`LakeTable::arrow_schema`] in its
/// order and types, into new data files of about `file_bytes`: split by bucket, sorted by key.
///
/// Sorting takes 256 MiB and goes on on disk; all buckets together have the row groups of one open.
/// A table without a key keeps the order of the rows.
///
/// # Errors
/// As [`super::write_files`]; those of the stream come through. Files that were written before stay
/// behind, unreferenced.
pub async fn write_stream(
    table: &LakeTable,
    rows: BatchStream,
    file_bytes: u64,
) -> Result<Written, TableError> {
    let mut sorted = sort(table, rows)?;
    let layout = Layout { file_bytes, ..Layout::default() };
    let mut writers: BTreeMap<Option<i32>, BucketWriter> = BTreeMap::new();
    let buckets = table.bucket_count();
    let shared = Layout {
        group_bytes: (layout.group_bytes / buckets).max(LEAST_GROUP_BYTES).min(layout.group_bytes),
        ..layout
    };
    let mut written = Written::default();
    while let Some(batch) = sorted.try_next().await? {
        written.rows += batch.num_rows() as u64;
        for (bucket, part) in by_bucket(table, batch)? {
            let writer = match writers.entry(bucket) {
                std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(BucketWriter::with_layout(table, bucket, shared)?)
                }
            };
            writer.write(&part).await?;
        }
    }
    for writer in writers.into_values() {
        written.files.extend(writer.finish().await?);
    }
    Ok(written)
}

/// The rows of each bucket, in the order given.
///
/// # Errors
/// As [`LakeTable::buckets_of`].
pub fn by_bucket(
    table: &LakeTable,
    batch: RecordBatch,
) -> Result<Vec<(Option<i32>, RecordBatch)>, TableError> {
    let column = table.bucket_column().and_then(|name| batch.column_by_name(name));
    let Some(values) = column else { return Ok(vec![(None, batch)]) };
    let Some(buckets) = table.buckets_of(values)? else { return Ok(vec![(None, batch)]) };
    let mut rows: BTreeMap<Option<i32>, Vec<u32>> = BTreeMap::new();
    for (row, bucket) in (0..).zip(&buckets) {
        rows.entry(bucket).or_default().push(row);
    }
    let take = |(bucket, rows): (Option<i32>, Vec<u32>)| {
        let part = take_record_batch(&batch, &UInt32Array::from(rows));
        Ok((bucket, part.map_err(|e| table.rows_error(e))?))
    };
    rows.into_iter().map(take).collect()
}
