//! Rows of one bucket as a stream of data files.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use iceberg::spec::DataFile;

use super::layout::Layout;
use super::parquet_file::FileWriter;
use super::{CHUNK_ROWS, fit, storage_schema};
use crate::table::{LakeTable, TableError};

/// Writes rows of one bucket, which come sorted by the table's key, into data files of about a
/// given size. No row, no file. Encoding is done on threads for blocking work; memory is that of
/// one row group.
///
/// One that is dropped before [`BucketWriter::finish`], or failed, leaves its files behind,
/// unreferenced.
pub struct BucketWriter {
    table: LakeTable,
    schema: SchemaRef,
    bucket: Option<i32>,
    layout: Layout,
    /// Rows that wait for more: encoding a few at a time costs much per row.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    open: Option<FileWriter>,
    files: Vec<DataFile>,
}

impl BucketWriter {
    /// A writer for rows of `bucket`, which is nothing for an unpartitioned table, into files of
    /// about `target_bytes`.
    ///
    /// # Errors
    /// [`TableError::Files`] when the table's schema cannot be written.
    pub fn new(
        table: &LakeTable,
        bucket: Option<i32>,
        target_bytes: u64,
    ) -> Result<Self, TableError> {
        let layout = Layout { file_bytes: target_bytes, ..Layout::default() };
        BucketWriter::with_layout(table, bucket, layout)
    }

    pub(crate) fn with_layout(
        table: &LakeTable,
        bucket: Option<i32>,
        layout: Layout,
    ) -> Result<Self, TableError> {
        Ok(BucketWriter {
            table: table.clone(),
            schema: storage_schema(table)?,
            bucket,
            layout,
            waiting: Vec::new(),
            waiting_rows: 0,
            open: None,
            files: Vec::new(),
        })
    }

    /// Appends rows; columns are matched by name as in [`super::write_files`].
    ///
    /// # Errors
    /// [`TableError::Misfit`] when columns do not fit; [`TableError::Files`] when the file cannot
    /// be written; [`TableError::Partitioning`] when the table is partitioned by several values.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        if batch.num_rows() > 0 {
            self.waiting.push(fit(&self.table, &self.schema, batch)?);
            self.waiting_rows += batch.num_rows();
        }
        if self.waiting_rows >= CHUNK_ROWS { self.flush().await } else { Ok(()) }
    }

    /// Closes the last file and describes all of them.
    ///
    /// # Errors
    /// As [`BucketWriter::write`].
    pub async fn finish(mut self) -> Result<Vec<DataFile>, TableError> {
        self.flush().await?;
        if let Some(last) = self.open.take() {
            self.files.push(last.close().await?);
        }
        Ok(self.files)
    }

    /// Encodes the rows that wait.
    async fn flush(&mut self) -> Result<(), TableError> {
        self.waiting_rows = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let rows = match waiting.as_slice() {
            [] => return Ok(()),
            [only] => only.clone(),
            many => concat_batches(&self.schema, many).map_err(|e| self.table.rows_error(e))?,
        };
        let mut from = 0;
        while from < rows.num_rows() {
            let chunk = rows.slice(from, CHUNK_ROWS.min(rows.num_rows() - from));
            from += chunk.num_rows();
            self.encode(&chunk).await?;
        }
        Ok(())
    }

    async fn encode(&mut self, chunk: &RecordBatch) -> Result<(), TableError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let (table, schema) = (&self.table, &self.schema);
                FileWriter::open(table, schema, self.bucket, &self.layout, chunk).await?
            }
        };
        let open = self.open.insert(open);
        open.write(chunk).await?;
        if open.bytes() >= self.layout.file_bytes
            && let Some(full) = self.open.take()
        {
            self.files.push(full.close().await?);
        }
        Ok(())
    }
}
