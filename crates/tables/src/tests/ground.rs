//! Tables of any key, with random rows, and their files read without the crate's own readers.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::{cast, concat_batches};
use arrow::util::display::array_value_to_string;
use iceberg::spec::Operation;
use medallion_definition::contract::Sensitivity;
use medallion_definition::types::LakeType;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::fixture::Lake;
use crate::commit::{Branch, Change, commit};
use crate::files::LiveFile;
use crate::schema::{FieldSpec, TableSpec, UTC_ZONE};
use crate::table::LakeTable;
use crate::warehouse::table_ident;
use crate::writer::{Layout, write_files_of};

/// Small enough that a few hundred rows have several row groups and pages.
pub(super) const SMALL: Layout =
    Layout { file_bytes: 1 << 30, group_rows: 100, group_bytes: 1 << 30, page_rows: 8 };

/// Numbers from which the values of columns are made.
pub(super) type Seeds = Vec<Vec<i64>>;

pub(super) struct Ground {
    pub(super) lake: Lake,
    pub(super) fields: Vec<FieldSpec>,
    pub(super) key: usize,
    folder: TempDir,
}

pub(super) fn field(name: &str, lake_type: LakeType, required: bool) -> FieldSpec {
    FieldSpec {
        name: name.to_owned(),
        lake_type,
        required,
        doc: String::new(),
        sensitivity: Sensitivity::Internal,
        renamed_from: Vec::new(),
    }
}

impl Ground {
    /// Tables whose key columns have these types, personal or not, and two more columns.
    pub(super) fn new(key: &[LakeType], personal: bool) -> Self {
        let named = |(i, t): (usize, &LakeType)| field(&format!("k{i}"), *t, true);
        let mut fields: Vec<FieldSpec> = key.iter().enumerate().map(named).collect();
        fields.push(field("note", LakeType::String, false));
        fields.push(field("visits", LakeType::Int, false));
        if personal {
            fields[0].sensitivity = Sensitivity::Personal;
        }
        let folder = TempDir::new().unwrap();
        Ground { lake: Lake::new(), fields, key: key.len(), folder }
    }

    pub(super) fn spec(&self, buckets: u32) -> TableSpec {
        TableSpec {
            location: format!("file://{}/t", self.folder.path().display()),
            fields: self.fields.clone(),
            key: self.fields[..self.key].iter().map(|field| field.name.clone()).collect(),
            buckets,
            properties: BTreeMap::new(),
            dropped: Vec::new(),
        }
    }

    pub(super) async fn table(&self, buckets: u32) -> LakeTable {
        let ident = table_ident("ground", "t");
        self.lake.warehouse.create(&ident, &self.spec(buckets)).await.unwrap()
    }

    /// Rows with random keys made of numbers below `range`, and numbered notes.
    pub(super) fn rows(&self, random: &mut ChaCha8Rng, count: usize, range: i64) -> RecordBatch {
        let seeds = self.seeds(random, count, range);
        let columns = self.fields.iter().zip(&seeds);
        let columns = columns.map(|(field, seeds)| (&field.name, values(field.lake_type, seeds)));
        RecordBatch::try_from_iter(columns).unwrap()
    }

    pub(super) fn seeds(&self, random: &mut ChaCha8Rng, count: usize, range: i64) -> Seeds {
        let columns = 0..self.fields.len();
        let column = |column| {
            let range = if column > 0 && column < self.key { 3 } else { range };
            (0..count).map(|_| random.random_range(0..range)).collect()
        };
        columns.map(column).collect()
    }

    pub(super) async fn append(&self, base: &LakeTable, rows: RecordBatch) -> LakeTable {
        let added = write_files_of(base, vec![rows], SMALL).await.unwrap();
        self.lake.commit(base, Operation::Append, added, Vec::new()).await.unwrap()
    }

    /// Deletes rows by position, as the crate does it.
    pub(super) async fn delete(
        &self,
        base: &LakeTable,
        rows: &HashMap<String, Vec<u64>>,
    ) -> LakeTable {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for file in base.live_files().await.unwrap() {
            let Some(positions) = rows.get(file.path()) else { continue };
            let positions = positions.iter().copied().collect();
            let (new, old) = base.write_position_deletes(&file, &positions).await.unwrap();
            added.push(new);
            removed.extend(old);
        }
        let (operation, summary) = (Operation::Delete, BTreeMap::new());
        let change = Change { operation, added, removed, summary, branch: Branch::Main };
        commit(&self.lake.warehouse, base, change).await.unwrap()
    }

    /// The names of the key columns.
    pub(super) fn key_names(&self) -> Vec<String> {
        self.fields[..self.key].iter().map(|field| field.name.clone()).collect()
    }
}

/// Values of a type in the order of their numbers.
pub(super) fn values(lake_type: LakeType, seeds: &[i64]) -> ArrayRef {
    let numbers = seeds.iter().copied();
    match lake_type {
        LakeType::Long => Arc::new(Int64Array::from_iter_values(numbers.map(|n| n * 3 - 50))),
        LakeType::Int => Arc::new(Int32Array::from_iter_values(numbers.map(|n| n as i32 - 50))),
        LakeType::Date => Arc::new(Date32Array::from_iter_values(numbers.map(|n| n as i32 - 9))),
        LakeType::Boolean => {
            Arc::new(seeds.iter().map(|n| Some(n % 2 == 0)).collect::<BooleanArray>())
        }
        LakeType::Double => {
            Arc::new(Float64Array::from_iter_values(numbers.map(|n| n as f64 / 8.0)))
        }
        LakeType::Decimal { precision, scale } => {
            let values =
                Decimal128Array::from_iter_values(numbers.map(|n| i128::from(n) * 101 - 70));
            let scale = scale.cast_signed();
            Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
        }
        LakeType::TimestampTz => {
            let values = TimestampMicrosecondArray::from_iter_values(numbers.map(|n| n * 777_777));
            Arc::new(values.with_timezone(UTC_ZONE))
        }
        LakeType::String => {
            // Long, and alike in their first characters, so that bounds are cut.
            let text = |n| {
                format!(
                    "um nome brasileiro comprido, número {n:05}, rua São João {}",
                    "x".repeat(30)
                )
            };
            Arc::new(StringArray::from_iter_values(numbers.map(text)))
        }
        other => panic!("{other}"),
    }
}

/// All rows of one file, deleted ones too, under the table's schema: read by the Parquet crate's
/// plain reader, columns by field id.
pub(super) fn raw(table: &LakeTable, file: &LiveFile) -> RecordBatch {
    let path = file.path().strip_prefix("file://").unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let rows = concat_batches(&schema, &batches).unwrap();
    let place_of = |id: i32| {
        let is = |f: &Arc<arrow::datatypes::Field>| {
            f.metadata()[PARQUET_FIELD_ID_META_KEY].parse() == Ok(id)
        };
        schema.fields().iter().position(is)
    };
    let current = table.metadata().current_schema();
    let columns = table.arrow_schema().fields().iter().map(|field| {
        let id = current.field_id_by_name(field.name()).unwrap();
        match place_of(id) {
            Some(place) => cast(rows.column(place), field.data_type()).unwrap(),
            None => arrow::array::new_null_array(field.data_type(), rows.num_rows()),
        }
    });
    RecordBatch::try_new(Arc::clone(table.arrow_schema()), columns.collect()).unwrap()
}

/// The rows as text.
pub(super) fn texts(rows: &RecordBatch, columns: &[String]) -> Vec<String> {
    let columns: Vec<&ArrayRef> = columns.iter().map(|c| rows.column_by_name(c).unwrap()).collect();
    let cell = |row: usize| {
        let cells = columns.iter().map(|c| array_value_to_string(c, row).unwrap());
        cells.collect::<Vec<_>>().join("|")
    };
    (0..rows.num_rows()).map(cell).collect()
}
