//! Which keys change, and how.

use std::collections::HashMap;

use medallion_definition::change::Op;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::rows::Change;

/// The exponent of the uneven distribution.
const ZIPF: f64 = 1.1;
/// Scatters the most changed keys over the table.
const SCATTER: u64 = 2_654_435_761;

/// The keys of a loaded table: `stride`, twice `stride`, and so on. Tables of different sizes can
/// so hold the same keys, spread over all of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) rows: u64,
    pub(super) stride: u64,
}

impl Keys {
    /// The key at a place, from 0.
    pub(super) fn at(self, place: u64) -> i64 {
        ((place + 1) * self.stride).cast_signed()
    }
}

/// Which keys are changed how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Each as likely as any other.
    Uniform,
    /// Few take most changes.
    Zipf,
}

/// What changes to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) changes: u64,
    /// Updates, inserts and deletes of a hundred changes.
    pub(super) mix: [u64; 3],
    pub(super) spread: Spread,
    /// The number of the first change.
    pub(super) first: u64,
    /// The key of the first new row; greater than every key of the table.
    pub(super) new_from: i64,
}

/// A place below `rows`.
fn place(spread: Spread, rows: u64, random: &mut ChaCha8Rng) -> u64 {
    match spread {
        Spread::Uniform => random.random_range(0..rows),
        Spread::Zipf => {
            let x: f64 = random.random();
            let highest = (rows as f64 + 1.0).powf(1.0 - ZIPF);
            let rank = ((highest - 1.0) * x + 1.0).powf(1.0 / (1.0 - ZIPF)) as u64 - 1;
            // A product with a prime that does not divide the number of rows keeps ranks apart.
            (u128::from(rank.min(rows - 1)) * u128::from(SCATTER) % u128::from(rows)) as u64
        }
    }
}

/// Changes in their order, each possible where it stands: rows that are there are updated or
/// deleted, and a row that has gone comes back by an insert.
pub(super) fn changes(keys: Keys, batch: &Batch, seed: u64) -> Vec<Change> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Keys that were touched, and whether they are there.
    let mut there: HashMap<i64, bool> = HashMap::new();
    let mut new = batch.new_from;
    let mut changes = Vec::new();
    let [updates, inserts, _] = batch.mix;
    for number in batch.first..batch.first + batch.changes {
        let drawn = random.random_range(0..batch.mix.iter().sum::<u64>());
        let (id, op) = if (updates..updates + inserts).contains(&drawn) {
            new += 1;
            (new - 1, Op::Insert)
        } else {
            // New rows change as often as old ones.
            let added = (new - batch.new_from).cast_unsigned();
            let id = match random.random_range(0..keys.rows + added) {
                drawn if drawn >= keys.rows => batch.new_from + (drawn - keys.rows).cast_signed(),
                _ => keys.at(place(batch.spread, keys.rows, &mut random)),
            };
            (id, if drawn < updates { Op::Update } else { Op::Delete })
        };
        let op = if there.get(&id) == Some(&false) { Op::Insert } else { op };
        there.insert(id, op != Op::Delete);
        changes.push(Change { op, id, number });
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn batch(spread: Spread) -> Batch {
        Batch { changes: 20_000, mix: [80, 15, 5], spread, first: 1, new_from: 100_000 }
    }

    #[test]
    fn every_change_is_possible_where_it_stands() {
        for spread in [Spread::Uniform, Spread::Zipf] {
            let keys = Keys { rows: 1_000, stride: 7 };
            let mut there: HashSet<i64> = (0..keys.rows).map(|place| keys.at(place)).collect();
            let changes = changes(keys, &batch(spread), 3);
            for (change, number) in changes.iter().zip(1..) {
                assert_eq!(change.number, number);
                match change.op {
                    Op::Insert => assert!(there.insert(change.id), "{change:?}"),
                    Op::Update => assert!(there.contains(&change.id), "{change:?}"),
                    Op::Delete => assert!(there.remove(&change.id), "{change:?}"),
                }
            }
            let of = |op| changes.iter().filter(|change| change.op == op).count();
            assert!(of(Op::Update) > 12_000 && of(Op::Delete) > 500, "{spread:?}");
        }
    }

    #[test]
    fn few_keys_take_most_of_an_uneven_batch() {
        let keys = Keys { rows: 100_000, stride: 1 };
        let most = |spread| {
            let mut counts: HashMap<i64, u64> = HashMap::new();
            for change in changes(keys, &batch(spread), 3) {
                *counts.entry(change.id).or_default() += 1;
            }
            (counts.len(), counts.into_values().max().unwrap())
        };
        let (even, uneven) = (most(Spread::Uniform), most(Spread::Zipf));
        assert!(even.0 > 17_000 && even.1 < 8, "{even:?}");
        assert!(uneven.0 < 14_000 && uneven.1 > 500, "{uneven:?}");
    }

    #[test]
    fn a_larger_table_with_a_smaller_stride_holds_the_keys_of_the_smaller() {
        let (small, large) = (Keys { rows: 10, stride: 30 }, Keys { rows: 100, stride: 3 });
        let large: HashSet<i64> = (0..100).map(|place| large.at(place)).collect();
        assert!((0..10).all(|place| large.contains(&small.at(place))));
    }
}
