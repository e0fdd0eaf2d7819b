//! Main takes over a branch that does not descend from it.

use std::collections::BTreeMap;

use iceberg::spec::{ManifestStatus, Operation};

use super::fixture::{Lake, batch, ids};
use crate::commit::{
    Branch, Change, CommitError, begin_branch, commit, commit_rebasing, drop_branch, replace_main,
};
use crate::files::LiveFile;
use crate::maintenance::expiry::{ExpiryPolicy, expire, plan_expiry};
use crate::table::LakeTable;
use crate::writer::write_files;

const REBUILD: &str = "rebuild";

fn said() -> BTreeMap<String, String> {
    BTreeMap::from([("why".to_owned(), "a rule changed".to_owned())])
}

async fn put(lake: &Lake, base: &LakeTable, ids: &[i64], branch: &str) -> LakeTable {
    let added = write_files(base, vec![batch(ids, "Ana")]).await.unwrap();
    let branch = match branch {
        "main" => Branch::Main,
        name => Branch::Named(name.to_owned()),
    };
    let change = Change { branch, ..Lake::change(Operation::Append, added, Vec::new()) };
    commit(&lake.warehouse, base, change).await.unwrap()
}

/// Deletes the first row of the first file on the branch.
async fn delete_first(lake: &Lake, base: &LakeTable) -> LakeTable {
    let file = base.live_files().await.unwrap().remove(0);
    let positions = [0_u64].into_iter().collect();
    let (new, old) = base.write_position_deletes(&file, &positions).await.unwrap();
    let branch = Branch::Named(REBUILD.to_owned());
    let change = Change { branch, ..Lake::change(Operation::Delete, vec![new], old) };
    commit(&lake.warehouse, base, change).await.unwrap()
}

fn paths(mut files: Vec<LiveFile>) -> Vec<String> {
    files.sort_by(|a, b| a.path().cmp(b.path()));
    files.iter().map(|file| file.path().to_owned()).collect()
}

async fn totals_hold(table: &LakeTable) {
    let summary = table.summary().unwrap();
    let (data, deletes) = (table.live_files().await.unwrap(), table.delete_files().await.unwrap());
    let sizes = data.iter().chain(&deletes).map(LiveFile::size).sum::<u64>();
    let told = |key: &str| summary[key].parse::<u64>().unwrap();
    assert_eq!(told("total-data-files"), data.len() as u64);
    assert_eq!(told("total-delete-files"), deletes.len() as u64);
    assert_eq!(told("total-records"), data.iter().map(LiveFile::records).sum::<u64>());
    let deleted = deletes.iter().map(LiveFile::records).sum::<u64>();
    assert_eq!(told("total-position-deletes"), deleted);
    assert_eq!(told("total-files-size"), sizes);
}

#[tokio::test]
async fn a_branch_on_nothing_takes_the_place_of_main_and_main_keeps_its_history() {
    let lake = Lake::new();
    let main = lake.append(&lake.table(2).await, &[1, 2, 3, 4], "Old").await;
    let before = main.snapshot_id();
    let branch = begin_branch(&lake.warehouse, &main.at_nothing(), REBUILD, said()).await.unwrap();
    assert!(ids(&branch).await.is_empty());
    assert_eq!(
        (branch.history().len(), branch.summary().unwrap()["why"].as_str()),
        (1, "a rule changed")
    );
    assert_eq!(ids(&lake.load().await).await, [1, 2, 3, 4]);
    let branch = put(&lake, &branch, &[2, 3, 9], REBUILD).await;
    let branch = delete_first(&lake, &branch).await;
    let branch = put(&lake, &branch, &[7, 8], REBUILD).await;
    let rows = ids(&branch).await;
    assert_eq!(rows.len(), 4);

    let replaced = replace_main(&lake.warehouse, &branch, REBUILD, said()).await.unwrap();
    assert_eq!(ids(&replaced).await, rows);
    assert_eq!(
        paths(replaced.live_files().await.unwrap()),
        paths(branch.live_files().await.unwrap())
    );
    let history: Vec<_> = replaced.history().iter().map(|s| s.snapshot_id()).collect();
    assert_eq!(history.len(), 2);
    assert_eq!(history.last().copied(), before);
    assert_eq!(ids(&replaced.at_snapshot(before.unwrap()).unwrap()).await, [1, 2, 3, 4]);
    assert_eq!(replaced.summary().unwrap()["why"], "a rule changed");
    totals_hold(&replaced).await;
    // The files of before are marked as deleted by this snapshot, so that readers of changes know.
    let mut gone = 0;
    for (_, manifest) in
        replaced.load_manifests(replaced.live_manifests().await.unwrap()).await.unwrap()
    {
        let dead = manifest.entries().iter().filter(|e| e.status() == ManifestStatus::Deleted);
        gone += dead.filter(|e| e.snapshot_id() == replaced.snapshot_id()).count();
    }
    assert_eq!(gone, main.live_files().await.unwrap().len());

    // A delete after the swap applies to a file that came with it; compacting and expiry hold too.
    let table = drop_branch(&lake.warehouse, &replaced, REBUILD).await.unwrap();
    let file = table.live_files().await.unwrap().remove(1);
    let after = lake.delete_rows(&table, &file, &[0]).await;
    assert_eq!(ids(&after).await.len(), 3);
    let policy = ExpiryPolicy { keep_since_ms: i64::MAX, keep_last: 1, ..Default::default() };
    let plan = plan_expiry(&after, &policy).unwrap();
    assert_eq!(plan.kept, 1);
    expire(&lake.warehouse, &after, &plan, usize::MAX).await.unwrap();
    assert_eq!(ids(&lake.load().await).await.len(), 3);
}

#[tokio::test]
async fn files_that_both_hold_stay_and_get_back_the_rows_that_only_main_deleted() {
    let lake = Lake::new();
    let first = lake.append(&lake.table(1).await, &[1, 2, 3], "Ana").await;
    let second = lake.append(&first, &[4, 5], "Ana").await;
    let file = second.live_files().await.unwrap().into_iter().find(|f| f.records() == 3).unwrap();
    let main = lake.delete_rows(&second, &file, &[0, 1]).await;
    let main = lake.append(&main, &[6], "Ana").await;
    assert_eq!(ids(&main).await, [3, 4, 5, 6]);

    let start = main.at_snapshot(first.snapshot_id().unwrap()).unwrap();
    let branch = begin_branch(&lake.warehouse, &start, REBUILD, said()).await.unwrap();
    assert_eq!(branch.history().len(), 2);
    let branch = put(&lake, &branch, &[40], REBUILD).await;
    let replaced = replace_main(&lake.warehouse, &branch, REBUILD, said()).await.unwrap();
    assert_eq!(ids(&replaced).await, [1, 2, 3, 40]);
    assert!(replaced.delete_files().await.unwrap().is_empty());
    totals_hold(&replaced).await;

    // Rows that only the branch deleted go from files that both hold.
    let branch = begin_branch(&lake.warehouse, &replaced, REBUILD, said()).await.unwrap();
    let branch = delete_first(&lake, &branch).await;
    let rows = ids(&branch).await;
    assert_eq!(rows.len(), 3);
    let replaced = replace_main(&lake.warehouse, &branch, REBUILD, said()).await.unwrap();
    assert_eq!(ids(&replaced).await, rows);
    totals_hold(&replaced).await;
}

#[tokio::test]
async fn what_main_got_since_is_not_lost_unseen() {
    let lake = Lake::new();
    let main = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let branch = begin_branch(&lake.warehouse, &main.at_nothing(), REBUILD, said()).await.unwrap();
    let newer = put(&lake, &branch, &[2], "main").await;
    let stale = replace_main(&lake.warehouse, &branch, REBUILD, said()).await;
    assert!(matches!(stale, Err(CommitError::Conflict { .. })), "{stale:?}");
    assert_eq!(ids(&lake.load().await).await, [1, 2]);
    for name in ["other", "main"] {
        let unknown = replace_main(&lake.warehouse, &newer, name, said()).await;
        assert!(matches!(unknown, Err(CommitError::UnknownBranch { .. })), "{unknown:?}");
    }
    let main_begun = begin_branch(&lake.warehouse, &newer, "main", said()).await;
    assert!(matches!(main_begun, Err(CommitError::UnknownBranch { .. })), "{main_begun:?}");
    let empty = begin_branch(&lake.warehouse, &newer, REBUILD, BTreeMap::new()).await;
    assert!(matches!(empty, Err(CommitError::Empty { .. })), "{empty:?}");
}

#[tokio::test]
async fn a_change_planned_on_what_was_replaced_is_not_carried_over() {
    let lake = Lake::new();
    let main = lake.append(&lake.table(1).await, &[1, 2], "Ana").await;
    let branch = begin_branch(&lake.warehouse, &main.at_nothing(), REBUILD, said()).await.unwrap();
    let branch = put(&lake, &branch, &[1, 2], REBUILD).await;
    let file = main.live_files().await.unwrap().remove(0);
    let positions = [0_u64].into_iter().collect();
    let (deletes, old) = main.write_position_deletes(&file, &positions).await.unwrap();
    replace_main(&lake.warehouse, &branch, REBUILD, said()).await.unwrap();
    let change = Lake::change(Operation::Delete, vec![deletes], old);
    let carried = commit_rebasing(&lake.warehouse, &main, change, |_| true).await;
    assert!(matches!(carried, Err(CommitError::Conflict { .. })), "{carried:?}");
    assert_eq!(ids(&lake.load().await).await, [1, 2]);
}

#[tokio::test]
async fn a_branch_begins_anew_under_its_old_name() {
    let lake = Lake::new();
    let main = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let branch = begin_branch(&lake.warehouse, &main.at_nothing(), REBUILD, said()).await.unwrap();
    let branch = put(&lake, &branch, &[2], REBUILD).await;
    let anew = begin_branch(&lake.warehouse, &branch.at_main(), REBUILD, said()).await.unwrap();
    assert_eq!(ids(&anew).await, [1]);
    assert_eq!(ids(&lake.load().await).await, [1]);
}
