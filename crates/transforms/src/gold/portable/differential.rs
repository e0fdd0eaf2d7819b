//! Every case of `fixtures/portable` passes the check, and `DataFusion` answers it as Spark did.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::error::DataFusionError;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::schema::arrow_type;

use super::tests::{lake_of, model};
use super::{Report, findings, plan, typed};
use crate::gold::{Input, session};

/// How the names of queries begin that the check refuses.
const DIFFERS: &str = "differs: ";

type Answers = BTreeMap<String, serde_json::Value>;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/portable"))
}

fn cases() -> Vec<(String, String)> {
    let text = fs::read_to_string(folder().join("cases.sql")).unwrap();
    let blocks = text.split("-- case: ").skip(1);
    let split = |block: &str| block.split_once('\n').map(|(n, s)| (n.to_owned(), s.to_owned()));
    blocks.map(|block| split(block).unwrap()).collect()
}

fn expected() -> Answers {
    serde_json::from_str(&fs::read_to_string(folder().join("expected.json")).unwrap()).unwrap()
}

/// The samples as the definition types them.
fn samples(lake: &LakeDefinition) -> Arc<dyn TableProvider> {
    let text = fs::read_to_string(folder().join("samples.tsv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let catalogue = lake.catalogue();
    let table = catalogue.iter().find(|t| t.layer == Layer::Silver).unwrap();
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (i, name) in header.iter().enumerate() {
        let column = table.column(name).unwrap();
        let texts: StringArray =
            rows.iter().map(|row| Some(row[i]).filter(|v| *v != "\\N")).collect();
        let wanted = arrow_type(column.lake_type);
        columns.push(cast(&texts, &wanted).unwrap());
        fields.push(Field::new(*name, wanted, column.nullable));
        assert_eq!(columns[i].null_count(), texts.null_count(), "{name}");
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap())
}

async fn answer(lake: &LakeDefinition, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    let input = Input { layer: Layer::Silver, table: "crm_samples".to_owned() };
    let context = session([(input, samples(lake))])?;
    context.sql(sql).await?.collect().await
}

fn text_of(column: &ArrayRef, row: usize) -> Option<String> {
    if column.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) {
        return None;
    }
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    let column = match column.data_type() {
        DataType::Timestamp(..) => &cast(column, &local).unwrap(),
        _ => column,
    };
    match column.data_type() {
        // Python prints the same shortest digits, with its own exponents.
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row).to_string()),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            Some(f64::from(value).to_string())
        }
        _ => {
            let format = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
            Some(ArrayFormatter::try_new(column, &format).unwrap().value(row).to_string())
        }
    }
}

fn rows_of(batches: &[RecordBatch]) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| text_of(c, row)).collect());
        }
    }
    rows.sort();
    rows
}

fn spark_rows(answer: &serde_json::Value) -> Vec<Vec<Option<String>>> {
    let types: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|c| c[1].as_str().unwrap()).collect();
    let value = |(value, spark): (&serde_json::Value, &&str)| {
        let text = value.as_str()?;
        let float = matches!(*spark, "double" | "float");
        Some(if float { text.parse::<f64>().unwrap().to_string() } else { text.to_owned() })
    };
    let row = |row: &serde_json::Value| {
        row.as_array().unwrap().iter().zip(&types).map(value).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = answer["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

/// What differs in one case.
async fn differences(lake: &LakeDefinition, sql: &str, spark: &serde_json::Value) -> Vec<String> {
    let model = model("case", sql);
    let mut found: Vec<String> =
        findings(lake, &model).await.iter().map(ToString::to_string).collect();
    let answer = answer(lake, sql).await;
    if spark.get("error").is_some() {
        if let Ok(batches) = answer {
            found.push(format!("fails in Spark only: {:?}", rows_of(&batches)));
        }
        return found;
    }
    match answer {
        Err(error) => found.push(format!("fails in DataFusion only: {error}")),
        Ok(batches) => {
            let (ours, theirs) = (rows_of(&batches), spark_rows(spark));
            if ours != theirs {
                found.push(format!("DataFusion:\n{ours:?}\nSpark:\n{theirs:?}"));
            }
        }
    }
    if let Ok((plan, _)) = plan(lake, &model).await {
        let mut report = Report { model: &model, found: Vec::new() };
        let computed = typed::check(lake, &plan, &std::collections::HashSet::new(), &mut report);
        let computed: Vec<String> = computed.iter().map(ToString::to_string).collect();
        let columns = spark["columns"].as_array().unwrap();
        let recorded: Vec<&str> = columns.iter().map(|c| c[1].as_str().unwrap()).collect();
        if computed != recorded {
            found.push(format!("types computed: {computed:?}\nSpark's types: {recorded:?}"));
        }
    }
    found
}

/// Whether the engines answer a refused query alike, so that there is no reason to refuse it.
async fn agree(lake: &LakeDefinition, sql: &str, spark: &serde_json::Value) -> bool {
    match answer(lake, sql).await {
        Err(_) => spark.get("error").is_some(),
        Ok(batches) => spark.get("error").is_none() && rows_of(&batches) == spark_rows(spark),
    }
}

#[tokio::test]
async fn what_is_refused_differs() {
    let lake = lake_of(&folder().join("lake"));
    let expected = expected();
    let mut wrong = Vec::new();
    for (name, sql) in cases().iter().filter(|(name, _)| name.starts_with(DIFFERS)) {
        if findings(&lake, &model("case", sql)).await.is_empty() {
            wrong.push(format!("{name} passes the check"));
        }
        if agree(&lake, sql, &expected[name]).await {
            wrong.push(format!("{name} has one answer"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn datafusion_answers_every_case_as_spark_did() {
    let lake = lake_of(&folder().join("lake"));
    let mut expected = expected();
    let mut failed = Vec::new();
    for (name, sql) in cases() {
        let spark = expected.remove(&name).unwrap_or_else(|| panic!("run spark.py for `{name}`"));
        if name.starts_with(DIFFERS) {
            continue;
        }
        for difference in differences(&lake, &sql, &spark).await {
            failed.push(format!("== {name}\n{difference}"));
        }
    }
    assert!(expected.is_empty(), "answers without a case: {:?}", expected.keys());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Every function of the subset stands in a case, so that Spark was asked about it.
#[test]
fn every_function_of_the_subset_was_compared() {
    let passing = cases().into_iter().filter(|(name, _)| !name.starts_with(DIFFERS));
    let all: String = passing.map(|(_, sql)| sql.to_lowercase()).collect();
    for function in super::allowed::FUNCTIONS {
        for name in function.names {
            assert!(all.contains(&format!("{name}(")), "no case calls `{name}`");
        }
    }
}
