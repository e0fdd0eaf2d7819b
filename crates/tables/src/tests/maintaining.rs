//! What maintenance deletes, and what it must not.

use std::collections::BTreeSet;
use std::time::Duration;

use iceberg::spec::Operation;

use super::fixture::{Lake, batch, ids};
use super::memory_catalog::Fault;
use crate::commit::{Branch, Change, commit};
use crate::maintenance::expiry::{ExpiryPolicy, expire, plan_expiry};
use crate::maintenance::metadata_files::{plan_metadata, remove_metadata};
use crate::maintenance::orphans::{SafetyAge, plan_orphans, remove_orphans};
use crate::maintenance::{MaintenanceError, Removed};
use crate::table::LakeTable;
use crate::writer::write_files;

/// Everything but the newest snapshot may go.
fn all_but_last() -> ExpiryPolicy {
    ExpiryPolicy { keep_since_ms: i64::MAX, keep_last: 1, ..ExpiryPolicy::default() }
}

fn paths(lake: &Lake) -> BTreeSet<String> {
    lake.files().into_iter().map(|file| file.path).collect()
}

async fn replace(lake: &Lake, base: &LakeTable, id: i64) -> LakeTable {
    let old = base.live_files().await.unwrap();
    let added = write_files(base, vec![batch(&[id], "Ana")]).await.unwrap();
    lake.commit(base, Operation::Overwrite, added, old).await.unwrap()
}

/// Snapshots: append, delete a row, append, replace everything, append.
async fn table_with_history(lake: &Lake) -> LakeTable {
    let table = lake.append(&lake.table(1).await, &[1, 2], "Ana").await;
    let file = table.live_files().await.unwrap().remove(0);
    let table = lake.delete_rows(&table, &file, &[0]).await;
    let table = lake.append(&table, &[3], "Ana").await;
    let table = replace(lake, &table, 4).await;
    lake.append(&table, &[5], "Ana").await
}

async fn run(lake: &Lake, table: &LakeTable, policy: &ExpiryPolicy) -> (usize, Removed) {
    let plan = plan_expiry(table, policy).unwrap();
    let report = expire(&lake.warehouse, table, &plan, 1000).await.unwrap();
    assert_eq!((report.snapshots, report.left), (plan.expired.len(), 0), "{report}");
    (report.snapshots, report.removed)
}

#[tokio::test]
async fn expired_snapshots_take_along_exactly_what_only_they_refer_to() {
    let lake = Lake::new();
    let table = table_with_history(&lake).await;
    let before = paths(&lake);
    let (snapshots, removed) = run(&lake, &table, &all_but_last()).await;
    let gone: Vec<String> = before.difference(&paths(&lake)).cloned().collect();
    assert_eq!((snapshots, removed.files, removed.failed), (4, gone.len() as u64, 0));
    let of = |ending: &str| gone.iter().filter(|path| path.ends_with(ending)).count();
    // Two data files and a delete file; four lists; manifests of the first three snapshots, and
    // that which says that the files were deleted.
    assert_eq!(of(".parquet"), 3, "{gone:#?}");
    let lists = gone.iter().filter(|path| path.contains("/snap-")).count();
    assert_eq!((lists, of(".metadata.json")), (4, 0));
    let now = lake.load().await;
    assert_eq!(ids(&now).await, [4, 5]);
    assert_eq!((now.history().len(), now.metadata().snapshots().len()), (1, 1));
    // Nothing is left that nothing refers to.
    let plan = plan_orphans(&now, lake.files(), i64::MAX, SafetyAge::forced(Duration::ZERO)).await;
    let plan = plan.unwrap();
    let orphans: Vec<&str> = plan.orphans.iter().map(|file| file.path.as_str()).collect();
    assert!(orphans.is_empty(), "{orphans:#?}");
    assert_eq!(ids(&lake.append(&now, &[6], "Ana").await).await, [4, 5, 6]);
}

#[tokio::test]
async fn branches_named_snapshots_young_ones_and_the_newest_stay() {
    let lake = Lake::new();
    let base = lake.append(&lake.table(1).await, &[1], "Ana").await;
    let added = write_files(&base, vec![batch(&[2], "Ana")]).await.unwrap();
    let change = Lake::change(Operation::Append, added, Vec::new());
    let branch = Branch::Named("audit".to_owned());
    let table =
        commit(&lake.warehouse, &base, Change { branch, ..change }).await.unwrap().at_main();
    let second = replace(&lake, &table, 10).await;
    let third = replace(&lake, &second, 11).await;
    let fourth = replace(&lake, &third, 12).await;
    let expired = |policy: &ExpiryPolicy| plan_expiry(&fourth, policy).unwrap().expired;
    let id = |table: &LakeTable| table.snapshot_id().unwrap();
    assert_eq!(expired(&all_but_last()), [id(&base), id(&second), id(&third)]);
    let policy = ExpiryPolicy { keep_last: 2, ..all_but_last() };
    assert_eq!(expired(&policy), [id(&second)]);
    let policy = ExpiryPolicy { snapshots: [id(&second)].into(), ..all_but_last() };
    assert_eq!(expired(&policy), [id(&base), id(&third)]);
    let policy = ExpiryPolicy { references: ["audit".to_owned()].into(), ..all_but_last() };
    assert_eq!(expired(&policy), [id(&second), id(&third)]);
    let since = third.metadata().snapshot_by_id(id(&third)).unwrap().timestamp_ms();
    let policy = ExpiryPolicy { keep_since_ms: since, ..all_but_last() };
    assert!(!expired(&policy).contains(&id(&third)));
    // Young ones may be too many, unless a reader may be at work on them. Each branch has its own.
    let most = ExpiryPolicy { keep_most: Some(2), keep_last: 1, ..ExpiryPolicy::default() };
    let crowded = ExpiryPolicy { at_work_since_ms: i64::MAX, ..most.clone() };
    assert_eq!(expired(&crowded), [id(&second)]);
    assert!(expired(&most).is_empty());
    run(&lake, &fourth, &all_but_last()).await;
    let now = lake.load().await;
    assert_eq!(ids(&now).await, [12]);
    assert_eq!(ids(&now.at_branch("audit").unwrap()).await, [1, 2]);
}

#[tokio::test]
async fn a_run_takes_the_oldest_snapshots_and_is_bounded() {
    let lake = Lake::new();
    let mut table = lake.table(1).await;
    for id in 0..10 {
        table = replace(&lake, &table, id).await;
    }
    let plan = plan_expiry(&table, &all_but_last()).unwrap();
    assert_eq!(plan.to_string().split(", the").next().unwrap(), {
        "expiry plan for crm_silver.customers: 9 snapshots go, 1 stay"
    });
    let report = expire(&lake.warehouse, &table, &plan, 8).await.unwrap();
    assert_eq!((report.snapshots, report.left), (2, 7), "{report}");
    assert!(report.removed.files <= 8, "{report}");
    let now = lake.load().await;
    assert_eq!(now.history().len(), 8);
    let (snapshots, _) = run(&lake, &now, &all_but_last()).await;
    assert_eq!(snapshots, 7);
    assert_eq!(ids(&lake.load().await).await, [9]);
}

#[tokio::test]
async fn nothing_is_deleted_after_a_conflict_or_an_unknown_outcome() {
    let lake = Lake::new();
    let table = table_with_history(&lake).await;
    let plan = plan_expiry(&table, &all_but_last()).unwrap();
    let newer = lake.append(&table, &[6], "Ana").await;
    let files = paths(&lake);
    let late = expire(&lake.warehouse, &table, &plan, 1000).await;
    assert!(matches!(late, Err(MaintenanceError::Commit { .. })), "{late:?}");
    assert_eq!(paths(&lake), files);
    lake.catalog.inject(Fault::LostRequest);
    let unknown = expire(&lake.warehouse, &newer, &plan, 1000).await;
    assert!(matches!(unknown, Err(MaintenanceError::Commit { .. })), "{unknown:?}");
    assert!(files.is_subset(&paths(&lake)));
    // A reply that was lost is no unknown outcome once the table shows that it succeeded.
    lake.catalog.inject(Fault::LostReply);
    let report = expire(&lake.warehouse, &newer, &plan, 1000).await.unwrap();
    assert!(report.removed.files > 0);
    assert_eq!(ids(&lake.load().await).await, [4, 5, 6]);
}

#[tokio::test]
async fn orphans_go_when_they_are_old_and_nothing_else_does() {
    let lake = Lake::new();
    let table = table_with_history(&lake).await;
    let needed = paths(&lake);
    // What a job that died leaves behind.
    write_files(&table, vec![batch(&[77], "Ana")]).await.unwrap();
    let now = chrono::Utc::now().timestamp_millis();
    let day = SafetyAge::new(Duration::from_secs(24 * 3600)).unwrap();
    let young = plan_orphans(&table, lake.files(), now, day).await.unwrap();
    assert_eq!((young.orphans.len(), young.young), (0, 1), "{young}");
    // Not even files of a load that ran for most of a day.
    let evening = now + 23 * 3600 * 1000;
    assert!(plan_orphans(&table, lake.files(), evening, day).await.unwrap().orphans.is_empty());
    let later = now + 25 * 3600 * 1000;
    assert_eq!(plan_orphans(&table, lake.files(), later, day).await.unwrap().orphans.len(), 1);
    let error = SafetyAge::new(Duration::from_secs(24 * 3600 - 1)).unwrap_err();
    assert!(matches!(error, MaintenanceError::TooYoung { seconds: 86_399 }));
    assert!(error.to_string().ends_with("at least 86400 seconds are needed"), "{error}");
    let default = plan_orphans(&table, lake.files(), later, SafetyAge::default()).await.unwrap();
    assert!(default.orphans.is_empty());

    // A file that becomes part of the table between plan and run stays.
    let added = write_files(&table, vec![batch(&[78], "Ana")]).await.unwrap();
    let plan = plan_orphans(&table, lake.files(), later, day).await.unwrap();
    assert_eq!(plan.orphans.len(), 2);
    lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let removed = remove_orphans(&lake.warehouse, &table, &plan, 100).await.unwrap();
    assert_eq!((removed.files, removed.failed, removed.left), (1, 0, 0), "{removed}");
    assert!(needed.is_subset(&paths(&lake)));
    assert_eq!(ids(&lake.load().await).await, [4, 5, 78]);
    let none = remove_orphans(&lake.warehouse, &table, &plan, 0).await.unwrap();
    assert_eq!((none.files, none.left), (0, 1));
}

#[tokio::test]
async fn metadata_files_that_fell_out_of_the_log_go() {
    let lake = Lake::new();
    let mut spec = lake.spec(1);
    spec.properties.insert("write.metadata.previous-versions-max".to_owned(), "3".to_owned());
    let ident = crate::warehouse::table_ident("crm_silver", "customers");
    let mut table = lake.warehouse.create(&ident, &spec).await.unwrap();
    for id in 0..8 {
        table = lake.append(&table, &[id], "Ana").await;
    }
    let metadata = |lake: &Lake| {
        paths(lake).into_iter().filter(|path| path.ends_with(".metadata.json")).count()
    };
    assert_eq!(metadata(&lake), 9);
    let plan = plan_metadata(&table, &lake.files());
    assert_eq!((plan.files.len(), plan.enabled), (5, true), "{plan}");
    let removed = remove_metadata(&lake.warehouse, &table, &plan, 2).await.unwrap();
    assert_eq!((removed.files, removed.left), (2, 3));
    let removed = remove_metadata(&lake.warehouse, &table, &plan, 100).await.unwrap();
    assert_eq!(removed.files + removed.failed, 5);
    assert_eq!(metadata(&lake), 4);
    assert_eq!(ids(&lake.load().await).await, (0..8).collect::<Vec<_>>());
    assert!(plan_metadata(&lake.load().await, &lake.files()).files.is_empty());
}
