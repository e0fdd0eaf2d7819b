//! A lake of one Silver table and one model.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::Layer;
use medallion_harness::small_lake::{Endpoints, Repetition, SmallLake};
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::reader::KeySet;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use medallion_transforms::error::TransformError;
use medallion_transforms::gold::{BRANCH, CheckResult, GoldJob, GoldOutcome, GoldReport};
use medallion_transforms::spec;

pub(crate) const CONTRACT: &str = r#"
version = 1
table = "crm.people"
description = "people"
key = ["id"]
buckets = 1
engine = "native"
column = [
    { name = "id", type = "bigint", nullable = false, sensitivity = "internal", description = "key" },
    { name = "region", type = "varchar(2)", nullable = true, sensitivity = "public", description = "where" },
    { name = "name", type = "varchar(20)", nullable = true, sensitivity = "personal", description = "who" },
]
"#;

/// The time of all runs: 2026-01-05.
pub(crate) const NOW: i64 = 1_767_571_200_000_000;

/// A person: id, region, name.
pub(crate) type Person = (i64, Option<&'static str>, Option<&'static str>);

pub(crate) struct World<'a> {
    pub(crate) lake: SmallLake<'a>,
    pub(crate) definition: LakeDefinition,
    pub(crate) warehouse: Warehouse,
}

/// A model of the people, with a header that begins with `head`.
pub(crate) fn model(head: &str, sql: &str) -> String {
    format!(
        r#"/*---
description = "people"
owner = "nobody"
grain = ["id"]
{head}
[[column]]
name = "id"
type = "long"
nullable = false
sensitivity = "internal"
[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "public"
[[column]]
name = "name"
type = "string"
sensitivity = "personal"
---*/
{sql}
"#
    )
}

pub(crate) const ALL: &str = "select id, region, name from silver.crm_people";
pub(crate) const INCREMENTAL: &str = "materialisation = { incremental = [\"id\"] }";

impl<'a> World<'a> {
    /// A lake whose model `people` has this file.
    pub(crate) async fn new(endpoints: &'a Endpoints, name: &str, model: &str) -> World<'a> {
        let lake = endpoints.lake(name).await.unwrap();
        let warehouse = lake.warehouse(Repetition::Quick);
        let definition = read(name, model);
        let world = World { lake, definition, warehouse };
        let contract = &world.definition.tables[0];
        let ident = spec::ident(&world.definition, Layer::Silver, "crm_people");
        world.warehouse.create(&ident, &spec::silver(name, contract)).await.unwrap();
        world
    }

    /// Gives the model another file.
    pub(crate) fn edit(&mut self, model: &str) {
        self.definition = read(self.lake.name(), model);
    }

    pub(crate) fn job<'j>(&'j self, warehouse: &'j Warehouse) -> GoldJob<'j> {
        GoldJob {
            lake: &self.definition,
            model: &self.definition.models[0],
            warehouse,
            now_micros: NOW,
            memory_bytes: 64 << 20,
            file_bytes: 1 << 20,
            full: false,
        }
    }

    pub(crate) async fn run(&self) -> Result<GoldOutcome, TransformError> {
        self.job(&self.warehouse).run().await
    }

    pub(crate) async fn published(&self) -> GoldReport {
        match self.run().await.unwrap() {
            GoldOutcome::Published(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn red(&self) -> GoldReport {
        match self.run().await.unwrap() {
            GoldOutcome::Red(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn table(&self, layer: Layer, name: &str) -> LakeTable {
        let ident = spec::ident(&self.definition, layer, name);
        self.warehouse.load(&ident).await.unwrap().unwrap()
    }

    pub(crate) async fn gold(&self) -> LakeTable {
        self.table(Layer::Gold, "people").await
    }

    /// Puts people into Silver: those of the same id go. Without `once`, they stay beside them.
    pub(crate) async fn put(&self, people: &[Person], once: bool) {
        let table = self.table(Layer::Silver, "crm_people").await;
        let rows = silver_rows(people);
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        if once {
            let keys = KeySet::new(&table, &rows).unwrap();
            for file in table.live_files().await.unwrap() {
                let found = table.locate(&file, &keys).await.unwrap().positions;
                if !found.is_empty() {
                    let gone = found.into_iter().collect();
                    let (new, old) = table.write_position_deletes(&file, &gone).await.unwrap();
                    added.push(new);
                    removed.extend(old);
                }
            }
        }
        added.extend(write_files(&table, vec![rows]).await.unwrap());
        let overwrites = added.iter().any(|f| f.referenced_data_file().is_some());
        let operation = if overwrites { Operation::Overwrite } else { Operation::Append };
        let summary = BTreeMap::from([("test".to_owned(), "people".to_owned())]);
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        commit(&self.warehouse, &table, change).await.unwrap();
    }

    /// The ids and regions that readers of Gold see, sorted.
    pub(crate) async fn seen(&self) -> Vec<(i64, String)> {
        rows(&self.gold().await).await
    }

    /// The same on the branch of a red build.
    pub(crate) async fn on_branch(&self) -> Vec<(i64, String)> {
        rows(&self.gold().await.at_branch(BRANCH).unwrap()).await
    }
}

async fn rows(table: &LakeTable) -> Vec<(i64, String)> {
    let names = ["id".to_owned(), "region".to_owned()];
    let mut rows = Vec::new();
    for batch in table.read_all(Some(&names)).await.unwrap() {
        let ids = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
        let regions = batch.column(1).as_any().downcast_ref::<StringArray>().unwrap();
        let region = |region: Option<&str>| region.unwrap_or("NULL").to_owned();
        rows.extend(ids.iter().zip(regions).map(|(id, r)| (id.unwrap(), region(r))));
    }
    rows.sort();
    rows
}

fn read(name: &str, model: &str) -> LakeDefinition {
    let head = format!("version = 1\nname = \"{name}\"\ndescription = \"people\"\n");
    let files = [
        ("lake.toml", head.as_str()),
        ("tables/people.toml", CONTRACT),
        ("models/people.sql", model),
        ("policy.toml", "version = 1\n"),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"))
}

fn silver_rows(people: &[Person]) -> RecordBatch {
    let count = people.len();
    let at = vec![NOW; count];
    let time = || {
        let times = arrow::array::TimestampMicrosecondArray::from(at.clone());
        Arc::new(times.with_timezone("+00:00")) as ArrayRef
    };
    let columns: [(&str, ArrayRef); 6] = [
        ("id", Arc::new(people.iter().map(|p| Some(p.0)).collect::<Int64Array>())),
        ("region", Arc::new(people.iter().map(|p| p.1).collect::<StringArray>())),
        ("name", Arc::new(people.iter().map(|p| p.2).collect::<StringArray>())),
        ("_change_seq", Arc::new(StringArray::from(vec!["1"; count]))),
        ("_changed_at", time()),
        ("_loaded_at", time()),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The check of this name.
pub(crate) fn check<'r>(report: &'r GoldReport, name: &str) -> &'r CheckResult {
    let named = |check: &&CheckResult| check.name == name;
    report.checks.iter().find(named).unwrap_or_else(|| panic!("no `{name}` in {report:?}"))
}

pub(crate) fn sp(id: i64) -> (i64, String) {
    (id, "SP".to_owned())
}
