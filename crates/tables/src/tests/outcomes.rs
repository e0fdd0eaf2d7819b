//! Races, refusals and lost replies.

use std::sync::Arc;

use iceberg::spec::Operation;
use tokio::sync::Notify;

use super::fixture::{Lake, batch, ids};
use super::memory_catalog::Fault;
use crate::commit::CommitError;
use crate::table::LakeTable;
use crate::warehouse::table_ident;
use crate::writer::write_files;

async fn append(lake: &Lake, base: &LakeTable, id: i64) -> Result<LakeTable, CommitError> {
    let added = write_files(base, vec![batch(&[id], "Ana")]).await.unwrap();
    lake.commit(base, Operation::Append, added, Vec::new()).await
}

#[tokio::test]
async fn the_second_of_two_commits_on_one_base_conflicts_and_cleans_up() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    append(&lake, &base, 2).await.unwrap();
    let files = lake.metadata_files();
    let added = write_files(&base, vec![batch(&[3], "Ana")]).await.unwrap();
    let late = lake.commit(&base, Operation::Append, added.clone(), Vec::new()).await;
    assert!(matches!(late, Err(CommitError::Conflict { .. })), "{late:?}");
    assert_eq!(lake.metadata_files().len(), files.len());
    let table = lake.load().await;
    assert_eq!(ids(&table).await, [1, 2]);
    // The data files are the caller's, and still good for a commit on the new base.
    let table = lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    assert_eq!(ids(&table).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_lost_reply_of_a_commit_that_succeeded_is_a_success() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    lake.catalog.inject(Fault::LostReply);
    let table = append(&lake, &base, 2).await.unwrap();
    assert_eq!(ids(&table).await, [1, 2]);
    assert_eq!(table.snapshot_id(), lake.load().await.snapshot_id());
}

#[tokio::test]
async fn a_commit_without_reply_and_without_trace_is_unknown_and_deletes_nothing() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let files = lake.metadata_files().len();
    lake.catalog.inject(Fault::LostRequest);
    let outcome = append(&lake, &base, 2).await;
    assert!(matches!(outcome, Err(CommitError::Unknown { .. })), "{outcome:?}");
    // Manifest, manifest list and metadata stay, since the request may still arrive.
    assert_eq!(lake.metadata_files().len(), files + 3);
    assert_eq!(ids(&lake.load().await).await, [1]);
    assert_eq!(ids(&append(&lake, &base, 3).await.unwrap()).await, [1, 3]);
}

/// Commits `first` so that its reply is lost only after `second` was committed by somebody else.
async fn overtaken(lake: &Lake, then: Fault) -> Result<LakeTable, CommitError> {
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let (reached, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Fault::Held {
        reached: Arc::clone(&reached),
        released: Arc::clone(&released),
        then: Box::new(then),
    };
    lake.catalog.inject(held);
    let other = async {
        reached.notified().await;
        append(lake, &lake.load().await, 3).await.unwrap();
        released.notify_one();
    };
    tokio::join!(append(lake, &base, 2), other).0
}

#[tokio::test]
async fn a_commit_without_reply_is_found_below_a_later_commit() {
    let lake = Lake::new();
    let table = overtaken(&lake, Fault::LostReply).await.unwrap();
    assert_eq!(ids(&table).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_commit_without_reply_that_was_overtaken_is_a_conflict_and_cleans_up() {
    let lake = Lake::new();
    let outcome = overtaken(&lake, Fault::LostRequest).await;
    assert!(matches!(outcome, Err(CommitError::Conflict { .. })), "{outcome:?}");
    assert_eq!(ids(&lake.load().await).await, [1, 3]);
    // One metadata file of the creation; metadata, list and manifest of either commit.
    assert_eq!(lake.metadata_files().len(), 1 + 3 + 3);
}

#[tokio::test]
async fn a_commit_without_reply_to_a_table_that_was_renamed_is_unknown_and_deletes_nothing() {
    for made_anew in [false, true] {
        let lake = Lake::new();
        let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
        let (reached, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let held = Fault::Held {
            reached: Arc::clone(&reached),
            released: Arc::clone(&released),
            then: Box::new(Fault::LostReply),
        };
        lake.catalog.inject(held);
        let elsewhere = table_ident("crm_silver", "clients");
        let other = async {
            reached.notified().await;
            lake.catalog.rename(base.ident(), &elsewhere);
            if made_anew {
                lake.table(1).await;
            }
            released.notify_one();
        };
        let outcome = tokio::join!(append(&lake, &base, 2), other).0;
        assert!(matches!(outcome, Err(CommitError::Unknown { .. })), "{outcome:?}");
        // The commit had succeeded, and all of its files are needed.
        let table = lake.warehouse.load(&elsewhere).await.unwrap().unwrap();
        assert_eq!(ids(&table).await, [1, 2]);
    }
}

#[tokio::test]
async fn a_refusal_is_no_conflict() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    lake.catalog.inject(Fault::Denied);
    let error = append(&lake, &base, 2).await.unwrap_err();
    assert!(matches!(error, CommitError::Rejected { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(ids(&lake.load().await).await, [1]);
}
