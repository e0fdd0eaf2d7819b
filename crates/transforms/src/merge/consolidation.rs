//! Consolidation alone: the last change of every key, without a table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use medallion_definition::contract::TableContract;

use super::event::{Effect, Events};
use super::key::KeyEncoder;
use super::winners::{At, Held, winners};
use crate::bronze::Changes;
use crate::error::TransformError;

/// The last change of every key among valid changes, in key order.
#[derive(Debug)]
pub struct Consolidated {
    /// The rows that their keys end with: source columns in Silver's types, then our own.
    pub upserts: RecordBatch,
    /// How many keys end without a row: deleted, or left for another key.
    pub gone: usize,
}

/// Consolidates changes as a batch does: per key the last one counts, by change_seq, file and row;
/// a change that moves a row to another key ends the old one.
///
/// # Errors
/// [`TransformError::Arrow`] when the changes are not those of the contract.
pub fn consolidate(
    contract: &TableContract,
    changes: &[Changes],
) -> Result<Consolidated, TransformError> {
    let keys = KeyEncoder::new(contract)?;
    let events = changes.iter().map(|changes| {
        let rejected = vec![false; changes.len()];
        Events::new(&keys, contract, changes, &rejected, true)
    });
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let rows = |events: &Events| u32::try_from(events.len()).unwrap_or(u32::MAX);
    let places: Vec<At> = (0u32..)
        .zip(&events)
        .flat_map(|(batch, events)| (0..rows(events)).map(move |row| At { batch, row }))
        .collect();
    let held = Arc::new(Held::new(&keys, events)?);
    let last = winners(&held, places.into_iter()).events;
    let (upserts, gone): (Vec<At>, Vec<At>) =
        last.into_iter().partition(|at| held.effect(*at) == Effect::Upsert);
    if held.batches().next().is_none() {
        let upserts = RecordBatch::new_empty(super::event::schema(contract));
        return Ok(Consolidated { upserts, gone: 0 });
    }
    Ok(Consolidated { upserts: held.rows(&upserts)?, gone: gone.len() })
}
