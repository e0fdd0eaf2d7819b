//! Position deletes that another writer, or a later version of this one, left in a table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Operation, Struct,
};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};

use super::fixture::{Lake, batch, count, ids, ids_of, live, totals};
use crate::files::LiveFile;
use crate::table::LakeTable;
use crate::writer::write_files;

/// A position delete file as the Iceberg specification has it: reserved field ids, one path.
async fn delete_positions(table: &LakeTable, file: &LiveFile, positions: &[i64]) -> DataFile {
    let field = |name: &str, data_type, id: i32| {
        let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        Field::new(name, data_type, false).with_metadata(id)
    };
    let schema = Arc::new(Schema::new(vec![
        field("file_path", DataType::Utf8, 2_147_483_546),
        field("pos", DataType::Int64, 2_147_483_545),
    ]));
    let paths: ArrayRef = Arc::new(StringArray::from(vec![file.path(); positions.len()]));
    let positions: ArrayRef = Arc::new(Int64Array::from(positions.to_vec()));
    let rows = positions.len() as u64;
    let rows_batch = RecordBatch::try_new(schema.clone(), vec![paths, positions]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&rows_batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let path = format!("{}/data/deletes-{rows}.parquet", table.metadata().location());
    let size = bytes.len() as u64;
    let output = table.table.file_io().new_output(&path).unwrap();
    output.write(Bytes::from(bytes)).await.unwrap();
    DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(path)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .record_count(rows)
        .file_size_in_bytes(size)
        .referenced_data_file(Some(file.path().to_owned()))
        .build()
        .unwrap()
}

/// A table of two files, from the first of which the second and fourth row are deleted.
async fn with_deletes(lake: &Lake) -> LakeTable {
    let table = lake.append(&lake.table(1).await, &[1, 2, 3, 4], "Ana").await;
    let first = table.live_files().await.unwrap().remove(0);
    let table = lake.append(&table, &[10, 11], "Ana").await;
    let deletes = delete_positions(&table, &first, &[1, 3]).await;
    lake.commit(&table, Operation::Delete, vec![deletes], Vec::new()).await.unwrap()
}

fn first(files: Vec<LiveFile>) -> LiveFile {
    files.into_iter().find(|file| file.sequence_number == 1).unwrap()
}

#[tokio::test]
async fn deleted_rows_are_left_out_of_scans_and_of_single_files() {
    let lake = Lake::new();
    let table = with_deletes(&lake).await;
    assert_eq!(ids(&table).await, [1, 3, 10, 11]);
    let deleted_from = first(table.live_files().await.unwrap());
    assert!(deleted_from.has_deletes());
    let read = table.read_file(&deleted_from, None).await.unwrap();
    assert_eq!(ids_of(&read), [1, 3]);
    let clean = table.live_files().await.unwrap().into_iter().find(|f| f.sequence_number == 2);
    assert!(!clean.unwrap().has_deletes());
    assert_eq!(count(&table, "total-position-deletes"), Some(2));
    assert_eq!(count(&table, "total-delete-files"), Some(1));
    assert_eq!(count(&table, "added-position-deletes"), Some(2));
}

#[tokio::test]
async fn deletes_go_with_the_file_that_they_belong_to() {
    let lake = Lake::new();
    let table = with_deletes(&lake).await;
    let old = first(table.live_files().await.unwrap());
    let added = write_files(&table, vec![batch(&[1, 2, 3], "Eva")]).await.unwrap();
    let table = lake.commit(&table, Operation::Overwrite, added, vec![old]).await.unwrap();
    assert_eq!(ids(&table).await, [1, 2, 3, 10, 11]);
    assert!(table.delete_files().await.unwrap().is_empty());
    assert_eq!(count(&table, "total-delete-files"), Some(0));
    assert_eq!(count(&table, "total-position-deletes"), Some(0));
    assert_eq!(count(&table, "removed-position-deletes"), Some(2));
    assert_eq!(totals(&table), live(&table).await);
}

#[tokio::test]
async fn deletes_stay_when_another_file_is_rewritten() {
    let lake = Lake::new();
    let table = with_deletes(&lake).await;
    let other = table.live_files().await.unwrap().into_iter().filter(|f| f.sequence_number == 2);
    let added = write_files(&table, vec![batch(&[20], "Eva")]).await.unwrap();
    let other = other.collect();
    let table = lake.commit(&table, Operation::Overwrite, added, other).await.unwrap();
    assert_eq!(ids(&table).await, [1, 3, 20]);
    assert_eq!(table.delete_files().await.unwrap().len(), 1);
    assert_eq!(count(&table, "total-position-deletes"), Some(2));
}
