//! What a lake holds, as texts.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use medallion_tables::TableIdent;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;

use super::bronze::Text;

/// A row by column name.
pub type Row = BTreeMap<String, Text>;

/// The table, or nothing when there is none.
///
/// # Errors
/// When it cannot be loaded.
pub async fn load(warehouse: &Warehouse, ident: &TableIdent) -> Result<Option<LakeTable>, String> {
    warehouse.load(ident).await.map_err(|e| format!("`{ident}` cannot be loaded: {}", causes(&e)))
}

/// All rows, in no order.
///
/// # Errors
/// When they cannot be read.
pub async fn rows(table: &LakeTable) -> Result<Vec<Row>, String> {
    let batches = table.read_all(None).await;
    let batches =
        batches.map_err(|e| format!("`{}` cannot be read: {}", table.name(), causes(&e)))?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(texts(batch).map_err(|e| e.to_string())?);
    }
    Ok(rows)
}

fn texts(batch: &RecordBatch) -> Result<Vec<Row>, arrow::error::ArrowError> {
    let options = FormatOptions::default();
    let mut rows = vec![Row::new(); batch.num_rows()];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
        for (place, row) in rows.iter_mut().enumerate() {
            let text = match column.is_null(place) {
                true => None,
                false => Some(formatter.value(place).try_to_string()?),
            };
            row.insert(field.name().clone(), text);
        }
    }
    Ok(rows)
}

/// An error with its causes, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
