//! Random changes in transactions of varying size, some of them rolled back.

mod operation;

use mysql_async::Conn;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::live::LiveKeys;
use super::{WorkloadError, run};

/// Makes so many random changes to customers below [`super::RESERVED_FIRST`] and what belongs to
/// them. The changes are a function of the seed and of the keys that live when it begins.
///
/// # Errors
/// A statement that MySQL refuses.
pub async fn random(conn: &mut Conn, seed: u64, changes: usize) -> Result<(), WorkloadError> {
    let live = LiveKeys::read(conn).await?;
    for (number, statements) in transactions(seed, live, changes).iter().enumerate() {
        run(conn, &format!("random transaction {}", number + 1), statements).await?;
    }
    Ok(())
}

/// The source of changes and what it knows of the source tables.
struct Generator {
    rng: ChaCha8Rng,
    live: LiveKeys,
}

impl Generator {
    /// Some changes, one after the other.
    fn operations(&mut self, count: usize) -> Vec<String> {
        (0..count).flat_map(|_| self.operation()).collect()
    }

    /// Changes that are taken back: the keys live on as they did before.
    fn undone(&mut self, count: usize) -> Vec<String> {
        let before = self.live.clone();
        let statements = self.operations(count);
        // Numbers that were given out are not given out again, as with AUTO_INCREMENT.
        self.live = LiveKeys { next_id: self.live.next_id, ..before };
        statements
    }

    fn transaction(&mut self, count: usize) -> Vec<String> {
        if count == 1 && self.rng.random_bool(0.5) {
            let alone = self.operations(1);
            if alone.len() == 1 {
                return alone;
            }
            return framed(alone, "COMMIT");
        }
        if self.rng.random_bool(0.12) {
            let undone = self.undone(count);
            return framed(undone, "ROLLBACK");
        }
        let mut statements = self.operations(count);
        if self.rng.random_bool(0.15) {
            statements.push("SAVEPOINT before_mistake".to_owned());
            let mistakes = self.rng.random_range(1..4);
            statements.extend(self.undone(mistakes));
            statements.push("ROLLBACK TO SAVEPOINT before_mistake".to_owned());
            statements.extend(self.operations(1));
        }
        framed(statements, "COMMIT")
    }
}

fn framed(statements: Vec<String>, end: &str) -> Vec<String> {
    let mut out = vec!["START TRANSACTION".to_owned()];
    out.extend(statements);
    out.push(end.to_owned());
    out
}

/// The statements by transaction; each change takes at least one statement.
fn transactions(seed: u64, live: LiveKeys, changes: usize) -> Vec<Vec<String>> {
    let mut generator = Generator { rng: ChaCha8Rng::seed_from_u64(seed), live };
    let mut left = changes;
    let mut out = Vec::new();
    while left > 0 {
        let most = match generator.rng.random_range(0..10) {
            0..4 => 1,
            4..9 => 12,
            _ => 60,
        };
        let count = generator.rng.random_range(1..=most).min(left);
        left -= count;
        out.push(generator.transaction(count));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::live::Belongings;

    fn live() -> LiveKeys {
        let belongings = Belongings { addresses: [1, 2].into(), consents: [(0, 0), (2, 1)].into() };
        let customers = (1..=40).map(|id| (id * 3, belongings.clone())).collect();
        LiveKeys { customers, next_id: 121 }
    }

    #[test]
    fn the_same_seed_and_keys_give_the_same_statements() {
        let first = transactions(11, live(), 400);
        assert_eq!(first, transactions(11, live(), 400));
        assert_ne!(first, transactions(12, live(), 400));
        let fewer =
            LiveKeys { customers: live().customers.into_iter().take(39).collect(), next_id: 121 };
        assert_ne!(first, transactions(11, fewer, 400));
    }

    #[test]
    fn a_few_thousand_changes_hold_every_kind_of_statement() {
        let all = transactions(3, live(), 2_000);
        let text = all.concat().join("\n");
        for kind in [
            "INSERT INTO crm.customers",
            "INSERT INTO crm.addresses",
            "ON DUPLICATE KEY UPDATE",
            "REPLACE INTO crm.consents",
            "UPDATE crm.customers SET id = ",
            "SET seq = ",
            "SET purpose = ",
            "DELETE FROM crm.customers",
            "DELETE FROM crm.addresses",
            "ROLLBACK TO SAVEPOINT",
            "WHERE id IN (",
        ] {
            assert!(text.contains(kind), "{kind}");
        }
        let ends_with = |end: &str| all.iter().filter(|t| t.last().unwrap() == end).count();
        assert!(ends_with("ROLLBACK") > 10 && ends_with("COMMIT") > 100);
    }

    #[test]
    fn an_empty_source_gets_customers_first() {
        let empty = LiveKeys { next_id: 1, ..LiveKeys::default() };
        let statements = transactions(1, empty, 5).concat();
        let first = statements.iter().find(|s| !s.starts_with("START")).unwrap();
        assert!(first.starts_with("INSERT INTO crm.customers"), "{first}");
    }
}
