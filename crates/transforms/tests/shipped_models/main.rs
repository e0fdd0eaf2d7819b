//! The Gold models that ship, each asked over a few rows whose answer is plain.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod customer_360;
mod data_quality;
mod registry_operations;
mod small_groups;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::array_value_to_string;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::{CheckKind, CheckSeverity, GoldModel};
use medallion_tables::schema::arrow_type;
use medallion_transforms::gold;

const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// The definition that ships.
fn shipped() -> LakeDefinition {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake");
    let mut files = Vec::new();
    for folder in [root.clone(), root.join("tables"), root.join("models")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push(SourceFile { path: path.display().to_string(), text });
            }
        }
    }
    LakeDefinition::read(&files).unwrap_or_else(|findings| panic!("{findings}"))
}

/// Rows of a table: its name with the layer, some columns, and their values as SQL. Other columns
/// are NULL.
type Rows<'a> = (&'a str, &'a str, String);

/// A model's answer: one text per row, values apart by `|`, in the order of the texts. A table
/// without rows here is empty. Names, types and NULLs have to be those of the header.
async fn answer(model: &str, tables: &[Rows<'_>]) -> Vec<String> {
    let lake = shipped();
    let model = lake.model(model).unwrap();
    let catalogue = lake.catalogue();
    let mut inputs = Vec::new();
    for input in gold::inputs(&lake, model).unwrap() {
        let described = catalogue.iter().find(|t| t.layer == input.layer && t.name == input.table);
        let name = input.to_string();
        let rows = tables.iter().find(|(table, ..)| *table == name);
        inputs.push((input, table(described.unwrap(), rows).await));
    }
    let names: Vec<String> = inputs.iter().map(|(input, _)| input.to_string()).collect();
    assert!(tables.iter().all(|(table, ..)| names.iter().any(|n| n == table)), "{names:?}");
    let context = gold::session(inputs).unwrap();
    context.register_udf(unix_micros());
    let frame = context.sql(&model.sql).await.unwrap();
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.unwrap();
    let rows = as_declared(model, &concat_batches(&schema, &batches).unwrap());
    pass(model, &context, &rows).await;
    let mut texts: Vec<String> = (0..rows.num_rows()).map(|row| text(&rows, row)).collect();
    texts.sort();
    texts
}

/// The model's own queries find no failing row, but for those that only warn: these plan.
async fn pass(model: &GoldModel, context: &SessionContext, rows: &RecordBatch) {
    context.register_batch("this", rows.clone()).unwrap();
    for check in &model.checks {
        let CheckKind::Sql { sql } = &check.kind else { continue };
        let failing = context.sql(sql).await.unwrap().count().await.unwrap();
        let wrong = failing > 0 && check.severity == CheckSeverity::Error;
        assert!(!wrong, "{}: {} fails {failing} rows", model.name, check.name);
    }
}

/// The instant in microseconds since the epoch, as Spark has it.
fn unix_micros() -> ScalarUDF {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    create_udf(
        "unix_micros",
        vec![instant],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(|arguments| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            Ok(ColumnarValue::Array(arrow::compute::cast(&arrays[0], &DataType::Int64)?))
        }),
    )
}

async fn table(described: &CatalogueTable, rows: Option<&Rows<'_>>) -> Arc<dyn TableProvider> {
    // Bronze's columns come in lower case, as in Glue.
    let fields = described.columns.iter();
    let fields = fields.map(|c| Field::new(c.name.to_lowercase(), arrow_type(c.lake_type), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut batches = Vec::new();
    if let Some((name, columns, values)) = rows {
        let sql = format!("select * from (values {values}) as t({columns})");
        for given in SessionContext::new().sql(&sql).await.unwrap().collect().await.unwrap() {
            for field in given.schema().fields() {
                assert!(schema.index_of(field.name()).is_ok(), "{name} has no {}", field.name());
            }
            let column = |field: &Arc<Field>| match given.column_by_name(field.name()) {
                Some(column) => cast_with_options(column, field.data_type(), &STRICT).unwrap(),
                None => new_null_array(field.data_type(), given.num_rows()),
            };
            let columns: Vec<ArrayRef> = schema.fields().iter().map(column).collect();
            batches.push(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap());
        }
    }
    Arc::new(MemTable::try_new(schema, vec![batches]).unwrap())
}

fn as_declared(model: &GoldModel, rows: &RecordBatch) -> RecordBatch {
    let returned: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    let declared: Vec<String> = model.columns.iter().map(|c| c.name.to_string()).collect();
    assert_eq!(returned, declared);
    let fields = model.columns.iter();
    let fields = fields.map(|c| Field::new(c.name.as_str(), arrow_type(c.lake_type), c.nullable));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| cast_with_options(column, field.data_type(), &STRICT).unwrap());
    // NULL in a column that must not have it is an error here.
    RecordBatch::try_new(Arc::new(schema.clone()), columns.collect()).unwrap()
}

fn text(rows: &RecordBatch, row: usize) -> String {
    let value = |column: &ArrayRef| match column.is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(column, row).unwrap(),
    };
    rows.columns().iter().map(value).collect::<Vec<_>>().join("|")
}

/// So many rows of one text.
fn times(count: usize, row: &str) -> Vec<String> {
    vec![row.to_owned(); count]
}
