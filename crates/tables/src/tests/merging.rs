//! Manifests after many commits.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{ManifestContentType, Operation};

use super::fixture::{Lake, batch, ids, live, totals};
use crate::commit::SMALL_MANIFESTS;
use crate::table::LakeTable;
use crate::writer::write_files;

async fn manifests(table: &LakeTable, content: ManifestContentType) -> usize {
    let all = table.live_manifests().await.unwrap();
    all.iter().filter(|manifest| manifest.content == content).count()
}

/// Snapshot and sequence numbers of every live file.
async fn numbers(table: &LakeTable) -> BTreeMap<String, (i64, i64, i64)> {
    let data = table.live_files().await.unwrap();
    let all = data.into_iter().chain(table.delete_files().await.unwrap());
    let of =
        |f: &crate::files::LiveFile| (f.snapshot_id, f.sequence_number, f.file_sequence_number);
    all.map(|file| (file.path().to_owned(), of(&file))).collect()
}

#[tokio::test]
async fn manifests_stay_few_and_files_keep_their_numbers_over_hundreds_of_commits() {
    let lake = Lake::new();
    let mut table = lake.table(4).await;
    let rows = write_files(&table, vec![batch(&[0], "Ana")]).await.unwrap();
    let mut expected = BTreeMap::new();
    let mut sizes = BTreeSet::new();
    for commit in 1..=260_i64 {
        // One row under ever new names would only cost time; a copy of the file is a new file.
        let path = format!("{}-{commit}.parquet", rows[0].file_path());
        let bytes = table.table.file_io().new_input(rows[0].file_path()).unwrap();
        let bytes = bytes.read().await.unwrap();
        table.table.file_io().new_output(&path).unwrap().write(bytes).await.unwrap();
        let copy = copy(&rows[0], &path);
        table = lake.commit(&table, Operation::Append, vec![copy], Vec::new()).await.unwrap();
        expected.insert(path, (table.snapshot_id().unwrap(), commit, commit));
        let count = manifests(&table, ManifestContentType::Data).await;
        assert!(count <= SMALL_MANIFESTS + 1, "{count} after {commit} commits");
        sizes.insert(count);
    }
    // They were left alone until there were too many, and then merged into one.
    assert!(sizes.contains(&(SMALL_MANIFESTS + 1)) && sizes.contains(&2), "{sizes:?}");
    assert_eq!(numbers(&table).await, expected);
    assert_eq!(totals(&table), live(&table).await);
    assert_eq!(ids(&table).await.len(), 260);
    // Files that stand in a merged manifest can go, and stay gone.
    let old = table.live_files().await.unwrap();
    let (old, rest): (Vec<_>, Vec<_>) = old.into_iter().partition(|f| f.sequence_number < 150);
    table = lake.commit(&table, Operation::Delete, Vec::new(), old).await.unwrap();
    assert_eq!(table.live_files().await.unwrap().len(), rest.len());
    assert_eq!(totals(&table), live(&table).await);
}

/// The same file under another path.
fn copy(file: &iceberg::spec::DataFile, path: &str) -> iceberg::spec::DataFile {
    iceberg::spec::DataFileBuilder::default()
        .content(file.content_type())
        .file_path(path.to_owned())
        .file_format(file.file_format())
        .partition(file.partition().clone())
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .lower_bounds(file.lower_bounds().clone())
        .upper_bounds(file.upper_bounds().clone())
        .build()
        .unwrap()
}

#[tokio::test]
async fn manifests_of_deletes_are_merged_apart_from_those_of_data() {
    let lake = Lake::new();
    let rows: Vec<i64> = (0..130).collect();
    let table = lake.table(1).await;
    let mut added = Vec::new();
    for id in &rows {
        added.extend(write_files(&table, vec![batch(&[*id, *id + 1000], "Ana")]).await.unwrap());
    }
    let mut table = lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let files = table.live_files().await.unwrap();
    for file in &files {
        table = lake.delete_rows(&table, file, &[1]).await;
    }
    assert_eq!(manifests(&table, ManifestContentType::Data).await, 1);
    assert!(manifests(&table, ManifestContentType::Deletes).await <= 31);
    assert_eq!(ids(&table).await, rows);
    let numbers: BTreeSet<i64> =
        table.delete_files().await.unwrap().iter().map(|file| file.sequence_number).collect();
    assert_eq!(numbers, (2..132).collect());
    assert_eq!(table.summary().unwrap()["total-position-deletes"], "130");
}
