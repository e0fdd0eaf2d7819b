//! One bucket of the history, or a part of one, to which a batch adds changes: the touched states
//! are found, each key is settled, and what changed is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use futures::StreamExt;
use medallion_tables::files::LiveFile;
use medallion_tables::scan::BatchStream;
use medallion_tables::table::TableError;
use roaring::RoaringTreemap;

use super::fold::{State, Tally, first_touched, settle};
use super::happenings::Happenings;
use super::rows::{Out, Sources, Values};
use super::stored::{Place, Stored};
use super::{Done, Historian};
use crate::error::TransformError;
use crate::merge::bucket::CHUNK_ROWS;
use crate::merge::partition::Bucket;
use crate::merge::rewrite::Rewritten;

/// Rows that go, by file of the bucket.
pub(super) type Gone = BTreeMap<usize, RoaringTreemap>;

/// What becomes of the touched states of a bucket.
struct Verdict {
    /// Rows to write, sorted as the table is.
    outs: Vec<Out>,
    /// The source columns of the rows that were read.
    stored: RecordBatch,
    gone: Gone,
    tally: Tally,
}

impl Historian {
    /// Works off a bucket whose events are all in memory.
    pub(super) async fn whole(
        self: &Arc<Self>,
        bucket: Bucket,
        files: &[LiveFile],
        happenings: Happenings,
    ) -> Result<Done, TransformError> {
        let Verdict { outs, stored, gone, tally } = self.decide(files, &happenings).await?;
        let bytes = happenings.rows.get_array_memory_size() / 3;
        let bytes = bytes * outs.len() / happenings.rows.num_rows().max(1);
        let rows = self.stream(happenings, stored, outs);
        let files = self.files().replace(bucket, files, gone, Some(rows), bytes as u64).await?;
        Ok(Done { files, tally })
    }

    /// Works off a part of a bucket: what it writes becomes files of their own, and what goes is
    /// remembered until all parts are known.
    pub(super) async fn part(
        self: &Arc<Self>,
        bucket: Bucket,
        files: &[LiveFile],
        happenings: Happenings,
        gone: &mut Gone,
    ) -> Result<Done, TransformError> {
        let verdict = self.decide(files, &happenings).await?;
        for (file, positions) in verdict.gone {
            *gone.entry(file).or_default() |= positions;
        }
        let rows = self.stream(happenings, verdict.stored, verdict.outs);
        let added = self.files().write(bucket, rows).await?;
        let files = Rewritten { added, removed: Vec::new() };
        Ok(Done { files, tally: verdict.tally })
    }

    /// Takes out what the parts of a bucket found to go.
    pub(super) async fn after_parts(
        &self,
        bucket: Bucket,
        files: &[LiveFile],
        gone: Gone,
    ) -> Result<Done, TransformError> {
        let files = self.files().replace(bucket, files, gone, None, 0).await?;
        Ok(Done { files, tally: Tally::default() })
    }

    async fn decide(
        &self,
        files: &[LiveFile],
        happenings: &Happenings,
    ) -> Result<Verdict, TransformError> {
        let firsts = UInt32Array::from(happenings.first_rows());
        let keys = take_record_batch(&happenings.rows, &firsts)?;
        let mut known = self.states(files, &keys).await?;
        let late: Vec<_> = happenings.keys.iter().map(|key| happenings.late(self, key)).collect();
        for (states, late) in known.iter_mut().zip(&late) {
            let began: Vec<_> = states.iter().map(|stored| stored.state.began.clone()).collect();
            states.drain(..first_touched(&began, late.as_ref()));
        }
        let mut places: Vec<Place> = known.iter().flatten().map(|stored| stored.place).collect();
        places.sort_unstable();
        let stored = self.values(files, &places).await?;
        let encoded = self.encode(&stored)?;
        let bytes = |values: Values| match values {
            Values::Event(row) => happenings.encoded.row(row),
            Values::Stored(row) => encoded.row(row),
        };
        let mut verdict =
            Verdict { outs: Vec::new(), stored, gone: Gone::new(), tally: Tally::default() };
        for ((key, states), late) in happenings.keys.iter().zip(&known).zip(late) {
            let with_values: Vec<State<Values>> =
                states.iter().map(|stored| located(stored, &places)).collect();
            let happens = happenings.of(self, key);
            let same = |a: Values, b: Values| bytes(a) == bytes(b);
            let settled = settle(&with_values, &happens, late.as_ref(), same, &mut verdict.tally);
            for (stored, _) in states.iter().zip(settled.stays).filter(|(_, stays)| !stays) {
                let Place { file, position } = stored.place;
                verdict.gone.entry(file).or_default().insert(position);
            }
            verdict.outs.extend(settled.written.into_iter().map(Out::State));
        }
        Ok(verdict)
    }

    /// What changed, as rows of the table.
    fn stream(
        self: &Arc<Self>,
        happenings: Happenings,
        stored: RecordBatch,
        outs: Vec<Out>,
    ) -> BatchStream {
        let historian = Arc::clone(self);
        let chunks = (0..outs.len()).step_by(CHUNK_ROWS);
        let chunk = move |start: usize| {
            let end = outs.len().min(start + CHUNK_ROWS);
            let (table, events) = (&historian.table, &happenings.rows);
            let rows = Sources { table, events, stored: &stored }.rows(&outs[start..end]);
            rows.map_err(|source| TableError::Rows {
                table: table.name(),
                source: Box::new(source),
            })
        };
        futures::stream::iter(chunks).map(chunk).boxed()
    }
}

/// A state whose values are in the row that was read from its place.
fn located(stored: &Stored, places: &[Place]) -> State<Values> {
    let row = places.binary_search(&stored.place).unwrap_or_default();
    let State { began, from, end, .. } = stored.state.clone();
    State { began, from, end, values: Values::Stored(row) }
}
