//! Rows of one table in the making, and the Parquet file that they become.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;
use medallion_definition::name::ColumnName;
use medallion_ingestion::schema::bronze_schema;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::column::ColumnBuilder;
use crate::value::{Cell, ValueError};

/// The name of the root of DMS's Parquet schemas.
const SCHEMA_ROOT: &str = "schema";

/// Why rows cannot become a file.
#[derive(Debug, thiserror::Error)]
pub enum BronzeFileError {
    /// The columns do not fit together.
    #[error("the rows do not make a batch")]
    Arrow(#[source] ArrowError),
    /// Parquet refused the batch.
    #[error("the rows cannot be encoded as Parquet")]
    Parquet(#[source] ParquetError),
}

/// One row on its way to Bronze.
#[derive(Debug)]
pub(crate) struct BronzeRow<'a> {
    pub(crate) op: Op,
    /// `yyyy-MM-dd HH:mm:ss.SSSSSS`.
    pub(crate) timestamp: &'a str,
    /// In the order of the contract's columns.
    pub(crate) cells: &'a [Cell<'a>],
    /// The whole row before an update.
    pub(crate) before: Option<&'a [Cell<'a>]>,
    /// 35 digits, or nothing in a full load.
    pub(crate) sequence: &'a str,
}

/// A value that the contract's column cannot take.
#[derive(Debug)]
pub(crate) struct RowError {
    pub(crate) column: ColumnName,
    pub(crate) source: ValueError,
}

/// The rows of one table that wait for a file.
pub(crate) struct RowBuffer {
    schema: SchemaRef,
    columns: Vec<(ColumnName, ColumnBuilder)>,
    /// The contract's column that each key column is.
    key: Vec<usize>,
    before: Vec<ColumnBuilder>,
    op: StringBuilder,
    timestamp: StringBuilder,
    sequence: StringBuilder,
    rows: usize,
}

impl RowBuffer {
    pub(crate) fn new(contract: &TableContract) -> RowBuffer {
        let place = |name: &ColumnName| contract.columns.iter().position(|c| c.name == *name);
        let key: Vec<usize> = contract.key.iter().filter_map(place).collect();
        let builder = |index: &usize| ColumnBuilder::new(&contract.columns[*index].source_type);
        RowBuffer {
            schema: bronze_schema(contract),
            columns: contract
                .columns
                .iter()
                .map(|c| (c.name.clone(), ColumnBuilder::new(&c.source_type)))
                .collect(),
            before: key.iter().map(builder).collect(),
            key,
            op: StringBuilder::new(),
            timestamp: StringBuilder::new(),
            sequence: StringBuilder::new(),
            rows: 0,
        }
    }

    /// Appends a row. After an error the buffer holds part of the row and must be dropped.
    pub(crate) fn push(&mut self, row: &BronzeRow<'_>) -> Result<(), RowError> {
        for ((name, column), cell) in self.columns.iter_mut().zip(row.cells) {
            column.append(cell).map_err(|source| RowError { column: name.clone(), source })?;
        }
        for (column, &index) in self.before.iter_mut().zip(&self.key) {
            let cell = row.before.map_or(&Cell::Null, |before| &before[index]);
            column
                .append(cell)
                .map_err(|source| RowError { column: self.columns[index].0.clone(), source })?;
        }
        self.op.append_value(row.op.letter());
        self.timestamp.append_value(row.timestamp);
        self.sequence.append_value(row.sequence);
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes the rows take in memory.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|(_, column)| column);
        let values: usize = columns.chain(&self.before).map(ColumnBuilder::bytes).sum();
        // Operation, timestamp and sequence take about 80 bytes with their offsets.
        values + self.rows * 80
    }

    /// The rows as a Parquet file; the buffer is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<Bytes, BronzeFileError> {
        self.rows = 0;
        let text = |builder: &mut StringBuilder| Arc::new(builder.finish()) as ArrayRef;
        let mut arrays = vec![text(&mut self.op), text(&mut self.timestamp)];
        arrays.extend(self.columns.iter_mut().map(|(_, column)| column.finish()));
        arrays.extend(self.before.iter_mut().map(ColumnBuilder::finish));
        arrays.push(text(&mut self.sequence));
        let batch =
            RecordBatch::try_new(self.schema.clone(), arrays).map_err(BronzeFileError::Arrow)?;
        encode(&batch).map_err(BronzeFileError::Parquet)
    }
}

/// Writes a batch as DMS would: no key-value metadata, decimals as byte arrays.
fn encode(batch: &RecordBatch) -> Result<Bytes, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("medallion-replicator".to_owned())
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(parquet_schema(&batch.schema())?);
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut file, batch.schema(), options)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(Bytes::from(file))
}

/// The default Parquet schema, but with decimals of every precision in the smallest
/// FIXED_LEN_BYTE_ARRAY, which is their form in DMS's files.
fn parquet_schema(schema: &SchemaRef) -> Result<SchemaDescriptor, ParquetError> {
    let converted = ArrowSchemaConverter::new().schema_root(SCHEMA_ROOT).convert(schema)?;
    let mut fields = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(converted.root_schema().get_fields()) {
        fields.push(match field.data_type() {
            DataType::Decimal128(precision, scale) => {
                let length = decimal_len(*precision);
                let (precision, scale) = (i32::from(*precision), i32::from(*scale));
                let physical = PhysicalType::FIXED_LEN_BYTE_ARRAY;
                let column = Type::primitive_type_builder(field.name(), physical)
                    .with_repetition(column.get_basic_info().repetition())
                    .with_length(length)
                    .with_logical_type(Some(LogicalType::Decimal { scale, precision }))
                    .with_precision(precision)
                    .with_scale(scale)
                    .build()?;
                Arc::new(column)
            }
            _ => column.clone(),
        });
    }
    let root = Type::group_type_builder(SCHEMA_ROOT).with_fields(fields).build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

/// The fewest bytes of a two's complement that hold every number of so many decimal digits.
fn decimal_len(precision: u8) -> i32 {
    let largest = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    (1..16).find(|bytes| largest <= 1_i128 << (8 * bytes - 1)).unwrap_or(16)
}

#[cfg(test)]
#[path = "bronze_file_tests.rs"]
mod tests;
