//! Named cases, each a situation that has broken a change pipeline before.

mod key;
mod poison;
mod transaction;
mod value;

use std::fmt::Display;

use mysql_async::Conn;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub(crate) use poison::{BROKEN, poisoned_before_load};
pub(crate) use value::boundaries;

use super::record::{Record, address, consent, customer};
use super::{Poisoned, RESERVED_FIRST, WorkloadError, run};

/// One situation.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) statements: Vec<String>,
    pub(crate) poisoned: Vec<Poisoned>,
}

impl Case {
    fn new(name: &'static str, statements: Vec<String>) -> Case {
        Case { name, statements, poisoned: Vec::new() }
    }
}

/// How many customers, with addresses and consents, the initial load holds for the cases.
const LOADED: u64 = 40;

/// Runs every scripted case once, after [`super::initial_load`], and returns the keys that Silver
/// must not hold as MySQL does.
///
/// # Errors
/// A statement that MySQL refuses.
pub async fn scripted(conn: &mut Conn) -> Result<Vec<Poisoned>, WorkloadError> {
    let mut poisoned = Vec::new();
    for case in cases() {
        run(conn, case.name, &case.statements).await?;
        poisoned.extend(case.poisoned);
    }
    Ok(poisoned)
}

fn cases() -> Vec<Case> {
    let mut out = key::cases();
    out.extend(transaction::cases());
    out.extend(value::cases());
    out.extend(poison::cases());
    out
}

/// The `n`th customer, from 1, of those in the initial load.
fn loaded_id(n: u64) -> u64 {
    debug_assert!((1..=LOADED).contains(&n));
    RESERVED_FIRST + n
}

/// The `n`th customer, from 0, that a case of this number may bring in.
fn new_id(case: u64, n: u64) -> u64 {
    RESERVED_FIRST + 1_000 * (case + 1) + n
}

/// A customer that is the same in every run.
fn fixed_customer(id: u64) -> Record {
    customer(&mut ChaCha8Rng::seed_from_u64(id), id)
}

fn fixed_address(id: u64, seq: u16) -> Record {
    address(&mut ChaCha8Rng::seed_from_u64(id + u64::from(seq)), id, seq)
}

fn fixed_consent(id: u64, channel: &str, purpose: &str) -> Record {
    consent(&mut ChaCha8Rng::seed_from_u64(id), id, channel, purpose)
}

/// The rows of the initial load that the cases change: each customer has the addresses 1 and 2 and
/// the consents e-mail for marketing and SMS for billing.
pub(crate) fn loaded() -> Vec<Record> {
    let rows = |id| {
        [
            fixed_customer(id),
            fixed_address(id, 1),
            fixed_address(id, 2),
            fixed_consent(id, "email", "marketing"),
            fixed_consent(id, "sms", "billing"),
        ]
    };
    (1..=LOADED).map(loaded_id).flat_map(rows).collect()
}

/// The statements as one transaction.
fn committed(statements: Vec<String>) -> Vec<String> {
    ended(statements, "COMMIT")
}

fn ended(statements: Vec<String>, end: &str) -> Vec<String> {
    let mut out = vec!["START TRANSACTION".to_owned()];
    out.extend(statements);
    out.push(end.to_owned());
    out
}

fn set_customer(id: u64, assignments: impl Display) -> String {
    format!("UPDATE crm.customers SET {assignments} WHERE id = {id}")
}

fn move_customer(from: u64, to: u64) -> String {
    set_customer(from, format!("id = {to}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cases_are_named_once_and_are_the_same_in_every_run() {
        let (first, second) = (cases(), cases());
        let names: BTreeSet<&str> = first.iter().map(|c| c.name).collect();
        assert_eq!(names.len(), first.len());
        assert!(first.len() >= 25, "{}", first.len());
        for (a, b) in first.iter().zip(&second) {
            assert_eq!((&a.statements, &a.poisoned), (&b.statements, &b.poisoned), "{}", a.name);
            assert!(!a.statements.is_empty(), "{}", a.name);
        }
    }

    #[test]
    fn every_transaction_that_a_case_opens_is_ended() {
        for case in cases() {
            let count = |text: &str| case.statements.iter().filter(|s| *s == text).count();
            let ended = count("COMMIT") + count("ROLLBACK");
            assert_eq!(count("START TRANSACTION"), ended, "{}", case.name);
        }
    }

    #[test]
    fn a_key_is_poisoned_once_and_its_kept_row_is_copied_when_one_is_expected() {
        let all = cases();
        let mut keys = BTreeSet::new();
        for case in &all {
            for poisoned in &case.poisoned {
                assert!(
                    keys.insert((poisoned.table.clone(), poisoned.key.clone())),
                    "{}",
                    case.name
                );
                let copy = format!("REPLACE INTO kept.{} ", poisoned.table.lake_table());
                let copied = case.statements.iter().any(|s| {
                    s.starts_with(&copy) && poisoned.key.iter().all(|k| s.contains(k.as_str()))
                });
                assert!(copied || !poisoned.last_valid, "{}", case.name);
            }
        }
        assert!(all.iter().flat_map(|c| &c.poisoned).any(|p| p.last_valid));
        assert!(all.iter().flat_map(|c| &c.poisoned).any(|p| !p.last_valid));
    }
}
