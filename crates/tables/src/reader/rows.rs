//! Rows of one file by position.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use roaring::RoaringTreemap;

use super::columns::Columns;
use super::open::OpenFile;
use super::selection::{GroupRows, cut, groups, ranges, without};
use crate::files::LiveFile;
use crate::scan::{BATCH_ROWS, BatchStream};
use crate::table::{LakeTable, TableError};

impl LakeTable {
    /// The rows at these positions, which ascend and may be deleted ones, in that order. Columns
    /// come in the order asked for, in the types of [`LakeTable::arrow_schema`]. Only pages that
    /// hold the rows are read.
    ///
    /// # Errors
    /// [`TableError::UnknownColumn`]; [`TableError::Misfit`] when positions do not ascend or are
    /// beyond the file's end; [`TableError::Files`] when the file cannot be read.
    pub async fn read_positions(
        &self,
        file: &LiveFile,
        positions: &[u64],
        columns: &[String],
    ) -> Result<Vec<RecordBatch>, TableError> {
        let indices = self.column_indices(Some(columns))?;
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let misfit =
            |reason: &str| TableError::Misfit { table: self.name(), reason: reason.into() };
        if !positions.is_sorted_by(|a, b| a < b) {
            return Err(misfit("positions do not ascend"));
        }
        let open = OpenFile::open(self, file.path(), file.size()).await?;
        let groups = groups(open.metadata());
        if positions.last() >= groups.last().map(|group| &group.end) {
            return Err(misfit("a position is beyond the file's end"));
        }
        let rows = cut(&groups, &ranges(positions.iter().copied()));
        let columns = Columns::new(&open, &indices)?;
        batches(Arc::new(open), columns, rows).try_collect().await
    }

    /// All live rows but those at `without`, in file order, all columns, with at most a few row
    /// groups in memory.
    ///
    /// # Errors
    /// None now; those of reading come through the stream: [`TableError::Files`].
    pub fn read_except(
        &self,
        file: &LiveFile,
        without: &RoaringTreemap,
    ) -> Result<BatchStream, TableError> {
        let (table, file, gone) = (self.clone(), file.clone(), without.clone());
        let open = async move { table.open_except(&file, gone).await };
        Ok(futures::stream::once(open).try_flatten().boxed())
    }

    async fn open_except(
        &self,
        file: &LiveFile,
        mut gone: RoaringTreemap,
    ) -> Result<BatchStream, TableError> {
        gone |= self.deleted_positions(file).await?;
        let open = OpenFile::open(self, file.path(), file.size()).await?;
        let columns = Columns::new(&open, &self.column_indices(None)?)?;
        let groups = groups(open.metadata()).into_iter().enumerate();
        let rows = groups.map(|(group, all)| without(group, all, &gone));
        let rows = rows.filter(|rows| !rows.ranges.is_empty()).collect();
        Ok(batches(Arc::new(open), columns, rows))
    }
}

/// Decodes the rows, one row group after the other; the next one is fetched meanwhile.
fn batches(file: Arc<OpenFile>, columns: Columns, rows: Vec<GroupRows>) -> BatchStream {
    let mask = columns.mask.clone();
    let fetch = move |rows: GroupRows| {
        let (file, mask) = (Arc::clone(&file), mask.clone());
        async move { file.row_group(rows.group, mask, rows.selection(), BATCH_ROWS).await }
    };
    let table = columns.table.clone();
    let mut rest = rows.into_iter();
    let mut fetch_next = move || rest.next().map(|rows| tokio::spawn(fetch(rows)));
    let readers = futures::stream::try_unfold(None, move |ahead| {
        let fetched = ahead.or_else(&mut fetch_next);
        let (next, table) = (fetched.is_some().then(&mut fetch_next).flatten(), table.clone());
        async move {
            let Some(fetched) = fetched else { return Ok(None) };
            let reader = fetched.await.map_err(|e| table.rows_error(e))??;
            Ok(Some((reader, next)))
        }
    });
    let readers = readers.try_filter_map(|reader| async move { Ok(reader) });
    let decode = move |reader: ParquetRecordBatchReader| decode(reader, columns.clone());
    readers.map_ok(decode).try_flatten().boxed()
}

/// Decodes one row group on a thread for blocking work, batch by batch.
fn decode(reader: ParquetRecordBatchReader, columns: Columns) -> BatchStream {
    futures::stream::try_unfold((reader, VecDeque::new()), move |(mut reader, mut ready)| {
        let columns = columns.clone();
        async move {
            if ready.is_empty() {
                let table = columns.table.clone();
                let work = move || {
                    let batches: Result<VecDeque<RecordBatch>, TableError> = reader
                        .by_ref()
                        .take(BATCHES_AT_A_TIME)
                        .map(|batch| columns.fit(&batch.map_err(|e| columns.table.rows_error(e))?))
                        .collect();
                    batches.map(|batches| (reader, batches))
                };
                let done = tokio::task::spawn_blocking(work).await;
                (reader, ready) = done.map_err(|e| table.rows_error(e))??;
            }
            Ok(ready.pop_front().map(|batch| (batch, (reader, ready))))
        }
    })
    .boxed()
}

/// Batches decoded in one go on a thread for blocking work.
const BATCHES_AT_A_TIME: usize = 2;
