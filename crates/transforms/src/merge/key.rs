//! Keys as comparable bytes, and updates that change them.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::row::{RowConverter, Rows, SortField};
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;

use crate::bronze::Changes;
use crate::error::TransformError;

/// Turns key columns into comparable bytes, in the order in which the table is sorted.
pub(crate) struct KeyEncoder {
    converter: RowConverter,
    names: Vec<String>,
}

impl KeyEncoder {
    pub(crate) fn new(contract: &TableContract) -> Result<KeyEncoder, TransformError> {
        let schema = crate::bronze::source_schema(contract);
        let names: Vec<String> = contract.key.iter().map(ToString::to_string).collect();
        let mut fields = Vec::new();
        for name in &names {
            fields.push(SortField::new(schema.field_with_name(name)?.data_type().clone()));
        }
        Ok(KeyEncoder { converter: RowConverter::new(fields)?, names })
    }

    /// The key columns of a batch that holds them under their names.
    pub(crate) fn columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.names.iter().filter_map(|n| batch.column_by_name(n).cloned()).collect()
    }

    /// The keys of the batch's rows; the batch holds the key columns under their names.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Rows, TransformError> {
        Ok(self.converter.convert_columns(&self.columns(batch))?)
    }
}

/// The updates that changed the key of their row, ascending.
pub(crate) fn moved_rows(
    keys: &KeyEncoder,
    changes: &Changes,
) -> Result<Vec<usize>, TransformError> {
    let carried = |row: &usize| changes.before.columns().iter().all(|c| c.is_valid(*row));
    let update = |row: &usize| changes.op(*row) == Op::Update;
    let candidates: Vec<usize> = (0..changes.len()).filter(update).filter(carried).collect();
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let after = keys.encode(&changes.source)?;
    let before = keys.encode(&changes.before)?;
    Ok(candidates.into_iter().filter(|row| before.row(*row) != after.row(*row)).collect())
}
