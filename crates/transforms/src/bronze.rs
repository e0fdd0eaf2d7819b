//! Reading Bronze files: by column name, cast to Silver types, with nothing guessed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use chrono::NaiveDateTime;
use medallion_definition::catalogue;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, ChangeSeq, DMS_TS, OP, Op};
use medallion_definition::contract::TableContract;
use medallion_tables::schema::arrow_type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::TransformError;

/// Changes read from Bronze, in the order of files and rows.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The source columns in contract order, in Silver types.
    pub source: RecordBatch,
    /// The key columns in key order as they were before an update; NULL where not carried.
    pub before: RecordBatch,
    /// `I`, `U` or `D`; every value was checked.
    pub op: StringArray,
    /// 35 digits, or empty in a full load; every value was checked.
    pub seq: StringArray,
    /// Commit time at the source, microseconds since the epoch.
    pub changed_at: TimestampMicrosecondArray,
    /// The file's index in the batch.
    pub file: UInt64Array,
    /// The row's number in its file, from 0.
    pub row: UInt64Array,
}

impl Changes {
    /// The number of changes.
    pub fn len(&self) -> usize {
        self.source.num_rows()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The operation of a row.
    pub fn op(&self, row: usize) -> Op {
        match self.op.value(row) {
            "I" => Op::Insert,
            "U" => Op::Update,
            _ => Op::Delete,
        }
    }

    fn as_batch(&self) -> Result<RecordBatch, TransformError> {
        let mut columns: Vec<(String, ArrayRef)> = vec![
            ("#op".into(), Arc::new(self.op.clone())),
            ("#seq".into(), Arc::new(self.seq.clone())),
            ("#at".into(), Arc::new(self.changed_at.clone())),
            ("#file".into(), Arc::new(self.file.clone())),
            ("#row".into(), Arc::new(self.row.clone())),
        ];
        for (prefix, batch) in [("b#", &self.before), ("s#", &self.source)] {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                columns.push((format!("{prefix}{}", field.name()), Arc::clone(column)));
            }
        }
        Ok(RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(n, c)| (n, c, true)),
        )?)
    }

    fn with_batch(&self, batch: &RecordBatch) -> Result<Changes, TransformError> {
        let before_end = 5 + self.before.num_columns();
        let part = |schema: SchemaRef, columns: &[ArrayRef]| {
            let rows =
                arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(schema, columns.to_vec(), &rows)
        };
        Ok(Changes {
            op: batch.column(0).as_string().clone(),
            seq: batch.column(1).as_string().clone(),
            changed_at: batch.column(2).as_primitive().clone(),
            file: batch.column(3).as_primitive().clone(),
            row: batch.column(4).as_primitive().clone(),
            before: part(self.before.schema(), &batch.columns()[5..before_end])?,
            source: part(self.source.schema(), &batch.columns()[before_end..])?,
        })
    }

    /// Only the rows for which the mask is true.
    ///
    /// # Errors
    /// When the mask has another length.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Changes, TransformError> {
        self.with_batch(&filter_record_batch(&self.as_batch()?, mask)?)
    }

    /// The same rows as deletes of the key that they had before.
    pub(crate) fn as_deletes_of_before(&self) -> Result<Changes, TransformError> {
        let schema = self.source.schema();
        let column = |field: &Arc<Field>| match self.before.column_by_name(field.name()) {
            Some(before) => Arc::clone(before),
            None => new_null_array(field.data_type(), self.len()),
        };
        let source = RecordBatch::try_new(
            Arc::clone(&schema),
            schema.fields().iter().map(column).collect(),
        )?;
        let op = StringArray::from(vec![Op::Delete.letter(); self.len()]);
        Ok(Changes { source, op, ..self.clone() })
    }

    /// All of these behind one another; `None` for none.
    ///
    /// # Errors
    /// When they are not of the same contract.
    pub fn concat(parts: &[Changes]) -> Result<Option<Changes>, TransformError> {
        let Some(first) = parts.first() else { return Ok(None) };
        let batches = parts.iter().map(Changes::as_batch).collect::<Result<Vec<_>, _>>()?;
        let all = concat_batches(&batches[0].schema(), &batches)?;
        first.with_batch(&all).map(Some)
    }
}

/// The Arrow schema of a contract's source columns in Silver types, all nullable.
pub fn source_schema(contract: &TableContract) -> SchemaRef {
    let fields = contract
        .columns
        .iter()
        .map(|c| Field::new(c.name.as_str(), arrow_type(c.lake_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn before_schema(contract: &TableContract) -> SchemaRef {
    let silver = catalogue::silver(contract);
    let field =
        |name: &str| silver.column(name).map(|c| Field::new(name, arrow_type(c.lake_type), true));
    Arc::new(Schema::new(contract.key.iter().filter_map(|k| field(k.as_str())).collect::<Vec<_>>()))
}

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
        let op = self.text(OP)?;
        let seq = self.text(CHANGE_SEQ)?;
        for row in 0..n {
            op.value(row).parse::<Op>().map_err(|e| self.bad(format!("row {row}: {e}")))?;
            seq.value(row).parse::<ChangeSeq>().map_err(|e| self.bad(format!("row {row}: {e}")))?;
        }
        let key_missing =
            self.contract.key.iter().find(|k| self.rows.column_by_name(k.as_str()).is_none());
        if let Some(missing) = key_missing {
            return Err(self.bad(format!("the key column `{missing}` is missing")));
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
        // Never `safe`: a value that does not fit is an error, not a silent NULL.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, to, &options)
            .map_err(|_| self.bad(format!("column `{name}` does not fit the type {to}")))
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
