//! Per key, the last event wins (rules of order and consolidation).

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::event::{Effect, Events, Ordinal};
use super::key::KeyEncoder;
use crate::error::TransformError;

/// One event: the batch it stands in, and its row there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

impl At {
    pub(crate) fn pair(self) -> (usize, usize) {
        (self.batch as usize, self.row as usize)
    }
}

/// Events held in memory, with their keys encoded.
pub(crate) struct Held {
    events: Vec<Events>,
    keys: Vec<Rows>,
}

impl Held {
    pub(crate) fn new(encoder: &KeyEncoder, events: Vec<Events>) -> Result<Held, TransformError> {
        let keys = events.iter().map(|e| encoder.encode(&e.batch)).collect::<Result<_, _>>()?;
        Ok(Held { events, keys })
    }

    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.events.iter().map(|events| &events.batch)
    }

    pub(super) fn key(&self, at: At) -> &[u8] {
        self.keys[at.batch as usize].row(at.row as usize).data()
    }

    pub(crate) fn seq(&self, at: At) -> &str {
        self.events[at.batch as usize].seqs().value(at.row as usize)
    }

    pub(super) fn changed_at(&self, at: At) -> i64 {
        self.events[at.batch as usize].changed_at(at.row as usize)
    }

    pub(crate) fn effect(&self, at: At) -> Effect {
        self.events[at.batch as usize].effect(at.row as usize)
    }

    pub(crate) fn ordinal(&self, at: At) -> Ordinal {
        self.events[at.batch as usize].ordinal(at.row as usize)
    }

    /// True for a change of the batch itself, which the balance counts.
    fn is_own_change(&self, at: At) -> bool {
        self.ordinal(at).is_own() && self.effect(at) != Effect::Departure
    }

    /// All events, in the order of the batches.
    fn all(&self) -> impl Iterator<Item = At> + '_ {
        (0u32..).zip(&self.events).flat_map(|(batch, events)| {
            let length = u32::try_from(events.len()).unwrap_or(u32::MAX);
            (0..length).map(move |row| At { batch, row })
        })
    }

    pub(super) fn place(&self, at: At) -> (&str, Ordinal) {
        (self.seq(at), self.ordinal(at))
    }

    /// The rows of these events, in their order, with all columns of the events.
    pub(crate) fn rows(&self, events: &[At]) -> Result<RecordBatch, TransformError> {
        let batches: Vec<&RecordBatch> = self.batches().collect();
        let pairs: Vec<(usize, usize)> = events.iter().map(|at| at.pair()).collect();
        Ok(interleave_record_batch(&batches, &pairs)?)
    }
}

/// The deciding event of every key, in key order.
pub(crate) struct Winners {
    pub(crate) held: Arc<Held>,
    pub(crate) events: Vec<At>,
    /// Changes of the batch itself among all events that were looked at.
    pub(crate) own_changes: u64,
    /// Keys over which an event decides that was applied before, though the batch has changes of
    /// them too: the last of these is no newer than what the table knows.
    pub(crate) overruled: u64,
}

/// The last event of a key, and the last one of the batch itself.
#[derive(Clone, Copy)]
struct Last {
    all: At,
    own: Option<At>,
}

/// Finds the last event of every key among those given. The order is (change_seq, own or not,
/// file, row); full-load rows carry the empty sequence, which comes first.
pub(crate) fn winners(held: &Arc<Held>, events: impl Iterator<Item = At>) -> Winners {
    let (table, own_changes) = last_of_keys(held, events);
    let is_overruled = |last: &&Last| {
        let own = last.own.filter(|own| *own != last.all);
        own.is_some_and(|own| held.effect(own) != Effect::Departure)
            && !held.ordinal(last.all).is_own()
    };
    let overruled = table.iter().filter(is_overruled).count() as u64;
    let mut events: Vec<(u64, At)> =
        table.into_iter().map(|last| (prefix(held.key(last.all)), last.all)).collect();
    events.sort_unstable_by(|(p, a), (q, b)| match p.cmp(q) {
        Ordering::Equal => held.key(*a).cmp(held.key(*b)),
        different => different,
    });
    let events = events.into_iter().map(|(_, at)| at).collect();
    Winners { held: Arc::clone(held), events, own_changes, overruled }
}

/// The events among those held that can still decide over their key, or be the batch's last of it,
/// and how many changes of the batch itself the others are.
pub(crate) fn last_events(held: &Held) -> (Vec<At>, u64) {
    let (table, own_changes) = last_of_keys(held, held.all());
    let mut last: Vec<At> = Vec::with_capacity(table.len());
    let mut kept = 0;
    for found in table {
        for at in std::iter::once(found.all).chain(found.own.filter(|own| *own != found.all)) {
            kept += u64::from(held.is_own_change(at));
            last.push(at);
        }
    }
    (last, own_changes - kept)
}

/// The last events of every key among those given, and how many of all are changes of the batch
/// itself.
fn last_of_keys(held: &Held, events: impl Iterator<Item = At>) -> (HashTable<Last>, u64) {
    let hasher = FixedState::default();
    let mut table: HashTable<Last> = HashTable::new();
    let mut own_changes = 0;
    for at in events {
        let is_own = held.ordinal(at).is_own();
        own_changes += u64::from(held.is_own_change(at));
        let own = is_own.then_some(at);
        let key = held.key(at);
        let hash = |last: &Last| hasher.hash_one(held.key(last.all));
        match table.entry(hasher.hash_one(key), |other| held.key(other.all) == key, hash) {
            Entry::Vacant(slot) => {
                slot.insert(Last { all: at, own });
            }
            Entry::Occupied(mut slot) => {
                let last = slot.get_mut();
                if held.place(at) > held.place(last.all) {
                    last.all = at;
                }
                if is_own && last.own.is_none_or(|own| held.place(at) > held.place(own)) {
                    last.own = own;
                }
            }
        }
    }
    (table, own_changes)
}

/// Eight bytes of an encoded key that sort as the key does. The first byte only says that the
/// value is there, which it always is in a key.
pub(super) fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(key.iter().skip(1)) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}
