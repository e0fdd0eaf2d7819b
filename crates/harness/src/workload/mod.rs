//! The workload that a scenario runs against the source: schema, initial rows, scripted cases and
//! random changes; and what Silver must hold afterwards, asked of MySQL itself.
//!
//! Everything is generated as SQL text first, a function of the seed and of the keys that live, and
//! run afterwards. Values carry the noise that normalisers remove. They are valid for the contract's
//! checks, but for the poison cases, which say so in [`Poisoned`].

use medallion_definition::name::TableId;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

pub mod expected;
mod identity;
mod initial;
pub mod journal;
mod literal;
mod live;
mod random;
mod record;
pub mod schema;
mod scripted;

pub use initial::{initial_load, poison_before_load};
pub use random::random;
pub use scripted::scripted;

/// Keys of customers from here on belong to scripted cases; random changes stay below.
pub const RESERVED_FIRST: u64 = 900_000_000;

/// Why a workload stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// MySQL refused a statement, or the connection broke.
    #[error("the statement {number} of `{step}` failed")]
    Statement {
        /// The case or step.
        step: String,
        /// The statement's number in it, from 1.
        number: usize,
        /// MySQL's or the driver's reason.
        #[source]
        source: mysql_async::Error,
    },
    /// The live keys could not be read.
    #[error("the keys of `{table}` could not be read")]
    Keys {
        /// The source table.
        table: &'static str,
        /// MySQL's or the driver's reason.
        #[source]
        source: mysql_async::Error,
    },
}

/// A key whose last change is invalid, so that Silver must not hold the row as MySQL does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poisoned {
    /// The source table.
    pub table: TableId,
    /// The key's values as SQL literals, in the order of the contract's key.
    pub key: Vec<String>,
    /// True when Silver must hold the row that was kept in the schema `kept`; false when it must
    /// not hold the key at all.
    pub last_valid: bool,
}

/// Settings of a session that may write zero dates and whose TIMESTAMP values are UTC.
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', \
                       time_zone = '+00:00'";

/// Runs statements in order on a session with [`SESSION`]'s settings.
async fn run(conn: &mut Conn, step: &str, statements: &[String]) -> Result<(), WorkloadError> {
    let failed = |number| {
        let step = step.to_owned();
        move |source| WorkloadError::Statement { step, number, source }
    };
    conn.query_drop(SESSION).await.map_err(failed(0))?;
    for (index, statement) in statements.iter().enumerate() {
        conn.query_drop(statement).await.map_err(failed(index + 1))?;
    }
    Ok(())
}
