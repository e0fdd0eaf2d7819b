//! Events by bucket: in memory as long as they fit, else on local disk.
//!
//! The limit is one of the job's memory, not of the table or the batch: when the events held grow
//! beyond it, all of them go to one file per bucket, and the buckets are worked off one by one. A
//! bucket that is too large in itself is split once more, by a hash of the key.
//!
//! The files have no names: whatever ends the job, no row of a person stays on the disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{BufReader, BufWriter, IntoInnerError, Seek};

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use foldhash::fast::FixedState;
use medallion_tables::table::LakeTable;

use super::event::Events;
use super::key::KeyEncoder;
use super::winners::At;
use crate::error::TransformError;

/// Rows of a batch on disk.
const ROWS: usize = 8192;
/// The most parts of a bucket: each is an open file while it is made.
const PARTS: u64 = 128;
/// The hash that splits a bucket differs from the one that finds keys.
const SPLIT_SEED: u64 = 0x5eed_5b11;

/// The bucket of a row; nothing for a table that has none.
pub(crate) type Bucket = Option<i32>;

/// The rows of some events by bucket.
pub(crate) fn by_bucket(
    table: &LakeTable,
    keys: &KeyEncoder,
    events: &[Events],
) -> Result<BTreeMap<Bucket, Vec<At>>, TransformError> {
    let mut found: BTreeMap<Bucket, Vec<At>> = BTreeMap::new();
    for (batch, events) in (0u32..).zip(events) {
        let first = keys.columns(&events.batch).into_iter().next();
        let buckets = match first {
            Some(values) => table.buckets_of(&values)?,
            None => None,
        };
        for row in 0..u32::try_from(events.len()).unwrap_or(u32::MAX) {
            let index = row as usize;
            let bucket = buckets.as_ref().filter(|b| b.is_valid(index)).map(|b| b.value(index));
            found.entry(bucket).or_default().push(At { batch, row });
        }
    }
    Ok(found)
}

/// The bytes that the rows of a batch take, without what else its buffers hold: batches that were
/// read from disk share one buffer between all columns.
pub(crate) fn bytes_of(batch: &RecordBatch) -> u64 {
    let columns = batch.columns().iter().map(Array::to_data);
    columns.filter_map(|data| data.get_slice_memory_size().ok()).sum::<usize>() as u64
}

/// What fails while events are written to or read from disk; mostly the disk.
fn spill_error(error: ArrowError) -> TransformError {
    match error {
        ArrowError::IoError(_, source) => TransformError::Spill { source },
        other => TransformError::Arrow(other),
    }
}

/// Collects the events of a batch.
pub(crate) struct Collector {
    table: LakeTable,
    schema: SchemaRef,
    limit: usize,
    held: Vec<Events>,
    bytes: usize,
    spill: Option<Spill>,
}

impl Collector {
    /// Holds about `limit` bytes of events in memory.
    pub(crate) fn new(table: &LakeTable, schema: SchemaRef, limit: usize) -> Collector {
        Collector { table: table.clone(), schema, limit, held: Vec::new(), bytes: 0, spill: None }
    }

    pub(crate) fn add(&mut self, keys: &KeyEncoder, events: Events) -> Result<(), TransformError> {
        if events.len() == 0 {
            return Ok(());
        }
        self.bytes += events.batch.get_array_memory_size();
        self.held.push(events);
        if self.bytes > self.limit { self.flush(keys) } else { Ok(()) }
    }

    fn flush(&mut self, keys: &KeyEncoder) -> Result<(), TransformError> {
        let events = std::mem::take(&mut self.held);
        self.bytes = 0;
        let spill = match self.spill.take() {
            Some(spill) => spill,
            None => Spill::new(self.schema.clone()),
        };
        let spill = self.spill.insert(spill);
        let batches: Vec<&RecordBatch> = events.iter().map(|e| &e.batch).collect();
        for (bucket, rows) in by_bucket(&self.table, keys, &events)? {
            spill.write(bucket, &batches, &rows)?;
        }
        Ok(())
    }

    /// What was collected, in parts that can be worked off one after the other.
    pub(crate) fn finish(mut self, keys: &KeyEncoder) -> Result<Collected, TransformError> {
        if self.spill.is_none() {
            return Ok(Collected::Held(self.held));
        }
        self.flush(keys)?;
        match self.spill {
            Some(spill) => Ok(Collected::Spilled(spill.close()?)),
            None => Ok(Collected::Held(Vec::new())),
        }
    }
}

/// All events of a batch.
pub(crate) enum Collected {
    /// In memory.
    Held(Vec<Events>),
    /// On disk, by bucket.
    Spilled(Spilled),
}

struct Spill {
    schema: SchemaRef,
    open: BTreeMap<Bucket, (StreamWriter<BufWriter<File>>, u64)>,
}

impl Spill {
    fn new(schema: SchemaRef) -> Spill {
        Spill { schema, open: BTreeMap::new() }
    }

    fn write(
        &mut self,
        bucket: Bucket,
        batches: &[&RecordBatch],
        rows: &[At],
    ) -> Result<(), TransformError> {
        let (writer, bytes) = match self.open.entry(bucket) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(slot) => {
                let file = tempfile::tempfile();
                let file = file.map_err(|source| TransformError::Spill { source })?;
                let writer = StreamWriter::try_new(BufWriter::new(file), &self.schema);
                slot.insert((writer.map_err(spill_error)?, 0))
            }
        };
        for chunk in rows.chunks(ROWS) {
            let pairs: Vec<(usize, usize)> = chunk.iter().map(|at| at.pair()).collect();
            let batch = interleave_record_batch(batches, &pairs)?;
            *bytes += bytes_of(&batch);
            writer.write(&batch).map_err(spill_error)?;
        }
        Ok(())
    }

    fn close(self) -> Result<Spilled, TransformError> {
        let mut parts = BTreeMap::new();
        for (bucket, (writer, bytes)) in self.open {
            let buffered = writer.into_inner().map_err(spill_error)?;
            let file = buffered.into_inner().map_err(IntoInnerError::into_error);
            let file = file.map_err(|source| TransformError::Spill { source })?;
            parts.insert(bucket, OnDisk { file, bytes });
        }
        Ok(Spilled { schema: self.schema, parts })
    }
}

/// The events of a bucket on disk.
struct OnDisk {
    file: File,
    /// What they take in memory.
    bytes: u64,
}

/// The part of a split bucket to which a key belongs.
pub(super) fn part_of(key: &[u8], parts: u64) -> u64 {
    FixedState::with_seed(SPLIT_SEED).hash_one(key) % parts.max(1)
}

/// Events on disk; the files go when this does.
pub(crate) struct Spilled {
    schema: SchemaRef,
    parts: BTreeMap<Bucket, OnDisk>,
}

impl Spilled {
    /// The buckets, each with the number of parts into which it must be split so that a part
    /// takes at most about `limit` bytes.
    pub(crate) fn buckets(&self, limit: u64) -> Vec<(Bucket, u64)> {
        let parts = |there: &OnDisk| there.bytes.div_ceil(limit.max(1)).clamp(1, PARTS);
        self.parts.iter().map(|(bucket, there)| (*bucket, parts(there))).collect()
    }

    /// The events of a bucket, one batch after the other. A bucket is read by one reader at a time.
    pub(crate) fn read(
        &self,
        bucket: Bucket,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, TransformError>>, TransformError> {
        let reader = match self.parts.get(&bucket) {
            None => None,
            Some(there) => {
                let file = there.file.try_clone().and_then(|mut file| {
                    file.rewind()?;
                    Ok(file)
                });
                let file = file.map_err(|source| TransformError::Spill { source })?;
                let reader = StreamReader::try_new(BufReader::new(file), None);
                Some(reader.map_err(spill_error)?)
            }
        };
        Ok(reader.into_iter().flatten().map(|batch| batch.map_err(spill_error)))
    }

    /// A bucket split by a hash of the key; its parts are numbered as buckets without one.
    pub(crate) fn split(
        &self,
        bucket: Bucket,
        parts: u64,
        keys: &KeyEncoder,
    ) -> Result<Spilled, TransformError> {
        let mut spill = Spill::new(self.schema.clone());
        for batch in self.read(bucket)? {
            let batch = batch?;
            let encoded = keys.encode(&batch)?;
            let mut rows: BTreeMap<u64, Vec<At>> = BTreeMap::new();
            for row in 0..batch.num_rows() {
                let part = part_of(encoded.row(row).data(), parts);
                let row = u32::try_from(row).unwrap_or(u32::MAX);
                rows.entry(part).or_default().push(At { batch: 0, row });
            }
            for (part, rows) in rows {
                let part = i32::try_from(part).ok();
                spill.write(part, &[&batch], &rows)?;
            }
        }
        spill.close()
    }

    /// The parts of a split bucket.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.parts.keys().copied()
    }
}
