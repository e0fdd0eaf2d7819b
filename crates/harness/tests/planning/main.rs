//! What a Silver plan reads back from the lake: the newest batch record, below snapshots of
//! others, from older versions, and when somebody has been at it. Bronze files are named and never
//! read here, so they hold nothing.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod judging;
mod maintenance;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use medallion_definition::lake::LakeDefinition;
use medallion_harness::small_lake::{Endpoints, Repetition, SmallLake};
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::{Advice, TransformError};
use medallion_transforms::plan::{BATCH_BYTES, FILE_BYTES, MEMORY_BYTES, SETTLE};
use medallion_transforms::plan::{Mode, SilverJob, SilverPlan};
use medallion_transforms::record::FileStats;
use medallion_transforms::summary;

const CONTRACT: &str = r#"version = 1
table = "shop.items"
description = "items"
key = ["id"]
[[column]]
name = "id"
type = "int"
nullable = false
sensitivity = "internal"
"#;
/// 2026-01-02T03:00:00Z.
const START: u64 = 1_767_322_800;

struct Table<'a> {
    lake: SmallLake<'a>,
    definition: LakeDefinition,
    warehouse: Warehouse,
}

fn load(number: u32) -> String {
    format!("bronze/shop/items/LOAD{number:08X}.parquet")
}

fn changes(minute: u64) -> String {
    format!("bronze/shop/items/2026/01/02/20260102-03{minute:02}00000.parquet")
}

impl<'a> Table<'a> {
    async fn new(endpoints: &'a Endpoints, name: &str) -> Table<'a> {
        Table::of(endpoints, name, CONTRACT).await
    }

    async fn of(endpoints: &'a Endpoints, name: &str, contract: &str) -> Table<'a> {
        let lake = endpoints.lake(name).await.unwrap();
        let definition = lake.definition(contract).unwrap();
        let warehouse = lake.warehouse(Repetition::Quick);
        Table { lake, definition, warehouse }
    }

    async fn put(&self, minute: u64, key: &str, content: &str) {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(START + minute * 60);
        let content = Bytes::copy_from_slice(content.as_bytes());
        self.lake.put(&self.warehouse, key, content, modified).await.unwrap();
    }

    fn job(&self) -> SilverJob<'_> {
        SilverJob {
            lake: &self.definition,
            contract: &self.definition.tables[0],
            warehouse: &self.warehouse,
            now_micros: i64::try_from(START + 59 * 60).unwrap() * 1_000_000,
            batch_bytes: BATCH_BYTES,
            settle: SETTLE,
            load_began: None,
            memory_bytes: MEMORY_BYTES,
            file_bytes: FILE_BYTES,
        }
    }

    async fn plan(&self) -> Result<SilverPlan, TransformError> {
        let base = self.job().table().await.unwrap();
        self.job().plan(Some(&base)).await
    }

    async fn commit(&self, summary: BTreeMap<String, String>) -> LakeTable {
        let base = self.job().table().await.unwrap();
        let (added, removed) = (Vec::new(), Vec::new());
        let operation = Operation::Append;
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        commit(&self.warehouse, &base, change).await.unwrap()
    }

    /// Plans and commits one batch; its keys.
    async fn step(&self) -> Vec<String> {
        let plan = self.plan().await.unwrap();
        let stats = |_| FileStats { rows: 1, min_seq: "1".into(), max_seq: "2".into() };
        let record = plan.record(&plan.files.iter().map(stats).collect::<Vec<_>>());
        let written = record.write(self.warehouse.bucket()).await.unwrap();
        self.commit(plan.summary(&record, &written)).await;
        keys(&plan)
    }

    async fn records(&self) -> Vec<String> {
        let listed = self.warehouse.bucket().list("batches/").await.unwrap();
        listed.into_iter().map(|object| object.key).collect()
    }

    async fn newest_record(&self) -> String {
        let base = self.job().table().await.unwrap();
        base.summary().unwrap()[summary::BATCH_RECORD].clone()
    }
}

fn keys(plan: &SilverPlan) -> Vec<String> {
    plan.files.iter().map(|f| f.file.key.clone()).collect()
}

fn reason(error: TransformError) -> String {
    assert_eq!(error.advice(), Advice::Operator);
    assert!(matches!(&error, TransformError::BatchRecord { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn the_newest_record_alone_tells_what_was_applied() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = Table::new(&endpoints, "newest").await;
    table.put(1, &load(1), "l").await;
    assert_eq!(table.step().await, [load(1)]);
    for minute in 2..6 {
        table.put(minute, &changes(minute), "c").await;
        assert_eq!(table.step().await, [changes(minute)]);
    }
    let newest = table.newest_record().await;
    for record in table.records().await {
        if record != newest {
            table.warehouse.bucket().delete(&record).await.unwrap();
        }
    }
    // Snapshots of others lie above it.
    for _ in 0..3 {
        table.commit(BTreeMap::from([("engine-name".into(), "spark".into())])).await;
    }
    let plan = table.plan().await.unwrap();
    assert_eq!((keys(&plan), plan.ignored.applied), (Vec::new(), 5));
    assert_eq!((plan.watermark, plan.watermark_seq.as_str()), (Some(changes(5)), "2"));
    table.put(1, &changes(0), "late").await;
    assert_eq!(table.step().await, [changes(0)]);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_plan_holds_below_commits_of_others_and_not_below_its_own() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = Table::new(&endpoints, "holds").await;
    table.put(1, &load(1), "l").await;
    let plan = table.plan().await.unwrap();
    assert!(plan.holds_for(&table.commit(BTreeMap::from([("a".into(), "b".into())])).await));
    table.step().await;
    assert!(!plan.holds_for(&table.job().table().await.unwrap()));
    endpoints.stop().await;
}

#[tokio::test]
async fn a_record_that_is_gone_or_was_changed_stops_the_table() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = Table::new(&endpoints, "tampered").await;
    table.put(1, &load(1), "l").await;
    table.step().await;
    let (bucket, key) = (table.warehouse.bucket(), table.newest_record().await);
    let content = bucket.get(&key).await.unwrap();
    let mut changed = content.to_vec();
    changed.push(b' ');
    bucket.put(&key, Bytes::from(changed)).await.unwrap();
    assert!(reason(table.plan().await.unwrap_err()).contains("SHA-256"));
    bucket.delete(&key).await.unwrap();
    assert!(reason(table.plan().await.unwrap_err()).contains("missing"));
    bucket.put(&key, content).await.unwrap();
    assert!(table.plan().await.unwrap().files.is_empty());
    endpoints.stop().await;
}

#[tokio::test]
async fn change_files_of_an_earlier_generation_are_known_when_they_are_put_back() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = Table::new(&endpoints, "earlier").await;
    table.put(1, &load(1), "l").await;
    table.put(2, &changes(2), "c").await;
    table.step().await;
    table.put(10, &load(1), "m").await;
    table.put(11, &changes(11), "c").await;
    let plan = table.plan().await.unwrap();
    // No row was ever committed: there is nothing to replace.
    assert_eq!((plan.mode, plan.generation.number), (Mode::Merge, 2));
    assert_eq!(table.step().await, [load(1), changes(11)]);
    table.put(20, &changes(2), "c").await;
    table.put(20, &changes(12), "c").await;
    let plan = table.plan().await.unwrap();
    assert_eq!((keys(&plan), plan.ignored.earlier_generation), (vec![changes(12)], 1));
    let json: serde_json::Value = serde_json::from_slice(
        &table.warehouse.bucket().get(&table.newest_record().await).await.unwrap(),
    )
    .unwrap();
    let list = json["applied"]["earlier"]["key"].as_str().unwrap();
    table.warehouse.bucket().delete(list).await.unwrap();
    assert!(reason(table.plan().await.unwrap_err()).contains("missing"));
    endpoints.stop().await;
}

#[tokio::test]
async fn records_of_older_versions_are_read_and_taken_over() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = Table::new(&endpoints, "older").await;
    let bucket = table.warehouse.bucket();
    table.put(1, &load(1), "l").await;
    table.put(2, &changes(2), "c").await;
    let listed = bucket.list("bronze/").await.unwrap();
    for (number, object) in [(0, &listed[1]), (1, &listed[0])] {
        let record = format!("batches/shop.items/{number}.json");
        let content = serde_json::json!({"table": "shop.items", "files": [
            {"key": object.key, "etag": object.etag, "size": object.size}
        ]});
        let content = Bytes::from(serde_json::to_vec_pretty(&content).unwrap());
        bucket.put(&record, content).await.unwrap();
        let entries = [
            (summary::BATCH_RECORD, record.as_str()),
            (summary::WATERMARK, object.key.as_str()),
            (summary::WATERMARK_SEQ, if number == 0 { "" } else { "7" }),
            (summary::LOAD_RECORDS, "batches/shop.items/0.json"),
        ];
        table.commit(entries.map(|(k, v)| (k.to_owned(), v.to_owned())).into()).await;
    }
    let plan = table.plan().await.unwrap();
    assert_eq!((keys(&plan), plan.ignored.applied), (Vec::new(), 2));
    assert_eq!(plan.watermark_seq, "7");
    let history = plan.history("7");
    assert_eq!(history.iter().map(|f| &f.key).collect::<Vec<_>>(), [&changes(2)]);
    table.put(3, &changes(3), "c").await;
    assert_eq!(table.step().await, [changes(3)]);
    for number in 0..2 {
        bucket.delete(&format!("batches/shop.items/{number}.json")).await.unwrap();
    }
    let plan = table.plan().await.unwrap();
    assert_eq!((keys(&plan), plan.ignored.applied), (Vec::new(), 3));
    endpoints.stop().await;
}
