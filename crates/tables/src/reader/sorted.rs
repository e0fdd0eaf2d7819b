//! Finding the common elements of two sequences, of which one is sorted and the other mostly is.

use std::cmp::Ordering;

/// The order that sorts `count` elements; nothing when they are sorted.
pub(super) fn sorted_order(
    count: usize,
    compare: impl Fn(usize, usize) -> Ordering,
) -> Option<Vec<u32>> {
    if (1..count).all(|i| compare(i - 1, i).is_le()) {
        return None;
    }
    let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    order.sort_unstable_by(|&a, &b| compare(a as usize, b as usize).then(a.cmp(&b)));
    Some(order)
}

/// All (row, key) pairs with `row(r) == key(k)`. Keys are sorted and distinct. Rows may repeat; if
/// they are not sorted, they are sorted first, and the pairs come in the order of the values.
pub(super) fn intersect<T: Ord>(
    keys: usize,
    key: impl Fn(usize) -> T,
    rows: usize,
    row: impl Fn(usize) -> T,
) -> Vec<(u32, u32)> {
    match sorted_order(rows, |a, b| row(a).cmp(&row(b))) {
        None => intersect_sorted(keys, key, rows, row),
        Some(order) => {
            let mut found = intersect_sorted(keys, key, rows, |i| row(order[i] as usize));
            for (row, _) in &mut found {
                *row = order[*row as usize];
            }
            found
        }
    }
}

/// Walks through both sequences, and leaps over what cannot match in either of them.
fn intersect_sorted<T: Ord>(
    keys: usize,
    key: impl Fn(usize) -> T,
    rows: usize,
    row: impl Fn(usize) -> T,
) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let (mut k, mut r) = (0, 0);
    while k < keys && r < rows {
        match key(k).cmp(&row(r)) {
            Ordering::Less => k = leap(k + 1, keys, |i| key(i) < row(r)),
            Ordering::Greater => r = leap(r + 1, rows, |i| row(i) < key(k)),
            Ordering::Equal => {
                found.push((as_u32(r), as_u32(k)));
                r += 1;
            }
        }
    }
    found
}

/// The first index from `from` on that is not before the goal, `end` when all are: steps that
/// double, then a binary search, so that the cost grows with the logarithm of the distance.
fn leap(from: usize, end: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (from, 1);
    while low < end && before(low) {
        let next = low + step;
        if next >= end || !before(next) {
            // The goal is in (low, next].
            let (mut low, mut high) = (low + 1, next.min(end));
            while low < high {
                let middle = low.midpoint(high);
                if before(middle) { low = middle + 1 } else { high = middle }
            }
            return low;
        }
        low = next;
        step *= 2;
    }
    low
}

/// Batches are shorter than 2³² rows, and so are sets of keys: both are Arrow arrays whose row
/// numbers are kept in 32 bits.
fn as_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn what_two_sequences_have_in_common_is_found_in_any_density_and_order() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for round in 0..400 {
            let range = [3, 50, 5_000][round % 3];
            let (few, many) = (random.random_range(0..20), random.random_range(0..600));
            let (keys, rows) = if round % 2 == 0 { (few, many) } else { (many, few) };
            let mut keys: Vec<i64> = (0..keys).map(|_| random.random_range(0..range)).collect();
            let mut rows: Vec<i64> = (0..rows).map(|_| random.random_range(0..range)).collect();
            keys.sort_unstable();
            keys.dedup();
            if round % 5 != 0 {
                rows.sort_unstable();
            }
            let mut found = intersect(keys.len(), |i| keys[i], rows.len(), |i| rows[i]);
            found.sort_unstable();
            let place = |value| keys.iter().position(|key| *key == value);
            let naive = rows.iter().enumerate().filter_map(|(r, value)| Some((r, place(*value)?)));
            let naive: Vec<_> = naive.map(|(r, k)| (r as u32, k as u32)).collect();
            assert_eq!(found, naive);
        }
    }
}
