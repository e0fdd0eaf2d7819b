//! Compaction: the same rows in other files.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use iceberg::spec::{DataFile, DataFileBuilder, Operation};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ground::{Ground, raw, texts};
use crate::commit::{Change, CommitError, commit, commit_rebasing};
use crate::compaction::{CompactionOptions, CompactionPlan, Reason, compact, plan_compaction};
use crate::evolution::{evolve, plan_evolution};
use crate::table::{LakeTable, TableError};

/// All rows as sorted texts.
async fn rows(table: &LakeTable) -> Vec<String> {
    let batches = table.read_all(None).await.unwrap();
    let columns: Vec<String> =
        table.arrow_schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut rows: Vec<String> = batches.iter().flat_map(|b| texts(b, &columns)).collect();
    rows.sort();
    rows
}

async fn planned(table: &LakeTable, options: &CompactionOptions) -> CompactionPlan {
    plan_compaction(table, options).await.unwrap()
}

fn paths(plan: &CompactionPlan) -> Vec<&str> {
    plan.buckets.iter().flat_map(|b| &b.files).map(|planned| planned.file.path()).collect()
}

/// Deletes some rows of every file.
async fn thinned(ground: &Ground, table: &LakeTable, random: &mut ChaCha8Rng) -> LakeTable {
    let mut rows = HashMap::new();
    for file in table.live_files().await.unwrap() {
        let some: Vec<u64> = (0..file.records()).filter(|_| random.random_bool(0.2)).collect();
        if !some.is_empty() {
            rows.insert(file.path().to_owned(), some);
        }
    }
    ground.delete(table, &rows).await
}

async fn commit_main(
    ground: &Ground,
    base: &LakeTable,
    change: Change,
) -> Result<LakeTable, CommitError> {
    commit(&ground.lake.warehouse, base, change).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_keeps_every_row_and_leaves_few_sorted_files() {
    let keys: [&[LakeType]; 3] =
        [&[LakeType::Long], &[LakeType::String, LakeType::Int], &[LakeType::Date]];
    for (round, kind) in keys.iter().cycle().take(9).enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(round as u64);
        let ground = Ground::new(kind, round % 2 == 1);
        let buckets = 1 + 2 * (round as u32 % 2);
        let mut table = ground.table(buckets).await;
        for _ in 0..5 {
            let count = random.random_range(30..400);
            table = ground.append(&table, ground.rows(&mut random, count, 500)).await;
            if random.random_bool(0.5) {
                table = thinned(&ground, &table, &mut random).await;
            }
        }
        let (before, old) = (rows(&table).await, table.live_files().await.unwrap().len());
        let plan = planned(&table, &CompactionOptions::default()).await;
        assert_eq!((paths(&plan).len(), plan.left, plan.foreign), (old, 0, 0));
        let change = compact(&table, &plan).await.unwrap();
        assert_eq!(change.operation, Operation::Replace);
        let table = commit_main(&ground, &table, change).await.unwrap();
        assert_eq!(rows(&table).await, before);
        let files = table.live_files().await.unwrap();
        assert_eq!(files.len(), buckets as usize);
        assert!(table.delete_files().await.unwrap().is_empty());
        for file in files {
            assert!(!file.has_deletes());
            let raw = raw(&table, &file);
            let key: Vec<_> = table.key().iter().map(|name| raw[*name].clone()).collect();
            let fields = key.iter().map(|c| arrow::row::SortField::new(c.data_type().clone()));
            let converter = arrow::row::RowConverter::new(fields.collect()).unwrap();
            let key = converter.convert_columns(&key).unwrap();
            assert!(key.iter().is_sorted());
        }
        // Nothing is left to do.
        assert!(planned(&table, &CompactionOptions::default()).await.is_empty());
    }
}

/// Four files of one bucket, of which rows were deleted from the first.
async fn four_files(ground: &Ground) -> LakeTable {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut table = ground.table(1).await;
    for part in 0..4 {
        let count = 100 + part * 10;
        table = ground.append(&table, ground.rows(&mut random, count, 1_000)).await;
    }
    let first = table.live_files().await.unwrap().into_iter().find(|f| f.records() == 100);
    let rows = HashMap::from([(first.unwrap().path().to_owned(), (0..10).collect())]);
    ground.delete(&table, &rows).await
}

#[tokio::test]
async fn a_plan_says_which_files_and_why_and_what_does_not_pay_is_left() {
    let ground = Ground::new(&[LakeType::Long], false);
    let table = four_files(&ground).await;
    let some = CompactionOptions { small_bytes: 1, ..CompactionOptions::default() };
    let plan = planned(&table, &some).await;
    assert_eq!(paths(&plan).len(), 1);
    assert_eq!(plan.buckets[0].files[0].reason, Reason::Deletes { rows: 10 });
    let text = plan.to_string();
    assert!(text.contains("compaction of `ground.t`: 1 files"), "{text}");
    assert!(text.contains("(100 rows,") && text.contains("10 rows are deleted"), "{text}");
    let more = CompactionOptions { deleted_share: 0.11, ..some };
    assert!(planned(&table, &more).await.is_empty());
    // Three small ones and the other: enough only if three are.
    let few = CompactionOptions { deleted_share: 0.11, small_files: 5, ..Default::default() };
    assert!(planned(&table, &few).await.is_empty());
    let few = CompactionOptions { small_files: 4, ..few };
    assert_eq!(paths(&planned(&table, &few).await).len(), 4);
    // A file with deleted rows takes the small ones along.
    let all = CompactionOptions { small_files: 9, ..Default::default() };
    assert_eq!(paths(&planned(&table, &all).await).len(), 4);
    // One run is bounded, and begins with what matters.
    let bounded = CompactionOptions { max_files: 3, ..all };
    let plan = planned(&table, &bounded).await;
    assert_eq!((paths(&plan).len(), plan.left), (3, 1));
    assert!(matches!(plan.buckets[0].files[0].reason, Reason::Deletes { .. }));
    for bounded in [
        CompactionOptions { max_bytes: 1, ..all },
        CompactionOptions { memory_bytes: 1, ..all },
        CompactionOptions { max_files: 0, ..all },
    ] {
        let plan = planned(&table, &bounded).await;
        assert_eq!((paths(&plan).len(), plan.left), (1, 3));
    }
}

#[tokio::test]
async fn rows_deleted_meanwhile_make_the_compaction_a_conflict() {
    for rebasing in [false, true] {
        let ground = Ground::new(&[LakeType::Long], false);
        let base = four_files(&ground).await;
        let plan = planned(&base, &CompactionOptions::default()).await;
        let change = compact(&base, &plan).await.unwrap();
        let file = base.live_files().await.unwrap().remove(0);
        let gone = HashMap::from([(file.path().to_owned(), vec![20, 21])]);
        let newer = ground.delete(&base, &gone).await;
        let committed = match rebasing {
            false => commit_main(&ground, &base, change).await,
            true => commit_rebasing(&ground.lake.warehouse, &base, change, |_| true).await,
        };
        assert!(matches!(committed, Err(CommitError::Conflict { .. })), "{committed:?}");
        let after = ground.lake.warehouse.load(base.ident()).await.unwrap().unwrap();
        assert_eq!(rows(&after).await, rows(&newer).await);
        // The plan is of another snapshot now.
        let stale = compact(&newer, &plan).await;
        assert!(matches!(stale, Err(TableError::Misfit { .. })), "{stale:?}");
    }
}

#[tokio::test]
async fn columns_that_became_personal_lose_their_bounds() {
    let mut ground = Ground::new(&[LakeType::Long], false);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let table = ground.table(1).await;
    let table = ground.append(&table, ground.rows(&mut random, 50, 100)).await;
    assert!(planned(&table, &CompactionOptions::default()).await.is_empty());
    let note = ground.key;
    ground.fields[note].sensitivity = Sensitivity::Personal;
    let changes = plan_evolution(&ground.spec(1), &table).unwrap();
    let table = evolve(&ground.lake.warehouse, &table, &changes).await.unwrap();
    let plan = planned(&table, &CompactionOptions::default()).await;
    let columns = vec!["note".to_owned()];
    assert_eq!(plan.buckets[0].files[0].reason, Reason::PersonalBounds { columns });
    assert!(plan.to_string().contains("bounds of `note`"));
    let before = rows(&table).await;
    let change = compact(&table, &plan).await.unwrap();
    let table = commit_main(&ground, &table, change).await.unwrap();
    assert_eq!(rows(&table).await, before);
    assert!(planned(&table, &CompactionOptions::default()).await.is_empty());
}

/// The file as another engine may describe it: not sorted by the table's order.
fn unsorted(file: &DataFile) -> DataFile {
    DataFileBuilder::default()
        .content(file.content_type())
        .file_path(file.file_path().to_owned())
        .file_format(file.file_format())
        .partition(file.partition().clone())
        .record_count(file.record_count())
        .file_size_in_bytes(file.file_size_in_bytes())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_sorted_are_sorted_first() {
    let ground = Ground::new(&[LakeType::Long], false);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let table = ground.table(1).await;
    let mut rows_of = |count| ground.rows(&mut random, count, 10_000);
    // Written without regard to order: one batch after the other.
    let batches: Vec<RecordBatch> = (0..20).map(|_| rows_of(1_000)).collect();
    let all = concat_batches(&batches[0].schema(), &batches).unwrap();
    let mut writer = crate::writer::BucketWriter::new(&table, None, 1 << 30).unwrap();
    writer.write(&all).await.unwrap();
    let added = writer.finish().await.unwrap().iter().map(unsorted).collect();
    let table = ground.lake.commit(&table, Operation::Append, added, Vec::new()).await.unwrap();
    let table = ground.append(&table, rows_of(10)).await;
    let before = rows(&table).await;
    let options = CompactionOptions { small_files: 2, tier: u64::MAX, ..Default::default() };
    let plan = planned(&table, &options).await;
    assert_eq!(paths(&plan).len(), 2);
    let change = compact(&table, &plan).await.unwrap();
    let table = commit_main(&ground, &table, change).await.unwrap();
    assert_eq!(rows(&table).await, before);
    let file = table.live_files().await.unwrap().remove(0);
    let ids = raw(&table, &file);
    let ids: &arrow::array::Int64Array = arrow::array::AsArray::as_primitive(&ids["k0"]);
    assert!(ids.values().is_sorted());
}

#[tokio::test]
async fn a_table_without_a_key_is_compacted_in_the_order_of_its_files() {
    let mut ground = Ground::new(&[LakeType::Long], false);
    ground.key = 0;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut table = ground.table(1).await;
    for _ in 0..4 {
        table = ground.append(&table, ground.rows(&mut random, 50, 100)).await;
    }
    let before = rows(&table).await;
    let plan = planned(&table, &CompactionOptions::default()).await;
    let change = compact(&table, &plan).await.unwrap();
    let table = commit_main(&ground, &table, change).await.unwrap();
    assert_eq!((rows(&table).await, table.live_files().await.unwrap().len()), (before, 1));
}
