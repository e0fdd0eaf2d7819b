//! Reading one Bronze file: by column name, cast to Silver types, with nothing guessed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use chrono::NaiveDateTime;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, ChangeSeq, DMS_TS, OP, Op};
use medallion_definition::contract::TableContract;
use medallion_ingestion::layout::BronzeKey;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Changes, before_schema, source_schema};
use crate::error::TransformError;

/// One Bronze file, named in errors.
struct BronzeFile<'a> {
    key: &'a str,
    contract: &'a TableContract,
    rows: RecordBatch,
}

/// Reads one Bronze file. `file` is its index in the batch.
///
/// # Errors
/// [`TransformError::BronzeFile`] when it is no Parquet, lacks a technical or key column, or holds
/// a value that does not fit the contract.
pub fn read(
    contract: &TableContract,
    key: &str,
    file: u64,
    content: Bytes,
) -> Result<Changes, TransformError> {
    let bad = |reason: String| TransformError::BronzeFile { key: key.to_owned(), reason };
    let reader = ParquetRecordBatchReaderBuilder::try_new(content)
        .and_then(|builder| builder.with_batch_size(8192).build())
        .map_err(|e| bad(format!("it is no Parquet file that can be read ({e})")))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches =
        reader.collect::<Result<Vec<_>, _>>().map_err(|e| bad(format!("reading stopped: {e}")))?;
    let rows = concat_batches(&schema, &batches)?;
    BronzeFile { key, contract, rows }.changes(file)
}

impl BronzeFile<'_> {
    fn bad(&self, reason: String) -> TransformError {
        TransformError::BronzeFile { key: self.key.to_owned(), reason }
    }

    fn changes(&self, file: u64) -> Result<Changes, TransformError> {
        let n = self.rows.num_rows();
        self.check_columns()?;
        let op = self.text(OP)?;
        let seq = self.text(CHANGE_SEQ)?;
        for row in 0..n {
            op.value(row).parse::<Op>().map_err(|e| self.bad(format!("row {row}: {e}")))?;
            seq.value(row).parse::<ChangeSeq>().map_err(|e| self.bad(format!("row {row}: {e}")))?;
            if seq.value(row).is_empty() && !self.is_full_load() {
                return Err(self.bad(format!("row {row}: a change without `{CHANGE_SEQ}`")));
            }
        }
        let source = self.columns(&source_schema(self.contract), "")?;
        for key in &self.contract.key {
            if source.column_by_name(key.as_str()).is_some_and(|c| c.null_count() > 0) {
                return Err(self.bad(format!("the key column `{key}` holds NULL")));
            }
        }
        let before = self.columns(&before_schema(self.contract), BEFORE_IMAGE_PREFIX)?;
        Ok(Changes {
            changed_at: self.changed_at()?,
            source,
            before,
            op,
            seq,
            file: UInt64Array::from(vec![file; n]),
            row: UInt64Array::from_iter_values(0..n as u64),
        })
    }

    fn is_full_load(&self) -> bool {
        self.key.parse::<BronzeKey>().is_ok_and(|key| key.is_full_load())
    }

    /// The file has what the merge relies on, and nothing that the contract does not know: a
    /// column that was added, dropped or renamed at the source stops the batch, so that no value
    /// turns into NULL behind anybody's back.
    fn check_columns(&self) -> Result<(), TransformError> {
        let has = |name: &str| self.rows.column_by_name(name).is_some();
        let known = |name: &str| {
            let source = name.strip_prefix(BEFORE_IMAGE_PREFIX).unwrap_or(name);
            [OP, DMS_TS, CHANGE_SEQ].contains(&name)
                || self.contract.columns.iter().any(|c| c.name.as_str() == source)
        };
        if let Some(field) = self.rows.schema().fields().iter().find(|f| !known(f.name())) {
            let reason = format!("the contract does not know the column `{}`", field.name());
            return Err(self.bad(reason));
        }
        let required = self.contract.columns.iter().filter(|c| !c.nullable).map(|c| &c.name);
        if let Some(missing) = required.map(ToString::to_string).find(|name| !has(name)) {
            return Err(self.bad(format!("the required column `{missing}` is missing")));
        }
        let before = self.contract.key.iter().map(|key| format!("{BEFORE_IMAGE_PREFIX}{key}"));
        match before.into_iter().find(|name| !self.is_full_load() && !has(name)) {
            Some(missing) => Err(self.bad(format!("the column `{missing}` is missing"))),
            None => Ok(()),
        }
    }

    /// A technical text column; NULL reads as empty.
    fn text(&self, name: &str) -> Result<StringArray, TransformError> {
        let column = self
            .rows
            .column_by_name(name)
            .ok_or_else(|| self.bad(format!("the column `{name}` is missing")))?;
        let column = self.cast(name, column, &DataType::Utf8)?;
        Ok(column.as_string::<i32>().iter().map(|v| Some(v.unwrap_or_default())).collect())
    }

    fn cast(
        &self,
        name: &str,
        column: &ArrayRef,
        to: &DataType,
    ) -> Result<ArrayRef, TransformError> {
        if column.data_type() == to {
            return Ok(Arc::clone(column));
        }
        let misfit =
            || self.bad(format!("column `{name}` does not fit the type {to} without loss"));
        // Never `safe`: a value that does not fit is an error, not a silent NULL. Casts that round
        // or cut show when they are undone.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let strict = |column: &ArrayRef, to: &DataType| {
            cast_with_options(column, to, &options).map_err(|_| misfit())
        };
        let cast = strict(column, to)?;
        let back = strict(&cast, column.data_type())?;
        let lost = distinct(&back, column).map_err(|_| misfit())?.true_count();
        if lost > 0 { Err(misfit()) } else { Ok(cast) }
    }

    /// The columns of a schema, found by prefixed name; a column that the file lacks is NULL.
    fn columns(&self, schema: &SchemaRef, prefix: &str) -> Result<RecordBatch, TransformError> {
        let n = self.rows.num_rows();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let name = format!("{prefix}{}", field.name());
            columns.push(match self.rows.column_by_name(&name) {
                Some(column) => self.cast(&name, column, field.data_type())?,
                None => new_null_array(field.data_type(), n),
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    /// `dms_ts` as an instant; DMS writes UTC without saying so.
    fn changed_at(&self) -> Result<TimestampMicrosecondArray, TransformError> {
        let texts = self.text(DMS_TS)?;
        let mut out = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default();
            let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
                .map_err(|_| self.bad(format!("row {row}: `{DMS_TS}` is no time: `{text}`")))?;
            out.push(time.and_utc().timestamp_micros());
        }
        Ok(TimestampMicrosecondArray::from(out))
    }
}
