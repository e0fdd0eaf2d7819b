//! One bucket of the history under a new full load: every state that lasts is looked at, since a
//! key may have gone without a change that says so. The bucket is read once, in the order of its
//! keys, beside the events, and written anew.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{concat_batches, filter_record_batch, not, nullif, or, prep_null_mask_filter};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::row::Rows;
use futures::{StreamExt, TryStreamExt};
use medallion_definition::catalogue::{
    ENDED_GENERATION, ENDED_SEQ, HISTORY_GENERATION, IS_CURRENT, VALID_TO,
};
use medallion_tables::files::LiveFile;
use medallion_tables::reader::merge_sorted;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::TableError;
use medallion_tables::writer::BucketWriter;
use roaring::RoaringTreemap;

use super::fold::{Happening, Origin, State, Tally, settle};
use super::happenings::Happenings;
use super::rows::{About, Out, Sources, Values};
use super::{Done, Historian};
use crate::error::TransformError;
use crate::merge::bucket::CHUNK_ROWS;
use crate::merge::key::KeyEncoder;
use crate::merge::partition::{Bucket, part_of};
use crate::merge::rewrite::Rewritten;

/// A part of a split bucket, by its number and the number of parts.
pub(super) type Part = (u64, u64);

impl Historian {
    /// Writes a bucket, or a part of one, anew. The old files go with the batch, whatever part.
    pub(super) async fn reload(
        &self,
        keys: &KeyEncoder,
        bucket: Bucket,
        files: &[LiveFile],
        part: Part,
        happenings: Option<Happenings>,
    ) -> Result<Done, TransformError> {
        let mut rows = self.sorted(files)?;
        let writer = BucketWriter::new(&self.table, bucket, self.file_bytes)?;
        let mut join = Join {
            historian: self,
            happenings: happenings.as_ref(),
            next: 0,
            writer,
            tally: Tally::default(),
        };
        let mut carried: Option<RecordBatch> = None;
        while let Some(batch) = rows.try_next().await? {
            let batch = of_part(keys, &batch, part)?;
            let batch = match carried.take() {
                Some(before) => concat_batches(self.table.arrow_schema(), [&before, &batch])?,
                None => batch,
            };
            // Whether the last row is its key's last one is not known yet.
            let Some(ready) = batch.num_rows().checked_sub(1) else { continue };
            carried = Some(batch.slice(ready, 1));
            join.rows(&batch, ready, &keys.encode(&batch)?).await?;
        }
        if let Some(last) = carried {
            join.rows(&last, 1, &keys.encode(&last)?).await?;
        }
        join.rest().await?;
        let (added, tally) = (join.writer.finish().await?, join.tally);
        Ok(Done { files: Rewritten { added, removed: Vec::new() }, tally })
    }
}

impl Historian {
    /// The rows of a bucket in the order of their keys.
    fn sorted(&self, files: &[LiveFile]) -> Result<BatchStream, TransformError> {
        if files.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let none = RoaringTreemap::new();
        let streams = files.iter().map(|file| self.table.read_except(file, &none));
        let rows = merge_sorted(&self.table, streams.collect::<Result<_, _>>()?)?;
        if !self.restarts {
            return Ok(rows);
        }
        let (name, generation) = (self.table.name(), self.generation);
        let before = move |batch: RecordBatch| {
            before_generation(&batch, generation)
                .map_err(|source| TableError::Rows { table: name.clone(), source: source.into() })
        };
        Ok(rows.map(move |batch| batch.and_then(&before)).boxed())
    }
}

/// What the rows said before a generation began: its states are not there yet, and what it ended
/// lasts.
fn before_generation(rows: &RecordBatch, generation: i64) -> Result<RecordBatch, ArrowError> {
    let of_it = |rows: &RecordBatch, name: &str| -> Result<BooleanArray, ArrowError> {
        let column = rows.column(rows.schema().index_of(name)?);
        let number = Int64Array::new_scalar(generation);
        let mask = eq(column.as_primitive::<Int64Type>(), &number)?;
        // NULL is of no generation.
        Ok(if mask.null_count() > 0 { prep_null_mask_filter(&mask) } else { mask })
    };
    let rows = filter_record_batch(rows, &not(&of_it(rows, HISTORY_GENERATION)?)?)?;
    let ended = of_it(&rows, ENDED_GENERATION)?;
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        match field.name().as_str() {
            VALID_TO | ENDED_GENERATION | ENDED_SEQ => nullif(column, &ended),
            IS_CURRENT => Ok(Arc::new(or(column.as_boolean(), &ended)?) as ArrayRef),
            _ => Ok(Arc::clone(column)),
        }
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    RecordBatch::try_new(Arc::clone(&schema), columns)
}

fn of_part(
    keys: &KeyEncoder,
    rows: &RecordBatch,
    (part, parts): Part,
) -> Result<RecordBatch, TransformError> {
    if parts <= 1 {
        return Ok(rows.clone());
    }
    let encoded = keys.encode(rows)?;
    let mask = encoded.iter().map(|key| Some(part_of(key.data(), parts) == part));
    Ok(filter_record_batch(rows, &mask.collect::<BooleanArray>())?)
}

/// The rows of the table beside the events, both in the order of keys.
struct Join<'a> {
    historian: &'a Historian,
    happenings: Option<&'a Happenings>,
    /// The key whose events come next.
    next: usize,
    writer: BucketWriter,
    tally: Tally,
}

impl<'a> Join<'a> {
    fn next_key(&self) -> Option<(&'a Happenings, &'a Range<usize>)> {
        let happenings = self.happenings?;
        Some((happenings, happenings.keys.get(self.next)?))
    }

    /// Goes through the first `ready` rows of a batch.
    async fn rows(
        &mut self,
        batch: &RecordBatch,
        ready: usize,
        keys: &Rows,
    ) -> Result<(), TransformError> {
        let (about, encoded) = (About::new(batch)?, self.historian.encode(batch)?);
        let mut outs = Vec::new();
        for row in 0..ready {
            let key = keys.row(row);
            // Keys that the table does not have come in between.
            while let Some((happenings, range)) = self.next_key()
                && happenings.key(range) < key.data()
            {
                self.appear(happenings, range, &mut outs);
            }
            let is_last = row + 1 >= keys.num_rows() || keys.row(row + 1) != key;
            if !is_last {
                outs.push(Out::Same(row));
                continue;
            }
            let state = about.state(row, Values::Stored(row));
            self.last_state(state, key.data(), &encoded, &mut outs, row);
            if outs.len() >= CHUNK_ROWS {
                self.write(batch, &outs).await?;
                outs.clear();
            }
        }
        self.write(batch, &outs).await
    }

    /// A key that the table does not have.
    fn appear(&mut self, happenings: &Happenings, range: &Range<usize>, outs: &mut Vec<Out>) {
        let same = |a: Values, b: Values| match (a, b) {
            (Values::Event(a), Values::Event(b)) => {
                happenings.encoded.row(a) == happenings.encoded.row(b)
            }
            _ => false,
        };
        let happens = happenings.of(self.historian, range);
        let settled = settle(&[], &happens, None, same, &mut self.tally);
        outs.extend(settled.written.into_iter().map(Out::State));
        self.next += 1;
    }

    /// The last state that the table has of a key, with what happens to the key.
    fn last_state(
        &mut self,
        state: State<Values>,
        key: &[u8],
        encoded: &Rows,
        outs: &mut Vec<Out>,
        row: usize,
    ) {
        let next = self.next_key().filter(|(happenings, range)| happenings.key(range) == key);
        let mut happens = Vec::new();
        if let Some((happenings, range)) = next {
            happens = happenings.of(self.historian, range);
            self.next += 1;
        }
        let loaded = |happening: &Happening<Values>| happening.mark.seq.is_empty();
        if !happens.iter().any(loaded) {
            happens.insert(0, self.missing());
        }
        let bytes = |values: Values| match (values, next) {
            (Values::Stored(row), _) => Some(encoded.row(row)),
            (Values::Event(row), Some((happenings, _))) => Some(happenings.encoded.row(row)),
            (Values::Event(_), None) => None,
        };
        let same = |a: Values, b: Values| bytes(a) == bytes(b);
        let settled = settle(&[state], &happens, None, same, &mut self.tally);
        if settled.stays.first() == Some(&true) {
            outs.push(Out::Same(row));
        }
        outs.extend(settled.written.into_iter().map(Out::State));
    }

    /// The new load does not have the key.
    fn missing(&self) -> Happening<Values> {
        let historian = self.historian;
        Happening {
            mark: historian.mark(""),
            at: historian.since_micros,
            values: None,
            origin: Origin::Missing,
        }
    }

    /// The keys after the last row of the table.
    async fn rest(&mut self) -> Result<(), TransformError> {
        let nothing = RecordBatch::new_empty(self.historian.table.arrow_schema().clone());
        let mut outs = Vec::new();
        while let Some((happenings, range)) = self.next_key() {
            self.appear(happenings, range, &mut outs);
            if outs.len() >= CHUNK_ROWS {
                self.write(&nothing, &outs).await?;
                outs.clear();
            }
        }
        self.write(&nothing, &outs).await
    }

    async fn write(&mut self, stored: &RecordBatch, outs: &[Out]) -> Result<(), TransformError> {
        if outs.is_empty() {
            return Ok(());
        }
        let table = &self.historian.table;
        let no_events = RecordBatch::new_empty(table.arrow_schema().clone());
        let events = self.happenings.map_or(&no_events, |happenings| &happenings.rows);
        let rows = Sources { table, events, stored }.rows(outs)?;
        Ok(self.writer.write(&rows).await?)
    }
}
