//! What becomes of every key that a batch is about.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use medallion_definition::change::SILVER_CHANGE_SEQ;
use medallion_tables::files::LiveFile;

use super::balance::Balance;
use crate::bronze::Changes;
use crate::consolidate::{Effect, KeyEncoder, Winner, Winners};
use crate::error::TransformError;

/// A row of the table that a change of the batch is about.
pub(super) struct Found {
    seq: String,
    /// The source columns, encoded for comparison.
    content: OwnedRow,
}

/// A live file with the rows that the batch may touch.
pub(super) struct TouchedFile {
    pub(super) file: LiveFile,
    pub(super) rows: RecordBatch,
    pub(super) keys: Rows,
}

/// What becomes of the table's keys.
#[derive(Default)]
pub(super) struct Decisions {
    /// Keys whose present row goes.
    pub(super) remove: HashSet<OwnedRow>,
    /// Rows of the batch that become the state of their key.
    pub(super) write: Vec<u64>,
}

/// The decision over every key of a batch.
pub(super) struct Merge<'a> {
    pub(super) keys: &'a KeyEncoder,
    pub(super) changes: &'a Changes,
    /// How many of the changes belong to the batch itself; the rest is history that was read
    /// again, and is not part of the balance.
    pub(super) own_rows: usize,
    pub(super) balance: Balance,
}

impl Merge<'_> {
    fn content_encoder(&self) -> Result<RowConverter, TransformError> {
        let fields = self.changes.source.schema();
        let sort = fields.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(RowConverter::new(sort)?)
    }

    /// The present rows of the keys that the batch is about.
    pub(super) fn found(
        &self,
        touched: &[TouchedFile],
        deciding: &Winners,
    ) -> Result<HashMap<OwnedRow, Found>, TransformError> {
        let encoder = self.content_encoder()?;
        let source = self.changes.source.schema();
        let mut found = HashMap::new();
        for file in touched {
            let columns: Vec<ArrayRef> = source
                .fields()
                .iter()
                .filter_map(|f| file.rows.column_by_name(f.name()).cloned())
                .collect();
            let contents = encoder.convert_columns(&columns)?;
            let seqs = technical(&file.rows)?;
            for row in 0..file.rows.num_rows() {
                let key = file.keys.row(row).owned();
                if deciding.contains_key(&key) {
                    let content = contents.row(row).owned();
                    found.insert(key, Found { seq: seqs.value(row).to_owned(), content });
                }
            }
        }
        Ok(found)
    }

    /// Keys over which a change older than the watermark would decide, though later changes may
    /// have passed that left no trace in the table: a delete, or an update that changed nothing.
    /// Only Bronze can tell.
    pub(super) fn suspicious(
        &self,
        deciding: &Winners,
        found: &HashMap<OwnedRow, Found>,
        watermark_seq: &str,
    ) -> HashSet<OwnedRow> {
        let doubtful = |key: &OwnedRow, winner: &Winner| {
            let seq = self.changes.seq.value(winner.row);
            let would_act = match found.get(key) {
                None => winner.effect == Effect::Upsert,
                Some(present) => present.seq.as_str() < seq,
            };
            would_act && seq < watermark_seq
        };
        deciding.iter().filter(|(k, w)| doubtful(k, w)).map(|(k, _)| k.clone()).collect()
    }

    pub(super) fn decide(
        &mut self,
        deciding: &Winners,
        found: &HashMap<OwnedRow, Found>,
    ) -> Result<Decisions, TransformError> {
        let contents = self.content_encoder()?.convert_columns(self.changes.source.columns())?;
        let after = self.keys.encode(&self.changes.source)?;
        let mut decisions = Decisions::default();
        // A row may decide over its old key without deciding over its new one.
        let mut accounted = vec![false; self.changes.len()];
        for (key, winner) in deciding {
            let own = winner.row < self.own_rows;
            let present = found.get(key);
            let seq = self.changes.seq.value(winner.row);
            let newer = present.is_none_or(|p| p.seq.as_str() < seq);
            if winner.effect == Effect::MovedAway {
                if present.is_some() && newer {
                    decisions.remove.insert(key.clone());
                    self.balance.moved += 1;
                }
                continue;
            }
            debug_assert!(after.row(winner.row).owned() == *key, "a row decides over its own key");
            accounted[winner.row] = true;
            let counter = match (winner.effect, present) {
                (_, Some(_)) if !newer => &mut self.balance.stale,
                (Effect::Delete, None) => &mut self.balance.unchanged,
                (Effect::Delete, Some(_)) => {
                    decisions.remove.insert(key.clone());
                    &mut self.balance.deleted
                }
                (_, None) => {
                    decisions.write.push(winner.row as u64);
                    &mut self.balance.inserted
                }
                (_, Some(p)) if p.content == contents.row(winner.row).owned() => {
                    &mut self.balance.unchanged
                }
                (_, Some(_)) => {
                    decisions.remove.insert(key.clone());
                    decisions.write.push(winner.row as u64);
                    &mut self.balance.updated
                }
            };
            *counter += u64::from(own);
        }
        let lost = accounted[..self.own_rows].iter().filter(|a| !**a).count();
        self.balance.superseded += lost as u64;
        decisions.write.sort_unstable();
        Ok(decisions)
    }
}

fn technical(rows: &RecordBatch) -> Result<StringArray, TransformError> {
    let column = rows.column_by_name(SILVER_CHANGE_SEQ).cloned().ok_or_else(|| {
        arrow::error::ArrowError::SchemaError(format!("`{SILVER_CHANGE_SEQ}` is missing"))
    })?;
    Ok(column.as_string::<i32>().clone())
}
