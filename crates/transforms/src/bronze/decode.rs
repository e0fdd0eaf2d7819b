//! From the rows of a Bronze file to changes: by column name, in Silver types, nothing guessed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use medallion_definition::change::{CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::contract::TableContract;
use medallion_ingestion::layout::BronzeKey;

use super::shape::Shape;
use super::{Changes, before_schema, cast, clock, source_schema};
use crate::error::TransformError;

/// Digits of `change_seq`.
const SEQ_DIGITS: usize = 35;

/// Turns the rows of one Bronze file into changes, batch by batch.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The object's key, for errors.
    object: String,
    full_load: bool,
    /// The file's index in the batch.
    file: u64,
    /// The number of the next row, from 0.
    next: u64,
    shape: Shape,
    source: SchemaRef,
    before: SchemaRef,
    /// Where the key columns stand in `source`.
    key: Vec<usize>,
}

impl Decoder {
    /// A decoder for the object with this key, whose columns are these; `file` is its index in
    /// the batch.
    ///
    /// # Errors
    /// [`TransformError::BronzeFile`] when its columns do not fit the contract.
    pub fn new(
        contract: &TableContract,
        object: &str,
        file: u64,
        columns: &Schema,
    ) -> Result<Decoder, TransformError> {
        let full_load = object.parse::<BronzeKey>().is_ok_and(|key| key.is_full_load());
        let shape = Shape::new(contract, full_load, columns)
            .map_err(|reason| TransformError::BronzeFile { key: object.to_owned(), reason })?;
        let place = |key: &_| contract.columns.iter().position(|c| c.name == *key);
        Ok(Decoder {
            object: object.to_owned(),
            full_load,
            file,
            next: 0,
            shape,
            source: source_schema(contract),
            before: before_schema(contract),
            key: contract.key.iter().filter_map(place).collect(),
        })
    }

    /// The places in the file's schema of the columns that are read.
    pub(super) fn places(&self, columns: &Schema) -> Vec<usize> {
        self.shape.places(columns)
    }

    /// The next rows of the file; columns that are not read may be missing.
    ///
    /// # Errors
    /// [`TransformError::BronzeFile`] with the row when a value does not fit.
    pub fn decode(&mut self, rows: &RecordBatch) -> Result<Changes, TransformError> {
        let n = rows.num_rows();
        let op = self.text(rows, OP)?;
        self.check_operations(&op)?;
        let seq = self.text(rows, CHANGE_SEQ)?;
        let seq = self.sequences(seq)?;
        let source = self.columns(rows, &self.source, &self.shape.source)?;
        for &place in &self.key {
            self.check_key(self.source.field(place).name(), source.column(place))?;
        }
        let before = self.columns(rows, &self.before, &self.shape.before)?;
        let changed_at = self.changed_at(rows)?;
        let first = self.next;
        self.next += n as u64;
        Ok(Changes {
            source,
            before,
            op,
            seq,
            changed_at,
            file: UInt64Array::from(vec![self.file; n]),
            row: UInt64Array::from_iter_values(first..self.next),
        })
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> TransformError {
        TransformError::BronzeFile { key: self.object.clone(), reason: reason.into() }
    }

    /// An error about a row of the batch that is being decoded.
    fn bad_row(&self, row: usize, reason: impl std::fmt::Display) -> TransformError {
        self.bad(format!("row {}: {reason}", self.next + row as u64))
    }

    /// The number of the next row.
    pub(super) fn next_row(&self) -> u64 {
        self.next
    }

    fn column<'a>(
        &self,
        rows: &'a RecordBatch,
        name: &str,
    ) -> Result<&'a ArrayRef, TransformError> {
        rows.column_by_name(name).ok_or_else(|| self.bad(format!("the column `{name}` is missing")))
    }

    fn cast(
        &self,
        name: &str,
        column: &ArrayRef,
        to: &DataType,
    ) -> Result<ArrayRef, TransformError> {
        cast::without_loss(column, to).ok_or_else(|| {
            let from = column.data_type();
            let hint = match (from, to) {
                (DataType::Struct(_) | DataType::List(_), _) => "",
                _ => "\n    hint: write the column's present type at the source into the contract",
            };
            self.bad(format!(
                "the column `{name}` is {from}, and does not fit the type {to} without loss{hint}"
            ))
        })
    }

    fn text(&self, rows: &RecordBatch, name: &str) -> Result<StringArray, TransformError> {
        let column = self.cast(name, self.column(rows, name)?, &DataType::Utf8)?;
        Ok(column.as_string::<i32>().clone())
    }

    /// Every operation is `I`, `U` or `D`.
    fn check_operations(&self, op: &StringArray) -> Result<(), TransformError> {
        let is_op = |b: &u8| matches!(b, b'I' | b'U' | b'D');
        let bytes = carried(op);
        let one_each = op.offsets().windows(2).all(|pair| pair[1] - pair[0] == 1);
        if op.null_count() == 0 && one_each && bytes.iter().all(is_op) {
            return Ok(());
        }
        let bad = |row: &usize| op.is_null(*row) || !matches!(op.value(*row), "I" | "U" | "D");
        match (0..op.len()).find(bad) {
            Some(row) => {
                Err(self
                    .bad_row(row, format!("`{OP}` is no operation: DMS writes `I`, `U` or `D`")))
            }
            None => Ok(()),
        }
    }

    /// Sequences without NULL: 35 digits, or nothing in a full load.
    fn sequences(&self, seq: StringArray) -> Result<StringArray, TransformError> {
        let seq = empty_for_null(seq);
        let fits = |length: usize| length == SEQ_DIGITS || (length == 0 && self.full_load);
        let lengths = || seq.offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        // Folded without a way out, so that it runs over many bytes at a time.
        let digits = carried(&seq).iter().fold(true, |all, b| all & b.is_ascii_digit());
        if digits && lengths().all(fits) {
            return Ok(seq);
        }
        let is_bad = |text: &str| !fits(text.len()) || !text.bytes().all(|b| b.is_ascii_digit());
        let found = seq.iter().flatten().enumerate().find(|(_, text)| is_bad(text));
        match found {
            Some((row, "")) => Err(self.bad_row(row, format!("a change without `{CHANGE_SEQ}`"))),
            Some((row, _)) => Err(self.bad_row(
                row,
                format!(
                    "`{CHANGE_SEQ}` is no sequence: DMS writes 35 digits, or nothing in a full load"
                ),
            )),
            None => Ok(seq),
        }
    }

    fn check_key(&self, name: &str, column: &ArrayRef) -> Result<(), TransformError> {
        if column.null_count() == 0 {
            return Ok(());
        }
        let row = (0..column.len()).find(|row| column.is_null(*row)).unwrap_or_default();
        Err(self.bad_row(row, format!("the key column `{name}` holds NULL")))
    }

    /// The columns of a schema under the names of the file; one that the file lacks is NULL.
    fn columns(
        &self,
        rows: &RecordBatch,
        schema: &SchemaRef,
        names: &[Option<String>],
    ) -> Result<RecordBatch, TransformError> {
        let mut columns = Vec::with_capacity(names.len());
        for (field, name) in schema.fields().iter().zip(names) {
            columns.push(match name {
                Some(name) => self.cast(name, self.column(rows, name)?, field.data_type())?,
                None => new_null_array(field.data_type(), rows.num_rows()),
            });
        }
        let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &count)?)
    }

    /// `dms_ts` as an instant; DMS writes UTC without saying so.
    fn changed_at(&self, rows: &RecordBatch) -> Result<TimestampMicrosecondArray, TransformError> {
        let no_time = |row| self.bad_row(row, format!("`{DMS_TS}` is no time"));
        let column = self.column(rows, DMS_TS)?;
        if matches!(column.data_type(), DataType::Timestamp(..)) {
            let to = DataType::Timestamp(TimeUnit::Microsecond, None);
            let times = self.cast(DMS_TS, column, &to)?;
            return match (0..times.len()).find(|row| times.is_null(*row)) {
                Some(row) => Err(no_time(row)),
                None => Ok(times.as_primitive::<TimestampMicrosecondType>().clone()),
            };
        }
        let texts = self.text(rows, DMS_TS)?;
        Ok(TimestampMicrosecondArray::from(clock::instants(&texts).map_err(no_time)?))
    }
}

/// The bytes of all values of a column; what stands under NULL included.
fn carried(texts: &StringArray) -> &[u8] {
    let offsets = texts.offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    &texts.values()[first..last]
}

fn empty_for_null(texts: StringArray) -> StringArray {
    let under_null = |row| texts.is_null(row) && texts.value_length(row) > 0;
    if texts.null_count() > 0 && (0..texts.len()).any(under_null) {
        return texts.iter().map(|text| Some(text.unwrap_or_default())).collect();
    }
    let (offsets, values, _) = texts.into_parts();
    StringArray::new(offsets, values, None)
}
