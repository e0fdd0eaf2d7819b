//! Rows of a build into files of the table.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};
use futures::StreamExt;
use medallion_definition::model::GoldModel;
use medallion_tables::DataFile;
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::{LakeTable, TableError};
use medallion_tables::writer::by_bucket;
use roaring::RoaringTreemap;

use crate::error::TransformError;
use crate::merge::{Rewriter, Rewritten};

/// Rows without a value in a column by which files are sorted: they cannot be written, and are a
/// check's business.
#[derive(Debug, Default)]
pub(super) struct Unkeyed {
    by_column: Mutex<BTreeMap<String, u64>>,
}

impl Unkeyed {
    /// Takes such rows out of a stream, and counts them.
    pub(super) fn take_out(self: &Arc<Self>, model: &GoldModel, rows: BatchStream) -> BatchStream {
        let key: Vec<String> = model.key().into_iter().map(ToString::to_string).collect();
        let (counts, table) = (Arc::clone(self), format!("gold.{}", model.name));
        let keep = move |batch: Result<RecordBatch, TableError>| {
            let batch = batch?;
            counts
                .split(&key, batch)
                .map_err(|e| TableError::Rows { table: table.clone(), source: Box::new(e) })
        };
        rows.map(keep).boxed()
    }

    fn split(&self, key: &[String], batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = key.iter().filter_map(|name| Some((name, batch.column_by_name(name)?)));
        let columns: Vec<_> = columns.filter(|(_, column)| column.null_count() > 0).collect();
        if columns.is_empty() {
            return Ok(batch);
        }
        let mut counts = self.by_column.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, column) in &columns {
            *counts.entry((*name).clone()).or_default() += column.null_count() as u64;
        }
        let known = |row| columns.iter().all(|(_, column)| column.is_valid(row));
        let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(known(row))).collect();
        filter_record_batch(&batch, &keep)
    }

    /// Begins anew.
    pub(super) fn forget(&self) {
        self.by_column.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many rows lack a value, by column.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.by_column.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Rows with all columns by which files are sorted, and how many lack one, by column.
pub(super) fn without_null_keys(
    model: &GoldModel,
    rows: &[RecordBatch],
) -> Result<(Vec<RecordBatch>, BTreeMap<String, u64>), TransformError> {
    let unkeyed = Unkeyed::default();
    let key: Vec<String> = model.key().into_iter().map(ToString::to_string).collect();
    let rows = rows.iter().map(|batch| unkeyed.split(&key, batch.clone()));
    Ok((rows.collect::<Result<_, _>>()?, unkeyed.counts()))
}

/// What an incremental build does to the table's files.
#[derive(Default)]
pub(super) struct Replaced {
    pub(super) added: Vec<DataFile>,
    pub(super) removed: Vec<LiveFile>,
    /// Rows that are written and were not published as they are.
    pub(super) inserted: u64,
    /// Published rows that go.
    pub(super) deleted: u64,
}

/// Puts rows in the place of all published rows with the keys. Rows that are published as they are
/// stay where they are.
pub(super) async fn replace_keys(
    table: &LakeTable,
    keys: &RecordBatch,
    rows: Vec<RecordBatch>,
    file_bytes: u64,
) -> Result<Replaced, TransformError> {
    let files = table.live_files().await?;
    let new = concat_batches(table.arrow_schema(), &in_order(table, rows)?)?;
    let found = find(table, &files, keys, New::of(new)?).await?;
    let deleted = found.gone.values().map(RoaringTreemap::len).sum();
    let rows = found.rows;
    let mut done = Replaced { inserted: rows.num_rows() as u64, deleted, ..Replaced::default() };
    let mut by_bucket: BTreeMap<Option<i32>, RecordBatch> =
        by_bucket(table, sorted(table, rows)?)?.into_iter().collect();
    let mut buckets: BTreeMap<Option<i32>, Vec<usize>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate() {
        buckets.entry(file.bucket()).or_default().push(place);
    }
    for bucket in by_bucket.keys() {
        buckets.entry(*bucket).or_default();
    }
    let rewriter = Rewriter { table, file_bytes };
    for (bucket, places) in buckets {
        let new = by_bucket.remove(&bucket).filter(|rows| rows.num_rows() > 0);
        let of_bucket: Vec<LiveFile> = places.iter().map(|i| files[*i].clone()).collect();
        let gone: BTreeMap<usize, RoaringTreemap> = places
            .iter()
            .enumerate()
            .filter_map(|(i, place)| Some((i, found.gone.get(place)?.clone())))
            .collect();
        if gone.is_empty() && new.is_none() {
            continue;
        }
        let bytes = new.as_ref().map_or(0, |rows| rows.get_array_memory_size() as u64 / 3);
        let stream = new.map(|rows| futures::stream::iter([Ok(rows)]).boxed());
        let Rewritten { added, removed } =
            rewriter.replace(bucket, &of_bucket, gone, stream, bytes).await?;
        done.added.extend(added);
        done.removed.extend(removed);
    }
    Ok(done)
}

/// The batches in the table's order of columns; NULL in those that the rows do not have.
fn in_order(table: &LakeTable, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, TransformError> {
    let schema = table.arrow_schema();
    let fit = |batch: RecordBatch| {
        let columns = schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).cloned();
            let none = || arrow::array::new_null_array(field.data_type(), batch.num_rows());
            column.unwrap_or_else(none)
        });
        Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
    };
    rows.into_iter().map(fit).collect()
}

/// New rows that are to be written, as long as they are not found published.
struct New {
    rows: RecordBatch,
    converter: RowConverter,
    /// Places of equal rows.
    places: HashMap<OwnedRow, Vec<usize>>,
}

impl New {
    fn of(rows: RecordBatch) -> Result<New, ArrowError> {
        let fields = rows.columns().iter().map(|c| SortField::new(c.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let encoded = converter.convert_columns(rows.columns())?;
        let mut places: HashMap<OwnedRow, Vec<usize>> = HashMap::new();
        for (place, row) in encoded.iter().enumerate() {
            places.entry(row.owned()).or_default().push(place);
        }
        Ok(New { rows, converter, places })
    }

    /// Which of the published rows are not among the new ones. Each new row keeps one of them.
    fn meet(&mut self, published: &[ArrayRef]) -> Result<Vec<bool>, ArrowError> {
        let encoded = self.converter.convert_columns(published)?;
        let goes = encoded.iter().map(|row| match self.places.get_mut(&row.owned()) {
            Some(places) => places.pop().is_none(),
            None => true,
        });
        Ok(goes.collect())
    }

    /// The rows that no published one was found for.
    fn rest(self) -> Result<RecordBatch, ArrowError> {
        let mut places: Vec<usize> = self.places.into_values().flatten().collect();
        places.sort_unstable();
        let places: UInt32Array =
            places.into_iter().map(|p| u32::try_from(p).unwrap_or(u32::MAX)).collect();
        take_record_batch(&self.rows, &places)
    }
}

struct Found {
    /// Positions of published rows that go, by place of their file.
    gone: BTreeMap<usize, RoaringTreemap>,
    /// Rows to write.
    rows: RecordBatch,
}

/// Finds the published rows with the keys.
async fn find(
    table: &LakeTable,
    files: &[LiveFile],
    keys: &RecordBatch,
    mut new: New,
) -> Result<Found, TransformError> {
    let mut gone: BTreeMap<usize, RoaringTreemap> = BTreeMap::new();
    if keys.num_rows() > 0 && !files.is_empty() {
        let keys = KeySet::leading(table, keys, keys.num_columns())?;
        let columns: Vec<String> =
            table.arrow_schema().fields().iter().map(|f| f.name().clone()).collect();
        for (place, file) in files.iter().enumerate() {
            let positions = table.locate(file, &keys).await?.positions;
            let mut at = positions.iter().copied();
            for batch in table.read_positions(file, &positions, &columns).await? {
                for goes in new.meet(batch.columns())? {
                    let position = at.next();
                    if let (true, Some(position)) = (goes, position) {
                        gone.entry(place).or_default().insert(position);
                    }
                }
            }
        }
    }
    Ok(Found { gone, rows: new.rest()? })
}

/// The rows in the order of the table's key.
fn sorted(table: &LakeTable, rows: RecordBatch) -> Result<RecordBatch, TransformError> {
    let key: Vec<ArrayRef> =
        table.key().iter().filter_map(|name| rows.column_by_name(name).cloned()).collect();
    if key.is_empty() {
        return Ok(rows);
    }
    let fields = key.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let encoded = RowConverter::new(fields)?.convert_columns(&key)?;
    let mut order: Vec<u32> = (0..u32::try_from(rows.num_rows()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|a, b| encoded.row(*a as usize).cmp(&encoded.row(*b as usize)));
    Ok(take_record_batch(&rows, &UInt32Array::from(order))?)
}
