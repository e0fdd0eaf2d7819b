//! New data files: rows split by bucket, sorted by key, as Parquet with field ids.

mod bucket;
mod deletes;
mod layout;
mod metrics;
mod parquet_file;
mod placement;
mod stream;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options, interleave_record_batch};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use iceberg::spec::DataFile;

use crate::schema::lake_type_of_arrow;
use crate::table::{LakeTable, TableError};
pub use bucket::BucketWriter;
pub(crate) use layout::Layout;
use placement::place;
pub use stream::{Written, by_bucket, write_stream};

/// Rows handed to the Parquet encoder at a time.
const CHUNK_ROWS: usize = 8192;

/// Writes rows into new data files of the table, which become part of it by a commit.
///
/// Rows are split by bucket when the table is partitioned, and sorted by the table's key inside
/// every file. Columns are matched by name, in any order; their types must be those of
/// [`LakeTable::arrow_schema`] or cast to them without loss. Files lie under `<location>/data/`
/// with unique names. Personal columns have value and null counts only: no bounds in the
/// [`DataFile`], no statistics in the Parquet footer; the latter holds for floating-point and
/// binary columns too. No row, no file.
///
/// # Errors
/// [`TableError::Misfit`] when columns are missing, unknown, of another type or NULL where they
/// must not be; [`TableError::Partitioning`] when the table is partitioned by other than a bucket;
/// [`TableError::Files`] when a file cannot be written, in which case files that were written
/// before it stay behind, unreferenced.
pub async fn write_files(
    table: &LakeTable,
    batches: Vec<RecordBatch>,
) -> Result<Vec<DataFile>, TableError> {
    write_files_of(table, batches, Layout::default()).await
}

pub(crate) async fn write_files_of(
    table: &LakeTable,
    batches: Vec<RecordBatch>,
    layout: Layout,
) -> Result<Vec<DataFile>, TableError> {
    let schema = storage_schema(table)?;
    let fit = |batch: RecordBatch| fit(table, &schema, &batch);
    let batches = batches.into_iter().filter(|b| b.num_rows() > 0).map(fit);
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let sources: Vec<&RecordBatch> = batches.iter().collect();
    let mut files = Vec::new();
    for group in place(table, &batches)? {
        let mut writer = BucketWriter::with_layout(table, group.bucket, layout)?;
        for rows in group.rows.chunks(CHUNK_ROWS) {
            let chunk = interleave_record_batch(&sources, rows).map_err(|e| table.rows_error(e))?;
            writer.write(&chunk).await?;
        }
        files.extend(writer.finish().await?);
    }
    Ok(files)
}

/// The Arrow schema that files are written with: field ids in the fields' metadata.
fn storage_schema(table: &LakeTable) -> Result<SchemaRef, TableError> {
    let schema = iceberg::arrow::schema_to_arrow_schema(table.metadata().current_schema());
    let schema: ArrowSchema = schema.map_err(|source| table.files_error(source))?;
    Ok(Arc::new(schema))
}

/// The batch under the table's schema, columns matched by name.
fn fit(
    table: &LakeTable,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, TableError> {
    let misfit = |reason| TableError::Misfit { table: table.name(), reason };
    if let Some(unknown) =
        batch.schema().fields().iter().find(|f| schema.index_of(f.name()).is_err())
    {
        return Err(misfit(format!("column `{}` is unknown", unknown.name())));
    }
    let columns = schema.fields().iter().map(|field| {
        let name = field.name();
        let column = batch.column_by_name(name);
        let column = column.ok_or_else(|| misfit(format!("column `{name}` is missing")))?;
        let (wanted, found) = (field.data_type(), column.data_type());
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(misfit(format!("column `{name}` is required and holds NULL")));
        }
        if wanted == found {
            return Ok(Arc::clone(column));
        }
        if lake_type_of_arrow(wanted) != lake_type_of_arrow(found) {
            return Err(misfit(format!("column `{name}` is {found}, not {wanted}")));
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, wanted, &strict).map_err(|e| table.rows_error(e))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| table.rows_error(e))
}
