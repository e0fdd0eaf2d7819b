//! A query's result in the declared columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::Schema;
use medallion_definition::catalogue;
use medallion_definition::model::GoldModel;
use medallion_tables::schema::arrow_type;

use crate::error::TransformError;
use crate::spec;

/// The query returns the declared columns in their order.
///
/// # Errors
/// [`TransformError::Check`] otherwise.
pub fn check_names(model: &GoldModel, schema: &Schema) -> Result<(), TransformError> {
    let returned: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let declared: Vec<&str> = model.columns.iter().map(|c| c.name.as_str()).collect();
    if returned == declared {
        return Ok(());
    }
    let reason = format!(
        "the query returns ({}), the header declares ({})",
        returned.join(", "),
        declared.join(", ")
    );
    Err(TransformError::Check { model: model.name.to_string(), reason })
}

/// Rows of the query as rows of the table: the columns cast to the declared types.
///
/// # Errors
/// [`TransformError::Check`] when the columns are not the declared ones, or a value does not fit its
/// column.
pub fn shape(model: &GoldModel, rows: &RecordBatch) -> Result<RecordBatch, TransformError> {
    check_names(model, &rows.schema())?;
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(model.columns.len());
    for (column, declared) in rows.columns().iter().zip(&model.columns) {
        columns.push(cast(model, column, declared)?);
    }
    let schema = spec::rows_schema(&catalogue::gold(model));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// One column in its declared type.
pub(super) fn cast(
    model: &GoldModel,
    column: &ArrayRef,
    declared: &medallion_definition::model::ModelColumn,
) -> Result<ArrayRef, TransformError> {
    let wanted = arrow_type(declared.lake_type);
    if *column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, &wanted, &options).map_err(|_| TransformError::Check {
        model: model.name.to_string(),
        reason: format!("column `{}` does not fit {}", declared.name, declared.lake_type),
    })
}
