//! Rows that failed a check, kept with the reason and the place they came from.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use medallion_definition::catalogue;
use medallion_definition::name::Layer;
use medallion_tables::Operation;
use medallion_tables::commit::{Change, CommitError, commit};
use medallion_tables::table::LakeTable;
use medallion_tables::writer::write_files;

use crate::batch::SilverJob;
use crate::bronze::Changes;
use crate::error::TransformError;
use crate::spec;
use crate::summary::{self, BatchFile};

/// A row of the batch with the ids of the rules that it failed.
pub(crate) type Rejected = (usize, Vec<String>);

/// How often the commit is tried against other writers.
const ATTEMPTS: usize = 5;

/// Appends the rejected rows of a batch, each once: a row whose file and number stand in the table
/// already is left out, so that a job may be repeated after it died between the two commits, alone
/// or together with further files. The look-up and the commit are about the same snapshot.
pub(crate) async fn append(
    job: &SilverJob<'_>,
    batch: &str,
    files: &[BatchFile],
    read: &Changes,
    rejected: Vec<Rejected>,
) -> Result<(), TransformError> {
    if rejected.is_empty() {
        return Ok(());
    }
    let name = job.contract.table.lake_table();
    let ident = spec::ident(job.lake, Layer::Quarantine, &name);
    let table_spec = spec::quarantine(job.warehouse.bucket().name(), job.contract);
    let mut attempt = 1;
    loop {
        let table = spec::ensure(job.warehouse, &ident, &table_spec).await?;
        let there = places(&table, files).await?;
        let mut fresh = rejected.clone();
        fresh.retain(|(row, _)| !there.contains(&place(files, read, *row)));
        if fresh.is_empty() {
            return Ok(());
        }
        let rows = rows(job, files, read, &fresh)?;
        let added = write_files(&table, vec![rows]).await?;
        let summary = BTreeMap::from([
            (summary::BATCH.to_owned(), batch.to_owned()),
            (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let change = Change { operation: Operation::Append, added, removed: Vec::new(), summary };
        match commit(job.warehouse, &table, change).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(source) => {
                return Err(TransformError::commit(format!("quarantine.{name}"), source));
            }
        }
    }
}

/// A rejected row's place: its file and its number there.
type Place = (String, u64);

fn place(files: &[BatchFile], read: &Changes, row: usize) -> Place {
    let index = usize::try_from(read.file.value(row)).unwrap_or(usize::MAX);
    let file = files.get(index).map(|f| f.key.clone()).unwrap_or_default();
    (file, read.row.value(row))
}

/// The places of these files that stand in quarantine already.
async fn places(table: &LakeTable, files: &[BatchFile]) -> Result<HashSet<Place>, TransformError> {
    let ours: HashSet<&str> = files.iter().map(|f| f.key.as_str()).collect();
    let mut found = HashSet::new();
    let columns = ["file".to_owned(), "row_number".to_owned()];
    for batch in table.read_all(Some(&columns)).await? {
        let (names, numbers) = (batch.column(0).as_string::<i32>(), batch.column(1));
        let numbers = numbers.as_primitive::<Int64Type>();
        for (name, number) in names.iter().zip(numbers.iter()) {
            if let (Some(name), Some(number)) = (name.filter(|n| ours.contains(n)), number) {
                found.insert((name.to_owned(), u64::try_from(number).unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

fn rows(
    job: &SilverJob<'_>,
    files: &[BatchFile],
    read: &Changes,
    rejected: &[Rejected],
) -> Result<RecordBatch, TransformError> {
    let text = |f: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(rejected.iter().map(|(row, _)| Some(f(*row))).collect::<StringArray>())
    };
    let mut records = Vec::with_capacity(rejected.len());
    for (row, _) in rejected {
        records.push(json_record(read, *row)?);
    }
    let numbers = rejected.iter().map(|(row, _)| i64::try_from(read.row.value(*row)).ok());
    let now = TimestampMicrosecondArray::from(vec![job.now_micros; rejected.len()]);
    let rules: StringArray = rejected.iter().map(|(_, rules)| Some(rules.join(","))).collect();
    let columns: Vec<ArrayRef> = vec![
        text(&|row| place(files, read, row).0),
        Arc::new(numbers.collect::<Int64Array>()),
        text(&|row| read.op.value(row).to_owned()),
        text(&|row| read.seq.value(row).to_owned()),
        Arc::new(rules),
        Arc::new(StringArray::from(records)),
        Arc::new(now.with_timezone("+00:00")),
    ];
    let schema = spec::rows_schema(&catalogue::quarantine(job.contract));
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
