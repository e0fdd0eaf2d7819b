//! A query's result in the declared columns.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use medallion_definition::catalogue;
use medallion_definition::model::GoldModel;
use medallion_definition::name::ColumnName;
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

/// What the whole result, in its shape, does not keep of the header's promises: NULL in columns
/// that must not have it, rows that repeat the grain. Counts only, no values.
///
/// # Errors
/// When Arrow fails.
pub fn broken_promises(model: &GoldModel, rows: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let mut broken: Vec<String> = model
        .columns
        .iter()
        .zip(rows.columns())
        .filter(|(declared, column)| !declared.nullable && column.null_count() > 0)
        .map(|(declared, column)| {
            format!("`{}` is NULL in {} rows", declared.name, column.null_count())
        })
        .collect();
    broken.extend(repeated_grain(model, rows)?);
    Ok(broken)
}

/// That rows repeat the grain, if they do.
pub(super) fn repeated_grain(
    model: &GoldModel,
    rows: &RecordBatch,
) -> Result<Option<String>, ArrowError> {
    let columns: Vec<ArrayRef> =
        model.grain.iter().filter_map(|g| rows.column_by_name(g.as_str()).cloned()).collect();
    let sort = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let encoded = RowConverter::new(sort)?.convert_columns(&columns)?;
    let distinct: HashSet<_> = encoded.iter().collect();
    let repeated = rows.num_rows() - distinct.len();
    let grain: Vec<&str> = model.grain.iter().map(ColumnName::as_str).collect();
    Ok((repeated > 0).then(|| format!("{repeated} rows repeat the grain ({})", grain.join(", "))))
}
