//! Rules that break, and rules whose answer changes with the time.

use medallion_definition::name::Layer;
use medallion_harness::aws::faults::{FAULT_UPDATE_TABLE_REFUSED, FaultPlan};
use medallion_harness::small_lake::bronze::{BronzeFile, BronzeRow};
use medallion_harness::small_lake::contents::{self, Row};
use medallion_ingestion::schema::SourceColumn;
use medallion_transforms::spec;
use medallion_transforms::verify::VerifyJob;

use super::*;

/// A day of the story in microseconds, and its first moment.
const DAY: i64 = 86_400_000_000;

fn at_day(day: i64) -> i64 {
    i64::try_from(START).unwrap() * 1_000_000 + day * DAY
}

const CHECK: &str = "check = [\"not_future\"]\n";

fn contract(more: &str) -> String {
    let column = "[[column]]\nname = \"seen_at\"\ntype = \"datetime\"\nnullable = true\n\
                  sensitivity = \"internal\"\n";
    format!("{CONTRACT}{column}{more}")
}

async fn visits<'a>(endpoints: &'a Endpoints, name: &str, more: &str) -> Table<'a> {
    Table::of(endpoints, name, &contract(more)).await
}

impl Table<'_> {
    /// A change file of updates: sequence, key, time.
    async fn visit(&self, minute: u64, rows: &[(u64, &str, &str)]) {
        let column = |name: &str, source_type: &str| SourceColumn {
            name: name.to_owned(),
            source_type: source_type.parse().unwrap(),
        };
        let row = |(seq, id, seen): &(u64, &str, &str)| BronzeRow {
            op: "U".to_owned(),
            timestamp: format!("2026-01-02 03:{minute:02}:00.000000"),
            seq: Some(format!("{seq:035}")),
            values: vec![Some((*id).to_owned()), Some((*seen).to_owned())],
            before: vec![Some((*id).to_owned())],
        };
        let columns = vec![column("id", "int"), column("seen_at", "datetime")];
        let rows = rows.iter().map(row).collect();
        let file = BronzeFile { columns, key: vec![0], rows, without: Vec::new() };
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(START + minute * 60);
        let (key, content) = (changes(minute), file.parquet().unwrap());
        self.lake.put(&self.warehouse, &key, content, modified).await.unwrap();
    }

    fn job_on(&self, day: i64) -> SilverJob<'_> {
        SilverJob { now_micros: at_day(day), ..self.job() }
    }

    async fn all(&self, layer: Layer, name: &str) -> Vec<Row> {
        let ident = spec::ident(&self.definition, layer, name);
        let Some(table) = self.warehouse.load(&ident).await.unwrap() else { return Vec::new() };
        contents::rows(&table).await.unwrap()
    }

    /// The time of key 1 in Silver.
    async fn seen(&self) -> Option<String> {
        let rows = self.all(Layer::Silver, "shop_items").await;
        rows.into_iter().find(|row| row["id"].as_deref() == Some("1"))?["seen_at"].clone()
    }

    async fn is_verified_on(&self, day: i64) {
        let job = VerifyJob {
            lake: &self.definition,
            contract: &self.definition.tables[0],
            warehouse: &self.warehouse,
            now_micros: at_day(day),
            memory_bytes: MEMORY_BYTES,
            rows: 3,
        };
        let found = job.against_bronze().await.unwrap();
        assert!(found.is_equal(), "{found}");
    }
}

#[tokio::test]
async fn a_rule_that_breaks_on_a_row_stops_the_batch_by_the_files_name() {
    let endpoints = Endpoints::start().await.unwrap();
    let rule = "[[row_rule]]\nname = \"not_first_of_year\"\n\
                sql = \"date_trunc('year', seen_at) <> seen_at\"\non_fail = \"quarantine\"\n";
    let table = visits(&endpoints, "breaks", rule).await;
    // DataFusion's function overflows on times beyond the year 2262, and panics.
    table.visit(1, &[(1, "1", "2026-01-01 10:00:00"), (2, "2", "2262-05-01 00:00:00")]).await;
    table.visit(2, &[(3, "3", "2026-01-01 10:00:00")]).await;
    let error = table.job().run().await.unwrap_err();
    assert!(error.to_string().contains(&changes(1)), "{error}");
    assert_eq!(error.advice(), Advice::Operator);
    assert_eq!(table.all(Layer::Silver, "shop_items").await, []);
    assert_eq!(table.all(Layer::Quarantine, "shop_items").await, []);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_row_that_was_in_the_future_stays_rejected_when_it_is_read_again() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = visits(&endpoints, "future", CHECK).await;
    table.visit(1, &[(10, "1", "2026-01-01 00:00:00")]).await;
    table.visit(3, &[(20, "1", "2026-01-03 00:00:00"), (30, "2", "2026-01-01 00:00:00")]).await;
    table.job_on(0).run().await.unwrap();
    assert_eq!(table.seen().await.as_deref(), Some("2026-01-01T00:00:00"));
    assert_eq!(table.all(Layer::Quarantine, "shop_items").await.len(), 1);
    // Two days later: a late change of the key reads the rejected one again.
    table.visit(2, &[(15, "1", "2025-12-31 00:00:00")]).await;
    table.job_on(2).run().await.unwrap();
    assert_eq!(table.seen().await.as_deref(), Some("2025-12-31T00:00:00"));
    assert_eq!(table.all(Layer::Quarantine, "shop_items").await.len(), 1);
    table.is_verified_on(2).await;
    // So does a history that is asked for now, and reads all files for the first time.
    let recorded = contract(CHECK).replace("key = [", "history = true\nkey = [");
    let recorded = table.lake.definition(&recorded).unwrap();
    let (lake, contract) = (&recorded, &recorded.tables[0]);
    let job = SilverJob { lake, contract, ..table.job_on(2) };
    let states = job.run_history().await.unwrap().unwrap().committed.unwrap();
    assert_eq!(states.balance.quarantined, 1);
    let states = table.all(Layer::Silver, "shop_items_history").await;
    let lasting = states.iter().filter(|row| row["is_current"].as_deref() == Some("true"));
    let lasting = lasting.filter(|row| row["id"].as_deref() == Some("1"));
    let seen: Vec<_> = lasting.map(|row| row["seen_at"].as_deref()).collect();
    assert_eq!(seen, [Some("2025-12-31T00:00:00")]);
    endpoints.stop().await;
}

#[tokio::test]
async fn a_row_that_was_quarantined_before_the_job_died_is_rejected_by_the_next_one_too() {
    let endpoints = Endpoints::start().await.unwrap();
    let table = visits(&endpoints, "died", CHECK).await;
    table.visit(1, &[(10, "1", "2026-01-03 00:00:00"), (20, "2", "2026-01-01 00:00:00")]).await;
    let plan = FaultPlan::new(FAULT_UPDATE_TABLE_REFUSED);
    let plan = plan.when(|subject| subject.contains("silver"));
    endpoints.plan_fault(FAULT_UPDATE_TABLE_REFUSED, plan);
    table.job_on(0).run().await.unwrap_err();
    endpoints.clear_faults();
    assert_eq!(table.all(Layer::Quarantine, "shop_items").await.len(), 1);
    table.job_on(2).run().await.unwrap();
    assert_eq!(table.seen().await, None);
    assert_eq!(table.all(Layer::Quarantine, "shop_items").await.len(), 1);
    assert_eq!(table.all(Layer::Silver, "shop_items").await.len(), 1);
    table.is_verified_on(2).await;
    endpoints.stop().await;
}
