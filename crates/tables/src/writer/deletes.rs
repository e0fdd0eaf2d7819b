//! Position-delete files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use roaring::RoaringTreemap;
use uuid::Uuid;

use crate::files::LiveFile;
use crate::reader::{PATH_ID, POSITION_ID};
use crate::table::{LakeTable, TableError};

/// Rows handed to the Parquet encoder at a time.
const CHUNK_ROWS: usize = 64 * 1024;

impl LakeTable {
    /// Writes a position-delete file for `file`: the positions given and those that its older
    /// delete files of its own hold. Comes back with these older files, which the new one
    /// replaces; delete files for a whole partition stay as they are.
    ///
    /// # Errors
    /// [`TableError::Files`] when an older delete file cannot be read, deletes by equality, or
    /// the new one cannot be written.
    pub async fn write_position_deletes(
        &self,
        file: &LiveFile,
        positions: &RoaringTreemap,
    ) -> Result<(DataFile, Vec<LiveFile>), TableError> {
        let mut all = positions.clone();
        let mut replaced = Vec::new();
        for delete in file.own_deletes() {
            all |= self.positions_in(delete, file.path()).await?;
            replaced.push(LiveFile::clone(delete));
        }
        let rows = all.len();
        let path = file.path().to_owned();
        let bytes = encode(&path, &all).map_err(|e| self.rows_error(e))?;
        let folder = path.rsplit_once('/').map_or(path.as_str(), |(folder, _)| folder);
        let place = format!("{folder}/{}-deletes.parquet", Uuid::now_v7());
        let size = bytes.len() as u64;
        let output = self.table.file_io().new_output(&place);
        let output = output.map_err(|source| self.files_error(source))?;
        output.write(Bytes::from(bytes)).await.map_err(|source| self.files_error(source))?;
        let bounds = HashMap::from([(PATH_ID, Datum::string(&path))]);
        let written = DataFileBuilder::default()
            .content(DataContentType::PositionDeletes)
            .file_path(place)
            .file_format(DataFileFormat::Parquet)
            .partition(file.data_file.partition().clone())
            .partition_spec_id(file.spec_id)
            .record_count(rows)
            .file_size_in_bytes(size)
            .lower_bounds(bounds.clone())
            .upper_bounds(bounds)
            .referenced_data_file(Some(path))
            .build()
            .map_err(|e| self.rows_error(e))?;
        Ok((written, replaced))
    }
}

/// The file's bytes: one path, ascending positions.
fn encode(path: &str, positions: &RoaringTreemap) -> Result<Vec<u8>, ParquetError> {
    let field = |name: &str, data_type, id: i32| {
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, data_type, false).with_metadata(id)
    };
    let schema = Arc::new(Schema::new(vec![
        field("file_path", DataType::Utf8, PATH_ID),
        field("pos", DataType::Int64, POSITION_ID),
    ]));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_truncate_length(None)
        .set_column_index_truncate_length(None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    let mut positions = positions.iter().map(u64::cast_signed);
    loop {
        let chunk: Vec<i64> = positions.by_ref().take(CHUNK_ROWS).collect();
        if chunk.is_empty() {
            return writer.into_inner();
        }
        let paths: ArrayRef = Arc::new(StringArray::from(vec![path; chunk.len()]));
        let chunk: ArrayRef = Arc::new(Int64Array::from(chunk));
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![paths, chunk])?)?;
    }
}
