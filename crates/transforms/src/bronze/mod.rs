//! Changes as Bronze holds them.

mod cast;
mod clock;
mod decode;
mod object;
mod open;
mod shape;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array, new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use medallion_definition::catalogue;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;
use medallion_tables::schema::arrow_type;

pub use decode::Decoder;
pub use open::{BATCH_ROWS, open, read};

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

    /// Rows `offset` to `offset + length`, without a copy.
    pub fn slice(&self, offset: usize, length: usize) -> Changes {
        Changes {
            source: self.source.slice(offset, length),
            before: self.before.slice(offset, length),
            op: self.op.slice(offset, length),
            seq: self.seq.slice(offset, length),
            changed_at: self.changed_at.slice(offset, length),
            file: self.file.slice(offset, length),
            row: self.row.slice(offset, length),
        }
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

#[cfg(test)]
mod tests;
