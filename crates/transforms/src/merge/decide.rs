//! What becomes of the keys of one bucket: the deciding events against the rows that are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, interleave, kernels::cmp::distinct};
use arrow::datatypes::{Field, Schema};
use medallion_definition::change::SILVER_CHANGE_SEQ;
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;
use medallion_tables::table::LakeTable;
use roaring::RoaringTreemap;

use super::balance::Balance;
use super::event::Effect;
use super::winners::{At, Winners};
use crate::error::TransformError;

/// Bytes of rows of the table that are compared at a time.
const COMPARED_BYTES: u64 = 16 << 20;
/// Rows that are compared at a time at least: each time a file is opened for them.
const COMPARED_ROWS: u64 = 256;
/// How much larger rows may be than their file says: files are compressed.
const EXPANSION: u64 = 8;

/// Where a row of the table stands: the file's index among those of the bucket, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: usize,
    position: u64,
}

/// The decision over the keys of one bucket, or of a part of one.
#[derive(Default)]
pub(super) struct Verdict {
    /// Events whose rows become the state of their key, in key order.
    pub(super) write: Vec<At>,
    /// Rows that go, by file of the bucket.
    pub(super) gone: BTreeMap<usize, RoaringTreemap>,
    pub(super) balance: Balance,
}

/// A winner whose row might replace one that is there.
#[derive(Clone, Copy)]
struct Candidate {
    winner: usize,
    place: Place,
}

/// Decides over the winners of a bucket.
pub(super) struct Decider<'a> {
    pub(super) table: &'a LakeTable,
    /// The bucket's live files.
    pub(super) files: &'a [LiveFile],
    /// The names of the key columns.
    pub(super) key: &'a [String],
    /// The source columns, those first that an update most likely changes.
    pub(super) columns: &'a [String],
    /// No row of the table was made by a later change.
    pub(super) watermark_seq: &'a str,
    pub(super) winners: &'a Winners,
}

impl Decider<'_> {
    pub(super) async fn decide(&self) -> Result<Verdict, TransformError> {
        let mut verdict = Verdict::default();
        let present = self.locate(&mut verdict).await?;
        let stale = self.stale(&present).await?;
        let mut accounted = 0;
        let (mut write, mut candidates) = (Vec::new(), Vec::new());
        for (winner, at) in self.winners.events.iter().enumerate() {
            let (effect, own) =
                (self.winners.held.effect(*at), self.winners.held.ordinal(*at).is_own());
            let counted = u64::from(own && effect != Effect::Departure);
            accounted += counted;
            let balance = &mut verdict.balance;
            match (effect, present[winner]) {
                (_, Some(_)) if stale[winner] => balance.stale += counted,
                (Effect::Upsert, None) => {
                    balance.inserted += counted;
                    write.push(winner);
                }
                (Effect::Upsert, Some(place)) => candidates.push(Candidate { winner, place }),
                (Effect::Delete, None) => balance.unchanged += counted,
                (Effect::Delete, Some(place)) => {
                    balance.deleted += counted;
                    go(&mut verdict.gone, place);
                }
                (Effect::Departure, Some(place)) => {
                    balance.moved += 1;
                    go(&mut verdict.gone, place);
                }
                (Effect::Departure, None) => {}
            }
        }
        verdict.balance.stale += self.winners.overruled;
        accounted += self.winners.overruled;
        verdict.balance.superseded = self.winners.own_changes - accounted;
        let differing = self.differing(&candidates).await?;
        for (candidate, differs) in candidates.iter().zip(differing) {
            let at = self.winners.events[candidate.winner];
            let counted = u64::from(self.winners.held.ordinal(at).is_own());
            if differs {
                verdict.balance.updated += counted;
                go(&mut verdict.gone, candidate.place);
                write.push(candidate.winner);
            } else {
                verdict.balance.unchanged += counted;
            }
        }
        write.sort_unstable();
        verdict.write = write.into_iter().map(|winner| self.winners.events[winner]).collect();
        Ok(verdict)
    }

    /// The row that each winner's key has now. Should a key stand twice, the later file's row
    /// counts and the other goes.
    async fn locate(&self, verdict: &mut Verdict) -> Result<Vec<Option<Place>>, TransformError> {
        let mut present: Vec<Option<Place>> = vec![None; self.winners.events.len()];
        if self.files.is_empty() {
            return Ok(present);
        }
        let keys = KeySet::new(self.table, &self.rows(self.key, &self.winners.events)?)?;
        for (file, live) in self.files.iter().enumerate() {
            let located = self.table.locate(live, &keys).await?;
            for (position, key) in located.positions.into_iter().zip(located.keys) {
                let place = Place { file, position };
                if let Some(other) = present[key as usize].replace(place) {
                    go(&mut verdict.gone, other);
                }
            }
        }
        Ok(present)
    }

    /// Which winners are not newer than the row that is there. Only winners that are not newer
    /// than the watermark can be.
    async fn stale(&self, present: &[Option<Place>]) -> Result<Vec<bool>, TransformError> {
        let mut stale = vec![false; present.len()];
        let seq = |winner: usize| self.winners.held.seq(self.winners.events[winner]);
        let doubtful = |(winner, place): (usize, &Option<Place>)| {
            let place = (*place)?;
            (seq(winner) <= self.watermark_seq).then_some(Candidate { winner, place })
        };
        let doubtful: Vec<Candidate> = present.iter().enumerate().filter_map(doubtful).collect();
        let columns = [SILVER_CHANGE_SEQ.to_owned()];
        for (file, group) in by_file(doubtful) {
            let rows = self.read(file, &group, &columns).await?;
            let seqs = rows.column(0).as_string::<i32>();
            for (row, candidate) in group.iter().enumerate() {
                stale[candidate.winner] = seqs.value(row) >= seq(candidate.winner);
            }
        }
        Ok(stale)
    }

    /// Whether each candidate's row differs from the one that is there, in the order given. The
    /// column that an update changes most likely is compared first, the others only where it is
    /// equal: most updates cost one column.
    async fn differing(&self, candidates: &[Candidate]) -> Result<Vec<bool>, TransformError> {
        let indexed = candidates.iter().enumerate();
        let mut open: Vec<Candidate> =
            indexed.map(|(index, c)| Candidate { winner: index, place: c.place }).collect();
        let mut differs = vec![true; candidates.len()];
        let first = self.columns.len().min(1);
        let (likely, others) = self.columns.split_at(first);
        for columns in [likely, others].into_iter().filter(|columns| !columns.is_empty()) {
            let mut equal = Vec::new();
            for (file, group) in by_file(open) {
                for group in group.chunks(self.rows_at_a_time(file)) {
                    let there = self.read(file, group, columns).await?;
                    let event = |c: &Candidate| self.winners.events[candidates[c.winner].winner];
                    let events: Vec<At> = group.iter().map(event).collect();
                    let new = self.rows(columns, &events)?;
                    let different = different(&there, &new)?;
                    let same = group.iter().zip(different).filter(|(_, different)| !different);
                    equal.extend(same.map(|(candidate, _)| *candidate));
                }
            }
            open = equal;
        }
        open.iter().for_each(|candidate| differs[candidate.winner] = false);
        Ok(differs)
    }

    /// How many rows of a file are read at a time, so that they take bounded memory.
    fn rows_at_a_time(&self, file: usize) -> usize {
        let file = &self.files[file];
        let row = (file.size() * EXPANSION / file.records().max(1)).max(1);
        usize::try_from((COMPARED_BYTES / row).max(COMPARED_ROWS)).unwrap_or(usize::MAX)
    }

    /// These columns of the rows of a file, one row per candidate.
    async fn read(
        &self,
        file: usize,
        candidates: &[Candidate],
        columns: &[String],
    ) -> Result<RecordBatch, TransformError> {
        let positions: Vec<u64> = candidates.iter().map(|c| c.place.position).collect();
        let batches = self.table.read_positions(&self.files[file], &positions, columns).await?;
        let schema = self.table.arrow_schema();
        let fields = columns.iter().map(|name| schema.field_with_name(name).cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Result<Vec<Field>, _>>()?));
        Ok(concat_batches(&schema, &batches)?)
    }

    /// These columns of events.
    fn rows(&self, columns: &[String], events: &[At]) -> Result<RecordBatch, TransformError> {
        let pairs: Vec<(usize, usize)> = events.iter().map(|at| at.pair()).collect();
        let named = columns.iter().map(|name| {
            let arrays: Vec<&dyn Array> = self
                .winners
                .held
                .batches()
                .filter_map(|batch| Some(batch.column_by_name(name)?.as_ref()))
                .collect();
            Ok((name.as_str(), interleave(&arrays, &pairs)?, true))
        });
        let named = named.collect::<Result<Vec<(&str, ArrayRef, bool)>, TransformError>>()?;
        Ok(RecordBatch::try_from_iter_with_nullable(named)?)
    }
}

fn go(gone: &mut BTreeMap<usize, RoaringTreemap>, place: Place) {
    gone.entry(place.file).or_default().insert(place.position);
}

/// Candidates by file, by position within each.
fn by_file(candidates: Vec<Candidate>) -> BTreeMap<usize, Vec<Candidate>> {
    let mut files: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        files.entry(candidate.place.file).or_default().push(candidate);
    }
    for group in files.values_mut() {
        group.sort_unstable_by_key(|candidate| candidate.place.position);
    }
    files
}

/// Row by row, whether some column differs; NULL equals NULL.
fn different(a: &RecordBatch, b: &RecordBatch) -> Result<Vec<bool>, TransformError> {
    let mut found = vec![false; a.num_rows()];
    for (a, b) in a.columns().iter().zip(b.columns()) {
        for (found, differs) in found.iter_mut().zip(distinct(a, b)?.values()) {
            *found = *found || differs;
        }
    }
    Ok(found)
}
