//! Hosts whose clocks do not agree, and metadata that nobody could read.

use iceberg::MetadataLocation;
use iceberg::spec::{Operation, TableMetadata};

use super::fixture::{Lake, batch, ids};
use crate::catalog::Catalog;
use crate::commit::{Branch, Change, CommitError, commit, publish_branch, publish_metadata};
use crate::evolution::{evolve, plan_evolution};
use crate::table::LakeTable;
use crate::writer::write_files;

/// The metadata as if its last update and its snapshots had been made so much later.
fn later(metadata: &TableMetadata, by_ms: i64) -> TableMetadata {
    let mut json = serde_json::to_value(metadata).unwrap();
    let move_time = |time: &mut serde_json::Value| {
        *time = (time.as_i64().unwrap() + by_ms).into();
    };
    move_time(&mut json["last-updated-ms"]);
    if let Some(log) = json.get_mut("snapshot-log") {
        for entry in log.as_array_mut().unwrap() {
            move_time(&mut entry["timestamp-ms"]);
        }
    }
    serde_json::from_value(json).unwrap()
}

/// The table as a host leaves it whose clock is ahead by so much.
async fn ahead(lake: &Lake, table: &LakeTable, by_ms: i64) -> LakeTable {
    let metadata = later(table.metadata(), by_ms);
    let place: MetadataLocation = table.metadata_location().parse().unwrap();
    let place = place.with_next_version();
    metadata.write_to(lake.warehouse.file_io(), &place).await.unwrap();
    let (from, to) = (table.metadata_location(), place.to_string());
    lake.catalog.swap(table.ident(), from, &to, &metadata).await.unwrap();
    lake.load().await
}

/// Checks that the newer metadata can be read, tells all that the older did, and nothing earlier.
async fn follows(lake: &Lake, newer: &LakeTable, older: &LakeTable) {
    let read = lake.load().await;
    assert_eq!(read.metadata_location(), newer.metadata_location());
    let (newer, last) = (newer.metadata(), older.metadata());
    assert!(newer.last_updated_ms() >= last.last_updated_ms());
    let logged = newer.metadata_log().last().unwrap();
    assert_eq!(logged.metadata_file, older.metadata_location());
    assert_eq!(logged.timestamp_ms, last.last_updated_ms());
    assert_eq!(newer.history()[..last.history().len()], *last.history());
    assert!(newer.history().iter().map(|entry| entry.timestamp_ms).is_sorted());
    for old in last.snapshots() {
        let kept = newer.snapshot_by_id(old.snapshot_id()).unwrap();
        assert_eq!(kept.timestamp_ms(), old.timestamp_ms());
    }
}

#[tokio::test]
async fn a_change_of_the_schema_follows_a_commit_of_a_host_whose_clock_is_ahead() {
    for by_ms in [20_000, 600_000] {
        for written in [false, true] {
            let lake = Lake::new();
            let mut base = lake.table(1).await;
            if written {
                base = lake.append(&base, &[1], "Ana").await;
            }
            let base = ahead(&lake, &base, by_ms).await;
            let mut spec = lake.spec(1);
            "Another text.".clone_into(&mut spec.fields[2].doc);
            let changes = plan_evolution(&spec, &base).unwrap();
            let evolved = evolve(&lake.warehouse, &base, &changes).await.unwrap();
            follows(&lake, &evolved, &base).await;
            assert_eq!(plan_evolution(&spec, &evolved), Ok(Vec::new()));
            let table = lake.append(&evolved, &[2], "Ana").await;
            follows(&lake, &table, &evolved).await;
            assert_eq!(ids(&table).await, if written { vec![1, 2] } else { vec![2] });
        }
    }
}

#[tokio::test]
async fn a_branch_is_published_after_a_commit_of_a_host_whose_clock_is_ahead() {
    for by_ms in [20_000, 600_000] {
        let lake = Lake::new();
        let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
        let added = write_files(&base, vec![batch(&[2], "Ana")]).await.unwrap();
        let branch = Branch::Named("audit".to_owned());
        let change = Change { branch, ..Lake::change(Operation::Append, added, Vec::new()) };
        let base = commit(&lake.warehouse, &base, change).await.unwrap();
        let base = ahead(&lake, &base, by_ms).await;
        let table = publish_branch(&lake.warehouse, &base, "audit").await.unwrap();
        follows(&lake, &table, &base).await;
        assert_eq!(ids(&table).await, [1, 2]);
    }
}

#[tokio::test]
async fn metadata_that_nobody_could_read_does_not_become_current() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let files = lake.metadata_files().len();
    // Its log would end ten minutes after its last update.
    let broken = later(&lake.spec(1).metadata().unwrap(), 600_000);
    let log = Some(base.metadata_location().to_owned());
    let outcome = publish_metadata(&lake.warehouse, &base, |_| Ok(broken.into_builder(log))).await;
    assert!(matches!(outcome, Err(CommitError::Staging { .. })), "{outcome:?}");
    assert_eq!(lake.metadata_files().len(), files);
    assert_eq!(lake.load().await.metadata_location(), base.metadata_location());
    assert_eq!(ids(&lake.load().await).await, [1]);
}
