//! A lake on local files, and a table with a column of every type that hurts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, LargeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use iceberg::io::FileIO;
use iceberg::spec::{DataFile, Operation};
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use tempfile::TempDir;

use super::memory_catalog::MemoryCatalog;
use crate::commit::{Branch, Change, CommitError, commit};
use crate::files::LiveFile;
use crate::maintenance::ListedFile;
use crate::schema::{FieldSpec, TableSpec, UTC_ZONE};
use crate::store::Bucket;
use crate::table::LakeTable;
use crate::warehouse::{Warehouse, table_ident};
use crate::writer::write_files;

/// A value that must not be found outside data files.
pub(super) const CANARY: &str = "52998224725-canary";

pub(super) struct Lake {
    pub(super) warehouse: Warehouse,
    pub(super) catalog: Arc<MemoryCatalog>,
    folder: TempDir,
}

impl Lake {
    pub(super) fn new() -> Self {
        let catalog = Arc::new(MemoryCatalog::default());
        let folder = TempDir::new().unwrap();
        let unused = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .build();
        let bucket = Bucket::new(aws_sdk_s3::Client::from_conf(unused), "unused");
        let warehouse = Warehouse::with_catalog(bucket, FileIO::new_with_fs(), catalog.clone());
        Lake { warehouse, catalog, folder }
    }

    pub(super) fn spec(&self, buckets: u32) -> TableSpec {
        TableSpec {
            location: format!("file://{}/customers", self.folder.path().display()),
            fields: fields(),
            key: vec!["id".to_owned()],
            buckets,
            properties: BTreeMap::new(),
            dropped: Vec::new(),
        }
    }

    pub(super) async fn table(&self, buckets: u32) -> LakeTable {
        let spec = self.spec(buckets);
        self.warehouse.create(&table_ident("crm_silver", "customers"), &spec).await.unwrap()
    }

    pub(super) async fn load(&self) -> LakeTable {
        let ident = table_ident("crm_silver", "customers");
        self.warehouse.load(&ident).await.unwrap().unwrap()
    }

    /// Paths of all metadata files: metadata, manifests and manifest lists.
    pub(super) fn metadata_files(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("customers/metadata");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    pub(super) async fn commit(
        &self,
        base: &LakeTable,
        operation: Operation,
        added: Vec<DataFile>,
        removed: Vec<LiveFile>,
    ) -> Result<LakeTable, CommitError> {
        commit(&self.warehouse, base, Lake::change(operation, added, removed)).await
    }

    /// A change with a summary, on main.
    pub(super) fn change(
        operation: Operation,
        added: Vec<DataFile>,
        removed: Vec<LiveFile>,
    ) -> Change {
        let summary = BTreeMap::from([("medallion.batch".to_owned(), "b1".to_owned())]);
        Change { operation, added, removed, summary, branch: Branch::Main }
    }

    /// Deletes rows of a file by their positions, over what is deleted of it already.
    pub(super) async fn delete_rows(
        &self,
        base: &LakeTable,
        file: &LiveFile,
        positions: &[u64],
    ) -> LakeTable {
        let positions = positions.iter().copied().collect();
        let (new, old) = base.write_position_deletes(file, &positions).await.unwrap();
        self.commit(base, Operation::Delete, vec![new], old).await.unwrap()
    }

    /// Every file of the table's folder.
    pub(super) fn files(&self) -> Vec<ListedFile> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("customers")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let (path, meta) = (entry.as_ref().unwrap().path(), entry.unwrap().metadata());
                let meta = meta.unwrap();
                if meta.is_dir() {
                    folders.push(path);
                    continue;
                }
                let modified = meta.modified().unwrap().duration_since(std::time::UNIX_EPOCH);
                found.push(ListedFile {
                    path: format!("file://{}", path.display()),
                    size: meta.len(),
                    modified_ms: modified.unwrap().as_millis() as i64,
                });
            }
        }
        found.sort();
        found
    }

    /// Appends rows with these ids.
    pub(super) async fn append(&self, base: &LakeTable, ids: &[i64], name: &str) -> LakeTable {
        let added = write_files(base, vec![batch(ids, name)]).await.unwrap();
        self.commit(base, Operation::Append, added, Vec::new()).await.unwrap()
    }
}

fn fields() -> Vec<FieldSpec> {
    let field = |name: &str, lake_type, required, sensitivity| FieldSpec {
        name: name.to_owned(),
        lake_type,
        required,
        doc: format!("The {name}."),
        sensitivity,
        renamed_from: Vec::new(),
    };
    let (public, personal) = (Sensitivity::Public, Sensitivity::Personal);
    vec![
        field("id", LakeType::Long, true, public),
        field("cpf", LakeType::String, false, personal),
        field("name", LakeType::String, false, public),
        field("amount", LakeType::Decimal { precision: 12, scale: 2 }, false, public),
        field("big", LakeType::Decimal { precision: 20, scale: 0 }, false, public),
        field("born", LakeType::Date, false, personal),
        field("seen", LakeType::Timestamp, false, public),
        field("changed_at", LakeType::TimestampTz, false, public),
        field("active", LakeType::Boolean, false, public),
        field("visits", LakeType::Int, false, public),
        field("score", LakeType::Double, false, public),
        field("photo", LakeType::Binary, false, public),
    ]
}

/// Rows with these ids; every fourth has NULL wherever NULL is allowed.
pub(super) fn batch(ids: &[i64], name: &str) -> RecordBatch {
    fn some<T>(ids: &[i64], value: impl Fn(i64) -> T) -> Vec<Option<T>> {
        ids.iter().map(|id| (id % 4 != 3).then(|| value(*id))).collect()
    }
    let day = 86_400_000_000;
    let amounts = Decimal128Array::from(some(ids, |id| i128::from(id) * 101 - 7));
    let bigs = Decimal128Array::from(some(ids, |id| i128::from(u64::MAX) - i128::from(id)));
    let changed = TimestampMicrosecondArray::from(some(ids, |id| id * day + 1));
    let photos: Vec<Option<Vec<u8>>> = some(ids, |id| id.to_be_bytes().to_vec());
    let photos: Vec<Option<&[u8]>> = photos.iter().map(Option::as_deref).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("cpf", Arc::new(StringArray::from(some(ids, |id| format!("{CANARY}-{id}"))))),
        ("name", Arc::new(StringArray::from(some(ids, |id| format!("{name} {id}"))))),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap())),
        ("big", Arc::new(bigs.with_precision_and_scale(20, 0).unwrap())),
        ("born", Arc::new(Date32Array::from(some(ids, |id| 7000 + id as i32)))),
        ("seen", Arc::new(TimestampMicrosecondArray::from(some(ids, |id| -id * day)))),
        ("changed_at", Arc::new(changed.with_timezone(UTC_ZONE))),
        ("active", Arc::new(BooleanArray::from(some(ids, |id| id % 2 == 0)))),
        ("visits", Arc::new(Int32Array::from(some(ids, |id| id as i32 * -3)))),
        ("score", Arc::new(Float64Array::from(some(ids, |id| id as f64 / 8.0)))),
        ("photo", Arc::new(LargeBinaryArray::from(photos))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// All ids of the table, sorted.
pub(super) async fn ids(table: &LakeTable) -> Vec<i64> {
    let batches = table.read_all(Some(&["id".to_owned()])).await.unwrap();
    ids_of(&batches)
}

pub(super) fn ids_of(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| batch["id"].as_primitive::<Int64Type>().values().to_vec();
    let mut ids: Vec<i64> = batches.iter().flat_map(column).collect();
    ids.sort_unstable();
    ids
}

/// The names of all rows, sorted by id.
pub(super) async fn names(table: &LakeTable) -> Vec<(i64, Option<String>)> {
    let columns = ["id".to_owned(), "name".to_owned()];
    let batches = table.read_all(Some(&columns)).await.unwrap();
    let mut rows = Vec::new();
    for batch in &batches {
        let ids = batch["id"].as_primitive::<Int64Type>().values();
        let names = batch["name"].as_string::<i32>().iter().map(|n| n.map(str::to_owned));
        rows.extend(ids.iter().copied().zip(names));
    }
    rows.sort();
    rows
}

/// The batches as one.
pub(super) fn one(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches).unwrap()
}

/// A number of the current summary.
pub(super) fn count(table: &LakeTable, key: &str) -> Option<u64> {
    table.summary().unwrap().get(key).map(|value| value.parse().unwrap())
}

/// Files, records and bytes that are really live, to compare totals with.
pub(super) async fn live(table: &LakeTable) -> [Option<u64>; 3] {
    let files = table.live_files().await.unwrap();
    let records = files.iter().map(LiveFile::records).sum();
    [Some(files.len() as u64), Some(records), Some(files.iter().map(LiveFile::size).sum())]
}

/// The totals of the current summary in the same order.
pub(super) fn totals(table: &LakeTable) -> [Option<u64>; 3] {
    ["total-data-files", "total-records", "total-files-size"].map(|key| count(table, key))
}
