//! Narrowing a difference down: ranges of key hashes whose sums differ are split into 256 parts,
//! until they hold few rows.

use super::hash::Hashes;

/// A range with at most so many rows on either side is not split any further.
const FEW_ROWS: u64 = 256;
/// Bits of the hash by which a step splits.
const STEP: u32 = 8;
/// Parts of a range that is split.
const PARTS: usize = 1 << STEP;
/// Bits of the hash by which ranges are told apart; the rest tells single keys apart.
const BITS: u32 = 64;

/// The hashes that begin with these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HashRange {
    /// The first bits of the hashes, the others zero.
    prefix: u64,
    /// How many bits are given.
    bits: u32,
}

fn top(hash: u128) -> u64 {
    (hash >> 64) as u64
}

impl HashRange {
    /// All hashes.
    pub(super) const ALL: HashRange = HashRange { prefix: 0, bits: 0 };

    fn part(self, part: usize) -> HashRange {
        let bits = self.bits + STEP;
        HashRange { prefix: self.prefix | (part as u64) << (BITS - bits), bits }
    }

    fn holds(self, hash: u128) -> bool {
        self.bits == 0 || (top(hash) ^ self.prefix) >> (BITS - self.bits) == 0
    }
}

/// Ranges that do not overlap.
pub(super) struct HashRanges(Vec<HashRange>);

impl HashRanges {
    pub(super) fn new(mut ranges: Vec<HashRange>) -> HashRanges {
        ranges.sort_unstable();
        HashRanges(ranges)
    }

    /// The place of the range that holds a hash.
    pub(super) fn find(&self, hash: u128) -> Option<usize> {
        let after = self.0.partition_point(|range| range.prefix <= top(hash));
        let place = after.checked_sub(1)?;
        self.0.get(place).filter(|range| range.holds(hash)).map(|_| place)
    }
}

/// A range that differs, with the rows that the two sides have there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) range: HashRange,
    pub(super) rows: [u64; 2],
}

impl Differing {
    /// True when the range has few rows or cannot be split.
    pub(super) fn is_narrow(&self) -> bool {
        self.rows.iter().all(|rows| *rows <= FEW_ROWS) || self.range.bits == BITS
    }
}

/// Rows and the sum of their hashes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    rows: u64,
    sum: u128,
}

/// One step: the sums of the parts of some ranges, of two sides.
pub(super) struct Split {
    ranges: HashRanges,
    parts: Vec<[Tally; 2]>,
}

impl Split {
    /// Memory that the split of one range takes, in bytes.
    pub(super) const BYTES: u64 = (PARTS * size_of::<[Tally; 2]>()) as u64;

    pub(super) fn new(ranges: &[HashRange]) -> Split {
        let parts = vec![[Tally::default(); 2]; ranges.len() * PARTS];
        Split { ranges: HashRanges::new(ranges.to_vec()), parts }
    }

    /// Adds the rows of a side. Those that are in none of the ranges are passed over.
    pub(super) fn add(&mut self, side: usize, hashes: &Hashes, origins: bool) {
        for (row, key) in hashes.keys.iter().enumerate() {
            let Some(place) = self.ranges.find(*key) else { continue };
            let shift = BITS - STEP - self.ranges.0[place].bits;
            let part = (top(*key) >> shift) as usize % PARTS;
            let tally = &mut self.parts[place * PARTS + part][side];
            tally.rows += 1;
            tally.sum = tally.sum.wrapping_add(hashes.rows[row]);
            if origins {
                tally.sum = tally.sum.wrapping_add(hashes.origins[row]);
            }
        }
    }

    /// The parts in which the sides differ.
    pub(super) fn differing(&self) -> Vec<Differing> {
        let parts = self.parts.iter().enumerate().filter(|(_, [a, b])| a != b);
        let told = parts.map(|(place, [a, b])| Differing {
            range: self.ranges.0[place / PARTS].part(place % PARTS),
            rows: [a.rows, b.rows],
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn narrow(sides: [&Hashes; 2]) -> Vec<Differing> {
        let (mut open, mut found) = (vec![HashRange::ALL], Vec::new());
        while !open.is_empty() {
            let mut split = Split::new(&open);
            for (side, hashes) in sides.into_iter().enumerate() {
                split.add(side, hashes, false);
            }
            let (narrow, wide): (Vec<_>, Vec<_>) =
                split.differing().into_iter().partition(Differing::is_narrow);
            found.extend(narrow);
            open = wide.into_iter().map(|differing| differing.range).collect();
        }
        found
    }

    fn hashes(rows: &[(u128, u128)]) -> Hashes {
        let (keys, rows) = rows.iter().copied().unzip();
        Hashes { keys, rows, origins: Vec::new() }
    }

    #[test]
    fn exactly_the_ranges_of_the_differing_rows_are_found() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let rows: Vec<(u128, u128)> =
            (0..50_000).map(|_| (random.random(), random.random())).collect();
        assert!(narrow([&hashes(&rows), &hashes(&rows)]).is_empty());
        let mut other = rows.clone();
        other.reverse();
        let changed: Vec<u128> = [7, 20_000, 49_000].map(|place: usize| other[place].0).to_vec();
        for place in [7, 20_000, 49_000] {
            other[place].1 ^= 1;
        }
        let gone = other.remove(30_000).0;
        let found = narrow([&hashes(&rows), &hashes(&other)]);
        let held = |key: &u128| found.iter().filter(|f| f.range.holds(*key)).count();
        assert!(changed.iter().chain([&gone]).all(|key| held(key) == 1));
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|f| f.rows[0] <= FEW_ROWS), "{found:?}");
    }

    #[test]
    fn rows_of_one_hash_end_where_hashes_end() {
        let rows = vec![(u128::MAX, 1); 1_000];
        let found = narrow([&hashes(&rows), &hashes(&rows[1..])]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].range.bits, found[0].rows), (BITS, [1_000, 999]));
    }

    #[test]
    fn a_hash_is_found_in_the_range_that_holds_it() {
        let whole = HashRange::ALL;
        let ranges =
            HashRanges::new(vec![whole.part(3), whole.part(1).part(255), whole.part(1).part(2)]);
        let find = |top: u64| ranges.find(u128::from(top) << 64);
        assert_eq!(find(0x0102 << 48), Some(0));
        assert_eq!(find(0x01ff_ffff << 32), Some(1));
        assert_eq!(find(0x0103 << 48), None);
        assert_eq!(find(0x03aa << 48), Some(2));
        assert_eq!(find(0), None);
        assert_eq!(HashRanges::new(vec![whole]).find(u128::MAX), Some(0));
    }
}
