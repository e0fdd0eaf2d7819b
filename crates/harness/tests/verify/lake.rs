//! A small lake whose Silver table is verified, and ways to break it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use medallion_definition::lake::LakeDefinition;
use medallion_harness::small_lake::bronze::{BronzeFile, BronzeRow};
use medallion_harness::small_lake::{Endpoints, Repetition, SmallLake};
use medallion_ingestion::schema::SourceColumn;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use medallion_tables::{DataFile, Operation};
use medallion_transforms::plan::{BATCH_BYTES, FILE_BYTES, MEMORY_BYTES, SETTLE, SilverJob};
use medallion_transforms::silver::SilverOutcome;
use medallion_transforms::verify::{Verification, VerifyError, VerifyJob};

/// 2026-01-02T03:00:00Z, the minute 0 of the tests.
const START: u64 = 1_767_322_800;

/// The contract in its first form.
pub(crate) const CONTRACT: &str = r#"version = 1
table = "shop.items"
description = "items"
key = ["id"]
buckets = 4
[[column]]
name = "id"
type = "int"
nullable = false
sensitivity = "internal"
[[column]]
name = "name"
type = "varchar(40)"
nullable = true
sensitivity = "personal"
normalise = ["trim"]
check = [{ regex = "[a-z ]+" }]
[[column]]
name = "amount"
type = "decimal(12,2)"
nullable = true
sensitivity = "internal"
[[column]]
name = "score"
type = "double"
nullable = true
sensitivity = "internal"
[[column]]
name = "due"
type = "date"
nullable = true
sensitivity = "internal"
check = ["not_future"]
"#;

/// The contract after `amount` became `total`, `score` went and `city` came.
pub(crate) fn changed_contract() -> String {
    let renamed =
        CONTRACT.replace("name = \"amount\"", "name = \"total\"\nrenamed_from = [\"amount\"]");
    let score = "[[column]]\nname = \"score\"\ntype = \"double\"\nnullable = true\nsensitivity = \"internal\"\n";
    let city = "[[column]]\nname = \"city\"\ntype = \"varchar(20)\"\nnullable = true\nadded = true\nsensitivity = \"internal\"\n";
    assert!(renamed.contains(score));
    let dropped = renamed.replace("buckets = 4\n", "buckets = 4\ndropped = [\"score\"]\n");
    dropped.replace(score, "") + city
}

/// A source row: id, name, amount, score, due.
pub(crate) type Values<'a> = [&'a str; 5];

pub(crate) fn load(number: u32) -> String {
    format!("bronze/shop/items/LOAD{number:08X}.parquet")
}

/// A change file of a minute of the first day.
pub(crate) fn changes(minute: u64) -> String {
    format!(
        "bronze/shop/items/2026/01/02/20260102-{:02}{:02}00000.parquet",
        3 + minute / 60,
        minute % 60
    )
}

/// A row of a full load.
pub(crate) fn loaded(values: Values<'_>) -> BronzeRow {
    row("I", None, None, &values)
}

/// A change; `before` is the key before an update.
pub(crate) fn change(op: &str, number: u64, before: Option<&str>, values: Values<'_>) -> BronzeRow {
    row(op, Some(number), before, &values)
}

fn row(op: &str, number: Option<u64>, before: Option<&str>, values: &[&str]) -> BronzeRow {
    let text = |value: &&str| Some((*value).to_owned()).filter(|value| value != "NULL");
    BronzeRow {
        op: op.to_owned(),
        timestamp: format!("2026-01-02 03:04:{:02}.000000", number.unwrap_or(0) % 60),
        seq: number.map(sequence),
        values: values.iter().map(text).collect(),
        before: vec![before.map(str::to_owned)],
    }
}

pub(crate) fn sequence(number: u64) -> String {
    format!("2026010203040500{number:019}")
}

/// A file of the first contract's columns.
pub(crate) fn file(rows: Vec<BronzeRow>) -> Bytes {
    let columns = [
        ("id", "int"),
        ("name", "varchar(40)"),
        ("amount", "decimal(12,2)"),
        ("score", "double"),
        ("due", "date"),
    ];
    file_of(&columns, rows)
}

pub(crate) fn file_of(columns: &[(&str, &str)], rows: Vec<BronzeRow>) -> Bytes {
    let column = |(name, source_type): &(&str, &str)| SourceColumn {
        name: (*name).to_owned(),
        source_type: source_type.parse().unwrap(),
    };
    let columns = columns.iter().map(column).collect();
    BronzeFile { columns, key: vec![0], rows, without: Vec::new() }.parquet().unwrap()
}

/// A lake with one table.
pub(crate) struct Lake<'a> {
    lake: SmallLake<'a>,
    definition: LakeDefinition,
    pub(crate) warehouse: Warehouse,
    /// Minutes since the beginning.
    pub(crate) now: u64,
    /// Little memory, in bytes: the second more than the first.
    pub(crate) memories: [u64; 2],
}

impl<'a> Lake<'a> {
    pub(crate) async fn new(endpoints: &'a Endpoints, name: &str) -> Lake<'a> {
        let lake = endpoints.lake(name).await.unwrap();
        let definition = lake.definition(CONTRACT).unwrap();
        let warehouse = lake.warehouse(Repetition::Quick);
        Lake { lake, definition, warehouse, now: 60, memories: [1 << 12, 1 << 16] }
    }

    pub(crate) fn contract(&mut self, contract: &str) {
        self.definition = self.lake.definition(contract).unwrap();
    }

    /// Puts a Bronze file that arrived in this minute.
    pub(crate) async fn put(&self, minute: u64, key: &str, content: Bytes) {
        let modified = UNIX_EPOCH + Duration::from_secs(START + minute * 60);
        self.lake.put(&self.warehouse, key, content, modified).await.unwrap();
    }

    fn now_micros(&self) -> i64 {
        i64::try_from(START + self.now * 60).unwrap() * 1_000_000
    }

    fn job(&self) -> SilverJob<'_> {
        SilverJob {
            lake: &self.definition,
            contract: &self.definition.tables[0],
            warehouse: &self.warehouse,
            now_micros: self.now_micros(),
            batch_bytes: BATCH_BYTES,
            settle: SETTLE,
            load_began: None,
            memory_bytes: MEMORY_BYTES,
            file_bytes: FILE_BYTES,
        }
    }

    /// Runs the Silver job, which has something to do.
    pub(crate) async fn run(&self) {
        let outcome = self.job().run().await.unwrap();
        assert!(matches!(outcome.silver, SilverOutcome::Committed { .. }), "{outcome:?}");
    }

    /// Runs the Silver job, which only brings the table to the contract.
    pub(crate) async fn evolve(&self) {
        let outcome = self.job().run().await.unwrap();
        assert!(matches!(outcome.silver, SilverOutcome::UpToDate), "{outcome:?}");
    }

    pub(crate) fn verify_job(&self, memory_bytes: u64, rows: usize) -> VerifyJob<'_> {
        VerifyJob {
            lake: &self.definition,
            contract: &self.definition.tables[0],
            warehouse: &self.warehouse,
            now_micros: self.now_micros(),
            memory_bytes,
            rows,
        }
    }

    pub(crate) async fn try_verify(&self) -> Result<Verification, VerifyError> {
        self.verify_job(MEMORY_BYTES, 20).against_bronze().await
    }

    /// Verifies with plenty of memory and with hardly any, which must not matter.
    pub(crate) async fn verify(&self) -> Verification {
        let found = self.try_verify().await.unwrap();
        for memory in self.memories {
            let small = self.verify_job(memory, 20).against_bronze().await.unwrap();
            assert_eq!(small, found, "with {memory} bytes of memory");
        }
        found
    }

    /// Verifies and finds nothing.
    pub(crate) async fn assert_equal(&self, about: &str) -> Verification {
        let found = self.verify().await;
        assert!(found.is_equal(), "{about}:\n{found}");
        assert!(
            found.buckets.iter().all(|b| b.silver_rows == b.expected_rows),
            "{about}:\n{found}"
        );
        found
    }

    pub(crate) async fn table(&self) -> LakeTable {
        self.job().table().await.unwrap()
    }

    /// Adds rows by a commit that is no batch.
    pub(crate) async fn add(&self, rows: RecordBatch) {
        let table = self.table().await;
        let added = write_files(&table, vec![rows]).await.unwrap();
        self.commit(&table, Operation::Append, added, Vec::new()).await;
    }

    /// Deletes the rows of these keys by position.
    pub(crate) async fn delete(&self, ids: &[i32]) {
        let table = self.table().await;
        let keys: ArrayRef = Arc::new(Int32Array::from(ids.to_vec()));
        let keys = RecordBatch::try_from_iter([("id", keys)]).unwrap();
        let keys = KeySet::new(&table, &keys).unwrap();
        let (mut deletes, mut old, mut found) = (Vec::new(), Vec::new(), 0);
        for live in table.live_files().await.unwrap() {
            let positions = table.locate(&live, &keys).await.unwrap().positions;
            found += positions.len();
            if !positions.is_empty() {
                let positions = positions.into_iter().collect();
                let (added, replaced) =
                    table.write_position_deletes(&live, &positions).await.unwrap();
                deletes.push(added);
                old.extend(replaced);
            }
        }
        assert_eq!(found, ids.len());
        self.commit(&table, Operation::Overwrite, deletes, old).await;
    }

    /// Replaces the row of a key by what becomes of it.
    pub(crate) async fn replace(&self, id: i32, column: &str, value: ArrayRef) {
        let row = self.row(id).await;
        self.delete(&[id]).await;
        self.add(with(&row, column, value)).await;
    }

    /// The row of a key.
    pub(crate) async fn row(&self, id: i32) -> RecordBatch {
        let table = self.table().await;
        let batches = table.read_all(None).await.unwrap();
        let all = concat_batches(table.arrow_schema(), &batches).unwrap();
        let place = all.schema().index_of("id").unwrap();
        let ids = all.column(place).as_primitive::<Int32Type>();
        let row = ids.values().iter().position(|found| *found == id).unwrap();
        all.slice(row, 1)
    }

    async fn commit(
        &self,
        table: &LakeTable,
        operation: Operation,
        added: Vec<DataFile>,
        removed: Vec<LiveFile>,
    ) {
        let summary = Default::default();
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        commit(&self.warehouse, table, change).await.unwrap();
    }
}

/// The row with another value in a column.
pub(crate) fn with(row: &RecordBatch, column: &str, value: ArrayRef) -> RecordBatch {
    let place = row.schema().index_of(column).unwrap();
    let mut columns = row.columns().to_vec();
    columns[place] = arrow::compute::cast(&value, columns[place].data_type()).unwrap();
    RecordBatch::try_new(row.schema(), columns).unwrap()
}
