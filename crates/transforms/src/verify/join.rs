//! The rows of narrow ranges, key by key.

use std::collections::BTreeMap;

use super::hash::Hashes;
use super::report::{Counts, Kind};

/// One row by its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: u128,
    pub(super) row: u128,
    pub(super) origin: u128,
}

impl Entry {
    pub(super) fn of(hashes: &Hashes, row: usize) -> Entry {
        let Hashes { keys, rows, origins } = hashes;
        Entry { key: keys[row], row: rows[row], origin: origins[row] }
    }
}

/// What the rows of some ranges come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) counts: Counts,
    /// The keys that differ, and how.
    pub(super) found: BTreeMap<u128, Kind>,
    /// Rows of the table that are as expected, but made by another change than the deciding one:
    /// by key, the change. Fine when that change was applied too.
    pub(super) doubtful: BTreeMap<u128, u128>,
}

/// Compares the rows of the table with those expected, of which each key has at most one.
/// `origins` tells whether the changes that made the rows are compared.
pub(super) fn join(mut silver: Vec<Entry>, mut expected: Vec<Entry>, origins: bool) -> Joined {
    silver.sort_unstable();
    expected.sort_unstable();
    let mut joined = Joined::default();
    let mut wanted = expected.iter().copied().peekable();
    for rows in silver.chunk_by(|a, b| a.key == b.key) {
        let key = rows[0].key;
        while let Some(missing) = wanted.next_if(|entry| entry.key < key) {
            joined.missing(missing.key);
        }
        let wanted = wanted.next_if(|entry| entry.key == key);
        joined.key(rows, wanted, origins);
    }
    for missing in wanted {
        joined.missing(missing.key);
    }
    joined
}

impl Joined {
    fn missing(&mut self, key: u128) {
        self.counts.missing += 1;
        self.found.insert(key, Kind::Missing);
    }

    /// The rows of one key, of which there is at least one in the table.
    fn key(&mut self, rows: &[Entry], wanted: Option<Entry>, origins: bool) {
        let key = rows[0].key;
        let repeated = rows.len() as u64 - 1;
        self.counts.repeated += repeated;
        let Some(wanted) = wanted else {
            self.counts.unexpected += 1;
            self.found.insert(key, Kind::Unexpected);
            return;
        };
        let same = rows.iter().filter(|row| row.row == wanted.row);
        match same.max_by_key(|row| row.origin == wanted.origin) {
            None => {
                self.counts.differing += 1;
                self.found.insert(key, Kind::Differs);
            }
            Some(row) if origins && row.origin != wanted.origin => {
                self.doubtful.insert(key, row.origin);
            }
            Some(_) => {}
        }
        if repeated > 0 {
            self.found.entry(key).or_insert(Kind::Repeated);
        }
    }

    /// Takes back the doubts about rows that this applied change made.
    pub(super) fn clear(&mut self, hashes: &Hashes) {
        for (key, origin) in hashes.keys.iter().zip(&hashes.origins) {
            if self.doubtful.get(key) == Some(origin) {
                self.doubtful.remove(key);
            }
        }
    }

    /// What is doubtful still is a finding.
    pub(super) fn settle(&mut self) {
        for key in std::mem::take(&mut self.doubtful).into_keys() {
            self.counts.untold += 1;
            self.found.entry(key).or_insert(Kind::Untold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u128, row: u128, origin: u128) -> Entry {
        Entry { key, row, origin }
    }

    #[test]
    fn every_key_has_its_kind() {
        let expected = vec![
            entry(9, 90, 1),
            entry(1, 10, 1),
            entry(2, 20, 1),
            entry(3, 30, 5),
            entry(4, 40, 5),
            entry(5, 50, 1),
            entry(6, 60, 1),
        ];
        let silver = vec![
            entry(7, 70, 1),
            entry(1, 10, 1),
            entry(2, 21, 1),
            entry(3, 30, 4),
            entry(4, 40, 3),
            entry(5, 50, 1),
            entry(5, 50, 1),
            entry(6, 61, 1),
            entry(6, 60, 1),
        ];
        let mut joined = join(silver.clone(), expected.clone(), true);
        let doubtful = [(3, 4), (4, 3)];
        assert_eq!(joined.doubtful, BTreeMap::from(doubtful));
        joined.clear(&Hashes { keys: vec![3, 4], rows: Vec::new(), origins: vec![4, 4] });
        joined.settle();
        use Kind::{Differs, Missing, Repeated, Unexpected, Untold};
        let found = [
            (2, Differs),
            (4, Untold),
            (5, Repeated),
            (6, Repeated),
            (7, Unexpected),
            (9, Missing),
        ];
        assert_eq!(joined.found, BTreeMap::from(found));
        let counts = Counts { missing: 1, unexpected: 1, differing: 1, repeated: 2, untold: 1 };
        assert_eq!(joined.counts, counts);
        let untold = join(silver, expected, false);
        assert!(untold.doubtful.is_empty() && untold.counts.untold == 0);
    }
}
