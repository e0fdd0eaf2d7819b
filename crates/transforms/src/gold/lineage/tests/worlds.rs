//! Small made-up contents of the tables that a model reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, LargeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use medallion_definition::catalogue::CatalogueColumn;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::types::LakeType;
use medallion_tables::schema::{UTC_ZONE, arrow_type};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::gold::lineage::SourceColumn;
use crate::gold::{Input, inputs, session};

/// Few values, so that rows meet in joins and groups; two of them are those that models ask for.
const TEXTS: [&str; 4] = ["email", "whatsapp", "a", "b"];
/// The texts of columns whose form models rely on.
fn texts(column: &str) -> [&'static str; 4] {
    match column.to_lowercase().as_str() {
        "op" => ["I", "U", "D", "I"],
        "dms_ts" => {
            ["2026-01-01 10:00:00", "2026-01-02 10:00:00", "2026-01-03 10:00:00", "2026-01-04"]
        }
        "change_seq" => [
            "",
            "20260101100000000000000000000000001",
            "20260102100000000000000000000000002",
            "20260103100000000000000000000000003",
        ],
        "_change_seq" => ["", "1", "2", "3"],
        "table_name" => ["crm.addresses", "crm.consents", "crm.customers", "crm.others"],
        "rules" => {
            ["cep:cep,region:uf", "source:accepted_values", "cpf:cpf,email:email", "region:uf"]
        }
        _ => TEXTS,
    }
}

/// One value in so many is NULL where NULL may be.
const NULL_IN: u32 = 4;

/// The contents of some tables.
#[derive(Clone)]
pub(super) struct World(BTreeMap<Input, RecordBatch>);

impl World {
    /// Rows for every table that the model reads.
    pub(super) fn new(lake: &LakeDefinition, model: &GoldModel, rng: &mut ChaCha8Rng) -> World {
        let wanted = inputs(lake, model).unwrap();
        let mut tables = BTreeMap::new();
        for table in lake.catalogue() {
            let input = Input { layer: table.layer, table: table.name.clone() };
            if !wanted.contains(&input) {
                continue;
            }
            let rows = if table.name.ends_with("customers") { 100 } else { 40 };
            let fields = table
                .columns
                .iter()
                .map(|c| Field::new(c.name.to_lowercase(), arrow_type(c.lake_type), c.nullable));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let columns = table.columns.iter().map(|c| values(c, rows, rng)).collect();
            tables.insert(input, RecordBatch::try_new(schema, columns).unwrap());
        }
        World(tables)
    }

    /// Every column of every table.
    pub(super) fn columns(&self) -> Vec<SourceColumn> {
        let mut columns = Vec::new();
        for (input, rows) in &self.0 {
            let schema = rows.schema();
            columns.extend(
                schema
                    .fields()
                    .iter()
                    .map(|f| SourceColumn { input: input.clone(), column: f.name().clone() }),
            );
        }
        columns
    }

    /// The same contents but for one column, whose values are drawn anew.
    pub(super) fn redraw(
        &mut self,
        lake: &LakeDefinition,
        column: &SourceColumn,
        rng: &mut ChaCha8Rng,
    ) {
        let is_it = |name: &str| name.to_lowercase() == column.column;
        let tables = lake.catalogue();
        let mut tables = tables.iter();
        let table =
            tables.find(|t| (t.layer, &t.name) == (column.input.layer, &column.input.table));
        let at = table.unwrap().columns.iter().position(|c| is_it(&c.name)).unwrap();
        let rows = &self.0[&column.input];
        let mut columns = rows.columns().to_vec();
        columns[at] = values(&table.unwrap().columns[at], rows.num_rows(), rng);
        let redrawn = RecordBatch::try_new(rows.schema(), columns).unwrap();
        self.0.insert(column.input.clone(), redrawn);
    }

    /// The result of the model's query.
    pub(super) async fn run(&self, model: &GoldModel) -> RecordBatch {
        let tables = self.0.iter().map(|(input, rows)| {
            let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]]).unwrap();
            let provider: Arc<dyn TableProvider> = Arc::new(table);
            (input.clone(), provider)
        });
        let context = session(tables).unwrap();
        // With one partition, rows that an order does not tell apart come in the same order again.
        let one = context.sql("set datafusion.execution.target_partitions = 1").await.unwrap();
        one.collect().await.unwrap();
        let frame = context.sql(&model.sql).await.unwrap();
        let schema = Arc::clone(frame.schema().inner());
        let batches = frame.collect().await.unwrap_or_else(|e| panic!("{e}: {}", model.sql));
        concat_batches(&schema, &batches).unwrap()
    }
}

/// Some columns of the rows, as a bag: the order of rows does not count.
pub(super) fn bag(rows: &RecordBatch, columns: &[usize]) -> Vec<OwnedRow> {
    let rows = rows.project(columns).unwrap();
    let sort = rows.columns().iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let encoded = RowConverter::new(sort).unwrap().convert_columns(rows.columns()).unwrap();
    let mut bag: Vec<OwnedRow> = encoded.iter().map(|r| r.owned()).collect();
    bag.sort();
    bag
}

fn values(column: &CatalogueColumn, rows: usize, rng: &mut ChaCha8Rng) -> ArrayRef {
    let mut numbers = Vec::with_capacity(rows);
    for _ in 0..rows {
        let null = column.nullable && rng.random_ratio(1, NULL_IN);
        numbers.push((!null).then(|| rng.random_range(0..4_u8)));
    }
    let numbers = numbers.into_iter();
    match column.lake_type {
        LakeType::Boolean => {
            Arc::new(numbers.map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>())
        }
        LakeType::Int => Arc::new(numbers.map(|n| n.map(i32::from)).collect::<Int32Array>()),
        LakeType::Long => Arc::new(numbers.map(|n| n.map(i64::from)).collect::<Int64Array>()),
        LakeType::Float => Arc::new(numbers.map(|n| n.map(f32::from)).collect::<Float32Array>()),
        LakeType::Double => Arc::new(numbers.map(|n| n.map(f64::from)).collect::<Float64Array>()),
        LakeType::Decimal { precision, scale } => {
            let one = 10_i128.pow(u32::from(scale));
            let array: Decimal128Array = numbers.map(|n| n.map(|n| i128::from(n) * one)).collect();
            Arc::new(array.with_precision_and_scale(precision, scale.cast_signed()).unwrap())
        }
        LakeType::Date => Arc::new(numbers.map(|n| n.map(i32::from)).collect::<Date32Array>()),
        LakeType::Timestamp => {
            Arc::new(numbers.map(|n| n.map(i64::from)).collect::<TimestampMicrosecondArray>())
        }
        LakeType::TimestampTz => {
            // Four days and many moments, so that the first and the last one tell of all.
            let mut moment = |n: u8| i64::from(n) * 86_400_000_000 + rng.random_range(0..1_000_000);
            let array: Vec<Option<i64>> = numbers.map(|n| n.map(&mut moment)).collect();
            let array = TimestampMicrosecondArray::from(array);
            Arc::new(array.with_timezone(UTC_ZONE))
        }
        LakeType::String => {
            let texts = texts(&column.name);
            let text = |n: u8| texts[usize::from(n)];
            Arc::new(numbers.map(|n| n.map(text)).collect::<StringArray>())
        }
        LakeType::Binary => {
            Arc::new(numbers.map(|n| n.map(|n| vec![n])).collect::<LargeBinaryArray>())
        }
    }
}
