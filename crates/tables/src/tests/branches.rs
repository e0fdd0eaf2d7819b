//! Branches: written beside main, read there, published by moving main.

use iceberg::spec::Operation;

use super::fixture::{Lake, batch, ids};
use crate::commit::{
    Branch, Change, CommitError, commit, drop_branch, fast_forward, publish_branch,
};
use crate::table::{LakeTable, TableError};
use crate::writer::write_files;

const AUDIT: &str = "audit";

async fn append_to(lake: &Lake, base: &LakeTable, id: i64, branch: Branch) -> LakeTable {
    let added = write_files(base, vec![batch(&[id], "Ana")]).await.unwrap();
    let change = Change { branch, ..Lake::change(Operation::Append, added, Vec::new()) };
    commit(&lake.warehouse, base, change).await.unwrap()
}

fn audit() -> Branch {
    Branch::Named(AUDIT.to_owned())
}

#[tokio::test]
async fn a_branch_is_invisible_until_main_moves_to_it() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let branch = append_to(&lake, &base, 2, audit()).await;
    assert_eq!(ids(&branch).await, [1, 2]);
    let branch = append_to(&lake, &branch, 3, audit()).await;
    assert_eq!(branch.history().len(), 3);
    let main = lake.load().await;
    assert_eq!(main.snapshot_id(), base.snapshot_id());
    assert_eq!(ids(&main).await, [1]);
    assert_eq!(ids(&main.at_branch(AUDIT).unwrap()).await, [1, 2, 3]);
    assert_eq!(main.at_branch(AUDIT).unwrap().live_files().await.unwrap().len(), 3);
    let published = fast_forward(&lake.warehouse, &main, AUDIT).await.unwrap();
    assert_eq!(ids(&published).await, [1, 2, 3]);
    assert_eq!(published.snapshot_id(), branch.snapshot_id());
    let again = fast_forward(&lake.warehouse, &published, AUDIT).await.unwrap();
    assert_eq!(again.metadata_location(), published.metadata_location());
    let dropped = drop_branch(&lake.warehouse, &again, AUDIT).await.unwrap();
    let gone = dropped.at_branch(AUDIT).unwrap_err();
    assert!(matches!(gone, TableError::UnknownBranch { .. }));
    assert_eq!(ids(&lake.load().await).await, [1, 2, 3]);
}

#[tokio::test]
async fn main_does_not_lose_what_was_committed_beside_the_branch() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let branch = append_to(&lake, &base, 2, audit()).await;
    let main = append_to(&lake, &branch, 3, Branch::Main).await;
    assert_eq!(ids(&main).await, [1, 3]);
    let outcome = fast_forward(&lake.warehouse, &main, AUDIT).await;
    assert!(matches!(outcome, Err(CommitError::NotAncestor { .. })), "{outcome:?}");
    let stale = fast_forward(&lake.warehouse, &branch, AUDIT).await;
    assert!(matches!(stale, Err(CommitError::Conflict { .. })), "{stale:?}");
    assert_eq!(ids(&lake.load().await).await, [1, 3]);
}

#[tokio::test]
async fn a_branch_of_an_empty_table_is_published_and_dropped_in_one_commit() {
    let lake = Lake::new();
    let empty = lake.table(1).await;
    let branch = append_to(&lake, &empty, 7, audit()).await;
    assert_eq!(lake.load().await.snapshot_id(), None);
    assert!(ids(&lake.load().await).await.is_empty());
    let table = publish_branch(&lake.warehouse, &branch, AUDIT).await.unwrap();
    assert_eq!(ids(&table).await, [7]);
    assert!(table.at_branch(AUDIT).is_err());
    for name in [AUDIT, "main"] {
        let unknown = drop_branch(&lake.warehouse, &table, name).await;
        assert!(matches!(unknown, Err(CommitError::UnknownBranch { .. })), "{unknown:?}");
    }
}

#[tokio::test]
async fn older_snapshots_are_read_as_they_were() {
    let lake = Lake::new();
    let first = lake.append(&lake.table(4).await, &[1, 2], "Ana").await;
    let second = lake.append(&first, &[3], "Ana").await;
    let old = second.at_snapshot(first.snapshot_id().unwrap()).unwrap();
    assert_eq!(ids(&old).await, [1, 2]);
    assert_eq!(old.summary().unwrap()["added-records"], "2");
    assert_eq!(old.history().len(), 1);
    assert_eq!(ids(&old.at_main()).await, [1, 2, 3]);
    // A commit goes onto the branch's head, whatever snapshot its base is read at.
    let third = append_to(&lake, &old, 4, Branch::Main).await;
    assert_eq!(ids(&third).await, [1, 2, 3, 4]);
    // Read at nothing, a table has no rows, whatever main has.
    let nothing = third.at_nothing();
    assert!(ids(&nothing).await.is_empty() && nothing.live_files().await.unwrap().is_empty());
    let unknown = second.at_snapshot(5).unwrap_err();
    assert!(matches!(unknown, TableError::UnknownSnapshot { snapshot: 5, .. }));
}
