//! One data file being written.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use iceberg::io::FileWrite;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Literal, Struct};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaData;
use uuid::Uuid;

use super::layout::{Layout, properties};
use super::metrics::Metrics;
use crate::table::{LakeTable, TableError};

/// A Parquet file of a table, open for writing. One that is dropped leaves nothing that readers
/// could see, but perhaps bytes.
pub(super) struct FileWriter {
    table: LakeTable,
    path: String,
    partition: Struct,
    sink: Box<dyn FileWrite>,
    /// Absent only after a failure.
    encoder: Option<Encoder>,
}

/// What turns rows into bytes, on threads for blocking work.
struct Encoder {
    metrics: Metrics,
    writer: ArrowWriter<Vec<u8>>,
}

impl FileWriter {
    /// Opens a file with a new name for rows of one bucket, of which `first` tells how to encode
    /// them; it is not written.
    pub(super) async fn open(
        table: &LakeTable,
        schema: &SchemaRef,
        bucket: Option<i32>,
        layout: &Layout,
        first: &RecordBatch,
    ) -> Result<Self, TableError> {
        let spec = table.metadata().default_partition_spec();
        if spec.fields().len() > 1 {
            // The bucket is known, the other values are not.
            return Err(table.partitioning("its partitions have several values"));
        }
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
        let sink = output.writer().await.map_err(files)?;
        let properties = properties(table, layout, first)?;
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))
            .map_err(|e| table.rows_error(e))?;
        let encoder = Some(Encoder { metrics: metrics(table)?, writer });
        Ok(FileWriter { table: table.clone(), path, partition, sink, encoder })
    }

    /// Appends rows, which must be sorted and of the file's bucket.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        let (mut encoder, table, batch) = (self.take()?, self.table.clone(), batch.clone());
        let work = tokio::task::spawn_blocking(move || {
            encoder.metrics.add(&batch);
            encoder.writer.write(&batch).map_err(|e| table.rows_error(e))?;
            Ok::<Encoder, TableError>(encoder)
        });
        let mut encoder = work.await.map_err(|e| self.table.rows_error(e))??;
        let bytes = std::mem::take(encoder.writer.inner_mut());
        self.encoder = Some(encoder);
        self.send(bytes).await
    }

    /// Bytes so far, encoded and not yet encoded.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = |e: &Encoder| e.writer.bytes_written() + e.writer.in_progress_size();
        self.encoder.as_ref().map_or(0, bytes) as u64
    }

    /// Makes the file durable and describes it.
    pub(super) async fn close(mut self) -> Result<DataFile, TableError> {
        let (mut encoder, table) = (self.take()?, self.table.clone());
        let work = tokio::task::spawn_blocking(move || {
            let footer = encoder.writer.finish().map_err(|e| table.rows_error(e))?;
            Ok::<_, TableError>((footer, encoder))
        });
        let (footer, mut encoder) = work.await.map_err(|e| self.table.rows_error(e))??;
        let bytes = std::mem::take(encoder.writer.inner_mut());
        self.send(bytes).await?;
        self.sink.close().await.map_err(|source| self.table.files_error(source))?;
        self.describe(&footer, &encoder)
    }

    fn describe(self, footer: &ParquetMetaData, encoder: &Encoder) -> Result<DataFile, TableError> {
        let (metadata, metrics) = (self.table.metadata(), &encoder.metrics);
        let order = metadata.default_sort_order_id();
        let mut builder = DataFileBuilder::default();
        builder
            .content(DataContentType::Data)
            .file_path(self.path)
            .file_format(DataFileFormat::Parquet)
            .partition(self.partition)
            .partition_spec_id(metadata.default_partition_spec_id())
            .record_count(metrics.rows())
            .file_size_in_bytes(encoder.writer.bytes_written() as u64)
            .column_sizes(column_sizes(&self.table, footer))
            .value_counts(metrics.value_counts())
            .null_value_counts(metrics.null_counts())
            .lower_bounds(metrics.lower_bounds())
            .upper_bounds(metrics.upper_bounds())
            .split_offsets(Some(split_offsets(footer)))
            .sort_order_id(i32::try_from(order).unwrap_or_default());
        builder.build().map_err(|e| self.table.rows_error(e))
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), TableError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = self.sink.write(Bytes::from(bytes)).await;
        sent.map_err(|source| self.table.files_error(source))
    }

    fn take(&mut self) -> Result<Encoder, TableError> {
        let broken = || self.table.broken(&self.path, "failed before and cannot be written on");
        self.encoder.take().ok_or_else(broken)
    }
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
