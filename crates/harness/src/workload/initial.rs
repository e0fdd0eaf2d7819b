//! The rows that are there before the full load.

use mysql_async::Conn;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::identity::pick;
use super::literal::text;
use super::record::{CHANNELS, PURPOSES, Record, address, consent, customer, insert_all};
use super::scripted::{boundaries, loaded};
use super::{Poisoned, RESERVED_FIRST, WorkloadError, run, scripted};

/// Fills the empty source tables: so many customers with their addresses and consents, then the
/// rows that scripted cases expect and one row per boundary of each type.
///
/// # Errors
/// A statement that MySQL refuses.
pub async fn initial_load(
    conn: &mut Conn,
    seed: u64,
    customers: usize,
) -> Result<(), WorkloadError> {
    run(conn, "initial load", &statements(seed, customers)).await
}

/// Adds rows that are invalid from the beginning, so that the full load meets them. One of them is
/// healed by [`super::scripted`]; the others are returned.
///
/// # Errors
/// A statement that MySQL refuses.
pub async fn poison_before_load(conn: &mut Conn) -> Result<Vec<Poisoned>, WorkloadError> {
    let case = scripted::poisoned_before_load();
    run(conn, case.name, &case.statements).await?;
    Ok(case.poisoned)
}

fn statements(seed: u64, customers: usize) -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut id = 0;
    let mut rows: [Vec<Record>; 3] = Default::default();
    for _ in 0..customers {
        id += rng.random_range(1..8u64);
        debug_assert!(id < RESERVED_FIRST);
        rows[0].push(customer(&mut rng, id));
        for seq in 1..=rng.random_range(0..4u16) {
            rows[1].push(address(&mut rng, id, seq));
        }
        for channel in CHANNELS {
            if rng.random_bool(0.4) {
                let purpose = pick(&mut rng, &PURPOSES);
                rows[2].push(consent(&mut rng, id, channel, purpose));
            }
        }
    }
    for record in loaded() {
        rows[record.table() as usize].push(record);
    }
    let mut out = vec!["START TRANSACTION".to_owned()];
    out.extend(rows.iter().flat_map(|rows| insert_all(rows)));
    out.extend(boundaries(RESERVED_FIRST + 900).iter().map(Record::insert));
    let last = customer(&mut rng, u64::MAX).set("nickname", text("the last key"));
    out.push(last.insert());
    out.push("COMMIT".to_owned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_loads_the_same_rows_and_another_seed_others() {
        let first = statements(7, 50);
        assert_eq!(first, statements(7, 50));
        assert_ne!(first, statements(8, 50));
        assert!(first.len() >= 5, "{}", first.len());
    }
}
