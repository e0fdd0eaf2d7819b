//! What the table should hold: the deciding changes, bucket by bucket.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::hash::compared_schema;
use crate::error::TransformError;
use crate::merge::event::Effect;
use crate::merge::intake::Intake;
use crate::merge::partition::{Bucket, Collected, Spilled, by_bucket};
use crate::merge::schedule::{load, loaded_limit};
use crate::merge::winners::{At, Held, winners};
use medallion_tables::table::LakeTable;

/// Rows of a batch.
const CHUNK_ROWS: usize = 8192;

/// The expected side, whole buckets at a time and in parts where they are large.
pub(super) struct Expected {
    intake: Arc<Intake>,
    schema: SchemaRef,
    kept: Kept,
    /// Hashes of the keys that are not compared.
    pub(super) left_out: HashSet<u128>,
}

enum Kept {
    Held { held: Arc<Held>, rows: BTreeMap<Bucket, Vec<At>> },
    Spilled { spilled: Arc<Spilled>, parts: BTreeMap<Bucket, u64> },
}

/// The events of one bucket.
pub(super) struct Events<'a> {
    expected: &'a Expected,
    from: Source<'a>,
}

enum Source<'a> {
    Nothing,
    Memory(Arc<Held>, &'a [At]),
    Loaded(Arc<Held>, Vec<At>),
    Split(Spilled),
}

/// Which rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those of the deciding changes: what the table should hold.
    Deciding,
    /// Those of all changes that carry a row.
    All,
}

impl Expected {
    pub(super) fn new(
        intake: &Arc<Intake>,
        table: &LakeTable,
        events: Collected,
        left_out: HashSet<u128>,
        memory_bytes: u64,
    ) -> Result<Expected, TransformError> {
        let kept = match events {
            Collected::Held(events) => {
                let rows = by_bucket(table, &intake.keys, &events)?;
                Kept::Held { held: Arc::new(Held::new(&intake.keys, events)?), rows }
            }
            Collected::Spilled(spilled) => {
                let parts = spilled.buckets(loaded_limit(memory_bytes)).into_iter().collect();
                Kept::Spilled { spilled: Arc::new(spilled), parts }
            }
        };
        let (intake, schema) = (Arc::clone(intake), compared_schema(&intake.contract));
        Ok(Expected { intake, schema, kept, left_out })
    }

    /// The buckets that have events.
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        match &self.kept {
            Kept::Held { rows, .. } => rows.keys().copied().collect(),
            Kept::Spilled { parts, .. } => parts.keys().copied().collect(),
        }
    }

    /// The events of a bucket: from disk once, in parts where they are too many.
    pub(super) fn events(&self, bucket: Bucket) -> Result<Events<'_>, TransformError> {
        let from = match &self.kept {
            Kept::Held { held, rows } => match rows.get(&bucket) {
                Some(rows) => Source::Memory(Arc::clone(held), rows),
                None => Source::Nothing,
            },
            Kept::Spilled { spilled, parts } => match parts.get(&bucket) {
                None => Source::Nothing,
                Some(1) => {
                    let (held, rows) = load(&self.intake.keys, spilled, bucket)?;
                    Source::Loaded(held, rows)
                }
                Some(parts) => Source::Split(spilled.split(bucket, *parts, &self.intake.keys)?),
            },
        };
        Ok(Events { expected: self, from })
    }
}

impl Events<'_> {
    /// Hands out the rows, in no order, as batches of [`compared_schema`].
    pub(super) fn each<E: From<TransformError>>(
        &self,
        rows: Rows,
        mut take: impl FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.from {
            Source::Nothing => Ok(()),
            Source::Memory(held, events) => self.part(rows, held, events, &mut take),
            Source::Loaded(held, events) => self.part(rows, held, events, &mut take),
            Source::Split(split) => {
                for part in split.parts() {
                    let (held, events) = load(&self.expected.intake.keys, split, part)?;
                    self.part(rows, &held, &events, &mut take)?;
                }
                Ok(())
            }
        }
    }

    /// The same for events that are in memory; all events of a key are among them.
    fn part<E: From<TransformError>>(
        &self,
        rows: Rows,
        held: &Arc<Held>,
        events: &[At],
        take: &mut impl FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut carrying: Vec<At> = match rows {
            Rows::Deciding => winners(held, events.iter().copied()).events,
            Rows::All => events.to_vec(),
        };
        carrying.retain(|at| held.effect(*at) == Effect::Upsert);
        for chunk in carrying.chunks(CHUNK_ROWS) {
            take(&self.fit(&held.rows(chunk)?)?)?;
        }
        Ok(())
    }

    fn fit(&self, events: &RecordBatch) -> Result<RecordBatch, TransformError> {
        let schema = &self.expected.schema;
        let place = |field: &Arc<arrow::datatypes::Field>| events.schema().index_of(field.name());
        let places = schema.fields().iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let columns = events.project(&places)?.columns().to_vec();
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
