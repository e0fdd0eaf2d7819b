//! Rows of one table in the making, and the Parquet file that they become.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use medallion_definition::change::Op;
use parquet::errors::ParquetError;

use crate::column::ColumnBuilder;
use crate::parquet_file::{ParquetFile, ROW_GROUP_ROWS};
use crate::shape::TableShape;
use crate::value::{Cell, ValueError};

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
    /// In the order of the shape's columns.
    pub(crate) cells: &'a [Cell<'a>],
    /// The whole row before an update.
    pub(crate) before: Option<&'a [Cell<'a>]>,
    /// 35 digits, or nothing in a full load.
    pub(crate) sequence: &'a str,
}

/// Why a row cannot be taken.
#[derive(Debug)]
pub(crate) enum RowError {
    /// A value that its column cannot take.
    Value { column: String, source: ValueError },
    /// The rows before it cannot be encoded.
    File(BronzeFileError),
}

/// The rows of one table that wait for a file: whole row groups encoded, the last ones as they are.
pub(crate) struct RowBuffer {
    shape: Arc<TableShape>,
    schema: SchemaRef,
    columns: Vec<(String, ColumnBuilder)>,
    /// The column that each key column is.
    key: Vec<usize>,
    before: Vec<ColumnBuilder>,
    op: StringBuilder,
    timestamp: StringBuilder,
    sequence: StringBuilder,
    file: Option<ParquetFile>,
    /// Rows that are encoded, and the bytes that they took before.
    encoded: (usize, usize),
    /// Rows that are not.
    rows: usize,
}

impl RowBuffer {
    pub(crate) fn new(shape: &Arc<TableShape>) -> RowBuffer {
        let columns = shape.columns();
        let builder = |index: &usize| ColumnBuilder::new(&columns[*index].source_type);
        RowBuffer {
            shape: Arc::clone(shape),
            schema: shape.schema(),
            columns: columns
                .iter()
                .map(|c| (c.name.clone(), ColumnBuilder::new(&c.source_type)))
                .collect(),
            before: shape.key().iter().map(builder).collect(),
            key: shape.key().to_vec(),
            op: StringBuilder::new(),
            timestamp: StringBuilder::new(),
            sequence: StringBuilder::new(),
            file: None,
            encoded: (0, 0),
            rows: 0,
        }
    }

    /// True when rows of this shape can go into the same file.
    pub(crate) fn takes(&self, shape: &Arc<TableShape>) -> bool {
        Arc::ptr_eq(&self.shape, shape) || self.shape == *shape
    }

    /// Appends a row. After an error the buffer holds part of the row and must be dropped.
    pub(crate) fn push(&mut self, row: &BronzeRow<'_>) -> Result<(), RowError> {
        if self.rows == ROW_GROUP_ROWS {
            let file = self.file.take();
            self.file = Some(self.encode(file).map_err(RowError::File)?);
        }
        let failed = |name: &String, source| RowError::Value { column: name.clone(), source };
        for ((name, column), cell) in self.columns.iter_mut().zip(row.cells) {
            column.append(cell).map_err(|source| failed(name, source))?;
        }
        for (column, &index) in self.before.iter_mut().zip(&self.key) {
            let cell = row.before.map_or(&Cell::Null, |before| &before[index]);
            column.append(cell).map_err(|source| failed(&self.columns[index].0, source))?;
        }
        self.op.append_value(row.op.letter());
        self.timestamp.append_value(row.timestamp);
        self.sequence.append_value(row.sequence);
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.encoded.0 + self.rows
    }

    /// About how many bytes the rows take in memory, at most.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|(_, column)| column);
        let values: usize = columns.chain(&self.before).map(ColumnBuilder::bytes).sum();
        // Operation, timestamp and sequence take about 80 bytes with their offsets.
        self.encoded.1 + values + self.rows * 80
    }

    /// The rows as a Parquet file; the buffer is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<Bytes, BronzeFileError> {
        let file = match (self.file.take(), self.rows) {
            (Some(file), 0) => file,
            (file, _) => self.encode(file)?,
        };
        self.encoded = (0, 0);
        file.finish().map_err(BronzeFileError::Parquet)
    }

    /// Encodes the rows that are not, of which there is at most a row group.
    fn encode(&mut self, file: Option<ParquetFile>) -> Result<ParquetFile, BronzeFileError> {
        self.encoded = (self.rows(), self.bytes());
        self.rows = 0;
        let text = |builder: &mut StringBuilder| Arc::new(builder.finish()) as ArrayRef;
        let mut arrays = vec![text(&mut self.op), text(&mut self.timestamp)];
        arrays.extend(self.columns.iter_mut().map(|(_, column)| column.finish()));
        arrays.extend(self.before.iter_mut().map(ColumnBuilder::finish));
        arrays.push(text(&mut self.sequence));
        let rows =
            RecordBatch::try_new(self.schema.clone(), arrays).map_err(BronzeFileError::Arrow)?;
        let begin = || ParquetFile::begin(&rows).map_err(BronzeFileError::Parquet);
        let mut file = file.map_or_else(begin, Ok)?;
        file.write(&rows).map_err(BronzeFileError::Parquet)?;
        Ok(file)
    }
}

#[cfg(test)]
#[path = "bronze_file_tests.rs"]
mod tests;
