//! Columns of a file under the table's current schema.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::schema::types::SchemaDescriptor;

use super::open::OpenFile;
use crate::table::{LakeTable, TableError};

/// How the columns asked for are found in one file.
#[derive(Clone)]
pub(super) struct Columns {
    pub(super) table: LakeTable,
    /// What comes out: names and types of the table's current schema.
    schema: SchemaRef,
    /// What is decoded.
    pub(super) mask: ProjectionMask,
    /// For each column that comes out, its place among those that are decoded.
    places: Vec<Option<usize>>,
    /// The same among all columns of the file.
    roots: Vec<Option<usize>>,
}

impl Columns {
    /// The columns at these places of the table's schema. A file that lacks one has NULL there.
    pub(super) fn new(file: &OpenFile, indices: &[usize]) -> Result<Columns, TableError> {
        let table = &file.table;
        let schema = table.arrow_schema().project(indices).map_err(|e| table.rows_error(e))?;
        let parquet = file.footer().parquet_schema();
        let roots = roots(table, parquet)?;
        let fields = table.metadata().current_schema().as_struct().fields();
        let found: Vec<Option<usize>> =
            indices.iter().map(|index| roots.get(&fields.get(*index)?.id).copied()).collect();
        let mut decoded: Vec<usize> = found.iter().flatten().copied().collect();
        decoded.sort_unstable();
        decoded.dedup();
        let place = |root: Option<usize>| decoded.binary_search(&root?).ok();
        let places = found.iter().copied().map(place).collect();
        let mask = ProjectionMask::roots(parquet, decoded);
        Ok(Columns { table: table.clone(), schema: Arc::new(schema), mask, places, roots: found })
    }

    /// The place in the file of the `index`-th column asked for.
    pub(super) fn root(&self, index: usize) -> Option<usize> {
        self.roots.get(index).copied().flatten()
    }

    /// The decoded batch under the table's schema: types that were promoted since are cast.
    pub(super) fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let fields = self.schema.fields().iter().zip(&self.places);
        let columns = fields.map(|(field, place)| {
            let Some(column) = place.and_then(|place| batch.columns().get(place)) else {
                return Ok(new_null_array(field.data_type(), batch.num_rows()));
            };
            promote(column, field.data_type())
        });
        let columns = columns.collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(|e| self.table.rows_error(e))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| self.table.rows_error(e))
    }
}

/// The values in the type that the table has now.
pub(super) fn promote(
    column: &ArrayRef,
    wanted: &arrow::datatypes::DataType,
) -> Result<ArrayRef, arrow::error::ArrowError> {
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, wanted, &strict)
}

/// Top-level columns of a file by field id.
fn roots(table: &LakeTable, parquet: &SchemaDescriptor) -> Result<HashMap<i32, usize>, TableError> {
    let fields = parquet.root_schema().get_fields().iter().enumerate();
    let ids = fields.filter_map(|(place, field)| {
        let info = field.get_basic_info();
        info.has_id().then(|| (info.id(), place))
    });
    let roots: HashMap<i32, usize> = ids.collect();
    if roots.is_empty() {
        return Err(table.broken("a data file", "has no field ids"));
    }
    Ok(roots)
}
