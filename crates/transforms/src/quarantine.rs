//! Rows that failed a check, kept with the reason and the place they came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use medallion_definition::name::Layer;
use medallion_tables::Operation;
use medallion_tables::commit::{Change, commit};
use medallion_tables::writer::write_files;

use crate::bronze::Changes;
use crate::error::TransformError;
use crate::merge::Rejected;
use crate::silver::SilverJob;
use crate::spec;
use crate::summary::{self, BatchFile};

/// Appends the rejected rows of a batch, once: a batch that already stands in the table's history
/// is not appended again, so that a job may be repeated after it died between the two commits.
pub(crate) async fn append(
    job: &SilverJob<'_>,
    batch: &str,
    files: &[BatchFile],
    read: &Changes,
    rejected: &[Rejected],
) -> Result<(), TransformError> {
    if rejected.is_empty() {
        return Ok(());
    }
    let name = job.contract.table.lake_table();
    let ident = spec::ident(job.lake, Layer::Quarantine, &name);
    let table_spec = spec::quarantine(job.warehouse.bucket().name(), job.contract);
    let table = job.warehouse.ensure_table(&ident, &table_spec).await?;
    let known = table.history().into_iter().any(|snapshot| {
        snapshot.summary().additional_properties.get(summary::BATCH).is_some_and(|b| b == batch)
    });
    if known {
        return Ok(());
    }
    let rows =
        rows(files, read, rejected, job.now_micros, std::sync::Arc::clone(table.arrow_schema()))?;
    let added = write_files(&table, vec![rows]).await?;
    let summary = BTreeMap::from([
        (summary::BATCH.to_owned(), batch.to_owned()),
        (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    let change = Change { operation: Operation::Append, added, removed: Vec::new(), summary };
    commit(job.warehouse, &table, change)
        .await
        .map_err(|source| TransformError::commit(format!("quarantine.{name}"), source))?;
    Ok(())
}

fn rows(
    files: &[BatchFile],
    read: &Changes,
    rejected: &[Rejected],
    now_micros: i64,
    schema: arrow::datatypes::SchemaRef,
) -> Result<RecordBatch, TransformError> {
    let text = |f: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(rejected.iter().map(|(row, _)| Some(f(*row))).collect::<StringArray>())
    };
    let file_of = |row: usize| {
        let index = usize::try_from(read.file.value(row)).unwrap_or(usize::MAX);
        files.get(index).map(|f| f.key.clone()).unwrap_or_default()
    };
    let mut records = Vec::with_capacity(rejected.len());
    for (row, _) in rejected {
        records.push(json_record(read, *row)?);
    }
    let numbers = rejected.iter().map(|(row, _)| i64::try_from(read.row.value(*row)).ok());
    let now = TimestampMicrosecondArray::from(vec![now_micros; rejected.len()]);
    let rules: StringArray = rejected.iter().map(|(_, rules)| Some(rules.join(","))).collect();
    let columns: Vec<ArrayRef> = vec![
        text(&file_of),
        Arc::new(numbers.collect::<Int64Array>()),
        text(&|row| read.op.value(row).to_owned()),
        text(&|row| read.seq.value(row).to_owned()),
        Arc::new(rules),
        Arc::new(StringArray::from(records)),
        Arc::new(now.with_timezone("+00:00")),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The raw row as a JSON object of texts; NULL stays null, bytes are hexadecimal.
fn json_record(read: &Changes, row: usize) -> Result<String, TransformError> {
    let options = FormatOptions::default();
    let mut object = serde_json::Map::new();
    for (field, column) in read.source.schema().fields().iter().zip(read.source.columns()) {
        let value = if column.is_null(row) {
            serde_json::Value::Null
        } else {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
            serde_json::Value::String(formatter.value(row).try_to_string()?)
        };
        object.insert(field.name().clone(), value);
    }
    Ok(serde_json::Value::Object(object).to_string())
}
