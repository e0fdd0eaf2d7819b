//! One data file being written.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use iceberg::io::FileWrite;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, Struct};
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::AsyncFileWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::metrics::Metrics;
use crate::table::{LakeTable, TableError};

/// Rows of a row group: small enough that finding keys in a sorted file skips most of it.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes of a row group, which bounds the encoder's memory.
const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;

/// A Parquet file of a table, open for writing.
pub(super) struct FileWriter {
    table: LakeTable,
    path: String,
    partition: Struct,
    metrics: Metrics,
    inner: AsyncArrowWriter<Sink>,
}

impl FileWriter {
    /// Opens a file with a new name for rows of one bucket.
    pub(super) async fn open(
        table: &LakeTable,
        schema: &SchemaRef,
        bucket: Option<i32>,
    ) -> Result<Self, TableError> {
        let spec = table.metadata().default_partition_spec();
        let partition: Struct = spec.fields().iter().map(|_| bucket.map(Literal::int)).collect();
        let root = format!("{}/data", table.metadata().location());
        let folder = if spec.is_unpartitioned() {
            root
        } else {
            let current = table.metadata().current_schema().clone();
            format!("{root}/{}", spec.partition_to_path(&partition, current))
        };
        let path = format!("{folder}/{}.parquet", Uuid::now_v7());
        let files = |source| table.files_error(source);
        let output = table.table.file_io().new_output(&path).map_err(files)?;
        let sink = Sink(output.writer().await.map_err(files)?);
        let properties = properties(table)?;
        let inner = AsyncArrowWriter::try_new(sink, schema.clone(), Some(properties))
            .map_err(|e| table.rows_error(e))?;
        let metrics = metrics(table)?;
        Ok(FileWriter { table: table.clone(), path, partition, metrics, inner })
    }

    /// Appends rows, which must be sorted and of the file's bucket.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        self.metrics.add(batch);
        self.inner.write(batch).await.map_err(|e| convert(&self.table, e))
    }

    /// Bytes so far, encoded and not yet encoded.
    pub(super) fn bytes(&self) -> usize {
        self.inner.bytes_written() + self.inner.in_progress_size()
    }

    /// Makes the file durable and describes it.
    pub(super) async fn close(mut self) -> Result<DataFile, TableError> {
        let footer = self.inner.finish().await.map_err(|e| convert(&self.table, e))?;
        let metadata = self.table.metadata();
        let order = metadata.default_sort_order_id();
        let mut builder = DataFileBuilder::default();
        builder
            .content(DataContentType::Data)
            .file_path(self.path)
            .file_format(DataFileFormat::Parquet)
            .partition(self.partition)
            .partition_spec_id(metadata.default_partition_spec_id())
            .record_count(self.metrics.rows())
            .file_size_in_bytes(self.inner.bytes_written() as u64)
            .column_sizes(column_sizes(&self.table, &footer))
            .value_counts(self.metrics.value_counts())
            .null_value_counts(self.metrics.null_counts())
            .lower_bounds(self.metrics.lower_bounds())
            .upper_bounds(self.metrics.upper_bounds())
            .split_offsets(Some(split_offsets(&footer)))
            .sort_order_id(i32::try_from(order).unwrap_or_default());
        builder.build().map_err(|e| self.table.rows_error(e))
    }
}

/// zstd, bounded row groups, and no statistics at all of personal columns: neither in the
/// footer nor in page headers nor in the page index.
fn properties(table: &LakeTable) -> Result<WriterProperties, TableError> {
    let level = ZstdLevel::try_new(3).map_err(|e| table.rows_error(e))?;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for column in table.personal_columns()? {
        let path = ColumnPath::new(vec![column.to_owned()]);
        builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    Ok(builder.build())
}

fn metrics(table: &LakeTable) -> Result<Metrics, TableError> {
    let personal = table.personal_columns()?;
    let fields = table.metadata().current_schema().as_struct().fields();
    Ok(Metrics::new(fields.iter().map(|field| {
        let bounded = field.field_type.as_primitive_type().cloned();
        (field.id, bounded.filter(|_| !personal.contains(field.name.as_str())))
    })))
}

/// Compressed bytes by field id.
fn column_sizes(table: &LakeTable, footer: &ParquetMetaData) -> HashMap<i32, u64> {
    let fields = table.metadata().current_schema().as_struct().fields();
    let mut sizes = HashMap::new();
    for group in footer.row_groups() {
        for (field, column) in fields.iter().zip(group.columns()) {
            let size = u64::try_from(column.compressed_size()).unwrap_or_default();
            *sizes.entry(field.id).or_default() += size;
        }
    }
    sizes
}

/// Where row groups begin, for readers that split files.
fn split_offsets(footer: &ParquetMetaData) -> Vec<i64> {
    let groups = footer.row_groups().iter();
    let first = groups.filter_map(|group| group.columns().first());
    first
        .map(|column| column.dictionary_page_offset().unwrap_or(column.data_page_offset()))
        .collect()
}

/// An I/O error that went through the Parquet writer keeps its class.
fn convert(table: &LakeTable, error: ParquetError) -> TableError {
    match error {
        ParquetError::External(source) => match source.downcast::<iceberg::Error>() {
            Ok(source) => table.files_error(*source),
            Err(source) => table.rows_error(ParquetError::External(source)),
        },
        other => table.rows_error(other),
    }
}

/// Iceberg's file as the Parquet writer wants it.
struct Sink(Box<dyn FileWrite>);

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        Box::pin(async move {
            self.0.write(bytes).await.map_err(|e| ParquetError::External(Box::new(e)))
        })
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        Box::pin(
            async move { self.0.close().await.map_err(|e| ParquetError::External(Box::new(e))) },
        )
    }
}
