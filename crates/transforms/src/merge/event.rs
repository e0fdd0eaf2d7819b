//! Changes as events: one event says what becomes of one key.
//!
//! A change of a row that keeps its key is one event. One that moves the row to another key is two:
//! the new key appears, and the old one goes (a departure).

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt8Array, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt64Type,
};
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;

use super::key::{KeyEncoder, moved_rows};
use crate::bronze::{Changes, source_schema};
use crate::error::TransformError;

/// Events of the batch itself; events that were read again for late changes lie below.
const OWN: u64 = 1 << 62;
/// Bits of the row number within a file.
const ROW_BITS: u32 = 40;

/// What an event does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The row becomes the key's state.
    Upsert = 0,
    /// The key goes because its row was deleted.
    Delete = 1,
    /// The key goes because its row moved to another key.
    Departure = 2,
}

/// Where an event comes from: whether its file belongs to the batch or was applied before, the
/// file's place, and the row. Greater means later among events of the same sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ordinal(pub(super) u64);

impl Ordinal {
    fn new(own: bool, file: u64, row: u64) -> Ordinal {
        Ordinal(if own { OWN } else { 0 } | (file << ROW_BITS) | row)
    }

    pub(crate) fn is_own(self) -> bool {
        self.0 & OWN != 0
    }
}

/// The schema of events: the source columns of a contract in Silver types, then four of our own.
pub(crate) fn schema(contract: &TableContract) -> SchemaRef {
    let source = source_schema(contract);
    let mut fields: Vec<_> = source.fields().iter().cloned().collect();
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    fields.extend([
        Arc::new(Field::new("#seq", DataType::Utf8, false)),
        Arc::new(Field::new("#at", time, true)),
        Arc::new(Field::new("#effect", DataType::UInt8, false)),
        Arc::new(Field::new("#ordinal", DataType::UInt64, false)),
    ]);
    Arc::new(Schema::new(fields))
}

/// The number of columns in [`schema`] that are not of the source.
const OURS: usize = 4;

/// A view of a batch of events.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub(crate) batch: RecordBatch,
}

impl Events {
    /// The events of changes. `rejected` rows do not take effect, but one that moved has left its
    /// old key all the same: the old key's row does not exist at the source any more.
    pub(crate) fn new(
        keys: &KeyEncoder,
        contract: &TableContract,
        changes: &Changes,
        rejected: &[bool],
        own: bool,
    ) -> Result<Events, TransformError> {
        let moved = moved_rows(keys, changes)?;
        let schema = schema(contract);
        let ordinals = changes.file.values().iter().zip(changes.row.values());
        let ordinals: Vec<u64> = ordinals.map(|(f, r)| Ordinal::new(own, *f, *r).0).collect();
        let effects = (0..changes.len()).map(|row| match changes.op(row) {
            Op::Insert | Op::Update => Effect::Upsert as u8,
            Op::Delete => Effect::Delete as u8,
        });
        let effects = UInt8Array::from_iter_values(effects);
        let all = with(&schema, &changes.source, changes, effects, &ordinals)?;
        let mut parts = vec![if rejected.iter().any(|r| *r) {
            filter_record_batch(&all, &rejected.iter().map(|r| Some(!r)).collect())?
        } else {
            all
        }];
        if !moved.is_empty() {
            parts.push(departures(&schema, changes, &moved, &ordinals)?);
        }
        let batch = match parts.as_slice() {
            [only] => only.clone(),
            _ => concat_batches(&schema, &parts)?,
        };
        Ok(Events { batch })
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    fn ours(&self, index: usize) -> &ArrayRef {
        self.batch.column(self.batch.num_columns() - OURS + index)
    }

    pub(crate) fn seqs(&self) -> &StringArray {
        self.ours(0).as_string()
    }

    /// When the change was committed, microseconds since the epoch; Bronze rows without such a time
    /// are refused.
    pub(super) fn changed_at(&self, row: usize) -> i64 {
        self.ours(1).as_primitive::<TimestampMicrosecondType>().value(row)
    }

    pub(crate) fn effect(&self, row: usize) -> Effect {
        match self.ours(2).as_primitive::<UInt8Type>().value(row) {
            0 => Effect::Upsert,
            1 => Effect::Delete,
            _ => Effect::Departure,
        }
    }

    pub(crate) fn ordinal(&self, row: usize) -> Ordinal {
        Ordinal(self.ours(3).as_primitive::<UInt64Type>().value(row))
    }
}

fn with(
    schema: &SchemaRef,
    source: &RecordBatch,
    changes: &Changes,
    effects: UInt8Array,
    ordinals: &[u64],
) -> Result<RecordBatch, TransformError> {
    let mut columns = source.columns().to_vec();
    columns.extend([
        Arc::new(changes.seq.clone()) as ArrayRef,
        Arc::new(changes.changed_at.clone()),
        Arc::new(effects),
        Arc::new(UInt64Array::from(ordinals.to_vec())),
    ]);
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The moved rows as events of the keys that they left.
fn departures(
    schema: &SchemaRef,
    changes: &Changes,
    moved: &[usize],
    ordinals: &[u64],
) -> Result<RecordBatch, TransformError> {
    let deletes = changes.as_deletes_of_before()?;
    let effects = UInt8Array::from(vec![Effect::Departure as u8; changes.len()]);
    let all = with(schema, &deletes.source, &deletes, effects, ordinals)?;
    let rows = UInt64Array::from_iter_values(moved.iter().map(|row| *row as u64));
    Ok(take_record_batch(&all, &rows)?)
}
