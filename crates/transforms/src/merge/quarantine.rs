//! Rows that failed a check, kept with the reason and the place they came from.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use medallion_definition::catalogue;
use medallion_definition::contract::TableContract;
use medallion_definition::name::Layer;
use medallion_tables::Operation;
use medallion_tables::commit::{Change, CommitError, commit};
use medallion_tables::table::LakeTable;
use medallion_tables::writer::BucketWriter;

use super::target::Target;
use crate::bronze::Changes;
use crate::error::TransformError;
use crate::plan::SilverJob;
use crate::record::BatchFile;
use crate::{spec, summary};

/// A row of a batch with the ids of the rules that it failed.
pub(crate) type Rejected = (usize, Vec<String>);

/// Rows of the quarantine table; nothing when none was rejected.
pub(super) fn rows(
    contract: &TableContract,
    file: &BatchFile,
    raw: &Changes,
    rejected: &[Rejected],
    now_micros: i64,
) -> Result<Option<RecordBatch>, TransformError> {
    if rejected.is_empty() {
        return Ok(None);
    }
    let text = |f: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(rejected.iter().map(|(row, _)| Some(f(*row))).collect::<StringArray>())
    };
    let mut records = Vec::with_capacity(rejected.len());
    for (row, _) in rejected {
        records.push(json_record(raw, *row)?);
    }
    let numbers = rejected.iter().map(|(row, _)| i64::try_from(raw.row.value(*row)).ok());
    let now = TimestampMicrosecondArray::from(vec![now_micros; rejected.len()]);
    let rules: StringArray = rejected.iter().map(|(_, rules)| Some(rules.join(","))).collect();
    let columns: Vec<ArrayRef> = vec![
        text(&|_| file.key.clone()),
        Arc::new(numbers.collect::<Int64Array>()),
        text(&|row| raw.op.value(row).to_owned()),
        text(&|row| raw.seq.value(row).to_owned()),
        Arc::new(rules),
        Arc::new(StringArray::from(records)),
        text(&|_| file.etag.clone()),
        Arc::new(now.with_timezone("+00:00")),
    ];
    let schema = spec::rows_schema(&catalogue::quarantine(contract));
    Ok(Some(RecordBatch::try_new(schema, columns)?))
}

/// The raw row as a JSON object of texts; NULL stays null, bytes are hexadecimal.
fn json_record(raw: &Changes, row: usize) -> Result<String, TransformError> {
    let options = FormatOptions::default();
    let mut object = serde_json::Map::new();
    for (field, column) in raw.source.schema().fields().iter().zip(raw.source.columns()) {
        let value = if column.is_null(row) {
            serde_json::Value::Null
        } else {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
            // Arrow does not print days and times beyond the calendar's end.
            let printed = formatter.value(row).try_to_string();
            serde_json::Value::String(printed.unwrap_or_else(|_| UNPRINTABLE.to_owned()))
        };
        object.insert(field.name().clone(), value);
    }
    Ok(serde_json::Value::Object(object).to_string())
}

/// Stands in the record of a rejected row for a value that has no text.
const UNPRINTABLE: &str = "(a time beyond the calendar)";

/// A rejected row's place: its file, the file's version, and its number there. A reload may reject
/// another row at the same number of a file of the same name.
pub(crate) type Place = (String, String, i64);

/// Takes the rejected rows of a batch, each once: a row whose file and number stand in the table
/// already is left out, so that a job may be repeated after it died between the two commits, alone
/// or together with further files.
pub(super) struct Quarantine<'a> {
    job: &'a SilverJob<'a>,
    target: Target<'a>,
    files: HashSet<String>,
    open: Option<Open>,
}

struct Open {
    table: LakeTable,
    there: HashSet<Place>,
    writer: BucketWriter,
}

impl Open {
    async fn new(
        job: &SilverJob<'_>,
        target: Target<'_>,
        files: &HashSet<String>,
    ) -> Result<Open, TransformError> {
        let contract = job.contract;
        let ident = spec::ident(job.lake, Layer::Quarantine, &contract.table.lake_table());
        let described = spec::quarantine(job.warehouse.bucket().name(), contract);
        let table = spec::ensure(job.warehouse, &ident, &described).await?;
        let silver = spec::ident(job.lake, Layer::Silver, &contract.table.lake_table());
        let table = target.open(job.warehouse, table, &silver).await?;
        let columns = PLACE.map(str::to_owned);
        let mut there = HashSet::new();
        let mut batches = table.scan(Some(&columns)).await?;
        while let Some(batch) = batches.try_next().await? {
            let ours =
                places(&batch).into_iter().flatten().filter(|(file, ..)| files.contains(file));
            there.extend(ours);
        }
        let writer = BucketWriter::new(&table, None, job.file_bytes)?;
        Ok(Open { table, there, writer })
    }
}

impl<'a> Quarantine<'a> {
    pub(super) fn new<'f>(
        job: &'a SilverJob<'a>,
        target: Target<'a>,
        files: impl Iterator<Item = &'f BatchFile>,
    ) -> Quarantine<'a> {
        let files = files.map(|file| file.key.clone()).collect();
        Quarantine { job, target, files, open: None }
    }

    pub(super) async fn add(&mut self, rows: &RecordBatch) -> Result<(), TransformError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::new(self.job, self.target, &self.files).await?,
        };
        let open = self.open.insert(open);
        let fresh =
            places(rows).into_iter().map(|place| place.map(|place| !open.there.contains(&place)));
        let fresh: BooleanArray = fresh.collect();
        if fresh.true_count() > 0 {
            open.writer.write(&filter_record_batch(rows, &fresh)?).await?;
        }
        Ok(())
    }

    /// Commits what was taken, if anything. The look-up and the commit are about the same snapshot.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when somebody else wrote meanwhile; the whole batch is repeated.
    pub(super) async fn commit(self, batch: &str) -> Result<(), TransformError> {
        let Some(Open { table, writer, .. }) = self.open else { return Ok(()) };
        let added = writer.finish().await?;
        if added.is_empty() {
            return Ok(());
        }
        let mut entries = BTreeMap::from([
            (summary::BATCH.to_owned(), batch.to_owned()),
            (summary::CODE_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        entries.extend(self.target.entries());
        let paths: Vec<String> = added.iter().map(|f| f.file_path().to_owned()).collect();
        let (operation, branch) = (Operation::Append, self.target.branch());
        let change = Change { operation, added, removed: Vec::new(), summary: entries, branch };
        match commit(self.job.warehouse, &table, change).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if matches!(error, CommitError::Conflict { .. }) {
                    super::discard(self.job.warehouse, &paths).await;
                }
                let name = self.job.contract.table.lake_table();
                Err(TransformError::commit(format!("quarantine.{name}"), error))
            }
        }
    }
}

/// The columns of a place.
const PLACE: [&str; 3] = ["file", "etag", "row_number"];

/// The places of quarantined rows; nothing for a row without one. Rows of older versions of the
/// table do not tell the file's version.
pub(crate) fn places(rows: &RecordBatch) -> Vec<Option<Place>> {
    let text = |name: &str| Some(rows.column_by_name(name)?.as_string::<i32>());
    let number = |name: &str| Some(rows.column_by_name(name)?.as_primitive::<Int64Type>());
    let columns = (text(PLACE[0]), text(PLACE[1]), number(PLACE[2]));
    let (Some(files), Some(etags), Some(numbers)) = columns else {
        return vec![None; rows.num_rows()];
    };
    let all = files.iter().zip(etags.iter()).zip(numbers.iter());
    all.map(|((file, etag), number)| {
        Some((file?.to_owned(), etag.unwrap_or_default().to_owned(), number?))
    })
    .collect()
}
