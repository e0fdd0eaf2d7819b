//! Silver and quarantine tables with random rows, which change at random. They are written without
//! the Silver engine, so that their files take every shape that a table can have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{ColumnName, Layer, TableId};
use medallion_ingestion::schema::SourceColumn;
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::reader::KeySet;
use medallion_tables::schema::TableSpec;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use medallion_transforms::spec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::small_lake::bronze::{BronzeFile, BronzeRow};
use crate::small_lake::contents::causes;

/// Keys are made of numbers below this, so that changes meet.
const KEYS: u32 = 40;

/// One table and how its columns are filled.
pub(super) struct Grown {
    pub(super) layer: Layer,
    pub(super) name: String,
    spec: TableSpec,
    /// Columns that the source never has as NULL.
    required: BTreeSet<String>,
    /// Values of columns that have to be among some, as texts.
    values: BTreeMap<String, Vec<&'static str>>,
}

/// Every Silver and quarantine table of a lake.
pub(super) fn tables(lake: &LakeDefinition) -> Vec<Grown> {
    let mut all = Vec::new();
    for contract in &lake.tables {
        let name = contract.table.lake_table();
        let bucket = lake.name.to_string();
        let filled = contract.columns.iter().filter(|c| !c.nullable).map(|c| c.name.to_string());
        let filled: BTreeSet<String> = filled.collect();
        let mut grow = |layer, name: String, spec: TableSpec| {
            let given = spec.fields.iter().filter(|f| f.required).map(|f| f.name.clone());
            let required = given.chain(filled.iter().cloned()).collect();
            all.push(Grown { layer, name, spec, required, values: values() });
        };
        grow(Layer::Silver, name.clone(), spec::silver(&bucket, contract));
        grow(Layer::Quarantine, name.clone(), spec::quarantine(&bucket, contract));
        if let Some(history) = spec::history(&bucket, contract) {
            grow(Layer::Silver, format!("{name}_history"), history);
        }
    }
    all
}

fn values() -> BTreeMap<String, Vec<&'static str>> {
    let known: [(&str, &[&'static str]); 10] = [
        (
            "change_seq",
            &[
                "",
                "20260101100000000000000000000000001",
                "20260102100000000000000000000000002",
                "20260103100000000000000000000000003",
            ],
        ),
        ("region", &["SP", "RJ", "MG", "BA"]),
        ("segment", &["retail", "premium", "business"]),
        ("channel", &["email", "sms", "whatsapp"]),
        ("purpose", &["marketing", "service"]),
        ("kind", &["a", "b", "c"]),
        ("op", &["I", "U", "D"]),
        ("rules", &["cpf.cpf", "email.email", "cpf.cpf,email.email"]),
        ("record", &["{}"]),
        ("granted", &["0", "1"]),
    ];
    known.into_iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect()
}

fn said(error: impl std::error::Error) -> String {
    causes(&error)
}

impl Grown {
    /// Makes the table.
    pub(super) async fn create(
        &self,
        lake: &LakeDefinition,
        warehouse: &Warehouse,
    ) -> Result<(), String> {
        let ident = spec::ident(lake, self.layer, &self.name);
        warehouse.create(&ident, &self.spec).await.map(drop).map_err(said)
    }

    /// One random commit: rows come, change or go, or files are written again as they are.
    pub(super) async fn change(
        &self,
        lake: &LakeDefinition,
        warehouse: &Warehouse,
        random: &mut ChaCha8Rng,
    ) -> Result<(), String> {
        let ident = spec::ident(lake, self.layer, &self.name);
        let table = warehouse.load(&ident).await.map_err(said)?;
        let table = table.ok_or_else(|| format!("`{ident}` is gone"))?;
        if !table.live_files().await.map_err(said)?.is_empty() && random.random_ratio(1, 6) {
            return self.compact(&table, warehouse).await;
        }
        let count = random.random_range(1..=12);
        let rows = self.rows(table.arrow_schema(), count, random)?;
        let rows = distinct(&table, rows)?;
        // Some of the keys are deleted, the rest gets new rows.
        let deleted = match table.key().is_empty() {
            true => 0,
            false => rows.num_rows() * random.random_range(0..3) / 4,
        };
        let written = rows.slice(deleted, rows.num_rows() - deleted);
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        if !table.key().is_empty() {
            let keys = KeySet::new(&table, &rows).map_err(said)?;
            for file in table.live_files().await.map_err(said)? {
                let found = table.locate(&file, &keys).await.map_err(said)?.positions;
                if found.is_empty() {
                    continue;
                }
                let positions = found.into_iter().collect();
                let (new, old) =
                    table.write_position_deletes(&file, &positions).await.map_err(said)?;
                added.push(new);
                removed.extend(old);
            }
        }
        added.extend(write_files(&table, vec![written]).await.map_err(said)?);
        let append = removed.is_empty() && added.iter().all(|f| f.referenced_data_file().is_none());
        let operation = if append { Operation::Append } else { Operation::Overwrite };
        let summary = BTreeMap::from([("test.rows".to_owned(), count.to_string())]);
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        commit(warehouse, &table, change).await.map(drop).map_err(said)
    }

    /// All rows in new files.
    async fn compact(&self, table: &LakeTable, warehouse: &Warehouse) -> Result<(), String> {
        let rows = table.read_all(None).await.map_err(said)?;
        let added = write_files(table, rows).await.map_err(said)?;
        let removed = table.live_files().await.map_err(said)?;
        let change = Change {
            operation: Operation::Replace,
            added,
            removed,
            summary: BTreeMap::new(),
            branch: Branch::Main,
        };
        commit(warehouse, table, change).await.map(drop).map_err(said)
    }

    fn rows(
        &self,
        schema: &SchemaRef,
        count: usize,
        random: &mut ChaCha8Rng,
    ) -> Result<RecordBatch, String> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for field in schema.fields() {
            let required = self.required.contains(field.name());
            let known = self
                .values
                .get(field.name())
                .filter(|_| matches!(field.data_type(), DataType::Utf8 | DataType::Int32));
            // Columns of one name hold the same few values, so that joins find partners.
            let texts = (0..count).map(|_| {
                let is_null = !required && random.random_ratio(1, 6);
                let text = match known {
                    Some(known) => known[random.random_range(0..known.len())].to_owned(),
                    None => text(field.data_type(), random),
                };
                (!is_null).then_some(text)
            });
            let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
            let column = match field.data_type() {
                DataType::Boolean => {
                    cast(&cast(&texts, &DataType::Int32).map_err(said)?, &DataType::Boolean)
                }
                other => cast(&texts, other),
            };
            let column = column.map_err(said)?;
            if column.null_count() > texts.null_count() {
                return Err(format!("`{}` has values that do not parse", field.name()));
            }
            columns.push(column);
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(said)
    }
}

/// A source table's change feed, to which files come.
pub(super) struct Feed {
    table: TableId,
    columns: Vec<SourceColumn>,
    key: Vec<usize>,
    delivered: u32,
}

impl Feed {
    pub(super) fn new(contract: &TableContract) -> Feed {
        let columns = contract
            .columns
            .iter()
            .map(|c| SourceColumn { name: c.name.to_string(), source_type: c.source_type.clone() });
        let place = |name: &ColumnName| contract.columns.iter().position(|c| c.name == *name);
        Feed {
            table: contract.table.clone(),
            columns: columns.collect(),
            key: contract.key.iter().filter_map(place).collect(),
            delivered: 0,
        }
    }

    /// One more file, now and then one whose name sorts before the others.
    pub(super) async fn deliver(
        &mut self,
        warehouse: &Warehouse,
        random: &mut ChaCha8Rng,
    ) -> Result<(), String> {
        self.delivered += 1;
        let day = if random.random_ratio(1, 8) { 1 } else { 1 + self.delivered.min(20) };
        // The first digits are the time of the change, as DMS has them.
        let seq = |n: u32| {
            format!("202601{day:02}{:027}", u64::from(self.delivered) * 1000 + u64::from(n))
        };
        let rows = (0..random.random_range(1..6)).map(|n| {
            let key = random.random_range(0..KEYS).to_string();
            let value = |place: usize| match self.columns.get(place).map(|c| c.name.as_str()) {
                Some("channel") => "email".to_owned(),
                Some("purpose") => "marketing".to_owned(),
                _ => key.clone(),
            };
            let is_key = |place: &usize| self.key.contains(place);
            let values = 0..self.columns.len();
            BronzeRow {
                op: ["I", "U", "D"][random.random_range(0..3)].to_owned(),
                timestamp: format!("2026-01-{day:02} 10:00:0{n}.000000"),
                seq: Some(seq(n)),
                values: values.map(|place| is_key(&place).then(|| value(place))).collect(),
                before: vec![None; self.key.len()],
            }
        });
        let rows = rows.collect();
        let (columns, key) = (self.columns.clone(), self.key.clone());
        let file = BronzeFile { columns, key, rows, without: Vec::new() };
        let prefix = medallion_ingestion::layout::table_prefix(&self.table);
        let name =
            format!("{prefix}2026/01/{day:02}/202601{day:02}-1000{:05}.parquet", self.delivered);
        warehouse.bucket().put(&name, file.parquet()?).await.map(drop).map_err(said)
    }
}

/// A small value of the type, as a text.
fn text(data_type: &DataType, random: &mut ChaCha8Rng) -> String {
    let n = random.random_range(0..KEYS);
    match data_type {
        DataType::Boolean => (n % 2).to_string(),
        // Four amounts have one whole part.
        DataType::Decimal128(..) => format!("{}.{}", n % 10, n / 10),
        DataType::Date32 => format!("2026-01-{:02}", 1 + n % 4),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            format!("2026-01-{:02}T10:00:{:02}", 1 + n % 4, n % 60)
        }
        DataType::Timestamp(..) => format!("2026-01-{:02}T10:00:{:02}Z", 1 + n % 4, n % 60),
        DataType::Utf8 => format!("t{}", n % 7),
        DataType::Float32 | DataType::Float64 => format!("{}.5", n % 9),
        _ => n.to_string(),
    }
}

/// The rows without those that repeat a key.
fn distinct(table: &LakeTable, rows: RecordBatch) -> Result<RecordBatch, String> {
    let key = table.key();
    if key.is_empty() {
        return Ok(rows);
    }
    let mut seen = BTreeSet::new();
    let mut keep = Vec::new();
    for row in 0..rows.num_rows() {
        let mut of_row = Vec::new();
        for name in &key {
            let column = rows.column_by_name(name).ok_or_else(|| format!("no column `{name}`"))?;
            of_row.push(arrow::util::display::array_value_to_string(column, row).map_err(said)?);
        }
        if seen.insert(of_row) {
            keep.push(u32::try_from(row).map_err(said)?);
        }
    }
    let kept = take_record_batch(&rows, &UInt32Array::from(keep)).map_err(said)?;
    concat_batches(rows.schema_ref(), [&kept]).map_err(said)
}
