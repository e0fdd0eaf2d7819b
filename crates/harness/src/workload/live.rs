//! The keys that live, as far as random changes know them.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::record::{CHANNELS, PURPOSES, Table};
use super::{RESERVED_FIRST, WorkloadError};

/// What belongs to a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Belongings {
    pub(crate) addresses: BTreeSet<u16>,
    /// Positions in [`CHANNELS`] and [`PURPOSES`].
    pub(crate) consents: BTreeSet<(usize, usize)>,
}

/// The customers below [`RESERVED_FIRST`] with what belongs to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LiveKeys {
    pub(crate) customers: BTreeMap<u64, Belongings>,
    /// No row of any table has this customer or a later one below [`RESERVED_FIRST`].
    pub(crate) next_id: u64,
}

async fn keys<T: FromRow + Send + 'static>(
    conn: &mut Conn,
    table: Table,
    columns: &str,
    customer: &str,
) -> Result<Vec<T>, WorkloadError> {
    let table = table.source();
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE {customer} BETWEEN 1 AND {} ORDER BY {columns}",
        RESERVED_FIRST - 1
    );
    conn.query(sql).await.map_err(|source| WorkloadError::Keys { table, source })
}

impl LiveKeys {
    /// Reads the keys from the source.
    pub(crate) async fn read(conn: &mut Conn) -> Result<LiveKeys, WorkloadError> {
        let mut live = LiveKeys { next_id: 1, ..LiveKeys::default() };
        for id in keys::<u64>(conn, Table::Customers, "id", "id").await? {
            live.next_id = live.next_id.max(id + 1);
            live.customers.insert(id, Belongings::default());
        }
        for (id, seq) in keys(conn, Table::Addresses, "customer_id, seq", "customer_id").await? {
            live.next_id = live.next_id.max(id + 1);
            live.belongings(id, |b| b.addresses.insert(seq));
        }
        let columns = "customer_id, channel, purpose";
        let consents: Vec<(u64, String, String)> =
            keys(conn, Table::Consents, columns, "customer_id").await?;
        for (id, channel, purpose) in consents {
            live.next_id = live.next_id.max(id + 1);
            let channel = CHANNELS.iter().position(|c| *c == channel);
            let purpose = PURPOSES.iter().position(|p| *p == purpose);
            if let (Some(channel), Some(purpose)) = (channel, purpose) {
                live.belongings(id, |b| b.consents.insert((channel, purpose)));
            }
        }
        Ok(live)
    }

    /// Changes what belongs to a customer; what belongs to none is left alone.
    pub(crate) fn belongings<T>(&mut self, id: u64, change: impl FnOnce(&mut Belongings) -> T) {
        if let Some(belongings) = self.customers.get_mut(&id) {
            change(belongings);
        }
    }

    /// A customer number that was never used.
    pub(crate) fn fresh_id(&mut self, rng: &mut ChaCha8Rng) -> u64 {
        let id = self.next_id;
        self.next_id += rng.random_range(1..4u64);
        id
    }

    /// Some customer that lives.
    pub(crate) fn any(&self, rng: &mut ChaCha8Rng) -> Option<u64> {
        if self.customers.is_empty() {
            return None;
        }
        let position = rng.random_range(0..self.customers.len());
        self.customers.keys().nth(position).copied()
    }
}
