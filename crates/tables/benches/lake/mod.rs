//! A lake on local files, and rows as a registry of customers has them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use async_trait::async_trait;
use iceberg::TableIdent;
use iceberg::io::FileIO;
use iceberg::spec::TableMetadata;
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use medallion_tables::Operation;
use medallion_tables::catalog::{Catalog, CatalogError, SwapError};
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::schema::{FieldSpec, TableSpec, UTC_ZONE};
use medallion_tables::store::Bucket;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};
use medallion_tables::writer::BucketWriter;
use tempfile::TempDir;

/// Bytes of a data file, as in production.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A catalog for one writer.
#[derive(Debug, Default)]
struct Pointers(Mutex<HashMap<TableIdent, String>>);

#[async_trait]
impl Catalog for Pointers {
    async fn ensure_database(&self, _: &str, _: &str) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn locate(&self, table: &TableIdent) -> Result<Option<String>, CatalogError> {
        Ok(self.0.lock().expect("no panic").get(table).cloned())
    }

    async fn create(
        &self,
        table: &TableIdent,
        location: &str,
        _: &TableMetadata,
    ) -> Result<(), CatalogError> {
        self.0.lock().expect("no panic").insert(table.clone(), location.to_owned());
        Ok(())
    }

    async fn swap(
        &self,
        table: &TableIdent,
        _: &str,
        next: &str,
        _: &TableMetadata,
    ) -> Result<(), SwapError> {
        self.0.lock().expect("no panic").insert(table.clone(), next.to_owned());
        Ok(())
    }
}

/// Tables in a folder of their own.
pub(crate) struct Lake {
    warehouse: Warehouse,
    folder: TempDir,
}

impl Lake {
    pub(crate) fn new() -> Self {
        let unused = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .build();
        let bucket = Bucket::new(aws_sdk_s3::Client::from_conf(unused), "unused");
        let catalog = Arc::new(Pointers::default());
        let warehouse = Warehouse::with_catalog(bucket, FileIO::new_with_fs(), catalog);
        Lake { warehouse, folder: TempDir::new().expect("a folder") }
    }

    /// A table with these columns, the first so many of which are its key.
    pub(crate) async fn table(
        &self,
        name: &str,
        fields: &[(&str, LakeType, Sensitivity)],
        key: usize,
        buckets: u32,
    ) -> LakeTable {
        let field = |(place, (name, lake_type, sensitivity)): (usize, &(&str, _, _))| FieldSpec {
            name: (*name).to_owned(),
            lake_type: *lake_type,
            required: place < key,
            doc: String::new(),
            sensitivity: *sensitivity,
            renamed_from: Vec::new(),
        };
        let spec = TableSpec {
            location: format!("file://{}/{name}", self.folder.path().display()),
            fields: fields.iter().enumerate().map(field).collect(),
            key: fields[..key].iter().map(|(name, _, _)| (*name).to_owned()).collect(),
            buckets,
            properties: BTreeMap::new(),
            dropped: Vec::new(),
        };
        self.warehouse.create(&table_ident("bench", name), &spec).await.expect("a table")
    }

    /// Appends batches that are sorted by key, as one commit.
    pub(crate) async fn append(
        &self,
        table: &LakeTable,
        buckets: i32,
        batches: impl Iterator<Item = RecordBatch>,
    ) -> LakeTable {
        let bucketed = table.bucket_column().map(str::to_owned);
        let bucket = |bucket| bucketed.is_some().then_some(bucket);
        let writer = |b| BucketWriter::new(table, bucket(b), FILE_BYTES).expect("a writer");
        let mut writers: Vec<BucketWriter> = (0..buckets).map(writer).collect();
        for batch in batches {
            let Some(column) = &bucketed else {
                writers[0].write(&batch).await.expect("rows are written");
                continue;
            };
            let values = table.buckets_of(&batch[column.as_str()]).expect("buckets");
            let values = values.expect("a bucketed table");
            for (bucket, writer) in (0..).zip(&mut writers) {
                let is = values.iter().map(|value| Some(value == Some(bucket))).collect();
                let part = filter_record_batch(&batch, &is).expect("rows of a bucket");
                writer.write(&part).await.expect("rows are written");
            }
        }
        let mut added = Vec::new();
        for writer in writers {
            added.extend(writer.finish().await.expect("files are written"));
        }
        let (operation, summary) = (Operation::Append, BTreeMap::new());
        let change =
            Change { operation, added, removed: Vec::new(), summary, branch: Branch::Main };
        commit(&self.warehouse, table, change).await.expect("a commit")
    }
}

/// The columns of a registry of customers and those that Silver adds.
pub(crate) const CUSTOMERS: [(&str, LakeType, Sensitivity); 14] = [
    ("id", LakeType::Long, Sensitivity::Internal),
    ("name", LakeType::String, Sensitivity::Personal),
    ("cpf", LakeType::String, Sensitivity::Personal),
    ("email", LakeType::String, Sensitivity::Personal),
    ("phone", LakeType::String, Sensitivity::Personal),
    ("city", LakeType::String, Sensitivity::Internal),
    ("uf", LakeType::String, Sensitivity::Public),
    ("born", LakeType::Date, Sensitivity::Personal),
    ("limit", LakeType::Decimal { precision: 12, scale: 2 }, Sensitivity::Internal),
    ("created_at", LakeType::TimestampTz, Sensitivity::Internal),
    ("updated_at", LakeType::TimestampTz, Sensitivity::Internal),
    ("_change_seq", LakeType::String, Sensitivity::Internal),
    ("_changed_at", LakeType::TimestampTz, Sensitivity::Internal),
    ("_loaded_at", LakeType::TimestampTz, Sensitivity::Internal),
];

const FIRST: [&str; 16] = [
    "Ana",
    "João",
    "Maria",
    "José",
    "Antônio",
    "Francisca",
    "Carlos",
    "Adriana",
    "Paulo",
    "Juliana",
    "Pedro",
    "Márcia",
    "Lucas",
    "Fernanda",
    "Luís",
    "Patrícia",
];
const LAST: [&str; 16] = [
    "da Silva",
    "dos Santos",
    "Oliveira",
    "Souza",
    "Rodrigues",
    "Ferreira",
    "Alves",
    "Pereira",
    "Lima",
    "Gomes",
    "Costa",
    "Ribeiro",
    "Martins",
    "Carvalho",
    "Almeida",
    "Conceição",
];
const CITIES: [(&str, &str); 8] = [
    ("São Paulo", "SP"),
    ("Rio de Janeiro", "RJ"),
    ("Belo Horizonte", "MG"),
    ("Salvador", "BA"),
    ("Fortaleza", "CE"),
    ("Curitiba", "PR"),
    ("Manaus", "AM"),
    ("Porto Alegre", "RS"),
];

/// A number that looks random, always the same for an id.
pub(crate) fn mix(id: i64, salt: u64) -> u64 {
    let mut x = id.cast_unsigned().wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Rows of [`CUSTOMERS`] with these ids.
pub(crate) fn customers(ids: std::ops::Range<i64>) -> RecordBatch {
    let one_of = |of: &[&'static str; 16], id, salt| of[(mix(id, salt) % 16) as usize];
    let city = |id| CITIES[(mix(id, 3) % 8) as usize];
    let texts = |text: &dyn Fn(i64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(ids.clone().map(text)))
    };
    let times = |time: &dyn Fn(i64) -> i64| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(ids.clone().map(time));
        Arc::new(times.with_timezone(UTC_ZONE))
    };
    let second = 1_000_000;
    let start = 1_700_000_000 * second;
    let created = |id: i64| start + id * 37 * second + (mix(id, 4) % 30_000_000) as i64;
    let updated = |id: i64| created(id) + (mix(id, 5) % 40_000_000) as i64 * second;
    let name =
        |id| format!("{} {} {}", one_of(&FIRST, id, 1), one_of(&LAST, id, 2), one_of(&LAST, id, 9));
    let limits = ids.clone().map(|id| i128::from(mix(id, 7) % 10_000) * 5_000);
    let limits = Decimal128Array::from_iter_values(limits);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids.clone())),
        texts(&name),
        texts(&|id| format!("{:011}", mix(id, 6) % 100_000_000_000)),
        texts(&|id| {
            let (first, last) = (one_of(&FIRST, id, 1), one_of(&LAST, id, 2).replace(' ', ""));
            format!("{first}.{last}{}@exemplo.com.br", mix(id, 6) % 10_000).to_lowercase()
        }),
        texts(&|id| format!("+55{:02}9{:08}", 11 + mix(id, 3) % 80, mix(id, 8) % 100_000_000)),
        texts(&|id| city(id).0.to_owned()),
        texts(&|id| city(id).1.to_owned()),
        Arc::new(Date32Array::from_iter_values(
            ids.clone().map(|id| (mix(id, 10) % 20_000) as i32),
        )),
        Arc::new(limits.with_precision_and_scale(12, 2).expect("limits fit")),
        times(&created),
        times(&updated),
        texts(&|id| {
            format!("{:016}{:019}", 20_260_701_000_000 + updated(id) % 86_400, mix(id, 11) >> 2)
        }),
        times(&updated),
        times(&|id| start + id / 50_000 * 600 * second),
    ];
    let names = CUSTOMERS.iter().map(|(name, _, _)| *name);
    RecordBatch::try_from_iter(names.zip(columns)).expect("columns of one length")
}
