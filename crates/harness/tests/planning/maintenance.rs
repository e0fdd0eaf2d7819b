//! Maintenance of the tables of a contract by the job: few files, a bounded history, nothing lost.

use medallion_definition::name::Layer;
use medallion_harness::small_lake::bronze::{BronzeFile, BronzeRow};
use medallion_harness::small_lake::contents::{self, Row};
use medallion_ingestion::schema::SourceColumn;
use medallion_tables::maintenance::orphans::SafetyAge;
use medallion_transforms::maintenance::{Maintenance, MaintenancePolicy, MaintenanceReport, When};
use medallion_transforms::spec;

use super::*;

/// Rows of the table.
const ROWS: u64 = 400;

/// A table with something to change.
async fn items<'a>(endpoints: &'a Endpoints, name: &str) -> Table<'a> {
    let amount = "[[column]]\nname = \"amount\"\ntype = \"bigint\"\nnullable = true\n\
                  sensitivity = \"internal\"\n";
    Table::of(endpoints, name, &format!("{CONTRACT}{amount}")).await
}

impl Table<'_> {
    /// A change file of inserts and updates of `count` keys, spread over the table.
    async fn change(&self, minute: u64, count: u64) {
        let column = |name: &str, source_type: &str| SourceColumn {
            name: name.to_owned(),
            source_type: source_type.parse().unwrap(),
        };
        let columns = vec![column("id", "int"), column("amount", "bigint")];
        let row = |number: u64| BronzeRow {
            op: "U".to_owned(),
            timestamp: format!("2026-01-02 03:{:02}:00.000000", minute % 60),
            seq: Some(format!("20260102{minute:08}{number:019}")),
            values: vec![Some((number * 7919 % ROWS).to_string()), Some(number.to_string())],
            before: vec![Some((number * 7919 % ROWS).to_string())],
        };
        let rows = (minute * count..(minute + 1) * count).map(row).collect();
        let file = BronzeFile { columns, key: vec![0], rows, without: Vec::new() };
        let (hour, minutes) = (3 + minute / 60, minute % 60);
        let key =
            format!("bronze/shop/items/2026/01/02/20260102-{hour:02}{minutes:02}00000.parquet");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(START + minute * 60);
        self.lake.put(&self.warehouse, &key, file.parquet().unwrap(), modified).await.unwrap();
    }

    async fn silver(&self) -> LakeTable {
        let ident = spec::ident(&self.definition, Layer::Silver, "shop_items");
        self.warehouse.load(&ident).await.unwrap().unwrap()
    }

    async fn rows(&self) -> Vec<Row> {
        let mut rows = contents::rows(&self.silver().await).await.unwrap();
        rows.sort();
        rows
    }

    /// Objects of the Silver table's folder.
    async fn objects(&self) -> usize {
        self.warehouse.bucket().list("silver/shop_items/").await.unwrap().len()
    }

    /// All that there is to do, with the newest snapshots only and without regard to age.
    async fn maintain(&self, policy: MaintenancePolicy) -> String {
        let warehouse = &self.warehouse;
        let now_ms = chrono::Utc::now().timestamp_millis() + 2_000;
        let maintenance = Maintenance { warehouse, policy, now_ms };
        let table = self.silver().await;
        let plan = maintenance.plan(&table, When::Now).await.unwrap();
        let text = plan.to_string();
        format!("{text}\n{}", maintenance.run(&table, plan).await.unwrap())
    }
}

fn policy() -> MaintenancePolicy {
    MaintenancePolicy {
        keep: chrono::Duration::zero(),
        keep_last: 1,
        orphan_age: SafetyAge::forced(Duration::ZERO),
        ..MaintenancePolicy::new(FILE_BYTES, MEMORY_BYTES)
    }
}

#[tokio::test]
async fn small_commits_leave_few_files() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = items(&endpoints, "few").await;
    let mut most = 0;
    for minute in 0..60 {
        table.change(minute, 11).await;
        table.job().run().await.unwrap();
        let job_policy = MaintenancePolicy::new(FILE_BYTES, MEMORY_BYTES);
        table.job().maintain(job_policy, When::Due).await.unwrap();
        let files = table.silver().await.live_files().await.unwrap();
        most = most.max(files.len() + files.iter().filter(|f| f.has_deletes()).count());
    }
    assert!(most <= 4, "{most} files at once in a table of one bucket");
    assert_eq!(table.rows().await.len() as u64, ROWS);
}

#[tokio::test]
async fn everything_that_nobody_needs_goes_and_the_job_goes_on() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = items(&endpoints, "bounded").await;
    for minute in 0..30 {
        table.change(minute, 20).await;
        table.job().run().await.unwrap();
    }
    let orphan = "silver/shop_items/data/left-behind.parquet";
    table.warehouse.bucket().put(orphan, Bytes::from_static(b"x")).await.unwrap();
    let before = table.rows().await;
    let objects = table.objects().await;
    let said = table.maintain(policy()).await;
    assert!(said.contains("snapshots go") && said.contains("snapshots expired"), "{said}");
    assert!(said.contains("1 of"), "{said}");
    assert!(table.warehouse.bucket().get(orphan).await.is_err(), "{said}");
    assert!(table.objects().await * 3 < objects, "{} of {objects}", table.objects().await);
    assert_eq!(table.rows().await, before);
    // What is applied is still known: nothing is applied twice, and the next file is found.
    let snapshot = table.silver().await.snapshot_id();
    table.job().run().await.unwrap();
    assert_eq!(table.silver().await.snapshot_id(), snapshot);
    table.change(31, 20).await;
    table.job().run().await.unwrap();
    assert_ne!(table.silver().await.snapshot_id(), snapshot);
    assert!(table.maintain(policy()).await.contains("maintenance of bounded_silver.shop_items"));
}

#[tokio::test]
async fn maintenance_gives_way_to_a_writer() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = items(&endpoints, "overtaken").await;
    for minute in 0..6 {
        table.change(minute, 30).await;
        table.job().run().await.unwrap();
    }
    let old = table.silver().await;
    let mut policy = policy();
    policy.compaction.small_files = 1;
    policy.compaction.deleted_share = 0.0;
    let now_ms = chrono::Utc::now().timestamp_millis() + 2_000;
    let maintenance = Maintenance { warehouse: &table.warehouse, policy, now_ms };
    let plan = maintenance.plan(&old, When::Now).await.unwrap();
    assert!(plan.expiry.is_some(), "{plan}");
    table.change(6, 30).await;
    table.job().run().await.unwrap();
    let (before, newer) = (table.rows().await, table.silver().await.snapshot_id());
    let report = maintenance.run(&old, plan).await.unwrap();
    assert!(report.overtaken, "{report}");
    assert_eq!((table.rows().await, table.silver().await.snapshot_id()), (before, newer));
}

#[tokio::test]
async fn plans_of_tables_in_order_are_empty() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = items(&endpoints, "orderly").await;
    let job = table.job();
    job.table().await.unwrap();
    let defaults = || MaintenancePolicy::new(FILE_BYTES, MEMORY_BYTES);
    let reports = job.maintain(defaults(), When::Now).await.unwrap();
    assert!(reports.iter().all(MaintenanceReport::is_empty), "{reports:?}");
    table.change(0, 20).await;
    job.run().await.unwrap();
    let reports = job.maintain(defaults(), When::Now).await.unwrap();
    assert_eq!(reports.len(), 1, "no row was ever quarantined");
    assert_eq!(reports[0].to_string(), "maintenance of orderly_silver.shop_items: nothing to do");
}

#[tokio::test]
async fn what_is_applied_stays_known_however_many_snapshots_of_others_lie_above() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = items(&endpoints, "others").await;
    table.change(0, 20).await;
    table.job().run().await.unwrap();
    let before = table.rows().await;
    // Each of them names no batch, as a compaction does.
    for number in 0..15 {
        let entry = ("note".to_owned(), number.to_string());
        table.commit(BTreeMap::from([entry])).await;
        table.maintain(policy()).await;
    }
    assert!(matches!(table.plan().await, Ok(plan) if plan.files.is_empty()));
    table.change(1, 20).await;
    table.job().run().await.unwrap();
    table.maintain(policy()).await;
    assert_eq!(table.silver().await.history().len(), 1, "nothing older is needed now");
    assert!(table.rows().await.len() >= before.len());
}
