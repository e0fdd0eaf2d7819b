//! Which row goes into which file, and in which order.

use arrow::array::{Array, Int32Array, RecordBatch};
use arrow::row::{RowConverter, Rows, SortField};

use crate::table::{LakeTable, TableError};

/// Rows of one bucket in the order of the table's key, as (batch, row) pairs.
pub(super) struct Group {
    pub(super) bucket: Option<i32>,
    pub(super) rows: Vec<(usize, usize)>,
}

/// Splits rows by bucket and sorts them by key. A table without a key keeps the given order.
/// The batches are those that [`super::fit`] returned.
pub(super) fn place(table: &LakeTable, batches: &[RecordBatch]) -> Result<Vec<Group>, TableError> {
    let buckets = batches.iter().map(|batch| buckets(table, batch));
    let buckets: Vec<Option<Int32Array>> = buckets.collect::<Result<_, _>>()?;
    let bucket_of = |(batch, row): (usize, usize)| {
        let values = buckets.get(batch).and_then(Option::as_ref)?;
        values.is_valid(row).then(|| values.value(row))
    };
    let count = |(i, batch): (usize, &RecordBatch)| (0..batch.num_rows()).map(move |row| (i, row));
    let mut order: Vec<(usize, usize)> = batches.iter().enumerate().flat_map(count).collect();
    let keys = key_rows(table, batches)?;
    let key_of = |(batch, row): (usize, usize)| keys.get(batch).map(|rows| rows.row(row));
    order.sort_by(|&a, &b| bucket_of(a).cmp(&bucket_of(b)).then_with(|| key_of(a).cmp(&key_of(b))));
    let groups = order.chunk_by(|&a, &b| bucket_of(a) == bucket_of(b));
    let group = |rows: &[(usize, usize)]| Group {
        bucket: rows.first().and_then(|&first| bucket_of(first)),
        rows: rows.to_vec(),
    };
    Ok(groups.map(group).collect())
}

fn buckets(table: &LakeTable, batch: &RecordBatch) -> Result<Option<Int32Array>, TableError> {
    let column = table.bucket_column().and_then(|name| batch.column_by_name(name));
    column.map_or(Ok(None), |values| table.buckets_of(values))
}

/// The keys of each batch in a form that compares as the table sorts: ascending, NULL first.
/// Empty for a table without a key.
fn key_rows(table: &LakeTable, batches: &[RecordBatch]) -> Result<Vec<Rows>, TableError> {
    let key = table.key();
    let Some(first) = batches.first().filter(|_| !key.is_empty()) else { return Ok(Vec::new()) };
    let columns = |batch: &RecordBatch| -> Vec<_> {
        key.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect()
    };
    let fields = columns(first).iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(|e| table.rows_error(e))?;
    let convert =
        |batch| converter.convert_columns(&columns(batch)).map_err(|e| table.rows_error(e));
    batches.iter().map(convert).collect()
}
