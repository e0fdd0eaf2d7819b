//! Which rows of a data file are deleted.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use iceberg::spec::DataContentType;
use parquet::arrow::ProjectionMask;
use roaring::RoaringTreemap;

use super::columns::promote;
use super::open::OpenFile;
use crate::files::LiveFile;
use crate::table::{LakeTable, TableError};

/// Field id of the path in position-delete files, reserved by the specification.
pub(crate) const PATH_ID: i32 = 2_147_483_546;

/// Field id of the position in position-delete files, reserved by the specification.
pub(crate) const POSITION_ID: i32 = 2_147_483_545;

/// Rows of a batch of deletes.
const BATCH_ROWS: usize = 64 * 1024;

impl LakeTable {
    /// The positions of the rows of `file` that its delete files delete.
    ///
    /// # Errors
    /// [`TableError::Files`] when a delete file cannot be read or deletes by equality, which
    /// nothing of this lake writes; compact such a table with the engine that wrote it.
    pub async fn deleted_positions(&self, file: &LiveFile) -> Result<RoaringTreemap, TableError> {
        let mut deleted = RoaringTreemap::new();
        for delete in &file.deletes {
            deleted |= self.positions_in(delete, file.path()).await?;
        }
        Ok(deleted)
    }

    /// The positions that one delete file holds for the data file at `path`.
    pub(crate) async fn positions_in(
        &self,
        delete: &LiveFile,
        path: &str,
    ) -> Result<RoaringTreemap, TableError> {
        if delete.data_file.content_type() != DataContentType::PositionDeletes {
            return Err(self.broken(delete.path(), "deletes by equality, which is not supported"));
        }
        let file = OpenFile::open(self, delete.path(), delete.size()).await?;
        let mask = mask(&file, delete.path())?;
        let mut found = RoaringTreemap::new();
        for group in 0..file.metadata().num_row_groups() {
            let Some(reader) = file.row_group(group, mask.clone(), None, BATCH_ROWS).await? else {
                continue;
            };
            for batch in reader {
                let batch = batch.map_err(|e| self.rows_error(e))?;
                let added = collect(&batch, path, &mut found).map_err(|e| self.rows_error(e))?;
                added.ok_or_else(|| self.broken(delete.path(), "holds NULL or no position"))?;
            }
        }
        Ok(found)
    }
}

/// Path and position, wherever they stand.
fn mask(file: &OpenFile, path: &str) -> Result<ProjectionMask, TableError> {
    let parquet = file.footer().parquet_schema();
    let fields = parquet.root_schema().get_fields();
    let place = |id| {
        fields.iter().position(|f| f.get_basic_info().has_id() && f.get_basic_info().id() == id)
    };
    match (place(PATH_ID), place(POSITION_ID)) {
        (Some(path), Some(position)) => Ok(ProjectionMask::roots(parquet, [path, position])),
        _ => Err(file.table.broken(path, "is no position-delete file")),
    }
}

/// Adds the positions that belong to `path`; nothing when the batch is not as it must be.
fn collect(
    batch: &RecordBatch,
    path: &str,
    found: &mut RoaringTreemap,
) -> Result<Option<()>, arrow::error::ArrowError> {
    let [first, second] = batch.columns() else { return Ok(None) };
    let (paths, positions) = match first.data_type() {
        DataType::Int64 => (second, first),
        _ => (first, second),
    };
    let paths = promote(paths, &DataType::Utf8)?;
    let Some(positions) = positions.as_primitive_opt::<Int64Type>() else { return Ok(None) };
    let paths = paths.as_string::<i32>();
    if paths.null_count() + positions.null_count() > 0 {
        return Ok(None);
    }
    for (place, position) in paths.iter().zip(positions.values()) {
        let Ok(position) = u64::try_from(*position) else { return Ok(None) };
        if place == Some(path) {
            found.insert(position);
        }
    }
    Ok(Some(()))
}
