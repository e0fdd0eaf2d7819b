//! A table on local files, and the rows that it is to have.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::schema::{FieldSpec, TableSpec};
use medallion_tables::store::Bucket;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};
use medallion_tables::writer::write_files;
use medallion_tables::{FileIO, Operation, TableIdent};
use tempfile::TempDir;

use crate::catalog::MemoryCatalog;
use crate::rows::{Row, batch};

/// The rows by id.
pub(crate) type Model = BTreeMap<i64, Row>;

/// The table as it is described first and last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Evolved,
}

impl Version {
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Version::First => {
                &["id", "cpf", "name", "amount", "visits", "active", "changed_at", "born", "photo"]
            }
            Version::Evolved => &[
                "customer",
                "tax_number",
                "name",
                "amount",
                "visits",
                "active",
                "changed_at",
                "born",
                "channel",
            ],
        }
    }
}

pub(crate) fn spec(location: &str, version: Version) -> TableSpec {
    let evolved = version == Version::Evolved;
    let fields = version.columns().iter().map(|&name| {
        let lake_type = match name {
            "id" | "customer" => LakeType::Long,
            "amount" if evolved => LakeType::Decimal { precision: 20, scale: 2 },
            "amount" => LakeType::Decimal { precision: 12, scale: 2 },
            "visits" if evolved => LakeType::Long,
            "visits" => LakeType::Int,
            "active" => LakeType::Boolean,
            "changed_at" => LakeType::TimestampTz,
            "born" => LakeType::Date,
            "photo" => LakeType::Binary,
            _ => LakeType::String,
        };
        let personal = ["cpf", "tax_number", "born"].contains(&name);
        let before = match name {
            "customer" => vec!["id".to_owned()],
            "tax_number" => vec!["cpf".to_owned()],
            _ => Vec::new(),
        };
        FieldSpec {
            name: name.to_owned(),
            lake_type,
            required: ["id", "customer"].contains(&name),
            doc: String::new(),
            sensitivity: if personal { Sensitivity::Personal } else { Sensitivity::Public },
            renamed_from: before,
        }
    });
    TableSpec {
        location: location.to_owned(),
        fields: fields.collect(),
        key: vec![version.columns()[0].to_owned()],
        buckets: 4,
        properties: BTreeMap::new(),
        dropped: vec!["photo".to_owned()],
    }
}

pub(crate) struct Lake {
    pub(crate) warehouse: Warehouse,
    pub(crate) location: String,
    _folder: TempDir,
    ident: TableIdent,
}

impl Lake {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let unused = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .build();
        let bucket = Bucket::new(aws_sdk_s3::Client::from_conf(unused), "unused");
        let catalog = Arc::new(MemoryCatalog::default());
        let warehouse = Warehouse::with_catalog(bucket, FileIO::new_with_fs(), catalog);
        let location = format!("file://{}/table", folder.path().display());
        let ident = table_ident("silver", "customers");
        warehouse.create(&ident, &spec(&location, Version::First)).await.unwrap();
        Lake { warehouse, location, _folder: folder, ident }
    }

    pub(crate) async fn load(&self) -> LakeTable {
        self.warehouse.load(&self.ident).await.unwrap().unwrap()
    }

    async fn commit(&self, base: &LakeTable, change: Change) {
        commit(&self.warehouse, base, change).await.unwrap();
    }

    pub(crate) async fn append(&self, model: &mut Model, ids: Range<i64>) {
        self.append_to(model, ids, Branch::Main).await;
    }

    pub(crate) async fn append_to(&self, model: &mut Model, ids: Range<i64>, branch: Branch) {
        let table = self.load().await;
        let evolved = table.arrow_schema().index_of("channel").is_ok();
        let channel = |id: i64| (evolved && id % 3 != 0).then(|| format!("channel {id}"));
        let row = |id| Row { id, name: format!("name {id}"), channel: channel(id) };
        let rows: Vec<Row> = ids.map(row).collect();
        let added = write_files(&table, vec![batch(table.arrow_schema(), &rows)]).await.unwrap();
        model.extend(rows.into_iter().map(|row| (row.id, row)));
        let summary = BTreeMap::new();
        let operation = Operation::Append;
        let change = Change { operation, added, removed: Vec::new(), summary, branch };
        self.commit(&table, change).await;
    }

    /// Deletes rows by position in every file that has such rows.
    pub(crate) async fn delete(&self, model: &mut Model, goes: impl Fn(i64) -> bool) {
        self.delete_on(model, goes, Branch::Main).await;
    }

    pub(crate) async fn delete_on(
        &self,
        model: &mut Model,
        goes: impl Fn(i64) -> bool,
        branch: Branch,
    ) {
        let table = self.load().await.at_branch(branch.name()).unwrap();
        let key = [table.key()[0].to_owned()];
        let files = table.live_files().await.unwrap();
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for file in files {
            // All rows of the file, deleted ones included, so that positions can be counted.
            let ids = self.all_ids(&table, file.path(), &key).await;
            let gone = (0..).zip(ids).filter(|(_, id)| goes(*id)).map(|(position, _)| position);
            let positions: Vec<u64> = gone.collect();
            if positions.is_empty() {
                continue;
            }
            let positions = positions.into_iter().collect();
            let (new, old) = table.write_position_deletes(&file, &positions).await.unwrap();
            added.push(new);
            removed.extend(old);
        }
        model.retain(|id, _| !goes(*id));
        let (operation, summary) = (Operation::Delete, BTreeMap::new());
        let change = Change { operation, added, removed, summary, branch };
        self.commit(&table, change).await;
    }

    /// The keys of a data file in file order, read without Iceberg.
    async fn all_ids(&self, table: &LakeTable, path: &str, key: &[String]) -> Vec<i64> {
        let bytes = std::fs::read(path.strip_prefix("file://").unwrap()).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
            bytes::Bytes::from(bytes),
        );
        let id = table.metadata().current_schema().field_id_by_name(&key[0]).unwrap();
        assert_eq!(id, 1);
        let mut ids = Vec::new();
        for batch in reader.unwrap().build().unwrap() {
            ids.extend(batch.unwrap().column(0).as_primitive::<Int64Type>().values());
        }
        ids
    }

    /// Writes the rows of one bucket anew, under another name.
    pub(crate) async fn rewrite(&self, model: &mut Model, bucket: i32, name: &str) {
        let table = self.load().await;
        let files = table.live_files().await.unwrap().into_iter();
        let removed: Vec<_> = files.filter(|file| file.bucket() == Some(bucket)).collect();
        let mut rows = Vec::new();
        for file in &removed {
            for read in table.read_file(file, Some(&[table.key()[0].to_owned()])).await.unwrap() {
                for id in read.column(0).as_primitive::<Int64Type>().values() {
                    let row = model.get_mut(id).unwrap();
                    row.name = format!("{name} {id}");
                    rows.push(row.clone());
                }
            }
        }
        assert!(rows.len() > 10);
        let added = write_files(&table, vec![batch(table.arrow_schema(), &rows)]).await.unwrap();
        let (operation, summary) = (Operation::Overwrite, BTreeMap::new());
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        self.commit(&table, change).await;
    }
}
