//! The result of a model's query as the header declares it, and what the header promises of it.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use medallion_definition::catalogue;
use medallion_definition::model::GoldModel;
use medallion_definition::name::ColumnName;
use medallion_tables::schema::arrow_type;

use crate::error::TransformError;
use crate::spec;

/// The rows in the declared columns: same names in the same order, cast to the types. Everything
/// is nullable here, whatever the header says: see [`broken_promises`].
///
/// # Errors
/// [`TransformError::Check`] when names differ, or a value does not fit its type.
pub fn shape(model: &GoldModel, rows: &RecordBatch) -> Result<RecordBatch, TransformError> {
    let returned: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    let declared: Vec<String> = model.columns.iter().map(|c| c.name.to_string()).collect();
    if returned != declared {
        let reason = format!(
            "the query returns ({}), the header declares ({})",
            returned.join(", "),
            declared.join(", ")
        );
        return Err(refused(model, reason));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(declared.len());
    for (column, declared) in rows.columns().iter().zip(&model.columns) {
        let wanted = arrow_type(declared.lake_type);
        // The reason is left out, since it may quote the value.
        columns.push(cast_with_options(column, &wanted, &options).map_err(|_| {
            let (name, lake_type) = (&declared.name, declared.lake_type);
            refused(model, format!("column `{name}` does not fit {lake_type}"))
        })?);
    }
    Ok(RecordBatch::try_new(spec::rows_schema(&catalogue::gold(model)), columns)?)
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

/// The build is not published.
pub(super) fn refused(model: &GoldModel, reason: String) -> TransformError {
    TransformError::Check { model: model.name.to_string(), reason }
}
