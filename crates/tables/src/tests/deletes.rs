//! Position deletes that another writer, or a later version of this one, left in a table.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, ManifestListWriter,
    ManifestWriterBuilder, Operation, Snapshot, Struct, Summary,
};
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};

use super::fixture::{Lake, batch, count, ids, ids_of, live, totals};
use crate::commit::{CommitError, publish_metadata};
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

/// The delete file as a writer commits it that does not say which data file it is for.
async fn commit_shared(lake: &Lake, base: &LakeTable, delete: &DataFile) -> LakeTable {
    let shared = DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(delete.file_path().to_owned())
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .record_count(delete.record_count())
        .file_size_in_bytes(delete.file_size_in_bytes())
        .build()
        .unwrap();
    let (metadata, io) = (base.metadata(), base.table.file_io());
    let path = |name: &str| format!("{}/metadata/{name}.avro", metadata.location());
    let (schema, spec) = (metadata.current_schema(), metadata.default_partition_spec());
    let output = io.new_output(path("foreign")).unwrap();
    let writer =
        ManifestWriterBuilder::new(output, Some(77), schema.clone(), spec.as_ref().clone());
    let mut writer = writer.build_v2_deletes();
    writer.add_file(shared, -1).unwrap();
    let mut manifests = base.live_manifests().await.unwrap();
    manifests.push(writer.write_manifest_file().await.unwrap());
    let output = io.new_output(path("snap-foreign")).unwrap().writer().await.unwrap();
    let number = metadata.next_sequence_number();
    let mut list = ManifestListWriter::v2(output, 77, base.snapshot_id(), number);
    list.add_manifests(manifests.into_iter()).unwrap();
    list.close().await.unwrap();
    let summary = Summary { operation: Operation::Delete, additional_properties: HashMap::new() };
    let snapshot = Snapshot::builder()
        .with_manifest_list(path("snap-foreign"))
        .with_snapshot_id(77)
        .with_parent_snapshot_id(base.snapshot_id())
        .with_sequence_number(number)
        .with_summary(summary)
        .with_schema_id(metadata.current_schema_id())
        .with_timestamp_ms(metadata.last_updated_ms())
        .build();
    publish_metadata(&lake.warehouse, base, |b| b.set_branch_snapshot(snapshot, "main"))
        .await
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

#[tokio::test]
async fn deletes_for_many_files_go_once_all_data_is_younger() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1, 2, 3, 4], "Ana").await;
    let old = table.live_files().await.unwrap().remove(0);
    let table = lake.append(&table, &[10, 11], "Ana").await;
    let delete = delete_positions(&table, &old, &[1, 3]).await;
    let table = commit_shared(&lake, &table, &delete).await;
    let table = lake.append(&table, &[20], "Ana").await;
    assert_eq!(ids(&table).await, [1, 3, 10, 11, 20]);
    let [first, second] = [1, 2].map(|number| {
        move |files: Vec<LiveFile>| files.into_iter().find(|f| f.sequence_number == number).unwrap()
    });
    let file = second(table.live_files().await.unwrap());
    let table = lake.commit(&table, Operation::Delete, Vec::new(), vec![file]).await.unwrap();
    assert_eq!(ids(&table).await, [1, 3, 20]);
    assert_eq!(table.delete_files().await.unwrap().len(), 1);
    let file = first(table.live_files().await.unwrap());
    let table = lake.commit(&table, Operation::Delete, Vec::new(), vec![file]).await.unwrap();
    assert_eq!(ids(&table).await, [20]);
    assert!(table.delete_files().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_newer_delete_file_replaces_the_older_one_and_the_counts_follow() {
    let lake = Lake::new();
    let table = with_deletes(&lake).await;
    let file = first(table.live_files().await.unwrap());
    let table = lake.delete_rows(&table, &file, &[0]).await;
    assert_eq!(ids(&table).await, [3, 10, 11]);
    assert_eq!(table.delete_files().await.unwrap().len(), 1);
    let counts = [
        ("added-delete-files", 1),
        ("added-position-deletes", 3),
        ("removed-delete-files", 1),
        ("removed-position-deletes", 2),
        ("total-delete-files", 1),
        ("total-position-deletes", 3),
        ("total-records", 6),
    ];
    for (key, expected) in counts {
        assert_eq!(count(&table, key), Some(expected), "{key}");
    }
    let data: u64 = table.live_files().await.unwrap().iter().map(LiveFile::size).sum();
    let deletes: u64 = table.delete_files().await.unwrap().iter().map(LiveFile::size).sum();
    assert_eq!(count(&table, "total-files-size"), Some(data + deletes));
}

#[tokio::test]
async fn deletes_that_would_bring_rows_back_or_hang_in_the_air_are_refused() {
    let lake = Lake::new();
    let table = with_deletes(&lake).await;
    let file = first(table.live_files().await.unwrap());
    let old = table.delete_files().await.unwrap();
    for operation in [Operation::Delete, Operation::Replace, Operation::Overwrite] {
        let back = lake.commit(&table, operation, Vec::new(), old.clone()).await;
        assert!(matches!(back, Err(CommitError::Contradiction { .. })), "{back:?}");
    }
    let position = [0].into_iter().collect();
    let delete = table.write_position_deletes(&file, &position).await.unwrap().0;
    let both = vec![file.clone(), old[0].clone()];
    let going = lake.commit(&table, Operation::Overwrite, vec![delete.clone()], both).await;
    assert!(matches!(going, Err(CommitError::Delete { .. })), "{going:?}");
    let twice = vec![delete.clone(), delete.clone()];
    let twice = lake.commit(&table, Operation::Delete, twice, old.clone()).await;
    assert!(matches!(twice, Err(CommitError::Contradiction { .. })), "{twice:?}");
    let table = lake.commit(&table, Operation::Delete, Vec::new(), vec![file.clone()]).await;
    let table = table.unwrap();
    assert!(table.delete_files().await.unwrap().is_empty());
    let late = lake.commit(&table, Operation::Delete, vec![delete], Vec::new()).await;
    let error = late.unwrap_err();
    assert!(error.to_string().contains("names no live data file"), "{error}");
    let late = lake.commit(&table, Operation::Overwrite, Vec::new(), old).await.unwrap_err();
    assert!(matches!(late, CommitError::Contradiction { .. } | CommitError::NotLive { .. }));
    assert_eq!(ids(&lake.load().await).await, [10, 11]);
}
