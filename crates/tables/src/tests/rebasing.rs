//! Changes that meet what others committed since they were planned.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iceberg::spec::Operation;

use super::fixture::{Lake, batch, ids, live, totals};
use crate::commit::{Change, CommitError, commit_rebasing};
use crate::evolution::{evolve, plan_evolution};
use crate::files::LiveFile;
use crate::table::LakeTable;
use crate::writer::write_files;

/// A table of four buckets with forty rows, each bucket one file.
async fn bucketed(lake: &Lake) -> LakeTable {
    lake.append(&lake.table(4).await, &(0..40).collect::<Vec<_>>(), "Ana").await
}

async fn file_of(table: &LakeTable, bucket: i32) -> LiveFile {
    let files = table.live_files().await.unwrap();
    files.into_iter().find(|file| file.bucket() == Some(bucket)).unwrap()
}

/// What a compaction of one bucket commits: the same rows in another file.
async fn compaction(table: &LakeTable, bucket: i32) -> Change {
    let file = file_of(table, bucket).await;
    let rows = table.read_file(&file, None).await.unwrap();
    let added = write_files(table, rows).await.unwrap();
    Lake::change(Operation::Replace, added, vec![file])
}

/// A row less in one bucket, by position.
async fn deletion(table: &LakeTable, bucket: i32, position: u64) -> Change {
    let positions = [position].into_iter().collect();
    let file = file_of(table, bucket).await;
    let (new, old) = table.write_position_deletes(&file, &positions).await.unwrap();
    Lake::change(Operation::Delete, vec![new], old)
}

async fn rebase(lake: &Lake, base: &LakeTable, change: Change) -> Result<LakeTable, CommitError> {
    commit_rebasing(&lake.warehouse, base, change, |_| true).await
}

fn is_conflict(outcome: &Result<LakeTable, CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Conflict { .. }))
}

#[tokio::test]
async fn a_change_of_one_bucket_steps_over_a_compaction_of_another() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    let mine = deletion(&base, 1, 0).await;
    let theirs = compaction(&base, 2).await;
    crate::commit::commit(&lake.warehouse, &base, theirs).await.unwrap();
    let table = rebase(&lake, &base, mine).await.unwrap();
    assert_eq!(ids(&table).await.len(), 39);
    assert_eq!(table.history().len(), 3);
    assert_eq!(totals(&table)[..2], live(&table).await[..2]);
    assert!(file_of(&table, 1).await.has_deletes());
    // Rewriting a file whose entry moved to another manifest meanwhile.
    let mine = compaction(&base, 3).await;
    let table = rebase(&lake, &base, mine).await.unwrap();
    assert_eq!(ids(&table).await.len(), 39);
    assert_eq!(table.live_files().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_change_of_the_compacted_bucket_is_a_conflict_and_leaves_nothing_behind() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    let mine = [deletion(&base, 2, 0).await, compaction(&base, 2).await];
    let theirs = compaction(&base, 2).await;
    crate::commit::commit(&lake.warehouse, &base, theirs).await.unwrap();
    let files = lake.metadata_files().len();
    for mine in mine {
        let outcome = rebase(&lake, &base, mine).await;
        assert!(is_conflict(&outcome), "{outcome:?}");
    }
    assert_eq!(lake.metadata_files().len(), files);
    assert_eq!(ids(&lake.load().await).await, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn new_rows_or_deletes_in_a_touched_bucket_are_a_conflict_and_elsewhere_are_not() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    // Bucket 3 gets the row 34: the specification's test vector.
    let rows = write_files(&base, vec![batch(&[34], "Eva")]).await.unwrap();
    let elsewhere = [deletion(&base, 1, 0).await, compaction(&base, 2).await];
    let touched = [deletion(&base, 3, 0).await, compaction(&base, 3).await];
    lake.commit(&base, Operation::Append, rows, Vec::new()).await.unwrap();
    for mine in elsewhere {
        rebase(&lake, &base, mine).await.unwrap();
    }
    for mine in touched {
        let outcome = rebase(&lake, &base, mine).await;
        assert!(is_conflict(&outcome), "{outcome:?}");
    }
    let base = lake.load().await;
    let mine = compaction(&base, 0).await;
    let theirs = deletion(&base, 0, 1).await;
    crate::commit::commit(&lake.warehouse, &base, theirs).await.unwrap();
    // A rewrite would bring the row back that was deleted since.
    assert!(is_conflict(&rebase(&lake, &base, mine).await));
}

#[tokio::test]
async fn the_caller_may_refuse_the_newer_table() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    let theirs = compaction(&base, 2).await;
    let newer = crate::commit::commit(&lake.warehouse, &base, theirs).await.unwrap();
    let mine = deletion(&base, 1, 0).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let moved = |table: &LakeTable| {
        asked.fetch_add(1, Ordering::Relaxed);
        table.snapshot_id() != newer.snapshot_id()
    };
    let outcome = commit_rebasing(&lake.warehouse, &base, mine, moved).await;
    assert!(is_conflict(&outcome), "{outcome:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(lake.load().await.snapshot_id(), newer.snapshot_id());
}

#[tokio::test]
async fn files_of_an_older_schema_are_a_conflict() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    let mine = deletion(&base, 1, 0).await;
    let mut spec = lake.spec(4);
    spec.fields[2].doc = "Another text.".to_owned();
    let changes = plan_evolution(&spec, &base).unwrap();
    evolve(&lake.warehouse, &base, &changes).await.unwrap();
    assert!(is_conflict(&rebase(&lake, &base, mine).await));
}

#[tokio::test]
async fn writers_of_different_buckets_all_get_through() {
    let lake = Lake::new();
    let base = bucketed(&lake).await;
    let mut changes = Vec::new();
    for bucket in 0..4 {
        changes.push(deletion(&base, bucket, 0).await);
    }
    let all = changes.into_iter().map(|change| rebase(&lake, &base, change));
    for outcome in futures::future::join_all(all).await {
        outcome.unwrap();
    }
    let table = lake.load().await;
    assert_eq!(ids(&table).await.len(), 36);
    assert_eq!(table.history().len(), 5);
    assert_eq!(table.delete_files().await.unwrap().len(), 4);
}
