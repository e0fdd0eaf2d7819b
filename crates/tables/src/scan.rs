//! Reading rows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use iceberg::scan::FileScanTask;
use iceberg::spec::DataFileFormat;

use crate::files::LiveFile;
use crate::table::{LakeTable, TableError};

/// Rows of a batch.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Batches as they are read.
pub type BatchStream = BoxStream<'static, Result<RecordBatch, TableError>>;

impl LakeTable {
    /// All rows of the snapshot that is read, in no order; deleted rows are left out. Columns come in
    /// the order asked for, or all in table order, in the types of [`LakeTable::arrow_schema`].
    ///
    /// # Errors
    /// [`TableError::UnknownColumn`], or [`TableError::Files`] when planning fails; errors of
    /// reading come through the stream.
    pub async fn scan(&self, columns: Option<&[String]>) -> Result<BatchStream, TableError> {
        let indices = self.column_indices(columns)?;
        let tasks = self.plan(&indices).await?;
        let concurrency = std::thread::available_parallelism().map_or(1, usize::from);
        self.read_tasks(tasks, &indices, concurrency)
    }

    /// As [`LakeTable::scan`], collected.
    ///
    /// # Errors
    /// Those of [`LakeTable::scan`] and of reading.
    pub async fn read_all(
        &self,
        columns: Option<&[String]>,
    ) -> Result<Vec<RecordBatch>, TableError> {
        self.scan(columns).await?.try_collect().await
    }

    /// The rows of one live file, in file order; rows deleted by delete files are left out.
    ///
    /// # Errors
    /// [`TableError::UnknownColumn`], or [`TableError::Files`] when reading fails.
    pub async fn read_file(
        &self,
        file: &LiveFile,
        columns: Option<&[String]>,
    ) -> Result<Vec<RecordBatch>, TableError> {
        let indices = self.column_indices(columns)?;
        self.stream_indices(file, &indices)?.try_collect().await
    }

    /// As [`LakeTable::read_file`], batch by batch.
    ///
    /// # Errors
    /// As [`LakeTable::read_file`].
    pub(crate) fn stream_file(
        &self,
        file: &LiveFile,
        columns: &[String],
    ) -> Result<BatchStream, TableError> {
        self.stream_indices(file, &self.column_indices(Some(columns))?)
    }

    fn stream_indices(
        &self,
        file: &LiveFile,
        indices: &[usize],
    ) -> Result<BatchStream, TableError> {
        let metadata = self.metadata();
        let task = FileScanTask::builder()
            .with_file_size_in_bytes(file.size())
            .with_start(0)
            .with_length(file.size())
            .with_data_file_path(file.path().to_owned())
            .with_data_file_format(DataFileFormat::Parquet)
            .with_schema(metadata.current_schema().clone())
            .with_project_field_ids(self.field_ids(indices))
            .with_deletes(file.delete_tasks())
            .with_partition(Some(file.data_file.partition().clone()))
            .with_partition_spec(metadata.partition_spec_by_id(file.spec_id).cloned())
            .with_case_sensitive(true)
            .build();
        self.read_tasks(vec![task], indices, 1)
    }

    /// The positions of the columns in the table's schema.
    pub(crate) fn column_indices(
        &self,
        columns: Option<&[String]>,
    ) -> Result<Vec<usize>, TableError> {
        let schema = self.arrow_schema();
        let Some(columns) = columns else { return Ok((0..schema.fields().len()).collect()) };
        let index = |column: &String| {
            schema.index_of(column).map_err(|_| TableError::UnknownColumn {
                table: self.name(),
                column: column.clone(),
            })
        };
        columns.iter().map(index).collect()
    }

    /// Field ids to read. Without any column the first one is read for its row count, since the
    /// crate's reader takes an empty projection for all columns.
    fn field_ids(&self, indices: &[usize]) -> Vec<i32> {
        let fields = self.metadata().current_schema().as_struct().fields();
        let wanted = if indices.is_empty() { &[0] } else { indices };
        wanted.iter().filter_map(|i| fields.get(*i)).map(|field| field.id).collect()
    }

    /// One task per live file, read by the current schema.
    pub(crate) async fn plan(&self, indices: &[usize]) -> Result<Vec<FileScanTask>, TableError> {
        // Without a snapshot the crate would read the head of main.
        let Some(snapshot) = self.snapshot_id() else { return Ok(Vec::new()) };
        let tasks = async {
            let scan = self.table.scan().snapshot_id(snapshot).select_empty().build()?;
            scan.plan_files().await?.try_collect::<Vec<_>>().await
        };
        let mut tasks = tasks.await.map_err(|source| self.files_error(source))?;
        tasks.sort_by(|a, b| a.data_file_path.cmp(&b.data_file_path));
        for task in &mut tasks {
            task.schema = self.metadata().current_schema().clone();
            task.project_field_ids = self.field_ids(indices);
        }
        Ok(tasks)
    }

    /// Reads the files of the tasks, so many at a time.
    pub(crate) fn read_tasks(
        &self,
        tasks: Vec<FileScanTask>,
        indices: &[usize],
        concurrency: usize,
    ) -> Result<BatchStream, TableError> {
        let reader = self.table.reader_builder().with_batch_size(BATCH_ROWS);
        let reader = reader.with_data_file_concurrency_limit(concurrency).build();
        let tasks = futures::stream::iter(tasks.into_iter().map(Ok)).boxed();
        let read = reader.read(tasks).map_err(|source| self.files_error(source))?;
        let schema = self.arrow_schema().project(indices).map_err(|e| self.rows_error(e))?;
        let (schema, table) = (Arc::new(schema), self.clone());
        Ok(read
            .stream()
            .map(move |batch| {
                let batch = batch.map_err(|source| table.files_error(source))?;
                table.fit(&schema, &batch)
            })
            .boxed())
    }

    /// The batch under the table's own schema. Types differ only for constants that the reader
    /// fills in and for files of other writers.
    fn fit(&self, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let fields = schema.fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| {
            if field.data_type() == column.data_type() {
                return Ok(Arc::clone(column));
            }
            cast(column, field.data_type())
        });
        let columns = columns.collect::<Result<_, _>>().map_err(|e| self.rows_error(e))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
            .map_err(|e| self.rows_error(e))
    }
}
