//! A small lake with one table, its Bronze files, and a naive fold over their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_harness::small_lake::bronze::{BronzeFile, BronzeRow};
use medallion_harness::small_lake::contents::rows;
use medallion_harness::small_lake::{Endpoints, Repetition, SmallLake};
use medallion_ingestion::schema::SourceColumn;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};
use medallion_transforms::error::TransformError;
use medallion_transforms::plan::{MEMORY_BYTES, SETTLE, SilverJob};
use medallion_transforms::reprocess::{
    Point, Rebuilt, ReprocessJob, ReprocessOutcome, ReprocessPlan,
};
use medallion_transforms::silver::SilverOutcome;

/// 2026-01-02T03:00:00Z.
const START: i64 = 1_767_322_800;
/// Fresh lakes so far.
static FRESH: AtomicU32 = AtomicU32::new(0);
/// Seconds between two things that happen.
const PACE: i64 = 60;

/// One change: operation, key, name.
pub(crate) type Change = (&'static str, u32, &'static str);

/// Which names a contract takes.
pub(crate) const LOWER: &str = "[a-z]+";
pub(crate) const ANY_CASE: &str = "[A-Za-z]+";
pub(crate) const SHORT: &str = "[a-z]{1,3}";

/// The contract, with the check of names.
pub(crate) fn contract(check: &str) -> String {
    format!(
        "version = 1\ntable = \"shop.items\"\ndescription = \"items\"\nkey = [\"id\"]\nbuckets = 2\n\
         [[column]]\nname = \"id\"\ntype = \"int\"\nnullable = false\nsensitivity = \"internal\"\n\
         [[column]]\nname = \"name\"\ntype = \"varchar(20)\"\nnullable = false\n\
         sensitivity = \"personal\"\nnormalise = [\"trim\"]\ncheck = [{{ regex = \"{check}\" }}]\n"
    )
}

fn takes(check: &str, name: &str) -> bool {
    let name = name.trim();
    let lower = || name.chars().all(|c| c.is_ascii_lowercase());
    !name.is_empty()
        && match check {
            LOWER => lower(),
            SHORT => lower() && name.len() <= 3,
            _ => name.chars().all(|c| c.is_ascii_alphabetic()),
        }
}

/// A Bronze file as it was put.
#[derive(Clone)]
pub(crate) struct Put {
    pub(crate) key: String,
    pub(crate) content: Bytes,
    pub(crate) modified: i64,
    pub(crate) changes: Vec<Change>,
}

/// Name by key.
pub(crate) type Names = BTreeMap<u32, String>;
/// File and row number of quarantined rows.
pub(crate) type Rejected = BTreeSet<(String, u64)>;

pub(crate) struct World<'a> {
    pub(crate) lake: SmallLake<'a>,
    pub(crate) warehouse: Warehouse,
    pub(crate) now: i64,
    pub(crate) put: Vec<Put>,
    pub(crate) batch_bytes: u64,
    seq: u64,
}

impl<'a> World<'a> {
    pub(crate) async fn new(endpoints: &'a Endpoints, name: &str) -> World<'a> {
        let lake = endpoints.lake(name).await.unwrap();
        let warehouse = lake.warehouse(Repetition::Quick);
        let (now, put) = (START, Vec::new());
        World { lake, warehouse, now, put, batch_bytes: 1 << 20, seq: 0 }
    }

    pub(crate) async fn load(&mut self, number: u32, changes: &[Change]) {
        self.now += PACE;
        self.file(format!("bronze/shop/items/LOAD{number:08X}.parquet"), changes, true).await;
    }

    pub(crate) async fn changes(&mut self, changes: &[Change]) {
        self.now += PACE;
        let written = chrono::DateTime::from_timestamp(self.now, 0).unwrap();
        let name = written.format("%Y/%m/%d/%Y%m%d-%H%M%S000");
        self.file(format!("bronze/shop/items/{name}.parquet"), changes, false).await;
    }

    async fn file(&mut self, key: String, changes: &[Change], is_load: bool) {
        let written = chrono::DateTime::from_timestamp(self.now, 0).unwrap();
        let mut rows = Vec::new();
        for (op, id, name) in changes {
            self.seq += 1;
            rows.push(BronzeRow {
                op: (*op).to_owned(),
                timestamp: written.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
                seq: (!is_load).then(|| format!("{:035}", self.seq)),
                values: vec![Some(id.to_string()), Some((*name).to_owned())],
                before: vec![(*op == "U").then(|| id.to_string())],
            });
        }
        let column = |name: &str, source_type: &str| SourceColumn {
            name: name.to_owned(),
            source_type: source_type.parse().unwrap(),
        };
        let columns = vec![column("id", "int"), column("name", "varchar(20)")];
        let bronze = BronzeFile { columns, key: vec![0], rows, without: Vec::new() };
        let content = bronze.parquet().unwrap();
        self.put.retain(|put| put.key != key);
        let put = Put { key, content, modified: self.now, changes: changes.to_vec() };
        self.store(&put).await;
        self.put.push(put);
    }

    /// Puts files as they were put elsewhere.
    pub(crate) async fn put_all(&mut self, files: &[Put]) {
        for put in files {
            self.store(put).await;
            self.put.push(put.clone());
        }
    }

    /// Puts the file of this index again with other rows, at the same place in time.
    pub(crate) async fn repair(&mut self, index: usize, changes: &[Change]) {
        let before = self.put.remove(index);
        let (now, seq) = (self.now, self.seq);
        let earlier = self.put[..index].iter().filter(|put| !put.key.contains("LOAD"));
        let loaded = self.put.iter().filter(|put| put.key.contains("LOAD"));
        let rows: usize = earlier.chain(loaded).map(|put| put.changes.len()).sum();
        (self.now, self.seq) = (before.modified, rows as u64);
        self.file(before.key, changes, false).await;
        (self.now, self.seq) = (now, seq);
        let repaired = self.put.pop().unwrap();
        self.put.insert(index, repaired);
    }

    async fn store(&self, put: &Put) {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(put.modified.unsigned_abs());
        let stored = self.lake.put(&self.warehouse, &put.key, put.content.clone(), modified).await;
        stored.unwrap();
    }

    pub(crate) fn definition(&self, contract: &str) -> LakeDefinition {
        self.lake.definition(contract).unwrap()
    }

    pub(crate) fn job<'j>(
        &self,
        definition: &'j LakeDefinition,
        warehouse: &'j Warehouse,
    ) -> SilverJob<'j> {
        let contract: &TableContract = &definition.tables[0];
        SilverJob {
            lake: definition,
            contract,
            warehouse,
            now_micros: self.now * 1_000_000,
            batch_bytes: self.batch_bytes,
            settle: SETTLE,
            load_began: None,
            memory_bytes: MEMORY_BYTES,
            file_bytes: 1 << 20,
        }
    }

    pub(crate) async fn silver(&self, contract: &str) -> SilverOutcome {
        let definition = self.definition(contract);
        self.job(&definition, &self.warehouse).run().await.unwrap().silver
    }

    pub(crate) async fn plan(
        &self,
        contract: &str,
        from: Point,
    ) -> Result<ReprocessPlan, TransformError> {
        let definition = self.definition(contract);
        let silver = self.job(&definition, &self.warehouse);
        ReprocessJob { silver, from }.explain().await
    }

    pub(crate) async fn reprocess(
        &self,
        contract: &str,
        from: Point,
        repetition: Repetition,
    ) -> Result<ReprocessOutcome, TransformError> {
        let definition = self.definition(contract);
        let warehouse = self.lake.warehouse(repetition);
        let silver = self.job(&definition, &warehouse);
        ReprocessJob { silver, from }.run().await
    }

    /// Reprocesses, which has to come to something.
    pub(crate) async fn rebuilt(&self, contract: &str, from: Point) -> Rebuilt {
        match self.reprocess(contract, from, Repetition::Quick).await.unwrap() {
            ReprocessOutcome::Rebuilt(rebuilt) => rebuilt,
            ReprocessOutcome::Nothing => panic!("nothing was reprocessed"),
        }
    }

    pub(crate) async fn table(&self, layer: Layer) -> Option<LakeTable> {
        let database = format!("{}_{layer}", self.lake.name());
        let ident = table_ident(&database, "shop_items");
        self.warehouse.load(&ident).await.unwrap()
    }

    pub(crate) async fn silver_table(&self) -> LakeTable {
        self.table(Layer::Silver).await.unwrap()
    }

    /// What Silver holds; each key once.
    pub(crate) async fn names(&self) -> Names {
        names(&self.silver_table().await).await
    }

    /// What quarantine holds; each row once.
    pub(crate) async fn rejected(&self) -> Rejected {
        let Some(table) = self.table(Layer::Quarantine).await else { return Rejected::new() };
        let mut found = Rejected::new();
        for row in rows(&table).await.unwrap() {
            let number = row["row_number"].as_ref().unwrap().parse().unwrap();
            let place = (row["file"].clone().unwrap(), number);
            assert!(found.insert(place.clone()), "{place:?} is quarantined twice");
        }
        found
    }

    /// A lake of its own with the same Bronze, computed by the contract and nothing else.
    pub(crate) async fn fresh(&self, contract: &str) -> (Names, Rejected) {
        let number = FRESH.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}fresh{number}", self.lake.name());
        let mut fresh = World::new(self.lake.endpoints(), &name).await;
        fresh.now = self.now;
        for put in &self.put {
            fresh.store(put).await;
        }
        fresh.silver(contract).await;
        (fresh.names().await, fresh.rejected().await)
    }

    /// One change after the other, each by the check of its file's index.
    pub(crate) fn fold<'c>(&self, check: impl Fn(usize) -> &'c str) -> Names {
        let mut names = Names::new();
        for (index, put) in self.put.iter().enumerate() {
            for (op, id, name) in &put.changes {
                if *op == "D" {
                    names.remove(id);
                } else if takes(check(index), name) {
                    names.insert(*id, name.trim().to_owned());
                }
            }
        }
        names
    }

    /// The table is what the contract makes of Bronze, no rebuild is left, and neither the regular
    /// job nor another rebuild finds anything that it lacks.
    pub(crate) async fn is_fresh(&self, check: &str) {
        assert_eq!(self.names().await, self.fold(|_| check), "against the fold");
        let (names, rejected) = self.fresh(&contract(check)).await;
        assert_eq!(self.names().await, names);
        assert_eq!(self.rejected().await, rejected);
        for layer in [Layer::Silver, Layer::Quarantine] {
            if let Some(table) = self.table(layer).await {
                assert!(table.at_branch("reprocess").is_err(), "{layer} still has the branch");
            }
        }
        let again = self.silver(&contract(check)).await;
        assert!(matches!(again, SilverOutcome::UpToDate), "{again:?}");
    }

    /// How often main was taken over.
    pub(crate) async fn swaps(&self) -> usize {
        let table = self.silver_table().await;
        let history = table.history().into_iter();
        let told = history.map(|s| &s.summary().additional_properties);
        told.filter(|told| told.contains_key("medallion.reprocess.run")).count()
    }
}

pub(crate) async fn names(table: &LakeTable) -> Names {
    let mut found = Names::new();
    for row in rows(table).await.unwrap() {
        let id: u32 = row["id"].as_ref().unwrap().parse().unwrap();
        let name = row["name"].clone().unwrap();
        assert!(found.insert(id, name).is_none(), "{id} is there twice");
    }
    found
}
