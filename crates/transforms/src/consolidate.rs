//! Per key, the last change of a batch wins (rules of order and consolidation).

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use crate::bronze::Changes;
use crate::error::TransformError;
use medallion_definition::change::Op;
use medallion_definition::contract::TableContract;

/// Turns key columns into comparable bytes.
pub(crate) struct KeyEncoder {
    converter: RowConverter,
    names: Vec<String>,
}

impl KeyEncoder {
    pub(crate) fn new(contract: &TableContract) -> Result<KeyEncoder, TransformError> {
        let schema = crate::bronze::source_schema(contract);
        let names: Vec<String> = contract.key.iter().map(ToString::to_string).collect();
        let mut fields = Vec::new();
        for name in &names {
            fields.push(SortField::new(schema.field_with_name(name)?.data_type().clone()));
        }
        Ok(KeyEncoder { converter: RowConverter::new(fields)?, names })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The keys of the batch's rows; the batch holds the key columns under their names.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Rows, TransformError> {
        let columns: Vec<ArrayRef> =
            self.names.iter().filter_map(|n| batch.column_by_name(n).cloned()).collect();
        Ok(self.converter.convert_columns(&columns)?)
    }
}

/// What remains to be done to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The row of this change becomes the key's state.
    Upsert,
    /// The key goes because its row was deleted.
    Delete,
    /// The key goes because the row moved to another key.
    MovedAway,
}

/// The change that decides over a key: the row of the batch, and what it does to this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Winner {
    pub(crate) row: usize,
    pub(crate) effect: Effect,
}

/// The deciding change per key.
pub(crate) type Winners = HashMap<OwnedRow, Winner>;

/// The updates that changed the key of their row.
pub(crate) fn moved_rows(
    keys: &KeyEncoder,
    changes: &Changes,
) -> Result<HashSet<usize>, TransformError> {
    let after = keys.encode(&changes.source)?;
    let before = keys.encode(&changes.before)?;
    let moved = |row: &usize| {
        let carried = changes.before.columns().iter().all(|c| c.is_valid(*row));
        changes.op(*row) == Op::Update && carried && before.row(*row) != after.row(*row)
    };
    Ok((0..changes.len()).filter(moved).collect())
}

/// Finds the last change per key. The order is (change_seq, file, row); `Changes` are in the
/// order of files and rows already, and full-load rows carry the empty sequence.
pub(crate) fn winners(keys: &KeyEncoder, changes: &Changes) -> Result<Winners, TransformError> {
    let after = keys.encode(&changes.source)?;
    let before = keys.encode(&changes.before)?;
    let moved = moved_rows(keys, changes)?;
    let mut winners = Winners::new();
    for row in 0..changes.len() {
        let effect = match changes.op(row) {
            Op::Insert | Op::Update => Effect::Upsert,
            Op::Delete => Effect::Delete,
        };
        if moved.contains(&row) {
            let gone = Winner { row, effect: Effect::MovedAway };
            consider(&mut winners, changes, before.row(row).owned(), gone);
        }
        consider(&mut winners, changes, after.row(row).owned(), Winner { row, effect });
    }
    Ok(winners)
}

fn consider(winners: &mut Winners, changes: &Changes, key: OwnedRow, candidate: Winner) {
    match winners.entry(key) {
        std::collections::hash_map::Entry::Vacant(slot) => {
            slot.insert(candidate);
        }
        std::collections::hash_map::Entry::Occupied(mut slot) => {
            let place = |w: &Winner| (changes.seq.value(w.row), w.row);
            if place(&candidate) >= place(slot.get()) {
                slot.insert(candidate);
            }
        }
    }
}
