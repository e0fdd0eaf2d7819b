//! What commits do to a table's rows, files and counts.

use std::collections::BTreeMap;

use iceberg::spec::Operation;

use super::fixture::{Lake, batch, count, ids, live, names, one, totals};
use crate::commit::{Branch, Change, CommitError, commit};
use crate::writer::write_files;

#[tokio::test]
async fn an_appended_batch_comes_back_with_all_its_types_and_nulls() {
    let lake = Lake::new();
    let table = lake.table(1).await;
    let rows = batch(&(0..50).collect::<Vec<_>>(), "Ana");
    let added = write_files(&table, vec![rows.clone()]).await.unwrap();
    let table = lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let read = one(&table.read_all(None).await.unwrap());
    assert_eq!(read.schema_ref(), table.arrow_schema());
    assert_eq!(read.columns(), rows.columns());
    let file = &table.live_files().await.unwrap()[0];
    assert_eq!(one(&table.read_file(file, None).await.unwrap()).columns(), rows.columns());
}

#[tokio::test]
async fn columns_come_in_the_order_asked_for_and_unknown_ones_are_refused() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1, 2], "Ana").await;
    let columns = ["name".to_owned(), "id".to_owned()];
    let read = one(&table.read_all(Some(&columns)).await.unwrap());
    let found: Vec<_> = read.schema_ref().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(found, columns);
    let none = table.read_all(Some(&[])).await.unwrap();
    assert_eq!(none.iter().map(|b| (b.num_rows(), b.num_columns())).collect::<Vec<_>>(), [(2, 0)]);
    let error = table.read_all(Some(&["nome".to_owned()])).await.unwrap_err();
    assert!(error.to_string().contains("no column `nome`"), "{error}");
}

#[tokio::test]
async fn commits_add_up_and_the_history_tells_them_newest_first() {
    for buckets in [1, 4] {
        let lake = Lake::new();
        let mut table = lake.table(buckets).await;
        assert_eq!((table.snapshot_id(), table.summary()), (None, None));
        assert!(ids(&table).await.is_empty() && table.history().is_empty());
        let mut snapshots = Vec::new();
        for first in [0, 10, 20] {
            let new: Vec<i64> = (first..first + 10).collect();
            table = lake.append(&table, &new, "Ana").await;
            snapshots.insert(0, table.snapshot_id().unwrap());
            assert_eq!(count(&table, "added-records"), Some(10));
            assert_eq!(totals(&table), live(&table).await);
        }
        let found: Vec<_> = table.history().iter().map(|s| s.snapshot_id()).collect();
        assert_eq!(found, snapshots);
        assert_eq!(ids(&table).await, (0..30).collect::<Vec<_>>());
        assert_eq!(table.summary().unwrap()["medallion.batch"], "b1");
        assert_eq!(lake.load().await.snapshot_id(), table.snapshot_id());
    }
}

#[tokio::test]
async fn overwriting_one_file_keeps_the_others_and_their_sequence_numbers() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1, 2], "old").await;
    let old = table.live_files().await.unwrap();
    let table = lake.append(&table, &[5, 6], "kept").await;
    let added = write_files(&table, vec![batch(&[1, 2, 4], "new")]).await.unwrap();
    let table = lake.commit(&table, Operation::Overwrite, added, old.clone()).await.unwrap();
    let row = |id, name: &str| (id, Some(format!("{name} {id}")));
    let expected =
        vec![row(1, "new"), row(2, "new"), row(4, "new"), row(5, "kept"), row(6, "kept")];
    assert_eq!(names(&table).await, expected);
    let mut numbers: Vec<_> = table
        .live_files()
        .await
        .unwrap()
        .iter()
        .map(|f| (f.sequence_number, f.records()))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [(2, 2), (3, 3)]);
    assert_eq!(totals(&table), live(&table).await);
    assert_eq!(count(&table, "deleted-records"), Some(2));
    assert_eq!(count(&table, "removed-files-size"), Some(old[0].size()));

    // A file that went does not come back when its manifest's successor is rewritten again.
    let kept = table.live_files().await.unwrap().into_iter().filter(|f| f.sequence_number == 2);
    let table = lake.commit(&table, Operation::Delete, Vec::new(), kept.collect()).await.unwrap();
    assert_eq!(names(&table).await, expected[..3]);
    assert_eq!(totals(&table), live(&table).await);
    let gone = lake.commit(&table, Operation::Delete, Vec::new(), old).await.unwrap_err();
    assert!(matches!(gone, CommitError::NotLive { .. }), "{gone:?}");
}

#[tokio::test]
async fn a_full_replacement_leaves_only_the_new_files() {
    let lake = Lake::new();
    let mut table = lake.table(4).await;
    for first in [0, 100] {
        table = lake.append(&table, &(first..first + 40).collect::<Vec<_>>(), "old").await;
    }
    let before = table.live_files().await.unwrap();
    assert!(before.len() > 2);
    let added = write_files(&table, vec![batch(&[7, 8], "new")]).await.unwrap();
    let table = lake.commit(&table, Operation::Overwrite, added, before).await.unwrap();
    assert_eq!(ids(&table).await, [7, 8]);
    assert_eq!(totals(&table), live(&table).await);
    assert_eq!(count(&table, "deleted-records"), Some(80));
    assert_eq!(lake.load().await.history().len(), 3);
}

#[tokio::test]
async fn deleting_everything_leaves_an_empty_table_that_can_be_filled_again() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1, 2], "Ana").await;
    let all = table.live_files().await.unwrap();
    let table = lake.commit(&table, Operation::Delete, Vec::new(), all).await.unwrap();
    assert!(ids(&table).await.is_empty());
    assert_eq!(totals(&table), [Some(0), Some(0), Some(0)]);
    let table = lake.append(&table, &[3], "Ana").await;
    assert_eq!(ids(&table).await, [3]);
    assert_eq!(totals(&table), live(&table).await);
}

#[tokio::test]
async fn manifests_of_rewritten_files_do_not_pile_up() {
    let lake = Lake::new();
    let mut table = lake.append(&lake.table(1).await, &[0], "Ana").await;
    for round in 1..6 {
        let all = table.live_files().await.unwrap();
        let added = write_files(&table, vec![batch(&[round], "Ana")]).await.unwrap();
        table = lake.commit(&table, Operation::Overwrite, added, all).await.unwrap();
        assert_eq!(table.live_manifests().await.unwrap().len(), 1);
    }
    assert_eq!(ids(&table).await, [5]);
}

#[tokio::test]
async fn changes_that_say_one_thing_and_do_another_are_refused() {
    let lake = Lake::new();
    let table = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let files = lake.metadata_files().len();
    let old = table.live_files().await.unwrap();
    let new = write_files(&table, vec![batch(&[2], "Ana")]).await.unwrap();
    let nothing = Change {
        operation: Operation::Append,
        added: Vec::new(),
        removed: Vec::new(),
        summary: BTreeMap::new(),
        branch: Branch::Main,
    };
    let empty = commit(&lake.warehouse, &table, nothing).await;
    assert!(matches!(empty, Err(CommitError::Empty { .. })));
    let append = lake.commit(&table, Operation::Append, new.clone(), old.clone()).await;
    assert!(matches!(append, Err(CommitError::Contradiction { .. })));
    let delete = lake.commit(&table, Operation::Delete, new, old).await;
    assert!(matches!(delete, Err(CommitError::Contradiction { .. })));
    assert_eq!(lake.metadata_files().len(), files);
    assert_eq!(ids(&lake.load().await).await, [1]);
}

#[tokio::test]
async fn a_summary_alone_is_a_snapshot_with_the_same_rows() {
    let lake = Lake::new();
    let empty = lake.table(4).await;
    let told = lake.commit(&empty, Operation::Append, Vec::new(), Vec::new()).await.unwrap();
    assert!(told.snapshot_id().is_some() && ids(&told).await.is_empty());
    assert_eq!(totals(&told), [Some(0), Some(0), Some(0)]);
    let table = lake.append(&told, &[1, 2], "Ana").await;
    let again = lake.commit(&table, Operation::Append, Vec::new(), Vec::new()).await.unwrap();
    assert_eq!(ids(&again).await, [1, 2]);
    assert_eq!(totals(&again), live(&again).await);
    assert_eq!(again.summary().unwrap()["medallion.batch"], "b1");
    assert_eq!((again.history().len(), count(&again, "added-records")), (3, None));
}
